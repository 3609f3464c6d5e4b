"""Which source tables flow and which are stopped, and why."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pyarrow as pa

from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.transforms.schema_change import changed_tables, problem

__all__ = ["Status"]

_log = logging.getLogger(__name__)


class Status:
    """The newest row per table of ``pipeline_status``, kept in step with it."""

    def __init__(self, lake: Lake) -> None:
        self._contract = contracts.get("gold.pipeline_status")
        self._sources = {c.name: c for c in contracts.source_tables()}
        rows = lake.ensure(self._contract).to_pyarrow_dataset().to_table().to_pylist()
        self._now: dict[str, dict[str, object]] = {}
        for row in sorted(rows, key=lambda r: r["since"]):
            self._now[row["table_name"]] = row
        self._changed: list[dict[str, object]] = []
        for name in self._sources.keys() - self._now.keys():
            self._set(name, "running", None, None)

    def stopped(self, table: str) -> str:
        """Why the table is stopped; empty while it flows."""
        row = self._now[table]
        return str(row["reason"]) if row["state"] == "stopped" else ""

    def held(self) -> dict[str, str]:
        """The stopped tables and why."""
        reasons = {table: self.stopped(table) for table in self._now}
        return {table: reason for table, reason in reasons.items() if reason}

    def stop(self, table: str, reason: str) -> None:
        """Stop the table: its changes go to bronze and the dead letters until it is resumed."""
        if self.stopped(table):
            return
        step = (
            f"bring lakehouse_schemas/tables/source/{table}.yaml and silver/{table}.yaml in line "
            f"with the source, then `finlake stream --resume {table}`; nothing is lost meanwhile"
        )
        _log.error("%s; the table is stopped: %s", reason, step)
        self._set(table, "stopped", reason, step)

    def resume(self, table: str) -> None:
        """Let the table flow again."""
        self._set(table, "running", None, None)

    def observe(self, schema_events: pa.Table | None) -> None:
        """Stop the tables that schema change events show no longer to fit."""
        if schema_events is None:
            return
        for table, columns in changed_tables(schema_events.column("value").to_pylist()):
            source = self._sources.get(table)
            reason = problem(source, columns) if source else ""
            if reason:
                self.stop(table, reason)

    def changed(self) -> pa.Table:
        """Rows of ``pipeline_status`` since the last asking."""
        rows, self._changed = self._changed, []
        return pa.Table.from_pylist(rows, schema=self._contract.arrow_schema())

    def _set(self, table: str, state: str, reason: str | None, next_step: str | None) -> None:
        row: dict[str, object] = {
            "table_name": table,
            "state": state,
            "since": datetime.now(UTC),
            "reason": reason,
            "next_step": next_step,
        }
        self._now[table] = row
        self._changed.append(row)
