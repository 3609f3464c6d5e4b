"""Categories and cities that generated data is made of; hand-made from common knowledge."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Categories", "Cities", "categories", "cities"]

_FOLDER = Path(__file__).parent

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Categories:
    """Merchant categories; weights are relative shares, ``median`` is in US dollars.

    ``sigma`` is the spread of the amount's logarithm, ``chain`` the share of purchases at chains,
    ``refund`` and ``subscription`` are relative weights.
    """

    mcc: Ints
    description: list[str]
    physical: Floats
    online: Floats
    median: Floats
    sigma: Floats
    chain: Floats
    refund: Floats
    subscription: Floats

    def index(self, *codes: int) -> Ints:
        """Positions of these codes."""
        return np.array([int(np.flatnonzero(self.mcc == code)[0]) for code in codes])


@dataclass(frozen=True)
class Cities:
    """Cities of the United States, then abroad, where the country stands for the state."""

    city: list[str]
    state: list[str]
    zip: Ints  # first zip; 0 abroad
    latitude: Floats
    longitude: Floats
    weight: Floats

    @property
    def domestic(self) -> int:
        """How many lie in the United States; they come first."""
        return int(np.count_nonzero(self.zip))

    def kilometres(self, one: int, other: int) -> float:
        """Great-circle distance between two cities."""
        (lat1, lon1), (lat2, lon2) = (
            np.radians((self.latitude[i], self.longitude[i])) for i in (one, other)
        )
        chord = (
            np.sin((lat2 - lat1) / 2) ** 2
            + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
        )
        return float(2 * 6371 * np.arcsin(np.sqrt(chord)))


def _read(name: str) -> dict[str, list[str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {column: [row[column] for row in rows] for column in rows[0]}


@cache
def categories() -> Categories:
    """The 109 categories."""
    table = _read("categories.tsv")
    numbers = {
        name: np.array(table[name], float)
        for name in ("physical", "online", "median", "sigma", "chain", "refund", "subscription")
    }
    return Categories(np.array(table["mcc"], np.int64), table["description"], **numbers)


@cache
def cities() -> Cities:
    """All cities."""
    table = _read("cities.tsv")
    return Cities(
        city=table["city"],
        state=table["state"],
        zip=np.array([int(text or 0) for text in table["zip"]], np.int64),
        latitude=np.array(table["latitude"], float),
        longitude=np.array(table["longitude"], float),
        weight=np.array(table["weight"], float),
    )
