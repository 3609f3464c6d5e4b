"""The gate: whether a challenger may take the champion's place.

Both are judged on the same recent labelled transactions. Each check says what it measured, what it
concludes and why; one that failed keeps the gate shut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from models.features.events import Array
from models.lifecycle.paired import average_precisions, costs_by_day, draws
from models.training.threshold import Costs

__all__ = [
    "DRAWS",
    "FEWEST_DAYS",
    "Bounds",
    "Check",
    "Decision",
    "Loaded",
    "Side",
    "Window",
    "bound",
    "clean",
    "decide",
    "fast",
]

Verdict = Literal["passed", "failed", "not judged"]

DRAWS = 2000
FEWEST_DAYS = 7
"""Of fewer days a bootstrap says too little."""


@dataclass(frozen=True)
class Side:
    """What a model says of the window: probabilities, and from which one on it raises an alarm."""

    name: str
    probability: Array
    threshold: float

    @classmethod
    def nobody(cls, rows: int) -> Side:
        """Stands for no champion: all transactions alike, and never an alarm."""
        return cls("nobody", np.zeros(rows), np.inf)


@dataclass(frozen=True)
class Window:
    """Labelled transactions: days since 1970, labels (0 or 1), and what they are divided by.

    ``segments`` gives, for each division (such as the channel), the part of each transaction.
    """

    day: Array
    label: Array
    segments: Mapping[str, Array]


@dataclass(frozen=True)
class Loaded:
    """How an artifact loaded in a process of its own: why not, or how far its answers were off."""

    difference: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Bounds:
    """What the gate asks for; ``latency_ms`` is processor time for a batch of ``batch_rows``."""

    costs: Costs
    confidence: float
    frauds: int
    segment_frauds: int
    latency_ms: float
    batch_rows: int


@dataclass(frozen=True)
class Check:
    """One question to the challenger, what was measured, and the answer with its reason."""

    name: str
    verdict: Verdict
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """All checks, in the order in which they were made."""

    challenger: str
    champion: str
    checks: tuple[Check, ...]

    @property
    def promoted(self) -> bool:
        """Whether no check failed."""
        return not any(check.verdict == "failed" for check in self.checks)

    @property
    def reason(self) -> str:
        """The decision in one line."""
        failed = [
            f"{check.name}: {check.reason}" for check in self.checks if check.verdict == "failed"
        ]
        if failed:
            return "; ".join(failed)
        passed = sum(check.verdict == "passed" for check in self.checks)
        return f"passed {passed} checks against {self.champion}"


def decide(
    window: Window,
    champion: Side,
    challenger: Side,
    *,
    latencies_ms: Array,
    loaded: Loaded,
    bounds: Bounds,
    seed: int = 0,
) -> Decision:
    """Judge the challenger against the champion on the window.

    Args:
        window: recent labelled transactions that neither model has learnt from.
        champion: what serves now; ``Side.nobody`` when nothing does.
        challenger: what asks to serve.
        latencies_ms: what scoring a batch with the challenger took, once for each try.
        loaded: how the challenger loaded in a process of its own.
        bounds: what is asked for.
        seed: of the draws of days; the same seed gives the same decision.
    """
    checks = [clean(loaded), fast(latencies_ms, bounds), enough := _labels(window, bounds)]
    if enough.verdict == "passed":
        checks += _quality(window, champion, challenger, bounds, seed)
    return Decision(challenger.name, champion.name, tuple(checks))


def clean(loaded: Loaded) -> Check:
    """Whether it loads in a process of its own, and answers the same there."""
    figures = {"largest difference": loaded.difference}
    if loaded.problem:
        return Check("clean load", "failed", loaded.problem)
    if loaded.difference > 0:
        reason = f"another process answers otherwise, by up to {loaded.difference:.3g}"
        return Check("clean load", "failed", reason, figures)
    return Check("clean load", "passed", "a process of its own gives the same answers", figures)


def fast(latencies_ms: Array, bounds: Bounds) -> Check:
    """Whether a batch takes no longer than it may."""
    p99 = float(np.quantile(latencies_ms, 0.99))
    verdict: Verdict = "passed" if p99 <= bounds.latency_ms else "failed"
    reason = (
        f"p99 {p99:.1f} ms of processor for {bounds.batch_rows:,} rows,"
        f" {'at most' if verdict == 'passed' else 'above'} {bounds.latency_ms:g} ms"
    )
    return Check(
        "latency", verdict, reason, {"p50 ms": float(np.median(latencies_ms)), "p99 ms": p99}
    )


def _labels(window: Window, bounds: Bounds) -> Check:
    frauds, days = int((window.label == 1).sum()), len(np.unique(window.day))
    figures = {"transactions": float(len(window.day)), "frauds": float(frauds), "days": float(days)}
    if frauds < bounds.frauds or days < FEWEST_DAYS:
        reason = (
            f"{frauds} frauds on {days} days, and {bounds.frauds} on {FEWEST_DAYS} are needed;"
            " wait for labels or widen the window"
        )
        return Check("labels", "failed", reason, figures)
    return Check("labels", "passed", f"{frauds} frauds on {days} days", figures)


def _quality(
    window: Window, champion: Side, challenger: Side, bounds: Bounds, seed: int
) -> Iterator[Check]:
    days, day = np.unique(window.day, return_inverse=True)
    weights = draws(len(days), DRAWS, seed)
    yield _better(day, window.label, champion, challenger, weights, bounds)
    yield _cheaper(day, window.label, champion, challenger, weights, bounds)
    yield from _segments(day, window, champion, challenger, weights, bounds)


def _better(
    day: Array, label: Array, champion: Side, challenger: Side, weights: Array, bounds: Bounds
) -> Check:
    was, now = (
        average_precisions(day, label, side.probability, weights) for side in (champion, challenger)
    )
    low = bound(now - was, 1 - bounds.confidence)
    figures = {"champion": was[0], "challenger": now[0], "surely better by": low}
    told = f"{now[0]:.4f} against {was[0]:.4f}, with {bounds.confidence:.0%} confidence"
    if low > 0:
        return Check("average precision", "passed", f"{told} better by {low:.4f}", figures)
    return Check("average precision", "failed", f"{told} not better (by {low:.4f})", figures)


def _cheaper(
    day: Array, label: Array, champion: Side, challenger: Side, weights: Array, bounds: Bounds
) -> Check:
    days = len(weights)
    was, now = (
        costs_by_day(day, label, side.probability, side.threshold, bounds.costs, days)
        @ weights
        / days
        for side in (champion, challenger)
    )
    low = bound(was - now, 1 - bounds.confidence)
    figures = {"champion": was[0], "challenger": now[0], "surely saves": low}
    told = f"{now[0]:.2f} a day against {was[0]:.2f}, with {bounds.confidence:.0%} confidence"
    if low >= 0:
        return Check("cost", "passed", f"{told} no dearer (saves {low:.2f})", figures)
    return Check("cost", "failed", f"{told} it may be dearer by {-low:.2f}", figures)


def _segments(
    day: Array, window: Window, champion: Side, challenger: Side, weights: Array, bounds: Bounds
) -> list[Check]:
    """A check for each part of each division; those with too few frauds are not judged.

    So many parts would make a good model look worse in one of them by luck: the doubt that is
    allowed is shared between those that are judged (Bonferroni).
    """
    parts = [
        (f"{division} {part}", of == part)
        for division, of in window.segments.items()
        for part in np.unique(of).tolist()
    ]
    frauds = [int((window.label[rows] == 1).sum()) for _, rows in parts]
    judged = sum(count >= bounds.segment_frauds for count in frauds)
    doubt = (1 - bounds.confidence) / max(1, judged)
    found = []
    for (name, rows), count in zip(parts, frauds, strict=True):
        if count < bounds.segment_frauds:
            reason = f"{count} frauds, and {bounds.segment_frauds} are needed to tell"
            found.append(Check(name, "not judged", reason, {"frauds": float(count)}))
            continue
        was, now = (
            average_precisions(day[rows], window.label[rows], side.probability[rows], weights)
            for side in (champion, challenger)
        )
        high = bound(now - was, 1 - doubt)
        figures = {"frauds": float(count), "champion": was[0], "challenger": now[0]}
        told = f"average precision {now[0]:.4f} against {was[0]:.4f}, {count} frauds"
        if high < 0:
            found.append(Check(name, "failed", f"{told}: surely worse", figures))
        else:
            found.append(Check(name, "passed", f"{told}: not surely worse", figures))
    return found


def bound(differences: Array, share: float) -> float:
    """The quantile over the draws; the first column is no draw, and a draw may have no fraud."""
    return float(np.nanquantile(differences[1:], share))
