"""A table that rows are only added to: one file a batch, joined by and by.

Additive tables are summed up while they are joined, so that a key has a handful of rows and not one
for each batch that touched it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.delta_log import Batch, DataFile, DeltaLog

__all__ = ["FULL_ROWS", "AppendedTable", "rolled_up"]

FULL_ROWS: Final = 131_072
_JOIN: Final = 8


class AppendedTable:
    """Appends rows and joins small files.

    Args:
        log: the table's log.
    """

    def __init__(self, log: DeltaLog) -> None:
        self.log = log

    def append(self, rows: pa.Table, batch: Batch | None) -> None:
        """Add the rows in one commit."""
        rows = rows.select(self.log.schema.names).cast(self.log.schema)
        files = [
            self.log.write(rows.slice(start, FULL_ROWS))
            for start in range(0, rows.num_rows, FULL_ROWS)
        ]
        self.log.commit("WRITE", files, (), batch)

    def rows(self) -> pa.Table:
        """All rows."""
        parts = [self.log.read(file) for file in self.log.files.values()]
        return pa.concat_tables([self.log.schema.empty_table(), *parts])

    def tidy(self) -> bool:
        """Join one run of small files of about the same size; false when there is none."""
        run = self._run()
        if not run:
            return False
        rows = pa.concat_tables([self.log.read(file) for file in run])
        if self.log.contract.kind == "additive":
            rows = rolled_up(rows, self.log.contract.key)
        self.log.commit("OPTIMIZE", [self.log.write(rows.combine_chunks())], run, moved=True)
        return True

    def keep(self, wanted: Callable[[pa.Table], pa.Array]) -> None:
        """Take out the rows that are not wanted, in one commit."""
        add, remove = [], []
        for file in self.log.files.values():
            rows = self.log.read(file)
            left = rows.filter(wanted(rows))
            if left.num_rows < rows.num_rows:
                remove.append(file)
                if left.num_rows:
                    add.append(self.log.write(left))
        if remove:
            self.log.commit("DELETE", add, remove)

    def _run(self) -> list[DataFile]:
        """Eight files in the order of their coming, none above a sixteenth of a full one.

        The small ones first: a file is then rewritten once for each size that it passes.
        """
        for limit in (FULL_ROWS // _JOIN**3, FULL_ROWS // _JOIN**2, FULL_ROWS // _JOIN):
            run = [file for file in self.log.files.values() if 0 <= file.rows <= limit]
            if len(run) >= _JOIN:
                return run[:_JOIN]
        return []


def rolled_up(rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """One row per key with the sums of the measures; keys whose measures are all zero are out."""
    measures = [name for name in rows.column_names if name not in key]
    sums = rows.group_by(list(key), use_threads=False).aggregate([(m, "sum") for m in measures])
    names = [*key, *(f"{m}_sum" for m in measures)]
    table = sums.select(names).rename_columns([*key, *measures])
    table = table.select(rows.column_names).cast(rows.schema)
    moved = pa.array([False] * table.num_rows, pa.bool_())
    for measure in measures:
        moved = pc.or_(moved, pc.not_equal(pc.sign(table.column(measure)), 0))
    return table.filter(moved)
