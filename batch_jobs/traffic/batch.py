"""The changes of one database transaction, as data: they can be sent again after a broken line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

__all__ = ["Batch", "Money", "Place", "Transaction"]

Money = Decimal


class Place(NamedTuple):
    """A till or an online shop."""

    merchant_id: int
    merchant_city: str | None
    merchant_state: str | None
    zip: str | None
    mcc: int


class Transaction(NamedTuple):
    """A row of ``transactions``, columns in the table's order."""

    id: int
    date: datetime
    client_id: int
    card_id: int
    amount: Money
    use_chip: str
    merchant_id: int
    merchant_city: str | None
    merchant_state: str | None
    zip: str | None
    mcc: int
    errors: str | None


@dataclass
class Batch:
    """Changes by kind; each key occurs once in each kind.

    ``people`` are changes of ``users`` and ``cards`` by (table, column), then by key.
    """

    inserted: list[Transaction] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    amounts: dict[int, Money] = field(default_factory=dict)
    errors: dict[int, str | None] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)
    people: dict[tuple[str, str], dict[int, int | str | Money]] = field(default_factory=dict)
    deleted: list[int] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """How many rows it changes."""
        return (
            len(self.inserted)
            + len(self.labels)
            + len(self.amounts)
            + len(self.errors)
            + len(self.places)
            + sum(map(len, self.people.values()))
            + len(self.deleted)
        )

    def transaction_ids(self) -> tuple[int, ...]:
        """Transactions that it inserts, updates or deletes; each once."""
        touched = dict.fromkeys(row.id for row in self.inserted)
        for ids in (self.amounts, self.errors, self.places, self.deleted):
            touched |= dict.fromkeys(ids)
        return tuple(touched)
