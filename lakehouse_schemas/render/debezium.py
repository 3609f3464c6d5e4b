"""Debezium: which tables a connector captures and which columns it must never read.

Debezium takes regular expressions that must match a whole dotted name, so the dots are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse_schemas.model import Contract

__all__ = ["column_exclude_list", "table_include_list"]


def table_include_list(database: str, contracts: Iterable[Contract]) -> str:
    """Value of ``table.include.list`` for these source contracts."""
    return ",".join(sorted(_exactly(database, contract.name) for contract in contracts))


def column_exclude_list(database: str, contracts: Iterable[Contract]) -> str:
    """Value of ``column.exclude.list``: the secret columns; empty when there are none."""
    return ",".join(
        sorted(
            _exactly(database, contract.name, column)
            for contract in contracts
            for column in contract.dropped
        )
    )


def _exactly(*parts: str) -> str:
    return r"\.".join(parts)
