"""What all bodies share: strict input, exact money, pages."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

__all__ = [
    "Answer",
    "Asked",
    "Cents",
    "Day",
    "Given",
    "NotNegative",
    "Page",
    "Rate",
    "Said",
    "Share",
]

_MONEY: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,12})\.[0-9]{2}")
T = TypeVar("T")


def _cents(value: Any) -> int:
    """Cents of a text such as ``-12.30``; of whole numbers, which are cents inside the service."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _MONEY.fullmatch(value):
        raise ValueError('money is a text with two decimals, such as "12.30"')
    return int(value.replace(".", ""))


def _from_json(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError('money is a text with two decimals, such as "12.30"')
    return _cents(value)


def _text(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def _schema(pattern: str, meaning: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "pattern": pattern, "description": meaning, "examples": ["1234.50"]}
    )


_ANY: Final = r"^-?(0|[1-9][0-9]{0,11})\.[0-9]{2}$"
_POSITIVE: Final = r"^(0|[1-9][0-9]{0,11})\.[0-9]{2}$"

Cents = Annotated[int, BeforeValidator(_cents), PlainSerializer(_text), _schema(_ANY, "US dollars")]
"""Money of an answer: whole cents in the code, an exact decimal text on the wire."""

_WIRE: Final = PlainSerializer(_text, when_used="json")
"""So that a client sends what it was given."""

Given = Annotated[
    int, BeforeValidator(_from_json), Field(ge=-(10**14), le=10**14), _WIRE,
    _schema(_ANY, "US dollars"),
]  # fmt: skip
"""Money of a request: an exact decimal text; never a number, which JSON readers make a float."""

NotNegative = Annotated[
    int, BeforeValidator(_from_json), Field(ge=0, le=10**14), _WIRE,
    _schema(_POSITIVE, "US dollars, not negative"),
]  # fmt: skip

Share = Annotated[
    Decimal,
    PlainSerializer(lambda value: f"{value:f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["0.1850"]}),
]
"""A ratio or number of points of an answer, exact."""


def _rate(value: Any) -> Decimal:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,2}(\.[0-9]{1,6})?", value):
        raise ValueError('a rate is a text such as "0.05"')
    return Decimal(value)


Rate = Annotated[
    Decimal,
    BeforeValidator(_rate),
    WithJsonSchema(
        {"type": "string", "pattern": r"^-?[0-9]{1,2}(\.[0-9]{1,6})?$", "examples": ["0.05"]}
    ),
]
"""A rate of a request: 0.05 is five percent."""


Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(2200, 1, 1))]


class Asked(BaseModel):
    """A request's body: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Said(BaseModel):
    """An answer's body, made from what the pure functions return; read by its own names too."""

    model_config = ConfigDict(from_attributes=True, frozen=True, populate_by_name=True)


class Answer(Said):
    """An answer about money."""

    currency: Literal["USD"] = "USD"


class Page(BaseModel, Generic[T]):
    """A part of a list. ``next`` goes into ``after`` to read on; null at the end."""

    items: list[T]
    next: str | None = None
