"""From scores to decisions: probabilities that mean what they say, and the cheapest threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from finlake.errors import UsageProblem
from models.features.events import Array
from models.training.metrics import Scored

__all__ = ["Calibration", "Costs", "Threshold", "calibrate", "cheapest", "spent"]


@dataclass(frozen=True)
class Costs:
    """What mistakes cost, in one currency, and how many transactions a day can be looked at."""

    missed_fraud: float
    false_alarm: float
    alarms_a_day: int

    def __post_init__(self) -> None:
        if min(self.missed_fraud, self.false_alarm) < 0 or self.alarms_a_day < 1:
            raise UsageProblem("costs must not be negative, and a day needs one alarm or more")


@dataclass(frozen=True)
class Threshold:
    """Alarm at this score or above; ``cost`` and ``alarms`` are a day's, as a mean."""

    score: float
    cost: float
    alarms: float


@dataclass(frozen=True)
class Calibration:
    """Steps from a score to the share of frauds among such scores, rising."""

    scores: Array
    shares: Array

    def probability(self, score: Array) -> Array:
        """Probability of fraud of each score; straight lines between the steps."""
        found: Array = np.interp(score, self.scores, self.shares)
        return found


def calibrate(score: Array, label: Array) -> Calibration:
    """Learn probabilities from scores of rows that the model has not learnt from.

    Isotonic regression (Zadrozny and Elkan, 2002): the rising function with the least squared
    error.
    """
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(score, label)
    return Calibration(fitted.X_thresholds_, fitted.y_thresholds_)


def cheapest(scored: Scored, costs: Costs) -> Threshold:
    """The threshold at which missed frauds and false alarms cost least on the scored days.

    On a day with more alarms than can be looked at the highest scores are, and the others' frauds
    are missed. Of thresholds that cost the same the highest is taken; infinity is no alarm at all.
    """
    levels = np.append(np.unique(scored.score), np.inf)
    cost, alarms = _a_day(scored, levels, costs)
    best = len(cost) - 1 - int(np.argmin(cost[::-1]))
    return Threshold(float(levels[best]), float(cost[best]), float(alarms[best]))


def spent(scored: Scored, threshold: float, costs: Costs) -> Threshold:
    """What that threshold costs on the scored days, counted as :func:`cheapest` does."""
    cost, alarms = _a_day(scored, np.array([threshold]), costs)
    return Threshold(threshold, float(cost[0]), float(alarms[0]))


def _a_day(scored: Scored, levels: Array, costs: Costs) -> tuple[Array, Array]:
    """Cost and alarms of a day at each of the rising levels, as means over the days."""
    days = np.unique(scored.day)
    total = np.zeros(len(levels))
    alarms = np.zeros(len(levels))
    for day in days:
        rows = scored.day == day
        order = np.argsort(-scored.score[rows], kind="stable")
        score, fraud = scored.score[rows][order], scored.label[rows][order] == 1
        found = np.concatenate([[0], np.cumsum(fraud)])
        # How many reach each level; never more than can be looked at.
        reach = np.searchsorted(-score, -levels, "right")
        reach = np.minimum(reach, costs.alarms_a_day)
        total += costs.missed_fraud * (fraud.sum() - found[reach])
        total += costs.false_alarm * (reach - found[reach])
        alarms += reach
    return total / len(days), alarms / len(days)
