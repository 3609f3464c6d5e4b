"""From changes to the current state per key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Step", "latest_per_key", "overtake", "truncated"]


@dataclass(frozen=True)
class Step:
    """How one batch moves one silver table.

    ``new`` holds the rows to write and ``old`` what stood under their keys before (silver columns
    both); a key in ``new`` but not in ``old`` is new to the table. ``applied`` and ``superseded``
    count the batch's changes.
    """

    new: pa.Table
    old: pa.Table
    applied: int
    superseded: int


def latest_per_key(changes: pa.Table, key: Sequence[str]) -> pa.Table:
    """The change with the highest order token of each key."""
    if changes.num_rows < 2:
        return changes
    by = [(name, "ascending") for name in (*key, "_order_token")]
    ordered = changes.take(pc.sort_indices(changes, sort_keys=by))
    last = np.ones(ordered.num_rows, dtype=bool)
    same = np.ones(ordered.num_rows - 1, dtype=bool)
    for name in key:
        values = ordered.column(name).to_numpy()
        same &= values[1:] == values[:-1]
    last[:-1] = ~same
    return ordered.filter(pa.array(last))


def overtake(
    latest: pa.Table, current: pa.Table, key: Sequence[str], changes: int, columns: Sequence[str]
) -> Step:
    """Let each change win only over an older state.

    A change whose token stands in the table already has been applied before (a batch run again);
    it counts as applied and moves nothing. Delete markers keep their token, so a late repetition
    cannot raise the dead.

    Args:
        latest: at most one change per key.
        current: the table's rows under those keys, markers included.
        key: key columns.
        changes: how many changes there were before they were reduced.
        columns: silver columns, in order.
    """
    standing = current.select([*key, "_order_token"]).rename_columns([*key, "_standing"])
    joined = latest.join(standing, keys=list(key), join_type="left outer")
    # A join may reorder rows and is the only place where they are matched, so work on its result.
    token, there = joined.column("_order_token"), joined.column("_standing")
    newer = pc.or_kleene(pc.is_null(there), pc.greater(token, there))
    again = pc.fill_null(pc.equal(token, there), False)
    new = joined.filter(newer).select(list(columns))
    applied = new.num_rows + (pc.sum(again).as_py() or 0)
    touched = new.select(list(key))
    old = current.join(touched, keys=list(key), join_type="left semi").select(list(columns))
    return Step(new, old, applied, changes - applied)


def truncated(live: pa.Table, token: str, source_ts: object, batch_id: int) -> pa.Table:
    """Delete changes for every live row, as a ``TRUNCATE`` of the source stands for."""
    count = live.num_rows
    changes = {
        "_order_token": pa.array([token] * count, pa.string()),
        "_is_deleted": pa.array([True] * count, pa.bool_()),
        "_source_ts": pa.array([source_ts] * count, pa.timestamp("us", tz="UTC")),
        "_batch_id": pa.array([batch_id] * count, pa.int64()),
    }
    for name, values in changes.items():
        live = live.set_column(live.column_names.index(name), name, values)
    return live
