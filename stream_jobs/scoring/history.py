"""What silver says at the start."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.scoring.book import TABLES, horizon

__all__ = ["silver"]

_DAY_US = 24 * 3600 * 1_000_000


def silver(lake: Lake) -> dict[str, pa.Table]:
    """The rows that scoring looks back at, by source table; one that is not there is left out.

    Raises:
        ComponentMissing: when the lake cannot be reached.
    """
    found: dict[str, pa.Table] = {}
    numbers = None
    for name in reversed(TABLES):  # transactions say which labels matter
        contract = contracts.get(f"silver.{name}")
        table = lake.open(contract)
        if table is None:
            continue
        dataset = table.to_pyarrow_dataset()
        where = None
        if name == "transactions":
            where = pc.field("date") >= pa.scalar(_since(dataset), pa.timestamp("us", tz="UTC"))
        elif name == "fraud_labels" and numbers is not None:
            where = (pc.field("transaction_id") >= numbers["min"]) & (
                pc.field("transaction_id") <= numbers["max"]
            )
        rows = dataset.to_table(columns=contract.lake_schema.names, filter=where)
        found[name] = rows.cast(contract.lake_schema)
        if name == "transactions" and rows.num_rows:
            numbers = pc.min_max(rows["id"])
    return found


def _since(dataset: object) -> int:
    """How far back to read; what is dated in the future would let all others look old."""
    soon = pa.scalar(time.time_ns() // 1000 + _DAY_US, pa.timestamp("us", tz="UTC"))
    newest = None
    for batch in dataset.to_batches(columns=["date"], filter=pc.field("date") <= soon):  # type: ignore[attr-defined]
        last = pc.max(batch.column(0)).cast(pa.int64()).as_py()
        newest = max(newest or last, last) if last is not None else newest
    return -(2**62) if newest is None else newest - horizon()
