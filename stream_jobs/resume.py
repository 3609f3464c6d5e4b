"""Apply what was set aside with today's contract: of a table that stood still, or as ordered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from connectors.letters import Choice, Place, read_orders
from finlake.errors import UsageProblem
from lakehouse_schemas import contracts
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.shapes import RECORDS

if TYPE_CHECKING:
    from stream_jobs.batch import BatchProcessor

__all__ = ["replay", "resume_table"]

_log = logging.getLogger(__name__)


def resume_table(tables: Tables, processor: BatchProcessor, table: str) -> None:
    """Let a stopped table flow again, and apply its dead letters as :func:`replay` does.

    Raises:
        UsageProblem: when there is no such source table.
    """
    if table not in _sources():
        raise UsageProblem(f"there is no source table {table}; `finlake stream --help`")
    processor.resume(table)
    done, there = _apply(tables, processor, Choice(table))
    _log.info("%s flows again: %d of %d records set aside are applied", table, done, there)


def replay(tables: Tables, processor: BatchProcessor, orders: pa.Table) -> None:
    """Apply the dead letters that the orders name; those that still do not fit stay where they are.

    Cut short and done again, it changes nothing twice: the application id is made from the records
    that are applied, and they are taken out of the dead letters last. An order that cannot be done
    is noted in the log and stops nothing.

    Args:
        tables: of this process, which alone writes them.
        processor: between two writes of a batch.
        orders: records of the topic of orders (:data:`~stream_jobs.shapes.RECORDS`).
    """
    for choice in read_orders(orders.column("value").to_pylist()):
        table = choice.table
        if table not in _sources():
            _log.warning("dead letters of %s are not replayed: there is no such table", table)
        elif why := processor.stopped(table):
            _log.warning("dead letters of %s are not replayed, it is stopped: %s", table, why)
        else:
            done, there = _apply(tables, processor, choice)
            _log.info("%s: %d of %d dead letters are applied", choice, done, there)


def _apply(tables: Tables, processor: BatchProcessor, choice: Choice) -> tuple[int, int]:
    """Apply the chosen letters; how many of them were applied, and how many there were."""
    letters = tables.appended(contracts.get("bronze.dead_letters"))
    kept = letters.rows()
    records = kept.filter(_chosen(kept, choice)).select(RECORDS.names).cast(RECORDS)
    records = records.sort_by([("topic", "ascending"), ("offset", "ascending")])
    found = processor.decode(choice.table, records)
    left = set(_places(found.rejects))
    applied = [place for place in _places(records) if place not in left]
    if applied:
        app_id = f"resume-{choice.table}-{xxhash.xxh64_hexdigest(str(applied).encode())}"
        processor.again(choice.table, found, LakeWriter(tables, app_id))
        gone = pa.array(applied)
        letters.keep(lambda rows: pc.invert(pc.is_in(pa.array(_places(rows)), value_set=gone)))
    return len(applied), records.num_rows


def _chosen(letters: pa.Table, choice: Choice) -> pa.ChunkedArray:
    marks = pc.equal(letters["source_table"], choice.table)
    for name, wanted in choice.conditions().items():
        marks = pc.and_(marks, pc.equal(letters[name], wanted))
    return marks


def _places(rows: pa.Table) -> list[str]:
    columns = (rows.column(name).to_pylist() for name in ("topic", "partition", "offset"))
    return [str(Place(*place)) for place in zip(*columns, strict=True)]


def _sources() -> set[str]:
    return {contract.name for contract in contracts.source_tables()}
