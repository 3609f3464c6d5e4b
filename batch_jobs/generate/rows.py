"""Transactions on their way: columns of small numbers that become a table at the end."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from batch_jobs.generate.merchants import Merchants
from batch_jobs.generate.people import money
from batch_jobs.generate.reference import categories, cities
from lakehouse_schemas import contracts

__all__ = ["CHIP", "ERRORS", "NOWHERE", "ONLINE", "SWIPE", "Rows", "to_table"]

SWIPE, CHIP, ONLINE = 0, 1, 2
CHANNELS = ("Swipe Transaction", "Chip Transaction", "Online Transaction")

ERRORS = (
    None,
    "Insufficient Balance",
    "Bad PIN",
    "Technical Glitch",
    "Bad Card Number",
    "Bad Expiration",
    "Bad CVV",
    "Bad Zipcode",
    "Bad PIN,Insufficient Balance",
    "Insufficient Balance,Technical Glitch",
    "Bad Card Number,Insufficient Balance",
    "Bad CVV,Insufficient Balance",
)

NOWHERE = -1
"""City of an online transaction."""

_DTYPES: dict[str, type[np.generic]] = {
    "minute": np.int64,
    "user": np.int32,
    "card": np.int32,
    "merchant": np.int32,
    "city": np.int16,
    "category": np.int16,
    "cents": np.int32,
    "channel": np.int8,
    "error": np.int8,
    "fraud": np.bool_,
}


@dataclass(frozen=True)
class Rows:
    """Transactions as numbers: minutes since the start, indexes of user, card, merchant, ..."""

    minute: NDArray[Any]
    user: NDArray[Any]
    card: NDArray[Any]
    merchant: NDArray[Any]
    city: NDArray[Any]
    category: NDArray[Any]
    cents: NDArray[Any]
    channel: NDArray[Any]
    error: NDArray[Any]
    fraud: NDArray[Any]

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype))

    def __len__(self) -> int:
        return len(self.minute)

    @classmethod
    def from_records(cls, records: list[dict[str, Any]]) -> Self:
        """One row for each record."""
        return cls(**{name: np.array([record[name] for record in records]) for name in _DTYPES})

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        """All rows of all parts."""
        return cls(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in parts])
                for f in fields(cls)
            }
        )

    def take(self, which: NDArray[Any] | slice) -> Self:
        """The rows at these positions, or where the mask is true."""
        return type(self)(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


@cache
def _texts(kind: str) -> pa.Array:
    place = cities()
    return {
        "channel": pa.array(CHANNELS),
        "error": pa.array(ERRORS, pa.string()),
        "city": pa.array([*place.city, "ONLINE"]),
        "state": pa.array([*place.state, None]),
        "mcc": pa.array(categories().mcc, pa.int32()),
    }[kind]


def to_table(rows: Rows, first_id: int, start_minute: int, merchants: Merchants) -> pa.Table:
    """Rows in their final order as the source table ``transactions``.

    ``start_minute`` is the period's start in minutes since 1970.
    """
    schema = contracts.get("source.transactions").arrow_schema()
    place = pa.array(np.where(rows.city == NOWHERE, len(cities().city), rows.city))
    first_zip = np.append(cities().zip, 0)[rows.city]
    zips = first_zip + rows.merchant % merchants.zips[rows.city]
    zip_text = pc.utf8_lpad(pa.array(zips, mask=first_zip == 0).cast(pa.string()), 5, "0")
    moment = (rows.minute + start_minute) * 60_000_000
    columns = {
        "id": pa.array(np.arange(first_id, first_id + len(rows))),
        "date": pa.array(moment).cast(schema.field("date").type),
        "client_id": pa.array(rows.user),
        "card_id": pa.array(rows.card),
        "amount": money(rows.cents),
        "use_chip": _texts("channel").take(pa.array(rows.channel)),
        "merchant_id": pa.array(merchants.identity[rows.merchant]),
        "merchant_city": _texts("city").take(place),
        "merchant_state": _texts("state").take(place),
        "zip": zip_text,
        "mcc": _texts("mcc").take(pa.array(rows.category)),
        "errors": _texts("error").take(pa.array(rows.error)),
    }
    typed = [columns[name].cast(schema.field(name).type) for name in schema.names]
    return pa.Table.from_arrays(typed, schema=schema)
