"""Whether a champion should be trained again, and why."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from models.lifecycle.decay import Decay
from models.lifecycle.drift import SCORE, Drift

__all__ = ["due"]


def due(
    behind_days: int,
    drifts: Sequence[Drift],
    decays: Sequence[Decay],
    *,
    most_days: int,
    most_features: float,
) -> str:
    """Why it should be, in words; empty while nothing calls for it.

    Args:
        behind_days: how many newer days have labels than its training saw.
        drifts: of its features and its score.
        decays: its weeks, in order; the newest that could be judged counts.
        most_days: a model that is so far behind is replaced anyway.
        most_features: share of the features that may be in alarm.
    """
    reasons = []
    if behind_days >= most_days:
        reasons.append(
            f"labels are {behind_days} days newer than its training, and {most_days} may be"
        )
    score = [drift for drift in drifts if drift.name == SCORE]
    if score and score[0].level == "alarm":
        reasons.append(f"its score drifts (PSI {score[0].psi:.2f}, KS {score[0].ks:.2f})")
    features = [drift for drift in drifts if drift.name != SCORE]
    alarmed = sorted((d for d in features if d.level == "alarm"), key=lambda d: -d.psi)
    if alarmed and len(alarmed) >= most_features * len(features):
        worst = ", ".join(drift.name for drift in alarmed[:3])
        reasons.append(f"{len(alarmed)} of {len(features)} features drift (most: {worst})")
    judged = [week for week in decays if not isnan(week.average_precision)]
    if judged and judged[-1].level == "alarm":
        week = judged[-1]
        reasons.append(
            f"it decays (average precision {week.average_precision:.3f}, {week.frauds} frauds where"
            f" {week.foretold:.0f} were foretold)"
        )
    return "; ".join(reasons)
