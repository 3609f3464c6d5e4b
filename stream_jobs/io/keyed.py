"""A table with one row per key, laid out as the leaves of a tree: each file holds a range of keys.

A change rewrites the files in whose ranges its keys lie, and nothing else; those that were written
lately are still in memory. So the cost of a batch follows from what it touches, whatever the size
of the table. Files that are touched are cut small, and grow together again when they are let alone
(:meth:`KeyedTable.tidy`): where corrections fall the files are small, where only readers come they
are large. Where a batch changes something in each of many neighbours, as among the newest rows, it
writes them as one.

New rows of which hardly any two belong in the same leaf would have one written for each of them.
They are put together into one file of their own, scattered over the whole range, and sorted in when
there are enough of them.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.delta_log import Batch, DataFile, DeltaLog
from stream_jobs.io.leaf import Keys, Leaf, LeafCache, array_of, find, values_of
from stream_jobs.shapes import Patch, Span

__all__ = ["FULL_ROWS", "KeyedTable"]

_log = logging.getLogger(__name__)
LEAF_ROWS: Final = 1_024  # of a file where changes fall
FULL_ROWS: Final = 65_536  # of a file that is let alone
HOT_ROWS: Final = 16_384  # of a file of which much changes in one batch
_HOT: Final = 256  # rows for each that changes, at most, where much does
_JOIN: Final = 8  # neighbours that are joined at once
_COLD_S: Final = 60.0
_SPARSE: Final = 16  # rows that are there for each new one, at least, for these to be set apart
_FEW: Final = 4  # leaves that are written for sparse rows before these are set apart
_BEYOND: Final = "\U0010ffff"  # sorts behind whatever a key goes on with


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
        self._scattered: list[DataFile] = []
        self._low = np.empty(0, dtype=np.int64)
        self._high = np.empty(0, dtype=np.int64)

    def of(self, keys: pa.Array | pa.ChunkedArray) -> pa.Table:
        """Rows under these keys; a key without a row is left out."""
        wanted = np.unique(values_of(keys))
        parts = [self.log.schema.empty_table()]
        for file, some in self._near(wanted, wanted):
            leaf = self._load(file)
            found, there = find(leaf.keys, wanted[some])
            if there.any():
                parts.append(leaf.rows.take(pa.array(found[there])))
        return pa.concat_tables(parts)

    def under(self, prefixes: pa.Array | pa.ChunkedArray) -> pa.Table:
        """Rows whose key, a text, begins with one of these; none may begin with another."""
        low = np.unique(values_of(prefixes))
        high = array_of([prefix + _BEYOND for prefix in low])
        parts = [self.log.schema.empty_table()]
        for file, some in self._near(low, high):
            leaf = self._load(file)
            begin = np.searchsorted(leaf.keys, low[some], side="left")
            end = np.searchsorted(leaf.keys, high[some], side="right")
            parts += [leaf.rows.slice(a, b - a) for a, b in zip(begin, end, strict=True) if b > a]
        return pa.concat_tables(parts)

    def between(self, spans: Sequence[Span], columns: Sequence[str]) -> pa.Table:
        """Some columns of the rows whose ``date`` lies in one of the spans, both ends within."""
        parts = [self.log.schema.empty_table().select(columns)]
        for file in self.log.files.values():
            near = [span for span in spans if _may_hold(file, span)]
            if near:
                rows = self._load(file).rows.select(columns)
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
        turns = [*self._groups, *([file] for file in self._scattered)]
        if turns:
            self._turn = (self._turn + 1) % len(turns)
            rows = self._joined(turns[self._turn]).rows
            keys = rows.filter(gone(rows)).select([self._key])
            if keys.num_rows:
                self.apply(Patch(rows.slice(0, 0), rows.slice(0, 0), keys))

    def apply(self, patch: Patch, batch: Batch | None = None, also: Sequence[Batch] = ()) -> None:
        """Apply a patch in one commit; a row that it adds takes the place of one that is there.

        ``also`` are further transactions to note in it.
        """
        self._lay_out()
        new = pa.concat_tables([patch.inserts, patch.updates.select(patch.inserts.column_names)])
        coming = Leaf(new.select(self.log.schema.names).cast(self.log.schema), self._key)
        going = np.unique(values_of(patch.deletes.column(self._key)))
        touched = np.unique(np.concatenate([coming.keys, going])) if len(going) else coming.keys
        edit = _Edit(self.log, self._key)
        bulk = patch.num_rows > FULL_ROWS // 4
        touched, coming, met = self._replace_scattered(edit, touched, coming)
        sparse: list[tuple[list[DataFile], Leaf, pa.Table]] = []
        for run in self._runs(touched):
            mine = touched[run.start : run.end]
            rows = coming.between(mine[0], mine[-1])
            files = [file for group in self._groups[run.first : run.beyond] for file in group]
            most = FULL_ROWS if bulk else HOT_ROWS if run.hot else LEAF_ROWS
            if not files:
                edit.rewrite([], rows.slice(0, 0), rows, most)
                continue
            old = self._joined(files)
            _, there = find(mine, old.keys)
            if there.any():
                met += int(there.sum())
                kept = old.rows.filter(pa.array(~there))
                edit.rewrite(files, kept, rows, most)
            elif bulk or not self._is_sparse(run.first, rows, old, mine[0]):
                edit.rewrite(files, old.rows, rows, most)
            else:
                sparse.append((files, old, rows))
        if len(sparse) > _FEW:
            edit.put(pa.concat_tables([rows for _, _, rows in sparse]), scattered=True)
        else:
            for files, old, rows in sparse:
                edit.rewrite(files, old.rows, rows, LEAF_ROWS)
        self._check(patch, met, batch)
        self._commit("MERGE" if edit.remove else "WRITE", edit, batch, also)

    def tidy(self) -> bool:
        """Do one piece of what makes the files fewer; false if there is nothing to do."""
        self._lay_out()
        return self._sort_in() or self._join_scattered() or self._join_cold()

    def _replace_scattered(
        self, edit: _Edit, touched: Keys, coming: Leaf
    ) -> tuple[Keys, Leaf, int]:
        """Change the rows that lie in scattered files; the keys and rows left, and how many."""
        met = 0
        for file in self._scattered:
            old = self._load(file)
            _, mine = find(old.keys, touched)
            if mine.any():
                met += int(mine.sum())
                _, there = find(touched, old.keys)
                kept = old.rows.filter(pa.array(~there))
                _, new = find(touched[mine], coming.keys)
                edit.remove.append(file)
                both = pa.concat_tables([kept, coming.rows.filter(pa.array(new))])
                edit.put(both, scattered=True)
                touched = touched[~mine]
                coming = Leaf(coming.rows.filter(pa.array(~new)), self._key)
        return touched, coming, met

    def _is_sparse(self, group: int, rows: pa.Table, old: Leaf, first: Any) -> bool:
        behind = group == len(self._groups) - 1 and first > self._high[group]
        return not behind and rows.num_rows > 0 and rows.num_rows * _SPARSE <= len(old.keys)

    def _sort_in(self) -> bool:
        """Bring scattered rows into leaves when there are many, first where most belong."""
        if not self._groups or sum(file.rows for file in self._scattered) <= FULL_ROWS // 8:
            return False
        scattered = self._joined(self._scattered)
        owner = self._owner(scattered.keys)
        groups, counts = np.unique(owner, return_counts=True)
        edit = _Edit(self.log, self._key)
        edit.remove += self._scattered
        left = np.ones(len(owner), dtype=bool)
        room = FULL_ROWS
        for group in groups[np.argsort(-counts, kind="stable")].tolist():
            mine, old = owner == group, self._joined(self._groups[group])
            new = scattered.rows.filter(pa.array(mine))
            most = FULL_ROWS if len(old.keys) > LEAF_ROWS else LEAF_ROWS
            edit.rewrite(self._groups[group], old.rows, new, most)
            left &= ~mine
            room -= self._rows_of(group)
            if room <= 0:
                break
        edit.put(scattered.rows.filter(pa.array(left)), scattered=True)
        self._commit("OPTIMIZE", edit, moved=True)
        return True

    def _join_scattered(self) -> bool:
        for limit in (LEAF_ROWS, _JOIN * LEAF_ROWS):
            small = [file for file in self._scattered if file.rows <= limit]
            if len(small) >= _JOIN:
                edit = _Edit(self.log, self._key)
                edit.remove += small
                edit.put(self._joined(small).rows, scattered=True)
                self._commit("OPTIMIZE", edit, moved=True)
                return True
        return False

    def _join_cold(self) -> bool:
        """Join one run of neighbouring small files that have been let alone."""
        run = self._cold_run()
        if not run:
            return False
        rows = pa.concat_tables([self._load(file).rows for file in run]).combine_chunks()
        self.log.commit("OPTIMIZE", [self.log.write(rows)], run, moved=True)
        for file in run:
            self._cache.drop(file)
        return True

    def _commit(
        self,
        operation: str,
        edit: _Edit,
        batch: Batch | None = None,
        also: Sequence[Batch] = (),
        moved: bool = False,
    ) -> None:
        self.log.commit(operation, edit.add, edit.remove, batch, moved, also)
        for file in edit.remove:
            self._cache.drop(file)
        for file, leaf in zip(edit.add, edit.leaves, strict=True):
            self._cache.put(file, leaf)

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
        every = [f for f in self.log.files.values() if f.low is not None]
        self._scattered = [f for f in every if f.scattered]
        files = sorted((f for f in every if not f.scattered), key=lambda f: f.low)
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
        self._low, self._high = array_of(low), array_of(high)
        self._version = self.log.version

    def _near(self, low: Keys, high: Keys) -> Iterator[tuple[DataFile, slice]]:
        """Files that may hold keys from ``low`` to ``high``, sorted ranges, with which of these."""
        self._lay_out()
        if not len(low):
            return
        starts = np.searchsorted(high, self._low, side="left")
        ends = np.searchsorted(low, self._high, side="right")
        for group in np.flatnonzero(ends > starts).tolist():
            for file in self._groups[group]:
                yield file, slice(starts[group], ends[group])
        for file in self._scattered:
            yield file, slice(None)

    def _owner(self, keys: Keys) -> Keys:
        """The group that each of the keys belongs in."""
        return np.maximum(np.searchsorted(self._low, keys, side="right") - 1, 0)

    def _owners(self, keys: Keys) -> Iterator[tuple[int, int, int]]:
        """Groups that the sorted keys belong in: group, first of its keys, and their end.

        The group is -1 for keys beyond the last file when that is full.
        """
        if not len(keys):
            return
        if not self._groups:
            yield -1, 0, len(keys)
            return
        owner = self._owner(keys)
        cuts = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(keys)]
        for start, end in pairwise(cuts):
            group = int(owner[start])
            full = self._rows_of(group) >= LEAF_ROWS
            if full and group == len(self._groups) - 1 and keys[start] > self._high[group]:
                group = -1
            yield group, start, end

    def _runs(self, keys: Keys) -> Iterator[_Run]:
        """The groups that the sorted keys belong in; neighbours of which much changes together."""
        run: _Run | None = None
        for group, start, end in self._owners(keys):
            rows = self._rows_of(group) if group >= 0 else 0
            hot = (end - start) * _HOT >= rows
            if run and run.hot and hot and run.beyond == group and run.rows + rows <= HOT_ROWS:
                run = replace(run, beyond=group + 1, end=end, rows=run.rows + rows)
                continue
            if run:
                yield run
            run = _Run(group, group + 1 if group >= 0 else group, start, end, rows, hot)
        if run:
            yield run

    def _rows_of(self, group: int) -> int:
        return sum(file.rows for file in self._groups[group])

    def _joined(self, files: Sequence[DataFile]) -> Leaf:
        if len(files) == 1:
            return self._load(files[0])
        return Leaf(pa.concat_tables([self._load(file).rows for file in files]), self._key)

    def _load(self, file: DataFile) -> Leaf:
        leaf = self._cache.get(file)
        if leaf is None:
            leaf = Leaf(self.log.read(file), self._key)
            self._cache.put(file, leaf)
        return leaf


@dataclass(frozen=True)
class _Run:
    """Groups that are rewritten together, and which of the sorted keys belong in them."""

    first: int
    beyond: int  # the group behind the last; the same as the first for keys beyond the last file
    start: int
    end: int
    rows: int  # that are there
    hot: bool  # whether many of them change


class _Edit:
    """Files that come and files that go with one commit."""

    def __init__(self, log: DeltaLog, key: str) -> None:
        self._log = log
        self._key = key
        self.add: list[DataFile] = []
        self.leaves: list[Leaf] = []
        self.remove: list[DataFile] = []

    def put(self, rows: pa.Table, *, scattered: bool = False) -> None:
        """Write a file, if there are rows."""
        if rows.num_rows:
            leaf = Leaf(rows.combine_chunks(), self._key)
            self.add.append(self._log.write(leaf.rows, scattered=scattered))
            self.leaves.append(leaf)

    def rewrite(self, files: Sequence[DataFile], kept: pa.Table, new: pa.Table, most: int) -> None:
        """Put what is kept of the files' rows and new ones in their place, so many to a file."""
        self.remove += files
        rows = pa.concat_tables([kept, new])
        fresh = np.concatenate([np.zeros(kept.num_rows, bool), np.ones(new.num_rows, bool)])
        order = np.argsort(values_of(rows.column(self._key)), kind="stable")
        for a, b in _pieces(fresh[order], most):
            self.put(rows.take(pa.array(order[a:b])))


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


def _pieces(fresh: Keys, most: int) -> Iterator[tuple[int, int]]:
    """How to cut sorted rows into files: of so many around rows that are fresh, large ones else."""
    count = len(fresh)
    if not count:
        return
    # What comes in the middle splits a full file evenly, else each time leaves a few rows over.
    size = most if fresh[-1] else math.ceil(count / math.ceil(count / most))
    start = 0
    for a in range(0, count, size):
        b = min(a + size, count)
        if most == FULL_ROWS or fresh[a:b].any():
            if start < a:
                yield start, a
            yield a, b
            start = b
        elif b - start >= FULL_ROWS:
            yield start, b
            start = b
    if start < count:
        yield start, count
