"""What the card, its customer and the merchant usually do in a category, and for how much.

Of use where the amount or the category is not known yet: none of these looks at the row's own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.features.events import Array
from models.features.families.past import WINDOWS, deviation, mean, seen
from models.features.feature import PAST, Entity, Feature, Kind
from models.features.view import View

__all__ = ["FEATURES"]

_LONG = WINDOWS["90d"]
_NONE = "none in 90 days"


def _last(view: View, entity: Entity, window: int) -> Array:
    place = view.last(entity, window)
    return np.where(place >= 0, view.at(entity, place, "cents") / 100.0, np.nan)


def _feature(
    name: str,
    kind: Kind,
    entity: Entity,
    inputs: str,
    meaning: str,
    of: Callable[[View, Entity, int], Array],
    null: str,
) -> Feature:
    return Feature(
        name=name,
        meaning=meaning,
        family="habit",
        entity=entity,
        window=_LONG,
        inputs=("ts", "id", *inputs.split()),
        rule=PAST,
        kind=kind,
        null=null,
        of=lambda view: of(view, entity, _LONG),
    )


def _amounts(name: str, entity: Entity, columns: str, words: str) -> tuple[Feature, ...]:
    """Mean, deviation and last of the amounts that an entity has seen."""
    inputs = f"{columns} cents"
    return (
        _feature(
            f"{name}_mean_90d", "number", entity, inputs,
            f"Mean amount, US dollars, of {words} in 90 days.", mean, _NONE,
        ),
        _feature(
            f"{name}_deviation_90d", "number", entity, inputs,
            f"Standard deviation of the amounts, US dollars, of {words} in 90 days.", deviation,
            "fewer than two in 90 days",
        ),
        _feature(
            f"{name}_last", "number", entity, inputs,
            f"Amount, US dollars, of the last of {words}.", _last, _NONE,
        ),
    )  # fmt: skip


FEATURES: tuple[Feature, ...] = (
    _feature(
        "customer_mcc_seen", "count", "customer and category", "customer mcc",
        "Transactions of the customer in this category in 90 days.",
        lambda view, entity, _: seen(entity)(view), "never",
    ),
    _feature(
        "merchant_mcc_seen", "count", "merchant and category", "merchant mcc",
        "Transactions of the merchant in this category in 90 days.",
        lambda view, entity, _: seen(entity)(view), "never",
    ),
    *_amounts("card_mcc", "card and category", "card mcc", "the card's uses in this category"),
    *_amounts(
        "customer_mcc", "customer and category", "customer mcc",
        "the customer's transactions in this category",
    ),
    *_amounts(
        "card_merchant", "card and merchant", "card merchant", "the card's uses at this merchant"
    ),
    *_amounts("merchant_any", "merchant", "merchant", "the merchant's transactions"),
    _feature(
        "card_last", "number", "card", "card cents",
        "Amount, US dollars, of the card's last use.", _last, _NONE,
    ),
)  # fmt: skip
