"""Keeps tables small to read: joins small files, takes away replaced files and expired rows.

Done between batches by the process that writes, so that it cannot collide with a write.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse_schemas import Contract, contracts
from stream_jobs.io.writer import DeltaRsWriter

__all__ = ["Housekeeping"]

_log = logging.getLogger(__name__)
_EVERY_BATCHES = 4  # a table is looked at after this many batches, one after the other
_SMALL_FILES = 24  # so many commits make joining worth while
_TARGET_BYTES = 16 << 20
_VACUUM_EVERY_S = 300
_EXPIRE_EVERY_S = 6 * 3600


class Housekeeping:
    """Looks after one table at a time.

    Args:
        writer: the writer of the tables.
        history_minutes: how long replaced files stay for readers.
        marker_days: how long silver keeps the markers of deleted keys.
    """

    def __init__(self, writer: DeltaRsWriter, history_minutes: int, marker_days: int) -> None:
        self._writer = writer
        self._history_hours = max(1, round(history_minutes / 60))
        self._tables = [c for c in contracts.all() if c.layer != "source"]
        self._compacted = {c.full_name: -1 for c in self._tables}
        self._marker_days = marker_days
        self._expired = dict.fromkeys(self._compacted, -float(_EXPIRE_EVERY_S))
        self._vacuumed = {c.full_name: time.monotonic() for c in self._tables}
        self._batches = 0

    def after_batch(self) -> None:
        """Look at the next table when it is time to."""
        self._batches += 1
        if self._batches % _EVERY_BATCHES == 0:
            turn = self._batches // _EVERY_BATCHES
            self.tidy(self._tables[turn % len(self._tables)])

    def tidy(self, contract: Contract) -> None:
        """Join small files when there are enough; take away files replaced long ago."""
        table = self._writer.table(contract)
        name = contract.full_name
        try:
            if time.monotonic() - self._expired[name] > _EXPIRE_EVERY_S:
                self._expire(contract, table)
                self._expired[name] = time.monotonic()
            if table.version() - self._compacted[name] > _SMALL_FILES:
                table.optimize.compact(target_size=_TARGET_BYTES)
                self._compacted[name] = table.version()
            if time.monotonic() - self._vacuumed[name] > _VACUUM_EVERY_S:
                table.vacuum(
                    retention_hours=self._history_hours,
                    dry_run=False,
                    enforce_retention_duration=False,
                )
                self._vacuumed[name] = time.monotonic()
        except (DeltaError, OSError) as error:
            # Not worth stopping the stream for: the next round tries again.
            _log.warning("%s: could not be tidied (%s); trying again later", name, error)

    def _expire(self, contract: Contract, table: DeltaTable) -> None:
        """Delete markers and log rows that have been kept long enough."""
        now = datetime.now(UTC)
        if contract.layer == "silver":
            before = now - timedelta(days=self._marker_days)
            table.delete(f"_is_deleted AND _source_ts < '{before:%Y-%m-%dT%H:%M:%SZ}'")
        elif contract.name == "pipeline_freshness":
            before = now - timedelta(days=contract.retention_days)
            table.delete(f"measured_at < '{before:%Y-%m-%dT%H:%M:%SZ}'")
