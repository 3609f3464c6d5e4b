"""What people do on an ordinary day: when, where, with which card, at whose till, for how much.

Habits are tables by user, drawn once; a day's transactions are then look-ups on whole arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from batch_jobs.generate.merchants import Merchants
from batch_jobs.generate.people import People
from batch_jobs.generate.plan import Plan
from batch_jobs.generate.reference import categories, cities
from batch_jobs.generate.rows import CHIP, NOWHERE, ONLINE, SWIPE, Rows

__all__ = ["HIGHEST_CENTS", "MINUTES", "Habits"]

Array = NDArray[Any]

MINUTES = 24 * 60
HIGHEST_CENTS = 682_020
_LOWEST_CENTS = -50_000

ONLINE_SHARE = 0.117
_CHIP_SHARE = 0.359
_REFUND_SHARE = 0.0495  # of ordinary transactions: 5 % of all
_ABROAD_SHARE = 0.007
_ACTIVE_SHARE = 0.61
_FAVOURITES = 16
_ONLINE_FAVOURITES = 6
_SLOTS = 64
_MANY_SLOTS = 2**15  # the rarest category has two

_PHYSICAL_ERROR, _ONLINE_ERROR = 0.0145, 0.026
_PHYSICAL_ERRORS = [0, 0.69, 0.17, 0.137, 0, 0, 0, 0, 0.0015, 0.0015, 0, 0]
_ONLINE_ERRORS = [0, 0.41, 0, 0.1, 0.18, 0.14, 0.14, 0.026, 0, 0, 0.002, 0.002]

_HOURS = {  # weight of each hour: workers, early risers, night people, people at home by day
    "work": "1 1 1 1 1 3 9 12 10 6 7 11 18 12 7 8 12 20 20 16 12 8 5 2",
    "work off": "2 1 1 1 1 1 3 6 10 15 19 20 20 19 18 17 16 16 16 14 11 8 6 3",
    "early": "0 0 0 1 3 9 14 17 19 19 18 16 15 13 12 11 10 8 6 4 2 1 1 0",
    "early off": "0 0 0 1 2 5 9 13 17 19 19 17 15 13 12 10 9 7 5 3 2 1 0 0",
    "night": "11 8 5 3 2 1 2 3 4 5 6 8 10 11 11 11 12 14 16 17 18 18 17 14",
    "night off": "16 13 9 5 2 1 1 1 2 4 6 9 12 13 14 14 14 15 16 18 19 19 20 18",
    "home": "1 0 0 0 0 1 3 7 13 18 19 18 15 15 16 16 14 12 10 8 6 4 2 1",
    "home off": "1 1 0 0 0 1 2 5 10 15 18 18 17 17 16 15 14 13 11 9 7 5 3 2",
}


def _slots(weights: Array, size: int) -> Array:
    """Look-up table: a uniform slot gives each index about as often as its weight."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(edges, (np.arange(size) + 0.5) / size), len(weights) - 1)


@dataclass(frozen=True)
class Habits:
    """Habit tables; arrays are indexed by user first, or as their names say."""

    plan: Plan
    people: People
    merchants: Merchants
    week_cdf: Array  # two rows: working days, weekends
    profile: Array
    hours: Array  # by profile and kind of day: hour by slot
    cards: Array  # by user and slot
    favourite: Array  # merchant by user and rank
    favourite_category: Array
    favourite_slots: Array  # rank by slot
    online_favourite: Array
    online_favourite_category: Array
    online: Array  # liking for shops online; 1 on average
    risk: Array  # factor on declines; 1 on average
    trip_key: Array  # user * days + first day, ascending
    trip_end: Array
    trip_city: Array
    physical_slots: Array  # category by slot
    online_slots: Array
    refund: Array  # how often by category; 1 on average
    chip_middle: float  # where in the period half the chip cards are used by chip
    day_weight: Array

    @classmethod
    def make(cls, plan: Plan, people: People, merchants: Merchants) -> Self:
        """The habits of a set."""
        random = plan.random("habits")
        count = plan.users
        active = random.random(count) < _ACTIVE_SHARE
        active[random.integers(count)] = True
        activity = active * np.exp(random.normal(0, 0.5, count))
        weekend = activity * np.exp(random.normal(0, 0.25, count))
        cdf = np.array([np.cumsum(w) / np.sum(w) for w in (activity, weekend)])
        profile = np.where(
            people.age >= 66,
            random.choice([1, 3], count),
            random.choice([0, 1, 2, 3], count, p=[0.62, 0.08, 0.14, 0.16]),
        )
        share = activity / activity.sum()
        risk = np.exp((711 - people.score) / 120) * random.gamma(2, 0.5, count)
        propensity = random.gamma(2, 0.5, count) * np.where(people.age < 45, 1.3, 0.7)
        cards = _card_slots(people)
        day_weight = _day_weights(plan)
        chip_cards = float(np.sum(share * people.has_chip[cards].mean(axis=1)))
        by_chip = _CHIP_SHARE / (1 - ONLINE_SHARE) / chip_cards if chip_cards else 1.0
        trips = _trips(plan, random, int(np.count_nonzero(active)), np.flatnonzero(active))
        kind = categories()
        favourite_category, favourite = _favourites(random, people, merchants)
        online_category = random.choice(
            len(kind.mcc), (count, _ONLINE_FAVOURITES), p=kind.online / kind.online.sum()
        )
        mix = (
            kind.physical / kind.physical.sum() * (1 - ONLINE_SHARE)
            + kind.online / kind.online.sum() * ONLINE_SHARE
        )
        return cls(
            plan=plan,
            people=people,
            merchants=merchants,
            week_cdf=cdf,
            profile=profile,
            hours=np.array(
                [_slots(np.array(w.split(), float), 1024) for w in _HOURS.values()], np.int64
            ),
            cards=cards,
            favourite=favourite,
            favourite_category=favourite_category,
            favourite_slots=_slots(1 / np.arange(1, _FAVOURITES + 1) ** 0.8, _SLOTS),
            online_favourite=merchants.draw_online(random, online_category.ravel()).reshape(
                online_category.shape
            ),
            online_favourite_category=online_category,
            online=propensity / np.sum(share * propensity),
            risk=risk / np.sum(share * risk),
            trip_key=trips[0],
            trip_end=trips[1],
            trip_city=trips[2],
            physical_slots=_slots(kind.physical, _MANY_SLOTS),
            online_slots=_slots(kind.online, _MANY_SLOTS),
            refund=kind.refund / np.sum(mix * kind.refund),
            chip_middle=_middle(day_weight, by_chip),
            day_weight=day_weight,
        )

    def ordinary(
        self, random: np.random.Generator, counts: Array, first_day: int, online: float
    ) -> Rows:
        """Ordinary transactions of consecutive days, so many on each; not in order.

        ``online`` is the share of them that is online.
        """
        n = int(counts.sum())
        day = np.repeat(np.arange(first_day, first_day + len(counts)), counts)
        off = self.is_weekend(day)
        user = np.empty(n, np.int64)
        for kind in (False, True):
            which = off == kind
            user[which] = np.searchsorted(
                self.week_cdf[int(kind)], random.random(np.count_nonzero(which)), side="right"
            )
        user = np.minimum(user, self.plan.users - 1)
        hour = self.hours[self.profile[user] * 2 + off, random.integers(1024, size=n)]
        minute = day * MINUTES + hour * 60 + random.integers(60, size=n)
        card = self.cards[user, random.integers(_SLOTS, size=n)]

        category = np.empty(n, np.int64)
        merchant = np.empty(n, np.int64)
        city = np.full(n, NOWHERE)
        at_web = random.random(n) < np.minimum(0.9, online * self.online[user])
        web, till = np.flatnonzero(at_web), np.flatnonzero(~at_web)
        category[web], merchant[web] = self._online(random, user[web])
        category[till], merchant[till], city[till] = self._physical(random, user[till], day[till])

        return Rows(
            minute=minute,
            user=user,
            card=card,
            merchant=merchant,
            city=city,
            category=category,
            cents=self.cents(random, category, merchant, user),
            channel=np.where(at_web, ONLINE, self.till_channel(random, card, day)),
            error=self.errors(random, user, at_web),
            fraud=np.zeros(n, bool),
        )

    def is_weekend(self, day: Array) -> Array:
        """Whether days of the period are Saturdays or Sundays."""
        return (day + self.plan.start.weekday()) % 7 >= 5

    def cents(
        self, random: np.random.Generator, category: Array, merchant: Array, user: Array
    ) -> Array:
        """Amounts; some are refunds."""
        kind = categories()
        logarithm = np.log(kind.median)[category]
        logarithm += kind.sigma[category] * random.standard_normal(len(category))
        wealth = np.clip((self.people.income / 41_000) ** 0.25, 0.6, 1.8)
        dollars = np.exp(logarithm) * self.merchants.price[merchant] * wealth[user]
        cents = np.clip(dollars * 100, 1, HIGHEST_CENTS).astype(np.int64)
        transfer = category == kind.index(4829)[0]
        cents[transfer] = np.clip(cents[transfer] // 2000 * 2000, 2000, 100_000)
        refund = random.random(len(category)) < _REFUND_SHARE * self.refund[category]
        cents[refund] = np.maximum(-(cents[refund] * 3 // 2 // 100 + 1) * 100, _LOWEST_CENTS)
        return cents

    def till_channel(self, random: np.random.Generator, card: Array, day: Array) -> Array:
        """Swipe or chip: tills learn to read chips over the period."""
        adopted = _adoption(day / self.plan.days, self.chip_middle)
        return np.where(
            self.people.has_chip[card] & (random.random(len(card)) < adopted), CHIP, SWIPE
        )

    def errors(self, random: np.random.Generator, user: Array, online: Array) -> Array:
        """Why a transaction was declined; 0 for most."""
        rate = np.where(online, _ONLINE_ERROR, _PHYSICAL_ERROR) * self.risk[user]
        error = np.zeros(len(user), np.int64)
        failed = np.flatnonzero(random.random(len(user)) < rate)
        for kind, weights in ((False, _PHYSICAL_ERRORS), (True, _ONLINE_ERRORS)):
            which = failed[online[failed] == kind]
            error[which] = random.choice(
                len(weights), len(which), p=np.array(weights) / np.sum(weights)
            )
        return error

    def _online(self, random: np.random.Generator, user: Array) -> tuple[Array, Array]:
        n = len(user)
        rank = random.integers(_ONLINE_FAVOURITES, size=n)
        category = self.online_favourite_category[user, rank]
        merchant = self.online_favourite[user, rank]
        new = np.flatnonzero(random.random(n) < 0.4)
        category[new] = self.online_slots[random.integers(_MANY_SLOTS, size=len(new))]
        merchant[new] = self.merchants.draw_online(random, category[new])
        return category, merchant

    def _physical(
        self, random: np.random.Generator, user: Array, day: Array
    ) -> tuple[Array, Array, Array]:
        n = len(user)
        rank = self.favourite_slots[random.integers(_SLOTS, size=n)]
        category = self.favourite_category[user, rank]
        merchant = self.favourite[user, rank]
        city = self.people.home[user]
        key = user * self.plan.days + day
        trip = np.searchsorted(self.trip_key, key, side="right") - 1
        away = (trip >= 0) & (self.trip_end[trip] > key)
        city = np.where(away, self.trip_city[trip], city)
        new = np.flatnonzero(away | (random.random(n) < 0.3))
        category[new] = self.physical_slots[random.integers(_MANY_SLOTS, size=len(new))]
        merchant[new] = self.merchants.draw_physical(random, category[new], city[new])
        return category, merchant, city


def _card_slots(people: People) -> Array:
    """Card by user and slot: mostly the first usable one."""
    slots = np.empty((len(people.home), _SLOTS), np.int64)
    for user, (first, count) in enumerate(zip(people.first_card, people.card_count, strict=True)):
        usable = first + np.flatnonzero(people.usable[first : first + count])
        slots[user] = usable[_slots(0.45 ** np.arange(len(usable)), _SLOTS)]
    return slots


def _favourites(
    random: np.random.Generator, people: People, merchants: Merchants
) -> tuple[Array, Array]:
    """Categories and merchants near home that a user comes back to."""
    kind = categories()
    shape = (len(people.home), _FAVOURITES)
    category = random.choice(len(kind.mcc), shape, p=kind.physical / kind.physical.sum())
    home = np.repeat(people.home, _FAVOURITES)
    merchant = merchants.draw_physical(random, category.ravel(), home).reshape(shape)
    return category, merchant


def _trips(
    plan: Plan, random: np.random.Generator, travellers: int, users: Array
) -> tuple[Array, Array, Array]:
    """Journeys as keys (user * days + day) of their first day and behind their last; city."""
    place = cities()
    length = 6
    rate_abroad = _ABROAD_SHARE / (1 - ONLINE_SHARE) / length
    keys, ends, goals = [], [], []
    for rate, first, last in (
        (2.2 / 365, 0, place.domestic),
        (rate_abroad, place.domestic, len(place.city)),
    ):
        count = random.poisson(rate * plan.days * travellers)
        user = random.choice(users, count)
        day = random.integers(plan.days, size=count)
        until = np.minimum(day + random.integers(3, 2 * length - 2, count), plan.days)
        weight = place.weight[first:last]
        keys.append(user * plan.days + day)
        ends.append(user * plan.days + until)
        goals.append(first + random.choice(len(weight), count, p=weight / weight.sum()))
    key, end, goal = map(np.concatenate, (keys, ends, goals))
    if not len(key):
        return np.array([-1]), np.array([-1]), np.array([0])
    order = np.argsort(key, kind="stable")
    return key[order], end[order], goal[order]


def _day_weights(plan: Plan) -> Array:
    """How busy each day is: week, season, growth and chance."""
    week = np.array([0.97, 0.98, 1.0, 1.03, 1.08, 1.03, 0.91])
    month = np.array([0.95, 0.96, 0.99, 0.99, 1.0, 1.0, 1.01, 1.01, 0.99, 1.0, 1.02, 1.08])
    dates = np.datetime64(plan.start) + np.arange(plan.days)
    months = dates.astype("datetime64[M]").astype(int) % 12
    weekday = (np.arange(plan.days) + plan.start.weekday()) % 7
    growth = 1 + 0.012 * np.arange(plan.days) / 365
    noise = np.exp(plan.random("days").normal(0, 0.02, plan.days))
    weights: Array = week[weekday] * month[months] * growth * noise
    return weights


def _adoption(part: Array | float, middle: float) -> Array:
    return 1 / (1 + np.exp(-(np.asarray(part) - middle) / 0.05))


def _middle(day_weight: Array, share: float) -> float:
    """The middle of the adoption curve that gives this share over all days."""
    part = np.arange(len(day_weight)) / len(day_weight)
    low, high = -1.0, 2.0
    for _ in range(50):
        middle = (low + high) / 2
        if np.average(_adoption(part, middle), weights=day_weight) > share:
            low = middle
        else:
            high = middle
    return low
