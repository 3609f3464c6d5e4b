"""What the stream writes, each batch once, and Spark and delta-rs read."""

from collections.abc import Callable
from itertools import accumulate

import pyarrow as pa
import pytest

from infra.lake.delta_log import checkpoint
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import Contract, contracts
from stream_jobs.io import appended, keyed
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.shapes import Patch
from tests.support.rows import rows_of

CARDS = contracts.get("silver.cards")
LAKE_TABLES = contracts.lake_tables()


@pytest.fixture
def lake(tmp_path):
    return Lake(load_settings(home=tmp_path))


@pytest.fixture
def writer(lake) -> Callable[[str], LakeWriter]:
    """Makes a writer for an application id, started anew."""
    return lambda app_id: LakeWriter(Tables(lake, 1 << 20), app_id)


def stored(lake: Lake, contract: Contract) -> list[str]:
    table = lake.open(contract)
    assert table is not None
    return sorted(map(str, table.to_pyarrow_table().to_pylist()))


def meant(*parts: pa.Table) -> list[str]:
    return sorted(str(row) for part in parts for row in part.to_pylist())


@pytest.mark.parametrize("contract", LAKE_TABLES, ids=lambda c: c.full_name)
def test_every_table_that_is_written_reads_the_same_in_spark(lake, spark, contract, writer):
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


@pytest.mark.parametrize("sizes", [(0, 2), (2, 0, 3), (0, 0, 1), (1, 0, 0, 1)], ids=str)
def test_rows_behind_an_empty_piece_of_a_table_are_written(lake, writer, sizes):
    ends = list(accumulate(sizes))
    parts = [rows_of(CARDS, list(range(end - n, end))) for n, end in zip(sizes, ends, strict=True)]
    write = writer("app")
    write.append(CARDS, pa.concat_tables(parts), 0)
    assert stored(lake, CARDS) == meant(*parts)
    keys = pa.concat_tables(parts).select(["id"])
    write.merge(CARDS, Patch(parts[0].slice(0, 0), parts[0].slice(0, 0), keys), 1)
    assert stored(lake, CARDS) == []


def test_a_log_that_went_on_after_a_checkpoint_reads_the_same_in_spark(lake, spark, monkeypatch):
    """Joined files, rows changed and taken away, a checkpoint in the middle."""
    monkeypatch.setattr(keyed, "LEAF_ROWS", 2)
    monkeypatch.setattr(keyed, "HOT_ROWS", 2)
    monkeypatch.setattr(keyed, "_JOIN", 2)
    monkeypatch.setattr(keyed, "_COLD_S", -1.0)
    tables = Tables(lake, 1 << 20)
    write, none = LakeWriter(tables, "app"), rows_of(CARDS, [])
    for batch in range(6):
        write.append(CARDS, rows_of(CARDS, [2 * batch, 2 * batch + 1]), batch)
    assert tables.keyed(CARDS).tidy()
    checkpoint(lake.ensure(CARDS))
    update = rows_of(CARDS, [3, 9], change=4)
    write.merge(CARDS, Patch(none, update, rows_of(CARDS, [0]).select(["id"])), 6)
    expected = meant(rows_of(CARDS, [1, 2, 4, 5, 6, 7, 8, 10, 11]), update)
    assert stored(lake, CARDS) == expected
    frame = spark.read.format("delta").load(lake.spark_uri(CARDS))
    assert sorted(map(str, frame.toArrow().cast(none.schema).to_pylist())) == expected
    # What the files' statistics say, Spark believes.
    assert frame.where("id = 9").count() == 1
    assert frame.where("id > 11 OR card_brand = 'nothing'").count() == 0
    history = spark.sql(f"DESCRIBE HISTORY delta.`{lake.spark_uri(CARDS)}`")
    assert {row.operation for row in history.collect()} >= {"WRITE", "MERGE", "OPTIMIZE"}


def test_an_additive_table_that_is_rolled_up_has_the_same_sums(lake, spark, monkeypatch):
    contract = contracts.get("gold.agg_category_day")
    monkeypatch.setattr(appended, "_JOIN", 3)
    tables = Tables(lake, 1 << 20)
    for batch in range(7):
        rows = rows_of(contract, [1, 2, 2 + batch], change=0)
        LakeWriter(tables, "app").append(contract, rows, batch)
    sums = ", ".join(f"sum({c}) AS {c}" for c in contract.column_names if c not in contract.key)
    statement = f"""SELECT {", ".join(contract.key)}, {sums}
        FROM delta.`{lake.spark_uri(contract)}` GROUP BY ALL ORDER BY ALL"""
    before, rows_before = spark.sql(statement).collect(), len(stored(lake, contract))
    while tables.appended(contract).tidy():
        pass
    assert spark.sql(statement).collect() == before
    assert len(stored(lake, contract)) < rows_before
