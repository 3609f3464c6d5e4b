"""Rows that fit a contract, made from numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from lakehouse_schemas import Contract

__all__ = ["rows_of"]


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
    schema = contract.lake_schema
    return pa.Table.from_pylist(rows, schema=schema)
