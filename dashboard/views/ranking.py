"""What the pages of customers, cards and merchants share: days to look back, and table columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import streamlit as st

from dashboard.figures import Measures, extent
from dashboard.frame import empty_lake, lake, live
from dashboard.wording import count, money, share

__all__ = ["HEADS", "MOST", "cells_of", "days", "over"]

MOST = 20
HEADS = [
    ("Transactions", True),
    ("Volume", True),
    ("Declined", True),
    ("Fraud", True),
]
_DAYS = {"7 d": 7, "30 d": 30, "1 y": 365, "All": None}


def days() -> int | None:
    """The control that chooses how many days to look back; None is all of them."""
    window = st.segmented_control(
        "Days",
        tuple(_DAYS),
        default="30 d",
        required=True,
        key="days",
        bind="query-params",
        label_visibility="collapsed",
    )
    return _DAYS[window]


def over(back: int | None, show: Callable[[date], None]) -> None:
    """Draw what ``show`` draws over the days up to the newest transaction's; it gets the first."""
    live(lambda: _shown(back, show))


def _shown(back: int | None, show: Callable[[date], None]) -> None:
    found = extent(lake())
    if found is None:
        empty_lake()
        return
    oldest, newest = (moment.date() for moment in found)
    since = oldest if back is None else max(oldest, newest - timedelta(days=back - 1))
    st.caption(f"{since:%d %b %Y} to {newest:%d %b %Y}, the newest day with transactions")
    show(since)


def cells_of(measures: Measures) -> tuple[str, ...]:
    """The cells under ``HEADS``."""
    return (
        count(measures.transactions),
        money(measures.amount),
        share(measures.declined, measures.transactions),
        count(measures.fraud),
    )
