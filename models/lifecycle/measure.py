"""How a model does on a recent window: as a whole with its bounds, and part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

from models.features.events import Array
from models.lifecycle.gate import Side, Window
from models.lifecycle.paired import costs_by_day
from models.training.metrics import Scored, intervals, judge
from models.training.threshold import Costs

__all__ = ["Measured", "Part", "measure"]


@dataclass(frozen=True)
class Part:
    """One part of a division; ``average_precision`` is NaN without a fraud."""

    division: str
    name: str
    transactions: int
    frauds: int
    average_precision: float


@dataclass(frozen=True)
class Measured:
    """What was measured; days since 1970, ``cost`` and ``alarms`` a day, bounds of 90 %."""

    first_day: int
    last_day: int
    transactions: int
    frauds: int
    metrics: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    cost: float
    alarms: float
    parts: tuple[Part, ...]


def measure(window: Window, card: Array, side: Side, costs: Costs, seed: int = 0) -> Measured:
    """Judge a model on labelled transactions of which some are frauds and some are not.

    ``card`` is the card of each; the same seed gives the same bounds.
    """
    label, score = window.label, side.probability
    scored = Scored(window.day, card, label, score)
    days, day = np.unique(window.day, return_inverse=True)
    cost = costs_by_day(day, label, score, side.threshold, costs, len(days)).mean()
    alarms = np.bincount(day, weights=score >= side.threshold)
    parts = [
        _part(division, name, label[rows], score[rows])
        for division, of in window.segments.items()
        for name in np.unique(of).tolist()
        for rows in [of == name]
    ]
    return Measured(
        first_day=int(days[0]),
        last_day=int(days[-1]),
        transactions=len(label),
        frauds=int((label == 1).sum()),
        metrics=judge(scored),
        bounds=intervals(scored, seed=seed),
        cost=float(cost),
        alarms=float(np.minimum(alarms, costs.alarms_a_day).mean()),
        parts=tuple(parts),
    )


def _part(division: str, name: str, label: Array, score: Array) -> Part:
    frauds = int((label == 1).sum())
    precision = float(average_precision_score(label, score)) if frauds else float("nan")
    return Part(division, name, len(label), frauds, precision)
