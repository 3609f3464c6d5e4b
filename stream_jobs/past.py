"""Give a lake that was filled before there were histories the past that bronze knows."""

from __future__ import annotations

import logging
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from infra.lake.tables import Lake
from lakehouse_schemas import Contract, contracts
from stream_jobs.io.writer import Writer
from stream_jobs.shapes import RECORDS
from stream_jobs.state.truncates import Truncates
from stream_jobs.transforms import gold
from stream_jobs.transforms.envelope import Decoder
from stream_jobs.transforms.history import HISTORIES, history_patch

__all__ = ["APP", "tell_the_past"]

APP: Final = "history"
_log = logging.getLogger(__name__)
_PLACE = ["topic", "partition", "offset"]


def tell_the_past(lake: Lake, writer: Writer) -> None:
    """Fill each history that is empty from the changes in bronze; those set aside are left out.

    Args:
        lake: where bronze is; no batch may be under way.
        writer: of the application :data:`APP`.
    """
    every = {name: contracts.get(f"gold.{name}") for name in HISTORIES}
    empty = [name for name, contract in every.items() if not _any(lake, contract)]
    if not empty:
        return  # without a look through all of bronze, at every start
    truncates = Truncates(lake)
    for name in empty:
        contract = every[name]
        source, _ = gold.DIMENSIONS[HISTORIES[name]]
        records = _records(lake, source)
        if records.num_rows:
            changes = Decoder(source).decode(records, -1).changes
            nothing = contract.lake_schema.empty_table()
            patch = history_patch(name, nothing, changes, truncates.of(source))
            writer.merge(contract, patch, 0)
            _log.info("%s has %d versions from bronze", contract.full_name, patch.num_rows)


def _any(lake: Lake, contract: Contract) -> bool:
    return bool(lake.ensure(contract).to_pyarrow_dataset().head(1).num_rows)


def _records(lake: Lake, source: str) -> pa.Table:
    """What bronze has of a table, as it came, without what is among the dead letters."""
    bronze = lake.ensure(contracts.get("bronze.changes")).to_pyarrow_dataset()
    names = [*_PLACE, "kafka_ts", "order_token", "key", "value"]
    where = (ds.field("source_table") == source) & ds.field("order_token").is_valid()
    found = bronze.to_table(names, filter=where)
    letters = lake.ensure(contracts.get("bronze.dead_letters")).to_pyarrow_dataset()
    aside = letters.to_table(_PLACE, filter=ds.field("source_table") == source)
    found = found.join(aside, keys=_PLACE, join_type="left anti")
    epoch = pc.utf8_slice_codeunits(found["order_token"], 0, 4).cast(pa.int64())
    made = {"epoch": epoch.cast(pa.string())}
    columns = [made[n] if n in made else found[n] for n in RECORDS.names]
    return pa.Table.from_arrays(columns, names=RECORDS.names).cast(RECORDS)
