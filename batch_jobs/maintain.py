"""``finlake maintain``: what batch jobs write is kept small, and what is old goes.

The stream and the scoring look after their own tables between two batches
(:mod:`stream_jobs.io.housekeeping`). Batch jobs come and go, so their tables are looked after here:
rows that are older than their contract keeps them go, small files are joined, the log gets a
checkpoint and loses old entries, and files that no reader can need any more are deleted. So are
old logs of Airflow's tasks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from batch_jobs.replacing import replace
from finlake.errors import FinlakeError
from infra.lake.delta_log import checkpoint
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts

__all__ = ["Tidied", "delete_old_logs", "owned", "tidy"]

_FILES: Final = 8  # of a table, from which on they are joined
_REPORTED: Final = "report_date"
_DAY_S: Final = 86_400


@dataclass(frozen=True)
class Tidied:
    """What became of a table: rows that were too old, files before and after, files deleted."""

    table: str
    old_rows: int
    files_before: int
    files_after: int
    deleted: int


def tidy(settings: Settings, contract: Contract, now: datetime) -> Tidied | None:
    """Look after one table; ``None`` while nothing has made it. Safe to repeat.

    Args:
        settings: where the lake is, and how long replaced files stay.
        contract: of a table that batch jobs write.
        now: the time, with its zone.

    Raises:
        ComponentMissing: the lake cannot be reached.
        FinlakeError: another job wrote to the table meanwhile.
    """
    lake = Lake(settings)
    table = lake.open(contract)
    if table is None:
        return None
    before = len(table.file_uris())
    old = _drop_old(lake, contract, table, now)
    try:
        table.update_incremental()
        if len(table.file_uris()) >= _FILES:
            table.optimize.compact()
        checkpoint(table)
        deleted = table.vacuum(
            retention_hours=max(1, round(settings.lake_history_minutes / 60)),
            dry_run=False,
            enforce_retention_duration=False,
        )
    except CommitFailedError:
        raise FinlakeError(
            f"{contract.full_name}: another job wrote meanwhile; run `finlake maintain` again"
        ) from None
    except DeltaError as error:
        reason = " ".join(str(error).split())[:200]
        raise FinlakeError(
            f"{contract.full_name}: cannot be tidied ({reason}); see `finlake status`, then run"
            " `finlake maintain` again"
        ) from error
    return Tidied(contract.full_name, old, before, len(table.file_uris()), len(deleted))


def _drop_old(lake: Lake, contract: Contract, table: DeltaTable, now: datetime) -> int:
    """Take out the rows that the contract keeps no longer; how many they were."""
    name = _noted(contract)
    if name is None:
        return 0
    limit = now.astimezone(UTC) - timedelta(days=contract.retention_days)
    kind = contract.lake_schema.field(name).type
    bound = pa.scalar(limit.date() if pa.types.is_date(kind) else limit, kind)
    times = table.to_pyarrow_dataset().scanner(columns=[name]).to_table().column(name)
    old = pc.sum(pc.less(times, bound)).as_py() or 0
    if old:
        none = contract.lake_schema.empty_table()
        replace(
            lake,
            contract,
            none,
            lambda rows: pc.fill_null(pc.less(rows.column(name), bound), False),
            "maintain",
        )
    return int(old)


def _noted(contract: Contract) -> str | None:
    """The column by which rows grow old; ``None`` for a table that each run makes anew."""
    if contract.kind == "log":
        return next(c.name for c in contract.columns if c.type == "timestamp")
    return _REPORTED if _REPORTED in contract.column_names else None


def delete_old_logs(folder: Path, days: float) -> int:
    """Delete files in the folder that nobody has written to for so long; how many they were.

    A folder that is empty then goes too. A folder that is not there is none.
    """
    before = time.time() - days * _DAY_S
    deleted = 0
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before it
        if path.is_symlink() or path.stat().st_mtime >= before:
            continue
        if path.is_file():
            path.unlink()
            deleted += 1
        elif not any(path.iterdir()):
            path.rmdir()
    return deleted


def owned() -> list[Contract]:
    """The tables that are looked after here."""
    return [contract for contract in contracts.lake_tables() if contract.writer == "batch"]
