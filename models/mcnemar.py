"""How likely a split of disagreements between two equally good models is."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["mcnemar"]


def mcnemar(one: int, other: int) -> float:
    """How likely a split of so many disagreements is, or a more uneven one, if it were by chance.

    The exact test of McNemar (1947), two-sided: a coin is thrown for each transaction that only one
    of two models judged rightly.
    """
    thrown, fewer = one + other, min(one, other)
    ways, every = 1, 1  # of throwing as few as that, each number of heads from the one before
    for heads in range(fewer):
        every = every * (thrown - heads) // (heads + 1)
        ways += every
    return min(1.0, float(Fraction(2 * ways, 2**thrown)))
