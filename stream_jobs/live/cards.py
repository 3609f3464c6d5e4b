"""Every card's recent uses as of the newest change, and the alerts that each change raises.

Knows neither Kafka nor the lake. What it does not remember it asks for (:meth:`LiveCards.missing`)
and is told (:meth:`LiveCards.learn`); the lake that answers may be behind the changes applied here
or, after a standstill, ahead of them.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from stream_jobs.transforms import envelope
from stream_jobs.transforms.card import EVER, KEEP, Card
from stream_jobs.transforms.idle import Idle
from stream_jobs.transforms.places import is_abroad
from stream_jobs.transforms.rules import Rules
from stream_jobs.transforms.uses import Use, place_of

__all__ = [
    "Alert",
    "Booked",
    "Change",
    "History",
    "Kept",
    "LiveCards",
    "Missing",
    "Span",
    "change_of",
]

_CAPACITY = 100_000
_OFFSET = slice(-12, None)  # of an order token


class Booked(NamedTuple):
    """A transaction, as far as alerts tell of it."""

    card_id: int
    use: Use
    user_id: int
    merchant_id: int
    merchant_city: str | None
    merchant_state: str | None
    mcc: int


class Change(NamedTuple):
    """One change of a transaction; a truncate has number 0 and neither row."""

    id: int
    op: str
    token: str
    before: Booked | None
    after: Booked | None


class Alert(NamedTuple):
    """A rule that a transaction breaks since the change."""

    booked: Booked
    rule: str
    reason: str


class Kept(NamedTuple):
    """A transaction as the lake has it; ``booked`` is ``None`` for a delete marker."""

    id: int
    token: str
    booked: Booked | None


Span = tuple[int, int]


class Missing(NamedTuple):
    """What has to be read: these transactions, and of each card its uses in some spans of time.

    A span is from and to, both within, microseconds since 1970; spans may overlap.
    """

    ids: frozenset[int]
    cards: dict[int, list[Span]]


@dataclass(frozen=True)
class History:
    """What the lake knows at the start.

    Args:
        since: all uses from that time on (microseconds since 1970) are in ``rows``.
        rows: the live ones.
        last_physical: of each card, the last use in person before ``since``, of those that
            travel looks back to.
        abroad: of each card, time and number of all its uses abroad, in order.
        newest: the highest order token of the table.
    """

    since: int = EVER
    rows: tuple[Kept, ...] = ()
    last_physical: dict[int, Use] = field(default_factory=dict)
    abroad: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    newest: str = ""


@dataclass(slots=True)
class _Known:
    token: str
    row: Booked | None
    from_lake: bool = False
    held: bool = False  # among its card's uses


def change_of(change: envelope.Change) -> Change | None:
    """The change in the rules' terms; ``None`` when its amount cannot be one."""
    try:
        before = None if change.before is None else _booked(change.before)
        after = None if change.after is None else _booked(change.after)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    row = change.after or change.before
    return Change(row.id if row else 0, change.op, change.token, before, after)


def _booked(row: Any) -> Booked:
    cents = Decimal(row.amount) * 100
    if cents != int(cents) or abs(cents) >= 10**12:
        raise ValueError
    use = Use(
        row.date,
        row.id,
        int(cents),
        bool(row.errors),
        not row.use_chip.startswith("Online"),
        _shared(row.merchant_state),
    )
    return Booked(
        row.card_id,
        use,
        row.client_id,
        row.merchant_id,
        _shared(row.merchant_city),
        use.state,
        row.mcc,
    )


def _shared(place: str | None) -> str | None:
    """The same text once, however many transactions are remembered."""
    return None if place is None else sys.intern(place)


class LiveCards:
    """Applies changes one by one.

    Changes of the same transaction are ordered by their tokens: one that is not newer than what
    is there changes nothing, whether it is repeated or late. What becomes of the cards is
    therefore the same in whatever order changes of different transactions come.

    Args:
        rules: thresholds.
        history: what the lake knows at the start.
        capacity: transactions to remember besides those among their card's recent uses.
        keep: uses of a card before it is worth forgetting some.
        now: when this begins, seconds since 1970.
    """

    def __init__(
        self,
        rules: Rules,
        history: History,
        capacity: int = _CAPACITY,
        keep: int = KEEP,
        now: float = 0.0,
    ) -> None:
        self._rules = rules
        self._keep = keep
        self._since = history.since
        self._capacity = capacity
        self._cards = defaultdict[int, Card](lambda: Card(self._since, rules))
        self._idle = Idle(rules, now)
        self._known: dict[int, _Known] = {}
        # Known ones that are not held, the oldest first, with their card if they have one.
        self._loose: dict[int, int | None] = {}
        self._loose_of: dict[int, set[int]] = {}  # those of each card
        self._horizon = history.newest  # what is not known may have changed up to here
        self._emptied = ""
        self._open: dict[int, list[Span]] = {}  # uses before a card's `since` that are there too
        self._set_aside: dict[int, Use | None] = {}  # last uses in person before `since`, meanwhile
        recent: dict[int, list[Use]] = defaultdict(list)
        for kept in history.rows:
            if kept.booked is not None:
                self._known[kept.id] = _Known(kept.token, kept.booked, True, True)
                recent[kept.booked.card_id].append(kept.booked.use)
        for number, uses in recent.items():
            self._cards[number] = Card(self._since, rules, uses)
        for number, use in history.last_physical.items():
            self._cards[number].last_physical = use
        for number, abroad in history.abroad.items():
            self._cards[number].abroad = abroad
        for number in self._cards:
            self._idle.use(number)

    def __len__(self) -> int:
        """Cards that are remembered."""
        return len(self._cards)

    def missing(self, change: Change) -> Missing | None:
        """What has to be learned before the change can be applied."""
        if change.op in "rt" or change.token <= self._emptied:
            return None
        known = self._known.get(change.id)
        rows = [change.after, change.before]
        ids: frozenset[int] = frozenset()
        if known is None:
            if change.op != "c" or change.token <= self._horizon:
                ids = frozenset((change.id,))
        elif change.token > known.token:
            rows[1] = known.row
        elif not _is_ahead(known, change):
            return None
        else:
            rows.append(known.row)
        cards: dict[int, list[Span]] = {}
        for row in rows:
            if row is not None and not self._sees(row):
                cards.setdefault(row.card_id, []).append(self._span(row.use.ts))
        return Missing(ids, cards) if ids or cards else None

    def _span(self, ts: int) -> Span:
        """All times of which uses can say something of a use at ``ts``, or the other way round."""
        reach = max(self._rules.burst_us, self._rules.travel_us)
        return ts - reach, ts + reach

    def _sees(self, row: Booked) -> bool:
        """Whether what matters to a use of that time is there."""
        ts = row.use.ts
        if ts - self._rules.burst_us >= self._cards[row.card_id].since:
            return True
        wanted = self._span(ts)
        spans = self._open.get(row.card_id, ())
        return any(start <= wanted[0] and wanted[1] <= end for start, end in spans)

    def learn(self, asked: Missing, rows: Iterable[Kept], waiting: Iterable[Change] = ()) -> None:
        """Take in what the lake said, until :meth:`close`.

        Args:
            asked: what was to be read.
            rows: the transactions of ``asked.ids`` that the lake has, delete markers included;
                and live uses of ``asked.cards`` in their spans.
            waiting: changes of these transactions that could not be applied yet, in order. The
                lake may have some of them already: what they change is put back to what it was
                before them.
        """
        for kept in rows:
            if kept.id not in self._known:  # what is known is of the moment, the lake is not
                row = kept.booked if kept.token > self._emptied else None
                self._remember(kept.id, _Known(kept.token, row, from_lake=True))
        for number in asked.ids:
            if number not in self._known:
                self._remember(number, _Known("", None, from_lake=True))
        for number, spans in asked.cards.items():
            card = self._cards[number]
            if number not in self._open:
                self._open[number] = []
                # It may be later than the uses of these spans.
                self._set_aside[number], card.last_physical = card.last_physical, None
            self._open[number] += spans
        for number in self._open:
            for key in list(self._loose_of.get(number, ())):
                known = self._known[key]
                row = known.row
                if row is not None and self._is_open(row):
                    known.held = True
                    self._tie(key)
                    self._cards[number].put(row.use)
        self._put_back(waiting)

    def close(self) -> None:
        """Forget what was learned of long ago."""
        for number in self._open:
            card = self._cards[number]
            gone = card.uses.cut(card.uses.first_from(card.since))
            last = self._set_aside.pop(number)
            known = self._known.get(last.id) if last else None
            if known is not None and (known.row is None or known.row.use != last):
                last = None  # it is no longer what it was
            for use in gone:
                if use.physical:
                    last = _later(use, last)
                self._release(use.id)
            card.last_physical = last
        self._open.clear()
        self._forget_most()

    def _is_open(self, row: Booked) -> bool:
        return any(start <= row.use.ts <= end for start, end in self._open.get(row.card_id, ()))

    def rewind(self, changes: Iterable[Change]) -> None:
        """Put the transactions of these changes, given in order, back to what they were before.

        For a start from a lake that has taken in changes which are to come yet.
        """
        self._put_back(changes)

    def apply(self, change: Change) -> list[Alert]:
        """Apply a change of which nothing is missing; the alerts that were not there before.

        Rows that a snapshot reads are history and raise none.
        """
        if change.token <= self._emptied:
            return []
        if change.op == "t":
            self._empty(change.token)
            return []
        known = self._known.get(change.id)
        if known is not None and change.token <= known.token:
            if change.op == "r" or not _is_ahead(known, change):
                return []
            known = _Known("", change.before)
            self._replace(change.id, known)
        new = _Known(change.token, change.after)
        if change.op == "r":
            self._replace(change.id, new)
            self._trim(new)
            self._forget_most()
            return []
        rows = (change.after, known.row if known else None)
        times: dict[int, set[int]] = {}
        for row in rows:
            if row is not None:
                times.setdefault(row.card_id, set()).add(row.use.ts)
        before = self._judge(times)
        self._replace(change.id, new)
        after = self._judge(times)
        alerts = [
            Alert(self._row(number), rule, reason)
            for (number, rule), reason in after.items()
            if reason and (number, rule) not in before
        ]
        self._trim(known)
        self._trim(new)
        if not self._open:
            self._forget_most()
        return alerts

    def _put_back(self, changes: Iterable[Change]) -> None:
        first: dict[int, Change] = {}
        for change in changes:
            if change.op not in "rt":
                first.setdefault(change.id, change)
        for change in first.values():
            known = self._known.get(change.id)
            if known is not None and _is_ahead(known, change):
                self._replace(change.id, _Known("", change.before))

    def _judge(self, times: dict[int, set[int]]) -> dict[tuple[int, str], str]:
        found = {}
        for number, touched in times.items():
            found.update(self._cards[number].judge(touched))
        return found

    def _row(self, number: int) -> Booked:
        row = self._known[number].row
        assert row is not None  # noqa: S101 (only held ones are judged)
        return row

    def _replace(self, number: int, new: _Known) -> None:
        """Let the transaction be this, without a look at what it breaks."""
        old = self._known.pop(number, None)
        self._tie(number)
        if old is not None and old.row is not None:
            card = self._cards[old.row.card_id]
            if old.held:
                card.uses.drop(old.row.use)
            card.forget_abroad(old.row.use)
            self._idle.use(old.row.card_id)
        row = new.row
        if row is not None:
            self._idle.use(row.card_id)
            card, use = self._cards[row.card_id], row.use
            if use.ts >= card.since or self._is_open(row):
                new.held = True
                card.put(use)
            else:
                card.see_abroad(use)
                if use.physical and row.card_id not in self._open:
                    card.last_physical = _later(use, card.last_physical)
        self._remember(number, new)

    def _remember(self, number: int, new: _Known) -> None:
        self._known[number] = new
        if not new.held:
            self._loosen(number, new)

    def _loosen(self, number: int, known: _Known) -> None:
        card_id = known.row.card_id if known.row else None
        self._loose[number] = card_id
        if card_id is not None:
            self._loose_of.setdefault(card_id, set()).add(number)

    def _tie(self, number: int) -> None:
        """No longer loose, if it was."""
        card_id = self._loose.pop(number, None)
        if card_id is not None:
            mine = self._loose_of[card_id]
            mine.remove(number)
            if not mine:
                del self._loose_of[card_id]

    def _release(self, number: int) -> None:
        """No longer among its card's uses."""
        known = self._known[number]
        known.held = False
        self._loosen(number, known)
        if known.from_lake:  # where it can be read again
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._tie(number)
        self._horizon = max(self._horizon, self._known.pop(number).token)

    def _forget_most(self) -> None:
        while len(self._loose) > self._capacity:
            self._forget(next(iter(self._loose)))

    def _trim(self, touched: _Known | None) -> None:
        if touched is not None and touched.row is not None:
            number = touched.row.card_id
            if number not in self._open:
                for use in self._cards[number].trim(self._keep):
                    self._release(use.id)

    def let_go(self, now: float) -> None:
        """Let go of cards that nobody used for long; the lake has them.

        Args:
            now: seconds since 1970.
        """
        self._idle.tell(now)
        if self._open:
            return
        for number in self._idle.to_rest():
            for use in self._cards[number].rest():
                self._release(use.id)
        for number in self._idle.to_forget():
            since = self._cards[number].forgotten(now)
            if since is not None:
                del self._cards[number]
                self._since = max(self._since, since)
        self._forget_most()

    def _empty(self, token: str) -> None:
        """The table was truncated: only what changed later is there."""
        self._emptied = token
        for number, known in list(self._known.items()):
            if known.token < token:
                self._replace(number, _Known(token, None))
        self._since = EVER
        for card in self._cards.values():
            card.since, card.last_physical = EVER, None
        self._set_aside = dict.fromkeys(self._open)
        for card in self._cards.values():
            card.abroad = [place_of(u) for u in card.uses if is_abroad(u.state)]


def _later(one: Use, other: Use | None) -> Use:
    return one if other is None or place_of(one) > place_of(other) else other


def _is_ahead(known: _Known, change: Change) -> bool:
    """Whether the lake, where this is from, had taken in the change before it came here.

    All changes of a transaction are in one partition, where offsets say what came first.
    """
    return (
        known.from_lake
        and known.token >= change.token
        and known.token[_OFFSET] >= change.token[_OFFSET]
    )
