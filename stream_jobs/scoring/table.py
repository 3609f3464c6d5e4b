"""``gold.fraud_scores``, written together with how far the topics were read.

A commit holds the rows of the batches since the last one and, as transactions of Delta's, the next
offset of each partition. So whoever starts again goes on from where the table is, and no record is
scored into it twice or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.io.writer import Tables
from stream_jobs.shapes import Patch

__all__ = ["CONTRACT", "Place", "ScoreTable", "app_of"]

CONTRACT = contracts.get("gold.fraud_scores")
_APP = "finlake-score"
(_KEY,) = CONTRACT.key

Place = tuple[str, int]
"""Topic and partition."""


class ScoreTable:
    """Reads and writes the table; the one writer of it.

    Args:
        lake: where it is.
        tables: the tables as this process writes them.
    """

    def __init__(self, lake: Lake, tables: Tables) -> None:
        lake.ensure(CONTRACT)
        self._table = tables.keyed(CONTRACT)
        self._noted: dict[Place, int] = {}
        self._staged: list[pa.Table] = []  # rows that the next commit writes
        self._known: dict[int, bool] = {}  # of what it changes: whether the lake has a row of it

    def offsets(self, places: list[Place]) -> dict[Place, int]:
        """The next offset of each partition that the table has come to; others are left out."""
        found = {place: self._table.log.batch(app_of(place)) for place in places}
        self._noted = {place: offset for place, offset in found.items() if offset >= 0}
        return dict(self._noted)

    def of(self, numbers: pa.Array) -> pa.Table:
        """Rows of these transactions, as far as there are any, those of the next commit too."""
        found = self._table.of(numbers)
        if self._known.keys().isdisjoint(numbers.to_pylist()):
            return found
        staged = [rows.filter(pc.is_in(rows[_KEY], value_set=numbers)) for rows in self._staged]
        return pa.concat_tables([self._untouched(found), *staged])

    def stage(self, patch: Patch) -> None:
        """Have the next commit apply a patch; it is of rows as :meth:`of` gives them."""
        parts = (patch.inserts, patch.updates, patch.deletes)
        new, old, gone = (part[_KEY].to_pylist() for part in parts)
        if not self._known.keys().isdisjoint([*new, *old, *gone]):
            again = pa.array([*new, *old, *gone], pa.int64())
            self._staged = [
                rows.filter(pc.invert(pc.is_in(rows[_KEY], value_set=again)))
                for rows in self._staged
            ]
        self._staged += [part for part in parts[:2] if part.num_rows]
        for number in new:
            self._known.setdefault(number, False)
        for number in (*old, *gone):
            self._known.setdefault(number, True)

    def commit(self, offsets: Mapping[Place, int]) -> pa.Table:
        """Write what is staged and how far the topics were read, in one commit; the rows written.

        Raises:
            ComponentMissing: when the lake cannot be reached, or its disk is full.
            FinlakeError: when another process writes the table.
        """
        rows = pa.concat_tables([CONTRACT.lake_schema.empty_table(), *self._staged])
        known = pa.array([number for number, there in self._known.items() if there], pa.int64())
        there = pc.is_in(rows[_KEY], value_set=known)
        gone = known.filter(pc.invert(pc.is_in(known, value_set=rows[_KEY].combine_chunks())))
        patch = Patch(rows.filter(pc.invert(there)), rows.filter(there), pa.table({_KEY: gone}))
        new = {p: offset for p, offset in offsets.items() if self._noted.get(p) != offset}
        if new or patch.num_rows:
            self._write(patch, new)
        self._noted |= new
        self._staged.clear()
        self._known.clear()
        return rows

    def _write(self, patch: Patch, offsets: Mapping[Place, int]) -> None:
        log = self._table.log
        batch = (_APP, log.batch(_APP) + 1)
        also = [(app_of(place), offset) for place, offset in offsets.items()]
        if patch.num_rows:
            self._table.apply(patch, batch, also)
        else:
            log.commit("WRITE", (), (), batch, also=also)

    def _untouched(self, rows: pa.Table) -> pa.Table:
        touched = pa.array(list(self._known), pa.int64())
        return rows.filter(pc.invert(pc.is_in(rows[_KEY], value_set=touched)))


def app_of(place: Place) -> str:
    """Application of Delta's transactions whose version is the next offset of the place."""
    return f"{_APP}/{place[0]}/{place[1]}"
