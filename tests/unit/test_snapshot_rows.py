"""Which rows of silver a snapshot deletes."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_jobs.snapshot.rows import Place, gone
from lakehouse_schemas import contracts
from stream_jobs.transforms.envelope import Decoder
from stream_jobs.transforms.order import order_token

PLACE = Place(1, "binlog.000002", 500, datetime(2026, 1, 1, tzinfo=UTC))
SOURCE, SILVER = contracts.get("source.mcc_codes"), contracts.get("silver.mcc_codes")


def silver(rows: dict[int, tuple[bool, int]]) -> pa.Table:
    """Rows of ``silver.mcc_codes``: code to whether it is a delete marker, and its position."""
    made = [
        {
            "mcc": mcc,
            "description": f"of {mcc}",
            "_order_token": order_token(1, PLACE.file, position, 0, 0),
            "_is_deleted": deleted,
        }
        for mcc, (deleted, position) in rows.items()
    ]
    return pa.Table.from_pylist(made, schema=SILVER.lake_schema)


@given(
    st.dictionaries(st.integers(-9, 9), st.tuples(st.booleans(), st.integers(490, 510))),
    st.sets(st.integers(-9, 9)),
)
def test_live_rows_from_before_that_were_not_read_are_deleted(rows, read):
    found = gone(SOURCE, PLACE, silver(rows), np.array(sorted(read), dtype=np.int64))
    decoded = Decoder("mcc_codes").decode(found, 0)
    assert decoded.rejects.num_rows == 0
    assert set(decoded.changes["op"].to_pylist()) <= {"d"}
    meant = {n for n, (deleted, at) in rows.items() if not deleted and at < 500 and n not in read}
    assert set(decoded.changes["mcc"].to_pylist()) == meant
    tokens = decoded.changes["_order_token"].to_pylist()
    assert all(token >= order_token(1, PLACE.file, 500, 0, 0) for token in tokens)


@pytest.mark.parametrize("table", [c.name for c in contracts.source_tables()])
def test_every_column_of_a_row_is_sent_as_debezium_does(table):
    """A silver row of each type, through the delete and back by the decoder, is the same."""
    row = {
        "int32": 7,
        "int64": 8,
        "string": 'a "b" \\ c',
        "timestamp": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    }
    source, contract = contracts.get(f"source.{table}"), contracts.get(f"silver.{table}")
    values = {
        c.name: row["string"] if c.type == "string" else row.get(c.type)
        for c in contract.columns
        if not c.name.startswith("_")
    }
    allowed = {
        c.name: rule.values[0]
        for c in contract.columns
        for rule in c.expectations
        if rule.rule == "one_of"
    }
    decimals = {
        c.name: pa.scalar("-1.10").cast(c.arrow_type).as_py() for c in contract.columns if c.decimal
    }
    values |= allowed | decimals
    values |= {"_order_token": order_token(1, "binlog.000001", 1, 0, 0), "_is_deleted": False}
    rows = pa.Table.from_pylist([values], schema=contract.lake_schema)
    found = gone(source, PLACE, rows, np.empty(0, dtype=np.int64))
    decoded = Decoder(table).decode(found, 0)
    assert decoded.rejects.to_pylist() == []
    data = [c.name for c in contract.columns if not c.name.startswith("_")]
    assert decoded.changes.select(data).to_pylist() == rows.select(data).to_pylist()
