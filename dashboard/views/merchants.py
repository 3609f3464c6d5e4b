"""Merchants by volume, and where the money is spent."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from dashboard import downloads, markup, queries
from dashboard.figures import Measures, rows, slices
from dashboard.frame import heading, lake
from dashboard.views import ranking
from dashboard.wording import place

__all__ = ["show"]


def show() -> None:
    """Draw the page."""
    heading("Merchants")
    ranking.over(ranking.days(), _body)


def _body(since: date) -> None:
    left, right = st.columns([2, 1], gap="medium")
    with left:
        found = rows(lake(), queries.merchants(since, ranking.MOST))
        st.subheader("Largest volume", anchor=False)
        st.html(
            markup.cells(
                [("Merchant", False), ("Where", False), ("What", False), *ranking.HEADS],
                [
                    (
                        str(r["merchant_id"]),
                        _where(r),
                        r["category"] or "–",
                        *ranking.cells_of(Measures.of(r)),
                    )
                    for r in found
                ],
                caption=f"The {len(found)} merchants with the largest volume",
            )
        )
        downloads.offer("merchants", found)
    with right:
        st.subheader("By state or country", anchor=False)
        st.html(markup.bars(slices(rows(lake(), queries.volume_by_state(since)), "state", 12)))


def _where(row: dict[str, Any]) -> str:
    if not row["places"]:
        return "–"
    more = f" and {row['places'] - 1} more" if row["places"] > 1 else ""
    return place(row["merchant_city"], row["merchant_state"]) + more
