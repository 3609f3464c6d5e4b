"""Decay: whether a model still tells frauds as well as it did when it was trained.

Labels arrive late, so this is known later than drift; but it is what drift only hints at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np

from models.features.events import Array
from models.lifecycle.drift import LEVELS, Level
from models.lifecycle.paired import average_precisions, draws

__all__ = ["Decay", "Tolerance", "weeks"]

_DRAWS = 500
_SURE = 3.0  # standard deviations of the count of frauds


@dataclass(frozen=True)
class Tolerance:
    """Which share of the training's average precision may be lost before it warns, and alarms.

    ``calibration`` is how many times as many frauds as were foretold (or as few) warn; its square
    alarms. A week with fewer than ``frauds`` is not judged.
    """

    warn: float
    alarm: float
    calibration: float
    frauds: int


@dataclass(frozen=True)
class Decay:
    """A week of a model: average precision with its bounds, and frauds that were and were foretold.

    ``level`` is ``ok`` for a week with too few frauds to judge, whose average precision is NaN.
    """

    first_day: int
    transactions: int
    frauds: int
    foretold: float
    average_precision: float
    low: float
    high: float
    level: Level


def weeks(
    day: Array,
    label: Array,
    probability: Array,
    reference: float,
    tolerance: Tolerance,
    *,
    coverage: float = 0.9,
    seed: int = 0,
) -> Iterator[Decay]:
    """Each stretch of seven days, from the last one back to the first that is whole, in order.

    Args:
        day: days since 1970 of labelled transactions, in any order.
        label: 1 for fraud, 0 for none.
        probability: what the model said of each.
        reference: average precision on the test of the training.
        tolerance: what may be lost.
        coverage: of the bounds, which come from draws of days.
        seed: of the draws.
    """
    last = int(day.max(initial=0))
    count = (last - int(day.min(initial=last)) + 1) // 7
    for first in range(last + 1 - 7 * count, last + 1, 7):
        rows = (day >= first) & (day < first + 7)
        yield _week(
            first, day[rows], label[rows], probability[rows], reference, tolerance, coverage, seed
        )


def _week(
    first: int,
    day: Array,
    label: Array,
    probability: Array,
    reference: float,
    tolerance: Tolerance,
    coverage: float,
    seed: int,
) -> Decay:
    frauds, foretold = int((label == 1).sum()), float(probability.sum())
    if frauds < tolerance.frauds:
        nan = float("nan")
        return Decay(first, len(day), frauds, foretold, nan, nan, nan, "ok")
    days, place = np.unique(day, return_inverse=True)
    found = average_precisions(place, label, probability, draws(len(days), _DRAWS, seed))
    low, high = np.nanquantile(found[1:], [(1 - coverage) / 2, (1 + coverage) / 2]).tolist()
    lost = 1 - found[0] / reference
    worse = [tolerance.warn, tolerance.alarm] if high < reference else []
    # Calibration in the large: frauds observed against expected, a sum of as many coins.
    off = max(frauds / max(foretold, 1e-9), foretold / frauds)
    spread = sqrt(float((probability * (1 - probability)).sum()))
    sure = abs(frauds - foretold) > _SURE * spread
    apart = [tolerance.calibration, tolerance.calibration**2] if sure else []
    reached = max(sum(lost >= at for at in worse), sum(off >= at for at in apart))
    return Decay(first, len(day), frauds, foretold, float(found[0]), low, high, LEVELS[reached])
