"""Champion and challenger over the same transactions, as far as their labels are known.

Pure: columns in, figures out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score

from models.features.events import Array
from models.mcnemar import mcnemar

__all__ = ["Comparison", "compare"]


class Comparison(NamedTuple):
    """What two models did with the same transactions.

    ``caught`` are frauds with an alert. ``only_champion`` and ``only_challenger`` count labelled
    transactions that one of them alone judged rightly. ``p_value`` says how likely so uneven a
    split is between models that are equally good. Average precision is ``None`` without a known
    fraud.
    """

    transactions: int
    labelled: int
    frauds: int
    champion_alerts: int
    challenger_alerts: int
    champion_caught: int
    challenger_caught: int
    champion_precision: float | None
    challenger_precision: float | None
    only_champion: int
    only_challenger: int
    p_value: float


def compare(label: Array, alerts: tuple[Array, Array], scores: tuple[Array, Array]) -> Comparison:
    """Compare the champion, first of each pair, with the challenger.

    Args:
        label: 1 fraud, 0 none, -1 not known.
        alerts: whether each raised an alert.
        scores: probabilities of fraud.
    """
    known = label >= 0
    fraud = label == 1
    right = [known & (alarm == fraud) for alarm in alerts]
    only = [int((right[a] & ~right[b] & known).sum()) for a, b in ((0, 1), (1, 0))]
    raised = [int(alarm.sum()) for alarm in alerts]
    caught = [int((alarm & fraud).sum()) for alarm in alerts]
    precision = [_precision(fraud[known], score[known]) for score in scores]
    return Comparison(
        transactions=len(label),
        labelled=int(known.sum()),
        frauds=int(fraud.sum()),
        champion_alerts=raised[0],
        challenger_alerts=raised[1],
        champion_caught=caught[0],
        challenger_caught=caught[1],
        champion_precision=precision[0],
        challenger_precision=precision[1],
        only_champion=only[0],
        only_challenger=only[1],
        p_value=mcnemar(*only),
    )


def _precision(fraud: Array, score: Array) -> float | None:
    if not fraud.any():
        return None
    return float(average_precision_score(fraud.astype(np.int64), score))
