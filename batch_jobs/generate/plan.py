"""What is to be generated, and the random numbers it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from finlake.errors import UsageProblem

__all__ = ["FIRST_ID", "Plan"]

FIRST_ID = 7_475_327
"""Number of the first transaction, as in the Kaggle set."""

_PER_USER_YEAR = 680  # transactions of a user, idle users included, as in the Kaggle set
_MOST_A_DAY = 2_000_000  # a day is made in one piece


@dataclass(frozen=True)
class Plan:
    """Size, period and seed of a set; the same plan always gives the same bytes.

    Raises:
        UsageProblem: the sizes or dates do not go together.
    """

    transactions: int
    seed: int
    start: date = date(2010, 1, 1)
    end: date = date(2019, 10, 31)
    users: int = 0

    def __post_init__(self) -> None:
        if self.transactions < 1:
            raise UsageProblem("--transactions must be at least 1")
        if self.seed < 0:
            raise UsageProblem("--seed must not be negative")
        if self.end < self.start:
            raise UsageProblem(f"--end {self.end} lies before --start {self.start}")
        if self.transactions > _MOST_A_DAY * self.days:
            raise UsageProblem(
                f"more than {_MOST_A_DAY:,} transactions a day; let --end lie later than {self.end}"
            )
        if not self.users:
            natural = round(self.transactions / (_PER_USER_YEAR * self.days / 365))
            object.__setattr__(self, "users", max(200, natural))

    @cached_property
    def days(self) -> int:
        """Length of the period; both ends count."""
        return (self.end - self.start).days + 1

    @property
    def name(self) -> str:
        """What tells this set from every other."""
        return (
            f"generated {self.transactions} transactions, {self.users} users, "
            f"{self.start} to {self.end}, seed {self.seed}"
        )

    def random(self, purpose: str, part: int = 0) -> np.random.Generator:
        """Independent random numbers for each purpose and part of the set."""
        path = (*purpose.encode(), part)
        return np.random.Generator(
            np.random.PCG64DXSM(np.random.SeedSequence(self.seed, spawn_key=path))
        )
