"""A measured figure and where it was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil

__all__ = ["Figure", "Figures", "machine", "percentiles", "versions"]

_PACKAGES = ("deltalake", "duckdb", "pyarrow", "pyspark", "delta-spark")


@dataclass(frozen=True)
class Figure:
    """One figure; ``params`` is what it was measured with, ``unit`` is written out."""

    bench: str
    metric: str
    value: float
    unit: str
    params: dict[str, float | int | str]
    machine: str
    versions: dict[str, str]
    commit: str

    def as_dict(self) -> dict[str, object]:
        """The figure as one JSON object."""
        return asdict(self)


@dataclass
class Figures:
    """Figures of one run, with what is the same for all of them."""

    bench: str
    params: dict[str, float | int | str]
    components: dict[str, str] = field(default_factory=dict)

    def of(self, metric: str, value: float, unit: str) -> Figure:
        """A figure of this run, to four decimals."""
        names = {**versions(), **self.components}
        return Figure(
            self.bench,
            metric,
            round(float(value), 4),
            unit,
            self.params,
            machine(),
            names,
            commit(),
        )

    def spread(self, metric: str, values: Sequence[float], unit: str) -> Iterator[Figure]:
        """Median, 95th and 99th percentile, maximum and number of the values."""
        for name, value in percentiles(values).items():
            yield self.of(f"{metric}.{name}", value, unit)
        yield self.of(f"{metric}.count", len(values), "samples")


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and max of the values; empty when there are none."""
    if not len(values):
        return {}
    p50, p95, p99 = np.percentile(np.asarray(values, dtype=float), [50, 95, 99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(max(values))}


@cache
def machine() -> str:
    """Cores, memory and kernel of this machine."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


@cache
def versions() -> dict[str, str]:
    """Versions of what the figures hang on most."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


@cache
def commit() -> str:
    """The commit of this checkout, with ``+`` where files were changed; empty without one."""
    folder = Path(__file__).parent
    said = [_git(folder, "rev-parse", "--short", "HEAD"), _git(folder, "status", "--porcelain")]
    return said[0] + ("+" if said[1] else "")


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
