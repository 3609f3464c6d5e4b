"""Look a contract up by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lakehouse_schemas.model import LAYERS, Contract, Layer, Writer
from lakehouse_schemas.reading import read_contract

__all__ = [
    "TABLES",
    "all",
    "fingerprint",
    "get",
    "lake_tables",
    "layer",
    "source_tables",
    "written_by",
]

TABLES = Path(__file__).parent / "tables"


@cache
def _by_name() -> dict[str, Contract]:
    paths = (path for layer in LAYERS for path in sorted((TABLES / layer).glob("*.yaml")))
    return {contract.full_name: contract for contract in map(read_contract, paths)}


def get(full_name: str) -> Contract:
    """The contract of a table such as ``gold.agg_minute``.

    Raises:
        KeyError: naming the table, when there is no such contract.
        ContractError: when a contract file is wrong.
    """
    try:
        return _by_name()[full_name]
    except KeyError:
        raise KeyError(f"no contract {full_name} under {TABLES}") from None


def all() -> tuple[Contract, ...]:  # noqa: A001 - reads as contracts.all()
    """Every contract, from source to gold and by name.

    Raises:
        ContractError: when a contract file is wrong.
    """
    return tuple(_by_name().values())


def layer(name: Layer) -> tuple[Contract, ...]:
    """The contracts of one layer."""
    return tuple(c for c in all() if c.layer == name)


def lake_tables() -> tuple[Contract, ...]:
    """The contracts of all tables of the lake: bronze, silver and gold."""
    return tuple(c for c in all() if c.layer != "source")


def written_by(writer: Writer) -> tuple[Contract, ...]:
    """The contracts of the lake's tables that this process, and no other, writes."""
    return tuple(c for c in lake_tables() if c.writer == writer)


def source_tables() -> tuple[Contract, ...]:
    """The source tables that people know of, without the service tables."""
    return tuple(c for c in layer("source") if c.kind != "service")


def fingerprint(full_names: Iterable[str]) -> str:
    """SHA-256 over the contracts of these tables, word for word, in this order.

    Raises:
        KeyError: there is no such contract.
    """
    found = hashlib.sha256()
    for name in full_names:
        contract = get(name)
        found.update((TABLES / contract.layer / f"{contract.name}.yaml").read_bytes())
    return found.hexdigest()
