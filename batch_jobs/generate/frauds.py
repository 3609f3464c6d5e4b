"""Fraud schemes: each leaves a pattern that a rule or a model can find.

* stolen card: a run of dear purchases in shops, after which the card is silent
* card testing: a burst of tiny amounts online, then large ones
* account take-over: failed verifications, then transfers and digital goods online
* merchant compromise: cards that used the same shop are copied and swiped weeks later
* geographic impossibility: a card is used far away within the hour of a genuine use
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from batch_jobs.generate.habits import HIGHEST_CENTS, MINUTES, Habits
from batch_jobs.generate.reference import categories, cities
from batch_jobs.generate.rows import ERRORS, NOWHERE, ONLINE, SWIPE, Rows

__all__ = ["SCHEMES", "SHARE", "make_frauds"]

SHARE = 0.002
"""Share of all transactions that are frauds."""

_DEAR = (5732, 5311, 5944, 5094, 5712, 5200, 5045, 3771)
_TINY = (5815, 5816, 5817, 5968, 4816)
_DIGITAL = (4829, 5816, 5734, 5732, 5045, 4722)
_FAR_KM = 1500

Record = dict[str, Any]


@dataclass
class _Thief:
    habits: Habits
    random: np.random.Generator

    def moment(self) -> int:
        """A minute of the period, with room for what follows."""
        return int(self.random.integers(self.habits.plan.days * MINUTES))

    def victim(self) -> tuple[int, int]:
        """A user, as likely as they are active, and one of their cards in use."""
        point = self.random.random()
        user = int(np.searchsorted(self.habits.week_cdf[0], point, side="right"))
        user = min(user, self.habits.plan.users - 1)
        return user, int(self.random.choice(self.habits.cards[user]))

    def amount(self, low: float, high: float) -> int:
        """Cents between two amounts in dollars; most lie near the lower."""
        part = self.random.random() ** 2
        return min(HIGHEST_CENTS, int(100 * low * (high / low) ** part))

    def online(
        self, minute: int, user: int, card: int, cents: int, kinds: tuple[int, ...]
    ) -> Record:
        """A fraud at an online shop."""
        category = self.random.choice(categories().index(*kinds), 1)
        return {
            "minute": minute,
            "user": user,
            "card": card,
            "merchant": self.habits.merchants.draw_online(self.random, category)[0],
            "city": NOWHERE,
            "category": category[0],
            "cents": cents,
            "channel": ONLINE,
            "error": 0,
            "fraud": True,
        }

    def till(
        self, minute: int, user: int, card: int, cents: int, city: int, kinds: tuple[int, ...]
    ) -> Record:
        """A fraud in a shop; a copied stripe is swiped."""
        category = self.random.choice(categories().index(*kinds), 1)
        merchant = self.habits.merchants.draw_physical(self.random, category, np.array([city]))
        return {
            "minute": minute,
            "user": user,
            "card": card,
            "merchant": merchant[0],
            "city": city,
            "category": category[0],
            "cents": cents,
            "channel": SWIPE,
            "error": 0,
            "fraud": True,
        }


def _stolen_card(thief: _Thief) -> list[Record]:
    user, card = thief.victim()
    home, minute = int(thief.habits.people.home[user]), thief.moment()
    records = []
    for _ in range(thief.random.integers(4, 10)):
        minute += int(thief.random.integers(4, 140))
        records.append(thief.till(minute, user, card, thief.amount(60, 1800), home, _DEAR))
    return records


def _card_testing(thief: _Thief) -> list[Record]:
    user, card = thief.victim()
    minute = thief.moment()
    records = []
    for _ in range(thief.random.integers(5, 13)):
        minute += int(thief.random.integers(0, 2))
        records.append(thief.online(minute, user, card, thief.amount(0.5, 4.5), _TINY))
        if thief.random.random() < 0.2:
            records[-1]["error"] = ERRORS.index("Bad CVV")
    for _ in range(thief.random.integers(1, 4)):
        minute += int(thief.random.integers(5, 90))
        records.append(thief.online(minute, user, card, thief.amount(250, 3600), _DIGITAL))
    return records


def _account_takeover(thief: _Thief) -> list[Record]:
    user, card = thief.victim()
    minute = thief.moment()
    records = []
    for error in ("Bad CVV", "Bad Zipcode", "Bad Expiration")[: thief.random.integers(1, 4)]:
        minute += int(thief.random.integers(0, 3))
        records.append(thief.online(minute, user, card, thief.amount(80, 400), _DIGITAL))
        records[-1]["error"] = ERRORS.index(error)
    for _ in range(thief.random.integers(3, 9)):
        minute += int(thief.random.integers(3, 600))
        records.append(thief.online(minute, user, card, thief.amount(90, 2500), _DIGITAL))
    return records


def _merchant_compromise(thief: _Thief) -> list[Record]:
    habits = thief.habits
    user, _ = thief.victim()
    shop = thief.random.choice(habits.favourite[user])
    customers = np.flatnonzero((habits.favourite == shop).any(axis=1))
    customers = customers[np.diff(habits.week_cdf[0], prepend=0)[customers] > 0]
    stolen = thief.random.permutation(customers)[: thief.random.integers(4, 13)]
    begin = thief.moment()
    records = []
    for customer in stolen.tolist():
        card = int(habits.cards[customer, 0])
        minute = begin + int(thief.random.integers(2 * MINUTES, 21 * MINUTES))
        city = int(habits.people.home[stolen[0]])
        for _ in range(thief.random.integers(1, 4)):
            minute += int(thief.random.integers(2, 60))
            cents = thief.amount(70, 1200)
            records.append(thief.till(minute, customer, card, cents, city, _DEAR))
    return records


def _impossible_travel(thief: _Thief) -> list[Record]:
    user, card = thief.victim()
    place, home = cities(), int(thief.habits.people.home[user])
    far = [c for c in range(len(place.city)) if place.kilometres(home, c) > _FAR_KM]
    minute = thief.moment()
    genuine = thief.till(minute, user, card, thief.amount(5, 60), home, (5411, 5812, 5541))
    genuine["fraud"] = False
    records = [genuine]
    city = int(thief.random.choice(far))
    for _ in range(thief.random.integers(1, 4)):
        minute += int(thief.random.integers(10, 50))
        records.append(thief.till(minute, user, card, thief.amount(100, 2500), city, _DEAR))
    return records


SCHEMES: tuple[tuple[Callable[[_Thief], list[Record]], float], ...] = (
    (_stolen_card, 0.25),
    (_card_testing, 0.25),
    (_account_takeover, 0.2),
    (_merchant_compromise, 0.1),
    (_impossible_travel, 0.2),
)


def make_frauds(habits: Habits) -> Rows:
    """All frauds of a set, and the genuine uses that belong to them, by time."""
    wanted = round(SHARE * habits.plan.transactions)
    thief = _Thief(habits, habits.plan.random("frauds"))
    last = habits.plan.days * MINUTES - 1
    weights = [weight for _, weight in SCHEMES]
    records: list[Record] = []
    frauds = turn = 0
    while frauds < wanted:
        # Every scheme has its turn first, so that small sets have them all.
        number = turn if turn < len(SCHEMES) else thief.random.choice(len(SCHEMES), p=weights)
        turn += 1
        for record in SCHEMES[number][0](thief)[: wanted - frauds + 1]:
            if record["minute"] <= last and frauds < wanted:
                records.append(record)
                frauds += record["fraud"]
    rows = Rows.from_records(records)
    return rows.take(np.argsort(rows.minute, kind="stable"))
