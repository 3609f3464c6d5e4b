"""How old changes are when they become visible."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import contracts

__all__ = ["ages", "batch_rows", "freshness_rows", "heartbeats"]


class _Beat(msgspec.Struct):
    beat_at: int


class _Event(msgspec.Struct):
    after: _Beat | None = None


_decode_beat = msgspec.json.Decoder(_Event).decode


def heartbeats(records: pa.Table) -> pa.Table:
    """Heartbeat records with ``_source_ts``, the time to the microsecond that the row carries."""
    times: list[int | None] = []
    for value in records.column("value").to_pylist():
        try:
            beat = _decode_beat(value).after if value is not None else None
        except msgspec.DecodeError:  # a measurement that cannot be read is one less, not a fault
            beat = None
        times.append(beat.beat_at if beat else None)
    stamp = pa.array(times, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    table = records.append_column("_source_ts", stamp)
    return table.filter(pc.is_valid(stamp))


def ages(source_ts: pa.ChunkedArray, seen_us: int | pa.ChunkedArray) -> tuple[float, ...]:
    """Median, 95th percentile and maximum age in milliseconds, never below zero.

    Args:
        source_ts: commit times at the source; whole seconds where the source has no finer ones,
            which makes the ages up to a second too old, never too young.
        seen_us: when the changes were seen, microseconds since 1970, for all or for each.
    """
    then = source_ts.cast(pa.int64()).to_numpy()
    seen = seen_us if isinstance(seen_us, int) else seen_us.cast(pa.int64()).to_numpy()
    ms = np.maximum(seen - then, 0) / 1000
    return tuple(float(x) for x in (np.median(ms), np.percentile(ms, 95), ms.max()))


def freshness_rows(
    measured: Mapping[tuple[str, str], tuple[int, tuple[float, ...]]], batch_id: int, now_us: int
) -> pa.Table:
    """Rows of ``pipeline_freshness``.

    Args:
        measured: (table, hop) to number of changes and their ages.
        batch_id: the micro-batch.
        now_us: end of the batch, microseconds since 1970.
    """
    schema = contracts.get("gold.pipeline_freshness").arrow_schema()
    now = datetime.fromtimestamp(now_us / 1e6, UTC)
    rows = [
        (now, batch_id, table, hop, events, *stats)
        for (table, hop), (events, stats) in measured.items()
    ]
    return _table(rows, schema)


def batch_rows(
    batch_id: int,
    counts: Mapping[str, tuple[int, int, int, int]],
    records: pa.Table,
    started: float,
    now_us: int,
) -> pa.Table:
    """Rows of ``pipeline_batches``.

    Args:
        batch_id: the micro-batch.
        counts: table to events, applied, superseded and quarantined.
        records: topic, partition and offset of the newest record of each partition, at least; the
            partition is -1 of one that did not come by Kafka.
        started: start of the batch, seconds since 1970.
        now_us: its end, microseconds since 1970.
    """
    schema = contracts.get("gold.pipeline_batches").arrow_schema()
    newest = records.group_by(["topic", "partition"]).aggregate([("offset", "max")]).to_pylist()
    ends: dict[str, dict[str, int]] = {}
    for row in newest:
        if row["partition"] < 0:
            continue
        table = row["topic"].rsplit(".", 1)[-1]
        ends.setdefault(table, {})[str(row["partition"])] = row["offset_max"] + 1
    start = datetime.fromtimestamp(started, UTC)
    ms = now_us / 1000 - started * 1000
    nothing = (0, 0, 0, 0)
    rows = [
        (batch_id, table, *counts.get(table, nothing), start, ms, json.dumps(ends.get(table, {})))
        for table in sorted(ends.keys() | counts.keys())
    ]
    return _table(rows, schema)


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(values, f.type) for values, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
