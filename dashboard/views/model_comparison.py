"""Champion against challenger, as labels arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import markup, model_charts, model_markup, model_queries
from dashboard.comparing import precision, verdict
from dashboard.figures import rows
from dashboard.frame import lake, now
from dashboard.wording import ago, count, share
from finlake.errors import FinlakeError

__all__ = ["chosen_pair", "show"]

Row = dict[str, Any]


def chosen_pair() -> tuple[int, int] | None:
    """What the reader chose among several pairs; the newest unless said otherwise."""
    try:
        pairs = rows(lake(), model_queries.comparison_pairs())
    except FinlakeError:  # the page itself says what is wrong
        return None
    names = {
        f"{r['champion_version']} against {r['challenger_version']}": (
            r["champion_version"],
            r["challenger_version"],
        )
        for r in pairs
    }
    if len(names) < 2:
        return next(iter(names.values()), None)
    chosen = st.selectbox(
        "Champion and challenger, by version",
        tuple(names),
        key="versions",
        bind="query-params",
        width=260,
    )
    return names[chosen]


def show(chosen: tuple[int, int] | None) -> None:
    """Draw the part, for that champion and challenger or the newest pair."""
    pairs = rows(lake(), model_queries.comparison_pairs())
    if not pairs:
        st.html(
            markup.empty_state(
                "Nothing to compare yet",
                "A challenger scores every transaction in shadow; what both said is compared as"
                " labels arrive, every five minutes while scores are made:",
                (("Train a challenger:", "finlake train"), ("Score:", "finlake score")),
            )
        )
        return
    sums = next(
        (r for r in pairs if (r["champion_version"], r["challenger_version"]) == chosen), pairs[0]
    )
    champion, challenger = sums["champion_version"], sums["challenger_version"]
    days = rows(lake(), model_queries.comparison_days(champion, challenger))
    st.caption(
        f"Version {challenger}, the challenger, against version {champion}, the champion:"
        f" transactions of {sums['first']:%d %b %Y} to {sums['last']:%d %b %Y}; compared"
        f" {ago(sums['compared_at'], now())}"
    )
    st.html(model_markup.verdict(verdict(sums)))
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _side_by_side(sums, days)
    with right:
        if sums["only_champion"] + sums["only_challenger"]:
            st.markdown("**Transactions that one alone judged rightly**, running total")
            st.altair_chart(
                model_charts.running_lines(days),
                alt="Running totals of transactions judged rightly by one model alone",
                key="running",
            )
    st.caption(
        "Rightly means an alarm for a fraud and none for a genuine transaction. The test is looked"
        " at again and again as labels come, which makes a chance find likelier: who serves is"
        " decided by the gate of `finlake promote`."
    )


def _side_by_side(sums: Row, days: Sequence[Row]) -> None:
    lines = [
        ("Alerts", count(sums["champion_alerts"]), count(sums["challenger_alerts"])),
        (
            f"Caught, of {count(sums['frauds'])} known frauds",
            *(
                f"{count(sums[f'{who}_caught'])} ({share(sums[f'{who}_caught'], sums['frauds'])})"
                for who in ("champion", "challenger")
            ),
        ),
        (
            "Average precision, mean of days",
            *(_precision(days, who) for who in ("champion", "challenger")),
        ),
        ("Alone judged rightly", count(sums["only_champion"]), count(sums["only_challenger"])),
    ]
    champion, challenger = sums["champion_version"], sums["challenger_version"]
    heads = [("Figure", False), (f"Champion {champion}", True), (f"Challenger {challenger}", True)]
    caption = "Alerts of all transactions, the rest of those with a label"
    st.html(markup.cells(heads, lines, caption=caption))


def _precision(days: Sequence[Row], who: str) -> str:
    found = precision(days, who)
    return "–" if found is None else f"{found:.3f}"
