"""How the engines write names and literals."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

__all__ = ["Engine", "identifier", "literal"]

Engine = Literal["mysql", "spark", "duckdb", "trino", "dremio"]


def identifier(name: str, engine: Engine) -> str:
    """A column's or table's name, quoted, since some are words of SQL."""
    return f"`{name}`" if engine in ("mysql", "spark") else f'"{name}"'


def literal(value: str | float | Decimal | date, engine: Engine) -> str:
    """A value as the engine writes it; times are UTC."""
    if isinstance(value, str):
        if engine in ("mysql", "spark"):  # there a backslash escapes
            value = value.replace("\\", "\\\\")
        quote = "\\'" if engine == "spark" else "''"
        return "'" + value.replace("'", quote) + "'"
    if isinstance(value, datetime):
        text = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        if engine == "duckdb":
            return f"TIMESTAMPTZ '{text}+00'"
        return f"TIMESTAMP '{text} UTC'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return str(value)
