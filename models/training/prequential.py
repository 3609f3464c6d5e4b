"""Learning and judging in time: each model is judged by days after those it could have known.

Prequential validation (Dawid, 1984; for frauds: Fraud Detection Handbook, chapter 5): the days
before the test are cut into windows, and the model that a window judges has learnt from all days up
to one label's delay before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from finlake.errors import FinlakeError
from models.features import LABEL_DELAY, NAMES, Events
from models.features.events import Array
from models.features.view import DAY
from models.training.learners import Fitted, Recipe, fit
from models.training.matrix import matrix
from models.training.metrics import Scored, judge
from models.training.split import Protocol, day_number, split, test_length

__all__ = [
    "BLOCKED_DAYS",
    "DELAY_DAYS",
    "Plan",
    "Rows",
    "Task",
    "Trial",
    "candidates",
    "labelled_days",
    "learn",
    "prepare",
    "validate",
]

DELAY_DAYS = LABEL_DELAY // DAY
"""The label's delay that features have when a model scores; so it has to be in training."""

BLOCKED_DAYS = 30  # until a new card is there; over years no card would be left otherwise
_MOST_GENUINE = 600_000
"""Genuine rows that a model learns from at most: more cost hours and memory, and say little new."""


@dataclass(frozen=True)
class Plan:
    """Which days are for what: ``first`` to ``last``, the last ``test_days`` of them the test's.

    Raises:
        FinlakeError: the days are too few.
    """

    first: date
    last: date
    test_days: int
    folds: int = 3

    def __post_init__(self) -> None:
        if self.train_days(self.folds) < self.test_days:
            least = self.test_days * (self.folds + 2) + 2 * DELAY_DAYS
            raise FinlakeError(
                f"labelled transactions from {self.first} to {self.last}: {self.days} days, and a"
                f" test of {self.test_days} days needs {least}; load more history or choose fewer"
                " --test-days"
            )

    @classmethod
    def of(cls, first: date, last: date, test_days: int | None = None, folds: int = 3) -> Plan:
        """The plan for these days; a tenth of them is the test, 7 to 60 days, when not said."""
        days = (last - first).days + 1
        tested = test_days or test_length(days)
        return cls(first, last, tested, folds)

    @property
    def days(self) -> int:
        """From the first to the last, both included."""
        return (self.last - self.first).days + 1

    def train_days(self, back: int) -> int:
        """How many days the test learns from (0), or the validation so many windows before it."""
        behind = self.test_days * (back + 1) + DELAY_DAYS * (2 if back else 1)
        return self.days - behind

    def protocol(self, back: int) -> Protocol:
        """The days of the test (0), or of the validation so many windows before it."""
        return Protocol(self.train_days(back), DELAY_DAYS, self.test_days, BLOCKED_DAYS)

    @property
    def trained(self) -> tuple[date, date]:
        """First and last day that the model learns from."""
        return self.first, self.first + timedelta(self.train_days(0) - 1)

    @property
    def tested(self) -> tuple[date, date]:
        """First and last day of the test."""
        return self.last - timedelta(self.test_days - 1), self.last


class Rows(NamedTuple):
    """Rows to learn from and to judge by, as positions in the values of their task."""

    train: Array
    test: Array


@dataclass(frozen=True)
class Task:
    """All that models learn from and are judged by: a row of ``values`` for each row it needs."""

    plan: Plan
    names: tuple[str, ...]
    values: Array
    day: Array
    card: Array
    label: Array
    folds: tuple[Rows, ...]
    final: Rows

    def scored(self, rows: Array, score: Array) -> Scored:
        """These rows with their scores."""
        return Scored(self.day[rows], self.card[rows], self.label[rows], score)

    def only(self, names: Sequence[str]) -> Task:
        """The same with these features alone."""
        columns = [self.names.index(name) for name in names]
        return replace(self, names=tuple(names), values=self.values[:, columns])


@dataclass(frozen=True)
class Trial:
    """How a recipe did in validation: average precision of each window, and the windows' scores."""

    recipe: Recipe
    precisions: tuple[float, ...]
    scored: Scored

    @property
    def precision(self) -> float:
        """Mean average precision of the windows."""
        return float(np.mean(self.precisions))


def prepare(
    events: Events, plan: Plan, seed: int, most: int = _MOST_GENUINE, names: Sequence[str] = NAMES
) -> Task:
    """Split the events and make the features of all rows that are needed.

    ``events`` are in order of (time, number) and hold the whole past of ``plan.first``. Of more
    than ``most`` genuine rows to learn from so many are drawn; rows to judge by are all there.

    Raises:
        FinlakeError: the test, or every window before it, has no frauds to learn from or judge by.
    """
    random = np.random.default_rng(seed)
    splits, reason = [], None
    for back in range(plan.folds, 0, -1):
        try:
            splits.append(split(events, plan.first, plan.protocol(back)))
        except FinlakeError as error:  # without both kinds a window says nothing
            reason = error
    if reason is not None and not splits:
        raise reason
    splits.append(split(events, plan.first, plan.protocol(0)))
    label = events["label"]
    parts = [Rows(_thinned(label, found.train, most, random), found.test) for found in splits]
    wanted = np.zeros(len(events), dtype=bool)
    for part in parts:
        wanted[part.train] = wanted[part.test] = True
    row = np.cumsum(wanted) - 1
    *folds, final = (Rows(row[part.train], row[part.test]) for part in parts)
    seen = events.take(wanted)
    return Task(
        plan=plan,
        names=tuple(names),
        values=matrix(events, wanted, names=names),
        day=np.floor_divide(seen["ts"], DAY),
        card=seen["card"],
        label=seen["label"],
        folds=tuple(folds),
        final=final,
    )


def _thinned(label: Array, rows: Array, most: int, random: np.random.Generator) -> Array:
    genuine = rows[label[rows] == 0]
    if len(genuine) <= most:
        return rows
    drawn = random.choice(genuine, most, replace=False)
    return np.sort(np.concatenate([rows[label[rows] == 1], drawn]))


def learn(task: Task, recipe: Recipe, rows: Array, seed: int) -> Fitted:
    """A model that has learnt from these rows."""
    return fit(recipe, task.values[rows], task.label[rows], seed)


def validate(task: Task, recipe: Recipe, seed: int) -> Trial:
    """Learn and judge in each window before the test."""
    parts, precisions = [], []
    for fold in task.folds:
        model = learn(task, recipe, fold.train, seed)
        scored = task.scored(fold.test, model.score(task.values[fold.test]))
        precisions.append(judge(scored)["average precision"])
        parts.append(scored)
    joined = Scored(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))
    return Trial(recipe, tuple(precisions), joined)


_COLUMNS = ("day", "card", "label", "score")

_SPACE: dict[str, dict[str, Sequence[float]]] = {
    "lightgbm": {
        "n_estimators": (100, 200, 400),
        "learning_rate": (0.02, 0.04, 0.08),
        "num_leaves": (7, 15, 31, 63),
        "min_child_samples": (10, 20, 40, 80),
        "colsample_bytree": (0.2, 0.4, 0.7),
        "reg_lambda": (1.0, 5.0, 20.0),
    },
    "xgboost": {
        "n_estimators": (100, 200, 400),
        "learning_rate": (0.02, 0.05, 0.1),
        "max_depth": (3, 4, 6, 8),
        "min_child_weight": (1, 5, 15),
        "colsample_bytree": (0.2, 0.4, 0.7),
        "reg_lambda": (1.0, 5.0, 20.0),
    },
}


def candidates(recipe: Recipe, seed: int) -> Iterator[Recipe]:
    """Recipes of that kind and balance with other parameters, drawn at random, without end.

    Random search (Bergstra and Bengio, 2012); the same seed gives the same recipes.
    """
    random = np.random.default_rng([seed, 1])
    space = _SPACE[recipe.kind]
    while True:
        drawn = {name: values[int(random.integers(len(values)))] for name, values in space.items()}
        yield replace(recipe, params=drawn)


def _day_of(events: Events, place: int) -> date:
    """The day of the event at that position."""
    return date(1970, 1, 1) + timedelta(int(events["ts"][place] // DAY))


def labelled_days(events: Events, since: date | None, until: date | None) -> tuple[date, date]:
    """First and last day of labelled transactions between the two, both included.

    Raises:
        FinlakeError: there are none.
    """
    day = np.floor_divide(events["ts"], DAY)
    there = events["label"] >= 0
    if since:
        there &= day >= day_number(since)
    if until:
        there &= day <= day_number(until)
    found = np.flatnonzero(there)
    if not len(found):
        raise FinlakeError(
            "silver.fraud_labels: no transaction of these days has a label; load labels with"
            " `finlake load` or `finlake generate`, or choose other days by --from and --until"
        )
    return _day_of(events, int(found[0])), _day_of(events, int(found[-1]))
