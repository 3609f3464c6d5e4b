"""Series of spending: sums of whole cents made into rows of equal steps, without gaps.

A step without a transaction is a step without spending: from the customer's first transaction on,
zero is the truth. Before it nothing is known, and a category's history begins with the customer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.forecasting.period import Period

__all__ = ["ALL", "Array", "Panel", "Spending", "prepare"]

Array = NDArray[Any]

ALL: Final = 0
"""Stands for all categories together."""

_YEAR = {"day": 365, "month": 12}
_CODES: Final = 100_000  # above every MCC
_OFTEN: Final = 12  # steps with spending in the last year that make a category a series of its own


@dataclass(frozen=True)
class Spending:
    """Net spending by customer, category and step, in any order; rows may repeat.

    ``customer``, ``category`` (MCC), ``step`` and ``cents`` are columns of one length.
    """

    customer: Array
    category: Array
    step: Array
    cents: Array


@dataclass(frozen=True)
class Panel:
    """Series side by side, all ending with the step ``last``.

    ``values`` has a row for each series and a column for each step, US dollars; of a row the last
    ``length`` columns are history and the others zero. ``category`` is an MCC or :data:`ALL`.
    """

    period: Period
    last: int
    customer: Array
    category: Array
    length: Array
    values: Array

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, rows: Array) -> Panel:
        """Some of the series."""
        return Panel(
            self.period, self.last, self.customer[rows], self.category[rows], self.length[rows],
            self.values[rows],
        )  # fmt: skip


def prepare(
    period: Period, spending: Spending, customers: Array, first: Array, last: int, memory: int
) -> Panel:
    """Series of every customer in all, and of the categories that each spends in often.

    Often is on twelve days (or in twelve months) of the last year; when the customer's history is
    shorter than a year, on as large a share of it, but at least twice. What is seldom counts in the
    customer's whole alone.

    Args:
        period: day or month.
        spending: what was spent; steps after ``last`` or before a customer's first are left out.
        customers: numbers of all customers, ascending, each once; one without spending has an
            empty series.
        first: the step of each customer's first transaction; above ``last`` when there is none.
        last: the last step, which has to be over.
        memory: how many steps to keep.
    """
    length = np.clip(last - first + 1, 0, memory).astype(np.int64)
    place = np.searchsorted(customers, spending.customer)
    place = np.minimum(place, max(0, len(customers) - 1))
    back = last - spending.step
    known = np.zeros(len(back), dtype=bool)
    if len(customers):
        known = (customers[place] == spending.customer) & (back >= 0) & (back < length[place])
    place, back = place[known], back[known]
    category, cents = spending.category[known].astype(np.int64), spending.cents[known]
    whole = _matrix(len(customers), memory, place, back, cents)
    # Steps of a customer's category, each once.
    cell, of = np.unique((place * _CODES + category) * memory + back, return_inverse=True)
    sums = np.bincount(of, weights=cents, minlength=len(cell)).astype(np.int64)
    pair, row = np.unique(cell // memory, return_inverse=True)
    owner, back = pair // _CODES, cell % memory
    year = np.minimum(_YEAR[period.name], length[owner])
    counts = (sums != 0) & (back < year[row])
    spent = np.bincount(row, weights=counts, minlength=len(pair))
    often = spent >= np.maximum(2, np.ceil(_OFTEN * year / _YEAR[period.name]))
    kept = often[row]
    position = np.cumsum(often) - 1
    parts = _matrix(int(often.sum()), memory, position[row[kept]], back[kept], sums[kept])
    return Panel(
        period,
        last,
        np.concatenate([customers, customers[owner[often]]]).astype(np.int64),
        np.concatenate([np.full(len(customers), ALL), pair[often] % _CODES]).astype(np.int64),
        np.concatenate([length, length[owner[often]]]),
        np.concatenate([whole, parts]) / 100.0,
    )


def _matrix(rows: int, memory: int, row: Array, back: Array, cents: Array) -> Array:
    place = row * memory + (memory - 1 - back)
    # Sums of whole cents stay exact in float64 up to 90 billion dollars.
    sums = np.bincount(place, weights=cents, minlength=rows * memory)
    return sums.reshape(rows, memory)
