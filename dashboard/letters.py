"""What may be shown of a record that was set aside: its form, and values that are nobody's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from lakehouse_schemas import contracts

__all__ = ["Field", "fields"]

_LONGEST = 80
_HIDDEN = "••••"
_OPERATIONS = ("c", "u", "d", "r", "t")


class Field(NamedTuple):
    """One value of a record: where it stands, and what may be shown of it."""

    name: str
    shown: str


def fields(table: str, value: bytes) -> list[Field]:
    """The record's values, masked unless the contract says they are nobody's; empty if no JSON.

    Only columns that the source's contract knows and classifies as neither personal nor financial
    are shown; of all others the name and the kind of value.

    Args:
        table: source table of the record.
        value: the record as it came.
    """
    try:
        record = json.loads(value)
    except ValueError:  # of bytes that are no text, too
        return []
    if not isinstance(record, dict):
        return [Field("the record", _kind(record))]
    known = {c.name for c in contracts.get(f"source.{table}").columns if c.pii == "none"}
    return list(_of(record, known))


def _of(record: dict[str, Any], known: set[str]) -> Iterator[Field]:
    for name, value in record.items():
        if name in ("before", "after") and isinstance(value, dict):
            for column, one in value.items():
                shown = _plain(one) if column in known else _masked(one)
                yield Field(f"{name}.{column}"[:_LONGEST], shown)
        elif name == "op" and value in _OPERATIONS:
            yield Field(name, _plain(value))
        else:
            yield Field(name[:_LONGEST], _masked(value))


def _plain(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _masked(value: object) -> str:
    return "null" if value is None else f"{_HIDDEN} ({_kind(value)})"


def _kind(value: object) -> str:
    if isinstance(value, str):
        return f"text of {len(value):,} characters"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        return f"list of {len(value):,}"
    return "nothing" if value is None else f"object of {len(value):,}"  # type: ignore[arg-type]
