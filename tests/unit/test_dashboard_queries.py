"""Every statement of the dashboard, against a recount in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import figures, queries
from dashboard.period import WINDOWS, Anchor, Period, period
from dashboard.queries import Filters
from infra.lake.query import Query
from infra.settings import load_settings
from lakehouse_schemas import contracts
from tests.browser.gold import REASONS, Row, World, alert, build, transaction

END = datetime(2019, 10, 31, 23, 59, tzinfo=UTC)
OLDEST = END - timedelta(days=20)


class ArrowLake:
    """The query interface over gold tables in memory; tables not given are empty."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("CREATE SCHEMA gold")
        for contract in contracts.layer("gold"):
            data = pa.Table.from_pylist(
                tables.get(contract.name, []),
                schema=pa.schema([pa.field(f.name, f.type) for f in contract.arrow_schema()]),
            )
            self._connection.register(f"_{contract.name}", data)
            self._connection.execute(
                f"CREATE VIEW gold.{contract.name} AS SELECT * FROM _{contract.name}"
            )

    def query(
        self, sql: str, params: Sequence[object] = (), timeout_s: float | None = None
    ) -> pa.Table:
        return self._connection.sql(sql, params=list(params)).to_arrow_table()


def window_of(name: Any) -> Period:
    newest = END - timedelta(minutes=1)
    return period(name, Anchor(END, historical=True), OLDEST, newest)


def some_transactions(seed: int, number: int) -> list[Row]:
    rng = Random(seed)
    moments = (END - timedelta(seconds=1 + rng.random() ** 5 * 86_400 * 19) for _ in range(number))
    return [transaction(n, moment, rng) for n, moment in enumerate(moments)]


def partials(rows: list[Row], rng: Random) -> list[Row]:
    """Minute partials of one row each, and corrections that take something back."""
    found = []
    for row in rows:
        one: Row = {
            "minute": row["transaction_ts"].replace(second=0, microsecond=0),
            "transaction_count": 1,
            "amount_sum": row["amount"],
            "refund_count": 0,
            "refund_sum": Decimal(0),
            "declined_count": int(row["is_declined"]),
            "online_count": 0,
            "labelled_count": int(row["is_fraud"] is not None),
            "fraud_count": int(row["is_fraud"] is True),
        }
        found.append(one)
        if rng.random() < 0.3:  # a change that was taken back
            wrong = one | {"minute": one["minute"] - timedelta(minutes=rng.randrange(40))}
            minus = {k: -v if k != "minute" else v for k, v in wrong.items()}
            found += [wrong, minus]
    rng.shuffle(found)
    return found


def recount(rows: list[Row]) -> figures.Measures:
    return figures.Measures(
        len(rows),
        sum((r["amount"] for r in rows), Decimal(0)),
        sum(r["is_declined"] for r in rows),
        sum(r["is_fraud"] is not None for r in rows),
        sum(r["is_fraud"] is True for r in rows),
    )


def test_over_years_the_days_answer_for_the_minutes():
    rows = [
        transaction(n, datetime(2012, 1, 3, 5, 6, tzinfo=UTC) + timedelta(hours=19 * n), Random(n))
        for n in range(2_000)
    ]
    oldest, newest = rows[0]["transaction_ts"], rows[-1]["transaction_ts"]
    span = period("All", Anchor(newest, historical=True), oldest, newest)
    assert span.step >= timedelta(days=1)
    days = [
        one | {"date": one["minute"].date(), "state": state, "channel": channel}
        for channel in ("Chip", "Swipe", "Online")
        for state in {r["merchant_state"] or "ONLINE" for r in rows}
        for one in partials(
            [
                r
                for r in rows
                if (r["channel"], r["merchant_state"] or "ONLINE") == (channel, state)
            ],
            Random(1),
        )
    ]
    lake = ArrowLake({"agg_state_day": days})
    for filters in (
        Filters(),
        Filters(channels=("Chip", "Swipe")),
        Filters(states=("CA", "ONLINE")),
        Filters(channels=("Online",), states=("ONLINE", "NY")),
    ):
        wanted = [
            r
            for r in rows
            if (not filters.channels or r["channel"] in filters.channels)
            and (not filters.states or (r["merchant_state"] or "ONLINE") in filters.states)
        ]
        assert wanted
        found = figures.transaction_figures(lake, span, filters)
        assert found.total == recount(wanted)
        for moment, measures in found.points:
            assert measures == recount(within(wanted, moment, moment + span.step))
        channels = figures.rows(lake, queries.by_channel(span, filters, everything=True))
        assert {r["channel"]: r["transaction_count"] for r in channels} == Counter(
            r["channel"] for r in wanted
        )


def within(rows: list[Row], start: datetime, end: datetime) -> list[Row]:
    return [r for r in rows if start <= r["transaction_ts"] < end]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60), st.sampled_from(WINDOWS))
def test_figures_are_the_same_from_partials_and_from_facts(seed: int, number: int, window):
    rows = some_transactions(seed, number)
    lake = ArrowLake({"agg_minute": partials(rows, Random(seed)), "fact_transactions": rows})
    span = window_of(window)
    everything = Filters(channels=("Swipe", "Chip", "Online"))  # narrows nothing, but asks facts
    for filters in (Filters(), everything):
        found = figures.transaction_figures(lake, span, filters)
        assert found.total == recount(within(rows, span.start, span.end))
        before = span.previous or span.start
        assert found.before == recount(within(rows, before, span.start))
        assert len(found.points) == span.steps
        for moment, measures in found.points:
            assert measures == recount(within(rows, moment, min(moment + span.step, span.end)))


filter_sets = st.builds(
    Filters,
    channels=st.lists(st.sampled_from(["Swipe", "Chip", "Online"]), unique=True).map(tuple),
    states=st.lists(st.sampled_from(["CA", "Italy", "ONLINE", "'; --"]), unique=True).map(tuple),
    customer=st.none() | st.integers(800, 842),
    severities=st.lists(st.sampled_from(["high", "medium", "low"]), unique=True).map(tuple),
    rules=st.lists(st.sampled_from([*REASONS, "no_rule"]), unique=True).map(tuple),
)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return some_transactions(5, 2_000)


@pytest.fixture(scope="module")
def alerts(rows: list[Row]) -> list[Row]:
    return [alert(row, [*REASONS][n % 5]) for n, row in enumerate(rows) if n % 7 == 0]


@pytest.fixture(scope="module")
def lake(rows: list[Row], alerts: list[Row]) -> ArrowLake:
    return ArrowLake({"fact_transactions": rows, "fraud_alerts": alerts})


@settings(max_examples=60, deadline=None)
@given(filters=filter_sets, window=st.sampled_from(WINDOWS))
def test_filters_choose_what_they_say(filters: Filters, window, rows, alerts, lake):
    span = window_of(window)

    def wanted(row: Row, channel: str) -> bool:
        return (
            (not filters.channels or channel in filters.channels)
            and (not filters.states or (row["merchant_state"] or "ONLINE") in filters.states)
            and filters.customer in (None, row["user_id"])
        )

    channel = {r["transaction_id"]: r["channel"] for r in rows}
    kept = [r for r in within(rows, span.start, span.end) if wanted(r, r["channel"])]
    raised = [
        a
        for a in within(alerts, span.start, span.end)
        if wanted(a, channel[a["transaction_id"]])
        and (not filters.severities or a["severity"] in filters.severities)
        and (not filters.rules or a["rule"] in filters.rules)
    ]
    by_channel = figures.rows(lake, queries.by_channel(span, filters, everything=False))
    assert sum(r["transaction_count"] for r in by_channel) == len(kept)
    by_category = figures.rows(lake, queries.by_category(span, filters, everything=False))
    assert sum((r["amount_sum"] for r in by_category), Decimal(0)) == recount(kept).amount

    counted = figures.alert_figures(lake, span, filters)
    assert counted.total == sum(counted.points) == len(raised)
    assert counted.high == sum(a["severity"] == "high" for a in raised)
    feed = figures.rows(lake, queries.alert_feed(span.start, span.end, filters, 10_000))
    newest_first = sorted(raised, key=lambda a: a["alert_id"])
    newest_first.sort(key=lambda a: a["transaction_ts"], reverse=True)
    assert [a["alert_id"] for a in feed] == [a["alert_id"] for a in newest_first]


def test_slices_keep_the_sum():
    found = [
        dict.fromkeys(queries.MEASURES, 1) | {"name": f"n{n}", "amount_sum": Decimal(n)}
        for n in range(10)
    ]
    folded = figures.slices(found, "name", 3)
    assert [s.name for s in folded] == ["n0", "n1", "n2", "Other (7)"]
    assert sum(s.measures.transactions for s in folded) == 10
    assert len(figures.slices(found[:4], "name", 3)) == 4  # no "Other" of one


def test_a_table_without_data_answers_every_statement():
    lake = ArrowLake({})
    span = window_of("1 h")
    assert figures.extent(lake) is None
    assert figures.transaction_figures(lake, span, Filters()).total == figures.Measures()
    assert figures.alert_figures(lake, span, Filters()).total == 0
    for sql in (
        queries.timeline(span, Filters(customer=1)),
        queries.by_category(span, Filters(), everything=True),
        queries.by_category(span, Filters(), everything=False),
        queries.by_channel(span, Filters(), everything=True),
        queries.by_channel(span, Filters(), everything=False),
        queries.alert_feed(span.start, span.end, Filters(channels=("Chip",)), 5),
        queries.states(),
        queries.alert_rules(),
        queries.freshness_now(END),
        queries.freshness_timeline(END, timedelta(seconds=10)),
        queries.table_status(),
        queries.batch_totals(END),
        queries.customers(END.date(), 5),
        queries.customer_days(1, END.date()),
        queries.customer_forecast(1, "day"),
        queries.customer_forecast_categories(1, 5),
        queries.customer_cards(1),
        queries.customer_transactions(1, 5),
        queries.cards(END.date(), 5),
        queries.card_kinds(END.date()),
        queries.merchants(END.date(), 5),
        queries.volume_by_state(END.date()),
    ):
        assert figures.rows(lake, sql) == [], sql.text
    assert figures.rows(lake, queries.newest_measurement()) == [{"newest": None}]


def test_a_forecast_is_the_customers_own_and_its_categories_are_sums_of_days():
    def ahead(user: int, category: str, period: str, step: int, value: str | None) -> Row:
        return {
            "user_id": user,
            "category": category,
            "period": period,
            "forecast_date": END.date() + timedelta(days=step),
            "value": value and Decimal(value),
            "reason": "because",
        }

    lake = ArrowLake(
        {
            "dim_mcc": [{"mcc": 742, "description": "Veterinary Services"}],
            "forecasts": [
                ahead(1, "all", "day", 2, "7.50"),
                ahead(1, "all", "day", 1, None),
                ahead(1, "all", "month", 1, "210.00"),
                ahead(1, "0742", "day", 1, "2.00"),
                ahead(1, "0742", "day", 2, "1.50"),
                ahead(1, "5411", "day", 1, "9.00"),
                ahead(1, "5812", "day", 1, "-1.00"),
                ahead(1, "5411", "month", 1, "99.00"),
                ahead(2, "5411", "day", 1, "50.00"),
            ],
        }
    )
    days = figures.rows(lake, queries.customer_forecast(1, "day"))
    assert [r["value"] for r in days] == [None, Decimal("7.50")]
    (month,) = figures.rows(lake, queries.customer_forecast(1, "month"))
    assert month["value"] == Decimal("210.00")
    found = figures.rows(lake, queries.customer_forecast_categories(1, 5))
    assert [(r["category"], r["value"]) for r in found] == [
        ("Category 5411", Decimal("9.00")),
        ("Veterinary Services", Decimal("3.50")),
    ]
    assert len(figures.rows(lake, queries.customer_forecast_categories(1, 1))) == 1


def test_the_last_known_state_of_a_table_counts():
    def state(table: str, name: str, minute: int) -> Row:
        return {"table_name": table, "state": name, "since": END + timedelta(minutes=minute)}

    lake = ArrowLake(
        {
            "pipeline_status": [
                state("cards", "stopped", 1),
                state("cards", "running", 2),
                state("users", "running", 1),
                state("users", "stopped", 3),
            ]
        }
    )
    found = [(r["table_name"], r["state"]) for r in figures.rows(lake, queries.table_status())]
    assert found == [("users", "stopped"), ("cards", "running")]


def test_freshness_is_weighted_by_changes():
    def batch(seconds: int, hop: str, events: int, p50: float) -> Row:
        return {
            "measured_at": END - timedelta(seconds=seconds),
            "batch_id": seconds,
            "table_name": "transactions",
            "hop": hop,
            "events": events,
            "p50_ms": p50,
            "p95_ms": 2 * p50,
            "max_ms": 3 * p50,
        }

    lake = ArrowLake(
        {
            "pipeline_freshness": [
                batch(1, "gold", 30, 100.0),
                batch(2, "gold", 10, 500.0),
                batch(3, "gold", 0, 9_999.0),
                batch(90, "gold", 5, 7_777.0),
            ]
        }
    )
    (now,) = figures.rows(lake, queries.freshness_now(END - timedelta(minutes=1)))
    assert (now["p50_ms"], now["p95_ms"], now["max_ms"]) == (200.0, 400.0, 1_500.0)
    since = END - timedelta(seconds=100)
    line = figures.rows(lake, queries.freshness_timeline(since, timedelta(seconds=10)))
    assert [(r["bucket"], r["events"]) for r in line] == [(1, 5), (9, 40)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(tmp_path_factory.mktemp("lake"), END, number=600)


@pytest.mark.parametrize(
    "since", [date(2019, 10, 20), date(2019, 10, 1), date(2019, 9, 30), date(2010, 1, 1)]
)
def test_the_real_interface_answers_alike(world: World, since: date):
    """The same statements over Delta tables: rankings by customer, card, merchant and state."""
    lake = Query(load_settings(home=world.settings.home, lake=world.settings.lake))
    rows = [t for t in world.transactions if t["transaction_ts"].date() >= since]
    alerts = [a for a in world.alerts if a["transaction_ts"].date() >= since]

    def totals(key: str) -> dict[object, Decimal]:
        found: dict[object, Decimal] = {}
        for row in rows:
            name = row[key] if key != "merchant_state" else row[key] or "Online"
            found[name] = found.get(name, Decimal(0)) + row["amount"]
        return found

    for sql, column, key in (
        (queries.customers(since, 9_999), "user_id", "user_id"),
        (queries.merchants(since, 9_999), "merchant_id", "merchant_id"),
        (queries.cards(since, 9_999), "card_id", "card_id"),
        (queries.volume_by_state(since), "state", "merchant_state"),
    ):
        found = figures.rows(lake, sql)
        assert {r[column]: r["amount_sum"] for r in found} == totals(key), sql.text
        if "alerts" in found[0]:
            assert sum(r["alerts"] for r in found) == len(alerts)
    kinds = figures.rows(lake, queries.card_kinds(since))
    assert sum(r["transaction_count"] for r in kinds) == len(rows)
    assert {r["kind"] for r in kinds} <= {"Visa debit", "Mastercard debit", "Amex debit"}
    days = figures.rows(lake, queries.customer_days(825, since))
    theirs = [t for t in rows if t["user_id"] == 825]
    assert sum(r["transaction_count"] for r in days) == len(theirs)
    newest = figures.rows(lake, queries.customer_transactions(825, 3))
    assert [r["transaction_ts"] for r in newest] == sorted(
        (t["transaction_ts"] for t in theirs), reverse=True
    )[:3]
    assert len(figures.rows(lake, queries.customer_cards(825))) == 3
    oldest, last = figures.extent(lake) or (None, None)
    moments = [t["transaction_ts"].replace(second=0, microsecond=0) for t in world.transactions]
    assert (oldest, last) == (min(moments), max(moments))
    states = figures.rows(lake, queries.states())
    assert {r["state"] for r in states} == {
        t["merchant_state"] or "ONLINE" for t in world.transactions
    }
    assert {r["rule"] for r in figures.rows(lake, queries.alert_rules())} == {
        a["rule"] for a in world.alerts
    }


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(channels=("Chip", "Swipe"), states=("CA", "NY")),
        Filters(channels=("Online",)),
        Filters(states=("CA", "ONLINE")),
        Filters(customer=825),
        Filters(states=("'; --",)),
    ],
)
def test_aggregates_answer_over_everything_as_the_facts_do(world: World, filters: Filters):
    lake = Query(load_settings(home=world.settings.home, lake=world.settings.lake))
    oldest, newest = figures.extent(lake) or (END, END)
    whole = period("All", Anchor(newest, historical=True), oldest, newest)
    for statement in (queries.by_category, queries.by_channel):
        quick, slow = (statement(whole, filters, everything=every) for every in (True, False))
        found = figures.rows(lake, quick)
        assert found == figures.rows(lake, slow)
        assert found or filters.states == ("'; --",)
    asked = queries.by_category(whole, filters, everything=True).text
    assert ("fact_transactions" in asked) is (filters.customer is not None)
