"""Masked views: what each role sees of a table, for Trino and Dremio.

Numbers of customers and cards are few enough to be tried one by one, so a plain hash would hide
nothing: the hash is keyed. Whoever applies the views puts the key in place of ``${mask_key}`` and
lets nobody below the admin read a view's definition.
"""

from __future__ import annotations

from typing import Final, Literal

from lakehouse_schemas.model import Column, Contract, Mask, Role
from lakehouse_schemas.render.sql import identifier, literal
from lakehouse_schemas.wide import Join, Wide

__all__ = [
    "CATALOGUE",
    "MASK_KEY",
    "SHOWN",
    "BiEngine",
    "Shown",
    "create_view_sql",
    "create_wide_sql",
    "masked",
    "select_sql",
    "select_unmasked_wide_sql",
    "select_wide_sql",
    "shown",
]

BiEngine = Literal["trino", "dremio", "duckdb"]
Shown = Literal["drop", "hash", "last4", "partial", "clear"]

MASK_KEY: Final = "${mask_key}"
CATALOGUE: Final = "lake"  # Trino's catalogue and Dremio's source

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
    view = f"{contract.layer}_{role}.{contract.name}"
    return _created(view, contract.description, engine, select_sql(contract, role, engine))


def select_sql(contract: Contract, role: Role, engine: BiEngine) -> str:
    """The statement behind a lake table's view; raises as :func:`create_view_sql` does."""
    if role not in contract.roles:
        raise ValueError(f"{contract.full_name}: the contract has no role {role}")
    columns = ",\n".join(
        f"  {_selected(column, shown(column, role), engine)}"
        for column in contract.columns
        if shown(column, role) != "drop"
    )
    return f"SELECT\n{columns}\nFROM {CATALOGUE}.{contract.full_name}"


def create_wide_sql(view: Wide, role: Role, engine: BiEngine) -> str:
    """``CREATE OR REPLACE VIEW`` of a wide view for one role, as ``gold_<role>.<view>``.

    Each column is masked as in the view of its own table; only the joins see it in the clear.

    Raises:
        ValueError: when the role may not read one of the tables.
    """
    name = f"gold_{role}.{view.name}"
    return _created(name, view.description, engine, select_wide_sql(view, role, engine))


def select_wide_sql(
    view: Wide, role: Role, engine: BiEngine, catalogue: str = f"{CATALOGUE}."
) -> str:
    """The statement behind a wide view; raises as :func:`create_wide_sql` does.

    ``catalogue`` is what stands before the layer in the names of tables.
    """
    if role not in view.roles():
        raise ValueError(f"{view.name}: a table of it has no role {role}")
    columns = ",\n".join(
        f"  {_selected(one.column, way, engine, one.table.name, one.name)}"
        for one in view.columns()
        if (way := shown(one.column, role)) != "drop"
    )
    return f"SELECT\n{columns}\n{_from(view, engine, catalogue)}"


def select_unmasked_wide_sql(view: Wide, role: Role, engine: BiEngine) -> str:
    """The statement of the same, for an engine that masks the tables themselves for that role.

    It leaves out what the role sees nothing or only hashes of.
    """
    columns = ",\n".join(
        f"  {_selected(one.column, 'clear', engine, one.table.name, one.name)}"
        for one in view.columns()
        if shown(one.column, role) not in ("drop", "hash")
    )
    return f"SELECT\n{columns}\n{_from(view, engine, f'{CATALOGUE}.')}"


def _created(view: str, description: str, engine: BiEngine, select: str) -> str:
    if engine == "dremio":
        return f"CREATE OR REPLACE VIEW {view} AS\n{select}"
    comment = literal(description, engine)
    head = f"CREATE OR REPLACE VIEW {CATALOGUE}.{view}\nCOMMENT {comment}\nSECURITY DEFINER"
    return f"{head} AS\n{select}"


def _from(view: Wide, engine: BiEngine, catalogue: str) -> str:
    joins = "".join(f"\n{_joined(view, join, engine, catalogue)}" for join in view.joins)
    return f"FROM {_first(view.contract, engine, catalogue)}{joins}"


def _first(contract: Contract, engine: BiEngine, catalogue: str) -> str:
    """The view's first table; of an additive one, the sums."""
    table = f"{catalogue}{contract.full_name}"
    if contract.kind != "additive":
        return f"{table} AS {contract.name}"
    keys = [identifier(name, engine) for name in contract.key]
    sums = [_sum(c, engine) for c in contract.columns if not c.key_position]
    return (
        f"(SELECT {', '.join([*keys, *sums])} FROM {table}\n"
        f"  GROUP BY {', '.join(keys)}) AS {contract.name}"
    )


def _sum(column: Column, engine: BiEngine) -> str:
    name = identifier(column.name, engine)
    if engine == "duckdb" and column.type in ("int32", "int64"):  # its sums are of 128 bits
        return f"CAST(sum({name}) AS BIGINT) AS {name}"
    return f"sum({name}) AS {name}"


def _joined(view: Wide, join: Join, engine: BiEngine, catalogue: str) -> str:
    own = f"{view.contract.name}.{identifier(join.on, engine)}"
    other = f"{join.table}.{identifier(join.on, engine)}"
    table = f"{catalogue}{join.contract.full_name}"
    return f"LEFT JOIN {table} AS {join.table} ON {other} = {own}"


def _selected(
    column: Column, way: Shown, engine: BiEngine, table: str = "", called: str = ""
) -> str:
    """The column as it is shown, ``AS`` its name; of a table, and under a name, where given."""
    name = identifier(called or column.name, engine)
    value = masked(column, way, engine, table)
    return value if value == name else f"{value} AS {name}"


def masked(column: Column, way: Shown, engine: BiEngine, table: str = "") -> str:
    """What stands in place of the column's value; a band has the type of the column."""
    source = identifier(column.name, engine)
    value = f"{table}.{source}" if table else source
    if way == "clear":
        return value
    if way == "hash":
        value = f"CAST({value} AS VARCHAR)"
        if engine == "trino":
            value = f"hmac_sha256(to_utf8({value}), to_utf8('{MASK_KEY}'))"
            return f"lower(to_hex({value}))"
        hashed = f"SHA256(CONCAT('{MASK_KEY}', {value}))"
        if not column.required:  # which CONCAT takes for an empty text
            hashed = f"CASE WHEN {value} IS NOT NULL THEN {hashed} END"
        return hashed
    if way == "last4":
        return f"substr({value}, greatest(length({value}) - 3, 1))"
    step = column.mask_step
    band = f"floor(CAST({value} AS DOUBLE) / {step}) * {step}"
    return f"CAST({band} AS BIGINT)"
