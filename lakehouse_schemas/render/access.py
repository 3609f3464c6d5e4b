"""Who may read what in Trino: the rules of its file-based access control.

A role reads the gold tables that its contracts allow, without the columns that it must not see;
last digits and bands are shown in place of the value. Hashes would not fit the column's type, so a
column that is shown hashed in views is left out here. Nobody may write.

Wide views read the tables as one user, ``VIEW_OWNER``, who sees all of gold; what a role sees of a
view's columns follows from the same masks, column by column.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from lakehouse_schemas.model import ROLES, Column, Contract, Role
from lakehouse_schemas.render.views import CATALOGUE, masked, shown
from lakehouse_schemas.wide import Wide

__all__ = ["CATALOGUE_USER", "REGISTRY", "VIEW_OWNER", "trino_rules"]

CATALOGUE_USER: Final = "catalogue"
"""The user that makes tables known to Trino; it can neither read nor write rows."""
VIEW_OWNER: Final = "views"
"""The user who owns the wide views: it makes them, and they read gold as it does."""
REGISTRY: Final = "registry"
"""The catalogue through which that is done: the same tables, for these two users alone.

The one that people ask, ``CATALOGUE``, is read-only in itself: these rules do not know of what
``ALTER TABLE ... EXECUTE`` does.
"""

_TYPES: Final = {"string": "varchar", "timestamp": "timestamp(6) with time zone"}


def trino_rules(contracts: Iterable[Contract], views: Iterable[Wide]) -> dict[str, Any]:
    """The rules for the lake's tables and its wide views, as Trino reads them from JSON."""
    found, wide = tuple(contracts), tuple(views)
    readers = "|".join(ROLES)
    return {
        "catalogs": [
            {"user": f"{CATALOGUE_USER}|{VIEW_OWNER}", "catalog": REGISTRY, "allow": "all"},
            {"user": f"{readers}|{CATALOGUE_USER}", "catalog": "system", "allow": "read-only"},
            {"user": readers, "catalog": CATALOGUE, "allow": "read-only"},
            # Where an owner of views may only read, its views would be closed to their readers;
            # that nobody writes is the catalogue's own doing, and of the tables' rules.
            {"user": VIEW_OWNER, "catalog": CATALOGUE, "allow": "all"},
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
                "user": VIEW_OWNER,
                "catalog": REGISTRY,
                "schema": "gold",
                "table": "|".join(view.name for view in wide),
                "privileges": ["OWNERSHIP"],
            },
            {
                "user": VIEW_OWNER,
                "catalog": CATALOGUE,
                "schema": "gold",
                "table": "|".join(sorted({t.name for view in wide for t in view.tables})),
                "privileges": ["SELECT", "GRANT_SELECT"],
            },
            {
                "user": readers,
                "catalog": "system",
                "schema": "jdbc|metadata",
                "privileges": ["SELECT"],
            },
            *(_table(contract, role) for role in ROLES for contract in found),
            *(_view(view, role) for role in ROLES for view in wide),
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
    return _rule(role, contract.layer, contract.name, may, contract.columns)


def _view(view: Wide, role: Role) -> dict[str, Any]:
    """The same of a wide view, whose columns may have names of their own."""
    columns = [msgspec.structs.replace(one.column, name=one.name) for one in view.columns()]
    return _rule(role, "gold", view.name, role in view.roles(), columns)


def _rule(role: Role, layer: str, name: str, may: bool, of: Iterable[Column]) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "user": role,
        "catalog": CATALOGUE,
        "schema": layer,
        "table": name,
        "privileges": ["SELECT"] if may else [],
    }
    columns = []
    for column in of if may else ():
        way = shown(column, role)
        if way in ("drop", "hash"):
            columns.append({"name": column.name, "allow": False})
        elif way != "clear":
            kind = _TYPES.get(column.physical_type, column.physical_type)
            mask = f"CAST({masked(column, way, 'trino')} AS {kind})"
            columns.append({"name": column.name, "mask": mask})
    return {**rule, "columns": columns} if columns else rule
