"""How long a committed change takes until a reader sees it in gold.

Traffic commits at a set rate and notes the wall time right after each COMMIT has returned. A reader
polls ``gold.fact_transactions`` as a dashboard would, reads what each new version of the table
brought, and notes when a transaction appeared, changed or went. The two are paired per transaction.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from batch_jobs import traffic
from batch_jobs.bench.figures import Figure, percentiles
from batch_jobs.bench.watch import MemoryWatch
from finlake.errors import ComponentMissing
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = ["freshness"]

_POLL_S = 0.02
_SETTLE_S = 10.0  # after the traffic, for what is still under way
_SEEN = ["transaction_id", "amount", "merchant_id", "errors", "is_fraud"]

Times = dict[int, list[float]]


def freshness(
    settings: Settings,
    rate: float,
    seconds: float,
    seed: int = 1,
    tell: Callable[[str], None] = lambda _text: None,
) -> list[Figure]:
    """Commit traffic for so many seconds and measure commit to visible in gold.

    The running stream is warmed up before by ten seconds of the same traffic.

    Raises:
        ComponentMissing: when the source or the lake is not there.
    """
    params: dict[str, object] = {"rate": rate, "seconds": seconds, "lake": settings.lake[:4]}
    tell(f"warming up at {rate:g} changes/s")
    traffic.run(settings, rate=rate, seconds=10, seed=seed)
    committed: Times = defaultdict(list)

    def on_commit(ids: tuple[int, ...], at: float) -> None:
        for number in ids:
            committed[number].append(at)

    reader = _Reader(settings)
    done: list[traffic.Summary] = []

    def commit() -> None:
        done.append(
            traffic.run(settings, rate=rate, seconds=seconds, seed=seed + 1, on_commit=on_commit)
        )

    writing = threading.Thread(target=commit)
    tell(f"measuring for {seconds:g} s")
    began = time.time()
    with MemoryWatch(settings) as memory:
        writing.start()
        while writing.is_alive():
            reader.poll()
            time.sleep(_POLL_S)
        until = time.time() + _SETTLE_S
        while time.time() < until:
            reader.poll()
            time.sleep(_POLL_S)
    if not done:
        raise ComponentMissing("the traffic ended early; see the message above, then bench again")
    ages = paired(committed, reader.seen)
    lost = len(committed) - len({n for n in committed if reader.seen.get(n)})
    return [
        Figure("freshness", "rate_achieved", round(done[0].rate, 1), "changes/s", params),
        *percentiles("freshness", "commit_to_gold", ages, params),
        Figure("freshness", "never_seen", lost, "1", params),
        *_hops(settings, began, params),
        *memory.figures("freshness", params),
    ]


def paired(committed: Times, seen: Times) -> list[float]:
    """Ages in milliseconds: commits and sightings of a transaction, in order.

    Where several commits became visible at once, the last commit goes with the last sighting.
    """
    ages = []
    for number, commits in committed.items():
        sightings = [at for at in seen.get(number, ()) if at >= commits[0]]
        if len(sightings) == len(commits):
            ages += [(s - c) * 1000 for c, s in zip(commits, sightings, strict=True)]
        elif sightings and sightings[-1] >= commits[-1]:
            ages.append((sightings[-1] - commits[-1]) * 1000)
    return ages


class _Reader:
    """Notes when transactions appear in, change in or go from ``fact_transactions``."""

    def __init__(self, settings: Settings) -> None:
        table = Lake(settings).open(contracts.get("gold.fact_transactions"))
        if table is None:
            raise ComponentMissing(f"{settings.lake} has no gold tables; start `finlake stream`")
        self._table: DeltaTable = table
        self.seen: Times = defaultdict(list)
        self._files = self._read_all(set())
        self._state: dict[int, int] = {}
        for rows in self._files.values():
            self._state.update(rows)

    def poll(self) -> None:
        before = self._table.version()
        self._table.update_incremental()
        if self._table.version() == before:
            return
        now = time.time()
        known = self._files
        self._files = self._read_all(set(known))
        gone: dict[int, int] = {}
        for path in known.keys() - self._files.keys():
            gone.update(known[path])
        come: dict[int, int] = {}
        for path in self._files.keys() - known.keys():
            come.update(self._files[path])
        for number, row in come.items():
            if self._state.get(number) != row:
                self._state[number] = row
                self.seen[number].append(now)
        for number in gone.keys() - come.keys():
            self._state.pop(number, None)
            self.seen[number].append(now)

    def _read_all(self, known: set[str]) -> dict[str, dict[int, int]]:
        """The table's files, each with its transactions and a digest of their rows."""
        files: dict[str, dict[int, int]] = {}
        for fragment in self._table.to_pyarrow_dataset().get_fragments():
            if fragment.path in known:
                files[fragment.path] = self._files[fragment.path]
            else:
                files[fragment.path] = _digests(fragment.to_table(columns=_SEEN))
        return files


def _digests(rows: pa.Table) -> dict[int, int]:
    cents = pc.multiply(rows["amount"], pa.scalar(100, pa.int32())).cast(pa.int64()).to_numpy()
    fraud = pc.fill_null(rows["is_fraud"].cast(pa.int8()), 2).to_numpy()
    errors = pc.fill_null(pc.binary_length(rows["errors"]), 0).to_numpy()
    digest = ((cents * 1_000_003 + rows["merchant_id"].to_numpy()) * 31 + errors) * 3 + fraud
    numbers = rows["transaction_id"].to_numpy()
    return dict(zip(numbers.tolist(), np.asarray(digest).tolist(), strict=True))


def _hops(settings: Settings, since: float, params: dict[str, object]) -> list[Figure]:
    """Per hop as the stream itself measured it, by the heartbeat, which is exact on any source."""
    rows = Query(settings).query(
        """SELECT hop, median(p50_ms) AS p50, quantile_cont(max_ms, 0.99) AS p99
        FROM gold.pipeline_freshness
        WHERE table_name = 'finlake_heartbeat' AND measured_at >= make_timestamptz(?)
        GROUP BY hop ORDER BY p50""",
        [int(since * 1e6)],
    )
    return [
        Figure("freshness", f"{row['hop']}_{name}", round(row[name], 1), "ms", params)
        for row in rows.to_pylist()
        for name in ("p50", "p99")
    ]
