"""Features as transactions come: in order, late, twice, corrected, labelled and taken back.

The state is the events themselves, and each entity's in order with running sums (:class:`Lines`),
as far back as any row looks. A change computes those rows again whose windows it lies in, by the
same features as every other executor, and gives back those that came out differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from models.features.catalogue import NAMES
from models.features.events import COLUMNS, Array, Events
from models.features.kernel import LABEL_DELAY, features_in
from models.features.lines import Lines, first_place, stretches
from models.features.marks import MARK_WINDOW, mark
from models.features.needs import Needs, needs
from models.features.reach import LOOKED_AT
from models.features.view import View

__all__ = ["Changed", "FeatureStream"]

_FIRST_ROOM = 1024
_ROWS_AT_ONCE = 10_000


class Changed(NamedTuple):
    """What a batch of changes did: rows that are new or came out differently, and rows gone."""

    rows: Events
    features: dict[str, Array]
    gone: Array  # numbers of transactions


class _Touch(NamedTuple):
    """Events that are there, or were, because of which later rows may look different now."""

    slots: Array
    ts: Array
    entities: dict[str, Array]  # by column of LOOKED_AT
    labelled: Array  # whether rows that look at labels are among those
    only: bool = False  # and no others


class FeatureStream:
    """Keeps events and answers which features a batch of changes gives.

    Not safe for threads. ``apply``, ``learn``, ``load`` and ``forget`` are all that change it.

    Args:
        label_delay: how old a transaction is when its label may be looked at, microseconds.
        names: features that are wanted; see :meth:`select`.

    Raises:
        KeyError: a name is no feature's.
    """

    def __init__(self, label_delay: int = LABEL_DELAY, names: Sequence[str] = NAMES) -> None:
        self._delay = label_delay
        self._needs = needs(NAMES, label_delay)
        self._kept = {name: np.zeros(_FIRST_ROOM, dtype) for name, dtype in COLUMNS.items()}
        self._slot: dict[int, int] = {}
        self._free = np.arange(_FIRST_ROOM)[::-1]
        self._digest = np.zeros(_FIRST_ROOM, np.uint64)  # 0: never computed
        self.select(names)
        self._lines = {
            entity: Lines(entity, own.measures, self._kept) for entity, own in self._needs.items()
        }

    def __len__(self) -> int:
        return len(self._slot)

    def apply(self, changes: Events, deleted: Iterable[int] = ()) -> Changed:
        """Take in events, new or corrected, and take out the deleted; the features that follow.

        Of several changes to one number the last of ``changes`` counts, and a deletion above all.
        An event that is there already, as it is, changes nothing. Events need not be in order.
        """
        touched, fresh, gone = self._take_in(changes, deleted)
        slots = self._looking_at(touched, fresh)
        rows, features = self._computed(slots)
        self._tidy()
        return Changed(rows, features, gone)

    def select(self, names: Sequence[str]) -> None:
        """Compute these features from now on; all rows count as not computed yet.

        Raises:
            KeyError: a name is no feature's.
        """
        needs(names, self._delay)
        self._names = tuple(names)
        self._factors = _odd_numbers(len(self._names))
        self._digest[:] = 0

    def look(self, numbers: Iterable[int]) -> Changed:
        """The features of these transactions, as far as they are here, as they are now."""
        slots = self._slots(np.fromiter(numbers, np.int64))
        slots = slots[slots >= 0]
        self._digest[slots] = 0
        rows, features = self._computed(slots)
        return Changed(rows, features, np.zeros(0, np.int64))

    def load(self, events: Events) -> None:
        """Take in events as :meth:`apply` does, without computing features.

        When one of them is computed later, it counts as one that came out differently.
        """
        self._take_in(events, ())
        self._tidy()

    def learn(self, numbers: Array, labels: Array) -> int:
        """Take in labels (1 fraud, 0 none, -1 none any more); how many are of events that are here.

        Rows that are computed from now on look at them; none is computed again because of them.
        """
        slots = self._slots(numbers)
        there = slots >= 0
        slots, labels = slots[there], labels[there]
        differs = self._kept["label"][slots] != labels
        self._relabel(slots[differs], labels[differs])
        self._sum(slots[:0])
        return len(slots)

    def has(self, numbers: Array) -> Array:
        """Which of these transactions are here."""
        found: Array = self._slots(numbers) >= 0
        return found

    def labels(self, numbers: Array) -> Array:
        """The labels known of these transactions; -1 where there is none."""
        slots = self._slots(numbers)
        return np.where(slots >= 0, self._kept["label"][slots], -1)

    def history(self, column: str, key: int, since: int, until: int) -> Events:
        """The entity's events of ``since <= ts <= until`` (µs), in order of (time, number).

        Raises:
            KeyError: no feature looks at such entities.
        """
        lines = self._lines[column]
        entity = np.array([lines.entity(key)])
        first, behind = lines.base[entity], lines.base[entity] + lines.length[entity]
        low = first_place(lines.ts, first, behind, np.array([since]))
        high = first_place(lines.ts, first, behind, np.array([until + 1]))
        return self._events(lines.slot[low[0] : high[0]])

    def forget(self, before: int) -> int:
        """Drop events older than ``before`` (µs); how many.

        Changes later than that by less than the longest window and the mark's are no longer exact.
        """
        slots = self._all()
        old = slots[self._kept["ts"][slots] < before]
        if not len(old):
            return 0
        for lines in self._lines.values():
            lines.forget(old)
        for number in self._kept["id"][old].tolist():
            del self._slot[number]
        self._release(old)
        self._tidy()
        return len(old)

    # ── Taking in ────────────────────────────────────────────────────────────────────────────

    def _take_in(
        self, changes: Events, deleted: Iterable[int]
    ) -> tuple[list[_Touch], Array, Array]:
        """What is touched, the slots of new events among it, and the numbers of those gone."""
        gone = np.array(sorted({int(n) for n in deleted} & self._slot.keys()), np.int64)
        _, last = np.unique(changes["id"][::-1], return_index=True)
        coming = changes.take(np.sort(len(changes) - 1 - last))
        if len(gone):
            coming = coming.take(~np.isin(coming["id"], gone))
        there = self._slots(coming["id"])
        known = np.flatnonzero(there >= 0)
        moved, relabelled = self._differs(coming.take(known), there[known])
        label = known[relabelled & ~moved]
        touched = [self._relabel(there[label], coming["label"][label])]
        corrected = known[moved]
        out = np.concatenate([self._slots(gone), there[corrected]])
        touched.append(self._touch(out))
        new = np.concatenate([np.flatnonzero(there < 0), corrected])
        fresh = self._put(coming.take(new))
        self._digest[fresh] = 0
        self._digest[fresh[len(fresh) - len(corrected) :]] = self._digest[there[corrected]]
        for lines in self._lines.values():
            lines.move(out, fresh)
        for number in gone.tolist():
            del self._slot[number]
        self._slot.update(zip(coming["id"][new].tolist(), fresh.tolist(), strict=True))
        touched.append(self._touch(fresh))
        since = [(one.entities["card"], one.ts) for one in touched if not one.only]
        touched.append(self._sum(self._marked_anew(since, fresh)))
        self._release(out)
        return touched, fresh, gone

    def _slots(self, numbers: Array) -> Array:
        slot = self._slot
        return np.array([slot.get(number, -1) for number in numbers.tolist()], np.int64)

    def _all(self) -> Array:
        return np.fromiter(self._slot.values(), np.int64, len(self._slot))

    def _differs(self, coming: Events, there: Array) -> tuple[Array, Array]:
        """Which of the events are otherwise in anything but the label; which in their label."""
        moved = np.zeros(len(coming), bool)
        for name, values in coming.columns.items():
            if name not in ("mark", "label"):
                old = self._kept[name][there]
                moved |= (old != values) & ((old == old) | (values == values))
        return moved, self._kept["label"][there] != coming["label"]

    def _put(self, events: Events) -> Array:
        """Columns into free slots."""
        count = len(events)
        if count > len(self._free):
            room = len(self._digest)
            size = max(2 * room, room + count)
            more = size - room
            for name, values in self._kept.items():
                self._kept[name] = np.concatenate([values, np.zeros(more, values.dtype)])
            self._digest = np.concatenate([self._digest, np.zeros(more, np.uint64)])
            self._free = np.concatenate([np.arange(room, size)[::-1], self._free])
        cut = len(self._free) - count
        self._free, slots = self._free[:cut], self._free[cut:][::-1]
        for name, values in events.columns.items():
            self._kept[name][slots] = values
        self._kept["mark"][slots] = 0
        return slots

    def _release(self, slots: Array) -> None:
        if len(slots):
            self._free = np.concatenate([self._free, slots])

    def _tidy(self) -> None:
        for lines in self._lines.values():
            if lines.is_wasteful:
                lines.tidy(self._all())

    def _relabel(self, slots: Array, labels: Array) -> _Touch:
        self._kept["label"][slots] = labels
        for entity, lines in self._lines.items():
            if self._needs[entity].label_reach >= 0:
                lines.touch(slots)
        return self._touch(slots)._replace(labelled=np.ones(len(slots), bool), only=True)

    def _touch(self, slots: Array) -> _Touch:
        entities = {c: self._lines[c].number[slots] for c in LOOKED_AT if c in self._lines}
        labelled = self._kept["label"][slots] >= 0
        return _Touch(slots, self._kept["ts"][slots], entities, labelled)

    def _marked_anew(self, since: Sequence[tuple[Array, Array]], fresh: Array) -> Array:
        """Note how unusual amounts are, after these times of cards; older events that differ."""
        cards = self._lines["card"]
        cards.sum(("count", "cents"))
        card, ts = (np.concatenate(parts) for parts in zip(*since, strict=True))
        slots = np.unique(np.concatenate([fresh, _reached(cards, card, ts, ts + MARK_WINDOW)]))
        if not len(slots):
            return slots
        found = mark(_LiveView(self._lines, self._needs, self._kept, slots, self._delay))
        differs = found != self._kept["mark"][slots]
        slots, found = slots[differs], found[differs]
        self._kept["mark"][slots] = found
        return np.setdiff1d(slots, fresh, assume_unique=True)

    def _sum(self, marked: Array) -> _Touch:
        """Bring all sums up to date, those of the events that are marked anew among them."""
        for lines in self._lines.values():
            lines.touch(marked)
            lines.sum()
            lines.clean()
        return self._touch(marked)

    # ── Computing ────────────────────────────────────────────────────────────────────────────

    def _looking_at(self, touched: Iterable[_Touch], fresh: Array) -> Array:
        """Slots of the events that may look at these, the new ones among them."""
        found = [fresh]
        for one in touched:
            for column, entity in one.entities.items():
                lines, own = self._lines[column], self._needs[column]
                if not one.only and own.reach >= 0:
                    found.append(_reached(lines, entity, one.ts, one.ts + own.reach))
                if own.label_reach >= 0 and one.labelled.any():
                    since = one.ts[one.labelled] + self._delay
                    until = since + own.label_reach
                    found.append(_reached(lines, entity[one.labelled], since, until))
        return np.unique(np.concatenate(found))

    def _computed(self, slots: Array) -> tuple[Events, dict[str, Array]]:
        """The rows that came out differently, in order of (time, number)."""
        slots = slots[np.lexsort((self._kept["id"][slots], self._kept["ts"][slots]))]
        parts, kept = [], []
        for begin in range(0, max(1, len(slots)), _ROWS_AT_ONCE):
            some = slots[begin : begin + _ROWS_AT_ONCE]
            view = _LiveView(self._lines, self._needs, self._kept, some, self._delay)
            features, rows = features_in(view, self._names), view.rows
            digest = _digests(features, self._factors, len(some))
            new = self._digest[some] != digest
            self._digest[some] = digest
            if not new.all():
                features, rows = {n: v[new] for n, v in features.items()}, rows.take(new)
            kept.append(rows)
            parts.append(features)
        if len(parts) == 1:
            return kept[0], parts[0]
        return Events.join(kept), {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}

    def _events(self, slots: Array) -> Events:
        return Events({name: values[slots] for name, values in self._kept.items()})


class _LiveView(View):
    """Rows of the stream, and its lines as what they look at."""

    def __init__(
        self,
        lines: dict[str, Lines],
        wanted: dict[str, Needs],
        kept: dict[str, Array],
        slots: Array,
        label_delay: int,
    ) -> None:
        rows = Events({name: values[slots] for name, values in kept.items()})
        super().__init__(Events(kept), rows, label_delay)
        self._lines = lines
        self._wanted = wanted
        self._slots = slots
        self._looks: dict[str, _Look] = {}

    def bounds(self, entity: str, window: int, *, delayed: bool = False) -> tuple[Array, Array]:
        look = self._look(entity)
        low, high = look.edges(self._shift(delayed), window)
        return look.places[low], look.places[high]

    def sum(self, entity: str, window: int, measure: str, *, delayed: bool = False) -> Array:
        look = self._look(entity)
        low, high = look.edges(self._shift(delayed), window)
        if measure == "count":
            count: Array = look.places[high] - look.places[low]
            return count
        sums = look.sums[self._lines[entity].row(measure)]
        found: Array = (sums[high] - sums[low]).view(np.int64)
        return found

    def last(
        self, entity: str, window: int, which: str | None = None, *, delayed: bool = False
    ) -> Array:
        low, high = self.bounds(entity, window, delayed=delayed)
        if which is None:
            return np.where(high > low, high - 1, -1)
        running = self._lines[entity].running[self._lines[entity].row(which)]
        there = running[high] != running[low]
        # The last one is where the sum behind it first reaches that of the window's end.
        found = first_place(running[1:], low, np.where(there, high, low), running[high])
        return np.where(there, found, -1)

    def first_after(self, entity: str, place: Array, which: str) -> Array:
        lines = self._lines[entity]
        running = lines.running[lines.row(which)]
        return first_place(running[1:], place, lines.behind(self._slots), running[place] + 1)

    def sum_from(self, entity: str, place: Array, high: Array, measure: str) -> Array:
        running = self._lines[entity].running[self._lines[entity].row(measure)]
        found: Array = (running[high] - running[place]).view(np.int64)
        return found

    def at(self, entity: str, place: Array, column: str) -> Array:
        found: Array = self.history[column][self._lines[entity].slot[place]]
        return found

    def _shift(self, delayed: bool) -> int:
        return self.label_delay if delayed else -1

    def _look(self, entity: str) -> _Look:
        if entity not in self._looks:
            # All that will be asked for at once: most of the time goes into calls, not numbers.
            lines, starts = self._lines[entity], sorted(self._wanted[entity].starts)
            number, times = lines.number[self._slots], len(starts)
            # An absent entity's rows have no place, and nothing before them.
            own = np.where(number > 0, lines.place[self._slots], 0)
            low, high = np.tile(lines.base[number], times), np.tile(own, times)
            least = (self.rows["ts"] - np.array(starts)[:, None]).ravel()
            first = first_place(lines.ts, low, high, least)
            places = np.concatenate([own, first]).reshape(times + 1, -1)
            at = {start: place for place, start in enumerate(starts, 1)}
            self._looks[entity] = _Look(at, places, lines.running[:, places])
        return self._looks[entity]


class _Look(NamedTuple):
    """Where windows of an entity begin and end, of each row, and what lies before.

    ``places`` are those of the rows themselves, then by ``at`` the first that are no older than so
    many microseconds before them; ``sums`` are running sums there, by measure.
    """

    at: dict[int, int]
    places: Array
    sums: Array

    def edges(self, shift: int, window: int) -> tuple[int, int]:
        """The window's begin and end in ``places``; ``shift`` is -1 for one up to the row."""
        if shift < 0:
            return self.at[window], 0
        return self.at[shift + window], self.at[shift]


def _reached(lines: Lines, entity: Array, since: Array, until: Array) -> Array:
    """Slots of the entities' events of ``since <= ts <= until``."""
    behind = lines.base[entity] + lines.length[entity]
    late = (entity > 0) & (lines.length[entity] > 0)
    late &= lines.ts[np.maximum(behind - 1, 0)] >= since
    entity, since, until, behind = entity[late], since[late], until[late], behind[late]
    if not len(entity):
        return np.zeros(0, np.int64)
    first = lines.base[entity]
    # Most changes are of the newest events: then the last one is all there is from there on.
    alone = (behind - 1 == first) | (lines.ts[np.maximum(behind - 2, 0)] < since)
    low = np.where(alone, behind - 1, first)
    low = first_place(lines.ts, low, np.where(alone, low, behind), since)
    ends = lines.ts[behind - 1] <= until
    high = np.where(ends, behind, low)
    high = first_place(lines.ts, high, behind, until + 1)
    order = np.argsort(low)
    low, high = low[order], np.maximum.accumulate(high[order])
    low = np.maximum(low, np.concatenate([[0], high[:-1]]))  # each place once
    return lines.slot[stretches(low, np.maximum(low, high))]


def _odd_numbers(count: int) -> Array:
    random = np.random.default_rng(1)
    return random.integers(0, 2**63, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _digests(features: dict[str, Array], factors: Array, rows: int) -> Array:
    """A number for each row that differs when one of its features does; never 0."""
    bits = np.empty((len(features), rows), np.uint64)
    for place, values in enumerate(features.values()):
        bits[place] = values.view(np.uint64)
    bits = (bits ^ (bits >> np.uint64(32))) * factors[:, None]
    found: Array = (bits ^ (bits >> np.uint64(29))).sum(axis=0, dtype=np.uint64)
    return found | np.uint64(1)
