"""What is known of the champion, for Prometheus."""

from __future__ import annotations

from math import isnan

from prometheus_client import CollectorRegistry, Gauge

from batch_jobs.drift.job import Health
from models.lifecycle.drift import LEVELS

__all__ = ["Gauges"]


class Gauges:
    """Gauges in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"finlake_model_{name}", text, labels, registry=self.registry)

        self._version = gauge("version", "Version of the champion")
        self._behind = gauge("behind_days", "Days with labels that are newer than its training")
        self._due = gauge("retraining_due", "1 while it should be trained again")
        self._psi = gauge("drift_psi", "Population stability index", "feature")
        self._ks = gauge("drift_ks", "Statistic of Kolmogorov and Smirnov", "feature")
        self._drift = gauge("drift_level", "0 ok, 1 warn, 2 alarm", "feature")
        self._precision = gauge("average_precision", "Of the newest week that could be judged")
        self._trained = gauge("average_precision_trained", "On the test of its training")
        self._decay = gauge("decay_level", "Of the newest week: 0 ok, 1 warn, 2 alarm")

    def take(self, found: Health) -> None:
        """Show what was found; features that the champion does not have are no longer shown."""
        self._version.set(found.version)
        self._behind.set(found.behind)
        self._due.set(bool(found.due))
        for gauge in (self._psi, self._ks, self._drift):
            gauge.clear()
        for one in found.drifts:
            self._psi.labels(one.name).set(one.psi)
            self._ks.labels(one.name).set(one.ks)
            self._drift.labels(one.name).set(LEVELS.index(one.level))
        self._trained.set(found.precision)
        judged = [week for week in found.decays if not isnan(week.average_precision)]
        self._precision.set(judged[-1].average_precision if judged else float("nan"))
        self._decay.set(LEVELS.index(judged[-1].level) if judged else 0)
