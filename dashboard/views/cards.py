"""Cards by kind, and the cards with the most alerts; a card is its last four digits here."""

from __future__ import annotations

from datetime import date

import streamlit as st

from dashboard import downloads, markup, queries
from dashboard.figures import Measures, rows, slices
from dashboard.frame import heading, lake
from dashboard.views import ranking
from dashboard.wording import count, masked

__all__ = ["show"]


def show() -> None:
    """Draw the page."""
    heading("Cards")
    ranking.over(ranking.days(), _body)


def _body(since: date) -> None:
    left, right = st.columns([2, 1], gap="medium")
    with left:
        found = rows(lake(), queries.cards(since, ranking.MOST))
        st.subheader("Most alerts", anchor=False)
        heads = [("Card", False), ("Kind", False), ("Customer", True), *ranking.HEADS]
        st.html(
            markup.cells(
                [*heads, ("Alerts", True)],
                [
                    (
                        masked(r["card_last4"]),
                        f"{r['card_brand'] or 'Unknown'} {(r['card_type'] or '').lower()}",
                        markup.customer_link(r["user_id"]) if r["user_id"] is not None else "–",
                        *ranking.cells_of(Measures.of(r)),
                        count(int(r["alerts"])),
                    )
                    for r in found
                ],
                caption="Cards with the most alerts, then by volume",
            )
        )
        downloads.offer("cards", found)
    with right:
        st.subheader("By kind", anchor=False)
        st.html(markup.bars(slices(rows(lake(), queries.card_kinds(since)), "kind", 10)))
