"""Credit-risk score of a customer, 0 to 1000: a scorecard whose every point can be told.

Each factor gives points by a straight line between a worst and a best value and none beyond them;
the score is their sum, and higher is safer. The weights are set by hand, after the groups that FICO
publishes of its own score (https://www.myfico.com/credit-education/whats-in-your-credit-score:
history of payment, amounts owed, length of history). They are fitted to nothing: the data knows of
no default.

Reasons are the factors that cost most points, up to four, as the notices are that 12 CFR 1002.9
(Regulation B) asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["BANDS", "CASH_CATEGORIES", "FACTORS", "Factor", "bands", "points", "reasons", "scores"]

Array = np.ndarray[Any, Any]

CASH_CATEGORIES = (4829, 6010, 6011, 6050, 6051)
"""Cash or what is as good: wire transfers, cash at a counter or machine, quasi-cash."""

_MOST_REASONS = 4
_WORTH_A_REASON = 10.0  # points


@dataclass(frozen=True)
class Factor:
    """One line of the scorecard; a value that is not known gives half of the points."""

    code: str
    points: int
    worst: float
    best: float
    reason: str
    log: bool = False


FACTORS = (
    Factor("score", 350, 300, 850, "the credit score is low"),
    Factor("debt", 200, 3, 0, "debts are high for the income"),
    Factor("income", 100, 10_000, 150_000, "the income is low", log=True),
    Factor("utilisation", 150, 1, 0, "credit limits are used to a large part"),
    Factor("cash", 70, 0.3, 0, "much is taken as cash or transferred"),
    Factor("shortage", 80, 0.05, 0, "transactions are declined for want of money"),
    Factor("history", 50, 0, 60, "the history with us is short"),
)
"""In the order in which equal losses are named. ``debt`` is in years of income, ``history`` in
months since the first purchase, ``score`` as given, ``income`` a year; the others are shares."""

BANDS = ((800, "very_low"), (650, "low"), (500, "medium"), (350, "high"), (0, "very_high"))
"""Lowest score of each band of risk."""


def points(values: Mapping[str, Array]) -> Array:
    """Points of each customer (row) by factor (column, in the order of :data:`FACTORS`).

    Args:
        values: by the factor's code; NaN is not known.
    """
    columns = []
    for factor in FACTORS:
        value, worst, best = values[factor.code].astype(np.float64), factor.worst, factor.best
        if factor.log:
            value, worst, best = np.log(np.maximum(value, 1)), np.log(worst), np.log(best)
        share = np.clip((value - worst) / (best - worst), 0, 1)
        columns.append(factor.points * np.where(np.isnan(value), 0.5, share))
    return np.stack(columns, axis=1)


def scores(found: Array) -> Array:
    """Score of each customer, of the points."""
    # A billionth of a point is an accident of the arithmetic.
    total: Array = np.floor(np.round(found.sum(axis=1), 9) + 0.5).astype(np.int64)
    return total


def bands(score: Array) -> list[str]:
    """Band of risk of each score."""
    lowest = np.array([low for low, _ in reversed(BANDS)])
    names = [name for _, name in reversed(BANDS)]
    return [names[place] for place in np.searchsorted(lowest, score, side="right") - 1]


def reasons(values: Mapping[str, Array], found: Array) -> list[list[Factor]]:
    """Of each customer the factors that cost most, the heaviest first; unknown ones give none."""
    lost = np.array([factor.points for factor in FACTORS]) - found
    known = np.stack([~np.isnan(values[f.code].astype(np.float64)) for f in FACTORS], axis=1)
    lost = np.where(known, lost, 0.0)
    order = np.argsort(-lost, axis=1, kind="stable")[:, :_MOST_REASONS]
    return [
        [FACTORS[place] for place in places if row[place] >= _WORTH_A_REASON]
        for places, row in zip(order.tolist(), lost, strict=True)
    ]
