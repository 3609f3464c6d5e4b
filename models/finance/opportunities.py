"""Where money could be saved: fees, price rises, subscriptions twice, purchases on impulse."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final, Literal

from finlake.errors import UsageProblem
from models.finance.ledger import Transaction
from models.finance.money import amount, rounded
from models.finance.spending import kind_of
from models.finance.subscriptions import Subscription

__all__ = ["Opportunity", "OpportunityKind", "find_opportunities"]

OpportunityKind = Literal["fee", "price_rise", "double_subscription", "impulse"]

_FEWEST_DAYS: Final = 28
_FEE: Final = re.compile(
    r"\b(?:FEES?|OVERDRAFT|NSF|LATE CHARGE|SERVICE CHARGE|SURCHARGE|FINANCE CHARGE"
    r"|INTEREST CHARGED?|PENALTY)\b"
)
_CASH: Final = (6010, 6011)
_CASH_FEE_MOST: Final = 1_000  # cents: smaller payments at cash machines are their fee
_NO_PURCHASE: Final = ("cash", "transfers")
_SPREE: Final = 3  # wants on one day from which on they count as impulse
_RISE: Final = Fraction(102, 100)


@dataclass(frozen=True, slots=True)
class Opportunity:
    """Something to save on: ``yearly`` cents, made from ``rows`` payments; ``key`` names it."""

    kind: OpportunityKind
    key: str
    yearly: int
    rows: int
    reason: str


def find_opportunities(
    transactions: Iterable[Transaction],
    subscriptions: Sequence[Subscription],
    first: date,
    today: date,
) -> tuple[Opportunity, ...]:
    """What could be saved in a year, the most first.

    ===================  ===================================================  ======================
    kind                 what counts                                          saved a year
    ===================  ===================================================  ======================
    fee                  the text says so (fee, overdraft, late charge, ...)  all of it, a year's
                         or a cash machine took at most 10.00                 worth
    price_rise           an active subscription costs more than 2 % more      the difference
                         than a year ago (or at its beginning)
    double_subscription  several active subscriptions to wants of one group   all but the dearest
    impulse              of three or more wants bought on one day all but     half, a year's worth
                         the two dearest; no subscriptions, cash, transfers
    ===================  ===================================================  ======================

    A year's worth is the sum times 365 over the days looked at.

    **Source.** The rules are the product's.

    **Limits.** Without statement texts fees are hardly seen. Two subscriptions of a group need not
    be doubles (two telephones). Impulse is guessed from the number of purchases alone.
    Opportunities may overlap: do not add them up.

    Args:
        transactions: in any order; what lies outside the two days is left out.
        subscriptions: :func:`models.finance.subscriptions.find_subscriptions` of the same customer.
        first: the first day of which everything is known.
        today: the last.

    Raises:
        UsageProblem: fewer than 28 days.
    """
    days = (today - first).days + 1
    if days < _FEWEST_DAYS:
        raise UsageProblem(
            f"{first} to {today} are less than {_FEWEST_DAYS} days; give more history"
        )
    rows = [row for row in transactions if first <= row.day <= today and row.cents > 0]
    active = [one for one in subscriptions if one.status != "cancelled"]
    found = [
        *_fees(rows, days),
        *_rises(active, today),
        *_doubles(active),
        *_impulse(rows, subscriptions, days),
    ]
    return tuple(sorted(found, key=lambda one: (-one.yearly, one.kind, one.key)))


def _a_year(cents: int, days: int) -> int:
    return rounded(Fraction(cents * 365, days))


def _fees(rows: Sequence[Transaction], days: int) -> Iterable[Opportunity]:
    fees = [
        row.cents
        for row in rows
        if _FEE.search(row.text.upper()) or (row.mcc in _CASH and row.cents <= _CASH_FEE_MOST)
    ]
    if fees:
        yield Opportunity(
            "fee", "fees", _a_year(sum(fees), days), len(fees),
            f"{len(fees)} fees of {amount(sum(fees))} in {days} days",
        )  # fmt: skip


def _rises(active: Sequence[Subscription], today: date) -> Iterable[Opportunity]:
    for one in active:
        recent = [cents for day, cents in _paid(one) if day > today - timedelta(days=372)]
        before = (recent or [one.cents])[0]
        if one.cents > before * _RISE:
            a_year = one.yearly_cents // one.cents * (one.cents - before)
            yield Opportunity(
                "price_rise", f"{one.merchant} {one.period}", a_year, len(recent),
                f"{one.merchant} went from {amount(before)} to {amount(one.cents)} {one.period}",
            )  # fmt: skip


def _paid(one: Subscription) -> Iterable[tuple[date, int]]:
    return zip(one.days, one.prices, strict=True)


def _doubles(active: Sequence[Subscription]) -> Iterable[Opportunity]:
    groups: dict[str, list[Subscription]] = defaultdict(list)
    for one in active:
        if kind_of(one.mcc).kind == "want":
            groups[kind_of(one.mcc).group].append(one)
    for group, ones in groups.items():
        if len(ones) > 1:
            yearly = sorted(one.yearly_cents for one in ones)
            names = ", ".join(sorted({one.merchant for one in ones}))
            yield Opportunity(
                "double_subscription", group, sum(yearly[:-1]), len(ones),
                f"{len(ones)} subscriptions of {group}: {names}",
            )  # fmt: skip


def _impulse(
    rows: Sequence[Transaction], subscriptions: Sequence[Subscription], days: int
) -> Iterable[Opportunity]:
    billed = {
        (day, cents, name)
        for one in subscriptions
        for day, cents in _paid(one)
        for name in one.names
    }
    by_day: dict[date, list[int]] = defaultdict(list)
    for row in rows:
        recurring = (row.day, row.cents, row.merchant or row.text) in billed
        kind = kind_of(row.mcc)
        if kind.kind == "want" and kind.group not in _NO_PURCHASE and not recurring:
            by_day[row.day].append(row.cents)
    # Of a day's purchases nobody knows the order: the smaller ones are the ones on impulse.
    late = [cents for bought in by_day.values() for cents in sorted(bought)[: 1 - _SPREE]]
    if late:
        yield Opportunity(
            "impulse", "impulse", _a_year(sum(late), days) // 2, len(late),
            f"{len(late)} purchases of {amount(sum(late))} on days with {_SPREE} or more",
        )  # fmt: skip
