"""How well scores tell frauds: by transaction, and by the cards an analyst can look at in a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from models.features.events import Array

__all__ = [
    "METRICS",
    "Scored",
    "card_precision",
    "intervals",
    "judge",
    "middle",
    "recall_at_precision",
    "samples_of_days",
]

METRICS = ("average precision", "card precision@100", "recall at 90 % precision", "AUC")

_TOP = 100


@dataclass(frozen=True)
class Scored:
    """Transactions with their day, card, label (0 or 1) and score; the higher the likelier."""

    day: Array
    card: Array
    label: Array
    score: Array

    def take(self, which: Array) -> Scored:
        """The transactions at these positions."""
        return Scored(self.day[which], self.card[which], self.label[which], self.score[which])


def judge(scored: Scored, top: int = _TOP) -> dict[str, float]:
    """Every metric of ``METRICS``; with another ``top`` its name says so."""
    by_transaction = _by_transaction(scored)
    by_card = {f"card precision@{top}": card_precision(scored, top)}
    return {name: (by_transaction | by_card)[name] for name in _names(top)}


def _names(top: int) -> list[str]:
    return [name.replace("@100", f"@{top}") for name in METRICS]


def _by_transaction(scored: Scored) -> dict[str, float]:
    label, score = scored.label, scored.score
    return {
        "average precision": float(average_precision_score(label, score)),
        "recall at 90 % precision": recall_at_precision(label, score, 0.9),
        "AUC": float(roc_auc_score(label, score)),
    }


def recall_at_precision(label: Array, score: Array, precision: float) -> float:
    """The largest share of frauds found by a threshold at which that precision is kept."""
    precisions, recalls, _ = precision_recall_curve(label, score)
    return float(recalls[precisions >= precision].max(initial=0.0))


def card_precision(scored: Scored, top: int = _TOP) -> float:
    """Share of compromised cards among the ``top`` cards of a day, as a mean over the days.

    A card's score is the highest of its transactions on the day; it is compromised when one of
    them is a fraud. A compromised card that was among the top is blocked: it is left out of later
    days. (Fraud Detection Handbook, chapter 4, "Precision top-k metrics".) Of equal scores the
    card with the lower number comes first.
    """
    return float(np.mean(_card_shares(scored, top)))


def _card_shares(scored: Scored, top: int) -> Array:
    """Of each day, in order."""
    blocked: Array = np.empty(0, scored.card.dtype)
    shares = []
    for day in np.unique(scored.day):
        rows = (scored.day == day) & ~np.isin(scored.card, blocked)
        cards, place = np.unique(scored.card[rows], return_inverse=True)
        highest = np.full(len(cards), -np.inf)
        np.maximum.at(highest, place, scored.score[rows])
        compromised = np.zeros(len(cards), dtype=bool)
        np.logical_or.at(compromised, place, scored.label[rows] == 1)
        best = np.argsort(-highest, kind="stable")[:top]
        found = cards[best[compromised[best]]]
        shares.append(len(found) / top)
        blocked = np.concatenate([blocked, found])
    return np.array(shares)


def intervals(
    scored: Scored, times: int = 100, seed: int = 0, coverage: float = 0.9
) -> dict[str, tuple[float, float]]:
    """Where each metric lies in the middle share of bootstrap samples of whole days.

    Days are drawn with replacement, so that what hangs together within a day stays together; cards
    are blocked as on the days as they were. A sample without both kinds of labels counts for
    nothing.
    """
    shares = _card_shares(scored, _TOP)
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for drawn, rows in samples_of_days(scored.day, times, seed):
        sample = scored.take(rows)
        if len(np.unique(sample.label)) == 2:
            found[f"card precision@{_TOP}"].append(float(shares[drawn].mean()))
            for name, value in _by_transaction(sample).items():
                found[name].append(value)
    return {name: middle(values, coverage) for name, values in found.items()}


def samples_of_days(day: Array, times: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Bootstrap samples of whole days: places among the sorted days, and positions of their rows.

    ``day`` is the day of each row.
    """
    random = np.random.default_rng(seed)
    days = np.unique(day)
    order = np.argsort(day, kind="stable")
    rows = np.split(order, np.searchsorted(day[order], days[1:], "left"))
    for _ in range(times):
        drawn = random.integers(0, len(days), len(days))
        yield drawn, np.concatenate([rows[place] for place in drawn.tolist()])


def middle(values: Sequence[float], coverage: float = 0.9) -> tuple[float, float]:
    """Bounds of the middle share of the values."""
    low, high = (1 - coverage) / 2, (1 + coverage) / 2
    return float(np.quantile(values, low)), float(np.quantile(values, high))
