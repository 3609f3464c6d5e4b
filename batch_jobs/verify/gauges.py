"""What the continuous proof tells Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from batch_jobs.verify.parts import CHECKS
from batch_jobs.verify.watch import Round
from lakehouse_schemas import contracts

__all__ = ["Gauges"]


class Gauges:
    """Gauges in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._equal = Gauge(
            "finlake_reconciliation_equal",
            "1 while source, silver and gold agree on what all have seen",
            registry=self.registry,
        )
        self._lag = Gauge(
            "finlake_reconciliation_lag_seconds",
            "How far behind the source what was proved is; +Inf before the first heartbeat",
            registry=self.registry,
        )
        self._differences = Gauge(
            "finlake_reconciliation_differences",
            "Keys that differ for good, at least",
            ["table"],
            registry=self.registry,
        )
        self._tables = [c.name for c in contracts.source_tables()]
        self._tables += [check.table for check in CHECKS]

    def take(self, found: Round) -> None:
        """Show what a round has found."""
        self._equal.set(found.equal)
        self._lag.set(found.lag)
        counts = {one.table: one.keys for one in found.differences}
        for table in self._tables:
            self._differences.labels(table).set(counts.get(table, 0))
