"""A figure, and what it was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil

__all__ = ["Figure", "percentiles"]

_PACKAGES = ("pyspark", "delta-spark", "deltalake", "duckdb", "pyarrow")


@dataclass(frozen=True)
class Figure:
    """One measured value: which benchmark and metric, in which unit, with which parameters."""

    bench: str
    metric: str
    value: float
    unit: str
    params: dict[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The figure with machine, versions and commit, as it is printed."""
        return {**asdict(self), **_surroundings()}


def percentiles(
    bench: str, name: str, values: Sequence[float], params: dict[str, object]
) -> list[Figure]:
    """Count, median, 95th and 99th percentile and maximum of milliseconds; empty of nothing."""
    if not len(values):
        return [Figure(bench, f"{name}_count", 0, "1", params)]
    found = np.percentile(values, [50, 95, 99, 100])
    names = ("p50", "p95", "p99", "max")
    return [
        Figure(bench, f"{name}_count", len(values), "1", params),
        *(
            Figure(bench, f"{name}_{quantile}", round(float(value), 1), "ms", params)
            for quantile, value in zip(names, found, strict=True)
        ),
    ]


@cache
def _surroundings() -> dict[str, object]:
    memory = round(psutil.virtual_memory().total / 2**30)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "machine": f"{os.cpu_count()} cores, {memory} GiB, {platform.platform(terse=True)}",
        "versions": {name: metadata.version(name) for name in _PACKAGES},
        "commit": commit or "unknown",
    }
