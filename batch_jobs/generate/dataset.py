"""A whole set, made in parts of consecutive days; each part can be made without the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from batch_jobs.generate.frauds import make_frauds
from batch_jobs.generate.habits import MINUTES, ONLINE_SHARE, Habits
from batch_jobs.generate.merchants import Merchants
from batch_jobs.generate.people import People
from batch_jobs.generate.plan import FIRST_ID, Plan
from batch_jobs.generate.rows import ONLINE, Rows, to_table
from batch_jobs.generate.subscriptions import Subscriptions
from lakehouse_schemas import contracts

__all__ = ["Dataset", "Part"]

Array = NDArray[Any]

_PART_ROWS = 200_000
_LABELLED = 0.67  # as in the Kaggle set; the rest has no label, which is not the same as No


class Part(NamedTuple):
    """Transactions of some days in order, and the labels that are known of them."""

    transactions: pa.Table
    labels: pa.Table


@dataclass(frozen=True)
class Dataset:
    """Everything that the parts are made from; small beside them."""

    plan: Plan
    people: People
    merchants: Merchants
    habits: Habits
    subscriptions: Subscriptions
    frauds: Rows
    ordinary: Array  # ordinary transactions by day
    total: Array  # all transactions by day
    online: float  # share of ordinary transactions
    edges: list[int]  # first day of each part, and the day behind the last

    @classmethod
    def make(cls, plan: Plan) -> Self:
        """Prepare the set; takes a second for the size of the Kaggle set."""
        people = People.make(plan)
        merchants = Merchants.make(plan)
        habits = Habits.make(plan, people, merchants)
        recurring = Subscriptions.make(habits)
        frauds = make_frauds(habits)
        special = np.bincount(frauds.minute // MINUTES, minlength=plan.days)
        online = int(np.count_nonzero(frauds.channel == ONLINE))
        for first in range(0, plan.days, 365):
            _, day = recurring.due(plan.start, first, min(first + 365, plan.days))
            special += np.bincount(day, minlength=plan.days)
            online += len(day)
        left = max(0, plan.transactions - int(special.sum()))
        ordinary = _shared_out(left, habits.day_weight)
        return cls(
            plan=plan,
            people=people,
            merchants=merchants,
            habits=habits,
            subscriptions=recurring,
            frauds=frauds,
            ordinary=ordinary,
            total=ordinary + special,
            online=max(0.0, ONLINE_SHARE * plan.transactions - online) / max(1, left),
            edges=_edges(ordinary + special),
        )

    @property
    def parts(self) -> int:
        """How many parts the set has."""
        return len(self.edges) - 1

    def part(self, number: int) -> Part:
        """Make one part; the same number always gives the same rows."""
        first, behind = self.edges[number], self.edges[number + 1]
        random = self.plan.random("part", number)
        ordinary = self.habits.ordinary(random, self.ordinary[first:behind], first, self.online)
        recurring = self.subscriptions.rows(random, self.habits, first, behind)
        window = np.searchsorted(self.frauds.minute, [first * MINUTES, behind * MINUTES])
        frauds = self.frauds.take(slice(*window.tolist()))
        rows = Rows.concatenate([ordinary, recurring, frauds])
        rows = rows.take(np.argsort(rows.minute, kind="stable"))
        first_id = FIRST_ID + int(self.total[:first].sum())
        start = int(np.datetime64(self.plan.start, "m").astype(int))
        table = to_table(rows, first_id, start, self.merchants)
        known = pa.array(random.random(len(rows)) < _LABELLED)
        labels = pa.table(
            {
                "transaction_id": table["id"].filter(known),
                "label": pa.array(["No", "Yes"])
                .take(pa.array(rows.fraud.astype(int)))
                .filter(known),
            },
            schema=contracts.get("source.fraud_labels").arrow_schema(),
        )
        return Part(table, labels)


def _shared_out(total: int, weights: Array) -> Array:
    """Whole numbers in proportion to the weights that add up to the total exactly."""
    exact = total * weights / weights.sum()
    whole: Array = np.floor(exact).astype(np.int64)
    missing = total - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return whole


def _edges(total: Array) -> list[int]:
    edges, rows = [0], 0
    for day, count in enumerate(total.tolist()):
        rows += count
        if rows >= _PART_ROWS:
            edges.append(day + 1)
            rows = 0
    if edges[-1] < len(total):
        edges.append(len(total))
    return edges
