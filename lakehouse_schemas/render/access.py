"""Who may read what in Trino: the rules of its file-based access control.

A role reads the gold tables that its contracts allow, without the columns that it must not see;
last digits and bands are shown in place of the value. Hashes would not fit the column's type, so a
column that is shown hashed in views is left out here. Nobody may write.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from lakehouse_schemas.model import ROLES, Contract, Role
from lakehouse_schemas.render.views import CATALOGUE, masked, shown

__all__ = ["CATALOGUE_USER", "REGISTRY", "trino_rules"]

CATALOGUE_USER: Final = "catalogue"
"""The user that makes tables known to Trino; it can neither read nor write rows."""
REGISTRY: Final = "registry"
"""The catalogue through which that is done: the same tables, for that user alone.

The one that people ask, ``CATALOGUE``, is read-only in itself: these rules do not know of what
``ALTER TABLE ... EXECUTE`` does.
"""

_TYPES: Final = {"string": "varchar", "timestamp": "timestamp(6) with time zone"}


def trino_rules(contracts: Iterable[Contract]) -> dict[str, Any]:
    """The rules for the contracts of the lake's tables, as Trino reads them from JSON."""
    found = tuple(contracts)
    readers = "|".join(ROLES)
    return {
        "catalogs": [
            {"user": CATALOGUE_USER, "catalog": REGISTRY, "allow": "all"},
            {"user": f"{readers}|{CATALOGUE_USER}", "catalog": "system", "allow": "read-only"},
            {"user": readers, "catalog": CATALOGUE, "allow": "read-only"},
        ],
        "schemas": [
            {"user": CATALOGUE_USER, "catalog": REGISTRY, "owner": True},
            {"owner": False},
        ],
        "tables": [
            {
                "user": CATALOGUE_USER,
                "catalog": REGISTRY,
                "schema": "silver|gold",
                "privileges": ["OWNERSHIP"],
            },
            {
                "user": readers,
                "catalog": "system",
                "schema": "jdbc|metadata",
                "privileges": ["SELECT"],
            },
            *(_table(contract, role) for role in ROLES for contract in found),
            {"privileges": []},
        ],
        "procedures": [
            {
                "user": CATALOGUE_USER,
                "catalog": REGISTRY,
                "schema": "system",
                "procedure": "register_table|unregister_table",
                "privileges": ["EXECUTE"],
            }
        ],
        "queries": [
            {"user": "admin", "allow": ["execute", "view", "kill"]},
            {"allow": ["execute"]},
        ],
        "system_information": [{"user": "admin", "allow": ["read"]}],
    }


def _table(contract: Contract, role: Role) -> dict[str, Any]:
    """What a role may read of a table; people of BI read gold, the admin silver as well."""
    may = role in contract.roles and (contract.layer == "gold" or role == "admin")
    rule: dict[str, Any] = {
        "user": role,
        "catalog": CATALOGUE,
        "schema": contract.layer,
        "table": contract.name,
        "privileges": ["SELECT"] if may else [],
    }
    columns = []
    for column in contract.columns if may else ():
        way = shown(column, role)
        if way in ("drop", "hash"):
            columns.append({"name": column.name, "allow": False})
        elif way != "clear":
            kind = _TYPES.get(column.physical_type, column.physical_type)
            mask = f"CAST({masked(column, way, 'trino')} AS {kind})"
            columns.append({"name": column.name, "mask": mask})
    return {**rule, "columns": columns} if columns else rule
