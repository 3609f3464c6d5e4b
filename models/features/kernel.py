"""The one function that makes features, whoever asks for them."""

from __future__ import annotations

from collections.abc import Sequence

from models.features.catalogue import EVERY, NAMES
from models.features.events import Array, Events
from models.features.view import DAY, View

__all__ = ["LABEL_DELAY", "compute", "features_in"]

LABEL_DELAY = 7 * DAY
"""How old a transaction is when its label may be looked at, in microseconds."""


def compute(
    history: Events, rows: Events, label_delay: int = LABEL_DELAY, names: Sequence[str] = NAMES
) -> dict[str, Array]:
    """Features of the rows, by name: arrays as long as ``rows``, in its order.

    ``history`` is what the rows may look at, in order of (time, number); see :class:`View` for what
    must be in it. The same row has the same bits whatever else is in it and whichever other rows
    are asked for.

    Raises:
        KeyError: a name is no feature's.
    """
    return features_in(View(history, rows, label_delay), names)


def features_in(view: View, names: Sequence[str] = NAMES) -> dict[str, Array]:
    """Features of the view's rows, see :func:`compute`."""
    found = {}
    for name in names:
        feature = EVERY[name]
        found[name] = feature.of(view).astype(feature.dtype, copy=False)
    return found
