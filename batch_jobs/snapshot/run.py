"""What applies the rows that are read: table by table, as batches of the stream's own form."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from batch_jobs.ahead import ahead
from batch_jobs.snapshot.reader import Job, Reader, numbered
from batch_jobs.snapshot.rows import Place, about, gone, spans
from connectors.config import Source
from connectors.source import cursor
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts
from stream_jobs.batch import BatchProcessor
from stream_jobs.io.metrics import Metrics
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.memory import look_seldom_for_garbage
from stream_jobs.past import APP, tell_the_past

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

__all__ = ["Run", "TableReport", "Watch"]

_BATCH_ROWS = 65_536  # a full file of a keyed table

Watch = Callable[[str, int, int], None]
"""Called with a table, how many of its rows are in, and about how many there are."""


@dataclass(frozen=True)
class TableReport:
    """What was read of one table; ``deleted`` rows were in the lake and no longer in the source."""

    table: str
    rows: int
    deleted: int
    seconds: float


class Run:
    """Reads the tables of a source as of one place of its log, or later; to be closed."""

    def __init__(self, settings: Settings, source: Source, watch: Watch) -> None:
        self._settings, self._source, self._watch = settings, source, watch
        self._reader = Reader(settings)
        self._lake = Lake(settings)
        for contract in contracts.written_by("stream"):
            self._lake.ensure(contract)
        self._tables = Tables(self._lake, settings.stream_cache_mb << 20)
        tell_the_past(self._lake, LakeWriter(self._tables, APP))
        self._batches = count()
        look_seldom_for_garbage()

    def read(self, epoch: int, file: str, position: int) -> list[TableReport]:
        """Read every table."""
        self._place = Place(epoch, file, position, datetime.now(UTC))
        writer = LakeWriter(self._tables, self._place.name)
        self._processor = BatchProcessor(self._settings, self._lake, writer, Metrics())
        # Labels and attributes come first, so that each transaction is worked out once.
        tables = sorted(contracts.source_tables(), key=lambda c: (c.name == "transactions", c.name))
        return [self._take(contract) for contract in tables]

    def close(self) -> None:
        """Let the reading process end."""
        self._reader.close()

    def _take(self, contract: Contract) -> TableReport:
        began = time.monotonic()
        silver = self._tables.keyed(contracts.get(f"silver.{contract.name}"))
        stood = bool(silver.log.files)
        keys = [np.empty(0, np.int64)]
        done = deleted = 0
        with cursor(self._source, self._settings, as_connector=True) as own:
            of = about(own, contract)
            self._watch(contract.name, 0, of)
            for job, part in ahead(self._reader.read, self._jobs(own, contract), 1):
                self._processor.apply(part.decoded, job.batch)
                keys.append(part.keys)
                done += len(part.keys)
                self._watch(contract.name, done, max(done, of))
        if stood:
            every = np.sort(np.concatenate(keys))
            for rows in silver.parts():
                lost = gone(contract, self._place, rows, every)
                batch = next(self._batches)
                self._processor.process(numbered(lost, batch), batch)
                deleted += lost.num_rows
        return TableReport(contract.name, done, deleted, time.monotonic() - began)

    def _jobs(self, own: Cursor, contract: Contract) -> Iterator[Job]:
        for span in spans(own, contract, _BATCH_ROWS):
            yield Job(contract.name, span, self._place, next(self._batches))
