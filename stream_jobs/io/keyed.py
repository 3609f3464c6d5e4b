"""A table with one row per key, laid out as the leaves of a tree: each file holds a range of keys.

A change rewrites the files in whose ranges its keys lie, and nothing else; those that were written
lately are still in memory. So the cost of a batch follows from what it touches, whatever the size
of the table. Files that are touched are cut small, and grow together again when they are let alone
(:meth:`KeyedTable.tidy`): where corrections fall the files are small, where only readers come they
are large.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.delta_log import Batch, DataFile, DeltaLog
from stream_jobs.shapes import Patch, Span

__all__ = ["FULL_ROWS", "KeyedTable", "LeafCache"]

_log = logging.getLogger(__name__)
LEAF_ROWS: Final = 1_024  # of a file where changes fall
FULL_ROWS: Final = 65_536  # of a file that is let alone
_JOIN: Final = 8  # neighbours that are joined at once
_COLD_S: Final = 60.0


class LeafCache:
    """Rows of files lately used, of all keyed tables together.

    Args:
        capacity: bytes to keep.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._lock = threading.Lock()
        self._leaves: OrderedDict[str, _Leaf] = OrderedDict()

    def get(self, file: DataFile) -> _Leaf | None:
        """The file's rows, if they are here."""
        with self._lock:
            leaf = self._leaves.get(file.path)
            if leaf is not None:
                self._leaves.move_to_end(file.path)
            return leaf

    def put(self, file: DataFile, leaf: _Leaf) -> None:
        """Keep a file's rows; the ones that were not used for longest make room."""
        with self._lock:
            self._leaves[file.path] = leaf
            self._held += leaf.bytes
            while self._held > self._capacity and len(self._leaves) > 1:
                _, dropped = self._leaves.popitem(last=False)
                self._held -= dropped.bytes

    def drop(self, file: DataFile) -> None:
        """Forget a file that was replaced."""
        with self._lock:
            leaf = self._leaves.pop(file.path, None)
            if leaf is not None:
                self._held -= leaf.bytes


class _Leaf:
    """Rows in the order of their keys."""

    __slots__ = ("bytes", "keys", "rows")

    def __init__(self, rows: pa.Table, key: str) -> None:
        keys = _values(rows.column(key))
        if len(keys) > 1 and not bool((keys[1:] > keys[:-1]).all()):
            order = np.argsort(keys, kind="stable")
            rows, keys = rows.take(pa.array(order)), keys[order]
        self.rows = rows
        self.keys = keys
        self.bytes = rows.nbytes


class KeyedTable:
    """Looks rows up by key and applies patches to them.

    Args:
        log: the table's log; its key is one column of integers or text.
        cache: shared by all tables of the application.
    """

    def __init__(self, log: DeltaLog, cache: LeafCache) -> None:
        (self._key,) = log.contract.key
        self.log = log
        self._cache = cache
        self._version = -1
        self._turn = -1
        self._groups: list[list[DataFile]] = []
        self._low = np.empty(0, dtype=np.int64)
        self._high = np.empty(0, dtype=np.int64)

    def of(self, keys: pa.Array | pa.ChunkedArray) -> pa.Table:
        """Rows under these keys; a key without a row is left out."""
        wanted = np.unique(_values(keys))
        parts = []
        for group, start, end in self._touched(wanted):
            for file in self._groups[group]:
                leaf, some = self._load(file), wanted[start:end]
                found, there = _find(leaf.keys, some)
                if there.any():
                    parts.append(leaf.rows.take(pa.array(found[there])))
        return pa.concat_tables(parts) if parts else self.log.schema.empty_table()

    def between(self, spans: Sequence[Span]) -> pa.Table:
        """Rows whose ``date`` lies in one of the spans, both ends within."""
        parts = [self.log.schema.empty_table()]
        for file in self.log.files.values():
            near = [span for span in spans if _may_hold(file, span)]
            if near:
                rows = self._load(file).rows
                parts.append(rows.filter(_inside(rows.column("date"), near)))
        return pa.concat_tables(parts)

    def live(self) -> pa.Table:
        """Every row of a silver table that is not deleted, read from the lake."""
        found = [rows.filter(pc.invert(rows.column("_is_deleted"))) for rows in self.parts()]
        return pa.concat_tables([self.log.schema.empty_table(), *found])

    def parts(self) -> Iterator[pa.Table]:
        """All rows, as of now, one file after the other, read from the lake."""
        for file in list(self.log.files.values()):
            yield self.log.read(file)

    def forget(self, gone: Callable[[pa.Table], pa.Array]) -> None:
        """Take rows for good out of the next file in turn, those which ``gone`` marks."""
        self._lay_out()
        if self._groups:
            self._turn = (self._turn + 1) % len(self._groups)
            rows = self._joined(self._turn).rows
            keys = rows.filter(gone(rows)).select([self._key])
            if keys.num_rows:
                self.apply(Patch(rows.slice(0, 0), rows.slice(0, 0), keys))

    def apply(self, patch: Patch, batch: Batch | None = None, also: Sequence[Batch] = ()) -> None:
        """Apply a patch in one commit; a row that it adds takes the place of one that is there.

        ``also`` are further transactions to note in it.
        """
        new = pa.concat_tables([patch.inserts, patch.updates.select(patch.inserts.column_names)])
        new = new.select(self.log.schema.names).cast(self.log.schema)
        coming = _Leaf(new, self._key)
        going = np.unique(_values(patch.deletes.column(self._key)))
        touched = np.unique(np.concatenate([coming.keys, going])) if len(going) else coming.keys
        add: list[DataFile] = []
        remove: list[DataFile] = []
        leaves: list[_Leaf] = []
        met = 0
        bulk = patch.num_rows > FULL_ROWS // 4
        for group, start, end in self._owners(touched):
            low, high = touched[start], touched[end - 1]
            first, last = np.searchsorted(coming.keys, low), _after(coming.keys, high)
            rows = coming.rows.slice(first, last - first)
            fresh = np.ones(rows.num_rows, dtype=bool)
            if group >= 0:
                old = self._joined(group)
                _, there = _find(touched[start:end], old.keys)
                met += int(there.sum())
                rows = pa.concat_tables([old.rows.filter(pa.array(~there)), rows])
                fresh = np.concatenate([np.zeros(len(old.keys) - int(there.sum()), bool), fresh])
                remove += self._groups[group]
            order = np.argsort(_values(rows.column(self._key)), kind="stable")
            for a, b in _pieces(fresh[order], bulk):
                leaf = _Leaf(rows.take(pa.array(order[a:b])).combine_chunks(), self._key)
                add.append(self.log.write(leaf.rows))
                leaves.append(leaf)
        self._check(patch, met, batch)
        self.log.commit("MERGE" if remove else "WRITE", add, remove, batch, also=also)
        for file in remove:
            self._cache.drop(file)
        for file, leaf in zip(add, leaves, strict=True):
            self._cache.put(file, leaf)

    def tidy(self) -> bool:
        """Join one run of neighbouring small files that have been let alone; false if none is."""
        self._lay_out()
        run = self._cold_run()
        if not run:
            return False
        rows = pa.concat_tables([self._load(file).rows for file in run]).combine_chunks()
        self.log.commit("OPTIMIZE", [self.log.write(rows)], run, moved=True)
        for file in run:
            self._cache.drop(file)
        return True

    def _cold_run(self) -> list[DataFile]:
        """Neighbours that together fill a file eight times the size of the largest of them."""
        since = time.monotonic() - _COLD_S
        for limit in (LEAF_ROWS, _JOIN * LEAF_ROWS):
            run: list[DataFile] = []
            for group in self._groups:
                (file, *more) = group
                if more or file.rows > limit or file.added > since:
                    run = []
                    continue
                run.append(file)
                if len(run) == _JOIN:
                    return run
        return []

    def _check(self, patch: Patch, met: int, batch: Batch | None) -> None:
        believed = patch.updates.num_rows + patch.deletes.num_rows
        if met != believed:
            _log.error(
                "%s, batch %s: %d rows to change, but %d are there; stop the stream and prove the "
                "tables with `finlake verify`",
                self.log.contract.full_name,
                batch and batch[1],
                believed,
                met,
            )

    def _lay_out(self) -> None:
        """Bring the order of the files up to the log's version."""
        if self._version == self.log.version:
            return
        unknown = [f for f in self.log.files.values() if f.low is None or f.rows < 0]
        for file in unknown:  # written by somebody who left no statistics
            keys = self._load(file).keys
            if len(keys):
                known = replace(file, rows=len(keys), low=keys[0], high=keys[-1])
                self.log.files[file.path] = known
            else:
                self._cache.drop(file)
        files = sorted(
            (f for f in self.log.files.values() if f.low is not None), key=lambda f: f.low
        )
        self._groups = []
        low: list[Any] = []
        high: list[Any] = []
        for file in files:
            # Files of other writers may overlap: they are one group until they are rewritten.
            if high and file.low <= high[-1]:
                self._groups[-1].append(file)
                high[-1] = max(high[-1], file.high)
            else:
                self._groups.append([file])
                low.append(file.low)
                high.append(file.high)
        self._low, self._high = _array(low), _array(high)
        self._version = self.log.version

    def _touched(self, keys: np.ndarray[Any, Any]) -> Iterator[tuple[int, int, int]]:
        """Groups that may hold some of the sorted keys: group, first of its keys, and their end."""
        self._lay_out()
        if not len(keys) or not self._groups:
            return
        starts = np.searchsorted(keys, self._low, side="left")
        ends = np.searchsorted(keys, self._high, side="right")
        for group in np.flatnonzero(ends > starts):
            yield int(group), int(starts[group]), int(ends[group])

    def _owners(self, keys: np.ndarray[Any, Any]) -> Iterator[tuple[int, int, int]]:
        """The group that each of the sorted keys belongs in, new ones included; -1 when none is."""
        self._lay_out()
        if not len(keys):
            return
        if not self._groups:
            yield -1, 0, len(keys)
            return
        owner = np.maximum(np.searchsorted(self._low, keys, side="right") - 1, 0)
        cuts = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(keys)]
        for start, end in pairwise(cuts):
            group = int(owner[start])
            full = self._low_rows(group) >= LEAF_ROWS
            if full and group == len(self._groups) - 1 and keys[start] > self._high[group]:
                group = -1  # all beyond the last file, which is full: a new one
            yield group, start, end

    def _low_rows(self, group: int) -> int:
        return sum(file.rows for file in self._groups[group])

    def _joined(self, group: int) -> _Leaf:
        files = self._groups[group]
        if len(files) == 1:
            return self._load(files[0])
        return _Leaf(pa.concat_tables([self._load(file).rows for file in files]), self._key)

    def _load(self, file: DataFile) -> _Leaf:
        leaf = self._cache.get(file)
        if leaf is None:
            leaf = _Leaf(self.log.read(file), self._key)
            self._cache.put(file, leaf)
        return leaf


def _may_hold(file: DataFile, span: Span) -> bool:
    if file.first is None or file.last is None:
        return True
    return file.first <= span[1] and file.last >= span[0]


def _inside(times: pa.ChunkedArray, spans: Sequence[Span]) -> pa.Array:
    micros = times.cast(pa.int64()).to_numpy()
    inside = np.zeros(len(micros), dtype=bool)
    for start, end in spans:
        first, last = (pa.scalar(t, times.type).cast(pa.int64()).as_py() for t in (start, end))
        inside |= (micros >= first) & (micros <= last)
    return pa.array(inside)


def _pieces(fresh: np.ndarray[Any, Any], bulk: bool) -> Iterator[tuple[int, int]]:
    """How to cut sorted rows into files: small ones around rows that are fresh, large ones else."""
    count = len(fresh)
    if bulk:
        yield from ((a, min(a + FULL_ROWS, count)) for a in range(0, count, FULL_ROWS))
        return
    start = 0
    for a in range(0, count, LEAF_ROWS):
        b = min(a + LEAF_ROWS, count)
        if fresh[a:b].any():
            if start < a:
                yield start, a
            yield a, b
            start = b
        elif b - start >= FULL_ROWS:
            yield start, b
            start = b
    if start < count:
        yield start, count


def _find(
    keys: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Positions of the wanted in the sorted keys, and which of them are there at all."""
    if not len(keys):
        nowhere = np.zeros(len(wanted), dtype=np.int64)
        return nowhere, nowhere.astype(bool)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return places, np.asarray(keys[places] == wanted, dtype=bool)


def _after(keys: np.ndarray[Any, Any], high: Any) -> int:
    return int(np.searchsorted(keys, high, side="right"))


def _values(column: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Keys as numbers, or as objects where they are text."""
    if pa.types.is_integer(column.type):
        return np.asarray(column.to_numpy(), dtype=np.int64)
    return _array(column.to_pylist())


def _array(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    if values and isinstance(values[0], str):
        found = np.empty(len(values), dtype=object)
        found[:] = values
        return found
    return np.array(values, dtype=np.int64)
