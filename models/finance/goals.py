"""Goals: when they are reached, what it takes a month, milestones, and what else could be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

from finlake.errors import UsageProblem
from models.finance.ledger import add_months
from models.finance.money import MOST_CENTS, checked

__all__ = [
    "MOST_MONTHS",
    "Alternative",
    "Goal",
    "Milestone",
    "ReversePlan",
    "Timeline",
    "alternatives",
    "balances",
    "reverse_plan",
    "target_after",
    "timeline",
]

MOST_MONTHS: Final = 1200
_QUARTERS: Final = (25, 50, 75, 100)
_DIGITS: Final = 80  # a century's growth of the largest amount has 45 before the point


@dataclass(frozen=True, slots=True)
class Goal:
    """What is saved for, cents in money of ``start``.

    ``yearly_return`` is what savings earn, ``inflation`` by how much the target grows, both a year:
    0.05 is five percent. Both are 0 unless given.
    """

    target: int
    saved: int
    start: date
    yearly_return: Decimal = Decimal(0)
    inflation: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        checked("the goal's target", self.target, least=1)
        checked("what is saved for the goal", self.saved, least=0)
        for name, rate in (("return", self.yearly_return), ("inflation", self.inflation)):
            if not (rate.is_finite() and Decimal("-0.5") <= rate <= 1):
                raise UsageProblem(f"a yearly {name} of {rate} is none; take one of -0.5 to 1")


@dataclass(frozen=True, slots=True)
class Milestone:
    """When a share of the target is there: after how many months, on which day, with how much."""

    percent: int
    months: int
    day: date
    balance: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """How a goal comes about with a monthly amount; cents.

    ``months`` and ``day`` are None when it is not reached within a century, and ``reason`` says
    why. ``target`` is what it costs by then, ``paid_in`` the sum of the monthly amounts, ``earned``
    what returns added; all as of the last month that was looked at when it is not reached.
    """

    months: int | None
    day: date | None
    target: int
    balance: int
    paid_in: int
    earned: int
    milestones: tuple[Milestone, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class ReversePlan:
    """The least monthly amount that reaches the goal in time; with it, what comes of it."""

    monthly: int
    months: int
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to a goal that is out of reach: exactly one thing is changed.

    ``change`` is ``later``, ``more``, ``smaller`` or ``deposit``; the rest is the plan as it then
    is: months, monthly amount, target and what is put in at once, cents.
    """

    change: str
    months: int
    monthly: int
    target: int
    deposit: int
    text: str


class _Growth:
    """A yearly rate by the month: ``(1 + rate)^(1/12) - 1``."""

    def __init__(self, yearly: Decimal) -> None:
        with localcontext() as context:
            context.prec = _DIGITS
            self._factor = (1 + yearly) ** (Decimal(1) / 12) if yearly else Decimal(1)

    def earned(self, balance: int) -> int:
        """What a balance earns in a month, to the cent, halves to the even one."""
        if self._factor == 1:
            return 0
        with localcontext() as context:
            context.prec = _DIGITS
            return int((balance * (self._factor - 1)).to_integral_value(ROUND_HALF_EVEN))

    def after(self, cents: int, months: int) -> int:
        """An amount that has grown for so many months, rounded up to the cent."""
        if self._factor == 1:
            return cents
        with localcontext() as context:
            context.prec = _DIGITS
            # Twelve months must give the year's own factor: what is left of the root is cut off.
            exact = (cents * self._factor**months).quantize(Decimal("1e-12"))
            return int(exact.to_integral_value(ROUND_CEILING))


def target_after(goal: Goal, months: int) -> int:
    """What the goal costs after so many months of inflation, rounded up to the cent."""
    return _Growth(goal.inflation).after(goal.target, months)


def balances(goal: Goal, monthly: int, months: int) -> tuple[int, ...]:
    """What is saved at the start and after each month: returns first, then the monthly amount."""
    return _path(_Growth(goal.yearly_return), goal.saved, monthly, months)


def _path(growth: _Growth, saved: int, monthly: int, months: int) -> tuple[int, ...]:
    found = [saved]
    for _ in range(months):
        found.append(found[-1] + growth.earned(found[-1]) + monthly)
    return tuple(found)


def timeline(goal: Goal, monthly: int) -> Timeline:
    """When the goal is reached with a monthly amount, and its milestones.

    **Formula.** ``B_0 = saved``, ``B_n = B_{n-1} + round(B_{n-1} * i) + monthly`` with
    ``i = (1 + return)^(1/12) - 1``: payments at the end of each month (an ordinary annuity),
    returns rounded to the cent each month as a bank does. The goal is reached in the first month
    with ``B_n >= target * (1 + inflation)^(n/12)``; a milestone in the first month at which its
    share of that is there. Without inflation the month is the closed form's, ``ceil(ln((target * i
    + m) / (saved * i + m)) / ln(1 + i))``, but for a cent of rounding.

    **Source.** Any text on annuities: Broverman, "Mathematics of Investment and Credit", chapter 2.

    **Limits.** Rates stay the same; no taxes, no fees. Looked at for 1,200 months.

    Raises:
        UsageProblem: the monthly amount is negative.
    """
    checked("the monthly amount", monthly, least=0)
    growth, prices = _Growth(goal.yearly_return), _Growth(goal.inflation)
    balance, target, months = goal.saved, goal.target, 0
    milestones: list[Milestone] = []
    while True:
        due = _QUARTERS[len(milestones) :]
        for percent in due:
            if 100 * balance >= percent * target:
                day = add_months(goal.start, months)
                milestones.append(Milestone(percent, months, day, balance))
        if len(milestones) == len(_QUARTERS) or months == MOST_MONTHS:
            break
        if _hopeless(goal, monthly) or balance > MOST_CENTS * 1000:
            break
        months += 1
        balance += growth.earned(balance) + monthly
        target = prices.after(goal.target, months)
    reached = len(milestones) == len(_QUARTERS)
    return Timeline(
        months=months if reached else None,
        day=milestones[-1].day if reached else None,
        target=target,
        balance=balance,
        paid_in=monthly * months,
        earned=balance - goal.saved - monthly * months,
        milestones=tuple(milestones),
        reason=_reason(goal, monthly, reached, months),
    )


def _hopeless(goal: Goal, monthly: int) -> bool:
    """Nothing is added, and what there is does not outgrow the target."""
    idle = goal.saved == 0 or goal.yearly_return <= goal.inflation
    return monthly == 0 and idle and goal.saved < goal.target and goal.inflation >= 0


def _reason(goal: Goal, monthly: int, reached: bool, months: int) -> str:
    if reached:
        return "it is there already" if months == 0 else f"reached after {months} months"
    if monthly == 0 and _hopeless(goal, monthly):
        return "nothing is saved a month, and what there is does not outgrow the target"
    if goal.inflation > goal.yearly_return:
        return "the target outgrows the savings; save more or choose one that does not grow"
    return f"not within {MOST_MONTHS // 12} years; save more or choose a smaller target"


def reverse_plan(goal: Goal, months: int) -> ReversePlan:
    """The least monthly amount with which the goal is reached after so many months.

    **Formula.** The smallest whole number of cents ``m`` with ``B_months(m) >= target * (1 +
    inflation)^(months/12)``, found by bisection over the balances of :func:`timeline`, which rise
    with ``m``: so the plan reaches its goal to the cent, and one cent less a month does not.
    Without rounding it is ``m = (target' - saved * (1 + i)^n) * i / ((1 + i)^n - 1)``.

    **Limits.** As :func:`timeline`. With inflation above the return the goal may be there earlier
    for a moment and not at the end; what counts is the end.

    Raises:
        UsageProblem: months are not 1 to 1,200.
    """
    if not 1 <= months <= MOST_MONTHS:
        raise UsageProblem(f"{months} months are no term; take 1 to {MOST_MONTHS}")
    target = target_after(goal, months)

    def reaches(monthly: int) -> bool:
        return balances(goal, monthly, months)[-1] >= target

    low, high = -1, 0  # the first falls short, the second reaches it
    while not reaches(high):
        low, high = high, max(1, high * 2, -(-target // months))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return ReversePlan(high, months, timeline(goal, high) if high <= MOST_CENTS else _far(high))


def _far(monthly: int) -> Timeline:
    raise UsageProblem(
        f"it would take {monthly} cents a month, more than can be reckoned with; take longer"
    )


def alternatives(goal: Goal, monthly: int, months: int) -> tuple[Alternative, ...]:
    """Ways out when a monthly amount does not reach the goal in time; none when it does.

    Each changes one thing and keeps the others: a later day (if there is one within a century), the
    least higher amount, the largest target that is still reached, the least deposit at once. Each
    is checked by the balances of :func:`timeline`.

    Raises:
        UsageProblem: the monthly amount is negative, or months are not 1 to 1,200.
    """
    checked("the monthly amount", monthly, least=0)
    plan = reverse_plan(goal, months)
    if plan.monthly <= monthly:
        return ()
    found = []
    later = timeline(goal, monthly)
    if later.months is not None and later.months > months:
        text = f"{later.months - months} months later, on {later.day}"
        found.append(Alternative("later", later.months, monthly, goal.target, 0, text))
    text = "more each month"
    found.append(Alternative("more", months, plan.monthly, goal.target, 0, text))
    growth, prices = _Growth(goal.yearly_return), _Growth(goal.inflation)
    end = _path(growth, goal.saved, monthly, months)[-1]
    smaller = _largest(goal.target, lambda cents: prices.after(cents, months) <= end)
    if smaller > 0:
        text = f"{100 * smaller // goal.target} % of the target in time"
        found.append(Alternative("smaller", months, monthly, smaller, 0, text))
    cost = prices.after(goal.target, months)
    short = _largest(  # no return is below -50 % a year, so this much more is always enough
        cost * 2 ** (months // 12 + 1),
        lambda cents: _path(growth, goal.saved + cents, monthly, months)[-1] < cost,
    )
    text = "a deposit at once"
    found.append(Alternative("deposit", months, monthly, goal.target, short + 1, text))
    return tuple(found)


def _largest(most: int, holds: Callable[[int], bool]) -> int:
    """The largest number up to ``most`` that holds, as all smaller ones do; -1: none does."""
    low, high = -1, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
