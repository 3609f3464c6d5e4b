"""``gold.fraud_scores``, written together with how far the topics were read.

A commit holds a batch's rows and, as transactions of Delta's, the next offset of each partition. So
whoever starts again goes on from where the table is, and no record is scored into it twice or not
at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.io.writer import Tables
from stream_jobs.shapes import Patch

__all__ = ["CONTRACT", "Place", "ScoreTable"]

CONTRACT = contracts.get("gold.fraud_scores")
_APP = "finlake-score"

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

    def offsets(self, places: list[Place]) -> dict[Place, int]:
        """The next offset of each partition that the table has come to; others are left out."""
        found = {place: self._table.log.batch(_app(place)) for place in places}
        self._noted = {place: offset for place, offset in found.items() if offset >= 0}
        return dict(self._noted)

    def of(self, numbers: pa.Array) -> pa.Table:
        """Rows of these transactions, as far as there are any."""
        return self._table.of(numbers)

    def commit(self, patch: Patch, offsets: Mapping[Place, int]) -> None:
        """Apply a patch and note how far the topics were read, in one commit.

        Raises:
            ComponentMissing: when the lake cannot be reached, or its disk is full.
            FinlakeError: when another process writes the table.
        """
        new = {p: offset for p, offset in offsets.items() if self._noted.get(p) != offset}
        if not new and not patch.num_rows:
            return
        log = self._table.log
        batch = (_APP, log.batch(_APP) + 1)
        also = [(_app(place), offset) for place, offset in new.items()]
        if patch.num_rows:
            self._table.apply(patch, batch, also)
        else:
            log.commit("WRITE", (), (), batch, also=also)
        self._noted |= new


def _app(place: Place) -> str:
    return f"{_APP}/{place[0]}/{place[1]}"
