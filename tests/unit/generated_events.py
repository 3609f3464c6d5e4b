"""A generated set as gold tables, and as events."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import pyarrow as pa

from batch_jobs.generate.dataset import Dataset
from batch_jobs.generate.people import categories_table
from batch_jobs.generate.plan import Plan
from models.features import Events
from models.features.encode import Attributes, events_of
from stream_jobs.transforms.gold import fact_rows, wide


class Gold(NamedTuple):
    """What features are made from."""

    facts: pa.Table
    cards: pa.Table
    users: pa.Table
    categories: pa.Table

    def attributes(self) -> Attributes:
        return Attributes.of(self.cards, self.users, self.categories)

    def events(self) -> Events:
        return events_of(self.facts, self.attributes())


def gold(transactions: int, seed: int, start: date, end: date) -> Gold:
    """Transactions with their labels, cards, customers and categories as gold has them."""
    data = Dataset.make(Plan(transactions, seed, start, end))
    parts = [data.part(number) for number in range(data.parts)]
    rows = wide(
        _live(pa.concat_tables([part.transactions for part in parts])),
        _live(pa.concat_tables([part.labels for part in parts])),
    )
    return Gold(
        facts=fact_rows(rows),
        cards=_renamed(data.people.cards, {"id": "card_id", "client_id": "user_id"}),
        users=_renamed(data.people.users, {"id": "user_id"}),
        categories=categories_table(),
    )


def _live(table: pa.Table) -> pa.Table:
    return table.append_column("_is_deleted", pa.array([False] * table.num_rows))


def _renamed(table: pa.Table, names: dict[str, str]) -> pa.Table:
    return table.rename_columns([names.get(name, name) for name in table.column_names])
