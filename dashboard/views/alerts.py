"""Fraud alerts to work through: a live list of cases, and one case up close."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dashboard import access, alert_charts, alert_markup, alert_queries, downloads, markup
from dashboard.alert_queries import BANDS, MODEL, SEVERITIES, VERDICTS, CaseFilters
from dashboard.figures import rows
from dashboard.frame import heading, lake, live, now, settings
from dashboard.period import MINUTE, Anchor, anchor
from dashboard.queries import alert_rules
from dashboard.wording import chance, clock, count, money, place, short_clock, timed
from dashboard.zones import zone_name
from finlake.errors import FinlakeError
from infra.database.notes import LONGEST, NAME, assignments, note, notes
from infra.database.verdicts import judge

__all__ = ["show"]

_SPANS = {
    "24 h": (timedelta(days=1), "24 hours"),
    "7 d": (timedelta(days=7), "7 days"),
    "30 d": (timedelta(days=30), "30 days"),
    "1 y": (timedelta(days=365), "year"),
}
_IN_WORDS = {True: "fraud", False: "genuine"}
_AUTHOR = "author"
_FEED, _MORE = 15, 25
_FILTERS = ("severity", "rule", "band", "verdict", "score", "assigned")
_ANYBODY, _NOBODY = "anybody", "nobody"
_CARD_BEFORE, _CARD_AFTER = 12, 6

Row = dict[str, Any]


def show() -> None:
    """Draw the page."""
    heading("Fraud alerts")
    whose = _assigned()
    span, filters, chosen = _controls(whose)
    if chosen is None:
        live(partial(_tiles, span, filters))
        live(partial(_list, span, filters, chosen, whose))
        return
    with st.container(key="triage"):
        left, right = st.columns([2, 3], gap="medium")
        with left:
            live(partial(_list, span, filters, chosen, whose))
        with right:
            live(partial(_verdict, chosen))
            live(partial(_case, chosen))
            _notes(chosen)


# ── What is asked for ─────────────────────────────────────────────────────────────────────────────


def _assigned() -> Mapping[int, str]:
    """Who looks into which transaction; nobody where that cannot be known."""
    if settings().source_review_url is None or not access.may("operator"):
        return {}
    try:
        return assignments(settings())
    except FinlakeError as error:
        st.html(markup.warning("Who looks into what cannot be read", str(error)))
        return {}


def _controls(whose: Mapping[int, str]) -> tuple[str, CaseFilters, int | None]:
    with st.container(horizontal=True, vertical_alignment="center", key="controls"):
        span = st.segmented_control(
            "Time of the transactions",
            tuple(_SPANS),
            default="7 d",
            required=True,
            key="days",
            bind="query-params",
            label_visibility="collapsed",
        )
        entered = st.text_input(
            "Transaction number",
            key="case",
            bind="query-params",
            placeholder="Transaction number",
            icon=":material/search:",
            label_visibility="collapsed",
            width=220,
        )
        chosen = sum(1 for name in _FILTERS if st.query_params.get(name))
        label = f"Filters ({chosen})" if chosen else "Filters"
        with st.popover(label, icon=":material/tune:"):
            filters = _filters(whose)
    number = (entered or "").strip()
    if number and not (number.isdigit() and len(number) < 19):
        st.caption(":red[A transaction's number has digits alone.]")
        number = ""
    return span, filters, int(number) if number else None


def _filters(whose: Mapping[int, str]) -> CaseFilters:
    try:
        rules = tuple(r["rule"] for r in rows(lake(), alert_rules()))
    except FinlakeError:  # the page itself says what is wrong
        rules = ()
    severities = st.pills(
        "Severity", SEVERITIES, selection_mode="multi", key="severity", bind="query-params"
    )
    chosen = st.multiselect(
        "Raised by",
        (*rules, MODEL),
        key="rule",
        bind="query-params",
        format_func=alert_markup.rule_in_words,
    )
    bands = st.pills(
        "Band of the score", BANDS, selection_mode="multi", key="band", bind="query-params"
    )
    verdicts = st.pills(
        "Verdict", VERDICTS, selection_mode="multi", key="verdict", bind="query-params"
    )
    least = st.slider("Score of at least, %", 0, 100, 0, step=5, key="score", bind="query-params")
    among, besides = _of_assignee(whose)
    return CaseFilters(
        tuple(severities),
        tuple(chosen),
        tuple(bands),
        least / 100,
        tuple(verdicts),
        among,
        besides,
    )


def _of_assignee(whose: Mapping[int, str]) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """The transactions to look at alone, and those to leave out, by who looks into them."""
    if not whose:
        return None, ()
    name = st.selectbox(
        "Assigned to",
        (_ANYBODY, _NOBODY, *sorted(set(whose.values()))),
        key="assigned",
        bind="query-params",
    )
    if name == _ANYBODY:
        return None, ()
    if name == _NOBODY:
        return None, tuple(whose)
    return tuple(number for number, one in whose.items() if one == name), ()


def _bounds(span: str) -> tuple[Anchor, datetime, datetime] | None:
    """What counts as now, and the stretch before it in whole minutes; None without any alert."""
    (found,) = rows(lake(), alert_queries.newest_case())
    if found["newest"] is None:
        return None
    at = anchor(now(), _minute(found["newest"]))
    return at, _minute(at.at - _SPANS[span][0]), _minute(at.at + MINUTE)


def _minute(moment: datetime) -> datetime:
    """The minute it lies in, so that a statement stays the same for a while."""
    return moment.replace(second=0, microsecond=0)


# ── The list ──────────────────────────────────────────────────────────────────────────────────────


def _tiles(span: str, filters: CaseFilters) -> None:
    bounds = _bounds(span)
    if bounds is None:
        return  # the list says so
    at, start, end = bounds
    (found,) = rows(lake(), alert_queries.case_counts(start, end, filters))
    upto = f"the newest alert, **{clock(at.at)}**" if at.historical else "now"
    st.caption(f"Transactions of the {_SPANS[span][1]} up to {upto}")
    grid = st.grid(5, min_column_width=150, gap="xsmall", key="kpis")
    grid.metric(
        "Alerts", count(found["cases"]), border=True, help="Suspicious transactions, each once."
    )
    grid.metric("High severity", count(found["high"]), border=True)
    grid.metric(
        "By the model",
        count(found["by_model"]),
        border=True,
        help=f"Of them, the rules found {count(found['by_both'])} as well.",
    )
    grid.metric("Cards", count(found["cards"]), border=True, help="Different cards among them.")
    grid.metric(
        "Amount",
        money(found["amount"], cents=False),
        border=True,
        help="What the suspicious transactions add up to, refunds left out.",
    )


def _list(span: str, filters: CaseFilters, chosen: int | None, whose: Mapping[int, str]) -> None:
    bounds = _bounds(span)
    if bounds is None:
        st.html(
            markup.empty_state(
                "No alerts yet",
                "Rules and models raise them as transactions stream in:",
                (
                    ("Start the streaming jobs:", "finlake stream"),
                    ("Let the champion score as well:", "finlake score"),
                ),
            )
        )
        return
    at, start, end = bounds
    shown = st.session_state.setdefault("cases", _FEED)
    found = rows(lake(), alert_queries.cases(start, end, filters, shown + 1))
    if not found:
        st.html(
            markup.empty_state(
                "No alerts here",
                f"None of the {_SPANS[span][1]} matches; choose a longer time or other filters.",
            )
        )
        return
    st.html(alert_markup.cases(found[:shown], at, chosen, _address, whose))
    if chosen is None:
        downloads.offer("alerts", found[:shown], f"Download these {min(len(found), shown)}")
    if len(found) > shown:
        st.button(f"Show {_MORE} more", on_click=_show_more)


def _show_more() -> None:
    st.session_state["cases"] += _MORE


def _address(transaction: int | None) -> str:
    """This page with its filters, and that case up close, if any."""
    asked = [
        (name, value)
        for name in st.query_params
        if name != "case"
        for value in st.query_params.get_all(name)
    ]
    close = [] if transaction is None else [("case", str(transaction))]
    return f"alerts?{urlencode([*asked, *close])}"


# ── The verdict ───────────────────────────────────────────────────────────────────────────────────


def _verdict(transaction: int) -> None:
    found = rows(lake(), alert_queries.case(transaction))
    if not found:
        return  # the case says so
    known: bool | None = found[0]["is_fraud"]
    said: bool | str | None = st.session_state.get(f"verdict {transaction}")
    with st.container(horizontal=True, vertical_alignment="center", key="verdict_box"):
        if not access.may("operator"):
            st.caption("Verdicts are an operator's")
        elif settings().source_review_url is None:
            st.caption("No verdicts from here: FINLAKE_SOURCE_REVIEW_URL is not set")
        else:
            fraud, genuine = partial(_judge, transaction, True), partial(_judge, transaction, False)
            st.button("Confirm fraud", on_click=fraud, type="primary", disabled=known is True)
            st.button("False alarm", on_click=genuine, disabled=known is False)
        if isinstance(said, bool) and said != known:
            st.caption(f"Sent: **{_IN_WORDS[said]}**; it comes back with the next batch")
        elif known is not None:
            st.caption(f"Labelled as **{_IN_WORDS[known]}**; models learn from it")
    if isinstance(said, str):
        st.html(markup.warning("The verdict was not taken", said))


def _judge(transaction: int, fraud: bool) -> None:
    said: bool | str = fraud
    try:
        judge(settings(), transaction, fraud=fraud)
    except FinlakeError as error:
        said = str(error)
    st.session_state[f"verdict {transaction}"] = said


# ── What operators tell each other ────────────────────────────────────────────────────────────────


def _notes(transaction: int) -> None:
    """Comments and who looks into it; read once, and again after each new one."""
    if settings().source_review_url is None or not access.may("operator"):
        return
    st.subheader("Notes", anchor=False)
    try:
        found = notes(settings(), transaction)
    except FinlakeError as error:
        st.html(markup.warning("The notes cannot be read", str(error)))
        return
    whose = next((one.assigned_to for one in reversed(found) if one.assigned_to), None)
    st.caption(f"**{whose}** looks into it" if whose else "Nobody looks into it yet")
    if found:
        st.html(alert_markup.notes(found))
    with st.form("note", clear_on_submit=True):
        author = st.text_input("Your name", st.session_state.get(_AUTHOR, ""), max_chars=NAME)
        assign = st.text_input("Assign to", max_chars=NAME, placeholder="a name, or nobody new")
        comment = st.text_area("Comment", max_chars=LONGEST, height=80)
        sent = st.form_submit_button("Add")
    if sent:
        st.session_state[_AUTHOR] = author
        try:
            note(settings(), transaction, author, comment=comment, assign=assign)
        except FinlakeError as error:
            st.html(markup.warning("The note was not taken", str(error)))
            return
        st.rerun()


# ── One case ──────────────────────────────────────────────────────────────────────────────────────


def _case(transaction: int) -> None:
    found = rows(lake(), alert_queries.case(transaction))
    if not found:
        st.html(
            markup.empty_state(
                f"No transaction {transaction}",
                "It is not in the lake; it may have been deleted in the source.",
            )
        )
        return
    case = found[0]
    st.html(alert_markup.case(case, _address(None)))
    st.subheader("Why", anchor=False)
    st.html(alert_markup.why(case, rows(lake(), alert_queries.case_alerts(transaction))))
    around = rows(
        lake(),
        alert_queries.card_around(
            case["card_id"], case["transaction_ts"], _CARD_BEFORE, _CARD_AFTER
        ),
    )
    st.subheader("The card around it", anchor=False)
    if sum(r["score"] is not None for r in around) > 1:
        st.altair_chart(
            alert_charts.scores(around, transaction, zone_name()),
            alt="Probability of fraud of the card's transactions over time",
            key="card_scores",
        )
    _transactions(around, transaction)


def _transactions(around: list[Row], chosen: int) -> None:
    heads = [(timed("Time"), False), ("Amount", True), ("Where", False), ("What", False)]
    heads += [("Outcome", False), ("Score", True)]
    st.html(
        markup.cells(
            heads,
            [
                (
                    short_clock(r["transaction_ts"]),
                    money(r["amount"]),
                    place(r["merchant_city"], r["merchant_state"]),
                    r["category"] or "–",
                    _outcome(r),
                    chance(r["score"]) if r["score"] is not None else "–",
                )
                for r in around
            ],
            caption=f"Up to {_CARD_BEFORE - 1} transactions before and {_CARD_AFTER} after;"
            " red is the model's alert",
            levels=[
                ("alarm" if r["is_alert"] else "ok")
                + (" fl-this" if r["transaction_id"] == chosen else "")
                for r in around
            ],
        )
    )


def _outcome(row: Row) -> str:
    errors: str = row["errors"] or "Approved"
    return f"Fraud; {errors}" if row["is_fraud"] else errors
