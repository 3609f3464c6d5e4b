"""Two writers, one table: delta-rs and Spark give the same, once per batch, readable by all."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import Contract, contracts
from stream_jobs.io.writer import DeltaRsWriter, SizedWriter, SparkWriter, Writer
from stream_jobs.shapes import Patch

CARDS = contracts.get("silver.cards")
LAKE_TABLES = [c for c in contracts.all() if c.layer != "source"]


@pytest.fixture
def lake(tmp_path):
    return Lake(load_settings(home=tmp_path))


@pytest.fixture(params=["delta-rs", "spark"])
def writer(request, lake, spark) -> Callable[[str], Writer]:
    """Makes a writer of one kind for an application id."""

    def make(app_id: str) -> Writer:
        small = DeltaRsWriter(lake, app_id)
        if request.param == "delta-rs":
            return small
        return SizedWriter(small, SparkWriter(spark, lake, app_id), most_rows=0)

    return make


def value(kind: str, number: int) -> Any:
    """A value of that type, another for each number."""
    if kind.startswith("decimal"):
        return Decimal(number).scaleb(-2)
    return {
        "int32": number,
        "int64": number * 2**32,
        "string": f"text {number}, 'quoted' \\ ünd",
        "boolean": number % 2 == 0,
        "date": date(2020, 1, 1 + number % 28),
        "timestamp": datetime(2020, 1, 1, 0, 0, number % 60, 123456, UTC),
        "double": number / 7,
        "binary": bytes([number % 256, 0, 255]),
    }[kind]


def rows_of(contract: Contract, numbers: list[int], change: int = 0) -> pa.Table:
    """A row for each number; ``change`` makes other values under the same key. Some are empty."""
    rows = [
        {
            c.name: (f"{number}:key" if c.type == "string" else value(c.type, number))
            if c.key_position
            else (
                None
                if not c.required and (number + change) % 3 == 0
                else value(c.type, number + change)
            )
            for c in contract.columns
        }
        for number in numbers
    ]
    schema = pa.schema([f.with_nullable(True) for f in contract.arrow_schema()])
    return pa.Table.from_pylist(rows, schema=schema)


def stored(lake: Lake, contract: Contract) -> list[str]:
    table = lake.open(contract)
    assert table is not None
    return sorted(map(str, table.to_pyarrow_table().to_pylist()))


def meant(*parts: pa.Table) -> list[str]:
    return sorted(str(row) for part in parts for row in part.to_pylist())


@pytest.mark.parametrize("contract", LAKE_TABLES, ids=lambda c: c.full_name)
def test_every_table_takes_its_rows_from_either_writer(lake, spark, contract, writer):
    rows = rows_of(contract, [1, 2, 3])
    writer("app").append(contract, rows, 0)
    assert stored(lake, contract) == meant(rows)
    frame = spark.read.format("delta").load(lake.spark_uri(contract))
    assert frame.columns == list(contract.column_names)
    assert sorted(map(str, frame.toArrow().cast(rows.schema).to_pylist())) == meant(rows)
    protocol = lake.ensure(contract).protocol()
    assert protocol.min_reader_version <= 2
    assert not protocol.reader_features
    assert "ntz" not in frame.schema.simpleString()


KEYED = [
    c for c in LAKE_TABLES if c.layer == "silver" or c.name in ("fraud_alerts", "dim_merchant")
]


@pytest.mark.parametrize("contract", KEYED, ids=lambda c: c.full_name)
def test_a_patch_adds_changes_and_takes_away_in_one_commit(lake, contract, writer):
    there, (key,) = rows_of(contract, [1, 2, 3, 4]), contract.key
    write = writer("app")
    write.append(contract, there, 0)
    before = lake.ensure(contract).version()
    patch = Patch(
        rows_of(contract, [7, 8]),
        rows_of(contract, [2, 3], change=5),
        rows_of(contract, [4]).select([key]),
    )
    write.merge(contract, patch, 1)
    assert lake.ensure(contract).version() == before + 1
    assert stored(lake, contract) == meant(there.slice(0, 1), patch.inserts, patch.updates)


def test_each_batch_is_in_the_table_once(lake, writer):
    none = rows_of(CARDS, []).select(["id"])
    patch = Patch(rows_of(CARDS, [5]), rows_of(CARDS, [1], change=3), none)
    for _ in range(2):
        for write in (writer("app"), writer("app")):
            write.append(CARDS, rows_of(CARDS, [1, 2]), 0)
            write.merge(CARDS, patch, 1)
            write.merge(CARDS, Patch(rows_of(CARDS, [6]), rows_of(CARDS, []), none), 2)
    expected = meant(rows_of(CARDS, [2, 5, 6]), rows_of(CARDS, [1], change=3))
    assert stored(lake, CARDS) == expected
    writer("another").append(CARDS, rows_of(CARDS, [9]), 0)
    assert stored(lake, CARDS) == sorted(expected + meant(rows_of(CARDS, [9])))


def pending(spark: SparkSession) -> list[str]:
    """Names of the transaction's settings that are in the session."""
    return [
        name
        for name in ("txnAppId", "txnVersion")
        if spark.conf.get(f"spark.databricks.delta.write.{name}", None) is not None
    ]


def test_trap_5_nothing_of_a_batch_sticks_to_the_session(lake, spark):
    write = SizedWriter(DeltaRsWriter(lake, "app"), SparkWriter(spark, lake, "app"), most_rows=0)
    write.append(CARDS, rows_of(CARDS, [1, 2]), 0)
    none = rows_of(CARDS, [])
    write.merge(CARDS, Patch(none, rows_of(CARDS, [1], change=1), none.select(["id"])), 1)
    assert pending(spark) == []
    rows = rows_of(CARDS, [3])
    frame = spark.createDataFrame(rows)
    for _ in range(2):  # another's writes in the same session are their own
        frame.write.format("delta").mode("append").save(lake.spark_uri(CARDS))
    assert stored(lake, CARDS).count(meant(rows)[0]) == 2


def test_trap_5_a_merge_that_fails_leaves_nothing_in_the_session(lake, spark):
    nowhere = rows_of(CARDS, [1]).select(["id"])
    with pytest.raises(AnalysisException):
        SparkWriter(spark, lake, "app").merge(CARDS, Patch(nowhere, nowhere, nowhere), 5)
    assert pending(spark) == []


@pytest.mark.parametrize("sizes", [(0, 2), (2, 0, 3), (0, 0, 1), (1, 0, 0, 1)], ids=str)
def test_rows_behind_an_empty_piece_of_a_table_are_written(lake, writer, sizes):
    """Spark's own reading of such an Arrow table ends at the empty piece, without a word."""
    ends = list(accumulate(sizes))
    parts = [rows_of(CARDS, list(range(end - n, end))) for n, end in zip(sizes, ends, strict=True)]
    write = writer("app")
    write.append(CARDS, pa.concat_tables(parts), 0)
    assert stored(lake, CARDS) == meant(*parts)
    keys = pa.concat_tables(parts).select(["id"])
    write.merge(CARDS, Patch(parts[0].slice(0, 0), parts[0].slice(0, 0), keys), 1)
    assert stored(lake, CARDS) == []


STEPS = st.lists(
    st.tuples(
        st.booleans(),
        st.sets(st.integers(1, 8), max_size=4),
        st.sets(st.integers(1, 8), max_size=3),
        st.sets(st.integers(1, 8), max_size=2),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_writers_in_turn_give_what_one_of_them_gives(tmp_path_factory, spark, steps):
    """Random batches of inserts, updates and deletes, by either writer, each sent twice."""
    lake = Lake(load_settings(home=tmp_path_factory.mktemp("lake")))
    small = DeltaRsWriter(lake, "app")
    large = SparkWriter(spark, lake, "app")
    state: dict[int, dict[str, Any]] = {}
    for batch, (by_spark, put, change, gone) in enumerate(steps):
        inserts = rows_of(CARDS, sorted(put - state.keys()))
        updates = rows_of(CARDS, sorted((change & state.keys()) - gone), change=batch + 1)
        deletes = rows_of(CARDS, sorted(gone & state.keys())).select(["id"])
        patch = Patch(inserts, updates, deletes)
        if patch.num_rows == 0:
            continue
        for _ in range(2):
            SizedWriter(small, large, 0 if by_spark else 1000).merge(CARDS, patch, batch)
        state.update({row["id"]: row for row in (*inserts.to_pylist(), *updates.to_pylist())})
        for key in deletes["id"].to_pylist():
            del state[key]
        assert stored(lake, CARDS) == sorted(map(str, state.values()))
