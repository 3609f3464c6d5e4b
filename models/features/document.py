"""The catalogue as a document that people read."""

from __future__ import annotations

from itertools import groupby

from models.features.catalogue import EVERY, FEATURES, HABITS
from models.features.feature import Feature

__all__ = ["features_md", "window_text"]

_UNITS = (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000))

_HEAD = f"""# Features

Rendered from `models/features` by `make generate`; do not edit.

{len(FEATURES)} features that models of fraud look at, and {len(HABITS)} of habits that models of
categories and amounts look at besides, each defined once. A window is what lies in it strictly
before the transaction, by (time, number), from exactly so long ago on. What is made from labels
looks at a window that ends one label's delay (7 days unless said otherwise) before the
transaction, and a transaction without a label counts for nothing. In windows an amount beyond
50,000 US dollars, either way, counts as that.

A count, a flag (0 or 1) and a code (a number without an order) are 64-bit integers and never
empty; a number is a 64-bit float, and empty (NaN) when the last column says so.
"""


def window_text(micros: int) -> str:
    """A length of time as people write it; empty for nought."""
    for unit, length in _UNITS:
        if micros and micros % length == 0 and micros >= length:
            return f"{micros // length} {unit}"
    return ""


def features_md() -> str:
    """``docs/features.md``; the same catalogue gives the same text."""
    parts = [_HEAD]
    for family, members in groupby(sorted(EVERY.values(), key=_family), key=lambda f: f.family):
        parts.append(f"\n## {family.capitalize()}\n\n")
        parts.append(
            "| feature | meaning | entity | window | inputs | may look at | type | empty |\n"
        )
        parts.append("|---|---|---|---|---|---|---|---|\n")
        parts += [_row(feature) for feature in members]
    return "".join(parts)


_COLUMNS = ("feature", "meaning", "entity", "window", "inputs", "may look at", "type", "empty")
_ORDER = list(dict.fromkeys(feature.family for feature in EVERY.values()))


def _family(feature: Feature) -> int:
    return _ORDER.index(feature.family)


def _row(feature: Feature) -> str:
    cells = (
        f"`{feature.name}`",
        feature.meaning,
        feature.entity,
        window_text(feature.window),
        ", ".join(f"`{name}`" for name in feature.inputs),
        feature.rule,
        feature.kind,
        feature.null,
    )
    return f"| {' | '.join(cells)} |\n"
