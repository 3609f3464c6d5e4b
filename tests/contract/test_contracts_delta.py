"""Contract rows through Arrow and Delta and back, in tables that every engine can read."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema, write_deltalake
from deltalake.schema import PrimitiveType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from lakehouse_schemas.render import delta, spark, strategies

LAKE = contracts.lake_tables()
BY_NAME = pytest.mark.parametrize("contract", LAKE, ids=lambda c: c.full_name)


@BY_NAME
def test_rows_come_back_equal_from_a_table_that_dremio_reads(contract, tmp_path):
    folder = str(tmp_path / contract.name)
    DeltaTable.create(
        folder,
        Schema.from_json(spark.schema_json(contract)),
        configuration=delta.TABLE_PROPERTIES,
    )

    @settings(max_examples=12, suppress_health_check=[*HealthCheck])
    @given(strategies.tables(contract, min_rows=1))
    def back_and_forth(rows):
        rows.validate(full=True)
        write_deltalake(folder, rows, mode="overwrite")
        table = DeltaTable(folder)
        assert table.protocol().min_reader_version <= 2
        assert not table.protocol().reader_features
        found = table.to_pyarrow_table()
        assert found.schema.equals(nullable(rows.schema))
        assert found.to_pylist() == rows.to_pylist()

    back_and_forth()


def nullable(schema):
    return pa.schema([field.with_nullable(True) for field in schema])


@BY_NAME
def test_the_lake_makes_the_table_that_the_contract_describes(contract, home: Path):
    table = Lake(load_settings()).ensure(contract)
    assert json.loads(table.schema().to_json()) == json.loads(spark.schema_json(contract))
    assert table.metadata().description == contract.description
    assert table.protocol().min_reader_version == 1


@BY_NAME
def test_an_older_table_is_described_as_the_contract_has_it_now(contract, home: Path):
    lake = Lake(load_settings())
    kinds = Schema.from_json(spark.schema_json(contract)).to_arrow()
    plain = pa.schema([pa.field(f.name, f.type) for f in pa.schema(kinds)][:1])
    path = Path(lake.uri(contract))
    path.mkdir(parents=True)
    DeltaTable.create(str(path), plain, description="Old words.")
    table = lake.ensure(contract)
    assert table.metadata().description == contract.description
    said = {f.name: f.metadata.get("comment") for f in table.schema().fields}
    assert said == {c.name: c.description for c in contract.columns}
    assert table.protocol().min_reader_version == 1
    assert lake.ensure(contract).version() == table.version()


@BY_NAME
def test_a_table_has_no_partition_and_no_type_that_an_engine_cannot_read(contract, home: Path):
    table = Lake(load_settings()).ensure(contract)
    assert table.metadata().partition_columns == []
    for field in table.schema().fields:
        assert isinstance(field.type, PrimitiveType)
        assert re.fullmatch(
            r"integer|long|double|boolean|string|binary|date|timestamp|decimal\(\d+,\d+\)",
            field.type.type,
        )


@given(st.data())
def test_each_key_has_one_row_unless_the_table_is_additive(data):
    contract = data.draw(st.sampled_from(LAKE))
    rows = data.draw(strategies.tables(contract)).to_pylist()
    if contract.key and contract.kind != "additive":
        assert len({tuple(row[k] for k in contract.key) for row in rows}) == len(rows)
    for row in rows:
        assert list(row) == list(contract.column_names)


@given(st.data())
def test_rows_of_the_source_fit_their_columns(data):
    contract = data.draw(st.sampled_from(contracts.layer("source")))
    rows = data.draw(strategies.tables(contract, min_rows=1))
    assert rows.schema == contract.arrow_schema()
    for column in contract.columns:
        found = [value for value in rows.column(column.name).to_pylist() if value is not None]
        if column.length:
            assert max(map(len, found), default=0) <= column.length
        if column.type == "timestamp":
            assert all(value.year >= 1000 for value in found)
