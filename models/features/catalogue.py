"""Every feature, once, in the order of its column."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from models.features.families import habits, labels, own, past
from models.features.feature import Feature

__all__ = ["EVERY", "FEATURES", "HABITS", "LABEL_WINDOW", "LONGEST_WINDOW", "NAMES", "fingerprint"]

FEATURES: tuple[Feature, ...] = (*own.FEATURES, *past.FEATURES, *labels.FEATURES)

HABITS = habits.FEATURES
"""Features that models of categories and amounts look at besides; no model of fraud does."""

EVERY = {feature.name: feature for feature in (*FEATURES, *HABITS)}
"""All of them by name."""

NAMES = tuple(feature.name for feature in FEATURES)

LONGEST_WINDOW = max(f.window for f in EVERY.values() if f.family != "fraud rate")
"""How far back a row looks at what happened (microseconds)."""

LABEL_WINDOW = max(f.window for f in FEATURES if f.family == "fraud rate")
"""How far back it looks at labels, counted from the label's delay (microseconds)."""


def fingerprint(names: Iterable[str]) -> str:
    """SHA-256 of what the catalogue says of these features, in this order; unknown ones are not.

    It changes with a feature's words too: they are what says which function it is.
    """
    found = hashlib.sha256()
    for name in names:
        if name in EVERY:
            fields = {n: getattr(EVERY[name], n) for n in Feature.__dataclass_fields__}
            del fields["of"]
            found.update(f"{sorted(fields.items())}\n".encode())
    return found.hexdigest()
