"""Payments that recur by order: the same shop, card, hour and price, on the same day."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from batch_jobs.generate.habits import MINUTES, Habits
from batch_jobs.generate.reference import categories
from batch_jobs.generate.rows import NOWHERE, ONLINE, Rows

__all__ = ["SHARE", "Subscriptions"]

Array = NDArray[Any]

SHARE = 0.065
"""Share of all transactions that subscriptions make."""

_WEEKLY = 0
_PERIODS = np.array([_WEEKLY, 1, 3, 12])  # months
_PERIOD_SHARES = [0.03, 0.82, 0.1, 0.05]
_RISE = 1.04  # price from one year to the next


@dataclass(frozen=True)
class Subscriptions:
    """One subscription an element; ``first`` and ``behind`` are days of the period."""

    user: Array
    card: Array
    merchant: Array
    category: Array
    cents: Array
    period: Array
    phase: Array
    day_of_month: Array
    minute: Array
    first: Array
    behind: Array

    @classmethod
    def make(cls, habits: Habits) -> Self:
        """As many as give their share of all transactions, at most."""
        plan = habits.plan
        random = plan.random("subscriptions")
        kind = categories()
        most = int(SHARE * plan.transactions)
        rate = np.dot(_PERIOD_SHARES, [1 / 7, 1 / 30.4, 1 / 91.3, 1 / 365])
        count = min(most, int(most / max(1.0, rate * plan.days * 0.35)) + 1)
        weight = np.diff(habits.week_cdf[0], prepend=0) > 0
        user = random.choice(np.flatnonzero(weight), count)
        category = random.choice(
            len(kind.mcc), count, p=kind.subscription / kind.subscription.sum()
        )
        merchant = habits.merchants.draw_online(random, category)
        early = random.random(count) < 0.5
        first = np.where(early, 0, random.integers(plan.days, size=count))
        life = random.exponential(1500, count).astype(int) + 90
        dollars = kind.median[category] * np.exp(random.normal(0, 0.35, count))
        made = cls(
            user=user,
            card=habits.cards[user, random.integers(habits.cards.shape[1], size=count)],
            merchant=merchant,
            category=category,
            cents=(dollars.astype(int) + 1) * 100 - 1,
            period=random.choice(_PERIODS, count, p=_PERIOD_SHARES),
            phase=random.integers(84, size=count),
            day_of_month=random.integers(1, 32, count),
            minute=random.integers(2 * 60, 9 * 60, count),
            first=first,
            behind=first + life,
        )
        return made._at_most(most, plan.start, plan.days)

    def _at_most(self, most: int, start: date, days: int) -> Self:
        payments = np.zeros(len(self.user), np.int64)
        for first in range(0, days, 365):
            which, _ = self.due(start, first, min(first + 365, days))
            payments += np.bincount(which, minlength=len(payments))
        keep = np.cumsum(payments) <= most
        return type(self)(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def due(self, start: date, first_day: int, behind_day: int) -> tuple[Array, Array]:
        """Which subscriptions are paid on which of these days."""
        whichs, days = [np.empty(0, np.int64)], [np.empty(0, np.int64)]

        def add(candidates: Array, day: Array) -> None:
            paid = (day >= first_day) & (day < behind_day)
            paid &= (day >= self.first[candidates]) & (day < self.behind[candidates])
            whichs.append(candidates[paid])
            days.append(day[paid])

        weekly = np.flatnonzero(self.period == _WEEKLY)
        for week in range(first_day // 7, (behind_day - 1) // 7 + 1):
            add(weekly, week * 7 + self.phase[weekly] % 7)
        origin = np.datetime64(start)
        month = (origin + first_day).astype("datetime64[M]")
        while month < origin + behind_day:
            begin = int((month.astype("datetime64[D]") - origin).astype(int))
            length = int(((month + 1).astype("datetime64[D]") - origin).astype(int)) - begin
            turn = month.astype(int) - self.phase
            monthly = np.flatnonzero(
                (self.period != _WEEKLY) & (turn % np.maximum(self.period, 1) == 0)
            )
            add(monthly, begin + np.minimum(self.day_of_month[monthly], length) - 1)
            month += 1
        return np.concatenate(whichs), np.concatenate(days)

    def rows(
        self, random: np.random.Generator, habits: Habits, first_day: int, behind_day: int
    ) -> Rows:
        """The payments of these days."""
        which, day = self.due(habits.plan.start, first_day, behind_day)
        years = np.maximum(0, day - self.first[which]) // 365
        everywhere_online = np.ones(len(which), bool)
        return Rows(
            minute=day * MINUTES + self.minute[which],
            user=self.user[which],
            card=self.card[which],
            merchant=self.merchant[which],
            city=np.full(len(which), NOWHERE),
            category=self.category[which],
            cents=(self.cents[which] * _RISE**years).astype(np.int64),
            channel=np.full(len(which), ONLINE),
            error=habits.errors(random, self.user[which], everywhere_online),
            fraud=np.zeros(len(which), bool),
        )
