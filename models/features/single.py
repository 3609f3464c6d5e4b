"""Features of transactions that have just been asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from models.features.catalogue import FEATURES
from models.features.events import Array, Events
from models.features.feature import Feature
from models.features.kernel import LABEL_DELAY, compute
from models.features.reach import reaches

__all__ = ["Lookup", "features_of", "history_of"]

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
    features = compute(history_of(row, lookup, label_delay), row, label_delay)
    return {name: values[0].item() for name, values in features.items()}


def history_of(
    rows: Events,
    lookup: Lookup,
    label_delay: int = LABEL_DELAY,
    features: Iterable[Feature] = FEATURES,
) -> Events:
    """What these features of the rows look at, in order of (time, number); each entity once."""
    parts = []
    for column, reach in reaches(label_delay, features).items():
        if not reach:
            continue
        keys, of_row = np.unique(rows[column], return_inverse=True)
        first, last = _bounds(rows["ts"], of_row, len(keys))
        for key, since, until in zip(keys.tolist(), first, last, strict=True):
            if key >= 0:
                parts.append(lookup(column, key, since - reach, until))
    return _once(Events.join(parts))


def _bounds(ts: Array, group: Array, groups: int) -> tuple[list[int], list[int]]:
    """First and last moment of each group."""
    first = np.full(groups, np.iinfo(np.int64).max)
    last = np.full(groups, np.iinfo(np.int64).min)
    np.minimum.at(first, group, ts)
    np.maximum.at(last, group, ts)
    return first.tolist(), last.tolist()


def _once(events: Events) -> Events:
    """In order of (time, number), each event once."""
    _, first = np.unique(events["id"], return_index=True)
    return events.take(first).ordered()
