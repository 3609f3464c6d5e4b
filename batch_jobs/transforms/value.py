"""What a customer is worth."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["future_value", "retention"]

Array = np.ndarray[Any, Any]

_MOST = 0.99  # of the retention: a customer for ever would be worth any sum


def retention(before: int, stayed: int) -> float:
    """Share of the customers of one year who came back in the next, at most 0.99.

    Args:
        before: customers with a purchase in the year before.
        stayed: those of them with a purchase in the year after it.
    """
    return min(_MOST, stayed / before) if before else 0.0


def future_value(yearly_spending: Array, margin: float, kept: float, discount: float) -> Array:
    """Margin to be expected from each customer from now on, discounted, in the unit of spending.

    ``m * r / (1 + i - r)``: a constant yearly margin *m*, a constant retention *r* and discount *i*
    over an unlimited time (Gupta and Lehmann, "Customers as Assets", Journal of Interactive
    Marketing 17(1), 2003). A customer who was paid back more than was spent is worth nothing more.

    Args:
        yearly_spending: of the last year.
        margin: share of spending that is earned.
        kept: retention a year, below 1.
        discount: a year, 0 or more.
    """
    found: Array = np.maximum(yearly_spending, 0) * margin * kept / (1 + discount - kept)
    return found
