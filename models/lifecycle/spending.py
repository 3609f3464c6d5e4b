"""The gate of models of categories and amounts, as :mod:`models.lifecycle.gate` is of fraud's.

What they tell is known of every transaction, so each has a loss on each row of the window: less is
better. Intervals of amounts have to hold besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.features.events import Array
from models.lifecycle.gate import (
    DRAWS,
    FEWEST_DAYS,
    Bounds,
    Check,
    Decision,
    Loaded,
    bound,
    clean,
    fast,
)
from models.lifecycle.paired import draws

__all__ = ["FEWEST", "Guesser", "Stretch", "decide"]

FEWEST = 500
"""Fewest transactions of a window that say how a model does."""

_FEWEST_PART = 100  # the same of a segment
_NOMINAL, _OFF = 0.90, 0.03


@dataclass(frozen=True)
class Guesser:
    """What a model lost on each row (nats of category, US dollars of amount: pinball loss).

    ``inside`` says where the amount lay in its interval; ``None`` for categories.
    """

    name: str
    loss: Array
    inside: Array | None = None


@dataclass(frozen=True)
class Stretch:
    """Transactions that neither model has learnt from: days since 1970, and what divides them."""

    day: Array
    segments: Mapping[str, Array]


def decide(
    stretch: Stretch,
    champion: Guesser,
    challenger: Guesser,
    *,
    latencies_ms: Array,
    loaded: Loaded,
    bounds: Bounds,
    seed: int = 0,
) -> Decision:
    """Judge the challenger against the champion on these transactions.

    Args:
        stretch: the transactions.
        champion: what serves now, or what everybody would guess when nothing does.
        challenger: what asks to serve.
        latencies_ms: what a batch took with the challenger, once for each try.
        loaded: how the challenger loaded in a process of its own.
        bounds: what is asked for; of labels and costs nothing.
        seed: of the draws of days; the same seed gives the same decision.
    """
    checks = [clean(loaded), fast(latencies_ms, bounds), enough := _enough(stretch)]
    if enough.verdict == "passed":
        checks += _quality(stretch, champion, challenger, bounds, seed)
    return Decision(challenger.name, champion.name, tuple(checks))


def _enough(stretch: Stretch) -> Check:
    rows, days = len(stretch.day), len(np.unique(stretch.day))
    figures = {"transactions": float(rows), "days": float(days)}
    if rows < FEWEST or days < FEWEST_DAYS:
        reason = (
            f"{rows} transactions on {days} days, and {FEWEST} on {FEWEST_DAYS} are needed; wait"
            " for more or widen the window"
        )
        return Check("transactions", "failed", reason, figures)
    return Check("transactions", "passed", f"{rows:,} on {days} days", figures)


def _quality(
    stretch: Stretch, champion: Guesser, challenger: Guesser, bounds: Bounds, seed: int
) -> Iterator[Check]:
    days, day = np.unique(stretch.day, return_inverse=True)
    weights = draws(len(days), DRAWS, seed)
    whole = np.ones(len(day), dtype=bool)
    was, now = (_means(day, one.loss, whole, weights) for one in (champion, challenger))
    low = bound(was - now, 1 - bounds.confidence)
    figures = {"champion": was[0], "challenger": now[0], "surely less by": low}
    told = f"{now[0]:.4f} against {was[0]:.4f}, with {bounds.confidence:.0%} confidence"
    if low > 0:
        yield Check("loss", "passed", f"{told} less by {low:.4f}", figures)
    else:
        yield Check("loss", "failed", f"{told} not less (by {low:.4f})", figures)
    if challenger.inside is not None:
        yield _covered(_means(day, challenger.inside.astype(float), whole, weights), bounds)
    yield from _segments(day, stretch, champion, challenger, weights, bounds)


def _means(day: Array, values: Array, which: Array, weights: Array) -> Array:
    """Mean under each column of ``weights``; NaN for a draw without a row."""
    size = len(weights)
    total = np.bincount(day[which], values[which], minlength=size) @ weights
    count = np.bincount(day[which], minlength=size) @ weights
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _covered(shares: Array, bounds: Bounds) -> Check:
    doubt = (1 - bounds.confidence) / 2
    low, high = bound(shares, doubt), bound(shares, 1 - doubt)
    figures = {"coverage": shares[0], "low": low, "high": high}
    told = f"{shares[0]:.3f} of the amounts lie in their interval, {_NOMINAL:.2f} should"
    if high < _NOMINAL - _OFF or low > _NOMINAL + _OFF:
        return Check("coverage", "failed", f"{told}: surely off by more than {_OFF:.2f}", figures)
    return Check("coverage", "passed", told, figures)


def _segments(
    day: Array,
    stretch: Stretch,
    champion: Guesser,
    challenger: Guesser,
    weights: Array,
    bounds: Bounds,
) -> Iterator[Check]:
    """A check for each part of each division; the doubt is shared as with those of fraud."""
    parts = [
        (f"{division} {part}", of == part)
        for division, of in stretch.segments.items()
        for part in np.unique(of).tolist()
    ]
    counts = [int(rows.sum()) for _, rows in parts]
    doubt = (1 - bounds.confidence) / max(1, sum(count >= _FEWEST_PART for count in counts))
    for (name, rows), count in zip(parts, counts, strict=True):
        if count < _FEWEST_PART:
            reason = f"{count} transactions, and {_FEWEST_PART} are needed to tell"
            yield Check(name, "not judged", reason, {"transactions": float(count)})
            continue
        was, now = (_means(day, one.loss, rows, weights) for one in (champion, challenger))
        figures = {"transactions": float(count), "champion": was[0], "challenger": now[0]}
        told = f"loss {now[0]:.4f} against {was[0]:.4f}, {count:,} transactions"
        if bound(now - was, doubt) > 0:
            yield Check(name, "failed", f"{told}: surely worse", figures)
        else:
            yield Check(name, "passed", f"{told}: not surely worse", figures)
