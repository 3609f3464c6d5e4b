"""Figures of the live alerts for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stream_jobs.transforms.rules import SEVERITY

__all__ = ["AlertMetrics"]

_SECONDS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1, 2, 5, 10, 60)


class AlertMetrics:
    """Counters and gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter(
            "finlake_alerts_records",
            "Records of the transactions' topic that were looked at",
            registry=self.registry,
        )
        self.bad = Counter(
            "finlake_alerts_unreadable_records",
            "Records passed over, which the stream sets aside",
            registry=self.registry,
        )
        self._published = Counter(
            "finlake_alerts_published", "Alerts on the topic", ["rule"], registry=self.registry
        )
        for rule in SEVERITY:
            self._published.labels(rule)
        self._seconds = Histogram(
            "finlake_alert_seconds",
            "Time from a change to its alert on the topic; since its commit only where the source's"
            " clock is finer than a second",
            ["since"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._seconds.labels("kafka")  # there before the first alert, for who asks
        self.lag = Gauge(
            "finlake_alerts_lag_records",
            "Records in the topic that were not looked at yet",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "finlake_alerts_waiting_changes",
            "Changes of long ago that wait for the lake",
            registry=self.registry,
        )

    def published(self, rule: str, source_us: int | None, kafka_us: int, now_us: int) -> None:
        """Note an alert that Kafka has; times in microseconds since 1970."""
        self._published.labels(rule).inc()
        self._seconds.labels("kafka").observe(max(now_us - kafka_us, 0) / 1e6)
        if source_us is not None and source_us % 1_000_000:
            self._seconds.labels("commit").observe(max(now_us - source_us, 0) / 1e6)
