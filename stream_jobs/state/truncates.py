"""When each source table was last emptied by a ``TRUNCATE``."""

from __future__ import annotations

import pyarrow.dataset as ds

from infra.lake.tables import Lake
from lakehouse_schemas import contracts

__all__ = ["Truncates"]


class Truncates:
    """The order token of each table's last truncate; read back from bronze at the start.

    A truncate has no key, so it may overtake changes of the same table in other partitions. Those
    that come after it but happened before it must not bring their rows back.
    """

    def __init__(self, lake: Lake) -> None:
        changes = lake.ensure(contracts.get("bronze.changes")).to_pyarrow_dataset()
        where = (ds.field("op") == "t") & ds.field("order_token").is_valid()
        self._last: dict[str, str] = {}
        for row in changes.to_table(["source_table", "order_token"], filter=where).to_pylist():
            self.see(row["source_table"], row["order_token"])

    def see(self, table: str, token: str) -> None:
        """Take note of a truncate."""
        self._last[table] = max(token, self.last(table))

    def last(self, table: str) -> str:
        """Token of the table's last truncate; empty, and so lower than any, when there is none."""
        return self._last.get(table, "")
