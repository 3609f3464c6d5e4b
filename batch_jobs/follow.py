"""Follow a Delta table as a reader does that polls it: each new commit, and only its new files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from pyarrow import fs

from infra.lake.tables import Lake
from lakehouse_schemas import Contract

__all__ = ["Commit", "Follower"]


@dataclass(frozen=True)
class Commit:
    """One commit of a table: files it adds and takes away, and the batch that made it."""

    version: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    batch: tuple[str, int] | None
    """Application and batch; ``None`` for housekeeping."""


class Follower:
    """Gives the commits of a table one after the other, from its newest one at the start on.

    A table that is not there is made by nobody here; it is looked for until it is. ``start`` are
    the files of that newest version.
    """

    def __init__(self, lake: Lake, contract: Contract) -> None:
        self._lake = lake
        self._contract = contract
        table = lake.open(contract)
        self._next = 0 if table is None else table.version() + 1
        self._files = None if table is None else self._open()
        self.start = frozenset[str]() if table is None else _files(table)

    def _open(self) -> fs.FileSystem:
        uri, options = self._lake.uri(self._contract), self._lake.storage_options
        return fs.PyFileSystem(DeltaStorageHandler(uri, options))

    def poll(self) -> Commit | None:
        """The next commit, or ``None`` while there is none."""
        if self._files is None:
            if self._lake.open(self._contract) is None:
                return None
            self._files = self._open()
        try:
            with self._files.open_input_file(f"_delta_log/{self._next:020d}.json") as file:
                text = file.read()
        except OSError:
            return None
        added, removed, batch = [], [], None
        for line in text.splitlines():
            action = json.loads(line)
            if "add" in action:
                added.append(unquote(action["add"]["path"]))
            elif "remove" in action:
                removed.append(unquote(action["remove"]["path"]))
            elif "txn" in action:
                batch = (action["txn"]["appId"], int(action["txn"]["version"]))
        commit = Commit(self._next, tuple(added), tuple(removed), batch)
        self._next += 1
        return commit

    def read(
        self, path: str, columns: Sequence[str] | None, where: pc.Expression | None = None
    ) -> pa.Table:
        """Columns of one added file; all without names."""
        files = self._files or self._open()
        with files.open_input_file(path) as file:
            return pq.read_table(file, columns=columns and list(columns), filters=where)


def _files(table: DeltaTable) -> frozenset[str]:
    actions = pa.table(table.get_add_actions())
    return frozenset(unquote(path) for path in actions["path"].to_pylist())
