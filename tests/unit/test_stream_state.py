"""What the stream remembers, and what keeps its tables small."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from stream_jobs.io import housekeeping
from stream_jobs.io.housekeeping import Housekeeping
from stream_jobs.io.metrics import Metrics
from stream_jobs.io.writer import DeltaRsWriter
from stream_jobs.shapes import Patch
from stream_jobs.state.current_rows import CurrentRows
from tests.unit.stream_world import (
    Stream,
    Topics,
    World,
    gold_faults,
    row,
    silver_equals,
)

CATEGORIES = contracts.get("silver.mcc_codes")


@pytest.fixture
def lake(home):
    return Lake(load_settings(home=home))


def categories(numbers: list[int], token: int = 1) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "mcc": n,
            "description": f"{n}",
            "_order_token": str(token),
            "_is_deleted": n % 5 == 0,
            "_batch_id": 0,
        }
        for n in numbers
    ]
    schema = pa.schema([f.with_nullable(True) for f in CATEGORIES.arrow_schema()])
    return pa.Table.from_pylist(rows, schema=schema)


NUMBERS = st.sets(st.integers(-20, 40) | st.integers(2**31 - 20, 2**31 - 1), max_size=12)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(NUMBERS, max_size=6),
    asked=st.lists(NUMBERS, min_size=1, max_size=4),
    capacity=st.integers(1, 20),
    restart=st.integers(0, 6),
)
def test_current_rows_are_those_of_the_table_whatever_is_remembered(
    tmp_path_factory, batches, asked, capacity, restart
):
    lake = Lake(load_settings(home=tmp_path_factory.mktemp("lake")))
    writer = DeltaRsWriter(lake, "app")
    memory = CurrentRows(lake, CATEGORIES, capacity)
    state: dict[int, dict[str, Any]] = {}
    none = categories([]).select(["mcc"])
    for number, keys in enumerate(batches):
        rows = categories(sorted(keys), number)
        there = pa.array([key in state for key in rows["mcc"].to_pylist()], pa.bool_())
        new = pa.compute.invert(there)
        writer.merge(CATEGORIES, Patch(rows.filter(new), rows.filter(there), none), number)
        memory.written(rows)
        state.update({one["mcc"]: one for one in rows.to_pylist()})
        if number == restart:
            memory = CurrentRows(lake, CATEGORIES, capacity)
        for wanted in asked:
            found = memory.of(pa.array(sorted(wanted), pa.int32())).to_pylist()
            assert {one["mcc"]: one for one in found} == {
                key: one for key, one in state.items() if key in wanted
            }
            assert len(found) == len({one["mcc"] for one in found})
    live = memory.live().to_pylist()
    assert sorted(one["mcc"] for one in live) == sorted(n for n in state if n % 5)


def test_new_keys_are_not_looked_for_in_the_lake(lake, monkeypatch):
    DeltaRsWriter(lake, "app").append(CATEGORIES, categories([1, 2, 3]), 0)
    memory = CurrentRows(lake, CATEGORIES)
    monkeypatch.setattr(memory, "_read", lambda keys: pytest.fail(f"read {keys}"))
    assert memory.of(pa.array([4, 2**31 - 1], pa.int32())).num_rows == 0


# ── Housekeeping ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def busy(home, lake, monkeypatch):
    """A stream with housekeeping after each batch, over every table each time."""
    monkeypatch.setattr(housekeeping, "_SMALL_FILES", 3)
    writer = DeltaRsWriter(lake, "app")
    stream = Stream(lake, lambda: writer, load_settings(home=home))
    keeper = Housekeeping(writer, history_minutes=60, marker_days=30)
    tables = [c for c in contracts.all() if c.layer != "source"]
    world = World()

    def work(batches: int) -> World:
        topics = Topics([])
        for number in range(batches):
            start = len(world.sent)
            for key in (number, number // 2):
                amount = f"{number * 900}.00"
                world.put("transactions", row("transactions", id=key, amount=amount))
            if number % 4 == 3:
                world.delete("transactions", number - 2)
            topics.send(world.sent[start:])
            stream.process(topics.take())
            for contract in tables:
                keeper.tidy(contract)
        return world

    yield work
    stream.stop()


def test_tables_that_are_joined_stay_what_they_were_and_few(busy, lake, home):
    world = busy(12)
    silver_equals(lake, world.state)
    assert gold_faults(lake, home) == []
    for contract in contracts.layer("gold"):
        table = lake.open(contract)
        assert table is None or len(table.file_uris()) <= 5, contract.full_name


def test_a_joined_table_still_knows_its_newest_batch(busy, lake):
    busy(8)
    fact = contracts.get("gold.fact_transactions")
    assert DeltaRsWriter(lake, "app").table(fact).transaction_version("app") == 7


def test_markers_of_deleted_keys_expire_and_nothing_else(lake):
    old, young = categories([5, 6]), categories([10, 11])
    stamps = lake.ensure(CATEGORIES).schema().to_arrow()
    assert "_source_ts" in pa.schema(stamps).names
    place = old.column_names.index("_source_ts")

    def at(rows: pa.Table, seconds: int) -> pa.Table:
        kind = rows.schema.field("_source_ts")
        return rows.set_column(
            place, kind, pa.array([seconds * 10**6] * 2, pa.int64()).cast(kind.type)
        )

    import time

    writer = DeltaRsWriter(lake, "app")
    writer.append(CATEGORIES, pa.concat_tables([at(old, 0), at(young, int(time.time()) - 60)]), 0)
    Housekeeping(writer, 60, marker_days=1).tidy(CATEGORIES)
    left = lake.ensure(CATEGORIES).to_pyarrow_table()["mcc"].to_pylist()
    assert sorted(left) == [6, 10, 11]


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────


def test_metrics_say_what_a_batch_did():
    metrics = Metrics()
    for _ in range(2):
        metrics.batch({"cards": (9, 5, 3, 1)}, {("cards", "gold"): (9, (1.5, 2.5, 3.5))}, 0.3)
    text = generate_latest(metrics.registry).decode()
    for line in (
        'finlake_changes_total{outcome="applied",table="cards"} 10.0',
        'finlake_changes_total{outcome="quarantined",table="cards"} 2.0',
        'finlake_freshness_ms{hop="gold",quantile="p95",table="cards"} 2.5',
        'finlake_batch_seconds_bucket{le="0.5"} 2.0',
        "finlake_batch_rows 9.0",
        "finlake_stream_up 0.0",
    ):
        assert line in text
