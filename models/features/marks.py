"""What is noted about a transaction once, so that later rows of others can look at it."""

from __future__ import annotations

import numpy as np

from models.features.events import Array, Events
from models.features.view import CLIP_CENTS, DAY, View

__all__ = ["MARK_WINDOW", "mark", "marked"]

MARK_WINDOW = 30 * DAY
"""How far back the mark of a transaction looks (microseconds)."""

_USES = 5  # fewer say nothing about a card
_TENTHS = (20, 28)


def mark(view: View) -> Array:
    """How unusual each row's amount is for its card: 0, ``HIGH`` or ``UNUSUAL`` of the events.

    With fewer than five uses in the 30 days before nothing is. No label is looked at.
    """
    count = view.sum("card", MARK_WINDOW, "count")
    total = view.sum("card", MARK_WINDOW, "cents")
    cents = view.rows["cents"].clip(-CLIP_CENTS, CLIP_CENTS)
    known = (count >= _USES) & (total > 0)
    found = np.zeros(len(cents), dtype=np.int8)
    for tenths in _TENTHS:
        found += known & (10 * cents * count > tenths * total)
    return found


def marked(history: Events) -> Events:
    """The history with the mark of each event; its first 30 days are marked by what is there."""
    return Events({**history.columns, "mark": mark(View(history, history))})
