"""The difference between what a keyed table held and what it should hold."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from stream_jobs.shapes import Patch

__all__ = ["changed", "patch_between", "patch_but_for"]


def changed(old: pa.Table, new: pa.Table, key: str) -> tuple[pa.Table, pa.Table]:
    """The rows of ``old`` and of ``new`` without those that are the same in both.

    Both hold at most one row per key and have the same columns.
    """
    place = pc.index_in(new.column(key), value_set=old.column(key).combine_chunks())
    met = pc.is_valid(place)
    before, after = old.take(place.filter(met)), new.filter(met)
    same = pa.chunked_array([pa.repeat(True, after.num_rows)])
    for name in new.column_names:
        one, other = before.column(name), after.column(name)
        equal = pc.fill_null(pc.equal(one, other), False)
        if one.null_count and other.null_count:
            equal = pc.or_(equal, pc.and_(pc.is_null(one), pc.is_null(other)))
        same = pc.and_(same, equal)
    kept = after.column(key).filter(same).combine_chunks()
    was, becomes = (
        rows.filter(pc.invert(pc.is_in(rows.column(key), value_set=kept))) for rows in (old, new)
    )
    return was, becomes


def patch_between(old: pa.Table, new: pa.Table, key: str) -> Patch:
    """What turns ``old`` into ``new``; rows that are the same in both are left alone.

    Both hold at most one row per key and have the same columns.
    """
    was, becomes = changed(old, new, key)
    there = pc.is_in(becomes.column(key), value_set=was.column(key).combine_chunks())
    stays = pc.is_in(was.column(key), value_set=becomes.column(key).combine_chunks())
    return Patch(
        becomes.filter(pc.invert(there)),
        becomes.filter(there),
        was.filter(pc.invert(stays)).select([key]),
    )


def patch_but_for(ignored: str, old: pa.Table, new: pa.Table, key: str) -> Patch:
    """What turns ``old`` into ``new``, where rows that differ in that column alone are the same."""
    names = [name for name in new.column_names if name != ignored]
    plain = patch_between(old.select(names), new.select(names), key)

    def whole(part: pa.Table) -> pa.Table:
        return new.take(pc.index_in(part[key], value_set=new[key].combine_chunks()))

    return Patch(whole(plain.inserts), whole(plain.updates), plain.deletes)
