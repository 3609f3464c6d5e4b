"""Every feature, once, in the order of its column."""

from __future__ import annotations

from models.features.families import labels, own, past
from models.features.feature import Feature

__all__ = ["FEATURES", "LABEL_WINDOW", "LONGEST_WINDOW", "NAMES"]

FEATURES: tuple[Feature, ...] = (*own.FEATURES, *past.FEATURES, *labels.FEATURES)

NAMES = tuple(feature.name for feature in FEATURES)

LONGEST_WINDOW = max(f.window for f in FEATURES if f.family != "fraud rate")
"""How far back a row looks at what happened (microseconds)."""

LABEL_WINDOW = max(f.window for f in FEATURES if f.family == "fraud rate")
"""How far back it looks at labels, counted from the label's delay (microseconds)."""
