"""When each source table was emptied by a ``TRUNCATE``."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from infra.lake.tables import Lake
from lakehouse_schemas import contracts

__all__ = ["Truncates"]


class Truncates:
    """Order token and time of each table's truncates; read back from bronze at the start.

    A truncate has no key, so it may overtake changes of the same table in other partitions. Those
    that come after it but happened before it must not bring their rows back.
    """

    def __init__(self, lake: Lake) -> None:
        changes = lake.ensure(contracts.get("bronze.changes")).to_pyarrow_dataset()
        where = (ds.field("op") == "t") & ds.field("order_token").is_valid()
        names = ["source_table", "order_token", "source_ts", "kafka_ts"]
        self._seen: dict[str, dict[str, int]] = {}
        found = changes.to_table(names, filter=where)
        at = pc.coalesce(found["source_ts"], found["kafka_ts"])
        for table in pc.unique(found["source_table"]).to_pylist():
            own = pc.equal(found["source_table"], table)
            self.see(table, found["order_token"].filter(own), at.filter(own))

    def see(self, table: str, tokens: pa.ChunkedArray, at: pa.ChunkedArray) -> None:
        """Take note of truncates and of when they were."""
        times = at.cast(pa.int64()).to_pylist()
        seen = self._seen.setdefault(table, {})
        seen.update(zip(tokens.to_pylist(), times, strict=True))

    def last(self, table: str) -> str:
        """Token of the table's last truncate; empty, and so lower than any, when there is none."""
        return max(self.of(table), default="")

    def of(self, table: str) -> Mapping[str, int]:
        """Token of every truncate of the table, and when it was, microseconds since 1970."""
        return self._seen.get(table, {})
