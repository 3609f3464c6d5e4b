"""Customers by volume, and one customer up close; people are numbers here, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import streamlit as st

from dashboard import access, charts, downloads, markup, queries
from dashboard.figures import Measures, rows
from dashboard.frame import accent, heading, lake
from dashboard.queries import Filters
from dashboard.views import ranking
from dashboard.wording import count, masked, money, place, share, short_clock, timed

__all__ = ["show"]

_NEWEST = 15
_CATEGORIES = 5


def show() -> None:
    """Draw the page."""
    heading("Customers")
    with st.container(horizontal=True, vertical_alignment="center", key="controls"):
        back = ranking.days()
        entered = st.text_input(
            "Customer number",
            key="who",
            bind="query-params",
            placeholder="Customer number",
            icon=":material/search:",
            label_visibility="collapsed",
            width=220,
        )
    number = (entered or "").strip()
    if not number:
        ranking.over(back, _all)
    elif number.isdigit() and len(number) < 10:
        ranking.over(back, partial(_one, int(number)))
    else:
        st.html(markup.empty_state("No such customer", "A customer number has digits alone."))


def _all(since: date) -> None:
    found = rows(lake(), queries.customers(since, ranking.MOST))
    st.html(
        markup.cells(
            [("Customer", False), *ranking.HEADS, ("Alerts", True)],
            [
                (
                    markup.customer_link(r["user_id"]),
                    *ranking.cells_of(Measures.of(r)),
                    count(int(r["alerts"])),
                )
                for r in found
            ],
            caption=f"The {len(found)} customers with the largest volume",
        )
    )
    downloads.offer("customers", found)


def _one(customer: int, since: date) -> None:
    days = {r["date"]: Measures.of(r) for r in rows(lake(), queries.customer_days(customer, since))}
    if not days:
        st.html(
            markup.empty_state(
                f"No transactions of customer {customer}",
                "There are none in these days; choose more days or another number.",
            )
        )
        return
    total = sum(days.values(), Measures())
    grid = st.grid(4, min_column_width=150, gap="xsmall", key="kpis")
    grid.metric("Transactions", count(total.transactions), border=True)
    grid.metric("Volume", money(total.amount, cents=False), border=True)
    declined = f"{count(total.declined)} ({share(total.declined, total.transactions)})"
    grid.metric("Declined", declined, border=True)
    grid.metric("Fraud", count(total.fraud), border=True)

    st.subheader("Volume per day", anchor=False)
    last = max(days)
    points = [
        (_midnight(since + timedelta(days=n)), days.get(since + timedelta(days=n), Measures()))
        for n in range((last - since).days + 1)
    ]
    st.altair_chart(
        charts.volume_bars(points, timedelta(days=1), accent()), alt="Volume in US dollars per day"
    )
    _forecast(customer)
    left, right = st.columns([2, 1], gap="medium")
    with left:
        _transactions(customer)
    with right:
        _cards(customer)
        _alerts(customer, since, last)


def _forecast(customer: int) -> None:
    st.subheader("Spending ahead", anchor=False)
    days = rows(lake(), queries.customer_forecast(customer, "day"))
    months = rows(lake(), queries.customer_forecast(customer, "month"))
    if not days and not months:
        st.html(
            markup.empty_state(
                "Nothing is forecast",
                "Forecasts are made for all customers at once, by a timer:",
                (("Make them:", "finlake forecast"),),
            )
        )
        return
    left, right = st.columns([2, 1], gap="medium")
    with left:
        _days_ahead(days)
    with right:
        _months_ahead(months)
        _categories_ahead(customer)


def _days_ahead(days: Sequence[Mapping[str, Any]]) -> None:
    known = [r for r in days if r["value"] is not None]
    if not known:
        st.caption(f"No days are forecast: {days[0]['reason']}" if days else "No days are forecast")
        return
    total = sum((r["value"] for r in known), Decimal(0))
    first = known[0]
    tested = first["backtest_coverage"] is not None
    band = "19 of 20 days should end within the band" if tested else "the band is the range so far"
    st.caption(
        f"**{money(total, cents=False)}** expected in the {len(known)} days after"
        f" {first['history_until']:%d %b %Y}, net of refunds and without declined payments; {band}"
    )
    points = [(_midnight(r["forecast_date"]), r["value"], r["lo95"], r["hi95"]) for r in known]
    st.altair_chart(
        charts.forecast_band(points, accent()),
        alt="Expected spending per day in US dollars with a 95 % interval",
    )
    st.caption(f"How: {first['reason']}")


def _months_ahead(months: Sequence[Mapping[str, Any]]) -> None:
    known = [r for r in months if r["value"] is not None]
    if known:
        st.html(
            markup.cells(
                [("Month", False), ("Expected", True), ("In 19 of 20 cases", True)],
                [
                    (
                        f"{r['forecast_date']:%b %Y}",
                        money(r["value"], cents=False),
                        f"{money(r['lo95'], cents=False)} to {money(r['hi95'], cents=False)}",
                    )
                    for r in known
                ],
                caption="Whole months, forecast on their own",
            )
        )


def _categories_ahead(customer: int) -> None:
    found = rows(lake(), queries.customer_forecast_categories(customer, _CATEGORIES))
    if found:
        st.html(
            markup.cells(
                [("What for", False), ("Expected", True)],
                [(r["category"], money(r["value"], cents=False)) for r in found],
                caption="Of these days, categories with enough history; they need not add up",
            )
        )


def _transactions(customer: int) -> None:
    st.subheader("Newest transactions", anchor=False)
    found = rows(lake(), queries.customer_transactions(customer, _NEWEST))
    st.html(
        markup.cells(
            [
                (timed("Time"), False),
                ("Amount", True),
                ("Card", False),
                ("Where", False),
                ("What", False),
                ("Outcome", False),
            ],
            [
                (
                    short_clock(r["transaction_ts"]),
                    money(r["amount"]),
                    masked(r["card_last4"]),
                    place(r["merchant_city"], r["merchant_state"]),
                    r["category"] or "–",
                    _outcome(r),
                )
                for r in found
            ],
            caption="The newest first",
        )
    )
    downloads.offer("customer-transactions", found)


def _outcome(row: Mapping[str, Any]) -> str:
    errors: str = row["errors"] or "Approved"
    return f"Fraud; {errors}" if row["is_fraud"] else errors


def _cards(customer: int) -> None:
    st.subheader("Cards", anchor=False)
    st.html(
        markup.cells(
            [("Card", False), ("Brand", False), ("Type", False), ("Expires", False)],
            [
                (
                    masked(r["card_last4"]),
                    r["card_brand"],
                    r["card_type"],
                    access.seen("gold.dim_card", "expires", r["expires"]) or "–",
                )
                for r in rows(lake(), queries.customer_cards(customer))
            ],
            caption="By their last four digits",
        )
    )


def _alerts(customer: int, since: date, last: date) -> None:
    st.subheader("Alerts", anchor=False)
    end = _midnight(last + timedelta(days=1))
    found = rows(
        lake(),
        queries.alert_feed(_midnight(since), end, Filters(customer=customer), _NEWEST),
    )
    if found:
        st.html(markup.alert_list(found, None))
    else:
        st.html(markup.empty_state("No alerts", "No rule was broken in these days."))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
