"""How a customer stands among people of like age and income, without showing any one of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from finlake.errors import UsageProblem
from models.finance.money import checked, rounded

__all__ = ["FEWEST_PEERS", "Benchmark", "Person", "benchmark"]

FEWEST_PEERS: Final = 10
_AGES: Final = (25, 35, 45, 55, 65)
_INCOMES: Final = (3_000_000, 6_000_000, 10_000_000)  # cents a year
_ROUNDED: Final = 5  # group sizes are shown in fives, so that nobody is seen to come or go


@dataclass(frozen=True, slots=True)
class Person:
    """What is compared: years, yearly income in cents, and a score of 0 to 100 (or any figure)."""

    age: int
    yearly_income: int
    score: Decimal

    def __post_init__(self) -> None:
        if not 0 <= self.age <= 150:
            raise UsageProblem(f"an age of {self.age} years is none; correct it")
        checked("the yearly income", self.yearly_income, least=0)
        if not self.score.is_finite():
            raise UsageProblem(f"a score of {self.score} cannot be compared; leave it out")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Where a customer stands. ``group`` says who is compared, and ``people`` how many at least.

    ``percentile`` is the share of peers below, ties by half, 0 to 100; ``low``, ``median`` and
    ``high`` are the group's quartiles. All are None when no group is large enough.
    """

    group: str
    people: int
    percentile: int | None
    low: int | None
    median: int | None
    high: int | None


def benchmark(own: Person, peers: Sequence[Person], fewest: int = FEWEST_PEERS) -> Benchmark:
    """Compare with peers of the same age and income band; with wider groups while one is too small.

    Groups are tried in this order: age and income, age, income, everybody. The first that has
    ``fewest`` peers or more answers; when none has, nothing is shown.

    **Formula.** Percentile by mid-rank, ``100 * (below + equal / 2) / n``; quartiles by linear
    interpolation (Hyndman and Fan 1996, type 7). **Privacy**: k-anonymity (Sweeney, "k-anonymity: a
    model for protecting privacy", 2002) with k of 10 or more other people; figures are rounded to
    whole points and the size down to fives, so that two answers before and after one person joined
    seldom differ.

    **Limits.** Bands are coarse. k-anonymity hides who is in a group, not what all of a group have
    in common: when everybody has one score, it is shown.

    Args:
        own: the customer.
        peers: all others, without the customer, in any order.
        fewest: people that a group needs, 10 or more.

    Raises:
        UsageProblem: ``fewest`` is below 10.
    """
    if fewest < FEWEST_PEERS:
        raise UsageProblem(f"groups of {fewest} people show too much; take {FEWEST_PEERS} or more")
    age, income = bisect_right(_AGES, own.age), bisect_right(_INCOMES, own.yearly_income)
    same_age = [p for p in peers if bisect_right(_AGES, p.age) == age]
    same_income = [p for p in peers if bisect_right(_INCOMES, p.yearly_income) == income]
    both = [p for p in same_age if bisect_right(_INCOMES, p.yearly_income) == income]
    ages, incomes = _band(_AGES, age, ""), _band(_INCOMES, income, "$")
    tried = [
        (f"age {ages}, income {incomes}", both),
        (f"age {ages}", same_age),
        (f"income {incomes}", same_income),
        ("everybody", peers),
    ]
    for name, group in tried:
        if len(group) >= fewest:
            return _compared(own, name, group)
    return Benchmark(f"no group of {fewest} people or more", 0, None, None, None, None)


def _band(edges: Sequence[int], place: int, unit: str) -> str:
    shown = [f"{unit}{edge // 100:,}" if unit else str(edge) for edge in edges]
    if place == 0:
        return f"below {shown[0]}"
    if place == len(shown):
        return f"{shown[-1]} and above"
    return f"{shown[place - 1]} to below {shown[place]}"


def _compared(own: Person, name: str, group: Sequence[Person]) -> Benchmark:
    scores = sorted(Fraction(person.score) for person in group)
    mine = Fraction(own.score)
    below, upto = bisect_left(scores, mine), bisect_right(scores, mine)
    quartiles = [rounded(_quantile(scores, Fraction(q, 4))) for q in (1, 2, 3)]
    percentile = rounded(Fraction(100 * (below + upto), 2 * len(scores)))
    return Benchmark(name, len(scores) // _ROUNDED * _ROUNDED, percentile, *quartiles)


def _quantile(ordered: Sequence[Fraction], level: Fraction) -> Fraction:
    place = level * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
