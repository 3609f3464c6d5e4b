"""What is spent on which category, month by month, and what is expected of the months ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import streamlit as st

from dashboard import category_queries, charts, downloads, markup
from dashboard.figures import Measures, rows
from dashboard.frame import accent, empty_lake, heading, lake, live
from dashboard.views import ranking
from dashboard.wording import count, money, share
from finlake.errors import FinlakeError

__all__ = ["show"]

_MOST = 25
_MONTHS = 48

Row = Mapping[str, Any]


def show() -> None:
    """Draw the page."""
    heading("Categories")
    mcc = _category()
    live(partial(_months, mcc))
    st.subheader("By category", anchor=False)
    live(_ranked)
    live(partial(_table, mcc))


def _category() -> int | None:
    try:
        named = {str(r["mcc"]): r["description"] for r in rows(lake(), category_queries.names())}
    except FinlakeError:  # the page itself says what is wrong
        named = {}
    chosen = st.selectbox(
        "Category",
        (category_queries.ALL, *named),
        key="category",
        bind="query-params",
        format_func=lambda mcc: named.get(mcc, "All categories"),
        width=420,
    )
    return int(chosen) if chosen in named else None


def _months(mcc: int | None) -> None:
    found, ahead = _asked(mcc)
    if not found:
        if mcc is None:
            empty_lake()
        else:
            st.html(markup.empty_state("Nothing spent", "This category has no transactions."))
        return
    _tiles(found, ahead)
    st.subheader("Volume by month, and what is expected", anchor=False)
    st.altair_chart(
        charts.months_ahead(
            [(r["month"], r["amount_sum"]) for r in found[-_MONTHS:]],
            [(r["month"], r["value"], r["lo95"], r["hi95"]) for r in ahead],
            accent(),
        ),
        alt="Volume in US dollars by month, and expected spending with a 95 % interval",
        key="months",
    )
    if ahead:
        st.caption(
            f"Expected of {count(ahead[0]['customers'])} customers, from data up to"
            f" {ahead[0]['history_until']:%d %b %Y}: net of refunds, without declined payments."
            " The 95 % interval takes customers as independent; where all change their ways at"
            " once, it is too narrow."
        )
    else:
        st.html(
            markup.empty_state(
                "Nothing is forecast for it",
                "Only categories that a customer uses often enough are; all together always is.",
                (("Make forecasts:", "finlake forecast"),),
            )
        )


def _asked(mcc: int | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The months that were, and those that are expected."""
    code = category_queries.ALL if mcc is None else f"{mcc:04d}"
    found = rows(lake(), category_queries.months(mcc))
    return found, rows(lake(), category_queries.ahead(code)) if found else []


def _tiles(found: Sequence[Row], ahead: Sequence[Row]) -> None:
    last = Measures.of(found[-1])
    grid = st.grid(4, min_column_width=150, gap="xsmall", key="kpis")
    grid.metric(
        f"Volume, {found[-1]['month']:%b %Y}",
        money(last.amount, cents=False),
        border=True,
        help="The newest month with transactions; it may not be over.",
    )
    grid.metric("Transactions", count(last.transactions), border=True)
    grid.metric("Declined", share(last.declined, last.transactions), border=True)
    if ahead:
        first = ahead[0]
        grid.metric(
            f"Expected, {first['month']:%b %Y}",
            money(first["value"], cents=False),
            border=True,
            help=f"{money(first['lo95'], cents=False)} to {money(first['hi95'], cents=False)}",
        )


def _table(mcc: int | None) -> None:
    found, ahead = _asked(mcc)
    if not found:
        return
    with st.expander("All months"):
        heads = [("Month", False), ("Volume", True), ("Transactions", True)]
        heads += [("From", True), ("To", True)]
        lines = [
            (
                f"{r['month']:%b %Y}, expected",
                *(money(r["value"]), "–", money(r["lo95"]), money(r["hi95"])),
            )
            for r in reversed(ahead)
        ]
        lines += [
            (
                f"{r['month']:%b %Y}",
                *(money(r["amount_sum"]), count(int(r["transaction_count"])), "–", "–"),
            )
            for r in reversed(found)
        ]
        st.html(markup.cells(heads, lines, caption="The bounds are those of 19 of 20 cases"))
    left, right = st.columns(2)
    with left:
        downloads.offer("category-months", found, "Download the months")
    with right:
        downloads.offer("category-forecast", ahead, "Download what is expected")


def _ranked() -> None:
    found = rows(lake(), category_queries.months(None))
    if not found:
        return
    month: date = found[-1]["month"]
    before = (month - timedelta(days=1)).replace(day=1)
    listed = rows(lake(), category_queries.ranked(month, before, _MOST))
    heads = [("Category", False), *ranking.HEADS, (f"{before:%b %Y}", True), ("Change", True)]
    st.html(
        markup.cells(
            heads,
            [
                (
                    r["category"],
                    *ranking.cells_of(Measures.of(r)),
                    money(r["before_sum"]),
                    _change(r["amount_sum"], r["before_sum"]),
                )
                for r in listed
            ],
            caption=f"{month:%B %Y}, the newest month with transactions; it may not be over",
        )
    )
    downloads.offer("categories", listed)


def _change(now: Decimal, before: Decimal) -> str:
    return f"{100 * (now - before) / before:+.0f} %" if before > 0 else "–"
