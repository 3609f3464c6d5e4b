"""Financial health: a score of 0 to 100 from five parts, what changes it, and who is alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from models.finance.ledger import MonthFlow, ordered_months
from models.finance.money import MOST_CENTS, amount, checked, share_out, tenths

__all__ = [
    "WEIGHTS",
    "Advice",
    "GoalState",
    "Health",
    "HealthInput",
    "Part",
    "PartName",
    "PeriodScore",
    "Trends",
    "health_score",
    "health_trends",
]

PartName = Literal[
    "savings_rate", "expense_consistency", "emergency_fund", "debt_to_income", "goal_progress"
]
WEIGHTS: Final[dict[PartName, int]] = {
    "savings_rate": 30,
    "expense_consistency": 25,
    "emergency_fund": 20,
    "debt_to_income": 15,
    "goal_progress": 10,
}

_WINDOW: Final = 6  # months that count: long enough for a quarterly bill, short enough to move
_FEWEST: Final = 3  # months before spending can be called consistent
_FULL_RATE: Final = Fraction(20, 100)
_FULL_MONTHS: Final = 6
_WORST_EXCESS: Final = Fraction(1, 5)
_GOOD_DEBT, _WORST_DEBT = Fraction(15, 100), Fraction(43, 100)
_STEADY: Final = Decimal(2)  # points that a score moves without anything having changed

Direction = Literal["up", "down", "steady"]


@dataclass(frozen=True, slots=True)
class GoalState:
    """A goal under way, cents. ``expected`` is what ought to be saved by now, above zero."""

    saved: int
    expected: int

    def __post_init__(self) -> None:
        checked("what is saved for the goal", self.saved, least=0)
        checked("what ought to be saved for the goal by now", self.expected, least=1)


@dataclass(frozen=True, slots=True)
class HealthInput:
    """What a score is made from; a part whose figure is None is left out.

    ``months`` are whole months without a gap, in any order. ``liquid`` is what could be spent today
    (accounts, no investments), ``debt_payment`` what loans and cards cost a month (interest and
    repayment); both cents. ``goals`` may be empty.
    """

    months: Sequence[MonthFlow]
    liquid: int | None = None
    debt_payment: int | None = None
    goals: Sequence[GoalState] = ()

    def __post_init__(self) -> None:
        if self.liquid is not None:
            checked("what is saved", self.liquid)
        if self.debt_payment is not None:
            checked("the monthly payment for debts", self.debt_payment, least=0)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the score: ``points`` of ``weight``, both None and 0 when it is not known.

    ``value`` is the figure behind it as a ratio (months for the emergency fund), ``reason`` says it
    in words.
    """

    name: PartName
    weight: Decimal
    points: Decimal | None
    value: Decimal | None
    reason: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a part, and how many points there are to gain."""

    part: PartName
    points: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class Health:
    """The score (None when no part is known), its parts, and advice by points to gain."""

    score: Decimal | None
    parts: tuple[Part, ...]
    advice: tuple[Advice, ...]
    months: int


@dataclass(frozen=True, slots=True)
class _Known:
    """Share of a part's weight, 0 to 1, and the figure behind it."""

    share: Fraction
    value: Fraction
    reason: str


def health_score(given: HealthInput) -> Health:
    """Score the last six whole months, 0 to 100.

    =====================  ======  ===========================================================
    part                   weight  share of the weight
    =====================  ======  ===========================================================
    savings rate           30      ``(income - spent) / income / 20 %``
    expense consistency    25      ``1 - excess / (20 % of income)``; excess = mean over months of
                                   what was spent beyond the usual; of three months or more
    emergency fund         20      ``liquid / mean monthly spending / 6``
    debt to income         15      1 up to 15 % of income, 0 from 43 % on, linear between
    goal progress          10      mean over goals of ``saved / expected by now``
    =====================  ======  ===========================================================

    The usual is a month's mean spending, but at least 80 % of the mean income (a month that leaves
    a fifth of it is no worry) and at most all of it. Each share is cut off at 0 and 1. When a part
    is not known its weight goes to the others in proportion, so that 100 stays within reach. The
    score is rounded to tenths; points are rounded so that they add up to it. Without any income or
    spending there is no score.

    **Rises with savings**: more income in any month, less spending in any month, more liquid
    money, a lower payment for debts, more saved for a goal: none can lower the score. A month of
    less spending lowers the mean and so makes other months stand out: by at most ``25 / (20 % *
    income * n)`` points a cent, while between 80 and 100 % of income the savings rate gains ``30 /
    (20 % * income * n)``; outside of that the usual does not move.

    **Source.** 20 %: Warren and Tyagi, "All Your Worth" (2005). Six months' expenses: the upper end
    of the three to six that the US Consumer Financial Protection Bureau names. 43 %: the limit of a
    qualified mortgage in Regulation Z, 12 CFR 1026.43 as of 2014. The weights are the product's, as
    are the 15 % and the 20 % of excess: about where normally distributed months with a standard
    deviation of half their mean stand when all income is spent (their mean excess is 0.4 of it).

    **Limits.** A heuristic, not a credit score. It knows the cards' spending alone: rent paid by
    transfer flatters the savings rate unless it is in the months.

    Raises:
        UsageProblem: a month is there twice, or one is missing.
    """
    months = ordered_months(given.months)[-_WINDOW:]
    found: dict[PartName, _Known | str] = {
        "savings_rate": _savings_rate(months),
        "expense_consistency": _consistency(months),
        "emergency_fund": _fund(months, given.liquid),
        "debt_to_income": _debt(months, given.debt_payment),
        "goal_progress": _goals(given.goals),
    }
    income, spent = _sums(months)
    if income == 0 and spent <= 0:
        nothing = "neither income nor spending is known"
        found = {name: one if isinstance(one, str) else nothing for name, one in found.items()}
    known = {name: one for name, one in found.items() if isinstance(one, _Known)}
    weights = dict.fromkeys(WEIGHTS, 0)
    if known:
        shared = share_out(1000, [WEIGHTS[name] for name in known])
        weights |= dict(zip(known, shared, strict=True))
    points = _add_up({name: one.share * weights[name] for name, one in known.items()})
    parts = tuple(
        Part(
            name, Decimal(weights[name]) / 10, points.get(name),
            _quantized(one.value) if isinstance(one, _Known) else None,
            one.reason if isinstance(one, _Known) else one,
        )
        for name, one in found.items()
    )  # fmt: skip
    score = sum(points.values(), Decimal("0.0")) if points else None
    return Health(score, parts, _advice(parts, months, given), len(months))


def _add_up(exact: dict[PartName, Fraction]) -> dict[PartName, Decimal]:
    """Tenths of points that add up to their rounded sum; each is rounded down or up."""
    down = {name: int(points) for name, points in exact.items()}
    total = int(sum(exact.values(), Fraction(0)) + Fraction(1, 2))
    order = sorted(exact, key=lambda name: (down[name] - exact[name], name))
    for name in order[: total - sum(down.values())]:
        down[name] += 1
    return {name: Decimal(points) / 10 for name, points in down.items()}


def _quantized(value: Fraction) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal("0.0001")) if abs(exact) < 10**20 else exact


def _cut(share: Fraction) -> Fraction:
    return min(Fraction(1), max(Fraction(0), share))


def _sums(months: Sequence[MonthFlow]) -> tuple[int, int]:
    return sum(m.income for m in months), sum(m.spent for m in months)


def _percent(share: Fraction) -> str:
    return f"{tenths(100 * share)} %"


def _savings_rate(months: Sequence[MonthFlow]) -> _Known | str:
    if not months:
        return "no whole month is known"
    income, spent = _sums(months)
    if income == 0:
        return _Known(Fraction(0), Fraction(0), "nothing came in; it was drawn from savings")
    rate = Fraction(income - spent, income)
    return _Known(_cut(rate / _FULL_RATE), rate, f"{_percent(rate)} of the income was left")


def _consistency(months: Sequence[MonthFlow]) -> _Known | str:
    count = len(months)
    if count < _FEWEST:
        return f"{count} whole months are known; {_FEWEST} are needed"
    income, spent = _sums(months)
    usual = min(
        max(Fraction(spent, count), (1 - _FULL_RATE) * income / count), Fraction(income, count)
    )
    excess = sum((max(Fraction(0), month.spent - usual) for month in months), Fraction(0))
    if income == 0:
        return _Known(Fraction(0), Fraction(0), "all spending is beyond an income of nothing")
    share = excess / income
    reason = f"spending beyond the usual month takes {_percent(share)} of the income"
    return _Known(_cut(1 - share / _WORST_EXCESS), share, reason)


def _fund(months: Sequence[MonthFlow], liquid: int | None) -> _Known | str:
    if liquid is None:
        return "what is saved is not known"
    if not months:
        return "no whole month is known"
    spent = _sums(months)[1]
    if spent <= 0:
        lasts = Fraction(_FULL_MONTHS if liquid >= 0 else 0)
        return _Known(lasts / _FULL_MONTHS, lasts, "no spending that it would have to cover")
    lasts = Fraction(liquid * len(months), spent)
    return _Known(_cut(lasts / _FULL_MONTHS), lasts, f"it lasts for {tenths(lasts)} months")


def _debt(months: Sequence[MonthFlow], payment: int | None) -> _Known | str:
    if payment is None:
        return "what debts cost a month is not known"
    income = _sums(months)[0]
    if payment == 0:
        return _Known(Fraction(1), Fraction(0), "no debts to pay")
    if not months:
        return "no whole month is known"
    if income == 0:
        return _Known(Fraction(0), Fraction(1), "debts are paid, and nothing came in")
    ratio = Fraction(payment * len(months), income)
    share = _cut((_WORST_DEBT - ratio) / (_WORST_DEBT - _GOOD_DEBT))
    return _Known(share, ratio, f"debts take {_percent(ratio)} of the income")


def _goals(goals: Sequence[GoalState]) -> _Known | str:
    if not goals:
        return "no goal is set"
    shares = [_cut(Fraction(goal.saved, goal.expected)) for goal in goals]
    mean = sum(shares, Fraction(0)) / len(shares)
    return _Known(mean, mean, f"{_percent(mean)} of what ought to be saved by now")


def _advice(
    parts: Sequence[Part], months: Sequence[MonthFlow], given: HealthInput
) -> tuple[Advice, ...]:
    """What each part is short of, in money where there is a sum to name."""
    income, spent = _sums(months)
    count = max(1, len(months))
    fund = max(0, _FULL_MONTHS * spent // count - (given.liquid or 0))
    texts: dict[PartName, str] = {
        "savings_rate": f"Save {amount(max(0, -(-income // 5) - income + spent) // count)} a month"
        " more: a fifth of the income is the aim.",
        "expense_consistency": "Set money aside each month for what comes a few times a year.",
        "emergency_fund": f"Put {amount(fund)} more aside in all: six months of spending.",
        "debt_to_income": "Pay off the dearest debt first, until debts take 15 % of the income.",
        "goal_progress": "Raise the monthly amount of the goal that is furthest behind.",
    }
    left = [(part.weight - part.points, part) for part in parts if part.points is not None]
    gains = [Advice(part.name, gain, texts[part.name]) for gain, part in left if gain > 0]
    return tuple(sorted(gains, key=lambda advice: -advice.points))


@dataclass(frozen=True, slots=True)
class PeriodScore:
    """The score as it stood after a month or a quarter; ``change`` is against the one before."""

    first: date
    score: Decimal
    change: Decimal | None


@dataclass(frozen=True, slots=True)
class Trends:
    """Scores by month and by whole calendar quarter, oldest first.

    ``direction`` compares the last month with the mean of the three before it.
    """

    months: tuple[PeriodScore, ...]
    quarters: tuple[PeriodScore, ...]
    direction: Direction | None


def health_trends(given: HealthInput) -> Trends:
    """The score after each month from the third on, month over month and quarter over quarter.

    Liquid money of earlier months is rolled back: today's less what was saved since. Debts and
    goals of earlier months are not known, so both parts are left out of all scores here, and the
    last month's need not be :func:`health_score`'s. A quarter's score is the mean of its three
    months; a quarter that is not whole is left out. ``direction`` is ``steady`` within 2 points.

    Raises:
        UsageProblem: a month is there twice, or one is missing.
    """
    months = ordered_months(given.months)
    scored: list[tuple[date, Decimal]] = []
    for behind in range(_FEWEST, len(months) + 1):
        since = sum(flow.saved for flow in months[behind:])
        liquid = given.liquid
        if liquid is not None:
            liquid = min(MOST_CENTS, max(-MOST_CENTS, liquid - since))
        then = replace(given, months=months[:behind], liquid=liquid, debt_payment=None, goals=())
        score = health_score(then).score
        if score is not None:
            scored.append((months[behind - 1].month, score))
    quarters: dict[date, list[Decimal]] = {}
    for month, score in scored:
        first = month.replace(month=(month.month - 1) // 3 * 3 + 1)
        quarters.setdefault(first, []).append(score)
    means = [(first, _mean(scores)) for first, scores in quarters.items() if len(scores) == 3]
    return Trends(_changes(scored), _changes(means), _direction([s for _, s in scored]))


def _mean(scores: Sequence[Decimal]) -> Decimal:
    return tenths(sum(map(Fraction, scores), Fraction(0)) / len(scores))


def _changes(scores: Sequence[tuple[date, Decimal]]) -> tuple[PeriodScore, ...]:
    before = [None, *(score for _, score in scores)]
    return tuple(
        PeriodScore(first, score, None if old is None else score - old)
        for (first, score), old in zip(scores, before, strict=False)
    )


def _direction(scores: Sequence[Decimal]) -> Direction | None:
    if len(scores) < 2:
        return None
    moved = scores[-1] - _mean(scores[-4:-1])
    if abs(moved) <= _STEADY:
        return "steady"
    return "up" if moved > 0 else "down"
