"""Every gold table reads the same in Spark, delta-rs, DuckDB and Trino: types, values and sums."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.lake.trino import Trino
from lakehouse_schemas import Contract, contracts
from lakehouse_schemas.render.sql import Engine, identifier
from tests.bi.conftest import World, as_trino_reads

GOLD = contracts.layer("gold")
TABLES = pytest.mark.parametrize("contract", GOLD, ids=lambda c: c.full_name)


def opened(world: World, contract: Contract) -> DeltaTable:
    table = Lake(world.settings).open(contract)
    assert table is not None
    return table


def plain(kind: pa.DataType) -> pa.DataType:
    """The type without what an engine chooses for itself: how long a text's offsets are."""
    return pa.string() if pa.types.is_large_string(kind) or kind == pa.string_view() else kind


def types(found: pa.Table) -> dict[str, pa.DataType]:
    return {field.name: plain(field.type) for field in found.schema}


def ordered(found: pa.Table, contract: Contract) -> pa.Table:
    """The rows in one order, whatever order the engine gave them in."""
    same = found.cast(contract.lake_schema)
    return same.sort_by([(name, "ascending") for name in contract.column_names]).combine_chunks()


def different(found: pa.Table, expected: pa.Table) -> str:
    """The first rows that differ, for the message."""
    pairs = zip(found.to_pylist(), expected.to_pylist(), strict=False)
    first = next(((one, other) for one, other in pairs if one != other), None)
    return f"{found.num_rows} rows against {expected.num_rows}; first difference: {first}"


@TABLES
def test_each_engine_reads_the_same_rows_in_the_same_types(
    contract: Contract,
    world: World,
    spark: SparkSession,
    asked: Callable[[str], Trino],
) -> None:
    name = contract.full_name
    table = opened(world, contract)
    answers = {
        "delta-rs": table.to_pyarrow_table(),
        "DuckDB": Query(world.settings).query(f"SELECT * FROM {name}"),
        "Trino": asked("admin").query(f"SELECT * FROM {name}"),
        "Spark": spark.read.format("delta")
        .load(Lake(world.settings).spark_uri(contract))
        .toArrow()
        .cast(contract.lake_schema),  # it says the session's time zone in place of UTC
    }
    wanted = {c.name: c.arrow_type for c in contract.columns}
    expected = ordered(answers["delta-rs"], contract)
    assert expected.num_rows, f"{name} is empty, so nothing was compared"
    for engine, found in answers.items():
        assert list(found.column_names) == list(contract.column_names), engine
        assert types(found) == wanted, engine
        same = ordered(found, contract)
        meant = as_trino_reads(expected) if engine == "Trino" else expected
        assert same.equals(meant), f"{engine}: {different(same, meant)}"


@TABLES
def test_each_engine_computes_the_same_figures(
    contract: Contract,
    world: World,
    spark: SparkSession,
    asked: Callable[[str], Trino],
) -> None:
    """Each engine sums and counts by itself; delta-rs only reads, so Arrow computes for it."""
    read = opened(world, contract).to_pyarrow_table()
    latest = {
        column.name: {
            "Trino": pc.max(as_trino_reads(read)[column.name]).as_py(),
            "": pc.max(read[column.name]).as_py(),
        }
        for column in contract.columns
        if column.type in ("date", "timestamp")
    }
    numbers = [c.name for c in contract.columns if c.decimal or c.type in NUMBERS]
    expected: dict[str, Any] = {"rows": read.num_rows}
    for name in contract.column_names:
        expected[f"{name} there"] = read.num_rows - read[name].null_count
        if name in numbers:
            exact = pa.float64() if contract.column(name).type == "double" else pa.decimal128(38, 2)
            kept = read[name].cast(exact)
            expected[f"{name} sum"] = pc.sum(kept).as_py()
    view = f"gold_{contract.name}"
    spark.read.format("delta").load(
        Lake(world.settings).spark_uri(contract)
    ).createOrReplaceTempView(view)

    def statement(engine: Engine) -> str:
        table = view if engine == "spark" else contract.full_name
        return figures(contract, numbers, engine, table)

    found = {
        "DuckDB": Query(world.settings).query(statement("duckdb")),
        "Trino": asked("admin").query(statement("trino")),
        "Spark": spark.sql(statement("spark")).toArrow(),
    }
    for engine, answer in found.items():
        (row,) = answer.to_pylist()
        for what, value in expected.items():
            given = row[what]
            if isinstance(value, float):
                assert given == pytest.approx(value, rel=1e-12), (engine, what)
            else:
                assert given == value, (engine, what)
        for name, last in latest.items():
            assert row[f"{name} last"] == last.get(engine, last[""]), (engine, name)


NUMBERS = ("int32", "int64", "double")


def figures(contract: Contract, numbers: list[str], engine: Engine, table: str) -> str:
    """One statement with the figures of every column, which is the same to all engines."""
    parts = ["count(*) AS " + identifier("rows", engine)]
    for column in contract.columns:
        name = identifier(column.name, engine)
        parts.append(f"count({name}) AS {identifier(column.name + ' there', engine)}")
        if column.name in numbers:
            value = name if column.type == "double" else f"CAST({name} AS DECIMAL(38,2))"
            parts.append(f"sum({value}) AS {identifier(column.name + ' sum', engine)}")
        if column.type in ("date", "timestamp"):
            parts.append(f"max({name}) AS {identifier(column.name + ' last', engine)}")
    return f"SELECT {', '.join(parts)} FROM {table}"


@TABLES
def test_any_reader_may_read_and_knows_what_each_column_means(
    contract: Contract, world: World, asked: Callable[[str], Trino]
) -> None:
    table = opened(world, contract)
    protocol = table.protocol()
    assert protocol.min_reader_version <= 2
    assert not protocol.reader_features
    assert table.metadata().partition_columns == []
    assert table.metadata().description == contract.description
    told = {field.name: field.metadata.get("comment") for field in table.schema().fields}
    meant = {column.name: column.description for column in contract.columns}
    assert told == meant
    shown = asked("admin").query(f"SHOW COLUMNS FROM {contract.full_name}").to_pylist()
    assert {row["Column"]: row["Comment"] for row in shown} == meant
    comment = asked("admin").query(
        "SELECT comment FROM system.metadata.table_comments"
        " WHERE catalog_name = 'lake' AND schema_name = ? AND table_name = ?",
        [contract.layer, contract.name],
    )
    assert comment["comment"].to_pylist() == [contract.description]


def test_a_decimal_stays_exact_in_every_engine(world: World, asked: Callable[[str], Trino]) -> None:
    sql = "SELECT sum(amount) AS s FROM gold.fact_transactions"
    for engine in (Query(world.settings), asked("admin")):
        assert isinstance(engine.query(sql)["s"][0].as_py(), Decimal)
