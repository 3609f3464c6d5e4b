"""Groups of customers by recency, frequency and monetary value (RFM).

The three measures are those of Hughes, "Strategic Database Marketing" (1994): days since the last
purchase, number of purchases, and what was spent, each cut into fifths of the customers.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

__all__ = ["SEGMENTS", "clusters", "fifths", "segments"]

Array = np.ndarray[Any, Any]

# Segment by the fifth of recency (rows 1 to 5) and the mean fifth of frequency and value (1 to 5).
_HIBERNATING, _RISK, _ATTENTION = "hibernating", "at_risk", "attention"
_TABLE = (
    (_HIBERNATING, _HIBERNATING, _RISK, "cannot_lose", "cannot_lose"),
    (_HIBERNATING, _HIBERNATING, _RISK, _RISK, _RISK),
    (_ATTENTION, _ATTENTION, _ATTENTION, "loyal", "loyal"),
    ("new", "potential", "potential", "champions", "champions"),
    ("new", "potential", "potential", "champions", "champions"),
)
SEGMENTS = tuple(dict.fromkeys(name for row in _TABLE for name in row))
_ROUNDS = 100
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


def fifths(values: Array) -> Array:
    """Fifth of each value among all, 1 for the lowest to 5.

    Equal values are in the same one, that of the middle of their ranks.
    """
    ordered = np.sort(values)
    below, up_to = (np.searchsorted(ordered, values, side=side) for side in _SIDES)
    found: Array = 1 + 5 * (below + up_to) // max(1, 2 * len(values))
    return found


def segments(recency: Array, frequency: Array, monetary: Array) -> Array:
    """Name of the segment of each customer, of the three fifths."""
    worth = (frequency + monetary + 1) // 2
    found: Array = np.array(_TABLE, dtype=object)[recency - 1, worth - 1]
    return found


def clusters(recency_days: Array, frequency: Array, monetary: Array, most: int = 5) -> Array:
    """Cluster of each customer, found by k-means; number 1 has the highest mean value.

    The measures are taken as logarithms and brought to one scale, since all three are skewed. The
    first centre is the customer next to the mean, each further one the customer farthest from those
    before (Gonzalez 1985), so the same customers always give the same clusters.

    Args:
        recency_days: days since the last purchase, 0 or more.
        frequency: purchases, 0 or more.
        monetary: what was spent; below nought counts as nought.
        most: clusters; fewer where there are fewer different customers.
    """
    count = len(monetary)
    if not count:
        return np.empty(0, dtype=np.int64)
    plain = np.stack([recency_days, frequency, np.maximum(monetary, 0)], axis=1)
    logs = np.log1p(plain.astype(np.float64))
    spread = logs.std(axis=0)
    points = (logs - logs.mean(axis=0)) / np.where(spread > 0, spread, 1)
    centres = points[[int(_distances(points, np.zeros((1, 3))).argmin())]]
    while len(centres) < most:
        nearest = _distances(points, centres).min(axis=1)
        far = int(nearest.argmax())
        if nearest[far] <= 0:
            break
        centres = np.concatenate([centres, points[[far]]])
    label = np.zeros(count, dtype=np.int64)
    for _ in range(_ROUNDS):
        found = _distances(points, centres).argmin(axis=1)
        sizes = np.bincount(found, minlength=len(centres))
        for axis in range(3):
            sums = np.bincount(found, weights=points[:, axis], minlength=len(centres))
            # One that lost all its customers stays where it was.
            centres[:, axis] = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres[:, axis])
        if (found == label).all():
            break
        label = found
    worth = np.bincount(label, weights=plain[:, 2], minlength=len(centres))
    sizes = np.bincount(label, minlength=len(centres))
    mean = np.where(sizes > 0, worth / np.maximum(sizes, 1), -1.0)
    rank = np.empty(len(centres), dtype=np.int64)
    rank[np.argsort(-mean, kind="stable")] = np.arange(1, len(centres) + 1)
    return rank[label]


def _distances(points: Array, centres: Array) -> Array:
    """Squared distance of each point from each centre."""
    return np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
