"""What is known of a trained model: its calibration and threshold, and how it did in the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.features.catalogue import FEATURES
from models.features.events import Array
from models.features.feature import NOW
from models.training.anomaly import anomaly
from models.training.learners import Fitted, Recipe
from models.training.metrics import Scored, intervals, judge
from models.training.prequential import Task, Trial, learn
from models.training.threshold import Calibration, Costs, Threshold, calibrate, cheapest, spent

__all__ = ["RAW", "Compared", "Judged", "compare", "compare_anomaly", "finish"]

RAW = tuple(f.name for f in FEATURES if f.rule == NOW)
"""Columns of a transaction itself, without its past and without attributes."""


@dataclass(frozen=True)
class Compared:
    """How a model did in the test; ``spread`` is the middle 90 % over bootstrap samples of days."""

    name: str
    metrics: dict[str, float]
    spread: dict[str, tuple[float, float]]
    scored: Scored


@dataclass(frozen=True)
class Judged:
    """The model that is to be served, and all that was found out about it.

    ``expected`` is what the threshold costs in validation, ``cost`` in the test; ``brier`` is the
    mean squared error of the probabilities in the test, ``off`` how far they are from the shares of
    frauds, as a mean over transactions in ten groups by probability.
    """

    model: Fitted
    calibration: Calibration
    expected: Threshold
    cost: Threshold
    test: Compared
    probability: Array
    brier: float
    off: float


def compare(task: Task, name: str, recipe: Recipe, seed: int) -> Compared:
    """A model of that recipe, learnt from the days before the test and judged by the test."""
    model = learn(task, recipe, task.final.train, seed)
    return _compared(task, name, model.score(task.values[task.final.test]), seed)


def compare_anomaly(task: Task, kind: str, seed: int) -> Compared:
    """A model that has seen the same rows without their labels, judged by the same test."""
    train, test = (task.values[rows] for rows in task.final)
    return _compared(task, kind, anomaly(kind, train, test, seed), seed)


def _compared(task: Task, name: str, score: Array, seed: int) -> Compared:
    scored = task.scored(task.final.test, score)
    return Compared(name, judge(scored), intervals(scored, seed=seed), scored)


def finish(task: Task, trial: Trial, costs: Costs, seed: int) -> Judged:
    """Learn from all days before the test by the recipe that was chosen, and judge it.

    Calibration and threshold are learnt from its scores in validation: of rows that the models
    that scored them had not learnt from, and all before the test.
    """
    past = trial.scored
    calibration = calibrate(past.score, past.label)
    probable = Scored(past.day, past.card, past.label, calibration.probability(past.score))
    expected = cheapest(probable, costs)
    model = learn(task, trial.recipe, task.final.train, seed)
    score = model.score(task.values[task.final.test])
    test = _compared(task, trial.recipe.kind, score, seed)
    probability = calibration.probability(score)
    label = test.scored.label
    served = Scored(test.scored.day, test.scored.card, label, probability)
    return Judged(
        model=model,
        calibration=calibration,
        expected=expected,
        cost=spent(served, expected.score, costs),
        test=test,
        probability=probability,
        brier=float(np.mean((probability - label) ** 2)),
        off=_off(probability, label),
    )


def _off(probability: Array, label: Array) -> float:
    """Expected calibration error over ten groups of as many transactions (Naeini et al., 2015)."""
    groups = np.array_split(np.argsort(probability, kind="stable"), 10)
    gaps = [
        len(rows) * abs(probability[rows].mean() - label[rows].mean())
        for rows in groups
        if len(rows)
    ]
    return float(sum(gaps) / len(label))
