"""Few words at the right time: what to tell a customer now, and what was told too lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from finlake.errors import UsageProblem
from models.finance.money import amount, checked
from models.finance.opportunities import Opportunity
from models.finance.overspend import Outlook
from models.finance.subscriptions import Subscription

__all__ = ["COOL_DOWN", "Held", "Nudge", "NudgeKind", "Nudges", "Sent", "choose", "suggestions"]

NudgeKind = Literal["overspend", "upcoming_payment", "missed_payment", "opportunity", "milestone"]
COOL_DOWN: Final[dict[NudgeKind, int]] = {
    "overspend": 7,
    "upcoming_payment": 14,
    "missed_payment": 30,
    "opportunity": 30,
    "milestone": 365,
}
"""Days before the same is said again."""

_ORDER: Final = tuple(COOL_DOWN)  # what cannot wait comes first
_LONGEST: Final = 365
_AHEAD: Final = 5
_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Nudge:
    """Something to say. ``key`` names what it is about, ``worth`` cents are at stake."""

    kind: NudgeKind
    key: str
    worth: int
    text: str
    reason: str

    def __post_init__(self) -> None:
        checked(f"what is at stake in {self.key}", self.worth, least=0)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was said, when, and whether anything came of it."""

    kind: NudgeKind
    key: str
    day: date
    heeded: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A nudge that is not said today, from when on it may be, and why not."""

    nudge: Nudge
    until: date
    reason: str


@dataclass(frozen=True, slots=True)
class Nudges:
    """What to say today, in order, and what is held back."""

    say: tuple[Nudge, ...]
    held: tuple[Held, ...]


def choose(candidates: Iterable[Nudge], sent: Sequence[Sent], today: date, most: int = 3) -> Nudges:
    """Choose what to say: what cannot wait, then what is worth most; at most ``most`` a week.

    **Formula.** The same (kind and key) is said again after its cool-down
    (:data:`COOL_DOWN`), doubled for each time in a row that nothing came of it, a year at most. In
    seven days at most ``most`` are said; those of the last six count. Order: kind as in
    :data:`COOL_DOWN`, then ``worth``.

    **Source.** Exponential back-off, as of repeated requests in networks; the days are the
    product's.

    **Limits.** It does not learn what a customer heeds beyond the doubling. What was said on days
    after ``today`` is left out.

    Raises:
        UsageProblem: ``most`` is negative.
    """
    if most < 0:
        raise UsageProblem(f"{most} nudges a week cannot be said; take 0 or more")
    past = sorted((one for one in sent if one.day <= today), key=lambda one: (one.day, one.heeded))
    week = [one.day for one in past if one.day > today - timedelta(days=_WEEK)]
    distinct = {(one.kind, one.key, one.worth, one.text, one.reason): one for one in candidates}
    ordered = sorted(
        distinct.values(),
        key=lambda one: (_ORDER.index(one.kind), -one.worth, one.key, one.text, one.reason),
    )
    say: list[Nudge] = []
    held: list[Held] = []
    for one in ordered:
        told = [old for old in past if (old.kind, old.key) == (one.kind, one.key)]
        again = _again(one.kind, told)
        if again is not None and again > today:
            held.append(Held(one, again, f"said on {told[-1].day}, again from {again} on"))
        elif any((one.kind, one.key) == (other.kind, other.key) for other in say):
            until = today + timedelta(days=COOL_DOWN[one.kind])
            held.append(Held(one, until, "said today in other words"))
        elif len(week) + len(say) >= most:
            free = min(week, default=today) + timedelta(days=_WEEK)
            held.append(Held(one, free, f"{most} a week are enough"))
        else:
            say.append(one)
    return Nudges(tuple(say), tuple(held))


def _again(kind: NudgeKind, told: Sequence[Sent]) -> date | None:
    """From when on it may be said again; None when it never was."""
    if not told:
        return None
    unheeded = 0
    for one in reversed(told):
        if one.heeded:
            break
        unheeded += 1
    # The first time tells nothing yet: doubling begins with the second in a row.
    days = min(_LONGEST, COOL_DOWN[kind] * 2 ** min(10, max(0, unheeded - 1)))
    return told[-1].day + timedelta(days=days)


def suggestions(
    today: date,
    outlooks: Iterable[tuple[str, Outlook]] = (),
    subscriptions: Iterable[Subscription] = (),
    opportunities: Iterable[Opportunity] = (),
    milestones: Iterable[tuple[str, int]] = (),
) -> tuple[Nudge, ...]:
    """What there is to say of what the other insights found, in no order; :func:`choose` decides.

    Overspending that is likely or has happened; subscriptions due within 5 days or missed;
    opportunities worth anything; milestones just reached, as (goal, percent).
    """
    found: list[Nudge] = []
    for group, outlook in outlooks:
        if outlook.level in ("likely", "over"):
            beyond = max(0, outlook.expected - outlook.budget)
            text = f"{group}: {amount(outlook.spent)} of {amount(outlook.budget)} are spent"
            found.append(Nudge("overspend", group, beyond, text, outlook.reason))
    for one in subscriptions:
        key = f"{one.merchant} {one.period}"
        if one.status == "missed":
            text = f"{one.merchant}: the {one.period} payment did not come"
            found.append(Nudge("missed_payment", key, one.cents, text, f"paid last {one.days[-1]}"))
        elif one.next_due and today <= one.next_due <= today + timedelta(days=_AHEAD):
            text = f"{one.merchant}: {amount(one.cents)} are due on {one.next_due}"
            reason = f"{len(one.days)} {one.period} payments so far"
            found.append(Nudge("upcoming_payment", key, one.cents, text, reason))
    for chance in opportunities:
        if chance.yearly > 0:
            text = f"{amount(chance.yearly)} a year could be saved: {chance.key}"
            key = f"{chance.kind} {chance.key}"
            found.append(Nudge("opportunity", key, chance.yearly, text, chance.reason))
    for goal, percent in milestones:
        text = f"{goal}: {percent} % are there"
        found.append(Nudge("milestone", f"{goal} {percent}", 0, text, "a milestone was reached"))
    return tuple(found)
