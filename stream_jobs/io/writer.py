"""The lake's tables as the stream reads and writes them, each batch once per table.

A micro-batch is noted in a table's log as a transaction (application, batch); a batch that is in
the log already is not written again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from infra.lake.delta_log import DeltaLog
from infra.lake.tables import Lake
from lakehouse_schemas import Contract
from stream_jobs.io.appended import AppendedTable
from stream_jobs.io.keyed import KeyedTable
from stream_jobs.io.leaf import LeafCache
from stream_jobs.shapes import Patch, Span

__all__ = ["LakeWriter", "Tables", "Writer", "is_keyed"]

_log = logging.getLogger(__name__)


class Writer(Protocol):
    """Reads keyed tables, and writes for one application; a batch's second writing does nothing."""

    def of(self, contract: Contract, keys: pa.Array) -> pa.Table:
        """Rows of a keyed table under these keys; a key without a row is left out."""

    def under(self, contract: Contract, prefixes: pa.Array) -> pa.Table:
        """Rows of a keyed table whose key, a text, begins with one of these."""

    def between(
        self, contract: Contract, spans: Sequence[Span], columns: Sequence[str]
    ) -> pa.Table:
        """Some columns, ``date`` among them, of the rows in one of the spans of that time."""

    def live(self, contract: Contract) -> pa.Table:
        """Every row of a silver table that is not deleted."""

    def append(self, contract: Contract, rows: pa.Table, batch_id: int) -> None:
        """Add the rows."""

    def merge(self, contract: Contract, patch: Patch, batch_id: int) -> None:
        """Apply the patch in one commit."""


class Tables:
    """The lake's tables, each opened when it is first asked for; the one writer of them all.

    A table must be used by one thread at a time.

    Args:
        lake: where they are.
        cache_bytes: memory for rows of keyed tables.
    """

    def __init__(self, lake: Lake, cache_bytes: int) -> None:
        self._lake = lake
        self._cache = LeafCache(cache_bytes)
        self._keyed: dict[str, KeyedTable] = {}
        self._appended: dict[str, AppendedTable] = {}

    def keyed(self, contract: Contract) -> KeyedTable:
        """A table with one row per key."""
        name = contract.full_name
        if name not in self._keyed:
            self._keyed[name] = KeyedTable(DeltaLog(self._lake, contract), self._cache)
        return self._keyed[name]

    def appended(self, contract: Contract) -> AppendedTable:
        """A table that rows are added to."""
        name = contract.full_name
        if name not in self._appended:
            self._appended[name] = AppendedTable(DeltaLog(self._lake, contract))
        return self._appended[name]

    def any(self, contract: Contract) -> KeyedTable | AppendedTable:
        """The table in the form that its contract asks for."""
        return self.keyed(contract) if is_keyed(contract) else self.appended(contract)


def is_keyed(contract: Contract) -> bool:
    """Whether a table has one row per key, by which it is changed."""
    return contract.kind == "keyed" and len(contract.key) == 1


class LakeWriter:
    """Writes to the lake under one application id."""

    def __init__(self, tables: Tables, app_id: str) -> None:
        self._tables = tables
        self._app_id = app_id

    def of(self, contract: Contract, keys: pa.Array) -> pa.Table:
        """Rows of a keyed table under these keys; a key without a row is left out."""
        return self._tables.keyed(contract).of(keys)

    def under(self, contract: Contract, prefixes: pa.Array) -> pa.Table:
        """Rows of a keyed table whose key, a text, begins with one of these."""
        return self._tables.keyed(contract).under(prefixes)

    def between(
        self, contract: Contract, spans: Sequence[Span], columns: Sequence[str]
    ) -> pa.Table:
        """Some columns, ``date`` among them, of the rows in one of the spans of that time."""
        return self._tables.keyed(contract).between(spans, columns)

    def live(self, contract: Contract) -> pa.Table:
        """Every row of a silver table that is not deleted."""
        return self._tables.keyed(contract).live()

    def append(self, contract: Contract, rows: pa.Table, batch_id: int) -> None:
        """Add the rows, unless the table has this batch."""
        if is_keyed(contract):
            nothing = rows.slice(0, 0)
            self.merge(contract, Patch(rows, nothing, nothing.select(list(contract.key))), batch_id)
            return
        table = self._tables.appended(contract)
        if rows.num_rows and not self._has(table.log, batch_id):
            table.append(rows, (self._app_id, batch_id))

    def merge(self, contract: Contract, patch: Patch, batch_id: int) -> None:
        """Apply the patch, unless the table has this batch."""
        table = self._tables.keyed(contract)
        if patch.num_rows and not self._has(table.log, batch_id):
            table.apply(patch, (self._app_id, batch_id))

    def note(self, contract: Contract, batch_id: int) -> None:
        """Note a batch that brought the table nothing."""
        log = self._tables.any(contract).log
        if not self._has(log, batch_id):
            log.commit("WRITE", (), (), (self._app_id, batch_id))

    def _has(self, log: DeltaLog, batch_id: int) -> bool:
        if log.batch(self._app_id) < batch_id:
            return False
        _log.info("%s has batch %d already", log.contract.full_name, batch_id)
        return True
