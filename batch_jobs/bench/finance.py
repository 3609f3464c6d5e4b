"""``finlake bench finance``: how good the insights into customers' money are, on generated sets.

The generator knows which payments are subscriptions, and how each month went on. It writes
merchants as numbers and pays to the day and the cent; :func:`disturbed` makes that harder.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.metadata import version
from typing import Final

import numpy as np

from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.generate.dataset import Dataset
from batch_jobs.generate.plan import Plan
from models.finance.ledger import Transaction, add_months, month_of
from models.finance.overspend import overspend_outlook
from models.finance.subscriptions import PERIODS, Period, Subscription, find_subscriptions

__all__ = ["Customer", "Order", "customers", "disturbed", "finance", "judge"]

_PERIOD_OF: Final[dict[int, Period]] = {0: "weekly", 1: "monthly", 3: "quarterly", 12: "yearly"}
_FEWEST: Final[dict[Period, int]] = {
    "weekly": 4, "fortnightly": 4, "monthly": 3, "quarterly": 3, "yearly": 2,
}  # fmt: skip
_YEARS: Final = 2


@dataclass(frozen=True)
class Order:
    """A subscription as it was generated: its merchant's plain name, rhythm and payments."""

    merchant: str
    period: Period
    payments: tuple[Transaction, ...]

    @property
    def whole(self) -> bool:
        """Whether there are payments enough to find it."""
        return len(self.payments) >= _FEWEST[self.period]


@dataclass(frozen=True)
class Customer:
    """All transactions of a customer, and which of them are subscriptions."""

    transactions: tuple[Transaction, ...]
    orders: tuple[Order, ...]


def customers(plan: Plan) -> list[Customer]:
    """The customers of a generated set that have transactions, with what they subscribed to."""
    made = Dataset.make(plan)
    rows: dict[int, list[Transaction]] = defaultdict(list)
    for number in range(made.parts):
        table = made.part(number).transactions
        names = ("client_id", "date", "amount", "mcc", "merchant_id")
        for user, moment, dollars, mcc, merchant in zip(
            *(table[name].to_pylist() for name in names), strict=True
        ):
            paid = Transaction(moment.date(), int(dollars * 100), mcc, str(merchant))
            rows[user].append(paid)
    recurring = made.subscriptions
    which, day = recurring.due(plan.start, 0, plan.days)
    days: dict[int, set[date]] = defaultdict(set)
    for number, since in zip(which.tolist(), day.tolist(), strict=True):
        days[number].add(plan.start + timedelta(days=since))
    orders: dict[int, list[Order]] = defaultdict(list)
    for number, on in sorted(days.items()):
        user = int(recurring.user[number])
        merchant = str(made.merchants.identity[recurring.merchant[number]])
        cents = int(recurring.cents[number])
        paid_for = tuple(
            row
            for row in rows[user]
            # The price rises by 4 % a year at most four times in such a set.
            if row.merchant == merchant and row.day in on and cents <= row.cents <= cents * 1.5
        )
        orders[user].append(Order(merchant, _PERIOD_OF[int(recurring.period[number])], paid_for))
    return [Customer(tuple(rows[user]), tuple(orders[user])) for user in sorted(rows)]


def disturbed(customer: Customer, random: np.random.Generator) -> Customer:
    """The same customer as a bank sees them.

    Merchants have names that are written in several ways; subscriptions are booked up to two days
    late, one payment in twenty does not come, and one order in four has a price that varies by 3 %
    (standard deviation).
    """
    changed: dict[Transaction, Transaction | None] = {}
    for order in customer.orders:
        varies = random.random() < 0.25
        for row in order.payments:
            cents = (
                round(row.cents * float(np.exp(random.normal(0, 0.03)))) if varies else row.cents
            )
            day = row.day + timedelta(days=int(random.choice([0, 0, 0, 1, 2])))
            gone = random.random() < 0.05
            changed[row] = None if gone else replace(row, day=day, cents=max(1, cents))

    def shown(row: Transaction) -> Transaction | None:
        one = changed.get(row, row)
        if one is None:
            return None
        return replace(one, merchant=_written(row.merchant, random), text="")

    new = {row: shown(row) for row in dict.fromkeys(customer.transactions)}
    orders = [
        Order(
            _name(order.merchant),
            order.period,
            tuple(found for row in order.payments if (found := new[row]) is not None),
        )
        for order in customer.orders
    ]
    rows = [found for row in customer.transactions if (found := new[row]) is not None]
    return Customer(tuple(rows), tuple(orders))


def _name(merchant: str) -> str:
    """A name of letters for a merchant's number."""
    return "SHOP" + "".join(chr(ord("A") + int(digit)) for digit in merchant)


def _written(merchant: str, random: np.random.Generator) -> str:
    name, number = _name(merchant), int(random.integers(100, 99_999))
    ways = (
        name, name.title(), f"{name}.COM", f"PAYPAL *{name}", f"SQ *{name} #{number}",
        f"{name} INC {number}", f"{name}.COM/BILL 866-579-7172 CA", f"RECURRING PAYMENT {name} US",
    )  # fmt: skip
    return ways[int(random.integers(len(ways)))]


def judge(found: Sequence[Subscription], orders: Sequence[Order]) -> list[tuple[Period, str]]:
    """What became of each order and finding: (rhythm, ``hit``, ``missed`` or ``wrong``).

    A finding is an order's when merchant and rhythm agree and each holds at least half of the
    other's payments. An order with too few payments is no miss.
    """
    said: list[tuple[Period, str]] = []
    left = list(found)
    for order in orders:
        days = {row.day for row in order.payments}
        for one in left:
            common = 2 * len(days & set(one.days))
            alike = (one.merchant, one.period) == (order.merchant, order.period)
            if alike and common >= max(len(days), len(one.days)):
                said.append((order.period, "hit"))
                left.remove(one)
                break
        else:
            if order.whole:
                said.append((order.period, "missed"))
    return said + [(one.period, "wrong") for one in left]


def finance(
    transactions: int, seed: int, said: Callable[[str], None] = lambda _: None
) -> Iterator[Figure]:
    """Precision and recall of subscriptions, and calibration of overspending, on one set.

    Args:
        transactions: size of the set, over two years; 1,360 are a customer.
        seed: of the set.
        said: takes a line of progress.
    """
    end = date(2019, 10, 31)
    plan = Plan(transactions, seed, date(end.year - _YEARS, 11, 1), end)
    said("generating")
    world = customers(plan)
    random = plan.random("disturbed")
    for name, people in (
        ("as generated", world),
        ("disturbed", [disturbed(customer, random) for customer in world]),
    ):
        said(f"subscriptions, {name}")
        yield from _subscriptions(name, people, end, transactions, seed)
    said("overspending")
    yield from _overspending(world, plan, transactions, seed)


def _params(transactions: int, seed: int, name: str) -> dict[str, float | int | str]:
    return {"transactions": transactions, "seed": seed, "what": name}


def _subscriptions(
    name: str, people: Iterable[Customer], end: date, transactions: int, seed: int
) -> Iterator[Figure]:
    made = Figures("finance", _params(transactions, seed, f"subscriptions, {name}"))
    said: list[tuple[Period, str]] = []
    took = []
    for customer in people:
        before = time.process_time()
        found = find_subscriptions(customer.transactions, end)
        took.append(1000 * (time.process_time() - before))
        said += judge(found, customer.orders)
    for period in (None, *PERIODS):
        of = [what for own, what in said if period in (None, own)]
        hits, missed, wrong = (of.count(what) for what in ("hit", "missed", "wrong"))
        if not of:
            continue
        title = period or "all"
        yield made.of(f"{title}.orders", hits + missed, "subscriptions")
        yield made.of(f"{title}.precision", hits / max(1, hits + wrong), "")
        yield made.of(f"{title}.recall", hits / max(1, hits + missed), "")
    yield from made.spread("cpu", took, "ms a customer")


def _overspending(
    people: Iterable[Customer], plan: Plan, transactions: int, seed: int
) -> Iterator[Figure]:
    """Whether a month ends above the mean of those before, asked on its 10th and 20th."""
    made = Figures(
        "finance", _params(transactions, seed, "overspending"), {"numpy": version("numpy")}
    )
    asked: dict[int, list[tuple[float, bool, float]]] = defaultdict(list)
    last = month_of(plan.end)
    for customer in people:
        sums: dict[date, int] = defaultdict(int)
        for row in customer.transactions:
            sums[month_of(row.day)] += row.cents
        for back in range(6):
            month = add_months(last, -back)
            before = [sums[add_months(month, -n)] for n in range(1, 13)]
            budget = max(0, sum(before) // len(before))
            share = sum(cents > budget for cents in before) / len(before)
            for day in (10, 20):
                today = month.replace(day=day)
                said = overspend_outlook(customer.transactions, budget, today, plan.start)
                if said.probability is not None:
                    asked[day].append((said.probability, sums[month] > budget, share))
    for day, answers in asked.items():
        told, came, plain = (np.array(column, dtype=float) for column in zip(*answers, strict=True))
        yield made.of(f"day {day}.questions", len(came), "")
        yield made.of(f"day {day}.came", 100 * came.mean(), "%")
        yield made.of(f"day {day}.told", 100 * told.mean(), "%")
        yield made.of(f"day {day}.brier", float(np.mean((told - came) ** 2)), "")
        yield made.of(f"day {day}.brier of the past share", float(np.mean((plain - came) ** 2)), "")
        for low in (0.0, 0.2, 0.4, 0.6, 0.8):
            inside = (told >= low) & (told < low + 0.2 + (low == 0.8))
            if inside.any():
                title = f"day {day}.told {round(100 * low)} to {round(100 * low) + 20} %"
                yield made.of(f"{title}.came", 100 * came[inside].mean(), "%")
