"""Fraud rules over one card's uses.

A rule looks at a use and at earlier uses of the same card, in order of event time and transaction
number, never at arrival. So the alerts of a card are a function of its live transactions: late and
corrected transactions change them as if they had been there in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from stream_jobs.transforms.places import distance_km, is_abroad
from stream_jobs.transforms.uses import Place, Use, Uses, count_up_to, place_of

__all__ = ["SEVERITY", "Rules", "evaluate", "first_abroad_reason", "uses_of"]

_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US

SEVERITY = {
    "amount_over": "high",
    "card_testing": "high",
    "impossible_travel": "high",
    "first_abroad": "low",
    "declined_burst": "medium",
}


@dataclass(frozen=True)
class Rules:
    """Thresholds: money in US dollars, times as named; see the settings ``rule_*``."""

    amount_over: float
    testing_count: int
    testing_amount: float
    testing_minutes: int
    travel_kmh: float
    travel_min_km: float
    travel_hours: int
    declined_count: int
    declined_minutes: int

    @classmethod
    def of(cls, settings: object) -> Rules:
        """The thresholds as they are set."""
        return cls(**{f.name: getattr(settings, f"rule_{f.name}") for f in fields(cls)})

    @cached_property
    def testing_cents(self) -> int:
        """Up to how many cents a use is small."""
        return round(self.testing_amount * 100)

    @property
    def burst_us(self) -> int:
        """How far back the burst rules look, microseconds."""
        return max(self.testing_minutes, self.declined_minutes) * _MINUTE_US

    @property
    def travel_us(self) -> int:
        """How far back impossible travel looks, microseconds."""
        return self.travel_hours * _HOUR_US


def uses_of(wide: pa.Table) -> tuple[list[int], list[Use]]:
    """Card numbers and uses of wide transactions, row by row."""
    cents = pc.multiply(wide.column("amount"), pa.scalar(100, pa.int32())).cast(pa.int64())
    declined = pc.fill_null(pc.not_equal(wide.column("errors"), ""), False)
    physical = pc.invert(pc.starts_with(wide.column("use_chip"), "Online"))
    columns = [
        wide.column("ts").cast(pa.int64()),
        wide.column("id"),
        cents,
        declined,
        physical,
        wide.column("merchant_state"),
    ]
    rows = zip(*(c.to_pylist() for c in columns), strict=True)
    return wide.column("card_id").to_pylist(), list(map(Use._make, rows))


def evaluate(
    uses: Uses,
    positions: Iterable[int],
    rules: Rules,
    last_physical: Use | None,
    first_abroad: Place | None,
) -> dict[tuple[int, str], str]:
    """Alerts of the uses at these positions, and which is the first abroad if it is among the uses.

    They are (transaction, rule) to the reason.

    Args:
        uses: the card's uses; they reach back at least ``rules.burst_us`` before the
            first that is judged.
        positions: those to judge, rising.
        rules: thresholds.
        last_physical: the last use in person before ``uses``, if any.
        first_abroad: time and number of the card's first use abroad ever, if any.
    """
    found: dict[tuple[int, str], str] = {}
    for index in positions:
        use = uses[index]
        if use.cents > rules.amount_over * 100:
            found[use.id, "amount_over"] = (
                f"${use.cents / 100:,.2f} is above ${rules.amount_over:,.2f}"
            )
        if 0 < use.cents <= rules.testing_cents:
            since = use.ts - rules.testing_minutes * _MINUTE_US
            count = count_up_to(uses.small, since, use)
            if count >= rules.testing_count:
                found[use.id, "card_testing"] = (
                    f"{count} uses of at most ${rules.testing_amount:,.2f} "
                    f"within {rules.testing_minutes} minutes"
                )
        if use.declined:
            since = use.ts - rules.declined_minutes * _MINUTE_US
            count = count_up_to(uses.declined, since, use)
            if count >= rules.declined_count:
                found[use.id, "declined_burst"] = (
                    f"{count} declined uses within {rules.declined_minutes} minutes"
                )
        if use.physical:
            before = _last_physical(uses, index) or last_physical
            if before is not None and before.state != use.state:
                reason = _impossible(before, use, rules)
                if reason:
                    found[use.id, "impossible_travel"] = reason
    if first_abroad:
        # Whatever the positions, and for this rule alone: another use may be the first once a
        # change is made, and what else is found in this one has to be told before and after it.
        first = _at(uses, first_abroad)
        if first is not None and is_abroad(first.state):
            found[first.id, "first_abroad"] = first_abroad_reason(first.state)
    return found


def first_abroad_reason(state: str | None) -> str:
    """Why a first use abroad is one."""
    return f"first use of the card abroad, in {state}"


def _at(uses: Uses, place: Place) -> Use | None:
    index = uses.first_from(*place)
    return uses[index] if index < len(uses) and place_of(uses[index]) == place else None


def _last_physical(uses: Uses, index: int) -> Use | None:
    while index > 0:
        index -= 1
        if uses[index].physical:
            return uses[index]
    return None


def _impossible(before: Use, use: Use, rules: Rules) -> str | None:
    elapsed = use.ts - before.ts
    if elapsed > rules.travel_us or before.state is None or use.state is None:
        return None
    km = distance_km(before.state, use.state)
    if km is None or km < rules.travel_min_km:
        return None
    # Clocks of tills differ by a minute or so; nobody is faster than that lets us say.
    hours = max(elapsed, _MINUTE_US) / _HOUR_US
    if km / hours <= rules.travel_kmh:
        return None
    return (
        f"used in {before.state} and {elapsed / _MINUTE_US:,.0f} minutes later in {use.state}, "
        f"{km:,.0f} km away"
    )
