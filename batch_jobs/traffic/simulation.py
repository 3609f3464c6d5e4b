"""What happens in the bank: decides the changes, and knows neither database nor clock.

With a few thousand cards and a thousand changes a second, a card is used far more often than in
life. So that alerts mean something, ordinary uses stay at home and keep clear of what the rules
look for; only fraud schemes do not.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import NamedTuple

from batch_jobs.generate.reference import categories, cities
from batch_jobs.traffic.batch import Batch, Money, Place, Transaction

__all__ = ["TRANSFER_MERCHANT", "Known", "Mix", "Simulation", "World"]

TRANSFER_MERCHANT = 999_999
"""Merchant of transfers between customers: the sum of its amounts is zero after every commit."""

_TRANSFER_PLACE = Place(TRANSFER_MERCHANT, "ONLINE", None, None, 4829)
_SWIPE, _CHIP, _ONLINE = "Swipe Transaction", "Chip Transaction", "Online Transaction"

_TRANSFERS = 0.04  # of inserted transactions start a transfer, which is two
_FRAUDS = 0.002  # start a fraud scheme
_ONLINE_SHARE = 0.12
_REFUNDS = 0.05
_DECLINES = 0.016
_LABELLED = 0.67
_LABEL_DELAY_S = 20.0  # on average
_PEOPLE = 0.1  # of updates change a user or a card
_OLD = 0.2  # of corrections and deletions reach back beyond the newest rows
_RECENT = 2_000
_FAVOURITES = 8
_SMALL = 6  # US dollars; ordinary amounts below are rare on a card
_QUIET = timedelta(minutes=20)
_FAR_KM = 2_000


@dataclass(frozen=True)
class Mix:
    """What changes.

    ``insert`` (labels too), ``update`` and ``delete`` are shares, any positive numbers. Most
    corrections and deletions are of the newest rows, the others of about so many as ``reach``.
    """

    insert: float = 70
    update: float = 25
    delete: float = 5
    reach: int = 100_000


class Known(NamedTuple):
    """Transactions that may be corrected or deleted: one, or the two of a transfer."""

    ids: tuple[int, ...]
    amount: Money  # of the first; a transfer's second is its opposite


@dataclass
class World:
    """What the source holds when the simulation starts."""

    cards: list[tuple[int, int]]  # card and client
    homes: dict[int, tuple[str, str, str]]  # client: city, state, zip
    shops: list[tuple[int, int]]  # merchant and category of tills
    online_shops: list[tuple[int, int]]
    next_id: int
    older: list[Known] = field(default_factory=list)


class _Use(NamedTuple):
    """A card use that is planned but has no number yet."""

    card: int
    client: int
    amount: Money
    channel: str
    place: Place
    errors: str | None = None
    fraud: bool = False


class Simulation:
    """Decides batch after batch; the same seed and calls give the same changes."""

    def __init__(self, world: World, seed: int, mix: Mix) -> None:
        self._world = world
        self._random = Random(seed)
        total = mix.insert + mix.update + mix.delete
        self._insert, self._update = mix.insert / total, mix.update / total
        self._next_id = world.next_id
        self._reach = max(mix.reach, _RECENT + 1)
        self._known = list(world.older)[-self._reach :]
        self._places: dict[int, list[Place]] = {}
        self._kinds = {
            int(mcc): float(median)
            for mcc, median in zip(categories().mcc, categories().median, strict=True)
        }
        self._order = count()
        self._due_uses: list[tuple[datetime, int, _Use]] = []
        self._due_labels: list[tuple[datetime, int, int, str]] = []
        self._unlabelled: set[int] = set()  # whose label is on the way
        self._declined: dict[int, datetime] = {}
        self._small: dict[int, datetime] = {}
        self._last = datetime.min.replace(tzinfo=UTC)
        self.schemes = 0
        self.transfers = 0

    def batch(self, size: int, now: datetime) -> Batch:
        """About ``size`` changes at the moment ``now``, UTC."""
        batch = Batch()
        self._now = max(now, self._last)
        while self._due_uses and self._due_uses[0][0] <= self._now:
            self._book(batch, heapq.heappop(self._due_uses)[2])
        for _ in range(3 * size):  # a change may hit a row that this batch has changed already
            if batch.changes >= size:
                break
            kind = self._random.random()
            if kind < self._insert:
                self._insert_one(batch)
            elif kind < self._insert + self._update:
                self._update_one(batch)
            else:
                self._delete_one(batch)
        return batch

    # ── Inserts ──────────────────────────────────────────────────────────────────────────────

    def _insert_one(self, batch: Batch) -> None:
        random = self._random
        if self._due_labels and self._due_labels[0][0] <= self._now:
            _, _, identity, label = heapq.heappop(self._due_labels)
            if identity in self._unlabelled:  # else it was deleted meanwhile
                self._unlabelled.discard(identity)
                batch.labels[identity] = label
            return
        chance = random.random()
        if chance < _TRANSFERS:
            self._transfer(batch)
        elif chance < _TRANSFERS + _FRAUDS:
            self._start_scheme()
        else:
            self._book(batch, self._ordinary())

    def _book(self, batch: Batch, use: _Use) -> Transaction:
        # Different and rising times, also within a batch.
        self._last = max(self._now, self._last + timedelta(microseconds=1))
        row = Transaction(
            self._next_id,
            self._last,
            use.client,
            use.card,
            use.amount,
            use.channel,
            *use.place,
            use.errors,
        )
        self._next_id += 1
        batch.inserted.append(row)
        if use.place.merchant_id != TRANSFER_MERCHANT:
            self._remember(Known((row.id,), row.amount))
            if self._random.random() < _LABELLED:
                delay = timedelta(seconds=self._random.expovariate(1 / _LABEL_DELAY_S))
                label = "Yes" if use.fraud else "No"
                self._unlabelled.add(row.id)
                heapq.heappush(
                    self._due_labels, (self._last + delay, next(self._order), row.id, label)
                )
        return row

    def _remember(self, known: Known) -> None:
        if len(self._known) < self._reach:
            self._known.append(known)
        else:  # the newest rows stay at the end
            oldest = self._known.pop(-_RECENT)
            self._known[self._random.randrange(self._reach - _RECENT)] = oldest
            self._known.append(known)

    def _transfer(self, batch: Batch) -> None:
        (card, client), (other_card, other) = self._random.sample(self._world.cards, 2)
        amount = _money(self._random.uniform(5, 900))
        first = self._book(batch, _Use(card, client, amount, _ONLINE, _TRANSFER_PLACE))
        second = self._book(batch, _Use(other_card, other, -amount, _ONLINE, _TRANSFER_PLACE))
        self._remember(Known((first.id, second.id), amount))
        self.transfers += 1

    def _ordinary(self) -> _Use:
        random = self._random
        card, client = random.choice(self._world.cards)
        online = random.random() < _ONLINE_SHARE
        place = self._online_place() if online else random.choice(self._favourites(client))
        dollars = self._kinds.get(place.mcc, 30.0) * random.lognormvariate(0, 0.7)
        if dollars < _SMALL and not self._quiet(self._small, card):
            dollars += _SMALL
        amount = _money(min(dollars, 2_500))
        if random.random() < _REFUNDS:
            amount = -amount
        errors = None
        if random.random() < _DECLINES and self._quiet(self._declined, card):
            errors = random.choice(
                ["Bad CVV", "Bad Zipcode", "Insufficient Balance"]
                if online
                else ["Insufficient Balance", "Insufficient Balance", "Bad PIN", "Technical Glitch"]
            )
        channel = _ONLINE if online else random.choice((_CHIP, _CHIP, _SWIPE))
        return _Use(card, client, amount, channel, place, errors)

    def _quiet(self, last: dict[int, datetime], card: int) -> bool:
        """Whether a card had no such use for a while; if so, it has one now."""
        if card in last and self._now - last[card] < _QUIET:
            return False
        last[card] = self._now
        return True

    def _favourites(self, client: int) -> list[Place]:
        places = self._places.get(client)
        if places is None:
            home = self._world.homes.get(client) or self._some_city()
            shops = self._random.choices(self._world.shops, k=_FAVOURITES)
            places = [Place(merchant, *home, mcc) for merchant, mcc in shops]
            self._places[client] = places
        return places

    def _some_city(self) -> tuple[str, str, str]:
        place = cities()
        index = self._random.randrange(place.domestic)
        return place.city[index], place.state[index], f"{place.zip[index]:05d}"

    def _online_place(self) -> Place:
        merchant, mcc = self._random.choice(self._world.online_shops)
        return Place(merchant, "ONLINE", None, None, mcc)

    # ── Fraud schemes ────────────────────────────────────────────────────────────────────────

    def _start_scheme(self) -> None:
        card, client = self._random.choice(self._world.cards)
        schemes: Sequence[Callable[[int, int], list[_Use]]] = (
            self._large_amount,
            self._card_testing,
            self._impossible_travel,
            self._first_abroad,
            self._declined_burst,
        )
        self.schemes += 1
        moment = self._now
        for use in self._random.choice(schemes)(card, client):
            heapq.heappush(self._due_uses, (moment, next(self._order), use))
            moment += timedelta(seconds=self._random.uniform(0.05, 1.5))

    def _large_amount(self, card: int, client: int) -> list[_Use]:
        amount = _money(self._random.uniform(3_000.01, 6_800))
        return [_Use(card, client, amount, _ONLINE, self._online_place(), fraud=True)]

    def _card_testing(self, card: int, client: int) -> list[_Use]:
        place = self._online_place()
        amounts = [self._random.uniform(0.5, 4.5) for _ in range(self._random.randint(5, 9))]
        amounts.append(self._random.uniform(300, 2_500))
        return [_Use(card, client, _money(a), _ONLINE, place, fraud=True) for a in amounts]

    def _impossible_travel(self, card: int, client: int) -> list[_Use]:
        place = cities()
        home = self._favourites(client)[0]
        near = next((i for i, c in enumerate(place.city) if c == home.merchant_city), 0)
        far = [i for i in range(place.domestic) if place.kilometres(near, i) > _FAR_KM]
        index = self._random.choice(far)
        merchant, mcc = self._random.choice(self._world.shops)
        there = Place(
            merchant, place.city[index], place.state[index], f"{place.zip[index]:05d}", mcc
        )
        dear = _money(self._random.uniform(100, 1_500))
        return [
            _Use(card, client, _money(self._random.uniform(8, 60)), _CHIP, home),
            _Use(card, client, dear, _SWIPE, there, fraud=True),
        ]

    def _first_abroad(self, card: int, client: int) -> list[_Use]:
        place = cities()
        index = self._random.randrange(place.domestic, len(place.city))
        merchant, mcc = self._random.choice(self._world.shops)
        there = Place(merchant, place.city[index], place.state[index], None, mcc)
        amount = _money(self._random.uniform(50, 900))
        return [_Use(card, client, amount, _SWIPE, there, fraud=True)]

    def _declined_burst(self, card: int, client: int) -> list[_Use]:
        place = self._online_place()
        errors = ["Bad CVV", "Bad Expiration", "Bad Card Number", "Bad CVV"]
        amount = _money(self._random.uniform(40, 700))
        uses = [_Use(card, client, amount, _ONLINE, place, error, True) for error in errors]
        return [*uses, _Use(card, client, amount, _ONLINE, place, fraud=True)]

    # ── Updates and deletes ──────────────────────────────────────────────────────────────────

    def _pick(self) -> int | None:
        """Position of a transaction to change, mostly a new one."""
        if not self._known:
            return None
        first = 0 if self._random.random() < _OLD else max(0, len(self._known) - _RECENT)
        return self._random.randrange(first, len(self._known))

    def _update_one(self, batch: Batch) -> None:
        random = self._random
        if random.random() < _PEOPLE:
            self._change_people(batch)
            return
        position = self._pick()
        if position is None:
            self._insert_one(batch)
            return
        known = self._known[position]
        kind = random.random()
        if len(known.ids) > 1 or kind < 0.6:
            amount = _money(float(known.amount) * random.uniform(0.8, 1.2)) or Money("0.01")
            self._known[position] = Known(known.ids, amount)
            for identity, sign in zip(known.ids, (1, -1), strict=False):
                batch.amounts[identity] = sign * amount
        elif kind < 0.8:
            batch.errors[known.ids[0]] = random.choice([None, None, "Technical Glitch"])
        else:
            _, client = random.choice(self._world.cards)
            batch.places[known.ids[0]] = random.choice(self._favourites(client))

    def _change_people(self, batch: Batch) -> None:
        random = self._random
        card, client = random.choice(self._world.cards)
        choices: list[tuple[tuple[str, str], int | str | Money]] = [
            (("users", "credit_score"), random.randint(480, 850)),
            (("users", "total_debt"), Money(random.randint(0, 200_000))),
            (("users", "yearly_income"), Money(random.randint(15_000, 150_000))),
            (("cards", "credit_limit"), Money(random.randint(10, 400) * 100)),
            (("cards", "year_pin_last_changed"), self._now.year),
            (("cards", "card_on_dark_web"), random.choice(["Yes", "No", "No"])),
        ]
        column, value = random.choice(choices)
        key = client if column[0] == "users" else card
        batch.people.setdefault(column, {})[key] = value

    def _delete_one(self, batch: Batch) -> None:
        position = self._pick()
        if position is None:
            self._insert_one(batch)
            return
        known = self._known.pop(position)
        batch.deleted.extend(known.ids)
        self._unlabelled.difference_update(known.ids)


def _money(dollars: float) -> Money:
    return Decimal(round(dollars * 100)).scaleb(-2)
