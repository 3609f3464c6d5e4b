"""Payments that recur: at one merchant, in one rhythm, at a price that moves little."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from math import exp, log
from typing import Final, Literal, get_args

from models.finance.ledger import Transaction, add_months
from models.finance.merchants import canonical
from models.finance.spending import kind_of

__all__ = ["PERIODS", "Period", "PriceChange", "Subscription", "find_subscriptions", "occurrences"]

Period = Literal["weekly", "fortnightly", "monthly", "quarterly", "yearly"]
PERIODS: Final[tuple[Period, ...]] = get_args(Period)
Status = Literal["active", "missed", "cancelled"]
_STATUSES: Final[tuple[Status, ...]] = get_args(Status)


@dataclass(frozen=True)
class _Rhythm:
    """How often is paid, how far a payment may be off, and what is enough.

    ``months`` between payments, 0 when it goes by ``days``; ``slack`` is days off the expected day,
    ``grace`` days after which a payment is missing, ``least`` the fewest payments that are called a
    subscription.
    """

    months: int
    days: float
    slack: int
    grace: int
    least: int
    a_year: int

    def after(self, day: date, times: int) -> date:
        """The day so many periods later."""
        if self.months:
            return _months_after(day, self.months * times)
        return day + timedelta(days=round(self.days) * times)


@lru_cache(maxsize=65_536)
def _months_after(day: date, months: int) -> date:
    """As :func:`add_months`; the same days are asked for again and again."""
    return add_months(day, months)


_RHYTHMS: Final[dict[Period, _Rhythm]] = {
    "weekly": _Rhythm(0, 7, 2, 3, 4, 52),
    "fortnightly": _Rhythm(0, 14, 3, 5, 4, 26),
    "monthly": _Rhythm(1, 30.44, 4, 7, 3, 12),
    "quarterly": _Rhythm(3, 91.31, 7, 15, 3, 4),
    "yearly": _Rhythm(12, 365.25, 10, 30, 2, 1),
}
_DRIFT: Final = log(1.4)  # most that a price may move from one payment to the next
_ALIKE: Final = 0.002  # prices that differ by so little are the same
_SPREAD: Final = 1.5  # of what a shop sells by chance, in logarithms of price: sqrt(2 pi) * 0.6
_SKIPS: Final = 2  # periods from one payment to the next; 2 has one missed between
_TAX: Final = 2.0  # of each link: the nearest of a shop's payments is worth 1 even by chance
_SKIP_COST: Final = 3.0  # a missed payment is one in twenty
_BAR: Final = 7.0  # chance must be e^7 = 1,100 times less likely, for each row of the merchant
_HABIT: Final = 2.0  # what a category that bills by subscription is worth; log of the prior odds


@dataclass(frozen=True, slots=True)
class PriceChange:
    """From ``day`` on it costs ``after`` cents instead of ``before``."""

    day: date
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """What recurs. ``days`` are its payments, ``cents`` the last price, ``yearly_cents`` a year's.

    ``missed`` counts payments that were left out between two others; ``status`` is about now:
    ``missed`` while one payment is late, ``cancelled`` from the second on. ``next_due`` is the day
    of the payment that is expected next, None when cancelled. ``evidence`` is the logarithm of how
    much likelier a subscription is than chance; ``merchant`` is the merchant's plain name, and
    ``names`` how it was written.
    """

    merchant: str
    names: tuple[str, ...]
    mcc: int
    period: Period
    cents: int
    yearly_cents: int
    days: tuple[date, ...]
    prices: tuple[int, ...]
    changes: tuple[PriceChange, ...]
    missed: int
    status: Status
    next_due: date | None
    evidence: float


@dataclass(frozen=True)
class _Chain:
    evidence: float
    period: Period
    places: tuple[int, ...]
    missed: int


def find_subscriptions(
    transactions: Iterable[Transaction],
    today: date,
    aliases: Mapping[str, str] | None = None,
) -> tuple[Subscription, ...]:
    """Weekly to yearly subscriptions, the dearest a year first.

    **How.** Payments of one merchant (:func:`models.finance.merchants.canonical`) are linked to
    chains: each is a period after the one before (weekly within 2 days, fortnightly 3, monthly 4,
    quarterly 7, yearly 10; one payment may be missed between two), its price within 40 %. A link is
    worth ``-log P - 2``, a missed payment costs 3, and

        ``P = 1 - exp(-alike / (span + period) * (2 * days off + 1))``

    is the chance that a payment comes so near the expected day and price if the merchant's payments
    fell at random on the ``span`` days. ``alike`` is how many have so near a price: all payments
    times ``2 * (|log of the prices' ratio| + 0.002) / 1.5`` (prices of one shop spread by 0.6 in
    logarithms), or those outside the chain that were counted, if they are more. Dynamic programming
    finds the best chain of each rhythm. The best of all is taken when its evidence exceeds
    ``7 + log(payments of the merchant)``, 2 less in categories that bill by subscription, and at
    most half of its links miss a payment; then the rest is searched again.

    **Source.** The test of a chain against chance is the a contrario principle of Desolneux,
    Moisan and Morel, "Meaningful alignments", International Journal of Computer Vision 40 (2000):
    what would be expected less than once among all tries is meaningful. Its constants were set on
    one generated set and measured on others (``finlake bench finance``, ``docs/finance.md``).

    **Limits.** Fewest payments: 4 weekly and fortnightly, 3 monthly and quarterly, 2 yearly. A
    habit with one price on one weekday (a bus ticket each Monday) is not told from a subscription.
    Two subscriptions at one merchant with the same price and day are found as one. Refunds and rows
    without merchant and text are left out.

    Args:
        transactions: of one customer, in any order; what lies after ``today`` is left out.
        today: the day on which it is asked.
        aliases: plain name of a merchant by the name that it is written with, over the rules.
    """
    shops: dict[str, list[Transaction]] = defaultdict(list)
    for row in transactions:
        if row.cents > 0 and row.day <= today and (row.merchant or row.text):
            shops[canonical(row.merchant or row.text, aliases)].append(row)
    found = [
        _described(name, [rows[place] for place in chain.places], chain, today)
        for name, rows in shops.items()
        for rows in [sorted(rows, key=lambda r: (r.day, r.cents, r.mcc, r.merchant, r.text))]
        for chain in _chains(rows)
    ]
    return tuple(sorted(found, key=lambda s: (-s.yearly_cents, s.merchant, s.days, s.prices)))


def _chains(rows: Sequence[Transaction]) -> list[_Chain]:
    """Chains of one merchant's payments, the surest first; no payment is in two."""
    bar = _BAR + log(len(rows)) - (_HABIT if kind_of(rows[0].mcc).bills else 0.0)
    left, found = list(range(len(rows))), []
    while len(left) > 1:
        shop = _Shop([rows[place] for place in left])
        chains = [chain for period in PERIODS if (chain := shop.best(period))]
        best = max(chains, key=lambda chain: (chain.evidence, chain.period), default=None)
        if best is None or best.evidence < bar:
            break
        places = tuple(left[place] for place in best.places)
        found.append(_Chain(best.evidence, best.period, places, best.missed))
        left = [place for place in left if place not in set(places)]
    return found


@dataclass(frozen=True, slots=True)
class _Link:
    """To the payment before: its place, payments missed between, days off the expected day."""

    there: int
    skipped: int
    off: int


@dataclass(frozen=True, slots=True)
class _Way:
    """A chain up to some payment, by its last link."""

    evidence: float
    before: _Way | None = None
    link: _Link | None = None


class _Shop:
    """One merchant's payments by day, and how likely they come near each other by chance."""

    def __init__(self, rows: Sequence[Transaction]) -> None:
        self._days = [row.day for row in rows]
        self._prices = [log(row.cents) for row in rows]
        self._ordered = sorted(self._prices)
        self._span = (self._days[-1] - self._days[0]).days

    def best(self, period: Period) -> _Chain | None:
        """The chain of that rhythm with the most evidence, of those that are long enough."""
        rhythm, count = _RHYTHMS[period], len(self._days)
        # Of the chains that end here the best, by how many links they have (the last: or more).
        best: list[list[_Way]] = []
        for here in range(count):
            ways = [_Way(0.0)] + [_Way(float("-inf"))] * (rhythm.least - 1)
            for link in self._links(rhythm, here):
                worth = self._worth(rhythm, link.there, here, link.skipped, link.off)
                for number, way in enumerate(best[link.there]):
                    longer = min(number + 1, rhythm.least - 1)
                    if way.evidence + worth > ways[longer].evidence:
                        ways[longer] = _Way(way.evidence + worth, way, link)
            best.append(ways)
        end = max(range(count), key=lambda place: (best[place][-1].evidence, -place))
        if best[end][-1].link is None:
            return None
        links = _walked(best[end][-1])
        places = (*(link.there for link in links), end)
        missed = sum(link.skipped for link in links)
        if 2 * missed > len(links):  # every second month is no monthly rhythm
            return None
        evidence = self._judged(rhythm, places, links)
        return _Chain(evidence, period, places, missed)

    def _links(self, rhythm: _Rhythm, here: int) -> Iterable[_Link]:
        """Payments that this one may follow."""
        for times in range(1, _SKIPS + 1):
            due = rhythm.after(self._days[here], -times)
            slack = timedelta(days=rhythm.slack)
            first = bisect_left(self._days, due - slack)
            behind = min(here, bisect_right(self._days, due + slack))
            for there in range(first, behind):
                if abs(self._prices[here] - self._prices[there]) <= _DRIFT:
                    # Months differ in length: the 31st after the 28th is as good as the 28th.
                    back = abs((self._days[there] - due).days)
                    ahead = rhythm.after(self._days[there], times) - self._days[here]
                    yield _Link(there, times - 1, min(back, abs(ahead.days)))

    def _worth(
        self, rhythm: _Rhythm, there: int, here: int, skipped: int, off: int, crowd: int = 0
    ) -> float:
        """Evidence of a link; ``crowd`` are payments outside the chain with so near a price."""
        apart = abs(self._prices[here] - self._prices[there]) + _ALIKE
        alike = max(float(crowd), len(self._days) * min(1.0, 2 * apart / _SPREAD))
        expected = alike / (self._span + rhythm.days) * (2 * off + 1)
        return -log(1 - exp(-expected)) - _TAX - _SKIP_COST * skipped

    def _judged(self, rhythm: _Rhythm, places: Sequence[int], links: Sequence[_Link]) -> float:
        """Evidence of a chain beside the merchant's other payments, once it is known which."""
        inside = set(places)
        others = sorted(p for place, p in enumerate(self._prices) if place not in inside)
        total = 0.0
        for there, here, link in zip(places, places[1:], links, strict=False):
            low, high = sorted((self._prices[there], self._prices[here]))
            crowd = bisect_right(others, high + _ALIKE) - bisect_left(others, low - _ALIKE)
            total += self._worth(rhythm, there, here, link.skipped, link.off, crowd)
        return total


def _walked(way: _Way) -> list[_Link]:
    """The links of a chain from its beginning on."""
    found = []
    while way.link is not None and way.before is not None:
        found.append(way.link)
        way = way.before
    return found[::-1]


def _described(name: str, rows: Sequence[Transaction], chain: _Chain, today: date) -> Subscription:
    rhythm = _RHYTHMS[chain.period]
    days = tuple(row.day for row in rows)
    prices = tuple(row.cents for row in rows)
    grace = timedelta(days=rhythm.grace)
    due = _due(rhythm, days, 1)
    late = sum(today > _due(rhythm, days, times) + grace for times in (1, 2))
    status = _STATUSES[late]
    following = None if status == "cancelled" else (due if late == 0 else _due(rhythm, days, 2))
    pairs = zip(days[1:], prices, prices[1:], strict=False)
    return Subscription(
        merchant=name,
        names=tuple(sorted({row.merchant or row.text for row in rows})),
        mcc=rows[-1].mcc,
        period=chain.period,
        cents=prices[-1],
        yearly_cents=prices[-1] * rhythm.a_year,
        days=days,
        prices=prices,
        changes=tuple(PriceChange(day, old, new) for day, old, new in pairs if old != new),
        missed=chain.missed,
        status=status,
        next_due=following,
        evidence=round(chain.evidence, 3),
    )


def _due(rhythm: _Rhythm, days: Sequence[date], times: int) -> date:
    """When the payment is due that is so many periods after the last; a 31st stays a 31st."""
    due = rhythm.after(days[-1], times)
    if not rhythm.months:
        return due
    usual = max(days[-3:], key=lambda day: day.day).day
    shown = add_months(due.replace(day=1), 1) - timedelta(days=1)
    return due.replace(day=min(usual, shown.day)) if usual >= 28 else due


def occurrences(found: Subscription, after: date, until: date) -> tuple[date, ...]:
    """The days after one day and up to another on which payments are expected.

    A payment that is late is expected on its next regular day; a cancelled subscription has none.
    """
    rhythm = _RHYTHMS[found.period]
    days, times = [], 1
    while found.next_due is not None and (due := _due(rhythm, found.days, times)) <= until:
        if due > after and due >= found.next_due:
            days.append(due)
        times += 1
    return tuple(days)
