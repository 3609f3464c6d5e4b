"""From the source's commit to the moment at which a reader has the change in gold.

Two kinds of changes are timed: every insert of the traffic, known by its number; and markers, rows
of the bench itself that are inserted, updated and deleted. The reader follows the tables' logs and
reads what is new, as a dashboard would that polls all the time; a change counts as visible when the
reader has read it, not when it was written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow.compute as pc

from batch_jobs import traffic
from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.markers import AMOUNTS, Markers
from batch_jobs.bench.processes import Watch, stack_figures, stack_pids
from batch_jobs.follow import Commit, Follower
from batch_jobs.load.connection import connect
from batch_jobs.traffic.simulation import Mix
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = ["MIX", "WARM_UP_S", "Reader", "Sightings", "freshness", "over_batches"]

MIX = Mix(insert=75, update=20, delete=5)
WARM_UP_S = 5.0  # traffic before the first change that counts
_MARKERS_EVERY_S = 0.25
_HOLD_S = 3.0
_POLL_S = 0.005
_PATIENCE_S = 30.0  # for the last changes after the traffic has stopped

_HOPS = """
SELECT table_name, hop, events, p50_ms, p95_ms, max_ms FROM gold.pipeline_freshness
WHERE measured_at BETWEEN make_timestamptz(?) AND make_timestamptz(?)
    AND table_name IN ('transactions', 'finlake_heartbeat') AND events > 0
ORDER BY table_name, hop"""


@dataclass
class Sightings:
    """When changes were committed and when they were seen, seconds since 1970."""

    committed: dict[tuple[int, str], float] = field(default_factory=dict)
    seen: dict[tuple[int, str], float] = field(default_factory=dict)
    in_aggregates: dict[tuple[int, str], float] = field(default_factory=dict)

    def unseen(self, since: float) -> set[int]:
        """Transactions whose last change, committed from that time on, nobody has seen yet.

        A change that a later one of the same transaction has overtaken may never be visible.
        """
        newest: dict[int, float] = {}
        for change in self.seen:
            at = self.committed.get(change, 0.0)
            newest[change[0]] = max(at, newest.get(change[0], 0.0))
        return {
            change[0]
            for change, at in self.committed.copy().items()  # it grows meanwhile
            if at >= since and change not in self.seen and at > newest.get(change[0], 0.0)
        }

    def appeared(self) -> set[int]:
        """Transactions of which any change was seen."""
        return {number for number, _ in self.seen}

    def ages_ms(self, seen: dict[tuple[int, str], float], what: str, since: float) -> list[float]:
        """Milliseconds from commit to sight of changes of one kind, committed from then on."""
        return [
            (seen[change] - at) * 1000
            for change, at in self.committed.copy().items()  # it grows meanwhile
            if change[1] == what and at >= since and change in seen
        ]


class Reader:
    """Watches ``fact_transactions`` and ``agg_minute`` for changes.

    Args:
        lake: the lake.
        sightings: where it notes what it has seen.
        newest: highest number of a transaction at the start; those above it are inserts.
        now: the clock.
    """

    def __init__(
        self, lake: Lake, sightings: Sightings, newest: int, now: Callable[[], float] = time.time
    ) -> None:
        self._fact = Follower(lake, contracts.get("gold.fact_transactions"))
        self._minute = Follower(lake, contracts.get("gold.agg_minute"))
        self._found = sightings
        self._newest = newest
        self._now = now
        self._place: dict[int, str] = {}  # markers that are live, and the file that has them
        self._amount: dict[int, int] = {}
        self._batches: dict[tuple[str, int], list[tuple[int, str]]] = {}
        self._minutes: dict[tuple[str, int], float] = {}

    def look(self) -> bool:
        """Read what is new; whether there was anything."""
        fact, minute = self._fact.poll(), self._minute.poll()
        if fact is not None:
            self._read_facts(fact)
        if minute is not None:
            self._read_minutes(minute)
        return fact is not None or minute is not None

    def _read_facts(self, commit: Commit) -> None:
        number = pc.field("transaction_id")
        where = (number < 0) | (number > self._newest)
        there: dict[int, tuple[str, int]] = {}
        fresh: list[tuple[int, str]] = []
        for path in commit.added:
            rows = self._fact.read(path, ["transaction_id", "amount"], where)
            cents = pc.multiply(rows["amount"], 100).to_pylist()
            for key, amount in zip(rows["transaction_id"].to_pylist(), cents, strict=True):
                if key < 0:
                    there[key] = (path, int(amount))
                elif (key, "insert") not in self._found.seen:
                    fresh.append((key, "insert"))
        gone = {key for key, path in self._place.items() if path in commit.removed} - there.keys()
        for key, (path, amount) in there.items():
            if self._amount.get(key) != amount:
                change = next(name for name, money in AMOUNTS.items() if money == amount)
                fresh.append((key, change))
            self._place[key], self._amount[key] = path, amount
        for key in gone:
            fresh.append((key, "delete"))
            del self._place[key]
        self._note(commit, fresh)

    def _note(self, commit: Commit, fresh: list[tuple[int, str]]) -> None:
        now = self._now()
        for change in fresh:
            self._found.seen.setdefault(change, now)
        if commit.batch is not None:
            if commit.batch in self._minutes:
                self._found.in_aggregates.update(dict.fromkeys(fresh, self._minutes[commit.batch]))
            else:
                self._batches[commit.batch] = fresh

    def _read_minutes(self, commit: Commit) -> None:
        if commit.batch is None:
            return
        for path in commit.added:
            self._minute.read(path, ["minute", "transaction_count", "amount_sum"])
        now = self._now()
        self._minutes[commit.batch] = now
        fresh = self._batches.pop(commit.batch, [])
        self._found.in_aggregates.update(dict.fromkeys(fresh, now))


def freshness(
    settings: Settings,
    rate: float,
    seconds: float,
    seed: int = 1,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[Figure]:
    """Measure at one rate of changes a second, for so long after a warm-up.

    Raises:
        ComponentMissing: when the stack or the stream does not run.
        UsageProblem: when the source is empty.
    """
    pids = stack_pids(settings, "stream")
    params: dict[str, float | str] = {
        "rate": rate,
        "seconds": seconds,
        "warm_up_s": WARM_UP_S,
        "mix": f"{MIX.insert:g}/{MIX.update:g}/{MIX.delete:g}",
        "seed": seed,
    }
    figures = stack_figures(settings, "freshness", params)
    highest = _newest(settings)
    found = Sightings()
    reader = Reader(Lake(settings), found, highest)

    def on_commit(ids: tuple[int, ...], at: float) -> None:
        nonlocal highest
        for number in ids:
            if number > highest:  # the traffic counts upwards, and a number is inserted once
                found.committed[number, "insert"] = at
        highest = max(highest, *ids) if ids else highest

    def on_change(number: int, change: str, at: float) -> None:
        found.committed[number, change] = at

    done = threading.Event()
    watching = threading.Thread(target=_watch, args=(reader, done), name="reader", daemon=True)
    markers = Markers(settings, _MARKERS_EVERY_S, _HOLD_S, on_change)
    said(f"{rate:g} changes/s for {seconds:g} s after {WARM_UP_S:g} s of warm-up")
    watching.start()
    began = time.time()
    since = began + WARM_UP_S
    with Watch(pids) as watch:
        markers.start()
        try:
            summary = traffic.run(
                settings,
                rate=rate,
                seconds=seconds + WARM_UP_S,
                seed=seed,
                mix=MIX,
                on_commit=on_commit,
            )
        finally:
            markers.stop()
        left = found.unseen(began)
        # What was deleted before anybody could see it is not waited for.
        there = _still_there(settings, {number for number in left if number > 0})
        never = there | {number for number in left & found.appeared() if number < 0}
        end = time.monotonic() + _PATIENCE_S
        while never & found.unseen(began) and time.monotonic() < end:
            time.sleep(0.05)
    ended = time.time()
    done.set()
    watching.join()
    yield figures.of("changes_per_second", summary.rate, "changes/s")
    for change in ("insert", "update", "delete"):
        ages = found.ages_ms(found.seen, change, since)
        yield from figures.spread(f"commit_to_fact.{change}", ages, "ms")
    every = [
        age
        for change in ("insert", "update", "delete")
        for age in found.ages_ms(found.in_aggregates, change, since)
    ]
    yield from figures.spread("commit_to_aggregate", every, "ms")
    yield figures.of("never_seen", len(never & found.unseen(began)), "transactions")
    yield from _hops(settings, figures, since, ended)
    yield from watch.figures(figures)


def _newest(settings: Settings) -> int:
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(MAX(id), 0) FROM transactions")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _still_there(settings: Settings, numbers: set[int]) -> set[int]:
    """Those of the transactions that the source has."""
    if not numbers:
        return set()
    listed = ", ".join(map(str, numbers))
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM transactions WHERE id IN ({listed})")
        return {int(row[0]) for row in cursor.fetchall()}


def _watch(reader: Reader, done: threading.Event) -> None:
    while not done.is_set():
        if not reader.look():
            done.wait(_POLL_S)


def _hops(settings: Settings, figures: Figures, since: float, until: float) -> Iterator[Figure]:
    """What the stream itself measured; of transactions from MariaDB up to a second too old."""
    span = (int(since * 1e6), int(until * 1e6))
    rows = Query(settings).query(_HOPS, span).to_pylist()
    for (table, hop), batches in groupby(rows, key=lambda row: (row["table_name"], row["hop"])):
        for name, value in over_batches(list(batches)).items():
            yield figures.of(f"hop.{table}.{hop}.{name}", value, "ms")


def over_batches(batches: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Percentiles of all changes, from number, median, 95th percentile and maximum of each batch.

    Between those a batch's ages are taken as evenly spread, below its median as mirrored; the
    maximum is exact.
    """
    points: list[float] = []
    weights: list[float] = []
    for one in batches:
        p50, p95, most = one["p50_ms"], one["p95_ms"], one["max_ms"]
        known = ([0.0, 0.05, 0.5, 0.95, 1.0], [2 * p50 - p95, 2 * p50 - p95, p50, p95, most])
        points += np.interp((np.arange(100) + 0.5) / 100, *known).tolist()
        weights += [one["events"] / 100] * 100
    order = np.argsort(points)
    ages, reached = np.asarray(points)[order], np.cumsum(np.asarray(weights)[order])
    places = np.searchsorted(reached, np.array([0.5, 0.95, 0.99]) * reached[-1])
    p50, p95, p99 = ages[np.minimum(places, len(ages) - 1)].tolist()
    return {"p50": p50, "p95": p95, "p99": p99, "max": max(one["max_ms"] for one in batches)}
