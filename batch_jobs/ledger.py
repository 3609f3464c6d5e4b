"""Tables that batch jobs note things in, row after row: nothing in them is ever changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = ["note", "note_changed"]

_WHEN = "measured_at"


def note(settings: Settings, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows to the table.

    Raises:
        ComponentMissing: when the lake cannot be reached or written.
    """
    contract = contracts.get(name)
    table = Lake(settings).ensure(contract)
    data = pa.Table.from_pylist(list(rows), schema=contract.lake_schema)
    write_deltalake(table, data, mode="append")


def note_changed(settings: Settings, name: str, rows: Sequence[dict[str, Any]]) -> int:
    """Append the rows that say something new; returns how many.

    Rows are keyed by the contract's key but for ``measured_at``, by which the newest row of a key
    is known. A row that is like the newest of its key in everything else says nothing new.

    Raises:
        ComponentMissing: when the lake cannot be reached or written.
    """
    contract = contracts.get(name)
    key = [column for column in contract.key if column != _WHEN]
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    noted = Query(settings).query(f"SELECT * FROM {name} ORDER BY {_WHEN}")
    for row in noted.cast(contract.lake_schema).to_pylist():
        newest[tuple(row[column] for column in key)] = row
    wanted = pa.Table.from_pylist(list(rows), schema=contract.lake_schema).to_pylist()
    fresh = [
        row
        for row in wanted
        if _said(row) != _said(newest.get(tuple(row[column] for column in key), {}))
    ]
    if fresh:
        note(settings, name, fresh)
    return len(fresh)


def _said(row: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column != _WHEN}
