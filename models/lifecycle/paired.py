"""Two models over the same days: how sure it is that one of them is the better.

Days are drawn with replacement and both models are judged on the same draw, so that what hangs
together within a day stays together and what is hard for both cancels out (Efron and Tibshirani,
"An Introduction to the Bootstrap", 1993, chapters 8.6 and 13: samples of whole blocks, percentile
bounds).
"""

from __future__ import annotations

import numpy as np

from models.features.events import Array
from models.training.threshold import Costs

__all__ = ["average_precisions", "costs_by_day", "draws"]


def draws(days: int, times: int, seed: int) -> Array:
    """How often each day was drawn: a row a day, a column a draw; the first has each day once."""
    random = np.random.default_rng(seed)
    drawn = random.multinomial(days, np.full(days, 1 / days), size=times)
    return np.vstack([np.ones(days, dtype=drawn.dtype), drawn]).T


def average_precisions(day: Array, label: Array, score: Array, weights: Array) -> Array:
    """Average precision under each column of ``weights`` (a row for each of 0, 1, ... in ``day``).

    It is the sum over thresholds of precision times the rise of recall, as scikit-learn's
    ``average_precision_score`` of the rows repeated as often as their day was drawn; NaN for a
    draw without a fraud. Recall rises at scores of frauds alone, so rows are only counted by day
    between those.
    """
    fraud = label == 1
    levels = np.unique(score[fraud])[::-1]
    new = _at_levels(day[fraud], score[fraud], levels, len(weights)) @ weights
    genuine = _at_levels(day[~fraud], score[~fraud], levels, len(weights)) @ weights
    found, false = np.cumsum(new, axis=0), np.cumsum(genuine, axis=0)
    alarms = np.maximum(found + false, 1)
    every = new.sum(axis=0)
    gained = (new * (found / alarms)).sum(axis=0)
    return np.where(every > 0, gained / np.maximum(every, 1), np.nan)


def _at_levels(day: Array, score: Array, levels: Array, days: int) -> Array:
    """How many rows of each day (columns) reach a level (rows) and none above it."""
    level = np.searchsorted(-levels, -score, "left")
    counts = np.bincount(level * days + day, minlength=(len(levels) + 1) * days)
    return counts.reshape(-1, days)[: len(levels)]


def costs_by_day(
    day: Array, label: Array, score: Array, at: float, costs: Costs, days: int
) -> Array:
    """What missed frauds and false alarms of each day 0, 1, ... cost, with alarms from ``at`` on.

    On a day with more alarms than can be looked at the highest scores are, and the others' frauds
    are missed.
    """
    found = np.empty(days)
    for number in range(days):
        own = day == number
        order = np.argsort(-score[own], kind="stable")[: costs.alarms_a_day]
        looked = order[score[own][order] >= at]
        frauds = int((label[own] == 1).sum())
        caught = int((label[own][looked] == 1).sum())
        found[number] = costs.missed_fraud * (frauds - caught)
        found[number] += costs.false_alarm * (len(looked) - caught)
    return found
