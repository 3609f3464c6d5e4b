"""A monthly budget: 50/30/20, moved by goals and by what cannot be put off, by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finlake.errors import UsageProblem
from models.finance.money import amount, checked, share_out
from models.finance.spending import Kind, kinds

__all__ = ["Budget", "Line", "recommend_budget"]

_SHARES = (50, 30, 20)
_LEAST_WANTS = 10  # percent of income; a budget without any pleasure is not kept


@dataclass(frozen=True, slots=True)
class Line:
    """What a group may cost a month, cents; ``usual`` is its mean so far."""

    group: str
    kind: Kind
    budget: int
    usual: int


@dataclass(frozen=True, slots=True)
class Budget:
    """A month's budget in cents: needs, wants and saving add up to ``income`` exactly.

    The lines of a kind add up to it too. ``goal_gap`` is what the goals ask for beyond ``saving``;
    ``needs_gap`` by how much usual needs exceed ``needs``. ``reasons`` say in words what was moved.
    """

    income: int
    needs: int
    wants: int
    saving: int
    lines: tuple[Line, ...]
    goal_gap: int
    needs_gap: int
    reasons: tuple[str, ...]


def recommend_budget(
    income: int, spent: Mapping[str, Sequence[int]] | None = None, goals: int = 0
) -> Budget:
    """Share a monthly income out to needs, wants and saving, and on to groups.

    **Formula.** Half, 30 % and 20 % by the largest remainder. Then, in this order:

    1. Usual needs above half: needs get them; wants pay down to 10 % of income, then saving.
    2. Goals above the saving: wants pay down to 10 % of income, then needs down to what is usual.

    Wants are what is left. Within a kind each group gets its share of usual spending (the sum over
    the months), by the largest remainder; a group whose refunds exceed its spending gets nothing.
    A kind without spending so far is one line, ``unassigned``.

    **Source.** Warren and Tyagi, "All Your Worth" (2005): 50/30/20. The order and the 10 % are the
    product's.

    **Limits.** 50/30/20 takes income after tax. Past spending is no proof of need: a group that is
    too dear stays as dear in proportion; :func:`models.finance.saving_plan.optimise` cuts.

    Args:
        income: a month's, cents, above zero.
        spent: net spending by group, cents for each of the same months
            (:func:`models.finance.spending.by_group`); the mean of all given months is usual.
        goals: what all goals together need a month, cents.

    Raises:
        UsageProblem: income is not above zero, goals are negative, or groups have different months.
    """
    checked("the monthly income", income, least=1)
    checked("what goals need a month", goals, least=0)
    spent = spent or {}
    lengths = {len(months) for months in spent.values()}
    if len(lengths) > 1 or 0 in lengths:
        raise UsageProblem(
            "each group needs one figure for each of the same months, zeros included"
        )
    months = next(iter(lengths), 1)
    sums = {group: max(0, sum(spent[group])) for group in sorted(spent)}
    usual_needs = -(-_of(sums, "need") // months)
    needs, wants, saving = share_out(income, _SHARES)
    reasons = []
    floor = income * _LEAST_WANTS // 100
    if usual_needs > needs:
        extra = min(usual_needs - needs, wants - floor + saving)
        from_wants = min(extra, wants - floor)
        needs, wants, saving = needs + extra, wants - from_wants, saving - extra + from_wants
        reasons.append(
            f"needs are usually {amount(usual_needs)}, more than half of the income:"
            f" {amount(from_wants)} came from wants, {amount(extra - from_wants)} from saving"
        )
    if goals > saving:
        from_wants = min(goals - saving, wants - floor)
        from_needs = 0
        if sums:  # without a history nobody knows what can be spared
            from_needs = min(goals - saving - from_wants, max(0, needs - usual_needs))
        wants, needs, saving = (
            wants - from_wants,
            needs - from_needs,
            saving + from_wants + from_needs,
        )
        reasons.append(
            f"goals need {amount(goals)} a month: {amount(from_wants)} came from wants,"
            f" {amount(from_needs)} from needs"
        )
    lines: list[Line] = []
    for kind, total in (("need", needs), ("want", wants), ("saving", saving)):
        lines += _lines(kind, total, sums, months)  # type: ignore[arg-type]
    goal_gap, needs_gap = max(0, goals - saving), max(0, usual_needs - needs)
    if goal_gap:
        reasons.append(f"goals stay {amount(goal_gap)} a month short; stretch or lower one")
    if needs_gap:
        reasons.append(f"needs stay {amount(needs_gap)} a month above what the income allows")
    return Budget(income, needs, wants, saving, tuple(lines), goal_gap, needs_gap, tuple(reasons))


def _of(sums: Mapping[str, int], kind: Kind) -> int:
    table = kinds()
    return sum(cents for group, cents in sums.items() if table.get(group, "want") == kind)


def _lines(kind: Kind, total: int, sums: Mapping[str, int], months: int) -> list[Line]:
    table = kinds()
    own = [group for group in sums if table.get(group, "want") == kind and sums[group] > 0]
    if not own:
        return [Line("unassigned", kind, total, 0)]
    parts = share_out(total, [sums[group] for group in own])
    return [
        Line(group, kind, part, sums[group] // months)
        for group, part in zip(own, parts, strict=True)
    ]
