"""The least painful cuts that reach a savings rate: a linear programme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from finlake.errors import FinlakeError, UsageProblem
from models.finance.money import amount, checked
from models.finance.spending import Kind, kinds

__all__ = ["Cut", "SavingPlan", "optimise"]

_MOST: Final[Mapping[Kind, Fraction]] = {
    "need": Fraction(10, 100), "want": Fraction(50, 100), "saving": Fraction(0),
}  # fmt: skip
_PAIN: Final[Mapping[Kind, int]] = {"need": 3, "want": 1, "saving": 0}
_STEPS: Final = 3


@dataclass(frozen=True, slots=True)
class Cut:
    """A group's spending now and as planned, cents a month; ``cut`` is the difference."""

    group: str
    kind: Kind
    now: int
    planned: int
    cut: int


@dataclass(frozen=True, slots=True)
class SavingPlan:
    """Cuts that reach a savings rate, cents a month.

    ``needed`` is what has to be cut, ``cut`` what is; less when it cannot be reached within what
    each group allows (``feasible`` is then false and ``rate`` is as far as it goes).
    """

    feasible: bool
    needed: int
    cut: int
    saved: int
    rate: Decimal
    cuts: tuple[Cut, ...]
    reason: str


def optimise(
    income: int,
    spent: Mapping[str, int],
    target: Decimal,
    most: Mapping[str, Decimal] | None = None,
) -> SavingPlan:
    """Cut spending with the least pain so that ``target`` of the income is saved.

    **Formula.** Each group may be cut by a share of its spending (wants 50 %, needs 10 %, or
    ``most``), in three equal pieces ``x_gk`` that hurt once, twice and three times as much a cent,
    needs thrice as much as wants::

        minimise   sum  pain(kind of g) * k * x_gk        k = 1, 2, 3
        subject to sum  x_gk >= target * income - (income - spending)
                   0 <= x_gk <= allowed_g / 3

    The pain is convex, so the pieces are taken in order and no group is cut to the bone while
    others are left alone. Solved by HiGHS (Huangfu and Hall, 2018) through
    :func:`scipy.optimize.linprog`; the solution is rounded down to cents and the cents missing are
    taken where they hurt least, so that the target is reached to the cent.

    **Limits.** The factors are conventions, not measured preferences; among equal solutions the
    solver's choice is deterministic and arbitrary. Groups at or below zero are left as they are.

    Args:
        income: a month's, cents, above zero.
        spent: a usual month by group, cents.
        target: savings rate wanted, 0 to 1.
        most: the share by which a group may be cut, 0 to 1, over the defaults.

    Raises:
        UsageProblem: an argument lies outside its bounds, or ``most`` names a group that is not
            there.
    """
    checked("the monthly income", income, least=1)
    if not (target.is_finite() and 0 <= target <= 1):
        raise UsageProblem(f"a savings rate of {target} cannot be reached; take one of 0 to 1")
    most = most or {}
    if unknown := sorted(set(most) - set(spent)):
        raise UsageProblem(f"there is no spending on {', '.join(unknown)} that could be cut")
    if any(not (share.is_finite() and 0 <= share <= 1) for share in most.values()):
        raise UsageProblem("a group can be cut by a share of 0 to 1; correct the others")
    groups = sorted(spent)
    now = [checked(f"the spending on {group}", spent[group]) for group in groups]
    table = kinds()
    kind = [table.get(group, "want") for group in groups]
    allowed = [
        int(max(0, cents) * Fraction(most.get(group, _MOST[k])))
        for group, cents, k in zip(groups, now, kind, strict=True)
    ]
    goal = -(-Fraction(target) * income // 1)
    needed = max(0, int(goal) - (income - sum(now)))
    feasible = needed <= sum(allowed)
    cuts = _solved(min(needed, sum(allowed)), allowed, [max(1, _PAIN[k]) for k in kind])
    saved = income - sum(now) + sum(cuts)
    return SavingPlan(
        feasible,
        needed,
        sum(cuts),
        saved,
        (Decimal(saved) / Decimal(income)).quantize(Decimal("0.0001")),
        tuple(
            Cut(g, k, cents, cents - cut, cut)
            for g, k, cents, cut in zip(groups, kind, now, cuts, strict=True)
        ),
        _reason(needed, sum(allowed)),
    )


def _reason(needed: int, allowed: int) -> str:
    if needed == 0:
        return "the target is reached without cuts"
    if needed <= allowed:
        return f"{amount(needed)} a month are cut where it hurts least"
    return f"{amount(needed)} a month would have to go, and {amount(allowed)} can be cut"


def _solved(needed: int, allowed: list[int], pain: list[int]) -> list[int]:
    """Cents cut from each group; they add up to what is needed."""
    if needed == 0 or not allowed:
        return [0] * len(allowed)
    from scipy.optimize import linprog  # large, and few plans need it

    pieces = [(g, k) for g in range(len(allowed)) for k in range(1, _STEPS + 1)]
    room = [allowed[g] * k // _STEPS - allowed[g] * (k - 1) // _STEPS for g, k in pieces]
    cost = np.array([pain[g] * k for g, k in pieces], dtype=float)
    # In shares of what is needed: the solver's tolerances are made for numbers near one.
    bounds = [(0.0, piece / needed) for piece in room]
    answer = linprog(cost, A_ub=[[-1.0] * len(pieces)], b_ub=[-1.0 + 1e-9], bounds=bounds)
    if answer.x is None:
        raise FinlakeError(f"the linear programme has no answer: {answer.message}")
    exact = [Fraction(float(share)) * needed for share in answer.x]
    whole = [min(piece, max(0, int(value))) for piece, value in zip(room, exact, strict=True)]
    # Rounding and tolerance are made good where a cent hurts least.
    order = sorted(range(len(pieces)), key=lambda i: (cost[i], i))
    for i in order:
        whole[i] += min(room[i] - whole[i], max(0, needed - sum(whole)))
    for i in reversed(order):
        whole[i] -= min(whole[i], max(0, sum(whole) - needed))
    cuts = [0] * len(allowed)
    for (group, _), cents in zip(pieces, whole, strict=True):
        cuts[group] += cents
    return cuts
