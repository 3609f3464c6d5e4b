"""Features as transactions come: in order, late, twice, corrected, labelled and taken back.

The state is the events themselves, by entity, as far back as any row looks. A change computes those
rows again whose windows it lies in, with the same kernel as every other executor, and gives back
those that came out differently.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from models.features.catalogue import NAMES
from models.features.events import COLUMNS, Array, Events
from models.features.kernel import LABEL_DELAY, compute
from models.features.marks import MARK_WINDOW, mark
from models.features.reach import LOOKED_AT, reaches
from models.features.view import View

__all__ = ["Changed", "FeatureStream"]

_FIRST_ROOM = 1024


class Changed(NamedTuple):
    """What a batch of changes did: rows that are new or came out differently, and rows gone."""

    rows: Events
    features: dict[str, Array]
    gone: Array  # numbers of transactions


class _Touch(NamedTuple):
    """An event that is there, or was, whose entities' later rows may look different now."""

    ts: int
    keys: tuple[int, ...]  # in the order of LOOKED_AT


class FeatureStream:
    """Keeps events and answers which features a batch of changes gives.

    Not safe for threads. ``apply`` and ``forget`` are all that change it.
    """

    def __init__(self, label_delay: int = LABEL_DELAY, names: Sequence[str] = NAMES) -> None:
        self._delay = label_delay
        self._names = tuple(names)
        self._reach = reaches(label_delay)
        self._kept = {name: np.zeros(_FIRST_ROOM, dtype) for name, dtype in COLUMNS.items()}
        self._slot: dict[int, int] = {}
        self._free = list(range(_FIRST_ROOM))[::-1]
        self._digest: dict[int, bytes] = {}
        self._lines: dict[tuple[str, int], list[tuple[int, int, int]]] = {}

    def __len__(self) -> int:
        return len(self._slot)

    def apply(self, changes: Events, deleted: Iterable[int] = ()) -> Changed:
        """Take in events, new or corrected, and take out the deleted; the features that follow.

        Of several changes to one number the last of ``changes`` counts, and a deletion above all.
        An event that is there already, as it is, changes nothing. Events need not be in order.
        """
        gone = sorted({int(number) for number in deleted} & set(self._slot))
        removed = set(gone)
        last = {int(number): place for place, number in enumerate(changes["id"])}
        places = sorted(place for number, place in last.items() if number not in removed)
        coming = changes.take(np.array(places, dtype=np.int64))
        coming = coming.take(self._differs(coming))
        touched = [self._remove(number) for number in gone]
        touched += [self._remove(int(n)) for n in coming["id"] if int(n) in self._slot]
        touched += [self._put(coming, place) for place in range(len(coming))]
        touched += self._mark(touched)
        for number in gone:
            self._digest.pop(number, None)
        rows, features = self._computed(self._looking_at(touched))
        return Changed(rows, features, np.array(gone, dtype=np.int64))

    def history(self, column: str, key: int, since: int, until: int) -> Events:
        """The entity's events of ``since <= ts <= until`` (µs), in order of (time, number)."""
        line = self._lines.get((column, key), [])
        return self._events(slot for _, _, slot in _between(line, since, until))

    def forget(self, before: int) -> int:
        """Drop events older than ``before`` (µs); how many.

        Changes later than that by less than the longest window and the mark's are no longer exact.
        """
        slots = np.fromiter(self._slot.values(), dtype=np.int64, count=len(self._slot))
        old = self._kept["id"][slots[self._kept["ts"][slots] < before]].tolist()
        for number in old:
            self._remove(number)
            self._digest.pop(number, None)
        return len(old)

    def _differs(self, coming: Events) -> Array:
        """Which of the events are not there yet, or otherwise."""
        slots = np.array([self._slot.get(int(n), -1) for n in coming["id"]], dtype=np.int64)
        same = slots >= 0
        for name, values in coming.columns.items():
            if name != "mark":
                there = self._kept[name][slots]
                same &= (there == values) | ((there != there) & (values != values))
        return ~same

    def _put(self, events: Events, place: int) -> _Touch:
        if not self._free:
            room = len(self._kept["id"])
            self._kept = {n: np.concatenate([v, np.zeros_like(v)]) for n, v in self._kept.items()}
            self._free = list(range(room, 2 * room))[::-1]
        slot = self._free.pop()
        for name, values in events.columns.items():
            self._kept[name][slot] = values[place]
        number = int(events["id"][place])
        self._slot[number] = slot
        touch = self._touch(slot)
        for line in _lines(touch):
            insort(self._lines.setdefault(line, []), (touch.ts, number, slot))
        return touch

    def _remove(self, number: int) -> _Touch:
        slot = self._slot.pop(number)
        touch = self._touch(slot)
        for line in _lines(touch):
            entries = self._lines[line]
            del entries[bisect_left(entries, (touch.ts, number, slot))]
            if not entries:
                del self._lines[line]
        self._free.append(slot)
        return touch

    def _touch(self, slot: int) -> _Touch:
        kept = self._kept
        return _Touch(int(kept["ts"][slot]), tuple(int(kept[name][slot]) for name in LOOKED_AT))

    def _mark(self, touched: Sequence[_Touch]) -> list[_Touch]:
        """Note anew how unusual the amounts are; the events whose mark has changed."""
        slots: set[int] = set()
        since: dict[int, int] = {}
        for ts, (card, *_) in touched:
            line = self._lines.get(("card", card), [])
            slots.update(slot for _, _, slot in _between(line, ts, ts + MARK_WINDOW))
            since[card] = min(since.get(card, ts), ts)
        if not slots:
            return []
        seen: set[int] = set()
        for card, ts in since.items():
            line = self._lines.get(("card", card), [])
            until = max(self._kept["ts"][list(slots)])
            seen.update(slot for _, _, slot in _between(line, ts - MARK_WINDOW, int(until)))
        places = np.array(sorted(slots), dtype=np.int64)
        rows = Events({name: values[places] for name, values in self._kept.items()})
        found = mark(View(self._events(seen), rows, self._delay))
        differing = places[found != self._kept["mark"][places]]
        self._kept["mark"][places] = found
        return [self._touch(int(slot)) for slot in differing]

    def _looking_at(self, touched: Iterable[_Touch]) -> set[int]:
        """Slots of the events that may look at these, themselves among them."""
        found: set[int] = set()
        for touch in touched:
            for name in _lines(touch):
                until = touch.ts + self._reach[name[0]]
                line = self._lines.get(name, [])
                found.update(slot for _, _, slot in _between(line, touch.ts, until))
        return found

    def _computed(self, slots: set[int]) -> tuple[Events, dict[str, Array]]:
        rows = self._events(slots)
        span: dict[tuple[str, int], tuple[int, int]] = {}
        for column in LOOKED_AT:
            for key, ts in zip(rows[column].tolist(), rows["ts"].tolist(), strict=True):
                low, high = span.get((column, key), (ts, ts))
                span[column, key] = (min(low, ts), max(high, ts))
        seen: set[int] = set()
        for (column, key), (low, high) in span.items():
            if key >= 0:
                line = self._lines[column, key]
                seen.update(slot for _, _, slot in _between(line, low - self._reach[column], high))
        features = compute(self._events(seen), rows, self._delay, self._names)
        digests = _digests(features, len(rows))
        numbers = rows["id"].tolist()
        new = [self._digest.get(n) != d for n, d in zip(numbers, digests, strict=True)]
        self._digest.update(zip(numbers, digests, strict=True))
        which = np.array(new, dtype=bool)
        return rows.take(which), {name: values[which] for name, values in features.items()}

    def _events(self, slots: Iterable[int]) -> Events:
        places = np.fromiter(slots, dtype=np.int64)
        return Events({n: values[places] for n, values in self._kept.items()}).ordered()


def _lines(touch: _Touch) -> list[tuple[str, int]]:
    """The entities that the event belongs to."""
    return [named for named in zip(LOOKED_AT, touch.keys, strict=True) if named[1] >= 0]


def _between(
    line: list[tuple[int, int, int]], since: int, until: int
) -> list[tuple[int, int, int]]:
    """The entries of ``since <= ts <= until``."""
    return line[bisect_left(line, (since,)) : bisect_left(line, (until + 1,))]


def _digests(features: dict[str, Array], rows: int) -> list[bytes]:
    """A few bytes for each row that differ when one of its features does."""
    width = 8 * len(features)
    bits = np.empty((rows, len(features)), dtype=np.int64)
    for place, values in enumerate(features.values()):
        bits[:, place] = values.view(np.int64)
    whole = bits.tobytes()
    return [
        blake2b(whole[start : start + width], digest_size=16).digest()
        for start in range(0, rows * width, width)
    ]
