"""Read every row of the source straight into bronze, silver and gold, then let Debezium go on.

The connector notes where the source's log stands before the first row is read, and captures from
there; each row is written under a later position, up to which everything is visible to the reads.
So a change that a read has seen already is applied once more, to the same effect, and one that it
has not seen comes later in the order of changes. Rows that the lake holds and the source does not
are deleted: what was lost with a purged log is made good.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import connectors
from connectors.config import Source, parse_source
from connectors.source import cursor, log_end
from finlake.errors import UsageProblem
from infra.settings import Settings
from infra.stack.control import status

if TYPE_CHECKING:
    from batch_jobs.snapshot.run import Run, TableReport, Watch

__all__ = ["snapshot"]


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
    with ThreadPoolExecutor(1) as aside:
        # Debezium takes seconds to start: what reads and applies the rows is loaded meanwhile.
        loading = aside.submit(_load, settings, source, watch)
        try:
            connectors.apply(settings, tell, rows=False)
            connectors.wait_for_offset(settings)
            with cursor(source, settings, as_connector=True) as own:
                file, position = log_end(own)
            tell(f"every table is read as of {file}, position {position:,}, or later")
            reports = loading.result().read(connectors.source_epoch(settings), file, position)
            connectors.rows_are_read(settings)
            return reports
        finally:
            loading.result().close()


def _load(settings: Settings, source: Source, watch: Watch) -> Run:
    from batch_jobs.snapshot.run import Run

    return Run(settings, source, watch)
