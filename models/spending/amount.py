"""How much a purchase will cost, before its amount is known: a middle and an interval.

Boosted trees for three quantiles (pinball loss: Koenker and Bassett, 1978) of the amount's
logarithm. Bounds are moved by what the last days before the test showed to be missing to the
nominal coverage (conformalised quantile regression: Romano, Patterson and Candès, 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from models.artifact import LightGBM, Origin, reading, write
from models.features import Events, compute
from models.features.catalogue import EVERY
from models.features.events import Array
from models.features.feature import PAST_LABELS
from models.features.needs import known_without
from models.spending.evidence import HIDDEN as NO_CATEGORY

__all__ = ["HIDDEN", "LEVELS", "NAMES", "Amount", "Push", "Range", "without_category"]

_KIND = "amount by quantiles"
LEVELS = (0.05, 0.5, 0.95)
"""Of the quantiles."""

HIDDEN = ("cents", "band", "mark", "label", "declined", "errors")
"""Columns of the row itself that are not known before its amount is."""

NAMES = known_without(HIDDEN, [name for name, one in EVERY.items() if one.rule != PAST_LABELS])
"""Features that can be made without them."""


def _of_category(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the features that are empty where the category is not known."""
    without = known_without(NO_CATEGORY, names)
    return tuple(name for name in names if name not in without)


def without_category(names: Sequence[str], values: Array) -> Array:
    """Values of these features as they are for rows whose category is not known."""
    found = values.copy()
    found[:, [names.index(name) for name in _of_category(names)]] = np.nan
    return found


class Range(NamedTuple):
    """Amounts in US dollars, float64[n]: 5 %, half and 95 % of such purchases cost less."""

    low: Array
    middle: Array
    high: Array


class Push(NamedTuple):
    """By which factor a feature moves the expected amount; above one it makes it higher."""

    feature: str
    factor: float


@dataclass(frozen=True)
class Amount:
    """A model of amounts; safe to use from one thread, and uses one.

    ``features`` are the names of the columns its members take, a member for each of ``LEVELS``;
    ``shifts`` are added to their logarithms. ``facts`` is all of ``model.json``; ``name`` and
    ``version`` are the registry's.
    """

    features: tuple[str, ...]
    members: tuple[LightGBM, ...]
    shifts: tuple[float, ...]
    facts: dict[str, Any]
    name: str = ""
    version: int = 0

    def named(self, name: str, version: int) -> Self:
        """The same model as the registry calls it."""
        return replace(self, name=name, version=version)

    def values(self, history: Events, rows: Events) -> Array:
        """The rows' features, float32[n, len(features)], none of which looks at their amount."""
        found = compute(history, rows.without(HIDDEN), names=self.features)
        values = np.column_stack([found[name].astype(np.float32) for name in self.features])
        unknown = rows["mcc"] < 0
        if unknown.any():
            values[unknown] = without_category(self.features, values[unknown])
        return values

    def predict(self, history: Events, rows: Events) -> Range:
        """What purchases like the rows cost; their own amount is not looked at.

        ``history`` are marked events in order of (time, number), and must hold those of the rows'
        cards, customers, merchants and cities of 90 days
        (:func:`models.features.single.history_of`). A row may have no category (-1).
        """
        return self.ranges(self.values(history, rows))

    def ranges(self, values: Array) -> Range:
        """The same for rows of features."""
        if not len(values):
            return Range(*np.empty((len(LEVELS), 0)))
        seen = np.ascontiguousarray(values, dtype=np.float32)
        logs = [m.score(seen) + s for m, s in zip(self.members, self.shifts, strict=True)]
        # Each quantile is learnt on its own; sorted they never cross, and are no worse
        # (Chernozhukov, Fernandez-Val and Galichon, 2010).
        return Range(*np.exp(np.sort(logs, axis=0)))

    def answers(self, values: Array) -> Array:
        """The same as one table of US dollars: [n, len(LEVELS)]."""
        return np.stack(self.ranges(values), axis=1)

    def explain(self, history: Events, rows: Events, most: int = 3) -> list[tuple[Push, ...]]:
        """What moves each middle most, strongest first (exact Shapley values of the trees)."""
        values = self.values(history, rows)
        if not len(values):
            return []
        pushed = self.contributions(values)
        order = np.argsort(-np.abs(pushed), axis=1, kind="stable")[:, :most]
        return [
            tuple(Push(self.features[n], float(np.exp(row[n]))) for n in places if row[n])
            for row, places in zip(pushed, order, strict=True)
        ]

    def contributions(self, values: Array) -> Array:
        """What each feature adds to the logarithm of the middle: float64[n, len(features)]."""
        return self.members[LEVELS.index(0.5)].contributions(values)

    def save(self, folder: Path, origin: Origin) -> str:
        """Write it into a folder that is not there yet, or is empty; returns its digest."""
        members = {_file(n): one.content for n, one in enumerate(self.members)}
        own = {"levels": list(LEVELS), "shifts": list(self.shifts)}
        return write(folder, _KIND, self.features, members, origin, own)

    @classmethod
    def load(cls, folder: Path, sha256: str | None = None) -> Self:
        """The model in a folder; with ``sha256`` only when that is the folder's digest.

        Raises:
            FinlakeError: the digest is another, or the folder holds no such model.
        """
        with reading(folder, (_KIND,), sha256, NAMES) as facts:
            if tuple(facts["levels"]) != LEVELS:
                raise ValueError(f"its levels are {facts['levels']}")
            features = tuple(facts["features"])
            shifts = tuple(map(float, facts["shifts"]))
            files = [_file(number) for number in range(len(LEVELS))]
            if sorted(facts["members"]) != files or len(shifts) != len(LEVELS):
                raise ValueError(f"it must have {len(LEVELS)} members and shifts")
            members = tuple(LightGBM((folder / f).read_bytes(), len(features)) for f in files)
            return cls(features, members, shifts, facts)


def _file(number: int) -> str:
    return f"member-{number}.txt"
