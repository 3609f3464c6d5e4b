"""Whether a source table still fits its contract, by Debezium's schema change events.

See https://debezium.io/documentation/reference/3.5/connectors/mysql.html (schema change topic).
A column that is new flows on (silver keeps it in ``_extra``); one that is gone, has another kind of
type or may hold more than the contract's type stops the table, before a value is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from lakehouse_schemas import Column, Contract

__all__ = ["changed_tables", "problem"]

_INTEGER_BITS = {
    "TINYINT": 8,
    "SMALLINT": 16,
    "MEDIUMINT": 24,
    "INT": 32,
    "INTEGER": 32,
    "BIGINT": 64,
}
_TEXT = ("CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET")


class _Table(msgspec.Struct):
    columns: list[dict[str, Any]]


class _Change(msgspec.Struct):
    type: str
    id: str
    table: _Table | None = None


class _Event(msgspec.Struct):
    tableChanges: list[_Change] | None = None  # noqa: N815 (Debezium's name)


_decode = msgspec.json.Decoder(_Event).decode


def changed_tables(values: Sequence[bytes | None]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Table names and their columns from the records of the schema change topic, in order."""
    for value in values:
        try:
            event = _decode(value or b"{}")
        except (msgspec.DecodeError, RecursionError):
            continue  # nothing to learn from it; the data events still say what is missing
        for change in event.tableChanges or ():
            if change.type in ("CREATE", "ALTER") and change.table is not None:
                yield change.id.rsplit(".", 1)[-1].strip('"`'), change.table.columns


def problem(source: Contract, columns: Sequence[dict[str, Any]]) -> str:
    """What of the table no longer fits, and what to do; empty while it fits."""
    there = {column["name"]: column for column in columns}
    wanted = [c for c in source.columns if c.name not in source.dropped]
    missing = [c.name for c in wanted if c.name not in there]
    if missing:
        new = sorted(there.keys() - set(source.column_names))
        hint = f" (new: {', '.join(new)}; was it renamed?)" if new else ""
        return f"{source.name}: the source no longer has {', '.join(missing)}{hint}"
    for column in wanted:
        found = there[column.name]
        if not _holds(column, found):
            size = ",".join(str(found[k]) for k in ("length", "scale") if found.get(k) is not None)
            kind = f"{found.get('typeName')}({size})" if size else str(found.get("typeName"))
            return (
                f"{source.name}.{column.name}: the source made it {kind.lower()}, "
                f"the contract holds {column.physical_type}"
            )
    return ""


def _holds(column: Column, found: dict[str, Any]) -> bool:
    """Whether the contract's type can hold every value of the source's."""
    words = str(found.get("typeName", "")).upper().split()
    kind, unsigned = words[0] if words else "", "UNSIGNED" in words
    if column.type in ("int32", "int64"):
        bits = _INTEGER_BITS.get(kind, 99) + (1 if unsigned else 0)
        return bits <= (32 if column.type == "int32" else 64)
    if column.decimal:
        precision, scale = column.decimal
        length, found_scale = found.get("length") or 10, found.get("scale") or 0
        if kind not in ("DECIMAL", "NUMERIC", "DEC", "FIXED"):
            return False
        return bool(found_scale <= scale and length - found_scale <= precision - scale)
    if column.type == "timestamp":
        return kind == "DATETIME"  # a TIMESTAMP travels as text
    if column.type == "string":
        return kind in _TEXT
    return True
