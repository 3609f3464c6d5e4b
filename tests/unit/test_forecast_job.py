"""The forecasting job on small lakes of real Delta tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from batch_jobs.forecast import make
from finlake.cli import root
from finlake.commands.forecast import METHODS
from finlake.errors import ComponentMissing, UsageProblem
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import contracts
from models import forecasting as models

END = date(2019, 10, 31)
NOW = datetime(2019, 12, 1, 12, tzinfo=UTC)
CONTRACT = contracts.get("gold.forecasts")


def write(settings: Settings, table: str, rows: Iterable[dict[str, Any]]) -> None:
    contract = contracts.get(f"gold.{table}")
    opened = Lake(settings).ensure(contract)
    data = pa.Table.from_pylist(list(rows), schema=contract.lake_schema)
    write_deltalake(opened, data, mode="append")


def purchase(number: int, user: int, day: date, **given: Any) -> dict[str, Any]:
    moment = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
    return {
        "transaction_id": number, "transaction_ts": moment, "user_id": user, "mcc": 5411,
        "amount": Decimal("12.34"), "is_declined": False,
    } | given  # fmt: skip


def shopping(user: int, days: int, seed: int, often: float = 0.9) -> list[dict[str, Any]]:
    """Purchases of so many days up to the end, some of them refunded, some declined."""
    random, made = Random(seed), []
    for back in range(days):
        if back and back < days - 1 and random.random() > often:
            continue
        number = user * 10_000 + back
        amount = Decimal(round(random.lognormvariate(3, 1) * 100) + 1) / 100
        made.append(
            purchase(
                number,
                user,
                END - timedelta(days=back),
                amount=-amount if random.random() < 0.05 else amount,
                mcc=random.choice([5411, 5411, 5812, 742]),
                is_declined=random.random() < 0.1,
            )
        )
    return made


@pytest.fixture
def there(home: Path) -> Settings:
    """A lake with a customer for each length of history, one without any, one in one category."""
    settings = load_settings(home=home)
    rows = [*shopping(1, 800, 1), *shopping(2, 250, 2), *shopping(3, 40, 3)]
    rows.append(purchase(1, 4, END))
    write(settings, "fact_transactions", rows)
    write(settings, "dim_user", [{"user_id": user} for user in (1, 2, 3, 4, 5)])
    return settings


def forecasts(settings: Settings, what: str = "*", where: str = "true") -> list[dict[str, Any]]:
    sql = f"SELECT {what} FROM gold.forecasts WHERE {where} ORDER BY ALL"
    rows: list[dict[str, Any]] = Query(settings).query(sql).to_pylist()
    return rows


def run(settings: Settings, **given: Any) -> Any:
    options: dict[str, Any] = {"processes": 0, "now": NOW} | given
    return make(settings, **options)


def test_every_series_has_a_row_for_each_step(there):
    day, month = run(there)
    assert (day.period, day.horizon, day.customers) == ("day", 30, 5)
    assert (month.period, month.horizon, month.history_until) == ("month", 3, END)
    counts = forecasts(
        there,
        "user_id, category, period, count(*) AS n, count(DISTINCT forecast_date) AS d,"
        " min(forecast_date) AS first, max(history_until) AS until",
        "true GROUP BY ALL",
    )
    assert {r["n"] for r in counts if r["period"] == "day"} == {30}
    assert {r["n"] for r in counts if r["period"] == "month"} == {3}
    assert all(r["n"] == r["d"] for r in counts)
    assert {r["first"] for r in counts} == {END + timedelta(days=1)}
    assert {r["until"] for r in counts} == {END}
    assert {r["user_id"] for r in counts if r["category"] == "all"} == {1, 2, 3, 4, 5}
    assert {r["category"] for r in counts if r["user_id"] == 1} == {"all", "5411", "5812", "0742"}
    assert sum(r["n"] for r in counts) == day.rows + month.rows


def test_rows_are_in_order_and_keep_the_contract(there):
    run(there)
    for row in forecasts(there):
        for column in CONTRACT.columns:
            assert row[column.name] is not None or not column.required, column.name
        allowed = next(iter(CONTRACT.column("method").expectations)).values
        assert row["method"] in allowed
        if row["value"] is None:
            assert (row["lo95"], row["hi95"], row["method"]) == (None, None, "none")
        else:
            assert row["lo95"] <= row["value"] <= row["hi95"]
    assert {r["user_id"] for r in forecasts(there, where="method = 'none' AND period = 'day'")} == {
        5
    }


def test_the_lengths_of_history_get_their_answers(there):
    run(there, periods=["day"])
    found = {
        r["user_id"]: r
        for r in forecasts(
            there, "DISTINCT user_id, method, reason, backtest_mase AS mase", "category = 'all'"
        )
    }
    assert "548 days of history" in found[1]["reason"]
    assert "250 days of history" in found[2]["reason"]
    assert "too short" in found[3]["reason"]
    assert (found[3]["method"], found[4]["method"]) == ("average", "constant")
    assert found[1]["mase"] is not None
    assert found[3]["mase"] is None


def test_declined_transactions_are_not_spent_and_refunds_are_taken_off(home):
    settings = load_settings(home=home)
    rows = [
        purchase(1, 1, END, amount=Decimal("50.00")),
        purchase(2, 1, END, amount=Decimal("-8.25")),
        purchase(3, 1, END, amount=Decimal("500.00"), is_declined=True),
    ]
    write(settings, "fact_transactions", rows)
    run(settings, periods=["day"], horizon=2)
    kept = forecasts(settings, "value, lo95, hi95, method, users_version")
    money = Decimal("41.75")
    row = {"value": money, "lo95": money, "hi95": money, "method": "constant", "users_version": -1}
    assert kept == [row] * 2


def test_a_run_again_gives_the_same_rows_and_other_customers_stay(there):
    run(there)
    every = ", ".join(c for c in CONTRACT.column_names if c != "made_at")
    first = forecasts(there, every)
    run(there, now=NOW + timedelta(hours=1))
    assert forecasts(there, every) == first
    run(there, customers=2, periods=["day"], horizon=3)
    mixed = forecasts(there, every)
    others = "user_id > 2 OR period = 'month'"
    assert [r for r in first if r["user_id"] > 2 or r["period"] == "month"] == forecasts(
        there, every, others
    )
    assert len([r for r in mixed if r["user_id"] == 1 and r["category"] == "all"]) == 3 + 3
    assert forecasts(there, "count(*) AS n", "user_id <= 2 AND period = 'day'")[0]["n"] % 3 == 0


def test_each_run_is_one_commit_that_names_what_it_read(there):
    run(there)
    table = Lake(there).open(CONTRACT)
    assert table is not None
    before = table.version()
    write(there, "fact_transactions", [purchase(1, 1, END)])
    run(there)
    table.update_incremental()
    assert table.version() == before + 1
    assert table.protocol().min_reader_version <= 2
    facts = Lake(there).open(contracts.get("gold.fact_transactions"))
    assert facts is not None
    (row,) = forecasts(there, "DISTINCT transactions_version, users_version, made_at")
    assert (row["transactions_version"], row["made_at"]) == (facts.version(), NOW)


def test_the_day_under_way_is_left_out(there):
    noon = datetime(END.year, END.month, END.day, 12, tzinfo=UTC)
    day, month = run(there, now=noon)
    assert day.history_until == END - timedelta(days=1)
    assert month.history_until == date(2019, 9, 30)
    assert forecasts(there, "min(forecast_date) AS d", "period = 'day'")[0]["d"] == END


def test_processes_beside_this_one_make_the_same(there, monkeypatch):
    from batch_jobs.forecast import job

    every = ", ".join(c for c in CONTRACT.column_names if c != "made_at")
    run(there, periods=["day"])
    alone = forecasts(there, every)
    monkeypatch.setattr(job, "_WORTH_PROCESSES", 1)
    seen: list[tuple[str, int, int]] = []
    (summary,) = run(
        there, periods=["day"], processes=2, watch=lambda *progress: seen.append(progress)
    )
    assert forecasts(there, every) == alone
    assert seen[-1] == ("days", summary.series, summary.series)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_a_lake_without_facts_or_rows(home):
    settings = load_settings(home=home)
    with pytest.raises(ComponentMissing, match=r"no gold\.fact_transactions yet; fill it"):
        run(settings)
    Lake(settings).ensure(contracts.get("gold.fact_transactions"))
    day, _ = run(settings)
    assert (day.series, day.rows) == (0, 0)
    assert forecasts(settings) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"horizon": 121}, "of days 1 to 120"),
        ({"horizon": 0}, "--horizon 0"),
        ({"method": "x"}, "x"),
    ],
)
def test_wrong_use_is_said_before_anything_is_read(home, given, said):
    with pytest.raises(UsageProblem, match=said):
        run(load_settings(home=home), **given)


def test_the_command_offers_every_method():
    assert tuple(METHODS) == models.METHODS


def test_the_command_tells_people_and_programs(there):
    runner = CliRunner()
    told = runner.invoke(root, ["forecast", "--customers", "3"], catch_exceptions=False).output
    assert "series of 3 customers, 30 days" in told
    assert "MASE" in told
    said = runner.invoke(
        root, ["forecast", "--json", "--period", "day", "--method", "average"],
        catch_exceptions=False,
    )  # fmt: skip
    (line,) = said.output.splitlines()
    found = json.loads(line)
    assert (found["period"], found["customers"], found["history_until"]) == ("day", 5, str(END))
    assert math.isclose(found["mase"], found["by_method"]["average"]["mase"], abs_tol=1e-4)


def test_the_benchmark_prints_what_the_job_found(home):
    from batch_jobs.bench.forecast import forecast as measure

    found = {
        (f.params["period"], f.metric): f.value
        for f in measure(load_settings(home=home), 3_000, "average")
    }
    assert found["day", "series"] >= 200
    assert found["day", "cpu"] > 0
    assert found["day", "held out.mase"] > 0
    assert 0 <= found["month", "held out.coverage"] <= 100
