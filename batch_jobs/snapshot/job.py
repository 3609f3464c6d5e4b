"""Read every row of the source straight into bronze, silver and gold, then let Debezium go on.

The connector notes where the source's log stands before the first row is read, and captures from
there; each row is written under a later position, up to which everything is visible to the reads.
So a change that a read has seen already is applied once more, to the same effect, and one that it
has not seen comes later in the order of changes. Rows that the lake holds and the source does not
are deleted: what was lost with a purged log is made good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

import connectors
from batch_jobs.ahead import ahead
from batch_jobs.snapshot.reader import Job, Reader, numbered
from batch_jobs.snapshot.rows import Place, about, gone, spans
from connectors.config import Source, parse_source
from connectors.source import cursor, log_end
from finlake.errors import UsageProblem
from infra.lake.tables import Lake
from infra.settings import Settings
from infra.stack.control import status
from lakehouse_schemas import Contract, contracts
from stream_jobs.batch import BatchProcessor
from stream_jobs.io.metrics import Metrics
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.memory import look_seldom_for_garbage

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

__all__ = ["TableReport", "snapshot"]

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


def snapshot(
    settings: Settings,
    *,
    tell: Callable[[str], None] = lambda _: None,
    watch: Watch = lambda _table, _done, _of: None,
) -> list[TableReport]:
    """Bring the lake up to the source, without Spark. It may be stopped and done again at any time.

    Raises:
        UsageProblem: the stream runs, or the source is none of MySQL's kind.
        ComponentMissing: the source, Kafka, Connect or the lake is not there.
        FinlakeError: the source or the connector refuses.
    """
    source = parse_source(settings)
    if source.flavour == "postgresql":
        raise UsageProblem("finlake snapshot reads MySQL and MariaDB; PostgreSQL has no such road")
    if any(one.component in ("stream", "alerts") and one.pid for one in status(settings)):
        raise UsageProblem(
            "the stream runs, and the lake has one writer: `finlake down`, `finlake up` without "
            "it, and then the snapshot"
        )
    reader = Reader(settings)
    try:
        connectors.apply(settings, tell, rows=False)
        connectors.wait_for_offset(settings)
        with cursor(source, settings, as_connector=True) as own:
            file, position = log_end(own)
        place = Place(connectors.source_epoch(settings), file, position, datetime.now(UTC))
        tell(f"every table is read as of {file}, position {position:,}, or later")
        run = _Run(settings, source, place, reader, watch)
        # Labels and attributes come first, so that each transaction is worked out once.
        tables = sorted(contracts.source_tables(), key=lambda c: (c.name == "transactions", c.name))
        reports = [run.take(contract) for contract in tables]
        connectors.rows_are_read(settings)
        return reports
    finally:
        reader.close()


class _Run:
    def __init__(
        self, settings: Settings, source: Source, place: Place, reader: Reader, watch: Watch
    ) -> None:
        self._settings, self._source, self._place = settings, source, place
        self._reader, self._watch = reader, watch
        lake = Lake(settings)
        for contract in contracts.written_by("stream"):
            lake.ensure(contract)
        self._tables = Tables(lake, settings.stream_cache_mb << 20)
        writer = LakeWriter(self._tables, place.name)
        self._processor = BatchProcessor(settings, lake, writer, Metrics())
        self._batches = count()
        look_seldom_for_garbage()

    def take(self, contract: Contract) -> TableReport:
        """Read one table."""
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
