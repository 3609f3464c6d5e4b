"""From records to alerts, with what has to wait for the lake put aside meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stream_jobs.live.cards import Alert, Change, Kept, LiveCards, Missing, Span, change_of
from stream_jobs.transforms.envelope import Decoder

__all__ = ["Feed", "Record", "Seen"]

_AT_ONCE = 1_000  # changes that wait for one answer: it, and what it takes to apply it, stay small


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
    them, together with later changes of the same transaction; all others go on.
    """

    def __init__(self, decoder: Decoder, cards: LiveCards) -> None:
        self._decoder = decoder
        self._cards = cards
        self._waiting: list[_Waiting] = []
        self._late: set[int] = set()  # transactions with a change that waits
        self.bad = 0
        """Records that could not be read; the stream sets them aside."""

    def __len__(self) -> int:
        return len(self._waiting)

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
        if change.id in self._late or self._cards.missing(change) is not None:
            self._late.add(change.id)
            self._waiting.append(one)
            return None
        return Seen(one.record, self._cards.apply(change), one.source_ts)

    def asks(self) -> Missing | None:
        """What the first of the changes that wait need; ``None`` when none waits."""
        ids: set[int] = set()
        cards: dict[int, list[Span]] = {}
        for one in self._waiting[:_AT_ONCE]:
            missing = self._cards.missing(one.change)
            if missing is not None:
                ids |= missing.ids
                for card, spans in missing.cards.items():
                    cards.setdefault(card, []).extend(spans)
        return Missing(frozenset(ids), cards) if self._waiting else None

    def answer(self, asked: Missing, rows: Iterable[Kept]) -> list[Seen]:
        """Apply what waited for these rows; what needs more goes on waiting."""
        waiting = self._waiting
        self._cards.learn(asked, rows, (one.change for one in waiting))
        self._waiting, self._late = [], set()
        seen = [found for one in waiting[:_AT_ONCE] if (found := self._try(one))]
        self._waiting += waiting[_AT_ONCE:]
        self._late |= {one.change.id for one in waiting[_AT_ONCE:]}
        self._cards.close()
        return seen

    def done(self, partition: int, position: int) -> int:
        """The offset before which nothing of the partition waits, ``position`` at most."""
        waiting = (one.record.offset for one in self._waiting if one.record.partition == partition)
        return min(waiting, default=position)
