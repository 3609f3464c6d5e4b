"""Users and their cards, with attributes that hang together: age, income, debt, score, limits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from batch_jobs.generate.plan import Plan
from batch_jobs.generate.reference import categories, cities
from lakehouse_schemas import contracts

__all__ = ["People", "categories_table", "luhn_digit", "money"]

Array = NDArray[Any]

_STREETS = (
    *("Birch", "Cedar", "Chestnut", "Church", "Elm", "Forest", "Franklin", "Harbor", "Hill"),
    *("Lake", "Lincoln", "Madison", "Maple", "Meadow", "Mill", "Oak", "Orchard", "Park"),
    *("Pine", "Prairie", "River", "Spring", "Spruce", "Sunset", "Valley", "Walnut", "Willow"),
)
_WAYS = ("Street", "Avenue", "Lane", "Drive", "Boulevard", "Road", "Court")
_BRANDS = ("Mastercard", "Visa", "Amex", "Discover")
_PREFIXES = ("5", "4", "37", "6011")
_TYPES = ("Debit", "Credit", "Debit (Prepaid)")


@dataclass(frozen=True)
class People:
    """The tables ``users`` and ``cards``, and what their habits are made from.

    ``home`` is a city index by user; cards of a user are consecutive, from ``first_card`` on;
    ``usable`` marks cards opened before the period starts.
    """

    users: pa.Table
    cards: pa.Table
    home: Array
    income: Array
    score: Array
    age: Array
    first_card: Array
    card_count: Array
    usable: Array
    has_chip: Array

    @classmethod
    def make(cls, plan: Plan) -> Self:
        """The people of a set."""
        random = plan.random("people")
        place, count = cities(), plan.users
        share = place.weight[: place.domestic] / place.weight[: place.domestic].sum()
        home = random.choice(place.domestic, count, p=share)
        age = np.clip(18 + random.gamma(2.6, 11.5, count), 18, 101).astype(int)
        per_capita = np.clip(20_500 * np.exp(random.normal(0, 0.42, count)), 2_000, 163_000)
        working = np.where(age < 66, 1.0, 0.75)
        yearly = per_capita * 2.04 * working * np.exp(random.normal(0, 0.04, count))
        burden = np.clip(random.normal(1.6, 0.9, count), 0, 4) * np.interp(
            age, [18, 30, 55, 80], [0.5, 1.2, 1.0, 0.15]
        )
        debt = np.where(random.random(count) < 0.05, 0, yearly * burden)
        score = np.clip(725 - 22 * burden + random.normal(0, 52, count), 480, 850).astype(int)
        card_count = np.clip(1 + random.poisson(1.6 + 0.5 * (score > 700), count), 1, 9)
        birth_year = plan.end.year + 1 - age
        house = random.integers(1, 10_000, count)
        street = random.integers(len(_STREETS), size=count)
        way = random.integers(len(_WAYS), size=count)
        users = {
            "id": np.arange(count),
            "current_age": age,
            "retirement_age": np.clip(random.normal(66.2, 3.6, count), 50, 79).astype(int),
            "birth_year": birth_year,
            "birth_month": random.integers(1, 13, count),
            "gender": np.where(random.random(count) < 0.51, "Female", "Male"),
            "address": [
                f"{h} {_STREETS[s]} {_WAYS[w]}" for h, s, w in zip(house, street, way, strict=True)
            ],
            "latitude": money(_hundredths(place.latitude[home] + random.normal(0, 0.06, count))),
            "longitude": money(_hundredths(place.longitude[home] + random.normal(0, 0.06, count))),
            "per_capita_income": money(per_capita.astype(int) * 100),
            "yearly_income": money(yearly.astype(int) * 100),
            "total_debt": money(debt.astype(int) * 100),
            "credit_score": score,
            "num_credit_cards": card_count,
        }
        owner = np.repeat(np.arange(count), card_count)
        first_card = np.cumsum(card_count) - card_count
        cards, opened = _cards(plan, owner, first_card, birth_year[owner], yearly[owner])
        return cls(
            users=_table("users", users),
            cards=_table("cards", cards),
            home=home,
            income=yearly,
            score=score,
            age=age,
            first_card=first_card,
            card_count=card_count,
            usable=opened <= plan.start.year * 12 + plan.start.month - 1,
            has_chip=cards["has_chip"] == "YES",
        )

    @cached_property
    def owner(self) -> Array:
        """User of each card."""
        return np.repeat(np.arange(len(self.home)), self.card_count)


def _cards(
    plan: Plan, owner: Array, first_card: Array, birth_year: Array, income: Array
) -> tuple[dict[str, Any], Array]:
    """Columns of the cards, and the month each was opened in (year * 12 + month - 1)."""
    random = plan.random("cards")
    count = len(owner)
    start = plan.start.year * 12 + plan.start.month - 1
    end = plan.end.year * 12 + plan.end.month - 1
    earliest = np.clip((birth_year + 18) * 12, start - 19 * 12, start)
    opened = earliest + (random.random(count) * (end - earliest + 1)).astype(int)
    before = (random.random(count) * (start - earliest + 1)).astype(int) + earliest
    opened[first_card] = before[first_card]  # everyone has a card from the start on
    expires = end + random.integers(1, 61, count)
    brand = random.choice(4, count, p=[0.522, 0.378, 0.066, 0.034])
    kind = random.choice(3, count, p=[0.635, 0.26, 0.105])
    kind[brand >= 2] = 1  # these two brands issue credit cards only
    limit = np.select(
        [kind == 0, kind == 1],
        [
            income * random.uniform(0.25, 0.75, count),
            np.round(income * random.uniform(0.1, 0.5, count), -2),
        ],
        random.uniform(1, 150, count),
    )
    pin = opened // 12 + (random.random(count) * (end // 12 - opened // 12 + 1)).astype(int)
    columns = {
        "id": np.arange(count),
        "client_id": owner,
        "card_brand": np.array(_BRANDS)[brand],
        "card_type": np.array(_TYPES)[kind],
        "card_number": _numbers(random, brand),
        "expires": _months(expires),
        "cvv": random.integers(1, 1000, count).astype(str),
        "has_chip": np.where(random.random(count) < 0.895, "YES", "NO"),
        "num_cards_issued": random.choice([1, 2, 3], count, p=[0.507, 0.483, 0.01]),
        "credit_limit": money(limit.astype(int) * 100),
        "acct_open_date": _months(opened),
        "year_pin_last_changed": pin,
        "card_on_dark_web": np.full(count, "No"),
    }
    return columns, opened


def _numbers(random: np.random.Generator, brand: Array) -> list[str]:
    """Different card numbers with a right check digit."""
    seen: set[str] = set()
    numbers = []
    for kind in brand:
        prefix = _PREFIXES[kind]
        free = (14 if kind == 2 else 15) - len(prefix)
        number = ""
        while not number or number in seen:
            body = f"{prefix}{random.integers(10**free):0{free}d}"
            number = body + luhn_digit(body)
        seen.add(number)
        numbers.append(number)
    return numbers


def luhn_digit(body: str) -> str:
    """The check digit that a card number ends with."""
    doubled = (int(digit) * 2 for digit in body[::-2])
    total = sum(d - 9 if d > 9 else d for d in doubled) + sum(map(int, body[-2::-2]))
    return str(-total % 10)


def _months(month: Array) -> list[str]:
    return [f"{m % 12 + 1:02d}/{m // 12}" for m in month.tolist()]


def _hundredths(value: Array) -> Array:
    rounded: Array = np.round(value * 100).astype(np.int64)
    return rounded


def money(cents: Array) -> pa.Array:
    """Whole hundredths as decimals with two places."""
    whole = pa.array(np.asarray(cents, np.int64)).cast(pa.decimal128(19, 0))
    return pc.multiply(whole, pa.scalar(Decimal("0.01")))


def _table(name: str, columns: dict[str, Any]) -> pa.Table:
    whole = contracts.get(f"source.{name}").arrow_schema()
    schema = pa.schema([whole.field(column) for column in columns])
    arrays = [
        values if isinstance(values, pa.Array) else pa.array(values) for values in columns.values()
    ]
    typed = [array.cast(kind) for array, kind in zip(arrays, schema.types, strict=True)]
    return pa.Table.from_arrays(typed, schema=schema)


def categories_table() -> pa.Table:
    """The table ``mcc_codes``."""
    return _table("mcc_codes", {"mcc": categories().mcc, "description": categories().description})
