"""Is the source fit to be captured? Found out before the connector starts, in words.

``judge`` is pure: it compares facts with what Debezium and the contracts need. ``inspect`` reads
the facts from a MySQL or MariaDB server as the connector's own user.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.config import HEARTBEAT_TABLE, SIGNAL_TABLE, Source
from lakehouse_schemas.model import Contract

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

__all__ = ["Facts", "inspect", "judge"]

_TOKEN_COLUMNS: Final = ("card_token", "card_token_key", "card_last4")
_SETTINGS: Final = {
    "log_bin": ("ON", "start the server with log-bin"),
    "binlog_format": ("ROW", "SET GLOBAL binlog_format = 'ROW' and in the server's configuration"),
    "binlog_row_image": (
        "FULL",
        "SET GLOBAL binlog_row_image = 'FULL' and in the server's configuration",
    ),
}
# MariaDB 11.4 gives all changes of a transaction one position unless told otherwise
_LEGACY_POSITIONS: Final = (
    "binlog_legacy_event_pos",
    "ON",
    "SET GLOBAL binlog_legacy_event_pos = ON and in the server's configuration;"
    " else changes of one transaction cannot be put in order",
)
# The names of one privilege: MySQL's and older MariaDB's, then MariaDB's.
_GLOBAL: Final = (
    ("RELOAD",),
    ("REPLICATION SLAVE",),
    ("REPLICATION CLIENT", "BINLOG MONITOR"),
)
_DATABASE: Final = ("SELECT", "LOCK TABLES")
_CAPTURED: Final = ("SELECT", "LOCK TABLES")  # on the captured database is enough
_SERVICE: Final = {
    SIGNAL_TABLE: ("INSERT", "DELETE"),
    HEARTBEAT_TABLE: ("INSERT", "UPDATE"),
}


@dataclass(frozen=True)
class Facts:
    """What the server says of itself.

    ``variables`` are global variables by lower-case name, ``columns`` the column names by table,
    ``keys`` the primary key's columns by table, ``grants`` the rows of SHOW GRANTS.
    """

    version: str
    variables: Mapping[str, str]
    columns: Mapping[str, tuple[str, ...]]
    keys: Mapping[str, tuple[str, ...]]
    grants: tuple[str, ...]


def judge(facts: Facts, source: Source, tables: Iterable[Contract]) -> list[str]:
    """What is in the way of a capture, the gravest first; empty when nothing is."""
    return [
        *_about_variables(facts),
        *(problem for table in tables for problem in _about_table(facts, source, table)),
        *_about_grants(facts, source),
    ]


def _about_variables(facts: Facts) -> list[str]:
    needed = [(name, *rest) for name, rest in _SETTINGS.items()]
    if _LEGACY_POSITIONS[0] in facts.variables:
        needed.append(_LEGACY_POSITIONS)
    return [
        f"source server: {name} is {facts.variables.get(name, 'unknown')} instead of {value}; {how}"
        for name, value, how in needed
        if facts.variables.get(name, "").upper() != value
    ]


def _about_table(facts: Facts, source: Source, table: Contract) -> list[str]:
    name = f"source table {source.database}.{table.name}"
    found = facts.columns.get(table.name)
    if found is None:
        return [f"{name}: is missing; create the tables with `finlake up`"]
    missing = [column for column in table.column_names if column not in found]
    if any(column in _TOKEN_COLUMNS for column in missing):
        return [
            f"{name}: lacks {', '.join(missing)}, and card numbers never leave the source; add the"
            " columns (docs/operations/capture.md, section 'Token columns') and fill them"
            " with `finlake load` or your own HMAC-SHA-256"
        ]
    # what must not leave the source need not be there
    missing = [column for column in missing if column not in table.dropped]
    if missing:
        return [
            f"{name}: lacks column {', '.join(missing)}; add it as lakehouse_schemas/tables/source/"
            f"{table.name}.yaml says"
        ]
    if set(facts.keys.get(table.name, ())) != set(table.key):
        return [
            f"{name}: its primary key is ({', '.join(facts.keys.get(table.name, ()))}) instead of"
            f" ({', '.join(table.key)}); correct the table or its contract"
        ]
    return []


def _about_grants(facts: Facts, source: Source) -> list[str]:
    mariadb = "mariadb" in facts.version.lower()
    wanted = [("*", "*", tuple(names[-1 if mariadb else 0] for names in _GLOBAL))]
    wanted.append((source.database, "*", _DATABASE))
    wanted += [(source.database, table, names) for table, names in _SERVICE.items()]
    problems = []
    for database, table, names in wanted:
        granted = _granted(facts.grants, database, table)
        missing = [
            name
            for name in names
            if not granted.intersection(next((g for g in _GLOBAL if name in g), (name,)))
        ]
        if missing:
            listed, on = ", ".join(missing), f"{database}.{table}"
            problems.append(
                f"source user: lacks {listed} on {on}; GRANT {listed} ON {on} TO the user of"
                " FINLAKE_SOURCE_CDC_USER"
            )
    return problems


def _granted(grants: Iterable[str], database: str, table: str) -> frozenset[str]:
    """Privileges that hold for the table, from rows of SHOW GRANTS."""
    names: set[str] = set()
    for grant in grants:
        match = re.match(r"GRANT (.+?) ON (?:TABLE )?(\S+?)\.(\S+) TO ", grant)
        if not match:
            continue
        on = tuple(part.replace("`", "").replace("\\", "") for part in match.group(2, 3))
        if on in (("*", "*"), (database, "*"), (database, table)):
            listed = match[1].upper()
            if listed.startswith("ALL"):
                names.update(name for group in (*_GLOBAL, _DATABASE) for name in group)
                names.update(name for group in _SERVICE.values() for name in group)
            names.update(name.strip() for name in listed.split(","))
    return frozenset(names)


def inspect(cursor: Cursor, source: Source) -> Facts:
    """Ask a MySQL or MariaDB server."""
    cursor.execute("SELECT @@version")
    version = str(_rows(cursor)[0][0])
    cursor.execute(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN"
        " ('log_bin', 'binlog_format', 'binlog_row_image', 'binlog_legacy_event_pos')"
    )
    variables = {str(name).lower(): str(value) for name, value in _rows(cursor)}
    # MySQL 9 knows no other format and has lost the variable
    if "binlog_format" not in variables and variables:
        variables["binlog_format"] = "ROW"
    cursor.execute(
        "SELECT table_name, column_name, column_key FROM information_schema.columns"
        " WHERE table_schema = %s ORDER BY table_name, ordinal_position",
        (source.database,),
    )
    columns: dict[str, list[str]] = {}
    keys: dict[str, list[str]] = {}
    for table, column, key in _rows(cursor):
        columns.setdefault(str(table), []).append(str(column))
        if key == "PRI":
            keys.setdefault(str(table), []).append(str(column))
    cursor.execute("SHOW GRANTS")
    grants = tuple(str(row[0]) for row in _rows(cursor))
    return Facts(
        version=version,
        variables=variables,
        columns={table: tuple(names) for table, names in columns.items()},
        keys={table: tuple(names) for table, names in keys.items()},
        grants=grants,
    )


def _rows(cursor: Cursor) -> list[tuple[object, ...]]:
    return list(cursor.fetchall())
