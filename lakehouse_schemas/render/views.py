"""Masked views: what each role sees of a table, for Trino and Dremio.

Numbers of customers and cards are few enough to be tried one by one, so a plain hash would hide
nothing: the hash is keyed. Whoever applies the views puts the key in place of ``${mask_key}`` and
lets nobody below the admin read a view's definition.
"""

from __future__ import annotations

from typing import Final, Literal

from lakehouse_schemas.model import Column, Contract, Mask, Role
from lakehouse_schemas.render.sql import identifier, literal

__all__ = ["MASK_KEY", "SHOWN", "BiEngine", "Shown", "create_view_sql", "shown"]

BiEngine = Literal["trino", "dremio"]
Shown = Literal["drop", "hash", "last4", "partial", "clear"]

MASK_KEY: Final = "${mask_key}"
_CATALOGUE: Final = "lake"  # Trino's catalogue and Dremio's source

# A role sees at least what the one before it sees. Secrets are in no table that has a view.
SHOWN: Final[dict[Role, dict[Mask, Shown]]] = {
    "viewer": {
        "none": "clear",
        "last4": "last4",
        "hash": "hash",
        "partial": "drop",
        "token": "drop",
        "drop": "drop",
    },
    "analyst": {
        "none": "clear",
        "last4": "last4",
        "hash": "hash",
        "partial": "partial",
        "token": "clear",
        "drop": "drop",
    },
    "operator": {
        "none": "clear",
        "last4": "last4",
        "hash": "clear",
        "partial": "partial",
        "token": "clear",
        "drop": "drop",
    },
    "admin": {
        "none": "clear",
        "last4": "clear",
        "hash": "clear",
        "partial": "clear",
        "token": "clear",
        "drop": "clear",
    },
}


def shown(column: Column, role: Role) -> Shown:
    """What a role sees of a column."""
    return SHOWN[role][column.mask]


def create_view_sql(contract: Contract, role: Role, engine: BiEngine) -> str:
    """``CREATE OR REPLACE VIEW`` of a lake table for one role, as ``<layer>_<role>.<table>``.

    Raises:
        ValueError: when the contract does not let the role read the table.
    """
    if role not in contract.roles:
        raise ValueError(f"{contract.full_name}: the contract has no role {role}")
    columns = ",\n".join(
        f"  {_masked(column, shown(column, role), engine)}"
        for column in contract.columns
        if shown(column, role) != "drop"
    )
    view = f"{contract.layer}_{role}.{contract.name}"
    head = f"CREATE OR REPLACE VIEW {view}"
    if engine == "trino":
        comment = literal(contract.description, engine)
        head = f"CREATE OR REPLACE VIEW {_CATALOGUE}.{view}\nCOMMENT {comment}\nSECURITY DEFINER"
    return f"{head} AS\nSELECT\n{columns}\nFROM {_CATALOGUE}.{contract.full_name}"


def _masked(column: Column, way: Shown, engine: BiEngine) -> str:
    name = identifier(column.name, engine)
    if way == "clear":
        return name
    if way == "hash":
        value = f"CAST({name} AS VARCHAR)"
        if engine == "trino":
            value = f"hmac_sha256(to_utf8({value}), to_utf8('{MASK_KEY}'))"
            return f"lower(to_hex({value})) AS {name}"
        return f"SHA256(CONCAT('{MASK_KEY}', {value})) AS {name}"
    if way == "last4":
        return f"substr({name}, greatest(length({name}) - 3, 1)) AS {name}"
    step = column.mask_step
    band = f"floor(CAST({name} AS DOUBLE) / {step}) * {step}"
    return f"CAST({band} AS BIGINT) AS {name}"
