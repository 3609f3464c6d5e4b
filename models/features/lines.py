"""The events of each entity in order, with running sums, in arrays that changes are written into.

All entities of one kind lie in one arena of arrays, each in a stretch with room to grow. A change
rewrites the stretch from its place on: a transaction that comes in its turn is written at the end
and nothing else, one that is late moves what is later. Places are positions in the arena; between
two changes they mean to :class:`~models.features.view.View` what its own order means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from models.features.events import Array, Events
from models.features.view import ENTITIES, MEASURED, measured

__all__ = ["Lines", "first_place", "stretches"]

_ROOM = 1024
_LEAST = 4  # events that a new entity has room for
_CLEAN = np.iinfo(np.int64).max


class Lines:
    """All entities of one kind; entity 0 stands for an absent one, which has no events.

    Args:
        entity: which kind, a key of ``ENTITIES``.
        measures: what is summed up, besides the number of events.
        kept: columns of the events by slot. The mapping is kept: its arrays may be exchanged for
            longer ones.
    """

    def __init__(self, entity: str, measures: Iterable[str], kept: Mapping[str, Array]) -> None:
        self._columns = ENTITIES[entity]
        self._kept = kept
        self._names = sorted(set(measures) - {"count"})
        self._rows = {name: row for row, name in enumerate(self._names)}
        self.place = np.zeros(0, np.int64)
        """By slot: where the event lies."""
        self.number = np.zeros(0, np.int64)
        """By slot: its entity."""
        self._clear()

    def _clear(self) -> None:
        self._entities: dict[object, int] = {}
        self.base = np.zeros(1, np.int64)
        self.length = np.zeros(1, np.int64)
        self._room = np.zeros(1, np.int64)
        self._cut = np.full(1, _CLEAN)  # of entities with changes: events that stayed as they were
        self._open = np.zeros(0, np.int64)  # entities with changes, in order,
        self._noted: list[Array] = []  # and those that have come since
        self._held = 0  # events
        self._end = 1  # of the part of the arena that is in use
        self.ts = np.zeros(_ROOM, np.int64)
        self.id = np.zeros(_ROOM, np.int64)
        self.slot = np.zeros(_ROOM, np.int64)
        self.running = np.zeros((len(self._names), _ROOM), np.uint64)
        """By measure, see :meth:`row`: sums of what lies before each place, right as differences
        within an entity"""

    def row(self, measure: str) -> int:
        """Where a measure's sums are in ``running``.

        Raises:
            KeyError: it is not summed up.
        """
        return self._rows[measure]

    def entity(self, key: object) -> int:
        """The entity of that key, 0 when none of its events is here."""
        return self._entities.get(key, 0)

    def move(self, gone: Array, come: Array) -> None:
        """Take events out and put events in, by slot; the sums follow with :meth:`sum`."""
        if len(self.place) < len(self._kept["id"]):
            more = np.zeros(len(self._kept["id"]) - len(self.place), np.int64)
            self.place = np.concatenate([self.place, more])
            self.number = np.concatenate([self.number, more])
        gone = gone[self.number[gone] > 0]
        self._note(self.number[gone], self.place[gone])
        self.number[gone] = 0
        entity = self._named(come)
        self.number[come] = entity
        come, entity = come[entity > 0], entity[entity > 0]
        self._held += len(come) - len(gone)
        self._note(entity, self._due(come, entity))
        touched = self._touched()
        if not len(touched):
            return
        stay = self.slot[stretches(self._from(touched), self._behind(touched))]
        stay = stay[self.number[stay] > 0]
        slots = np.concatenate([stay, come])
        of = self.number[slots]
        ts, number = self._kept["ts"][slots], self._kept["id"][slots]
        order = np.lexsort((number, ts, of))
        slots, of = slots[order], of[order]
        count = np.searchsorted(of, touched, "right") - np.searchsorted(of, touched, "left")
        self._make_room(touched, self._cut[touched] + count)
        self.length[touched] = self._cut[touched] + count
        places = stretches(self._from(touched), self._behind(touched))
        self.ts[places], self.id[places], self.slot[places] = ts[order], number[order], slots
        self.place[slots] = places

    def touch(self, slots: Array) -> None:
        """Note that events count for something else than they did."""
        slots = slots[self.number[slots] > 0]
        self._note(self.number[slots], self.place[slots])

    def sum(self, measures: Iterable[str] | None = None) -> None:
        """Bring running sums, all or those of these measures, up to what was moved and touched."""
        wanted = self._names if measures is None else sorted(set(measures) & self._rows.keys())
        touched = self._touched()
        if not wanted or not len(touched):
            return
        first, count = self._from(touched), self.length[touched] - self._cut[touched]
        places = stretches(first, first + count)
        slots = self.slot[places]
        events = Events({name: self._kept[name][slots] for name in MEASURED})
        sums = np.zeros((len(wanted), len(slots) + 1), np.uint64)
        for values, name in zip(sums, wanted, strict=True):
            values[1:] = measured(events, name).view(np.uint64)
        np.cumsum(sums, axis=1, out=sums)
        rows = slice(None) if measures is None else np.array([[self._rows[n]] for n in wanted])
        before = self.running[rows, first] - sums[:, np.cumsum(count) - count]  # wraps, as all does
        self.running[rows, places + 1] = sums[:, 1:] + np.repeat(before, count, axis=1)

    def clean(self) -> None:
        """All sums are right; forget what was touched."""
        self._cut[self._touched()] = _CLEAN
        self._open = self._open[:0]

    def forget(self, slots: Array) -> None:
        """Take out the oldest events of their entities."""
        count = np.bincount(self.number[slots], minlength=len(self.base))
        count[0] = 0
        self._held -= int(count.sum())
        self.base += count
        self.length -= count
        self._room -= count
        self.number[slots] = 0

    def behind(self, slots: Array) -> Array:
        """Of each event, the place behind its entity's last one."""
        return self._behind(self.number[slots])

    def _from(self, touched: Array) -> Array:
        found: Array = self.base[touched] + self._cut[touched]
        return found

    def _behind(self, entities: Array) -> Array:
        found: Array = self.base[entities] + self.length[entities]
        return found

    def _note(self, entity: Array, place: Array) -> None:
        if len(entity):
            np.minimum.at(self._cut, entity, place - self.base[entity])
            self._noted.append(entity)

    def _touched(self) -> Array:
        if self._noted:
            self._open = np.unique(np.concatenate([self._open, *self._noted]))
            self._noted.clear()
        return self._open

    def _named(self, slots: Array) -> Array:
        """The entities of events; new ones get a number."""
        columns = [self._kept[name][slots] for name in self._columns]
        known = self._entities
        keys: list[object] = [*zip(*(values.tolist() for values in columns), strict=True)]
        if len(columns) == 1:
            keys = columns[0].tolist()
        found = [known.get(key, -1) for key in keys]
        entity = np.array(found, np.int64)
        absent = np.zeros(len(slots), bool)
        for values in columns:
            absent |= values < 0
        entity[absent] = 0
        for place in np.flatnonzero(entity < 0).tolist():
            entity[place] = known.setdefault(keys[place], len(known) + 1)
        wanted = len(known) + 1
        if wanted > len(self.base):
            more = np.zeros(max(wanted, 2 * len(self.base)) - len(self.base), np.int64)
            self.base = np.concatenate([self.base, more])
            self.length = np.concatenate([self.length, more])
            self._room = np.concatenate([self._room, more])
            self._cut = np.concatenate([self._cut, more + _CLEAN])
        return entity

    def _due(self, slots: Array, entity: Array) -> Array:
        """Where events belong among those that are there."""
        ts, number = self._kept["ts"][slots], self._kept["id"][slots]
        end = self._behind(entity)
        last = np.maximum(end - 1, 0)
        inside = (self.length[entity] > 0) & (
            (self.ts[last] > ts) | ((self.ts[last] == ts) & (self.id[last] >= number))
        )
        if inside.any():
            low, high = self.base[entity[inside]], end[inside]
            ts, number = ts[inside], number[inside]
            while (open_ := low < high).any():
                middle = (low + high) >> 1
                there = self.ts[middle]
                less = (there < ts) | ((there == ts) & (self.id[middle] < number))
                less &= open_
                low, high = np.where(less, middle + 1, low), np.where(less, high, middle)
            end[inside] = low
        return end

    def _make_room(self, touched: Array, length: Array) -> None:
        tight = length > self._room[touched]
        if not tight.any():
            return
        moving, length = touched[tight], length[tight]
        room = np.maximum(_LEAST, 2 * length)
        ends = np.cumsum(room + 1)
        if self._end + int(ends[-1]) > len(self.ts):
            self._lengthen(self._end + int(ends[-1]))
        base = self._end + ends - room - 1
        self._end += int(ends[-1])
        cut = self._cut[moving]
        old = stretches(self.base[moving], self.base[moving] + cut)
        new = stretches(base, base + cut)
        for column in (self.ts, self.id, self.slot):
            column[new] = column[old]
        self.place[self.slot[new]] = new
        old = stretches(self.base[moving], self.base[moving] + cut + 1)
        new = stretches(base, base + cut + 1)
        self.running[:, new] = self.running[:, old]
        self.base[moving], self._room[moving] = base, room

    def _lengthen(self, wanted: int) -> None:
        size = max(wanted, 2 * len(self.ts))
        self.ts, self.id = _longer(self.ts, size), _longer(self.id, size)
        self.slot, self.running = _longer(self.slot, size), _longer(self.running, size)

    @property
    def is_wasteful(self) -> bool:
        """Whether most of the arena is what entities have left behind."""
        return self._end > max(4 * self._held, 64 * _ROOM)

    def tidy(self, slots: Array) -> None:
        """Lay all events out anew; entities without any are forgotten."""
        self._clear()
        self.number[:] = 0
        self.move(slots[:0], slots)
        self.sum()
        self.clean()


def first_place(values: Array, low: Array, high: Array, least: Array) -> Array:
    """The first place from ``low`` on whose value is ``least`` or more, ``high`` without one.

    Values rise from ``low`` to before ``high``.
    """
    found = low.copy()
    step = 1 << int((high - low).max(initial=0)).bit_length()
    while step := step >> 1:
        further = found + step
        less = values.take(further - 1, mode="clip") < least
        less &= further <= high
        np.copyto(found, further, where=less)
    return found


def stretches(first: Array, behind: Array) -> Array:
    """All places of stretches, one stretch after the other."""
    count = behind - first
    ends = np.cumsum(count)
    found: Array = np.arange(int(count.sum())) + np.repeat(first - (ends - count), count)
    return found


def _longer(values: Array, size: int) -> Array:
    found: Array = np.zeros((*values.shape[:-1], size), values.dtype)
    found[..., : values.shape[-1]] = values
    return found
