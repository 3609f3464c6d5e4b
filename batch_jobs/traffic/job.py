"""The run: commits batches at the set rate, and comes back when the source does."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import quantiles
from threading import Event

import pymysql
from pymysql.constants import ER

from batch_jobs.load.connection import Connection, connect, is_lost, one_writer, said
from batch_jobs.traffic.batch import Batch
from batch_jobs.traffic.simulation import Mix, Simulation
from batch_jobs.traffic.source import commit, read_world
from finlake.errors import ComponentMissing, FinlakeError
from infra.database.schema import apply_schema
from infra.settings import Settings

__all__ = ["OnCommit", "Summary", "run"]

OnCommit = Callable[[tuple[int, ...], float], None]
"""Called after each COMMIT with the transactions it touched and the time, seconds since 1970."""

_TICK_S = 0.02  # between commits: fresh, and a batch is worth its commit
_MOST_ROWS = 1_000
_PATIENCE_S = 60.0


@dataclass
class Summary:
    """What a run has committed so far."""

    seconds: float = 0.0
    commits: int = 0
    reconnects: int = 0
    transfers: int = 0
    fraud_schemes: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    commit_ms: deque[float] = field(default_factory=lambda: deque(maxlen=20_000))

    @property
    def changes(self) -> int:
        """Changed rows of all kinds."""
        return self.rows.total()

    @property
    def rate(self) -> float:
        """Changes in a second."""
        return self.changes / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, float]:
        """Flat figures; the times of a commit, from first statement to answer, in ms."""
        middle = highest = 0.0
        if len(self.commit_ms) > 1:
            percentiles = quantiles(self.commit_ms, n=100)
            middle, highest = percentiles[49], percentiles[98]
        return {
            "seconds": round(self.seconds, 3),
            "changes": self.changes,
            "rate": round(self.rate, 1),
            "commits": self.commits,
            **{kind: self.rows[kind] for kind in _KINDS},
            "transfers": self.transfers,
            "fraud_schemes": self.fraud_schemes,
            "reconnects": self.reconnects,
            "commit_p50_ms": round(middle, 2),
            "commit_p99_ms": round(highest, 2),
        }


_KINDS = ("inserted", "updated", "deleted", "labels", "users", "cards")


def run(
    settings: Settings,
    *,
    rate: float,
    seconds: float,
    seed: int,
    mix: Mix | None = None,
    on_commit: OnCommit | None = None,
    watch: Callable[[Summary], None] = lambda _summary: None,
    stop: Event | None = None,
) -> Summary:
    """Commit ``rate`` changes a second for so many seconds; 0 goes on until ``stop`` is set.

    Raises:
        ComponentMissing: the source is not there, or stayed away for a minute.
        FinlakeError: another traffic runs on this source.
    """
    stop = stop or Event()
    apply_schema(settings)
    line = _Line(settings)
    summary = Summary()
    with line.open():
        simulation = Simulation(read_world(settings, line.connection, seed), seed, mix or Mix())
        began = time.perf_counter()
        done = 0.0
        while not stop.is_set():
            summary.seconds = time.perf_counter() - began
            elapsed = min(summary.seconds, seconds) if seconds else summary.seconds
            # What a pause has left undone is not made up for, except for a second's worth.
            done = max(done, rate * (elapsed - 1))
            owed = int(rate * elapsed - done)
            if owed < 1:
                if seconds and elapsed >= seconds:
                    break
                stop.wait(max(_TICK_S / 4, (done + 1) / rate - elapsed))
                continue
            batch = simulation.batch(min(owed, _MOST_ROWS), datetime.now(UTC))
            started = time.perf_counter()
            changed = line.commit(batch, stop, summary)
            took = time.perf_counter() - started
            if changed is None:
                break
            if on_commit is not None:
                on_commit(batch.transaction_ids(), time.time())
            summary.commits += 1
            summary.rows.update(changed)
            done += sum(changed.values())
            summary.commit_ms.append(took * 1000)
            summary.transfers, summary.fraud_schemes = simulation.transfers, simulation.schemes
            watch(summary)
            stop.wait(max(0.0, _TICK_S - took))
        summary.seconds = time.perf_counter() - began
    return summary


class _Line:
    """The connection to the source, made anew when it breaks."""

    connection: Connection

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held = ExitStack()

    @contextmanager
    def open(self) -> Iterator[None]:
        self._connect()
        try:
            yield
        finally:
            self._held.close()

    def _connect(self) -> None:
        self._held.close()
        self.connection = connect(self._settings)
        self._held.callback(_close, self.connection)
        self._held.enter_context(one_writer(self.connection, "finlake traffic"))

    def commit(self, batch: Batch, stop: Event, summary: Summary) -> dict[str, int] | None:
        """Commit the batch once, whatever breaks; None when stopped while the source was away."""
        again = False
        while True:
            try:
                return commit(self.connection, batch, again=again)
            except pymysql.MySQLError as error:
                if is_lost(error):
                    again = True  # it may be in: only the answer may be what was lost
                    if not self._come_back(stop, summary):
                        return None
                elif error.args[0] in (ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT):
                    self.connection.rollback()
                else:
                    raise FinlakeError(
                        f"source database: refused a change ({said(error)});"
                        f" {summary.changes:,} changes are committed"
                    ) from None

    def _come_back(self, stop: Event, summary: Summary) -> bool:
        pause, away_since = 0.2, time.monotonic()
        while time.monotonic() - away_since < _PATIENCE_S:
            if stop.wait(pause):
                return False
            pause = min(pause * 2, 5.0)
            try:
                self._connect()
            except FinlakeError:  # not there yet, or the old session still holds the lock
                continue
            summary.reconnects += 1
            return True
        raise ComponentMissing(
            f"source database: went away and stayed away for {_PATIENCE_S:.0f} s;"
            f" {summary.changes:,} changes are committed; `finlake status` shows its state"
        )


def _close(connection: Connection) -> None:
    if connection.open:
        connection.close()
