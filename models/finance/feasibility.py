"""How likely a goal is, by the customer's own months drawn again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finlake.errors import UsageProblem
from models.finance.goals import MOST_MONTHS, Alternative, Goal, alternatives, target_after
from models.finance.ledger import MonthFlow, ordered_months

__all__ = ["Feasibility", "feasibility", "resampled"]

_FEWEST: Final = 3
_BLOCK: Final = 3
_LIKELY, _POSSIBLE = 0.8, 0.4
_CELLS: Final = 4_000_000  # of the simulation: paths times months

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Feasibility:
    """How likely a goal is reached in time; None with fewer than three months of history.

    ``usual`` is the mean saved a month so far, cents; ``low``, ``middle`` and ``high`` are the
    10th, 50th and 90th percentile of what is there in the end. ``alternatives`` change one thing
    each and are given unless the goal is likely.
    """

    probability: float | None
    verdict: str
    usual: int
    low: int | None
    middle: int | None
    high: int | None
    alternatives: tuple[Alternative, ...]
    reason: str


def feasibility(
    goal: Goal, months: int, history: Sequence[MonthFlow], seed: int = 0, paths: int = 2000
) -> Feasibility:
    """The probability that the goal is reached after so many months of saving as before.

    **Formula.** Each of ``paths`` futures strings blocks of three consecutive months of the history
    together, drawn with replacement and wrapping around (circular block bootstrap), so that a dear
    month stays with what follows it. A future's balance grows by the monthly return and what the
    month saved, negative months included; when it falls below zero it stays there, for a goal's
    money cannot be overdrawn. The probability is the share of futures at or above the target with
    inflation: ``(reached + 1) / (paths + 2)`` (Laplace), so that no simulation claims certainty.

    **Source.** Politis and Romano, "A circular block-resampling procedure for stationary data"
    (1992).

    **Limits.** The future is made of the past: no raise, no job lost, no trend. It supposes that
    all that is saved goes to this goal. Figures are probabilities, reckoned in floats; nothing is
    paid by them. The sampling error of 2,000 paths is 1 point at most (one standard deviation).

    Args:
        goal: what is saved for.
        months: the term, 1 to 1,200.
        history: whole months without a gap, in any order.
        seed: of the random numbers; the same gives the same answer.
        paths: futures to draw, 100 to 100,000.

    Raises:
        UsageProblem: an argument lies outside its bounds, or the history has a gap.
    """
    if not 1 <= months <= MOST_MONTHS:
        raise UsageProblem(f"{months} months are no term; take 1 to {MOST_MONTHS}")
    if not 100 <= paths <= 100_000:
        raise UsageProblem(f"{paths} paths are too few or too many; take 100 to 100,000")
    saved = [flow.saved for flow in ordered_months(history)]
    usual = sum(saved) // len(saved) if saved else 0
    others = alternatives(goal, max(0, usual), months)
    if len(saved) < _FEWEST:
        reason = f"{len(saved)} whole months are known; {_FEWEST} are needed"
        return Feasibility(None, "unknown", usual, None, None, None, others, reason)
    ends = _ends(goal, months, saved, seed, paths)
    reached = int((ends >= target_after(goal, months)).sum())
    probability = (reached + 1) / (len(ends) + 2)
    verdict = (
        "likely"
        if probability >= _LIKELY
        else "possible"
        if probability >= _POSSIBLE
        else "unlikely"
    )
    low, middle, high = (round(float(q)) for q in np.quantile(ends, [0.1, 0.5, 0.9]))
    return Feasibility(
        probability, verdict, usual, low, middle, high, () if verdict == "likely" else others,
        f"{reached} of {len(ends)} futures made of the last {len(saved)} months reach it",
    )  # fmt: skip


def _ends(goal: Goal, months: int, saved: Sequence[int], seed: int, paths: int) -> Array:
    random = np.random.Generator(np.random.PCG64(seed))
    growth = float(1 + goal.yearly_return) ** (1 / 12)
    ends = []
    chunk = max(1, _CELLS // months)
    for first in range(0, paths, chunk):
        drawn = resampled(np.array(saved, dtype=float), months, min(chunk, paths - first), random)
        balance = np.full(len(drawn), float(goal.saved))
        for month in range(months):
            balance = np.maximum(0.0, balance * growth + drawn[:, month])
        ends.append(balance)
    return np.concatenate(ends)


def resampled(values: Array, steps: int, paths: int, random: np.random.Generator) -> Array:
    """Paths of steps made of blocks of three values in a row, paths by steps."""
    blocks = -(-steps // _BLOCK)
    start = random.integers(len(values), size=(paths, blocks, 1))
    places = (start + np.arange(_BLOCK)) % len(values)
    drawn: Array = values[places.reshape(paths, -1)[:, :steps]]
    return drawn
