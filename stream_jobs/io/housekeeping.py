"""Keeps tables small to read and to write, while the stream runs.

Between batches, for some milliseconds each time: neighbouring small files are joined, additive rows
summed up, delete markers that were kept long enough taken out. In a thread of its own, since it
touches nothing that a batch does: checkpoints of the logs, and deleting files that were replaced.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from finlake.errors import FinlakeError
from infra.lake.delta_log import DeltaLog, checkpoint
from infra.lake.tables import Lake
from lakehouse_schemas import Contract
from stream_jobs.io.keyed import KeyedTable
from stream_jobs.io.writer import Tables

__all__ = ["Housekeeping"]

_log = logging.getLogger(__name__)
_SPEND_S: Final = 0.04  # between two batches
_REST_S: Final = 2.0  # before a table that needed nothing is looked at again
_EXPIRE_EVERY_S: Final = 5.0  # a file of each silver table, in turn
_EXPIRE_LOGS_EVERY_S: Final = 6 * 3600.0
_CHECKPOINT_EVERY: Final = 100  # versions
_SWEEP_EVERY_S: Final = 5.0
_ORPHANS_EVERY_S: Final = 24 * 3600.0


class Housekeeping:
    """Looks after tables that this process writes.

    Args:
        lake: where they are.
        tables: the tables as this process writes them.
        own: which they are.
        history_minutes: how long replaced files stay for readers.
        marker_days: how long silver keeps the markers of deleted keys.
    """

    def __init__(
        self,
        lake: Lake,
        tables: Tables,
        own: Sequence[Contract],
        history_minutes: int,
        marker_days: int,
    ) -> None:
        self._tables = tables
        self._marker_days = marker_days
        self._contracts = tuple(own)
        self._rested = dict.fromkeys((c.full_name for c in self._contracts), 0.0)
        self._expired = dict(self._rested)
        self._turn = 0
        self._sweeper = _Sweeper(lake, history_minutes * 60.0)

    def start(self) -> None:
        """Start the thread for what does not touch the batches."""
        self._sweeper.start()

    def stop(self) -> None:
        """Stop it, after what it is doing."""
        self._sweeper.stop()

    def after_batch(self) -> None:
        """Use the moment between two batches."""
        until = time.monotonic() + _SPEND_S
        for _ in self._contracts:
            self._turn = (self._turn + 1) % len(self._contracts)
            self.tidy(self._contracts[self._turn])
            if time.monotonic() > until:
                break

    def tidy(self, contract: Contract) -> None:
        """Join small files, if it is time to look at the table."""
        name, now = contract.full_name, time.monotonic()
        table = self._tables.any(contract)
        try:
            if now - self._rested[name] > _REST_S and not table.tidy():
                self._rested[name] = now
            self._expire(contract, now)
        except FinlakeError as error:
            # Not worth stopping the stream for: the next round tries again.
            _log.warning("%s; its files are joined another time", error)
        self._sweeper.look_after(table.log)

    def _expire(self, contract: Contract, now: float) -> None:
        name, table = contract.full_name, self._tables.any(contract)
        waited, today = now - self._expired[name], datetime.now(UTC)
        if contract.layer == "silver" and isinstance(table, KeyedTable):
            if waited > _EXPIRE_EVERY_S:
                self._expired[name] = now
                before = _time(today - timedelta(days=self._marker_days))
                table.forget(lambda rows: _markers(rows, before))
        elif name == "gold.pipeline_freshness" and waited > _EXPIRE_LOGS_EVERY_S:
            self._expired[name] = now
            since = _time(today - timedelta(days=contract.retention_days))
            self._tables.appended(contract).keep(
                lambda rows: pc.greater_equal(rows.column("measured_at"), since)
            )


def _time(moment: datetime) -> pa.Scalar:
    return pa.scalar(moment, pa.timestamp("us", tz="UTC"))


def _markers(rows: pa.Table, before: pa.Scalar) -> pa.Array:
    old = pc.fill_null(pc.less(rows.column("_source_ts"), before), False)
    return pc.and_(rows.column("_is_deleted"), old)


class _Sweeper:
    """Checkpoints and deletions, in a thread that reads logs and never writes table data."""

    def __init__(self, lake: Lake, history_s: float) -> None:
        self._lake = lake
        self._history_s = history_s
        self._logs: dict[str, DeltaLog] = {}
        self._tables: dict[str, DeltaTable] = {}
        self._checkpoints: dict[str, int] = {}
        self._orphans: dict[str, float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def look_after(self, log: DeltaLog) -> None:
        self._logs[log.contract.full_name] = log

    def _run(self) -> None:
        while not self._done.wait(_SWEEP_EVERY_S):
            for log in list(self._logs.values()):
                try:
                    self.sweep(log)
                except (FinlakeError, DeltaError, OSError) as error:
                    _log.warning(
                        "%s: could not be swept (%s); trying again later",
                        log.contract.full_name,
                        str(error)[:200],
                    )
                if self._done.is_set():
                    return

    def sweep(self, log: DeltaLog) -> None:
        """Write a checkpoint when it is time to; delete what no reader can need."""
        name = log.contract.full_name
        since = self._checkpoints.setdefault(name, log.version - log.version % _CHECKPOINT_EVERY)
        if log.version - since >= _CHECKPOINT_EVERY:
            checkpoint(self._table(log.contract))
            self._checkpoints[name] = log.version
        before = time.time() - self._history_s
        gone = [path for when, path in log.removed if when < before]
        if gone:
            log.delete(gone)
            del log.removed[: len(gone)]
        if time.monotonic() - self._orphans.get(name, -_ORPHANS_EVERY_S) > _ORPHANS_EVERY_S:
            self._orphans[name] = time.monotonic()
            # Files of commits that were cut short, and what was replaced before this start.
            table = self._table(log.contract)
            table.update_incremental()
            table.vacuum(
                retention_hours=max(1, round(self._history_s / 3600)),
                dry_run=False,
                enforce_retention_duration=False,
            )

    def _table(self, contract: Contract) -> DeltaTable:
        name = contract.full_name
        if name not in self._tables:
            found = self._lake.open(contract)
            if found is None:
                raise FinlakeError(f"{name} is gone; `finlake stream` makes it anew at its start")
            self._tables[name] = found
        return self._tables[name]
