"""Whole cents: bounds, shares that add up, rounding. No sum of money is ever a float."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

from finlake.errors import UsageProblem

__all__ = ["MOST_CENTS", "amount", "checked", "rounded", "share_out", "tenths", "variation"]

MOST_CENTS: Final = 10**15
"""Ten trillion dollars: larger amounts are taken for a mistake of units."""


def checked(name: str, cents: int, *, least: int = -MOST_CENTS) -> int:
    """The amount itself, when it is whole cents within bounds.

    Raises:
        UsageProblem: it is no whole number, below ``least`` or above :data:`MOST_CENTS`.
    """
    if isinstance(cents, bool) or not isinstance(cents, int):
        raise UsageProblem(f"{name} is {cents!r}; money is given in whole cents")
    if not least <= cents <= MOST_CENTS:
        raise UsageProblem(f"{name} is {cents} cents; it must lie in {least} to {MOST_CENTS}")
    return cents


def share_out(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Whole numbers in proportion to the weights that add up to the total exactly.

    Largest remainder method (Hamilton): everyone gets the whole part of their share, and what is
    left goes one by one to the largest remainders, the earlier first among equals. Equal parts when
    all weights are zero.

    Raises:
        UsageProblem: the total or a weight is negative, or there is nobody to share with.
    """
    if not weights or total < 0 or min(weights) < 0:
        raise UsageProblem(f"{total} cannot be shared out by the weights {list(weights)[:5]}")
    whole = sum(weights)
    if whole == 0:
        return share_out(total, [1] * len(weights))
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return tuple(parts)


def rounded(value: Fraction | Decimal) -> int:
    """The nearest whole number; halves go to the even one."""
    if isinstance(value, Fraction):
        return round(value)
    return int(value.to_integral_value(ROUND_HALF_EVEN))


def tenths(value: Fraction) -> Decimal:
    """The number to one decimal, halves away from zero."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal("0.1"), ROUND_HALF_UP)


def variation(values: Sequence[int]) -> Decimal:
    """Coefficient of variation: the standard deviation (n - 1) over the mean.

    Exact up to the root, so that twice the values vary exactly as much. Two values or more, and a
    mean above zero.
    """
    mean = Fraction(sum(values), len(values))
    squares = sum(((value - mean) ** 2 for value in values), Fraction(0))
    ratio = squares / (len(values) - 1) / mean**2
    return (Decimal(ratio.numerator) / Decimal(ratio.denominator)).sqrt()


def amount(cents: int) -> str:
    """Cents as people read them: ``1,234.50``."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"
