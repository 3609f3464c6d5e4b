"""One text per row, the same in the source's SQL and in that of the lake.

A row's digest is the first 64 bits of the SHA-256 of that text (MySQL 9 has no MD5); a bucket's is
the sum over its rows, so that neither order nor a row that is there twice is lost in it. Texts
carry their length and an empty one is not ``NULL``; money is its exact decimal, a time its
microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse_schemas import Column, Contract

__all__ = ["compared", "lake_digest", "lake_texts", "source_digest", "source_texts"]


def compared(source: Contract) -> tuple[Column, ...]:
    """The source's columns that silver has too: all but the secret ones."""
    return tuple(c for c in source.columns if c.name not in source.dropped)


def source_texts(columns: Sequence[Column]) -> list[str]:
    """MySQL expressions of the columns' texts; never ``NULL``."""
    return [_source_text(column) for column in columns]


def source_digest(columns: Sequence[Column]) -> str:
    """MySQL expression of a row's digest, an unsigned 64-bit number."""
    text = f"CONCAT_WS('|', {', '.join(source_texts(columns))})"
    return f"CAST(CONV(LEFT(SHA2({text}, 256), 16), 16, 10) AS UNSIGNED)"


def lake_texts(columns: Sequence[Column]) -> list[str]:
    """DuckDB expressions of the same texts."""
    return [_lake_text(column) for column in columns]


def lake_digest(columns: Sequence[Column]) -> str:
    """DuckDB expression of the same digest."""
    text = " || '|' || ".join(lake_texts(columns))
    return f"CAST('0x' || left(sha256({text}), 16) AS UBIGINT)"


def _source_text(column: Column) -> str:
    name = f"`{column.name}`"
    if column.type == "string":
        text = f"CONVERT({name} USING utf8mb4)"
        text = f"CONCAT(CHAR_LENGTH({text}), ':', {text})"
    elif column.type == "timestamp":
        text = f"TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {name})"
    else:
        text = name
    return f"COALESCE({text}, 'n')"


def _lake_text(column: Column) -> str:
    name = f'"{column.name}"'
    if column.type == "string":
        text = f"length({name}) || ':' || {name}"
    elif column.type == "timestamp":
        text = f"CAST(epoch_us({name}) AS VARCHAR)"
    else:
        text = f"CAST({name} AS VARCHAR)"
    return f"coalesce({text}, 'n')"
