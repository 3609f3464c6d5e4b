"""``finlake freshness``: which tables are judged, by what, and when they are late."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from batch_jobs.freshness import BEAT_S, freshness
from finlake.cli import main
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from tests.support.rows import rows_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def put(settings, name, rows):
    contract = contracts.get(name)
    table = rows_of(contract, list(range(len(rows)))).to_pylist()
    for made, row in zip(table, rows, strict=True):
        made.update(row)
    data = pa.Table.from_pylist(table, schema=contract.lake_schema)
    write_deltalake(Lake(settings).ensure(contract), data, mode="append")


def measured(table, ago_s, age_ms, events=10, hop="silver"):
    at = NOW - timedelta(seconds=ago_s)
    ages = {"p50_ms": age_ms, "p95_ms": age_ms, "max_ms": age_ms}
    return {"measured_at": at, "table_name": table, "hop": hop, "events": events, **ages}


def found(settings, factor=1.0):
    return {one.table: one for one in freshness(settings, factor, NOW)}


def test_a_lake_without_tables_is_not_judged(home, capsys):
    assert freshness(load_settings(), 1, NOW) == []
    assert main(["freshness"]) == 3
    assert "start it with `finlake up --with stream`" in capsys.readouterr().err


def test_changes_are_late_when_most_of_them_took_longer_than_the_contract_wants(home):
    settings = load_settings()
    put(
        settings,
        "gold.pipeline_freshness",
        [
            measured("finlake_heartbeat", 1, 400),
            measured("cards", 60, 1000, events=30),
            measured("cards", 30, 5000, events=10),
            measured("cards", 20, 90_000, hop="gold"),  # of another layer
            measured("users", 3600, 90_000),  # long ago
        ],
    )
    ages = found(settings)
    assert set(ages) == {"silver", "silver.cards"}
    assert ages["silver.cards"].age == pytest.approx(2.0)
    assert ages["silver.cards"].wanted == contracts.get("silver.cards").freshness_s == 2
    assert not ages["silver.cards"].late
    assert ages["silver"].age == pytest.approx(1.4)


def test_the_factor_forgives(home):
    settings = load_settings()
    rows = [measured("finlake_heartbeat", 1, 0), measured("cards", 30, 3000)]
    put(settings, "gold.pipeline_freshness", rows)
    assert found(settings)["silver.cards"].late
    assert not found(settings, 4.0)["silver.cards"].late


def test_a_stream_that_stands_still_is_late_though_nothing_changes(home):
    settings = load_settings()
    rows = [measured("finlake_heartbeat", BEAT_S + 9, 0), measured("finlake_heartbeat", 500, 0)]
    put(settings, "gold.pipeline_freshness", rows)
    (only,) = found(settings).values()
    assert (only.table, only.late, only.age) == ("silver", True, BEAT_S + 9)


@pytest.mark.parametrize(("hours", "late"), [(23, False), (25, True)])
def test_what_a_job_makes_anew_is_as_old_as_its_last_run(home, hours, late):
    settings = load_settings()
    put(
        settings,
        "gold.customer_analytics",
        [{"made_at": NOW - timedelta(hours=hours)}, {"made_at": NOW - timedelta(hours=90)}],
    )
    (only,) = found(settings).values()
    assert (only.table, only.late, only.wanted) == ("gold.customer_analytics", late, 86_400)


def test_the_command_names_what_is_late(home, capsys):
    then = datetime.now(UTC) - timedelta(hours=30)
    put(load_settings(), "gold.customer_analytics", [{"made_at": then}])
    assert main(["freshness", "--json"]) == 1
    out, err = capsys.readouterr()
    assert '"table": "gold.customer_analytics"' in out
    assert '"late": true' in out
    assert "gold.customer_analytics is late: 108000" in err
    assert "`finlake observe`" in err
