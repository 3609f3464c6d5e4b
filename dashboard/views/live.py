"""The first page: what happens now, and what looks wrong."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from dashboard import charts, downloads, markup, queries
from dashboard.figures import (
    AlertFigures,
    Figures,
    alert_figures,
    extent,
    rows,
    slices,
    transaction_figures,
)
from dashboard.frame import accent, empty_lake, heading, lake, live, now
from dashboard.period import WINDOWS, Anchor, Period, Window, anchor, period
from dashboard.queries import Filters
from dashboard.wording import change, clock, count, money, share
from dashboard.zones import zone_name
from finlake.errors import FinlakeError

__all__ = ["show"]

_FEED, _MORE = 12, 25
_CATEGORIES = 8
_IN_WORDS: dict[Window, str] = {
    "15 min": "15 minutes",
    "1 h": "hour",
    "24 h": "24 hours",
    "7 d": "7 days",
}
_FOLLOW = {
    "Automatic": "the clock, or the newest transaction when that is over a day old",
    "Newest transaction": "the newest transaction, whatever its age",
}


def show() -> None:
    """Draw the page."""
    heading("Live")
    window, follow_newest, filters = _controls()
    live(lambda: _figures(window, follow_newest, filters))


def _controls() -> tuple[Window, bool, Filters]:
    with st.container(horizontal=True, vertical_alignment="center", key="controls"):
        window = st.segmented_control(
            "Window",
            WINDOWS,
            default="1 h",
            required=True,
            key="window",
            bind="query-params",
            label_visibility="collapsed",
        )
        chosen = _chosen()
        label = f"Filters ({chosen})" if chosen else "Filters"
        with st.popover(label, icon=":material/tune:"):
            follow, filters = _filters()
    return window, follow == "Newest transaction", filters


def _chosen() -> int:
    names = ("severities", "rules", "channels", "states", "customer")
    # What the address of a new page says is in the session only when its control is drawn.
    return sum(1 for name in names if st.session_state.get(name, st.query_params.get(name)))


def _filters() -> tuple[str, Filters]:
    try:
        states = tuple(r["state"] for r in rows(lake(), queries.states()))
        rules = tuple(r["rule"] for r in rows(lake(), queries.alert_rules()))
    except FinlakeError:  # the page itself says what is wrong
        states = rules = ()
    severities = st.pills(
        "Alert severity",
        ("high", "medium", "low"),
        selection_mode="multi",
        key="severities",
        bind="query-params",
    )
    chosen_rules = st.multiselect(
        "Alert rule",
        rules,
        key="rules",
        bind="query-params",
        format_func=lambda r: r.replace("_", " "),
    )
    channels = st.pills(
        "Channel",
        ("Swipe", "Chip", "Online"),
        selection_mode="multi",
        key="channels",
        bind="query-params",
    )
    chosen_states = st.multiselect("State or country", states, key="states", bind="query-params")
    customer = st.text_input(
        "Customer number", key="customer", bind="query-params", placeholder="for example 825"
    )
    follow = st.radio(
        "Time runs up to",
        tuple(_FOLLOW),
        captions=tuple(_FOLLOW.values()),
        key="follow",
        bind="query-params",
    )
    number: int | None = None
    if customer.strip():
        if customer.strip().isdigit():
            number = int(customer)
        else:
            st.caption(":red[A customer number has digits alone; the filter is off.]")
    return follow, Filters(
        channels=tuple(channels),
        states=tuple(chosen_states),
        customer=number,
        severities=tuple(severities),
        rules=tuple(chosen_rules),
    )


def _figures(window: Window, follow_newest: bool, filters: Filters) -> None:
    found = extent(lake())
    if found is None:
        empty_lake()
        return
    oldest, newest = found
    at = anchor(now(), newest, follow_newest=follow_newest)
    span = period(window, at, oldest, newest)
    figures = transaction_figures(lake(), span, filters)
    alerts = alert_figures(lake(), span, filters)

    st.caption(_span_in_words(window, at, span))
    _kpis(span, figures, alerts)
    if not figures.total.transactions:
        _nothing_here(window, newest, filters)
    else:
        st.subheader(f"Volume per {_step_in_words(span)}", anchor=False)
        st.altair_chart(
            charts.volume_bars(figures.points, span.step, accent(), zone_name()),
            alt="Volume in US dollars over time",
            key="volume",
        )
    feed, parts = st.columns([3, 2], gap="medium")
    with feed:
        _feed(span, at, filters, alerts)
    if figures.total.transactions:
        with parts:
            _parts(window, span, filters)


def _span_in_words(window: Window, at: Anchor, span: Period) -> str:
    if window == "All":
        return f"Everything: {clock(span.start)} to {clock(span.end)}"
    upto = f"as of the newest transaction, **{clock(at.at)}**" if at.historical else "up to now"
    length = _IN_WORDS[window]
    return f"The last {length} {upto}; changes are against the {length} before"


def _step_in_words(span: Period) -> str:
    minutes = int(span.step.total_seconds()) // 60
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            number = minutes // size
            return unit if number == 1 else f"{number} {unit}s"
    raise AssertionError("steps are whole minutes")


def _kpis(span: Period, figures: Figures, alerts: AlertFigures) -> None:
    total, before, scale = figures.total, figures.before, span.covered
    points = [measures for _, measures in figures.points]

    def tile(
        label: str, value: str, then: float, this: float, line: list[float], colour: str, note: str
    ) -> None:
        delta = change(this, then * scale)
        grid.metric(
            label,
            value,
            delta,
            delta_color=colour,  # type: ignore[arg-type]
            chart_data=line,
            chart_type="area",
            border=True,
            height="stretch",
            help=note,
        )

    grid = st.grid(5, min_column_width=150, gap="xsmall", key="kpis")
    tile(
        "Transactions",
        count(total.transactions),
        before.transactions,
        total.transactions,
        [p.transactions for p in points],
        "primary",
        "All transactions, declined ones too.",
    )
    tile(
        "Volume",
        money(total.amount, cents=False),
        float(before.amount),
        float(total.amount),
        [float(p.amount) for p in points],
        "blue",
        f"Sum of amounts, refunds taken off: {money(total.amount)}",
    )
    tile(
        "Declined",
        count(total.declined),
        before.declined,
        total.declined,
        [p.declined for p in points],
        "orange",
        f"{share(total.declined, total.transactions)} of the transactions.",
    )
    tile(
        "Fraud",
        count(total.fraud),
        before.fraud,
        total.fraud,
        [p.fraud for p in points],
        "red",
        f"Labelled as fraud: {share(total.fraud, total.labelled)} of the"
        f" {count(total.labelled)} that have a label; labels arrive late.",
    )
    tile(
        "Alerts",
        count(alerts.total),
        alerts.before,
        alerts.total,
        [float(number) for number in alerts.points],
        "violet",
        f"{count(alerts.high)} of high severity.",
    )


def _nothing_here(window: Window, newest: datetime, filters: Filters) -> None:
    what = "that match the filters " if filters.narrow_transactions else ""
    st.html(
        markup.empty_state(
            f"No transactions in the last {_IN_WORDS[window]}" if window in _IN_WORDS else "None",
            f"There are none {what}in this window; the newest of all is of {clock(newest)}."
            " Choose a longer window, change the filters, or start traffic:",
            (("Live traffic:", "finlake traffic --rate 50 --seconds 600"),),
        )
    )


def _feed(span: Period, at: Anchor, filters: Filters, alerts: AlertFigures) -> None:
    st.subheader("Alerts", anchor=False)
    if not alerts.total:
        st.html(markup.empty_state("No alerts", "No rule was broken in this window."))
        return
    shown = st.session_state.setdefault("feed", _FEED)
    newest = rows(lake(), queries.alert_feed(span.start, span.end, filters, shown))
    if alerts.total > len(newest):
        st.caption(f"The newest {count(len(newest))} of {count(alerts.total)}")
    st.html(markup.alert_list(newest, at))
    downloads.offer("live-alerts", newest)
    if alerts.total > len(newest):
        st.button(f"Show {_MORE} more", on_click=_show_more)


def _show_more() -> None:
    st.session_state["feed"] += _MORE


def _parts(window: Window, span: Period, filters: Filters) -> None:
    st.subheader("By category", anchor=False)
    categories = rows(lake(), queries.by_category(span, filters, everything=window == "All"))
    st.html(markup.bars(slices(categories, "category", _CATEGORIES)))
    downloads.offer("live-categories", categories)
    st.subheader("By channel", anchor=False)
    st.html(
        markup.bars(
            slices(
                rows(lake(), queries.by_channel(span, filters, everything=window == "All")),
                "channel",
                5,
            )
        )
    )
