"""Let a stopped table flow again: what was set aside of it is applied with today's contract."""

from __future__ import annotations

import logging

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from finlake.errors import UsageProblem
from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.batch import BatchProcessor
from stream_jobs.io.writer import DeltaRsWriter
from stream_jobs.shapes import RECORDS

__all__ = ["resume_table"]

_log = logging.getLogger(__name__)


def resume_table(lake: Lake, processor: BatchProcessor, table: str) -> None:
    """Apply a table's dead letters; those that still do not fit stay where they are.

    Cut short and done again, it changes nothing twice: the application id is made from the records
    themselves, and they are taken out of the dead letters last.

    Raises:
        UsageProblem: when there is no such source table.
    """
    if table not in {c.name for c in contracts.source_tables()}:
        raise UsageProblem(f"there is no source table {table}; `finlake stream --help`")
    letters = lake.ensure(contracts.get("bronze.dead_letters"))
    kept = letters.to_pyarrow_dataset().to_table(columns=["source_table", *RECORDS.names])
    records = kept.filter(pc.equal(kept["source_table"].cast(pa.string()), table))
    records = records.drop_columns("source_table").cast(RECORDS)
    records = records.sort_by([("topic", "ascending"), ("offset", "ascending")])
    places = records.select(["topic", "partition", "offset"]).to_pylist()
    app_id = f"resume-{table}-{xxhash.xxh64_hexdigest(str(places).encode())}"
    found = processor.resume(table, records, DeltaRsWriter(lake, app_id))
    left = pa.table(found.rejects.select(["partition", "offset"])).to_pylist()
    stay = " OR ".join(f"(partition = {r['partition']} AND offset = {r['offset']})" for r in left)
    keep = f" AND NOT ({stay})" if stay else ""
    letters.update_incremental()
    letters.delete(f"source_table = '{table}'{keep}")
    _log.info(
        "%s flows again: %d of %d records set aside are applied",
        table,
        records.num_rows - len(left),
        records.num_rows,
    )
