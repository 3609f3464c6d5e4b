"""Features as the matrix that models learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.features import LABEL_DELAY, NAMES, Events
from models.features.batch import chunks
from models.features.events import Array

__all__ = ["informative", "matrix"]


def matrix(
    events: Events,
    which: Array,
    *,
    label_delay: int = LABEL_DELAY,
    names: Sequence[str] = NAMES,
    hidden: Sequence[str] = (),
) -> Array:
    """Features of the rows where the mask ``which`` is true: float32, a row each, a column a name.

    ``events`` is in order of (time, number). What cannot be known is NaN.

    Raises:
        KeyError: a feature looks at a column of its row that is ``hidden``.
    """
    found = np.empty((int(which.sum()), len(names)), dtype=np.float32)
    row = 0
    parts = chunks(events, which, label_delay=label_delay, names=names, hidden=hidden)
    for places, features in parts:
        for column, name in enumerate(names):
            found[row : row + len(places), column] = features[name]
        row += len(places)
    return found


def informative(values: Array) -> Array:
    """Columns that are neither constant nor the same as an earlier one, as positions."""
    seen: set[bytes] = set()
    kept = []
    for column in range(values.shape[1]):
        bits = np.ascontiguousarray(values[:, column]).tobytes()
        own = values[:, column]
        constant = np.array_equal(own, np.full(len(own), own[0]), equal_nan=True)
        if not constant and bits not in seen:
            seen.add(bits)
            kept.append(column)
    return np.array(kept, dtype=np.int64)
