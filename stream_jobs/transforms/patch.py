"""The difference between what a keyed table held and what it should hold."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from stream_jobs.shapes import Patch
from stream_jobs.transforms.sql import run

__all__ = ["patch_between"]


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
