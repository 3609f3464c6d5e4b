"""From records to alerts, with what has to wait for the lake put aside meanwhile."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from stream_jobs.live.cards import Alert, Change, Kept, LiveCards, Missing, Span, change_of
from stream_jobs.transforms.envelope import Decoder

__all__ = ["Feed", "Record", "Seen"]

# Changes that wait for one answer: a scan of the lake costs the same for one as for all of them.
_AT_ONCE = 10_000
_STEP = 20  # of them that are applied before live changes get their turn again


class Record(NamedTuple):
    """A record of the transactions' topic; ``kafka_us`` is when Kafka took it, since 1970."""

    partition: int
    offset: int
    value: bytes | None
    epoch: str | None
    kafka_us: int = 0


class Seen(NamedTuple):
    """What became of a record. ``source_ts``: of its commit, microseconds since 1970, if known."""

    record: Record
    alerts: list[Alert]
    source_ts: int | None


class _Waiting(NamedTuple):
    record: Record
    change: Change
    source_ts: int | None


class Feed:
    """Applies records in the order in which they come, as far as the cards know enough.

    A change of long ago needs uses that only the lake has. It waits until :meth:`answer` brings
    them, together with later changes of the same transaction; all others go on. What has an answer
    is applied by :meth:`step`, some at a time.
    """

    def __init__(self, decoder: Decoder, cards: LiveCards) -> None:
        self._decoder = decoder
        self._cards = cards
        self._waiting: list[_Waiting] = []
        self._asked: list[tuple[_Waiting, Missing | None]] = []  # that the next answer is for
        self._answered: _Answer | None = None
        self._again: list[_Waiting] = []  # for which the answer was not enough
        self._late: Counter[int] = Counter()  # transactions with changes that wait
        self.bad = 0
        """Records that could not be read; the stream sets them aside."""

    def __len__(self) -> int:
        return self._late.total()

    def decode(self, record: Record) -> tuple[Change, int | None] | None:
        """The change of a record and its commit time; ``None`` for what is no change."""
        if record.value is None:  # a tombstone
            return None
        found = self._decoder.change(record.value, record.epoch, record.offset)
        change = None if found is None else change_of(found)
        if found is None or change is None:
            self.bad += 1
            return None
        return change, found.source_ts

    def rewind(self, records: Iterable[Record]) -> None:
        """Put back what these records, which are to come yet, have changed in the lake already."""
        read = (self.decode(record) for record in records)
        self._cards.rewind(one[0] for one in read if one is not None)

    def take(self, record: Record) -> Seen:
        """Apply a record, or put it aside."""
        read = self.decode(record)
        if read is None:
            return Seen(record, [], None)
        return self._try(_Waiting(record, *read)) or Seen(record, [], read[1])

    def _try(self, one: _Waiting) -> Seen | None:
        change = one.change
        if self._late[change.id] > 0 or self._cards.missing(change) is not None:
            self._late[change.id] += 1
            self._waiting.append(one)
            return None
        return Seen(one.record, self._cards.apply(change), one.source_ts)

    def asks(self) -> Missing | None:
        """What the first of the changes that wait need; ``None`` when none waits.

        Nobody asks again before all of the last answer is applied.
        """
        if not self._waiting:
            return None
        first, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        self._asked = [(one, self._cards.missing(one.change)) for one in first]
        return _together(missing for _, missing in self._asked)

    def answer(self, rows: Iterable[Kept]) -> None:
        """What the lake said of what was asked last."""
        changes = [one.change for one, _ in self._asked]
        self._cards.rewind(changes)  # of earlier answers some may be remembered
        self._answered = _Answer(rows, changes)

    def step(self) -> list[Seen]:
        """Apply some of what waited for the last answer; what needs more goes on waiting."""
        if self._answered is None:
            return []
        part, rest = self._asked[:_STEP], self._asked[_STEP:]
        asked = _together(missing for _, missing in part)
        rows = list(self._answered.of(asked))
        self._cards.learn(asked, rows, self._answered.waiting_of(rows))
        seen, again = [], {one.change.id for one in self._again}
        for one, _ in part:
            number = one.change.id
            self._answered.passed(number)
            if number in again or self._cards.missing(one.change) is not None:
                self._again.append(one)
                again.add(number)
                continue
            self._late[number] -= 1
            if not self._late[number]:
                del self._late[number]
            seen.append(Seen(one.record, self._cards.apply(one.change), one.source_ts))
        self._cards.close()
        self._asked = rest
        if not rest:
            self._answered = None
            self._waiting, self._again = [*self._again, *self._waiting], []
        return seen

    @property
    def is_answered(self) -> bool:
        """Whether there is something to :meth:`step` through."""
        return self._answered is not None

    def done(self, partition: int, position: int) -> int:
        """The offset before which nothing of the partition waits, ``position`` at most."""
        # In this order they came, so that the first is the least.
        waiting = chain(self._again, (one for one, _ in self._asked), self._waiting)
        places = (one.record.offset for one in waiting if one.record.partition == partition)
        return next(places, position)


class _Answer:
    """Rows of the lake by number and by card, and the changes that wait for them."""

    def __init__(self, rows: Iterable[Kept], waiting: Iterable[Change]) -> None:
        self._waiting: dict[int, deque[Change]] = {}
        for change in waiting:
            self._waiting.setdefault(change.id, deque()).append(change)
        self._by_id: dict[int, Kept] = {}
        uses: dict[int, list[tuple[int, Kept]]] = {}
        for row in rows:
            self._by_id[row.id] = row
            if row.booked is not None:
                uses.setdefault(row.booked.card_id, []).append((row.booked.use.ts, row))
        self._by_card = {card: sorted(those, key=_time) for card, those in uses.items()}

    def of(self, asked: Missing) -> Iterator[Kept]:
        for number in asked.ids:
            if number in self._by_id:
                yield self._by_id[number]
        # Of these spans alone: the answer has those of thousands of other changes too.
        for card, spans in asked.cards.items():
            uses = self._by_card.get(card, [])
            for start, end in spans:
                first = bisect_left(uses, start, key=_time)
                last = bisect_right(uses, end, lo=first, key=_time)
                yield from (row for _, row in uses[first:last])

    def waiting_of(self, rows: Iterable[Kept]) -> list[Change]:
        """The first of the changes of each of these that wait still."""
        found = (self._waiting.get(row.id) for row in rows)
        return [changes[0] for changes in found if changes]

    def passed(self, number: int) -> None:
        """The first change of the transaction waits for this answer no longer."""
        self._waiting[number].popleft()


def _time(use: tuple[int, Kept]) -> int:
    return use[0]


def _together(parts: Iterable[Missing | None]) -> Missing:
    ids: set[int] = set()
    cards: dict[int, list[Span]] = {}
    for missing in parts:
        if missing is not None:
            ids |= missing.ids
            for card, spans in missing.cards.items():
                cards.setdefault(card, []).extend(spans)
    return Missing(frozenset(ids), cards)
