"""Let a stopped table flow again: what was set aside of it is applied with today's contract."""

from __future__ import annotations

import logging

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from finlake.errors import UsageProblem
from lakehouse_schemas import contracts
from stream_jobs.batch import BatchProcessor
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.shapes import RECORDS

__all__ = ["resume_table"]

_log = logging.getLogger(__name__)


def resume_table(tables: Tables, processor: BatchProcessor, table: str) -> None:
    """Apply a table's dead letters; those that still do not fit stay where they are.

    Cut short and done again, it changes nothing twice: the application id is made from the records
    themselves, and they are taken out of the dead letters last.

    Raises:
        UsageProblem: when there is no such source table.
    """
    if table not in {c.name for c in contracts.source_tables()}:
        raise UsageProblem(f"there is no source table {table}; `finlake stream --help`")
    letters = tables.appended(contracts.get("bronze.dead_letters"))
    kept = letters.rows().select(["source_table", *RECORDS.names])
    records = kept.filter(pc.equal(kept["source_table"], table))
    records = records.drop_columns("source_table").cast(RECORDS)
    records = records.sort_by([("topic", "ascending"), ("offset", "ascending")])
    places = records.select(["topic", "partition", "offset"]).to_pylist()
    app_id = f"resume-{table}-{xxhash.xxh64_hexdigest(str(places).encode())}"
    found = processor.resume(table, records, LakeWriter(tables, app_id))
    left = found.rejects.select(["partition", "offset"])
    letters.keep(lambda rows: _others(rows, table, left))
    _log.info(
        "%s flows again: %d of %d records set aside are applied",
        table,
        records.num_rows - left.num_rows,
        records.num_rows,
    )


def _others(letters: pa.Table, table: str, left: pa.Table) -> pa.Array:
    """Marks the letters of other tables, and those that are left of this one."""
    numbered = letters.select(["partition", "offset"])
    places = pa.array([f"{p}:{o}" for p, o in zip(*numbered.to_pydict().values(), strict=True)])
    stay = pa.array(
        [f"{p}:{o}" for p, o in zip(*left.to_pydict().values(), strict=True)], pa.string()
    )
    return pc.or_(
        pc.not_equal(letters["source_table"], table).combine_chunks(),
        pc.is_in(places.cast(pa.string()), value_set=stay),
    )
