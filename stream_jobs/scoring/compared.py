"""``gold.model_comparison``: champion and challenger, once more for the days that can change.

In a thread of its own, with tables of its own: it reads what the scoring and the stream have
written, and nobody waits for it.
"""

from __future__ import annotations

import logging
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finlake.errors import FinlakeError
from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from models.comparison import compare
from stream_jobs.io.writer import Tables
from stream_jobs.transforms.patch import patch_but_for

__all__ = ["CONTRACT", "Compared", "comparisons"]

CONTRACT = contracts.get("gold.model_comparison")
_SCORES = contracts.get("gold.fraud_scores")
_LABELS = contracts.get("silver.fraud_labels")
_SCORED = pa.schema(
    [
        _SCORES.lake_schema.field(name)
        for name in (
            *("transaction_id", "transaction_ts", "model_version", "challenger_version"),
            *("is_alert", "challenger_alert", "score", "challenger_score"),
        )
    ]
)
_TOLD = ["transaction_id", "label", "_is_deleted"]
_log = logging.getLogger(__name__)
_CACHE = 4 << 20
_DAY_US = 86_400_000_000


def comparisons(scores: pa.Table, labels: pa.Table, now_us: int) -> pa.Table:
    """Rows of ``model_comparison`` of all days and pairs of versions among the scores.

    Args:
        scores: rows of ``fraud_scores`` that both models have scored, with the columns compared.
        labels: rows of ``silver.fraud_labels``, delete markers included: the label of each
            transaction as it is now, whatever it was before.
        now_us: time of the comparison, microseconds since 1970.
    """
    known = labels.filter(pc.invert(labels["_is_deleted"]))
    place = pc.index_in(scores["transaction_id"], value_set=_flat(known["transaction_id"]))
    told = pc.equal(known["label"].take(place), "Yes").cast(pa.int8())
    label = pc.fill_null(told, -1).to_numpy()
    day = np.floor_divide(scores["transaction_ts"].cast(pa.int64()).to_numpy(), _DAY_US)
    versions = [scores[n].to_numpy() for n in ("model_version", "challenger_version")]
    alerts = [_flat(scores[n]).to_numpy(zero_copy_only=False)
              for n in ("is_alert", "challenger_alert")]  # fmt: skip
    points = [scores[n].to_numpy() for n in ("score", "challenger_score")]
    order = np.lexsort((versions[1], versions[0], day))
    keys = np.column_stack([day, *versions])[order]
    begins = np.flatnonzero(np.any(np.diff(keys, axis=0, prepend=keys[:1] - 1), axis=1))
    rows = []
    for begin, mine in zip(begins.tolist(), np.split(order, begins)[1:], strict=True):
        key = keys[begin].tolist()
        found = compare(
            label[mine],
            (alerts[0][mine].astype(bool), alerts[1][mine].astype(bool)),
            (points[0][mine], points[1][mine]),
        )
        date = np.datetime64(key[0], "D").item()
        name = f"{date}:{key[1]}:{key[2]}"
        rows.append((name, date, *key[1:], *found, now_us))
    columns = zip(*rows, strict=True) if rows else ((),) * len(CONTRACT.columns)
    return pa.Table.from_arrays(
        [pa.array(c, f.type) for c, f in zip(columns, CONTRACT.lake_schema, strict=True)],
        schema=CONTRACT.lake_schema,
    )


class Compared:
    """Keeps the table up to date.

    Args:
        lake: where the tables are.
        every_s: pause between two looks.
        days: how far back from the newest score labels are waited for.
    """

    def __init__(self, lake: Lake, every_s: float, days: int) -> None:
        lake.ensure(CONTRACT)
        self._lake = lake
        self._every_s = every_s
        self._days = days
        self._table = Tables(lake, _CACHE).keyed(CONTRACT)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="compare", daemon=True)

    def start(self) -> None:
        """Go on in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what it is doing."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Compare the days that can have changed, and write those that did.

        What has no transactions any more, because they were deleted or are another pair's, goes.

        Raises:
            ComponentMissing: when the lake cannot be reached.
        """
        scores, labels = self._lake.open(_SCORES), self._lake.open(_LABELS)
        if scores is None or labels is None:
            return
        whole = scores.to_pyarrow_dataset()
        both = pc.field("score").is_valid() & pc.field("challenger_score").is_valid()
        newest = pc.max(whole.to_table(columns=["transaction_ts"], filter=both)[0])
        if not newest.is_valid:
            return
        day = pc.floor_temporal(newest, unit="day").cast(pa.int64()).as_py()
        since = pa.scalar(day - self._days * _DAY_US, newest.type)
        lately = both & (pc.field("transaction_ts") >= since)
        rows = whole.to_table(columns=_SCORED.names, filter=lately)
        numbers = pc.min_max(rows["transaction_id"])
        number = pc.field("transaction_id")
        wanted = (number >= numbers["min"]) & (number <= numbers["max"])
        known = labels.to_pyarrow_dataset().to_table(columns=_TOLD, filter=wanted)
        found = comparisons(rows.cast(_SCORED), known, time.time_ns() // 1000)
        first = pa.scalar((day - self._days * _DAY_US) // _DAY_US, pa.int32()).cast(pa.date32())
        every = pa.concat_tables([CONTRACT.lake_schema.empty_table(), *self._table.parts()])
        there = every.filter(pc.greater_equal(every["date"], first))
        patch = patch_but_for("compared_at", there, found, "comparison_id")
        if patch.num_rows:
            self._table.apply(patch)

    def _run(self) -> None:
        while not self._done.wait(self._every_s):
            try:
                self.look()
            except (FinlakeError, OSError) as error:
                _log.warning("%s; champion and challenger are compared another time", error)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
