"""Figures of the stream for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from infra.metrics import serve

__all__ = ["Metrics"]

_QUANTILES = ("p50", "p95", "max")


class Metrics:
    """Counters and gauges of one streaming application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._freshness = Gauge(
            "finlake_freshness_ms",
            "Age of changes when they became visible, newest batch, milliseconds",
            ["table", "hop", "quantile"],
            registry=self.registry,
        )
        self._changes = Counter(
            "finlake_changes", "Changes by outcome", ["table", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "finlake_batch_seconds",
            "Time a micro-batch took",
            buckets=(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30),
            registry=self.registry,
        )
        self._rows = Gauge(
            "finlake_batch_rows", "Changes in the newest micro-batch", registry=self.registry
        )
        self._spent = Gauge(
            "finlake_batch_part_seconds",
            "Where the time of a batch goes by Spark's account, of one batch in ten seconds:"
            " triggerExecution is the whole, addBatch the batch's own work, the rest is Spark's",
            ["part"],
            registry=self.registry,
        )
        self._up = Gauge("finlake_stream_up", "1 while the stream runs", registry=self.registry)

    def serve(self, port: int, host: str) -> int:
        """Answer on that address at the port or the next free one; returns the port."""
        taken = serve(self.registry, port, host)
        self._up.set(1)
        return taken

    def spent(self, parts: Mapping[str, int]) -> None:
        """Take in where a batch's time went: Spark's names of the parts, and milliseconds."""
        for part, ms in parts.items():
            self._spent.labels(part).set(ms / 1000)

    def batch(
        self,
        counts: Mapping[str, tuple[int, int, int, int]],
        measured: Mapping[tuple[str, str], tuple[int, tuple[float, ...]]],
        seconds: float,
    ) -> None:
        """Take in a batch: per table events, applied, superseded, quarantined; and its ages."""
        for table, (_, *outcomes) in counts.items():
            names = ("applied", "superseded", "quarantined")
            for outcome, count in zip(names, outcomes, strict=True):
                self._changes.labels(table, outcome).inc(count)
        for (table, hop), (_, stats) in measured.items():
            for quantile, value in zip(_QUANTILES, stats, strict=True):
                self._freshness.labels(table, hop, quantile).set(value)
        self._seconds.observe(seconds)
        self._rows.set(sum(events for events, *_ in counts.values()))
