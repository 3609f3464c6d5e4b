"""Prometheus' figures of the service. With several workers they are added up over a folder."""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

__all__ = ["IN_FLIGHT", "LATENCY", "MODELS_LOAD", "REQUESTS", "SHARED", "exposed"]

SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder where workers put their figures; the library reads it when it is imported."""

_OWN = CollectorRegistry()
REQUESTS = Counter(
    "finlake_api_requests", "Requests answered.", ["method", "route", "status"], registry=_OWN
)
LATENCY = Histogram(
    "finlake_api_seconds",
    "From the first byte of the head to the last of the answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=_OWN,
)
IN_FLIGHT = Gauge(
    "finlake_api_in_flight",
    "Requests under way.",
    registry=_OWN,
    multiprocess_mode="livesum",
)

MODELS_LOAD = Gauge(
    "finlake_api_models_load_seconds",
    "What the last loading of models took.",
    registry=_OWN,
    multiprocess_mode="livemax",
)


def exposed() -> tuple[bytes, str]:
    """The figures as Prometheus reads them, and their media type."""
    registry = _OWN
    if os.environ.get(SHARED):
        from prometheus_client import multiprocess

        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
