"""What will be left each month, and how the account will stand each day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finlake.errors import UsageProblem
from models.finance.feasibility import resampled
from models.finance.ledger import MonthFlow, Receipt, Transaction, ordered_months
from models.finance.money import checked
from models.finance.subscriptions import Subscription, find_subscriptions, occurrences
from models.forecasting import ALL, MONTH, Panel
from models.forecasting import forecast as forecast_series
from models.forecasting.choice import Each, Method

__all__ = [
    "CashDay",
    "CashFlow",
    "MonthForecast",
    "MonthSpending",
    "SavingsForecast",
    "SpendingForecast",
    "forecast_cash_flow",
    "forecast_savings",
    "forecast_spending",
]

_PATHS: Final = 2000
_FEWEST_MONTHS: Final = 3
_MOST_AHEAD: Final = 24

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """What a month to come is forecast to leave, cents, and its 95 % interval."""

    month: date
    saved: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class SavingsForecast:
    """Months to come, and their sum with its 90 % interval, cents.

    ``method`` and ``reason`` say which model was chosen and why; ``mase`` is its error in the
    back-tests in units of the seasonal naive's, None where there was none.
    """

    months: tuple[MonthForecast, ...]
    total: int
    total_low: int
    total_high: int
    method: str
    reason: str
    mase: float | None


def forecast_savings(
    history: Sequence[MonthFlow],
    ahead: int,
    seed: int = 0,
    method: Method = "auto",
    each: Each = map,
) -> SavingsForecast:
    """What the next months will leave, from three months of history or more.

    **Formula.** The series of monthly savings goes through :func:`models.forecasting.forecast`: the
    method with the least back-test error, and split conformal intervals of each month. Bounds of
    months must not be added up, so the sum has an interval of its own: the 5th and 95th percentile
    of 2,000 sums of months drawn from the history in blocks of three
    (:func:`models.finance.feasibility.resampled`), moved so that their mean is the forecast's sum.

    **Source.** ``docs/forecasting.md``; Politis and Romano (1992) for the sum.

    **Limits.** With less history than ``ahead + 3`` months there is no back-test: the forecast is
    the mean, the interval what was seen, and ``reason`` says so. The 72 newest months count.

    Args:
        history: whole months without a gap, in any order.
        ahead: months to forecast, 1 to 24.
        seed: of the sum's interval.
        method: a method for certain, instead of the choice.
        each: how models are fitted, as of :func:`models.forecasting.forecast`.

    Raises:
        UsageProblem: fewer than three months, a gap, or ``ahead`` out of bounds.
        ModuleNotFoundError: the package of the method is not installed.
    """
    saved_by_month = [flow.saved for flow in ordered_months(history)]
    made = _by_month(history, saved_by_month, ahead, method, each)
    found = tuple(MonthForecast(*row) for row in made.rows)
    saved = made.history
    total = sum(month.saved for month in found)
    random = np.random.Generator(np.random.PCG64(seed))
    sums = resampled(np.array(saved, dtype=float), ahead, _PATHS, random).sum(axis=1)
    low, high = np.quantile(sums - ahead * np.mean(saved), [0.05, 0.95])
    return SavingsForecast(
        found,
        total,
        total + min(0, round(float(low))),
        total + max(0, round(float(high))),
        made.method,
        made.reason,
        made.mase,
    )


@dataclass(frozen=True, slots=True)
class MonthSpending:
    """What a month to come is forecast to cost, cents, and its 95 % interval."""

    month: date
    spent: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class SpendingForecast:
    """Months to come; method, reason and error are as those of :class:`SavingsForecast`."""

    months: tuple[MonthSpending, ...]
    method: str
    reason: str
    mase: float | None


def forecast_spending(
    history: Sequence[MonthFlow], ahead: int, method: Method = "auto", each: Each = map
) -> SpendingForecast:
    """What the next months will cost, net of refunds, from three months of history or more.

    **Formula**, **source** and **limits** are those of :func:`forecast_savings`, for what is spent.

    Args:
        history: whole months without a gap, in any order.
        ahead: months to forecast, 1 to 24.
        method: a method for certain, instead of the choice.
        each: how models are fitted, as of :func:`models.forecasting.forecast`.

    Raises:
        UsageProblem: fewer than three months, a gap, or ``ahead`` out of bounds.
        ModuleNotFoundError: the package of the method is not installed.
    """
    spent = [flow.spent for flow in ordered_months(history)]
    made = _by_month(history, spent, ahead, method, each)
    found = tuple(MonthSpending(*row) for row in made.rows)
    return SpendingForecast(found, made.method, made.reason, made.mase)


@dataclass(frozen=True, slots=True)
class _Made:
    """Rows are month, forecast, low and high; ``history`` is what it was made from; cents."""

    rows: list[tuple[date, int, int, int]]
    history: list[int]
    method: str
    reason: str
    mase: float | None


def _by_month(
    history: Sequence[MonthFlow], cents: Sequence[int], ahead: int, method: Method, each: Each
) -> _Made:
    """Forecast one figure of the months, given oldest first."""
    if not 1 <= ahead <= _MOST_AHEAD:
        raise UsageProblem(f"{ahead} months cannot be forecast; take 1 to {_MOST_AHEAD}")
    months = ordered_months(history)[-MONTH.memory :]
    if len(months) < _FEWEST_MONTHS:
        raise UsageProblem(f"{len(months)} whole months are known; {_FEWEST_MONTHS} are needed")
    known = list(cents[-MONTH.memory :])
    last = MONTH.step(months[-1].month)
    one = np.ones(1, dtype=np.int64)
    values = np.array([known], dtype=float) / 100
    panel = Panel(MONTH, last, one, np.full(1, ALL), one * len(known), values)
    made = forecast_series(panel, ahead, method, each=each)
    rows = np.round(np.stack([made.value[0], made.low[0], made.high[0]]) * 100).astype(np.int64)
    return _Made(
        [(MONTH.first_day(last + 1 + step), *row) for step, row in enumerate(rows.T.tolist())],
        known,
        str(made.method[0]),
        str(made.reason[0]),
        None if np.isnan(made.mase[0]) else round(float(made.mase[0]), 4),
    )


@dataclass(frozen=True, slots=True)
class CashDay:
    """A day to come, cents: what comes in, what recurs, what else goes out, and the balance.

    ``low`` and ``high`` hold the balance in 90 % of the simulated futures.
    """

    day: date
    income: int
    recurring: int
    other: int
    balance: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class CashFlow:
    """The account's days to come.

    ``short`` is the probability that it falls below zero on the way, ``first_short`` the first day
    on which the expected balance is below zero.
    """

    days: tuple[CashDay, ...]
    short: float
    first_short: date | None
    reason: str


def forecast_cash_flow(
    balance: int,
    transactions: Iterable[Transaction],
    receipts: Iterable[Receipt],
    today: date,
    known_since: date,
    ahead: int = 30,
    seed: int = 0,
) -> CashFlow:
    """How the account will stand on each of the next days.

    **Formula.** Money to come is put together of three: receipts and card payments that recur
    (:func:`models.finance.subscriptions.find_subscriptions`, receipts like payments), on the days
    on which they are due; and the rest of the spending, the mean of its weekday over the last 26
    weeks (the `seasonal_average` of ``docs/forecasting.md``; all weeks when there are fewer). The
    interval is made of 2,000 futures in which the rest's errors of whole weeks are drawn with
    replacement.

    **Limits.** Income that does not recur is not foreseen. What recurs is taken as certain, at its
    last price. Needs 28 days. Refunds are part of the rest.

    Args:
        balance: today's, cents, after all rows up to today.
        transactions: card payments, in any order; what is later than today is left out.
        receipts: income, likewise.
        today: the last day that is known.
        known_since: the first day of which everything is known.
        ahead: days to forecast, 1 to 365.
        seed: of the futures.

    Raises:
        UsageProblem: fewer than 28 days are known, or ``ahead`` is out of bounds.
    """
    checked("the balance", balance)
    if not 1 <= ahead <= 365:
        raise UsageProblem(f"{ahead} days cannot be forecast; take 1 to 365")
    weeks = min(26, ((today - known_since).days + 1) // 7)
    if weeks < 4:
        raise UsageProblem(f"{known_since} to {today} are less than 28 days; give more history")
    rows = [row for row in transactions if row.day <= today]
    wages = [
        Transaction(receipt.day, receipt.cents, merchant="income")
        for receipt in receipts
        if receipt.cents and receipt.day <= today
    ]
    paying, earning = find_subscriptions(rows, today), find_subscriptions(wages, today)
    first = today - timedelta(days=7 * weeks - 1)
    rest = _rest(rows, paying, first, today).reshape(weeks, 7)
    mean = rest.mean(axis=0)
    days = [today + timedelta(days=step) for step in range(1, ahead + 1)]
    came, went = _due(earning, today, days[-1]), _due(paying, today, days[-1])
    other = np.round(np.resize(mean, ahead)).astype(np.int64)
    income = np.array([came.get(day, 0) for day in days], dtype=np.int64)
    recurring = np.array([went.get(day, 0) for day in days], dtype=np.int64)
    expected = balance + np.cumsum(income - recurring - other)
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = (rest - mean)[random.integers(weeks, size=(_PATHS, -(-ahead // 7)))]
    futures = expected - np.cumsum(drawn.reshape(_PATHS, -1)[:, :ahead], axis=1)
    low, high = np.quantile(futures, [0.05, 0.95], axis=0)
    found = tuple(
        CashDay(day, *map(int, figures))
        for day, *figures in zip(
            days, income, recurring, other, expected,
            np.minimum(np.round(low), expected), np.maximum(np.round(high), expected),
            strict=True,
        )
    )  # fmt: skip
    short = [day.day for day in found if day.balance < 0]
    reason = (
        f"{len(earning)} recurring receipts, {len(paying)} recurring payments, and the weekday's"
        f" mean of {weeks} weeks"
    )
    below = float((futures < 0).any(axis=1).mean())
    return CashFlow(found, below, short[0] if short else None, reason)


def _rest(
    rows: Iterable[Transaction], paying: Iterable[Subscription], first: date, today: date
) -> Array:
    """What was spent by day beside subscriptions, cents."""
    sums = [0] * ((today - first).days + 1)
    for row in rows:
        if row.day >= first:
            sums[(row.day - first).days] += row.cents
    for found in paying:
        for day, cents in zip(found.days, found.prices, strict=True):
            if day >= first:
                sums[(day - first).days] -= cents
    return np.array(sums, dtype=float)


def _due(found: Iterable[Subscription], today: date, last: date) -> dict[date, int]:
    due: dict[date, int] = {}
    for one in found:
        for day in occurrences(one, today, last):
            due[day] = due.get(day, 0) + one.cents
    return due
