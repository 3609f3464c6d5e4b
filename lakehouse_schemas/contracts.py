"""Look a contract up by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lakehouse_schemas.model import Contract, ContractError, Layer, read_contract

__all__ = ["TABLES", "all", "get", "layer", "source_tables"]

TABLES = Path(__file__).parent / "tables"


@cache
def _by_name() -> dict[str, Contract]:
    found = [read_contract(path) for path in sorted(TABLES.glob("*/*.yaml"))]
    for contract in found:
        if contract.kind in ("keyed", "additive") and not contract.key:
            raise ContractError(f"{contract.full_name}: has no primary key; mark its columns")
    return {contract.full_name: contract for contract in found}


def get(full_name: str) -> Contract:
    """The contract of a table such as ``gold.agg_minute``.

    Raises:
        KeyError: naming the table, when there is no such contract.
    """
    try:
        return _by_name()[full_name]
    except KeyError:
        raise KeyError(f"no contract {full_name} under {TABLES}") from None


def all() -> tuple[Contract, ...]:  # noqa: A001 - reads as contracts.all()
    """Every contract, ordered by file."""
    return tuple(_by_name().values())


def layer(name: Layer) -> tuple[Contract, ...]:
    """The contracts of one layer."""
    return tuple(c for c in all() if c.layer == name)


def source_tables() -> tuple[Contract, ...]:
    """The source tables that people know of, without the service tables."""
    return tuple(c for c in layer("source") if c.kind != "service")
