"""How far a change reaches: which rows look at an event of which entity."""

from __future__ import annotations

from collections.abc import Iterable

from models.features.catalogue import FEATURES
from models.features.feature import Feature

__all__ = ["LOOKED_AT", "reaches"]

LOOKED_AT = ("card", "customer", "merchant", "city", "band")
"""Columns that name the entities; pairs of entities are parts of a card's history."""


def reaches(label_delay: int, features: Iterable[Feature] = FEATURES) -> dict[str, int]:
    """By column of an entity: how much later than an event a row may be that looks at it (µs)."""
    found = dict.fromkeys(LOOKED_AT, 0)
    for feature in features:
        column = feature.entity.split(" ")[0]
        if column in found:
            delay = label_delay if feature.family == "fraud rate" else 0
            found[column] = max(found[column], feature.window + delay)
    return found
