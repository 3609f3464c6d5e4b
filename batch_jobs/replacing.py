"""Replace rows of a table that a batch job writes, in one commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from finlake.errors import ComponentMissing, FinlakeError
from infra.lake.delta_log import DeltaLog
from infra.lake.tables import Lake
from lakehouse_schemas import Contract

__all__ = ["everything", "replace"]

_FILE_ROWS: Final = 131_072


def everything(rows: pa.Table) -> pa.Array:
    """Marks every row."""
    return pa.repeat(True, rows.num_rows)


def replace(
    lake: Lake, contract: Contract, rows: pa.Table, gone: Callable[[pa.Table], pa.Array], job: str
) -> None:
    """One commit: the rows come, those that ``gone`` marks go.

    Args:
        lake: where the table is.
        contract: its contract.
        rows: what it should hold besides what stays.
        gone: marks what goes, of the rows of one file.
        job: the command, noted in the commit and named in the error.

    Raises:
        FinlakeError: another run wrote at the same time; nothing is written.
        ComponentMissing: the lake cannot be reached.
    """
    log = DeltaLog(lake, contract)
    add, remove = [], []
    for file in list(log.files.values()):
        old = log.read(file)
        kept = old.filter(pc.invert(gone(old)))
        if kept.num_rows < old.num_rows:
            remove.append(file)
            if kept.num_rows:
                add.append(log.write(kept))
    rows = rows.combine_chunks()
    add += [
        log.write(rows.slice(start, _FILE_ROWS)) for start in range(0, rows.num_rows, _FILE_ROWS)
    ]
    try:
        log.commit("WRITE", add, remove, (job, log.version + 1))
    except ComponentMissing:
        raise
    except FinlakeError:
        raise FinlakeError(
            f"{contract.full_name}: another run of `finlake {job}` wrote meanwhile; run it again"
            " alone"
        ) from None
