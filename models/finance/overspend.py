"""Whether a month's budget will hold, judged from how earlier months went on from the same day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import erf, sqrt
from statistics import median
from typing import Final, Literal

import numpy as np

from models.finance.ledger import Transaction, add_months, days_in_month, month_of
from models.finance.money import amount, checked

__all__ = ["Outlook", "overspend_outlook"]

Level = Literal["fine", "watch", "likely", "over"]

_MONTHS: Final = 24
_FEWEST: Final = 3
_WATCH, _LIKELY = 0.3, 0.6


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a budget will end the month, cents.

    ``probability`` is that of spending more than ``budget`` by the month's end; None when fewer
    than three earlier months are known (``expected`` is then this month's pace). ``low`` and
    ``high`` hold the middle 80 % of what may be spent in all.
    """

    budget: int
    spent: int
    expected: int
    low: int | None
    high: int | None
    probability: float | None
    level: Level
    reason: str


def overspend_outlook(
    transactions: Iterable[Transaction], budget: int, today: date, known_since: date
) -> Outlook:
    """The probability that this month's spending ends above the budget.

    **Formula.** Of each whole month before (24 at most) take what was spent after the same share of
    the month: ``R_i``, from the day ``ceil(day / days * its days) + 1`` on, so that a rent on the
    28th is still to come on the 27th. With ``left = budget - spent`` the probability is
    ``(sum_i Phi((R_i - left) / h) + 1) / (n + 2)``: a kernel estimate with Silverman's bandwidth
    ``h = 0.9 * min(s, IQR / 1.34) * n^(-1/5)`` (a step where months do not differ), drawn towards
    one half by Laplace's rule of succession, so that few months never claim certainty. Spending
    above the budget is 1; so is the last day 0 when it is not.

    **Source.** Silverman, "Density Estimation" (1986), eq. 3.31; Laplace (1774).

    **Limits.** Months are taken as alike: no trend, no December. A refund may still bring a budget
    back that is over. How well calibrated it is on generated customers: ``docs/finance.md``.

    Args:
        transactions: those the budget is about (a group's, or all), in any order.
        budget: for the month, cents, not negative.
        today: the last day that is known; what is later is left out.
        known_since: the first day of which everything is known.

    Raises:
        UsageProblem: the budget is negative.
    """
    checked("the budget", budget, least=0)
    this = month_of(today)
    first = known_since if known_since.day == 1 else add_months(month_of(known_since), 1)
    first = max(first, add_months(this, -_MONTHS))
    gone, days = today.day, days_in_month(today)
    rests: dict[date, int] = {}
    month = first
    while month < this:
        rests[month] = 0
        month = add_months(month, 1)
    spent = 0
    for row in transactions:
        month = month_of(row.day)
        if month == this and row.day <= today:
            spent += row.cents
        elif month in rests and row.day.day > -(-gone * days_in_month(month) // days):
            rests[month] += row.cents
    return _judged(budget, spent, [rests[month] for month in sorted(rests)], gone, days)


def _judged(budget: int, spent: int, rests: Sequence[int], gone: int, days: int) -> Outlook:
    count = len(rests)
    if count < _FEWEST:
        expected = max(spent, spent * days // gone)
        level: Level = "over" if spent > budget else "watch" if expected > budget else "fine"
        reason = f"{count} whole months are known, {_FEWEST} are needed; this is the month's pace"
        certain = 1.0 if spent > budget else 0.0 if gone == days else None
        return Outlook(budget, spent, expected, None, None, certain, level, reason)
    if gone == days:
        expected = low = high = spent
        probability = float(spent > budget)
    else:
        expected = spent + round(median(rests))
        low, high = (spent + round(float(q)) for q in np.quantile(rests, [0.1, 0.9]))
        probability = 1.0 if spent > budget else _above(rests, budget - spent)
    if spent > budget:
        return Outlook(
            budget, spent, expected, low, high, 1.0, "over",
            f"{amount(spent - budget)} above the budget already",
        )  # fmt: skip
    level = "likely" if probability >= _LIKELY else "watch" if probability >= _WATCH else "fine"
    over = sum(rest > budget - spent for rest in rests)
    reason = (
        f"{amount(budget - spent)} are left; from this day on {over} of the last {count} months"
        " needed more"
    )
    return Outlook(budget, spent, expected, low, high, probability, level, reason)


def _above(rests: Sequence[int], left: int) -> float:
    values = np.array(rests, dtype=float)
    low, high = np.quantile(values, [0.25, 0.75])
    spread = [s for s in (values.std(ddof=1), (high - low) / 1.34) if s > 0]
    width = 0.9 * min(spread) * len(rests) ** -0.2 if spread else 0.0
    if width:
        shares = [0.5 * (1 + erf((rest - left) / width / sqrt(2))) for rest in rests]
    else:
        shares = [float(rest > left) for rest in rests]
    return (sum(shares) + 1) / (len(rests) + 2)
