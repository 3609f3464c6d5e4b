"""Which days and which of their transactions models of spending learn from and are judged by.

Neither category nor amount needs labels, so no delay lies between the days to learn from and those
to judge by. The days before the test are learnt from twice: first without the last of them, on
which weights and intervals are set, then as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np

from finlake.errors import FinlakeError
from models.features import Events
from models.features.events import Array
from models.features.view import DAY
from models.training.split import day_number, test_length

__all__ = ["Plan", "draw"]


@dataclass(frozen=True)
class Plan:
    """``first`` to ``last``, both included; the last ``test_days`` of them are the test's.

    Raises:
        FinlakeError: the days are too few.
    """

    first: date
    last: date
    test_days: int

    def __post_init__(self) -> None:
        if self.days < 4 * self.test_days:
            raise FinlakeError(
                f"transactions from {self.first} to {self.last}: {self.days} days, and a test of"
                f" {self.test_days} days needs {4 * self.test_days}; load more history or choose"
                " fewer --test-days"
            )

    @classmethod
    def of(
        cls, events: Events, since: date | None, until: date | None, test_days: int | None
    ) -> Self:
        """The plan for these events; a tenth of the days is the test, 7 to 60, when not said."""
        day = np.floor_divide(events["ts"], DAY)
        low = max(int(day.min()), day_number(since) if since else int(day.min()))
        high = min(int(day.max()), day_number(until) if until else int(day.max()))
        days = high - low + 1
        first, last = (date(1970, 1, 1) + timedelta(number) for number in (low, high))
        return cls(first, last, test_days or test_length(days))

    @property
    def days(self) -> int:
        """From the first to the last, both included."""
        return (self.last - self.first).days + 1

    @property
    def trained(self) -> tuple[date, date]:
        """First and last day that the model learns from."""
        return self.first, self.tested[0] - timedelta(1)

    @property
    def validated(self) -> tuple[date, date]:
        """The last days of those, on which weights and intervals are set."""
        return self.tested[0] - timedelta(self.test_days), self.tested[0] - timedelta(1)

    @property
    def learnt(self) -> tuple[date, date]:
        """The days before those."""
        return self.first, self.validated[0] - timedelta(1)

    @property
    def tested(self) -> tuple[date, date]:
        """First and last day of the test."""
        return self.last - timedelta(self.test_days - 1), self.last


def draw(
    events: Events, days: tuple[date, date], most: int, seed: int, among: Array | None = None
) -> Array:
    """Positions of the events of these days, of ``most`` of them where there are more; rising.

    With ``among`` (a mask) only of those. The same events, days and seed give the same rows.
    """
    day = np.floor_divide(events["ts"], DAY)
    there = (day >= day_number(days[0])) & (day <= day_number(days[1]))
    rows = np.flatnonzero(there if among is None else there & among)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
