"""Reports, categories by month, and downloads: statements against a recount, and the pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import streamlit as st

from batch_jobs.report import REPORTS, make
from dashboard import category_queries, downloads, report_queries
from dashboard.figures import rows
from infra.lake.query import Query
from tests.browser.gold import World, build
from tests.unit.dashboard_pages import opened, said

UNTIL = datetime(2019, 10, 31, 23, 58, 30, tzinfo=UTC)
DAY = date(2019, 10, 30)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = build(tmp_path_factory.mktemp("reports"), UNTIL, number=400)
    ahead = [
        ("all", 800, 10, 7, 20),
        ("all", 801, 5, 1, 6),
        ("5411", 800, 3, 2, 4),
        ("5411", 801, None, None, None),
    ]
    found.write(
        "forecasts",
        [
            {
                "user_id": user,
                "category": category,
                "period": "month",
                "forecast_date": date(2019, 11, 1),
                "value": value and Decimal(value),
                "lo95": low and Decimal(low),
                "hi95": high and Decimal(high),
                "method": "none" if value is None else "mean",
                "reason": "for a test",
                "history_until": date(2019, 10, 31),
                "made_at": UNTIL,
                "transactions_version": 1,
                "users_version": -1,
            }
            for category, user, value, low, high in ahead
        ],
    )
    return found


@pytest.fixture(scope="module")
def lake(world: World) -> Query:
    return Query(world.settings)


# ── statements ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mcc", [None, 5411])
def test_months_of_a_category_are_its_transactions_added_up(world: World, lake: Query, mcc: Any):
    sums: dict[date, list[Decimal]] = {}
    for row in world.transactions:
        if mcc in (None, row["mcc"]):
            month = row["transaction_ts"].date().replace(day=1)
            sums.setdefault(month, []).append(row["amount"])
    found = rows(lake, category_queries.months(mcc))
    assert [(r["month"], r["amount_sum"], r["transaction_count"]) for r in found] == [
        (month, sum(amounts), len(amounts)) for month, amounts in sorted(sums.items())
    ]


def test_what_is_expected_is_added_up_over_customers_who_have_a_forecast(lake: Query):
    (found,) = rows(lake, category_queries.ahead("all"))
    assert (found["value"], found["customers"]) == (15, 2)
    assert (found["lo95"], found["hi95"]) == (Decimal(10), Decimal("25.05"))
    (grocer,) = rows(lake, category_queries.ahead("5411"))
    assert (grocer["value"], grocer["customers"]) == (3, 1)
    assert rows(lake, category_queries.ahead("0000")) == []


def test_categories_are_ranked_by_a_month_with_the_month_before(world: World, lake: Query):
    months = [r["month"] for r in rows(lake, category_queries.months(None))]
    month, before = months[-1], date(2019, 9, 1)
    found = rows(lake, category_queries.ranked(month, before, 3))
    sums: dict[tuple[date, int], Decimal] = {}
    for row in world.transactions:
        key = row["transaction_ts"].date().replace(day=1), row["mcc"]
        sums[key] = sums.get(key, Decimal(0)) + row["amount"]
    of_month = sorted(((v, m) for (d, m), v in sums.items() if d == month), key=lambda p: -p[0])
    assert [(r["amount_sum"], r["mcc"]) for r in found] == of_month[:3]
    assert [r["before_sum"] for r in found] == [
        sums.get((before, r["mcc"]), Decimal(0)) for r in found
    ]


# ── downloads ────────────────────────────────────────────────────────────────────────────────────


def test_a_download_has_every_row_with_its_values():
    table: list[dict[str, Any]] = [
        {"name": "=1+1", "amount": Decimal("1.50"), "rules": ["a", "b"], "at": UNTIL},
        {"name": "plain", "amount": None, "rules": [], "at": UNTIL},
    ]
    read = list(csv.DictReader(io.StringIO(downloads.as_csv(table).decode())))
    assert [r["name"] for r in read] == ["'=1+1", "plain"]
    assert [r["amount"] for r in read] == ["1.50", ""]
    assert read[0]["rules"] == "a, b"
    kept = pq.read_table(io.BytesIO(downloads.as_parquet(table))).to_pylist()
    assert kept == table


# ── the pages ────────────────────────────────────────────────────────────────────────────────────


def _reports() -> None:
    from dashboard.views import reports

    reports.show()


def _categories() -> None:
    from dashboard.views import categories

    categories.show()


def page(
    show: Callable[[], None],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    role: str = "operator",
    **asked: str,
) -> Any:
    monkeypatch.setenv("FINLAKE_HOME", str(home))
    monkeypatch.setenv("FINLAKE_DASHBOARD_ROLE", role)
    st.cache_resource.clear()
    return opened(show, **asked)


def labels(app: Any) -> list[str]:
    return [element.proto.label for element in app.get("download_button")]


def test_a_report_is_made_by_an_operator_and_every_edition_stays_to_be_seen(world, monkeypatch):
    home, name = world.settings.home, "large-transactions"
    asked = {"report": "Large transactions", "day": str(DAY)}
    app = page(_reports, home, monkeypatch, **asked)
    assert "Large transactions of 30 Oct 2019 was not made" in said(app)
    (button,) = (b for b in app.button if b.label == "Make it")
    button.click().run()
    shown = said(app)
    assert "Large transactions of 30 Oct 2019: edition 1" in shown
    (edition,) = rows(Query(world.settings), report_queries.edition(name, DAY))
    assert edition["sha256"][:16] in shown
    assert f"{edition['lines']} lines" in shown
    assert labels(app)[:2] == ["CSV", "PDF"]
    assert make(world.settings, name, DAY).edition == 1, "the page made the same as the command"


def test_an_analyst_sees_no_customer_and_takes_no_whole_report_away(world, monkeypatch):
    home = world.settings.home
    for name in REPORTS:
        make(world.settings, name, DAY)
    whole = [r["alert_id"] for r in world.alerts if r["transaction_ts"].date() == DAY]
    assert whole
    for role, sees in (("analyst", False), ("operator", True)):
        app = page(_reports, home, monkeypatch, role, report="Suspicious activity", day=str(DAY))
        assert "whole report has numbers of customers" in said(app) or sees
        assert ("***" in said(app)) is not sees
        assert (labels(app)[:2] == ["CSV", "PDF"]) is sees
        assert any(b.label == "Make it" for b in app.button) is sees
    totals = page(_reports, home, monkeypatch, "analyst", report="Daily totals", day=str(DAY))
    assert labels(totals)[:2] == ["CSV", "PDF"]


def test_categories_show_months_what_is_expected_and_the_ranking(world, monkeypatch):
    app = page(_categories, world.settings.home, monkeypatch)
    shown = said(app)
    assert "Expected, Nov 2019 $15" in shown
    assert "Expected of 2 customers" in shown
    assert "October 2019, the newest month" in shown
    grocer = page(
        _categories, world.settings.home, monkeypatch, category="Grocery Stores, Supermarkets"
    )
    assert "Expected, Nov 2019 $3" in said(grocer)
    other = page(_categories, world.settings.home, monkeypatch, category="Book Stores")
    assert "Nothing is forecast for it" in said(other)
    assert {"CSV", "Parquet"} <= set(labels(other))


@pytest.mark.parametrize("show", [_reports, _categories])
def test_an_empty_lake_says_what_to_do(show, tmp_path, monkeypatch):
    assert "No transactions yet" in said(page(show, tmp_path, monkeypatch))
