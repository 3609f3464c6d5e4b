"""Transactions as the kernel sees them: columns of numbers, in order of (time, number)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["ABSENT", "COLUMNS", "HIGH", "UNUSUAL", "Array", "Events", "band_of"]

Array = NDArray[Any]

ABSENT = -1
"""Stands for no city (online), no state, no channel that is known, and no label."""

HIGH, UNUSUAL = 1, 2
"""Marks of an amount: above twice the card's mean of 30 days; above 2.8 times that mean."""

COLUMNS: dict[str, type[np.generic]] = {
    "id": np.int64,
    "ts": np.int64,  # microseconds since 1970, UTC
    "card": np.int64,
    "customer": np.int64,
    "merchant": np.int64,
    "city": np.int64,  # city and state as one number
    "state": np.int64,
    "mcc": np.int64,
    "cents": np.int64,
    "band": np.int64,  # of the amount, see band_of
    "declined": np.bool_,
    "physical": np.bool_,
    "place_x": np.float64,  # middle of the merchant's state, kilometres from the earth's middle
    "place_y": np.float64,
    "place_z": np.float64,
    "label": np.int8,  # 1 fraud, 0 none
    "mark": np.int8,  # how unusual the amount is for the card: 0, HIGH or UNUSUAL (marks.py)
    # Of a transaction itself alone; nothing looks at them in its history.
    "channel": np.int64,
    "errors": np.int64,  # one bit for each reason, in the order of ERRORS
    "abroad": np.bool_,
    "zip_region": np.int64,
    "city_length": np.int64,
    "mcc_word": np.int64,
    "mcc_length": np.int64,
    "card_brand": np.float64,
    "card_type": np.float64,
    "has_chip": np.float64,
    "cards_issued": np.float64,
    "credit_limit": np.float64,
    "opened_month": np.float64,  # months since 1970
    "expires_month": np.float64,
    "pin_year": np.float64,
    "dark_web": np.float64,
    "birth_month": np.float64,  # months since 1970
    "retirement_age": np.float64,
    "gender": np.float64,
    "per_capita_income": np.float64,
    "yearly_income": np.float64,
    "total_debt": np.float64,
    "credit_score": np.float64,
    "cards_held": np.float64,
    "home_x": np.float64,
    "home_y": np.float64,
    "home_z": np.float64,
}


_BAND_CENTS = 1000
_LOWEST_BAND = 10  # what is below is too common to tell anything
_HIGHEST_BAND = 1000


def band_of(cents: Array) -> Array:
    """Which ten dollars an amount is in, 100 dollars or more; ``ABSENT`` below."""
    band = np.minimum(cents.astype(np.int64) // _BAND_CENTS, _HIGHEST_BAND)
    return np.where(band >= _LOWEST_BAND, band, ABSENT)


@dataclass(frozen=True)
class Events:
    """Columns of ``COLUMNS``, all of the same length."""

    columns: Mapping[str, Array]

    @classmethod
    def of(cls, given: Mapping[str, Array]) -> Self:
        """Events of these columns; those that are not given are absent (NaN, -1, false).

        The band is never given: it follows from the amount.

        Raises:
            KeyError: a column is given that there is not.
        """
        unknown = set(given) - set(COLUMNS)
        if unknown:
            raise KeyError(f"events have no column {', '.join(sorted(unknown))}")
        rows = len(given["id"])
        given = {**given, "band": band_of(np.asarray(given.get("cents", np.zeros(rows))))}
        return cls(
            {
                name: np.ascontiguousarray(given[name], dtype=dtype)
                if name in given
                else np.full(rows, _absent(name), dtype=dtype)
                for name, dtype in COLUMNS.items()
            }
        )

    @classmethod
    def none(cls) -> Self:
        """No event at all."""
        return cls.of({"id": np.empty(0, np.int64)})

    def __len__(self) -> int:
        return len(self.columns["id"])

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def take(self, which: Array | slice) -> Self:
        """The events at these positions, or where the mask is true."""
        return type(self)({name: values[which] for name, values in self.columns.items()})

    def without(self, names: Iterable[str]) -> Self:
        """The same events without these columns: whoever looks at one of them raises KeyError."""
        return type(self)({n: v for n, v in self.columns.items() if n not in set(names)})

    def ordered(self) -> Self:
        """The same events by (time, number)."""
        time, number = self["ts"], self["id"]
        rising = (time[1:] > time[:-1]) | ((time[1:] == time[:-1]) & (number[1:] > number[:-1]))
        return self if rising.all() else self.take(np.lexsort((number, time)))

    @classmethod
    def join(cls, parts: Iterable[Self]) -> Self:
        """All events of all parts, part after part."""
        every = list(parts)
        if not every:
            return cls.none()
        names = every[0].columns
        return cls({name: np.concatenate([part[name] for part in every]) for name in names})


def _absent(name: str) -> float | int | bool:
    if COLUMNS[name] is np.float64:
        return float("nan")
    return False if COLUMNS[name] is np.bool_ or name == "mark" else ABSENT
