"""A customer's money, from the request or from gold: the only place where rows of gold are read.

Whoever wants a stored customer's rows has to say who asks; the check of the object is here, so that
no route can forget it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final, Protocol

import pyarrow as pa

from api.access import Principal
from api.problems import Problem
from api.schemas.money import AboutMoney
from finlake.errors import UsageProblem
from models.finance.ledger import (
    MonthFlow,
    Receipt,
    Transaction,
    monthly_flows,
    steady_income,
    whole_months,
)
from models.finance.spending import by_group

__all__ = ["Customers", "Lake", "Ledger", "Profile"]

_KEPT: Final = 512  # customers in memory; one of ten years is some 2 MB
_ROWS_KEPT: Final = 150_000
_YEAR: Final = 12
_TIMEOUT_S: Final = 10.0
_TABLES: Final = ("fact_transactions", "dim_user", "agg_customer_day")

_PAYMENTS = """
SELECT transaction_ts::DATE AS day, CAST(amount * 100 AS BIGINT) AS cents, mcc, merchant_id
FROM gold.fact_transactions WHERE user_id = ? AND NOT is_declined ORDER BY transaction_id
"""
_PROFILE = """
SELECT current_age, CAST(yearly_income * 100 AS BIGINT) AS yearly_income
FROM gold.dim_user WHERE user_id = ?
"""
_LAST_DAY = "SELECT max(date) AS day FROM gold.agg_customer_day"
_FIRST_DAY = "SELECT min(date) AS day FROM gold.agg_customer_day WHERE user_id = ?"
_PROFILES = """
SELECT user_id, current_age, CAST(yearly_income * 100 AS BIGINT) AS yearly_income FROM gold.dim_user
"""
_MONTHS_OF_ALL = """
SELECT user_id, date_trunc('month', transaction_ts)::DATE AS month,
       CAST(sum(amount) * 100 AS BIGINT) AS cents
FROM gold.fact_transactions WHERE NOT is_declined AND date_key >= ? AND date_key <= ?
GROUP BY ALL
"""
_PAGE = """
SELECT transaction_id, transaction_ts, CAST(amount * 100 AS BIGINT) AS amount, mcc, merchant_id,
       merchant_city, merchant_state, channel, is_declined
FROM gold.fact_transactions WHERE user_id = ? AND transaction_id < ?
ORDER BY transaction_id DESC LIMIT ?
"""


class Lake(Protocol):
    """What the lake is asked through (:class:`infra.lake.query.Query`)."""

    def query(
        self, sql: str, params: Sequence[object] = (), timeout_s: float | None = None
    ) -> pa.Table:
        """The rows of one SELECT."""

    def version(self, table: str) -> int:
        """The newest version of a table; -1 while it is not there."""


@dataclass(frozen=True)
class Profile:
    """What is known of a customer: years, and yearly income in cents."""

    age: int
    yearly_income: int


@dataclass(frozen=True)
class Ledger:
    """Money of one customer between two days of which everything is known, both included."""

    rows: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]
    first: date
    today: date

    @cached_property
    def months(self) -> tuple[MonthFlow, ...]:
        """Its whole months, oldest first."""
        return monthly_flows(self.rows, self.receipts, self.first, self.today)

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        """Net spending by group in the last twelve whole months, cents."""
        return by_group(self.rows, whole_months(self.first, self.today)[-_YEAR:])

    @property
    def monthly_income(self) -> int:
        """What came in a month over the last twelve whole months, cents, rounded down.

        Raises:
            UsageProblem: no whole month is known.
        """
        months = self.months[-_YEAR:]
        if not months:
            raise UsageProblem(
                f"{self.first} to {self.today} hold no whole month; give more history"
            )
        return sum(month.income for month in months) // len(months)

    @property
    def usual(self) -> dict[str, int]:
        """A usual month by group, cents: the mean over the last twelve whole months."""
        return {group: sum(cents) // len(cents) for group, cents in self.groups.items() if cents}


class Customers:
    """Reads customers' money; what was read stays in memory while its table's version stays.

    Args:
        lake: where gold is.
        fresh_s: for how long a version that was looked up counts as the newest.
        clock: seconds.
    """

    def __init__(
        self, lake: Lake, fresh_s: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lake = lake
        self._fresh_s = fresh_s
        self._clock = clock
        self._version: tuple[float, tuple[int, ...]] | None = None
        self._lock = threading.Lock()
        self._ledgers: OrderedDict[int, tuple[tuple[int, ...], Ledger]] = OrderedDict()
        self._rows = 0

    def ledger(self, principal: Principal, about: AboutMoney) -> Ledger:
        """The money that a question is about.

        Raises:
            Problem: 403 when it is somebody else's, 404 when there is no such customer.
            UsageProblem: the days contradict each other.
        """
        if about.user_id is not None:
            return _cut(self.stored(principal, about.user_id), about.first, about.today)
        return _posted(about)

    def stored(self, principal: Principal, user_id: int) -> Ledger:
        """All that gold has of a customer. Raises as :meth:`ledger` does."""
        principal.check_customer(user_id)
        version = self.version()
        with self._lock:
            found = self._ledgers.get(user_id)
            if found is not None and found[0] == version:
                self._ledgers.move_to_end(user_id)
                return found[1]
        ledger = self._read(user_id)
        with self._lock:
            self._forget(user_id)
            self._ledgers[user_id] = (version, ledger)
            self._rows += len(ledger.rows)
            while self._rows > _ROWS_KEPT or len(self._ledgers) > _KEPT:
                self._forget(next(iter(self._ledgers)))
        return ledger

    def profile(self, principal: Principal, user_id: int) -> Profile:
        """Age and income. Raises Problem as :meth:`ledger` does."""
        principal.check_customer(user_id)
        return self._profile(user_id)

    def page(
        self, principal: Principal, user_id: int, before: int, most: int
    ) -> list[dict[str, Any]]:
        """The newest transactions below a number. Raises Problem as :meth:`ledger` does."""
        self.profile(principal, user_id)
        return self._ask(_PAGE, user_id, before, most)

    def last_day(self) -> date:
        """Day of the newest transaction of all.

        Raises:
            Problem: 404 when there is none.
        """
        day: date | None = self._ask(_LAST_DAY)[0]["day"]
        if day is None:
            raise Problem(404, "not-found", "gold has no transactions yet")
        return day

    def of_all(self, first: date, last: date) -> dict[int, tuple[Profile, tuple[Transaction, ...]]]:
        """Profile and monthly spending of everybody; for comparisons that show nobody.

        A month is one transaction on its first day.
        """
        rows: dict[int, list[Transaction]] = {}
        bounds = (int(f"{first:%Y%m%d}"), int(f"{last:%Y%m%d}"))
        for row in self._ask(_MONTHS_OF_ALL, *bounds):
            rows.setdefault(row["user_id"], []).append(Transaction(row["month"], row["cents"]))
        return {
            row["user_id"]: (
                Profile(row["current_age"], row["yearly_income"]), tuple(rows[row["user_id"]])
            )
            for row in self._ask(_PROFILES)
            if row["user_id"] in rows
        }  # fmt: skip

    def version(self) -> tuple[int, ...]:
        """Versions of the tables that answers are made from, at most ``fresh_s`` ago."""
        known = self.version_now()
        if known is None:
            now = self._clock()
            known = tuple(self._lake.version(f"gold.{table}") for table in _TABLES)
            self._version = (now, known)
        return known

    def version_now(self) -> tuple[int, ...] | None:
        """The same without looking; None when that would be longer ago."""
        known = self._version
        if known is not None and self._clock() - known[0] < self._fresh_s:
            return known[1]
        return None

    def _forget(self, user_id: int) -> None:
        old = self._ledgers.pop(user_id, None)
        if old is not None:
            self._rows -= len(old[1].rows)

    def _read(self, user_id: int) -> Ledger:
        profile = self._profile(user_id)
        today = self.last_day()
        table = self._lake.query(_PAYMENTS, [user_id], _TIMEOUT_S)
        columns = [table.column(name).to_pylist() for name in ("day", "cents", "mcc")]
        merchants = table.column("merchant_id").to_pylist()
        rows = tuple(
            Transaction(day, cents, mcc, str(merchant))
            for day, cents, mcc, merchant in zip(*columns, merchants, strict=True)
        )
        first = self._ask(_FIRST_DAY, user_id)[0]["day"] or today
        return Ledger(rows, steady_income(profile.yearly_income, first, today), first, today)

    def _profile(self, user_id: int) -> Profile:
        found = self._ask(_PROFILE, user_id)
        if not found:
            raise Problem(404, "not-found", "there is no such customer")
        return Profile(found[0]["current_age"], found[0]["yearly_income"])

    def _ask(self, sql: str, *params: object) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._lake.query(sql, params, _TIMEOUT_S).to_pylist()
        return rows


def _posted(about: AboutMoney) -> Ledger:
    rows = tuple(
        Transaction(row.day, row.amount, row.mcc, row.merchant, row.text)
        for row in about.transactions or ()
    )
    days = [row.day for row in rows] + [row.day for row in about.receipts]
    if not days and (about.first is None or about.today is None):
        raise UsageProblem("without rows nobody knows the days; give first and today")
    first, today = about.first or min(days), about.today or max(days)
    _check(first, today)
    if about.yearly_income is not None:
        receipts = steady_income(about.yearly_income, first, today)
    else:
        receipts = tuple(Receipt(row.day, row.amount) for row in about.receipts)
    return Ledger(rows, receipts, first, today)


def _cut(ledger: Ledger, first: date | None, today: date | None) -> Ledger:
    """The ledger between other days, which must lie within its own."""
    if first is None and today is None:
        return ledger
    first, today = (
        max(first or ledger.first, ledger.first),
        min(today or ledger.today, ledger.today),
    )
    _check(first, today)
    return Ledger(
        tuple(row for row in ledger.rows if first <= row.day <= today),
        tuple(row for row in ledger.receipts if first <= row.day <= today),
        first,
        today,
    )


def _check(first: date, today: date) -> None:
    if today < first:
        raise UsageProblem(f"the last day known, {today}, lies before the first, {first}")
    if (today - first).days > 366 * 30:
        raise UsageProblem(f"{first} to {today} are more than 30 years; give fewer")
