"""What a row can see: its own columns, and sums over windows of what happened strictly before.

Everything is exact. Windows are found by binary search in the order (entity, time, number), and
their sums are differences of running sums in unsigned 64-bit arithmetic that wraps around: right as
long as the sum of the window itself fits, whatever else lies in the history. So the same row gets
the same bits from any history that holds what its windows hold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from models.features.events import HIGH, UNUSUAL, Array, Events

__all__ = ["CLIP_CENTS", "DAY", "ENTITIES", "HOUR", "MEASURED", "MINUTE", "View", "measured"]

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

CLIP_CENTS = 5_000_000
"""An amount beyond this counts as this in windows; squares of 700,000 in a window then fit."""

ENTITIES: dict[str, tuple[str, ...]] = {
    "card": ("card",),
    "customer": ("customer",),
    "merchant": ("merchant",),
    "city": ("city",),
    "band": ("band",),
    "card and merchant": ("card", "merchant"),
    "card and category": ("card", "mcc"),
    "card and state": ("card", "state"),
    "customer and category": ("customer", "mcc"),
    "merchant and category": ("merchant", "mcc"),
}
"""What windows run over: an entity and the columns that name it."""


MEASURED = ("id", "cents", "declined", "physical", "mark", "label")
"""Columns of an event that decide what it counts for."""


class View:
    """Rows and the history they may look at.

    ``history`` must be in order of (time, number) and hold every event that shares an entity with
    a row and lies in one of its windows; the rows themselves may be part of it. A row sees strictly
    earlier events by (time, number); of events with a label it sees those older than
    ``label_delay`` (microseconds).
    """

    def __init__(self, history: Events, rows: Events, label_delay: int = 7 * DAY) -> None:
        self.history = history
        self.rows = rows
        self.label_delay = label_delay
        self._orders: dict[str, _Order] = {}
        self._bounds: dict[tuple[str, int, bool], tuple[Array, Array]] = {}
        self._sums: dict[tuple[str, int, str, bool], Array] = {}
        self._since: dict[int, Array] = {}
        self._columns: dict[str, tuple[int, Array, Array]] = {}

    def sum(self, entity: str, window: int, measure: str, *, delayed: bool = False) -> Array:
        """Sum of a measure over the entity's events of the last ``window`` microseconds (int64).

        ``delayed`` moves the whole window back by the label's delay.
        """
        key = (entity, window, measure, delayed)
        if key not in self._sums:
            low, high = self.bounds(entity, window, delayed=delayed)
            running = self._order(entity).running(measure)
            self._sums[key] = (running[high] - running[low]).view(np.int64)
        return self._sums[key]

    def bounds(self, entity: str, window: int, *, delayed: bool = False) -> tuple[Array, Array]:
        """First place of the window, and the place behind it, in the entity's order."""
        key = (entity, window, delayed)
        if key not in self._bounds:
            order = self._order(entity)
            shift = self.label_delay if delayed else 0
            end = self._start(shift) if delayed else self._before
            self._bounds[key] = (order.place(self._start(shift + window)), order.place(end))
        return self._bounds[key]

    def last(
        self, entity: str, window: int, which: str | None = None, *, delayed: bool = False
    ) -> Array:
        """Place in the entity's order of the window's last event that is ``which``; -1 if none."""
        low, high = self.bounds(entity, window, delayed=delayed)
        found = high - 1 if which is None else self._order(entity).latest(which)[high]
        return np.where((found >= low) & (high > low), found, -1)

    def first_after(self, entity: str, place: Array, which: str) -> Array:
        """Place of the first event from ``place`` on that is ``which``, in the entity's order."""
        return self._order(entity).following(which)[place]

    def sum_from(self, entity: str, place: Array, high: Array, measure: str) -> Array:
        """Sum of a measure over the places from ``place`` up to before ``high`` (int64)."""
        running = self._order(entity).running(measure)
        found: Array = (running[high] - running[place]).view(np.int64)
        return found

    def at(self, entity: str, place: Array, column: str) -> Array:
        """A column of the history at these places; something of no meaning where it is -1."""
        order = self._order(entity).order
        if not len(order):
            return np.zeros(len(self.rows), self.history[column].dtype)
        return self.history[column][order[place]]

    @cached_property
    def _before(self) -> Array:
        """For each row, how many events of the history are strictly earlier."""
        time, number = self.history["ts"], self.history["id"]
        low = np.searchsorted(time, self.rows["ts"], "left")
        high = np.searchsorted(time, self.rows["ts"], "right")
        while (open_ := low < high).any():
            middle = (low + high) // 2
            earlier = open_ & (number[np.minimum(middle, len(number) - 1)] < self.rows["id"])
            low = np.where(earlier, middle + 1, low)
            high = np.where(open_ & ~earlier, middle, high)
        return low

    def _start(self, ago: int) -> Array:
        """For each row, how many events of the history are older than so many microseconds."""
        if ago not in self._since:
            self._since[ago] = np.searchsorted(self.history["ts"], self.rows["ts"] - ago, "left")
        return self._since[ago]

    def _order(self, entity: str) -> _Order:
        if entity not in self._orders:
            kind = _OwnOrder if len(self.rows) == 1 else _Order
            self._orders[entity] = kind(self.history, self.rows, ENTITIES[entity], self._coded)
        return self._orders[entity]

    def _coded(self, column: str) -> tuple[int, Array, Array]:
        """How many values the history has, their numbers there and in the rows; -1 is none."""
        if column not in self._columns:
            every, there = np.unique(self.history[column], return_inverse=True)
            own = self.rows[column]
            place = np.minimum(np.searchsorted(every, own), max(0, len(every) - 1))
            known = (own >= 0) & (every[place] == own if len(every) else False)
            self._columns[column] = (len(every), there, np.where(known, place, -1))
        return self._columns[column]


_Coded = Callable[[str], tuple[int, Array, Array]]


class _Order:
    """The history in the order (entity, time, number), and where each row's entity lies in it."""

    def __init__(
        self, history: Events, rows: Events, columns: tuple[str, ...], coded: _Coded
    ) -> None:
        self.history = history
        code, of_row = _codes(columns, coded)
        self.order = np.argsort(code, kind="stable")
        ordered = code[self.order]
        # An entity that is absent, or that the history does not know, has no history.
        place = np.minimum(np.searchsorted(ordered, of_row), max(0, len(ordered) - 1))
        known = (of_row >= 0) & (ordered[place] == of_row if len(ordered) else False)
        self.of_row = np.where(known, of_row, -1)
        self._key = ordered * len(history) + self.order
        self._running: dict[str, Array] = {}

    def place(self, position: Array) -> Array:
        """Place in this order of the first event of the row's entity at or after a position.

        A position is a place in the order of (time, number). Rows whose entity has no history get
        the same place whatever the position is.
        """
        wanted = self.of_row * len(self.history) + position
        return np.searchsorted(self._key, np.where(self.of_row < 0, -1, wanted), "left")

    def running(self, measure: str) -> Array:
        """Running sum of a measure in this order, beginning with nought (uint64, wraps)."""
        if measure not in self._running:
            values = measured(self.history, measure)[self.order]
            sums = np.zeros(len(values) + 1, dtype=np.uint64)
            np.cumsum(values.view(np.uint64), out=sums[1:])
            self._running[measure] = sums
        return self._running[measure]

    def latest(self, which: str) -> Array:
        """For each place, the last earlier place that is ``which``, or -1."""
        there = measured(self.history, which)[self.order] != 0
        places = np.where(there, np.arange(len(there)), -1)
        return np.concatenate([[-1], np.maximum.accumulate(places)])

    def following(self, which: str) -> Array:
        """For each place, the first place from there on that is ``which``, or the end."""
        there = measured(self.history, which)[self.order] != 0
        places = np.where(there, np.arange(len(there)), len(there))
        return np.concatenate([np.minimum.accumulate(places[::-1])[::-1], [len(there)]])


class _OwnOrder(_Order):
    """The same of one row, and of its own entity alone: nobody looks at the others.

    Of a few thousand events nearly all time goes into sorting, which is spared here.
    """

    def __init__(
        self, history: Events, rows: Events, columns: tuple[str, ...], coded: _Coded
    ) -> None:
        own = np.full(len(history), all(rows[column][0] >= 0 for column in columns))
        for column in columns:
            own &= history[column] == rows[column][0]
        self.history = history
        self.order = np.flatnonzero(own)
        self.of_row = np.zeros(1, dtype=np.int64)
        self._key = self.order
        self._running = {}


def measured(history: Events, name: str) -> Array:
    """What each event counts for in a window, as a whole number; looks at ``MEASURED`` alone."""
    found: Array = _MEASURES[name](history).astype(np.int64)
    return found


def _cents(history: Events) -> Array:
    return np.clip(history["cents"], -CLIP_CENTS, CLIP_CENTS)


_MEASURES: dict[str, Callable[[Events], Array]] = {
    "count": lambda history: np.ones(len(history), dtype=np.int64),
    "cents": _cents,
    "squares": lambda history: _cents(history) ** 2,
    "declined": lambda history: history["declined"],
    "physical": lambda history: history["physical"],
    "unusual": lambda history: history["mark"] == UNUSUAL,
    "usual": lambda history: history["mark"] < UNUSUAL,
    "usual cents": lambda history: np.where(history["mark"] < UNUSUAL, _cents(history), 0),
    "known": lambda history: history["label"] >= 0,
    "fraud": lambda history: history["label"] == 1,
    "genuine": lambda history: history["label"] == 0,
    # A fraud whose amount says nothing speaks against the merchant, one of an amount that is
    # high for its card against the card.
    "quiet fraud": lambda history: (history["label"] == 1) & (history["mark"] < HIGH),
}


def _codes(columns: tuple[str, ...], coded: _Coded) -> tuple[Array, Array]:
    """A number for each entity of the history, and the same for rows; -1 where it is absent."""
    _, code, of_row = coded(columns[0])
    for column in columns[1:]:
        count, there, own = coded(column)
        code = code * count + there
        of_row = np.where((of_row < 0) | (own < 0), -1, of_row * count + own)
        # So that it can be multiplied by the number of events and still fits.
        distinct, code = np.unique(code, return_inverse=True)
        place = np.minimum(np.searchsorted(distinct, of_row), max(0, len(distinct) - 1))
        known = (of_row >= 0) & (distinct[place] == of_row if len(distinct) else False)
        of_row = np.where(known, place, -1)
    return code, of_row
