"""What transactions are divided by, so that nobody is served worse without a word."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.features.events import Array
from stream_jobs.transforms.columns import cents, flags
from stream_jobs.transforms.places import is_abroad

__all__ = ["COLUMNS", "segments"]

COLUMNS = ("channel", "card_brand", "card_type", "amount", "merchant_state", "is_online")
"""Columns that :func:`segments` looks at, of ``gold.fact_transactions`` and ``gold.dim_card``."""

_AMOUNTS = {
    # up to, but without, so many dollars: name
    0: "below 0",
    10: "0 to 10",
    50: "10 to 50",
    200: "50 to 200",
    1000: "200 to 1,000",
}
_UNKNOWN = "unknown"


def segments(rows: pa.Table) -> dict[str, Array]:
    """For each division, the part in which each row is: its text, ``unknown`` where it is empty."""
    amount = cents(pc.fill_null(rows.column("amount"), 0))
    limits = [100 * limit for limit in _AMOUNTS]
    names = np.array([*_AMOUNTS.values(), "1,000 and above"])
    states = rows.column("merchant_state").to_pylist()
    place = np.where(
        [is_abroad(state) for state in states], "abroad", _texts(rows, "merchant_state")
    )
    amounts = names[np.searchsorted(limits, amount, "right")]
    return {
        "channel": _texts(rows, "channel"),
        "card brand": _texts(rows, "card_brand"),
        "card type": _texts(rows, "card_type"),
        "amount": np.where(pc.is_null(rows.column("amount")).to_numpy(), _UNKNOWN, amounts),
        "place": np.where(flags(rows.column("is_online")), "online", place),
    }


def _texts(rows: pa.Table, column: str) -> Array:
    return np.array([text or _UNKNOWN for text in rows.column(column).to_pylist()], dtype=str)
