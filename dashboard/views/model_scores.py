"""What the models say of the transactions: how fresh, how many, how likely, and the alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard import markup, model_charts, model_markup, model_queries
from dashboard.figures import rows
from dashboard.frame import lake, now
from dashboard.period import MINUTE, Anchor, anchor
from dashboard.wording import ago, clock, count, duration, share

__all__ = ["SPANS", "show"]

SPANS = {"24 h": timedelta(days=1), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}
_IN_WORDS = {"24 h": "24 hours", "7 d": "7 days", "30 d": "30 days"}
_BANDS = ("critical", "high", "medium", "low")
_NEWEST = 8

Row = dict[str, Any]


def show(span: str) -> None:
    """Draw the part, over the transactions of that span of ``SPANS``."""
    last = rows(lake(), model_queries.last_score())
    if not last:
        st.html(
            markup.empty_state(
                "No scores yet",
                "Each transaction gets one as it streams in, once this runs:",
                (("Score what streams in:", "finlake score"),),
            )
        )
        return
    (newest,) = rows(lake(), model_queries.newest_scored())
    at = anchor(now(), _minute(newest["transaction_ts"]))
    start = at.at - SPANS[span]
    end = at.at + MINUTE
    found = rows(lake(), model_queries.scores(_minute(start), _minute(end)))
    st.caption(_span_in_words(span, at))
    _tiles(last[0], newest["transaction_ts"], found)
    if last[0]["note"]:
        st.html(markup.warning("The last transaction got no score", last[0]["note"]))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _distribution(found)
    with right:
        _bands(found)
    _alerts(_minute(start), _minute(end))


def _minute(moment: datetime) -> datetime:
    """The minute it lies in, so that a statement stays the same for a while."""
    return moment.replace(second=0, microsecond=0)


def _span_in_words(span: str, at: Anchor) -> str:
    upto = f"the newest scored transaction, **{clock(at.at)}**" if at.historical else "now"
    return f"Transactions of the {_IN_WORDS[span]} up to {upto}"


def _tiles(last: Row, scored: datetime, found: Sequence[Row]) -> None:
    (newest,) = rows(lake(), model_queries.newest_transaction()) or [{"transaction_ts": scored}]
    behind = max(timedelta(0), newest["transaction_ts"] - scored)
    total = _number(found)
    alerts = sum(_of_band(found, band) for band in ("high", "critical"))
    unscored = sum(r["transactions"] for r in found if r["bin"] is None)
    grid = st.grid(5, min_column_width=150, gap="xsmall", key="kpis")
    grid.metric(
        "Last score",
        ago(last["scored_at"], now()),
        border=True,
        help=f"Made at {clock(last['scored_at'])} by"
        + (f" version {last['model_version']}." if last["model_version"] else " no model."),
    )
    grid.metric(
        "Behind",
        duration(behind.total_seconds() * 1000) if behind else "nothing",
        border=True,
        help="How much newer the newest transaction is than the newest that has a score.",
    )
    grid.metric("Scored", count(total - unscored), border=True, help="Transactions with a score.")
    grid.metric(
        "Alerts",
        f"{count(alerts)} ({share(alerts, total)})",
        border=True,
        help="Transactions at or above the champion's threshold: bands high and critical.",
    )
    grid.metric(
        "Without score",
        count(unscored),
        border=True,
        help="No champion, or one that failed; the rules judged them all the same.",
    )


def _number(found: Sequence[Row]) -> int:
    return sum(r["transactions"] for r in found)


def _of_band(found: Sequence[Row], band: str) -> int:
    return sum(r["transactions"] for r in found if r["band"] == band)


def _distribution(found: Sequence[Row]) -> None:
    counts = {
        name: [
            sum(r["transactions"] for r in found if r[column] == place)
            for place in range(len(model_queries.EDGES) + 1)
        ]
        for name, column in (("Champion", "bin"), ("Challenger", "challenger_bin"))
    }
    counts = {name: numbers for name, numbers in counts.items() if any(numbers)}
    st.markdown("**How likely the transactions are frauds**; each line up is ten times as many")
    if counts:
        st.altair_chart(
            model_charts.score_bars(counts),
            alt="Number of transactions by probability of fraud, champion and challenger",
            key="scores",
        )
    else:
        st.html(markup.empty_state("No scores in this time", "Choose a longer one."))


def _bands(found: Sequence[Row]) -> None:
    st.markdown("**By band**")
    total = _number(found)
    shadow = sum(r["transactions"] for r in found if r["challenger_alert"])
    compared = sum(r["transactions"] for r in found if r["challenger_bin"] is not None)
    lines = [
        (
            band.capitalize(),
            "alert" if band in ("critical", "high") else "–",
            count(_of_band(found, band)),
            share(_of_band(found, band), total),
        )
        for band in _BANDS
    ]
    st.html(
        markup.cells(
            [("Band", False), ("Means", False), ("Transactions", True), ("Share", True)],
            lines,
            caption="Bands follow from the champion's threshold",
        )
    )
    if compared:
        st.caption(
            f"The challenger would have raised {count(shadow)} alerts on the {count(compared)}"
            " transactions that it scored in shadow"
        )


def _alerts(start: datetime, end: datetime) -> None:
    found = rows(lake(), model_queries.model_alerts(start, end, _NEWEST))
    if not found:
        return
    with st.expander(f"The newest {len(found)} alerts of the champion"):
        st.html(model_markup.alert_list(found))
