"""How somebody spends: by weekday, early in the month, in small amounts, or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from math import sqrt
from typing import Final

from finlake.errors import UsageProblem
from models.finance.ledger import Transaction
from models.finance.merchants import canonical
from models.finance.money import amount, rounded, tenths
from models.finance.spending import kind_of

__all__ = ["Habits", "Place", "spending_habits"]

_FEWEST_DAYS: Final = 28
_SMALL: Final = 1_000  # cents
_PLACES: Final = 5
_CLEAR: Final = 2.58  # standard errors: one in a hundred is so far apart by chance


@dataclass(frozen=True, slots=True)
class Place:
    """A merchant that is gone to often: visits, and cents spent there."""

    merchant: str
    visits: int
    cents: int


@dataclass(frozen=True, slots=True)
class Habits:
    """Habits over ``days`` days; money in cents, net of refunds.

    ``by_weekday`` is the mean of each weekday, Monday first; ``weekday`` and ``weekend`` those of a
    working day and of a Saturday or Sunday. A no-spend day has no purchase; ``no_spend_run`` is the
    longest run of them. ``early_share`` is the share of spending that falls on the first ten days
    of a month; None without spending. ``small_count`` and ``small_cents`` are wants below 10.00.
    ``notable`` says what stands out.
    """

    days: int
    by_weekday: tuple[int, ...]
    weekday: int
    weekend: int
    no_spend_days: int
    no_spend_run: int
    early_share: Decimal | None
    small_count: int
    small_cents: int
    places: tuple[Place, ...]
    notable: tuple[str, ...]


def spending_habits(transactions: Iterable[Transaction], first: date, last: date) -> Habits:
    """Habits between two days, both included, of which everything is known.

    **Formula.** Means are over all days, those without spending included. A weekend differs when
    Welch's t of daily spending is beyond 2.58. ``early_share`` is told when it is above one half
    (a third is usual), no-spend days when there are fewer than one in ten.

    **Source.** Welch, "The generalization of Student's problem" (1947).

    **Limits.** Needs 28 days. Days are the day of payment, not of booking, as they are given. One
    large bill moves a mean; that is why the test asks for the spread.

    Raises:
        UsageProblem: fewer than 28 days.
    """
    count = (last - first).days + 1
    if count < _FEWEST_DAYS:
        raise UsageProblem(
            f"{first} to {last} are less than {_FEWEST_DAYS} days; give more history"
        )
    rows = [row for row in transactions if first <= row.day <= last]
    daily, bought = [0] * count, [False] * count
    places: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        daily[(row.day - first).days] += row.cents
        if row.cents > 0:
            bought[(row.day - first).days] = True
            if row.merchant or row.text:
                places[canonical(row.merchant or row.text)].append(row.cents)
    by_weekday: list[list[int]] = [[] for _ in range(7)]
    early = 0
    for number, cents in enumerate(daily):
        day = first + timedelta(days=number)
        by_weekday[day.weekday()].append(cents)
        early += cents if day.day <= 10 else 0
    total = sum(daily)
    small = [r.cents for r in rows if 0 < r.cents < _SMALL and kind_of(r.mcc).kind == "want"]
    often = sorted(places.items(), key=lambda item: (-len(item[1]), -sum(item[1]), item[0]))
    working, free = [*chain(*by_weekday[:5])], [*chain(*by_weekday[5:])]
    share = Fraction(early, total) if total > 0 else None
    return Habits(
        days=count,
        by_weekday=tuple(_mean(cents) for cents in by_weekday),
        weekday=_mean(working),
        weekend=_mean(free),
        no_spend_days=bought.count(False),
        no_spend_run=_longest(bought),
        early_share=None if share is None else _quantized(share),
        small_count=len(small),
        small_cents=sum(small),
        places=tuple(Place(name, len(cents), sum(cents)) for name, cents in often[:_PLACES]),
        notable=tuple(_notable(working, free, bought, share)),
    )


def _mean(cents: list[int]) -> int:
    return rounded(Fraction(sum(cents), len(cents)))


def _quantized(share: Fraction) -> Decimal:
    return (Decimal(share.numerator) / Decimal(share.denominator)).quantize(Decimal("0.0001"))


def _longest(bought: list[bool]) -> int:
    best = run = 0
    for one in bought:
        run = 0 if one else run + 1
        best = max(best, run)
    return best


def _notable(
    working: list[int], free: list[int], bought: list[bool], early: Fraction | None
) -> Iterable[str]:
    if abs(_welch(free, working)) > _CLEAR:
        more = "more" if _mean(free) > _mean(working) else "less"
        yield (
            f"{amount(_mean(free))} on a day of the weekend, clearly {more} than the"
            f" {amount(_mean(working))} of a working day"
        )
    if early is not None and early > Fraction(1, 2):
        yield f"{tenths(100 * early)} % of the money goes in the first ten days of the month"
    if bought.count(False) * 10 < len(bought):
        yield f"only {bought.count(False)} of {len(bought)} days without a purchase"


def _welch(one: list[int], other: list[int]) -> float:
    """Welch's t; 0 where neither varies."""
    parts = []
    for cents in (one, other):
        mean = Fraction(sum(cents), len(cents))
        variance = sum(((c - mean) ** 2 for c in cents), Fraction(0)) / (len(cents) - 1)
        parts.append((mean, variance / len(cents)))
    error = parts[0][1] + parts[1][1]
    return float(parts[0][0] - parts[1][0]) / sqrt(error) if error else 0.0
