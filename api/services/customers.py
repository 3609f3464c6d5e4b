"""A customer's money, from the request or from gold: the only place where rows of gold are read.

Whoever wants a stored customer's rows has to say who asks; the check of the object is here, so that
no route can forget it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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

__all__ = ["Customers", "Lake", "Ledger", "Looked", "Profile", "State"]

_KEPT: Final = 512  # customers in memory; one of ten years is some 2 MB
_ROWS_KEPT: Final = 150_000
_YEAR: Final = 12
_TIMEOUT_S: Final = 10.0
_MOST_MARKS: Final = 200_000
_FACTS, _PROFILES_OF, _DAYS = "gold.fact_transactions", "gold.dim_user", "gold.agg_customer_day"
_TOLD_BY: Final = {
    _FACTS: (
        "transaction_id", "transaction_ts", "date_key", "amount", "mcc", "merchant_id",
        "is_declined",
    ),
    _PROFILES_OF: ("current_age", "yearly_income"),
}  # fmt: skip
"""Columns that answers are made from; when no other changes, no answer does."""

_PAYMENTS = """
SELECT transaction_ts::DATE AS day, CAST(amount * 100 AS BIGINT) AS cents, mcc, merchant_id,
       is_declined
FROM gold.fact_transactions WHERE user_id = ? ORDER BY transaction_id
"""
_PROFILE = """
SELECT current_age, CAST(yearly_income * 100 AS BIGINT) AS yearly_income
FROM gold.dim_user WHERE user_id = ?
"""
_LAST_DAY = "SELECT max(date) AS day FROM gold.agg_customer_day"
_PROFILES = """
SELECT user_id, current_age, CAST(yearly_income * 100 AS BIGINT) AS yearly_income FROM gold.dim_user
"""
_MONTHS_OF_ALL = """
SELECT user_id, date_trunc('month', transaction_ts)::DATE AS month,
       CAST(sum(amount) * 100 AS BIGINT) AS cents
FROM gold.fact_transactions WHERE NOT is_declined AND date_key >= ? AND date_key <= ?
GROUP BY ALL
"""
_MONTHS_OF_SOME = _MONTHS_OF_ALL.replace("GROUP BY", "AND list_contains(?, user_id)\nGROUP BY")
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

    def changed(
        self, table: str, key: str, columns: Sequence[str], since: int, until: int
    ) -> dict[int, int] | None:
        """Whose rows of a table changed (:func:`infra.lake.changes.changed_keys`)."""


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


State = tuple[int, int, int]
"""A customer's money at one time: the versions of facts and profiles in which the customer's own
rows changed last, as far as is known, and the last day of all. The same state is the same money."""


@dataclass(frozen=True)
class Looked:
    """What was seen of the tables at a time: versions, and by customer those of the last change.

    ``base`` are versions from before which nobody's changes are known.
    """

    at: float
    versions: tuple[int, int, int]
    base: tuple[int, int]
    marks: tuple[Mapping[int, int], Mapping[int, int]]
    today: int

    def state(self, user_id: int) -> State:
        """A customer's."""
        facts, profile = (
            of.get(user_id, base) for of, base in zip(self.marks, self.base, strict=True)
        )
        return facts, profile, self.today


class Customers:
    """Reads customers' money; what was read stays in memory while the customer's rows stay.

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
        self._looked: Looked | None = None
        self._looking = threading.Lock()
        self._lock = threading.Lock()
        self._ledgers: OrderedDict[int, tuple[State, Ledger]] = OrderedDict()
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
        state = self.state(user_id)
        with self._lock:
            found = self._ledgers.get(user_id)
            if found is not None and found[0] == state:
                self._ledgers.move_to_end(user_id)
                return found[1]
        ledger = self._read(user_id)
        with self._lock:
            self._forget(user_id)
            self._ledgers[user_id] = (state, ledger)
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

    def of_all(
        self, first: date, last: date, only: Collection[int] | None = None
    ) -> dict[int, tuple[Profile, tuple[Transaction, ...]]]:
        """Profile and monthly spending of everybody; for comparisons that show nobody.

        A month is one transaction on its first day. ``only`` narrows it to some customers.
        """
        rows: dict[int, list[Transaction]] = {}
        bounds = (int(f"{first:%Y%m%d}"), int(f"{last:%Y%m%d}"))
        months = (
            self._ask(_MONTHS_OF_ALL, *bounds)
            if only is None
            else self._ask(_MONTHS_OF_SOME, *bounds, sorted(only))
        )
        for row in months:
            rows.setdefault(row["user_id"], []).append(Transaction(row["month"], row["cents"]))
        return {
            row["user_id"]: (
                Profile(row["current_age"], row["yearly_income"]), tuple(rows[row["user_id"]])
            )
            for row in self._ask(_PROFILES)
            if row["user_id"] in rows
        }  # fmt: skip

    def state(self, user_id: int) -> State:
        """Which money of a customer counts, by a look that is at most ``fresh_s`` ago."""
        return self._look().state(user_id)

    def state_now(self, user_id: int) -> State | None:
        """The same without looking; None when that would be longer ago."""
        known = self._fresh()
        return known.state(user_id) if known else None

    def news(self, since: Looked | None) -> tuple[Looked, frozenset[int] | None]:
        """What is known now, and whose money changed since; None when it may be everybody's."""
        now = self._look()
        if since is None or since.base != now.base:
            return now, None
        return now, frozenset(
            user
            for marks, before in zip(now.marks, since.versions[:2], strict=True)
            for user, version in marks.items()
            if version > before
        )

    def _fresh(self) -> Looked | None:
        known = self._looked
        if known is not None and self._clock() - known.at < self._fresh_s:
            return known
        return None

    def _look(self) -> Looked:
        known = self._fresh()
        if known is None:
            with self._looking:
                known = self._fresh()
                if known is None:
                    known = self._looked = self._looked_anew(self._looked)
        return known

    def _looked_anew(self, before: Looked | None) -> Looked:
        at = self._clock()
        facts, profiles, days = (
            self._lake.version(table) for table in (_FACTS, _PROFILES_OF, _DAYS)
        )
        versions = (facts, profiles, days)
        if before is not None and before.versions == versions:
            return replace(before, at=at)
        today = self._today() if before is None or before.versions[2] != days else before.today
        marks = None if before is None else self._marks(before, versions)
        if marks is None:
            return Looked(at, versions, (facts, profiles), ({}, {}), today)
        assert before is not None  # noqa: S101 (its marks are the beginning of these)
        return Looked(at, versions, before.base, marks, today)

    def _marks(
        self, before: Looked, versions: tuple[int, int, int]
    ) -> tuple[Mapping[int, int], Mapping[int, int]] | None:
        """Versions of everybody's last change; None when they cannot be told."""
        found: list[Mapping[int, int]] = []
        for place, table in enumerate((_FACTS, _PROFILES_OF)):
            changed = self._lake.changed(
                table, "user_id", _TOLD_BY[table], before.versions[place], versions[place]
            )
            if changed is None or len(before.marks[place]) > _MOST_MARKS:
                return None
            found.append({**before.marks[place], **changed} if changed else before.marks[place])
        return found[0], found[1]

    def _today(self) -> int:
        day: date | None = self._ask(_LAST_DAY)[0]["day"]
        return -1 if day is None else day.toordinal()

    def _forget(self, user_id: int) -> None:
        old = self._ledgers.pop(user_id, None)
        if old is not None:
            self._rows -= len(old[1].rows)

    def _read(self, user_id: int) -> Ledger:
        profile = self._profile(user_id)
        today = self.last_day()
        table = self._lake.query(_PAYMENTS, [user_id], _TIMEOUT_S)
        columns = [table.column(name).to_pylist() for name in table.column_names]
        rows = tuple(
            Transaction(day, cents, mcc, str(merchant))
            for day, cents, mcc, merchant, declined in zip(*columns, strict=True)
            if not declined
        )
        first = min(columns[0], default=today)
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
