"""Features of a whole history, in memory that is bounded by the longest window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from models.features.catalogue import LABEL_WINDOW, LONGEST_WINDOW, NAMES
from models.features.events import Array, Events
from models.features.kernel import LABEL_DELAY, compute
from models.features.marks import MARK_WINDOW, marked

__all__ = ["chunks", "lookback", "stretches"]


def lookback(label_delay: int = LABEL_DELAY) -> int:
    """How much older than a row an event can be that it looks at (microseconds)."""
    return max(LONGEST_WINDOW, LABEL_WINDOW + label_delay)


def stretches(
    history: Events, which: Array | None = None, *, label_delay: int = LABEL_DELAY, rows: int
) -> Iterator[tuple[Array, Events]]:
    """Positions in the history, at most ``rows`` at once, and the marked events that they look at.

    ``history`` is in order of (time, number), and its marks do not matter; ``which`` is a mask of
    the rows that are wanted, all of them when it is not given.
    """
    wanted = np.arange(len(history)) if which is None else np.flatnonzero(which)
    time = history["ts"]
    for begin in range(0, len(wanted), rows):
        places = wanted[begin : begin + rows]
        reach = lookback(label_delay) + MARK_WINDOW  # what is looked at has marks of its own
        first = int(np.searchsorted(time, time[places[0]] - reach, "left"))
        yield places, marked(history.take(slice(first, int(places[-1]) + 1)))


def chunks(
    history: Events,
    which: Array | None = None,
    *,
    label_delay: int = LABEL_DELAY,
    names: Sequence[str] = NAMES,
    rows: int = 200_000,
    hidden: Sequence[str] = (),
) -> Iterator[tuple[Array, dict[str, Array]]]:
    """Positions in the history and their features, chunk after chunk of at most ``rows``.

    A chunk looks at its own time and as far back as its rows and their marks do; see
    :func:`stretches`. Rows come without the columns ``hidden``.

    Raises:
        KeyError: a feature looks at a hidden column of its row.
    """
    for places, seen in stretches(history, which, label_delay=label_delay, rows=rows):
        asked = history.take(places).without(hidden)
        yield places, compute(seen, asked, label_delay, names)
