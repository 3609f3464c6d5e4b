"""Gold tables as events: texts become numbers that are the same wherever they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import cos, nan, radians, sin
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.features.events import ABSENT, Array, Events
from models.features.families.own import ERRORS
from stream_jobs.transforms.columns import cents, flags, micros
from stream_jobs.transforms.places import is_abroad, middle

__all__ = ["FACTS", "Attributes", "events_of", "text_number"]

FACTS = (
    "transaction_id",
    "transaction_ts",
    "user_id",
    "card_id",
    "merchant_id",
    "merchant_city",
    "merchant_state",
    "zip",
    "mcc",
    "channel",
    "is_online",
    "amount",
    "is_declined",
    "errors",
    "is_fraud",
)
"""Columns of ``gold.fact_transactions`` that events are made of."""

_EARTH_RADIUS_KM = 6371.0
_BUCKETS = 64
_CHANNELS = {"Swipe": 0, "Chip": 1, "Online": 2}
_NEVER = -(2**62)


@lru_cache(maxsize=200_000)
def text_number(text: str) -> int:
    """A number of 63 bits that stands for a text (BLAKE2b), the same at any time and place."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def _place(latitude: float, longitude: float) -> tuple[float, float, float]:
    """Kilometres from the earth's middle, as a sphere; degrees, north and east positive."""
    up, across = radians(latitude), radians(longitude)
    return (
        _EARTH_RADIUS_KM * cos(up) * cos(across),
        _EARTH_RADIUS_KM * cos(up) * sin(across),
        _EARTH_RADIUS_KM * sin(up),
    )


def _month(text: str) -> float:
    """Months since 1970 of MM/YYYY; NaN where it is none."""
    month, _, year = text.partition("/")
    if not (month.isdecimal() and year.isdecimal()):
        return nan
    return float((int(year) - 1970) * 12 + int(month) - 1)


def _bucket(text: str) -> float:
    return float(text_number(text) % _BUCKETS)


def _yes(text: str) -> float:
    return float(text.casefold() == "yes")


_CARD: dict[str, tuple[str, Callable[[Any], float]]] = {
    # attribute of an event: column of the dimension, and what makes it a number
    "card_brand": ("card_brand", _bucket),
    "card_type": ("card_type", _bucket),
    "has_chip": ("has_chip", _yes),
    "cards_issued": ("num_cards_issued", float),
    "credit_limit": ("credit_limit", float),
    "opened_month": ("acct_open_date", _month),
    "expires_month": ("expires", _month),
    "pin_year": ("year_pin_last_changed", float),
    "dark_web": ("card_on_dark_web", _yes),
}
_CUSTOMER: dict[str, tuple[str, Callable[[Any], float]]] = {
    "retirement_age": ("retirement_age", float),
    "gender": ("gender", _bucket),
    "per_capita_income": ("per_capita_income", float),
    "yearly_income": ("yearly_income", float),
    "total_debt": ("total_debt", float),
    "credit_score": ("credit_score", float),
    "cards_held": ("num_credit_cards", float),
}


@dataclass(frozen=True)
class _Versions:
    """Versions of rows by (key, valid from); columns of numbers, NaN where empty."""

    key: Array
    since: Array
    columns: dict[str, Array]

    @classmethod
    def of(cls, table: pa.Table, key: str, columns: dict[str, Array]) -> Self:
        """Versions of a dimension; ``valid_from`` (a time) when it has that column."""
        keys = table.column(key).to_numpy().astype(np.int64)
        since = np.full(len(keys), _NEVER)
        if "valid_from" in table.column_names:
            since = micros(table.column("valid_from"))
        order = np.lexsort((since, keys))
        return cls(keys[order], since[order], {n: v[order] for n, v in columns.items()})

    def but(self, keys: Array, new: Self) -> Self:
        """These with other versions, or none, under some keys."""
        stay = ~np.isin(self.key, keys)
        key = np.concatenate([self.key[stay], new.key])
        since = np.concatenate([self.since[stay], new.since])
        order = np.lexsort((since, key))
        columns = {
            name: np.concatenate([values[stay], new.columns[name]])[order]
            for name, values in self.columns.items()
        }
        return type(self)(key[order], since[order], columns)

    def at(self, key: Array, ts: Array) -> dict[str, Array]:
        """The version valid at each time: the newest not later, or else the first there is."""
        first = np.searchsorted(self.key, key, "left")
        behind = np.searchsorted(self.key, key, "right")
        place = first.copy()
        for step in range(1, int((behind - first).max(initial=0))):
            later = first + step
            there = later < behind
            valid = there & (self.since[np.where(there, later, 0)] <= ts)
            place = np.where(valid, later, place)
        known = first < behind
        place = np.where(known, place, 0)
        return {
            name: np.where(known, values[place], nan) if len(values) else np.full(len(key), nan)
            for name, values in self.columns.items()
        }


@dataclass(frozen=True)
class Attributes:
    """Cards, customers and categories as numbers, made once for many batches."""

    cards: _Versions
    customers: _Versions
    words: dict[int, tuple[int, int]]  # category: number of its first word, letters

    @classmethod
    def of(cls, cards: pa.Table, customers: pa.Table, categories: pa.Table) -> Self:
        """From ``gold.dim_card``, ``dim_user`` and ``dim_mcc``.

        A dimension with a column ``valid_from`` may hold several versions of a key.
        """
        return cls(_cards(cards), _customers(customers), _words(categories))

    def but(self, keys: Array, **rows: pa.Table) -> Self:
        """These with other rows of ``cards``, ``customers`` or ``categories`` under some keys.

        Keys of which there is no row become unknown.
        """
        cards, customers, words = self.cards, self.customers, self.words
        if "cards" in rows:
            cards = cards.but(keys, _cards(rows["cards"]))
        if "customers" in rows:
            customers = customers.but(keys, _customers(rows["customers"]))
        if "categories" in rows:
            gone = set(keys.tolist())
            words = {code: word for code, word in words.items() if code not in gone}
            words |= _words(rows["categories"])
        return type(self)(cards, customers, words)


def _cards(rows: pa.Table) -> _Versions:
    return _Versions.of(rows, "card_id", _numbers(rows, _CARD))


def _customers(rows: pa.Table) -> _Versions:
    born = [
        nan if year is None or month is None else float((year - 1970) * 12 + month - 1)
        for year, month in zip(
            rows.column("birth_year").to_pylist(),
            rows.column("birth_month").to_pylist(),
            strict=True,
        )
    ]
    homes = [
        (nan, nan, nan) if None in pair else _place(float(pair[0]), float(pair[1]))
        for pair in zip(
            rows.column("latitude").to_pylist(),
            rows.column("longitude").to_pylist(),
            strict=True,
        )
    ]
    home = np.array(homes, dtype=np.float64).reshape(-1, 3)
    own = _numbers(rows, _CUSTOMER)
    own["birth_month"] = np.array(born, dtype=np.float64)
    own |= {f"home_{axis}": home[:, place] for place, axis in enumerate("xyz")}
    return _Versions.of(rows, "user_id", own)


def _words(rows: pa.Table) -> dict[int, tuple[int, int]]:
    texts = zip(rows.column("mcc").to_pylist(), rows.column("description").to_pylist(), strict=True)
    return {mcc: (_first_word(text), len(text)) for mcc, text in texts}


def _first_word(text: str) -> int:
    words = text.casefold().split()
    return text_number(words[0]) if words else ABSENT


def _numbers(
    table: pa.Table, wanted: dict[str, tuple[str, Callable[[Any], float]]]
) -> dict[str, Array]:
    return {
        name: np.array(
            [nan if value is None else make(value) for value in table.column(column).to_pylist()],
            dtype=np.float64,
        )
        for name, (column, make) in wanted.items()
    }


def events_of(facts: pa.Table, attributes: Attributes) -> Events:
    """Rows of ``gold.fact_transactions``, with ``FACTS``, as events, in order of (time, number).

    ``is_fraud`` that is empty is no label; a card or customer that is not known has no attributes.
    """
    ts = micros(facts.column("transaction_ts"))
    card = facts.column("card_id").to_numpy().astype(np.int64)
    customer = facts.column("user_id").to_numpy().astype(np.int64)
    mcc = facts.column("mcc").to_numpy().astype(np.int64)
    state = facts.column("merchant_state")
    city = pc.binary_join_element_wise(facts.column("merchant_city"), state, "|")
    online = flags(facts.column("is_online")).astype(bool)
    label = pc.fill_null(pc.cast(facts.column("is_fraud"), pa.int8()), ABSENT).to_numpy()
    states, of_state = _coded(state)
    places = np.array([_middle(text) for text in states], dtype=np.float64)
    place = places.reshape(-1, 3)[of_state]
    codes, of_mcc = np.unique(mcc, return_inverse=True)
    words = [attributes.words.get(code, (ABSENT, 0)) for code in codes.tolist()]
    word = np.array(words, dtype=np.int64).reshape(-1, 2)[of_mcc]
    return Events.of(
        {
            "id": facts.column("transaction_id").to_numpy(),
            "ts": ts,
            "card": card,
            "customer": customer,
            "merchant": facts.column("merchant_id").to_numpy(),
            "city": np.where(online, ABSENT, _mapped(city, text_number)),
            "state": _mapped(state, text_number),
            "mcc": mcc,
            "cents": cents(facts.column("amount")),
            "declined": flags(facts.column("is_declined")),
            "physical": ~online,
            **{f"place_{axis}": place[:, number] for number, axis in enumerate("xyz")},
            "label": label,
            "channel": _mapped(facts.column("channel"), lambda text: _CHANNELS.get(text, ABSENT)),
            "errors": np.maximum(_mapped(facts.column("errors"), _error_bits), 0),
            "abroad": _mapped(state, lambda text: int(is_abroad(text))) == 1,
            "zip_region": _mapped(facts.column("zip"), _region),
            "city_length": _mapped(facts.column("merchant_city"), len),
            "mcc_word": word[:, 0],
            "mcc_length": word[:, 1],
            **attributes.cards.at(card, ts),
            **attributes.customers.at(customer, ts),
        }
    ).ordered()


def _coded(texts: pa.ChunkedArray) -> tuple[list[str | None], Array]:
    """The distinct texts, and which of them each row has."""
    found = texts.combine_chunks().dictionary_encode(null_encoding="encode")
    return found.dictionary.to_pylist(), found.indices.to_numpy()


def _mapped(texts: pa.ChunkedArray, number: Callable[[str], int]) -> Array:
    """The number of each text; ``ABSENT`` where there is none, or an empty one."""
    distinct, code = _coded(texts)
    numbers = [number(text) if text else ABSENT for text in distinct]
    return np.array(numbers, dtype=np.int64)[code]


def _middle(state: str | None) -> tuple[float, float, float]:
    degrees = middle(state) if state else None
    return _place(*degrees) if degrees else (nan, nan, nan)


def _error_bits(text: str) -> int:
    known = {name: 1 << place for place, name in enumerate(ERRORS)}
    other = 1 << len(ERRORS)
    bits = 0
    for name in text.split(","):
        if name.strip():
            bits |= known.get(name.strip(), other)
    return bits


def _region(text: str) -> int:
    return int(text[0]) if text[0].isdecimal() and text[0].isascii() else ABSENT
