"""A stretch of the past in memory, by entity: what the single-row executor looks things up in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from models.features.catalogue import EVERY
from models.features.events import Array, Events
from models.features.kernel import LABEL_DELAY
from models.features.reach import LOOKED_AT, reaches

__all__ = ["REACH", "SEEN", "Past"]

SEEN = (
    "id", "ts", "card", "customer", "merchant", "city", "state", "mcc", "cents", "band", "declined",
    "physical", "place_x", "place_y", "place_z", "label", "mark",
)  # fmt: skip
"""Columns of earlier events that features look at."""

REACH: Final = reaches(LABEL_DELAY, EVERY.values())
"""How far back any feature looks, by column of an entity (microseconds)."""


@dataclass(frozen=True)
class _Index:
    """Places of events in the order (entity, time, number), and where each entity begins."""

    order: Array
    keys: Array
    first: Array


@dataclass(frozen=True)
class Past:
    """Marked events in order of (time, number), found by their entities; see :meth:`of`.

    Being called it is a :data:`~models.features.single.Lookup` whose events have the columns of
    ``SEEN``.
    """

    events: Events
    index: Mapping[str, _Index]

    @classmethod
    def of(cls, events: Events) -> Self:
        """The past that consists of these events, which are marked and in order."""
        kept = Events({name: events[name] for name in SEEN})
        index = {}
        for column in LOOKED_AT:
            order = np.argsort(kept[column], kind="stable").astype(np.int32)
            keys, first = np.unique(kept[column][order], return_index=True)
            index[column] = _Index(order, keys, np.append(first, len(order)))
        return cls(kept, index)

    def __len__(self) -> int:
        return len(self.events)

    def __call__(self, column: str, key: int, since: int, until: int) -> Events:
        """The events of an entity in that time (microseconds, both included)."""
        only = np.array([key]), np.array([since]), np.array([until])
        return self.events.take(self._places(column, *only))

    def of_rows(self, rows: Events, reach: Mapping[str, int] = REACH) -> Events:
        """What features of the rows look at, in order of (time, number); each event once.

        It is what :func:`~models.features.single.history_of` gives of this past, found together.
        ``reach`` is by :func:`~models.features.reach.reaches`.
        """
        found = []
        for column, back in reach.items():
            if back and len(rows):
                keys, of_row = np.unique(rows[column], return_inverse=True)
                order = np.argsort(of_row, kind="stable")
                begin = np.searchsorted(of_row[order], np.arange(len(keys)))
                time = rows["ts"][order]
                first = np.minimum.reduceat(time, begin)
                last = np.maximum.reduceat(time, begin)
                known = keys >= 0
                found.append(self._places(column, keys[known], first[known] - back, last[known]))
        # Places are in order of (time, number) themselves.
        places = np.concatenate(found) if found else np.empty(0, np.int32)
        if len(places) < len(self.events) // 16:
            return self.events.take(np.unique(places))
        there = np.zeros(len(self.events), dtype=bool)
        there[places] = True
        return self.events if there.all() else self.events.take(np.flatnonzero(there))

    def knows(self, column: str, key: int) -> bool:
        """Whether an entity is among these events."""
        keys = self.index[column].keys
        place = int(np.searchsorted(keys, key))
        return place < len(keys) and bool(keys[place] == key)

    def _places(self, column: str, keys: Array, since: Array, until: Array) -> Array:
        """Where the events of these entities lie, each in its own time."""
        index, time = self.index[column], self.events["ts"]
        place = np.searchsorted(index.keys, keys)
        found = [index.order[:0]]
        for number, key, low, high in zip(
            place.tolist(), keys.tolist(), since.tolist(), until.tolist(), strict=True
        ):
            if number < len(index.keys) and index.keys[number] == key:
                own = index.order[index.first[number] : index.first[number + 1]]
                begin, end = np.searchsorted(time[own], (low, high + 1))
                found.append(own[begin:end])
        return np.concatenate(found)
