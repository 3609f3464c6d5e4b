"""Make the lake's tables and wide views known to Trino, and forget those that are gone.

Trino's metastore knows a table by its place alone; columns and rows are read from the Delta log at
each question. So a table is registered once, and nothing is to be done when it changes. A view is
made as soon as all its tables are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from finlake.errors import FinlakeError
from infra.lake.engine import QueryError
from infra.lake.tables import Lake
from infra.lake.trino import Trino
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts
from lakehouse_schemas.render.access import REGISTRY
from lakehouse_schemas.render.sql import literal
from lakehouse_schemas.render.views import select_wide_sql
from lakehouse_schemas.wide import VIEWS, Wide

__all__ = ["LAYERS", "Catalogue"]

LAYERS = ("silver", "gold")
"""The layers that Trino knows."""

_VIEWS = {view.name for view in VIEWS}
_PLACE = re.compile(r"location = '([^']*)'")


class Catalogue:
    """Registers the tables of the contracts as they come into being.

    Args:
        settings: the lake.
        trino: asked as the user who may register tables.
        said: takes a line for each table or view that becomes known or is forgotten.
        owner: asked as the user who owns the wide views; without it there are none.
    """

    def __init__(
        self,
        settings: Settings,
        trino: Trino,
        said: Callable[[str], None] = lambda _: None,
        owner: Trino | None = None,
    ) -> None:
        self._lake = Lake(settings)
        self._trino = trino
        self._said = said
        self._contracts = [c for c in contracts.lake_tables() if c.layer in LAYERS]
        self._known: dict[str, str] | None = None
        self._owner = owner
        self._there: set[str] = set()  # views that Trino knows, by whomever they were made
        self._made: set[str] = set()  # those that this process has made

    def update(self) -> list[str]:
        """Bring Trino in line with the lake; returns the names of the tables that it knows then.

        A table that Trino knows at another place, because the lake has moved, is registered anew.
        Trino is asked for what it knows once; from then on only a change costs it anything.

        Raises:
            ComponentMissing: when Trino or the lake cannot be reached.
            QueryError: when Trino refuses a table.
        """
        known = self._read() if self._known is None else self._known
        there = {c.full_name: self._place(c) for c in self._contracts if self._lake.has(c)}
        self._known = None  # should one of the calls fail
        for name in [name for name, place in known.items() if there.get(name) != place]:
            self._call("unregister_table", name)
            del known[name]
            self._said(f"{name} is forgotten")
        for name, place in there.items():
            if name not in known:
                self._call("register_table", name, place)
                known[name] = place
                self._said(f"{name} is known")
        self._known = known
        if self._owner:
            for view in VIEWS:
                self._bring(self._owner, view, known)
        return sorted(known)

    def _bring(self, owner: Trino, view: Wide, known: dict[str, str]) -> None:
        """Make the view, once for each process as its statement may be another now, or drop it."""
        whole = all(table.full_name in known for table in view.tables)
        name = f"{REGISTRY}.{view.full_name}"
        if whole and view.name not in self._made:
            comment = literal(view.description, "trino")
            select = select_wide_sql(view, "admin", "trino")
            owner.run(
                f"CREATE OR REPLACE VIEW {name} COMMENT {comment} SECURITY DEFINER AS {select}"
            )
            self._made.add(view.name)
            if view.name not in self._there:
                self._there.add(view.name)
                self._said(f"{view.full_name} is known")
        elif not whole and view.name in self._there:
            owner.run(f"DROP VIEW IF EXISTS {name}")
            self._there.discard(view.name)
            self._made.discard(view.name)
            self._said(f"{view.full_name} is forgotten")

    def _place(self, contract: Contract) -> str:
        """Address of the table as Trino writes it."""
        uri = self._lake.uri(contract)
        return uri if uri.startswith("s3://") else f"local://{uri}"

    def _read(self) -> dict[str, str]:
        """The tables that Trino knows, and their places, which stand in their definitions."""
        schemas = self._names(f"SHOW SCHEMAS FROM {REGISTRY}")
        found = {}
        for layer in LAYERS:
            if layer not in schemas:
                self._trino.run(f"CREATE SCHEMA IF NOT EXISTS {REGISTRY}.{layer}")
                continue
            for table in self._names(f"SHOW TABLES FROM {REGISTRY}.{layer}"):
                if table in _VIEWS:
                    self._there.add(table)
                    continue
                found[f"{layer}.{table}"] = self._registered(layer, table)
        return found

    def _registered(self, layer: str, table: str) -> str:
        try:
            (text,) = self._names(f"SHOW CREATE TABLE {REGISTRY}.{layer}.{table}")
        except FinlakeError:  # its log is gone, so that it has no definition
            return ""
        place = _PLACE.search(text)
        return place[1] if place else ""

    def _names(self, sql: str) -> list[str]:
        names: list[str] = self._trino.query(sql).column(0).to_pylist()
        return names

    def _call(self, procedure: str, name: str, place: str = "") -> None:
        layer, _, table = name.partition(".")
        words = [layer, table, *([place] if place else [])]
        values = ", ".join(literal(word, "trino") for word in words)
        try:
            self._trino.run(f"CALL {REGISTRY}.system.{procedure}({values})")
        except QueryError as error:
            # Another process may have done the same at this moment.
            if not re.search(r"already exists|not found|does not exist", str(error)):
                raise QueryError(f"{name}: {error}") from None
