"""Features of one transaction that has just been asked about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.features.events import Events
from models.features.kernel import LABEL_DELAY, compute
from models.features.reach import reaches

__all__ = ["Lookup", "features_of"]

Lookup = Callable[[str, int, int, int], Events]
"""``(column, key, since, until)`` to the events of an entity in that time (µs, both included).

``column`` is one of card, customer, merchant, city and band; the events carry their ``mark``.
"""


def features_of(
    row: Events, lookup: Lookup, label_delay: int = LABEL_DELAY
) -> dict[str, float | int]:
    """Features by name of the one event in ``row``; its own entry in the history does not matter.

    Raises:
        ValueError: ``row`` holds no event, or several.
    """
    if len(row) != 1:
        raise ValueError(f"features of one transaction were asked for, and {len(row)} given")
    until = int(row["ts"][0])
    parts = [
        lookup(column, int(row[column][0]), until - reach, until)
        for column, reach in reaches(label_delay).items()
        if row[column][0] >= 0
    ]
    features = compute(_once(Events.join(parts)), row, label_delay)
    return {name: values[0].item() for name, values in features.items()}


def _once(events: Events) -> Events:
    """In order of (time, number), each event once."""
    _, first = np.unique(events["id"], return_index=True)
    return events.take(first).ordered()
