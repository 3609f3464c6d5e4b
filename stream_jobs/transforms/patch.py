"""The difference between what a keyed table held and what it should hold."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from stream_jobs.transforms.sql import run

__all__ = ["Patch", "patch_between"]


@dataclass(frozen=True)
class Patch:
    """Rows to add, rows to change and keys to take out of a table with a one-column key.

    ``inserts`` and ``updates`` are whole rows; ``deletes`` holds the key column alone. The keys of
    ``inserts`` are known not to be in the table, the others are known to be.
    """

    inserts: pa.Table
    updates: pa.Table
    deletes: pa.Table

    @property
    def num_rows(self) -> int:
        """Rows that the patch touches."""
        return int(self.inserts.num_rows + self.updates.num_rows + self.deletes.num_rows)


def patch_between(old: pa.Table, new: pa.Table, key: str) -> Patch:
    """What turns ``old`` into ``new``; rows that are the same in both are left alone.

    Both hold at most one row per key and have the same columns.
    """
    there = pc.is_in(new.column(key), value_set=old.column(key).combine_chunks())
    gone = pc.invert(pc.is_in(old.column(key), value_set=new.column(key).combine_chunks()))
    both = new.filter(there)
    if both.num_rows:
        statement = "SELECT * FROM n EXCEPT SELECT * FROM o"
        both = run(statement, {"n": both, "o": old}, new.schema)
    return Patch(new.filter(pc.invert(there)), both, old.filter(gone).select([key]))
