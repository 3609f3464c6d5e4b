"""What every insight is made from: dated amounts in whole cents, and the months they make.

Nothing here knows where rows come from: they may be posted with a request or read from gold. Rows
may come in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from finlake.errors import UsageProblem
from models.finance.money import checked
from models.forecasting import MONTH

__all__ = [
    "MonthFlow",
    "Receipt",
    "Transaction",
    "add_months",
    "days_in_month",
    "month_of",
    "monthly_flows",
    "ordered_months",
    "steady_income",
    "whole_months",
]


@dataclass(frozen=True, slots=True)
class Transaction:
    """Money spent by card: ``cents`` above zero left the customer, below zero came back (refund).

    ``mcc`` is the merchant category, 0 when unknown; ``merchant`` a number or a name, ``text`` the
    line of the statement. Declined transactions were not spent: leave them out.
    """

    day: date
    cents: int
    mcc: int = 0
    merchant: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        checked(f"the transaction of {self.day}", self.cents)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that came in: wages, pension, interest. ``cents`` is never negative."""

    day: date
    cents: int

    def __post_init__(self) -> None:
        checked(f"the income of {self.day}", self.cents, least=0)


@dataclass(frozen=True, slots=True)
class MonthFlow:
    """A whole month: ``month`` is its first day, ``income`` and net ``spent`` are cents."""

    month: date
    income: int
    spent: int

    def __post_init__(self) -> None:
        if self.month.day != 1:
            raise UsageProblem(f"a month is named by its first day, not by {self.month}")
        checked(f"the income of {self.month:%Y-%m}", self.income, least=0)
        checked(f"the spending of {self.month:%Y-%m}", self.spent)

    @property
    def saved(self) -> int:
        """What was left, cents; below zero when more was spent than came in."""
        return self.income - self.spent


def month_of(day: date) -> date:
    """The first day of the day's month."""
    return day.replace(day=1)


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month when it is shorter.

    Raises:
        UsageProblem: the year would lie outside 1 to 9999.
    """
    step = day.year * 12 + day.month - 1 + months
    if not 12 <= step < 12 * 10_000:
        raise UsageProblem(f"{months} months from {day} lie outside the calendar")
    first = date(step // 12, step % 12 + 1, 1)
    return first.replace(day=min(day.day, days_in_month(first)))


def days_in_month(day: date) -> int:
    """How many days the day's month has."""
    first = month_of(day)
    if first.month == 12:
        return 31
    return (first.replace(month=first.month + 1) - first).days


def whole_months(first: date, last: date) -> tuple[date, ...]:
    """First days of the months that lie wholly within both days, both ends included."""
    if last < first:
        return ()
    steps = range(MONTH.first_whole(first), MONTH.last_whole(last) + 1)
    return tuple(MONTH.first_day(step) for step in steps)


def monthly_flows(
    transactions: Iterable[Transaction], receipts: Iterable[Receipt], first: date, last: date
) -> tuple[MonthFlow, ...]:
    """Income and net spending of each whole month between two days, oldest first.

    A month without rows is a month without income and spending. Months that are not whole are left
    out, for half a month would pass for a thrifty one.

    Args:
        transactions: spending and refunds.
        receipts: income.
        first: the first day of which everything is known.
        last: the last such day.
    """
    months = whole_months(first, last)
    spent, income = dict.fromkeys(months, 0), dict.fromkeys(months, 0)
    for row in transactions:
        if (month := month_of(row.day)) in spent:
            spent[month] += row.cents
    for receipt in receipts:
        if (month := month_of(receipt.day)) in income:
            income[month] += receipt.cents
    return tuple(MonthFlow(month, income[month], spent[month]) for month in months)


def steady_income(yearly_cents: int, first: date, last: date) -> tuple[Receipt, ...]:
    """A yearly income as twelve equal receipts a year, on the first of each whole month.

    For customers of whom only the yearly income is known. Twelfths are rounded so that any twelve
    months in a row add up to the year to the cent.
    """
    checked("the yearly income", yearly_cents, least=0)
    found = []
    for month in whole_months(first, last):
        place = month.month - 1
        cents = yearly_cents * (place + 1) // 12 - yearly_cents * place // 12
        found.append(Receipt(month, cents))
    return tuple(found)


def ordered_months(months: Sequence[MonthFlow]) -> tuple[MonthFlow, ...]:
    """The months oldest first.

    Raises:
        UsageProblem: a month is there twice, or one between two others is missing.
    """
    found = sorted(months, key=lambda flow: flow.month)
    for before, after in pairwise(found):
        if after.month == before.month:
            raise UsageProblem(f"the month {after.month:%Y-%m} is there twice")
        if after.month != add_months(before.month, 1):
            raise UsageProblem(
                f"no month between {before.month:%Y-%m} and {after.month:%Y-%m}; a month without"
                " rows is one with zeros"
            )
    return tuple(found)
