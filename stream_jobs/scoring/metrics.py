"""Figures of the scoring for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["ScoreMetrics"]

_SECONDS = (
    0.005,
    0.01,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.6,
    0.8,
    1,
    1.5,
    2,
    3,
    5,
    10,
    60,
)


class ScoreMetrics:
    """Counters and gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = self._counter("records", "Records that were looked at")
        self.bad = self._counter(
            "unreadable_records", "Records passed over, which the stream sets aside"
        )
        self.scored = Counter(
            "finlake_score_transactions",
            "Transactions scored, or scored again; without a champion the band is none",
            ["band"],
            registry=self.registry,
        )
        for band in ("none", "low", "medium", "high", "critical"):
            self.scored.labels(band)
        self.alerts = self._counter("alerts_published", "Alerts of the model on the topic")
        self.failures = Counter(
            "finlake_score_model_failures",
            "Looks at the registry, and batches, in which a model failed",
            ["role"],
            registry=self.registry,
        )
        for role in ("champion", "challenger"):
            self.failures.labels(role)
        self.version = Gauge(
            "finlake_score_model_version",
            "Version of the model that scores, 0 for none",
            ["role"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "finlake_score_seconds",
            "Time from a change in Kafka to its score in the table",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.alert_seconds = Histogram(
            "finlake_score_alert_seconds",
            "Time from the first change of a batch in Kafka until Kafka has an alert of the batch",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.hop = Histogram(
            "finlake_score_hop_seconds",
            "Parts of that time: read (of a batch's first change, from Kafka to its batch), scored"
            " (a batch), published (an alert, from its score until Kafka has it), committed (a"
            " batch, from its scores until they are in the table)",
            ["hop"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        for hop in ("read", "scored", "published", "committed"):
            self.hop.labels(hop)
        self.lag = self._gauge("lag_records", "Records in the topics that were not looked at yet")
        self.known = self._gauge("transactions_known", "Transactions that features can look at")
        self.start_seconds = self._gauge("start_seconds", "What the last start took until live")

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(f"finlake_score_{name}", meaning, registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"finlake_score_{name}", meaning, registry=self.registry)
