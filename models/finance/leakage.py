"""Where money leaks: groups whose months differ so much that nobody can have planned them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Final

from finlake.errors import UsageProblem
from models.finance.money import amount, rounded, variation
from models.finance.spending import Kind, kinds

__all__ = ["Leak", "find_leaks"]

_FEWEST: Final = 3
_CV: Final = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Leak:
    """A group that leaks, cents a month: its mean, its median, and what lies above the median.

    ``cv`` is the standard deviation (n - 1) over the mean.
    """

    group: str
    kind: Kind
    mean: int
    usual: int
    leak: int
    cv: Decimal
    reason: str


def find_leaks(spent: Mapping[str, Sequence[int]]) -> tuple[Leak, ...]:
    """Groups with high variance from month to month, the largest leak first.

    **Formula.** A group leaks when its coefficient of variation is 0.5 or more. The leak is the
    mean over months of ``max(0, spent - median)``: what a month costs beyond the usual one. Groups
    of kind ``saving`` never leak.

    **Source.** The coefficient of variation is Pearson's; the threshold is the product's:
    months that differ by half their mean.

    **Limits.** Needs three months. What is due a few times a year (insurance, travel) leaks by this
    measure; ``kind`` tells needs from wants, and subscriptions are better found by name.

    Args:
        spent: net spending by group, cents for each of the same months.

    Raises:
        UsageProblem: groups have different numbers of months.
    """
    if len({len(months) for months in spent.values()}) > 1:
        raise UsageProblem(
            "each group needs one figure for each of the same months, zeros included"
        )
    table = kinds()
    found = []
    for group, months in spent.items():
        kind = table.get(group, "want")
        count, total = len(months), sum(months)
        if count < _FEWEST or total <= 0 or kind == "saving":
            continue
        mean = Fraction(total, count)
        cv = variation(months)
        usual = Fraction(median(map(Fraction, months)))
        leak = rounded(sum((max(Fraction(0), c - usual) for c in months), Fraction(0)) / count)
        if cv < _CV or leak == 0:
            continue
        reason = (
            f"usually {amount(rounded(usual))} a month, up to {amount(max(months))};"
            f" {amount(leak)} a month above the usual"
        )
        found.append(
            Leak(
                group,
                kind,
                rounded(mean),
                rounded(usual),
                leak,
                cv.quantize(Decimal("0.01")),
                reason,
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.leak, one.group)))
