"""Features of what has become known about earlier transactions.

Labels arrive late: only those of transactions older than the label's delay are looked at, and a
transaction without a label counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from models.features.events import Array
from models.features.feature import PAST_LABELS, Entity, Feature, Kind
from models.features.view import DAY, View

__all__ = ["FEATURES"]

_LONG = 30 * DAY
_PRIOR_KNOWN = 1.0  # as if so many labels had been seen before,
_PRIOR_RATE = 0.05  # of which this share are frauds


def _rate(view: View, entity: Entity, window: int, measure: str) -> Array:
    known = view.sum(entity, window, "known", delayed=True)
    fraud = view.sum(entity, window, measure, delayed=True)
    found: Array = (fraud + _PRIOR_KNOWN * _PRIOR_RATE) / (known + _PRIOR_KNOWN)
    return found


def _run_start(view: View) -> Array:
    """First place after the merchant's last transaction that is known to be genuine."""
    low, _ = view.bounds("merchant", _LONG, delayed=True)
    genuine = view.last("merchant", _LONG, "genuine", delayed=True)
    return np.where(genuine >= 0, genuine + 1, low)


def _run(view: View) -> Array:
    _, high = view.bounds("merchant", _LONG, delayed=True)
    return view.sum_from("merchant", _run_start(view), high, "quiet fraud")


def _run_days(view: View) -> Array:
    _, high = view.bounds("merchant", _LONG, delayed=True)
    first = view.first_after("merchant", _run_start(view), "quiet fraud")
    there = first < high
    ago = view.rows["ts"] - view.at("merchant", np.where(there, first, -1), "ts")
    return np.where(there, ago / DAY, np.nan)


def _days_since(view: View, entity: Entity, which: str) -> Array:
    place = view.last(entity, _LONG, which, delayed=True)
    ago = view.rows["ts"] - view.at(entity, place, "ts")
    return np.where(place >= 0, ago / DAY, np.nan)


def _genuine_since(view: View) -> Array:
    _, high = view.bounds("merchant", _LONG, delayed=True)
    fraud = view.last("merchant", _LONG, "quiet fraud", delayed=True)
    return np.where(
        fraud >= 0, view.sum_from("merchant", np.maximum(fraud, 0), high, "genuine"), -1
    )


def _feature(
    name: str,
    kind: Kind,
    entity: Entity,
    window: int,
    meaning: str,
    of: Callable[[View], Array],
    null: str = "never",
) -> Feature:
    inputs = ("ts", "id", entity, "label", "mark")
    return Feature(name, meaning, "fraud rate", entity, window, inputs, PAST_LABELS, kind, null, of)


def _counted(entity: Entity, measure: str, days: int, word: str) -> Feature:
    return _feature(
        f"{entity}_{measure.replace(' ', '_')}_{days}d",
        "count",
        entity,
        days * DAY,
        f"Transactions of the {entity} known {word}, of {days} days.",
        lambda view: view.sum(entity, days * DAY, measure, delayed=True),
    )


def _rated(days: int, measure: str, word: str) -> Feature:
    return _feature(
        f"merchant_{measure.replace(' ', '_')}_rate_{days}d",
        "number",
        "merchant",
        days * DAY,
        f"Share of {word} among the merchant's labels of {days} days, as if {_PRIOR_KNOWN:g}"
        f" more were known at a rate of {_PRIOR_RATE}.",
        lambda view: _rate(view, "merchant", days * DAY, measure),
    )


_NO_FRAUD = "no known fraud in the window"

_QUIET = "to be fraud of an amount that is not high for its card"

FEATURES: tuple[Feature, ...] = (
    *(_counted("merchant", "known", days, "to be fraud or not") for days in (1, 7, 30)),
    *(_counted("merchant", "fraud", days, "to be fraud") for days in (1, 7, 30)),
    *(_counted("merchant", "quiet fraud", days, _QUIET) for days in (1, 3, 7, 14, 30)),
    *(_rated(days, "fraud", "frauds") for days in (1, 7, 30)),
    *(
        _rated(days, "quiet fraud", "frauds of an amount that is not high for their card")
        for days in (1, 3, 7, 14, 21, 30)
    ),
    _feature(
        "merchant_fraud_run", "count", "merchant", _LONG,
        f"Transactions at the merchant known {_QUIET}, after its last one known to be genuine.",
        _run,
    ),
    _feature(
        "merchant_fraud_run_days", "number", "merchant", _LONG,
        "Days since the first of that run.", _run_days, "there is no such run",
    ),
    _feature(
        "merchant_days_since_fraud", "number", "merchant", _LONG,
        f"Days since the merchant's last transaction known {_QUIET}.",
        lambda v: _days_since(v, "merchant", "quiet fraud"), _NO_FRAUD,
    ),
    _feature(
        "merchant_days_since_genuine", "number", "merchant", _LONG,
        "Days since its last transaction known to be genuine.",
        lambda v: _days_since(v, "merchant", "genuine"), "none is known in the window",
    ),
    _feature(
        "merchant_genuine_since_fraud", "count", "merchant", _LONG,
        f"Transactions known to be genuine since the last one known {_QUIET}; -1 without one.",
        _genuine_since,
    ),
    *(_counted("card", "fraud", days, "to be fraud") for days in (7, 30)),
    _counted("card", "quiet fraud", 30, _QUIET),
    _feature(
        "card_days_since_fraud", "number", "card", _LONG,
        "Days since the card's last known fraud.",
        lambda v: _days_since(v, "card", "fraud"), _NO_FRAUD,
    ),
    _counted("customer", "fraud", 30, "to be fraud"),
    *(
        _feature(
            f"band_fraud_rate_{days}d", "number", "band", days * DAY,
            "Share of frauds among the labels of transactions of the same ten dollars, by anyone,"
            f" in {days} days, as if {_PRIOR_KNOWN:g} more were known at a rate of {_PRIOR_RATE};"
            " that rate alone below 100 dollars.",
            partial(_rate, entity="band", window=days * DAY, measure="fraud"),
        )
        for days in (7, 30)
    ),
)  # fmt: skip
