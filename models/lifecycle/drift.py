"""Drift: how far what a model looks at, and what it answers, lies from what it learnt from.

For each feature, and for the score, the reference (a sample of the training's rows) is compared
with the current one in two ways:

- PSI, the population stability index: the sum over bins of (p - q) ln(p / q), p and q being the
  shares of the current and of the reference rows in the bin. (N. Siddiqi, "Credit Risk Scorecards",
  2006, chapter 10; the symmetric divergence J of H. Jeffreys, 1946.)
- KS, the statistic of Kolmogorov and Smirnov: the largest difference between the two distribution
  functions.

Bins come from the reference alone. An empty value is a value of its own, below all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Literal

import numpy as np

from models.features.events import Array

__all__ = ["LEVELS", "SCORE", "Bins", "Drift", "Level", "Limits", "drifts", "ks", "psi"]

Level = Literal["ok", "warn", "alarm"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "alarm")

SCORE = "score"
"""Name under which the drift of a model's answers stands beside those of its features."""

_BINS = 10
_EMPTY_ROWS = 0.5  # of the smaller sample; an empty bin would make the index infinite
_DOUBT = 1e-3  # that chance alone reaches what is called drift


@dataclass(frozen=True)
class Limits:
    """From where on a feature warns, and from where on it alarms, in either measure."""

    psi_warn: float
    psi_alarm: float
    ks_warn: float
    ks_alarm: float


@dataclass(frozen=True)
class Drift:
    """Both measures of a feature, and what they amount to."""

    name: str
    psi: float
    ks: float
    level: Level


@dataclass(frozen=True)
class Bins:
    """Bins of a feature: one for empty values, then up to each of the rising ``edges``, and above.

    Equal parts of the reference's values, or a bin for each when there are few distinct ones; a
    value that the reference does not have falls to the next higher one.
    """

    edges: Array

    @classmethod
    def of(cls, reference: Array) -> Bins:
        """Bins fixed by these values."""
        known = reference[~np.isnan(reference)]
        distinct = np.unique(known)
        if len(distinct) <= _BINS:
            return cls(distinct)
        shares = np.arange(1, _BINS) / _BINS
        return cls(np.unique(np.quantile(known, shares, method="inverted_cdf")))

    def __len__(self) -> int:
        return len(self.edges) + 2

    def counts(self, values: Array) -> Array:
        """How many of the values lie in each bin."""
        place = np.where(np.isnan(values), 0, 1 + np.searchsorted(self.edges, values, "left"))
        return np.bincount(place, minlength=len(self))


def psi(reference: Array, current: Array) -> float:
    """Population stability index between counts of the same bins; nought or more, never infinite.

    A bin without rows counts as if it had half a row of the smaller sample.
    """
    least = _EMPTY_ROWS / min(reference.sum(), current.sum())
    p, q = (np.maximum(counts / counts.sum(), least) for counts in (current, reference))
    return float(((p - q) * np.log(p / q)).sum())


def ks(reference: Array, current: Array) -> float:
    """Largest difference between the shares of values up to x, over all x; 0 to 1."""
    first, second = (np.sort(np.nan_to_num(v, nan=-np.inf)) for v in (reference, current))
    every = np.concatenate([first, second])
    up_to = (np.searchsorted(v, every, "right") / len(v) for v in (first, second))
    return float(np.abs(np.subtract(*up_to)).max())


def drifts(
    names: Sequence[str], reference: Array, current: Array, limits: Limits
) -> Iterator[Drift]:
    """The drift of each column of two matrices with a row for each transaction, none empty."""
    rows = len(reference), len(current)
    for column, name in enumerate(names):
        was, now = (values[:, column].astype(np.float64) for values in (reference, current))
        bins = Bins.of(was)
        counts = bins.counts(was), bins.counts(now)
        filled = int(np.logical_or(*counts).sum())
        found = psi(*counts), ks(was, now)
        noise = _psi_noise(rows, filled), _ks_noise(rows)
        yield Drift(name, *found, _level(found, noise, limits))


def _level(found: tuple[float, float], noise: tuple[float, float], limits: Limits) -> Level:
    """The higher of what both measures say; what chance may bring in so few rows says nothing."""
    steps = (
        (limits.psi_warn, limits.psi_alarm),
        (limits.ks_warn, limits.ks_alarm),
    )
    reached = [
        sum(value >= limit for limit in at) if value > chance else 0
        for value, chance, at in zip(found, noise, steps, strict=True)
    ]
    return LEVELS[max(reached)]


def _psi_noise(rows: tuple[int, int], bins: int) -> float:
    """What the index of two samples of the same thing stays below, but for ``_DOUBT``.

    It is about (1/n + 1/m) times a chi-squared value with a degree of freedom less than there are
    bins (B. Yurdakul, "Statistical Properties of Population Stability Index", 2018), whose
    quantile is that of E. B. Wilson and M. M. Hilferty (1931).
    """
    freedom = max(1, bins - 1)
    part = 2 / (9 * freedom)
    quantile = freedom * (1 - part + _NORMAL * sqrt(part)) ** 3
    return (1 / rows[0] + 1 / rows[1]) * quantile


def _ks_noise(rows: tuple[int, int]) -> float:
    """What the statistic of two samples of the same thing stays below (N. Smirnov, 1948)."""
    return sqrt(-log(_DOUBT / 2) / 2 * (1 / rows[0] + 1 / rows[1]))


_NORMAL = 3.0902  # quantile of the normal distribution at 1 - _DOUBT
