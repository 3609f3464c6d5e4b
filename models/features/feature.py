"""What a feature is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from models.features.events import Array
from models.features.view import View

__all__ = ["NOW", "PAST", "PAST_LABELS", "SNAPSHOT", "Entity", "Family", "Feature", "Kind"]

Family = Literal[
    "time",
    "amount",
    "category",
    "text",
    "errors",
    "card",
    "customer",
    "velocity",
    "last use",
    "novelty",
    "fraud rate",
    "habit",
]
Entity = Literal[
    "none",
    "card",
    "customer",
    "merchant",
    "city",
    "band",
    "card and merchant",
    "card and category",
    "card and state",
    "customer and category",
    "merchant and category",
]
Kind = Literal["count", "number", "flag", "code"]

NOW = "the transaction itself"
SNAPSHOT = "attributes valid at the transaction's time; the only ones where one version is known"
PAST = "strictly earlier transactions by (time, number)"
PAST_LABELS = "labels of transactions older than the label's delay"


@dataclass(frozen=True)
class Feature:
    """A feature: data that says what it is, and the pure function that gives it.

    ``window`` is in microseconds and 0 where none is looked at; a window of labels begins the
    label's delay earlier. ``count`` is int64, ``number`` float64, ``flag`` 0 or 1 and ``code`` a
    number without an order, both int64: the kernel sees to that. ``null`` says when a number is
    NaN; the others never are empty.
    """

    name: str
    meaning: str
    family: Family
    entity: Entity
    window: int
    inputs: tuple[str, ...]
    rule: str
    kind: Kind
    null: str
    of: Callable[[View], Array]

    @property
    def dtype(self) -> str:
        """The NumPy type of its column."""
        return "float64" if self.kind == "number" else "int64"
