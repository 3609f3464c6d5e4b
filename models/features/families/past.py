"""Features of what the card, customer, merchant and city did before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.features.events import HIGH, UNUSUAL, Array
from models.features.families.own import ratio
from models.features.feature import PAST, Entity, Family, Feature, Kind
from models.features.marks import MARK_WINDOW, mark
from models.features.view import DAY, HOUR, MINUTE, View

__all__ = ["FEATURES", "WINDOWS", "deviation", "mean", "ratio_to_mean", "seen"]

WINDOWS = {
    "10m": 10 * MINUTE,
    "1h": HOUR,
    "24h": DAY,
    "7d": 7 * DAY,
    "14d": 14 * DAY,
    "30d": 30 * DAY,
    "90d": 90 * DAY,
}

_MEASURED: dict[Entity, dict[str, str]] = {
    # statistic: the windows it is taken over
    "card": {
        "count": "10m 1h 24h 7d 30d",
        "sum": "10m 1h 24h 7d 30d",
        "mean": "24h 7d 30d 90d",
        "deviation": "7d 30d 90d",
        "ratio": "24h 7d 30d 90d",
        "score": "30d 90d",
        "declined": "1h 24h 7d",
        "unusual": "24h 7d 14d 30d",
        "usual_mean": "30d 90d",
        "usual_ratio": "30d 90d",
    },
    "customer": {
        "count": "1h 24h 7d 30d",
        "sum": "1h 24h 7d 30d",
        "mean": "30d",
        "deviation": "30d",
        "ratio": "30d",
    },
    "merchant": {
        "count": "10m 1h 24h 7d 30d",
        "sum": "1h 24h",
        "mean": "7d 30d",
        "deviation": "30d",
        "ratio": "30d",
        "declined": "24h",
    },
    "city": {"count": "10m 1h 24h", "mean": "24h", "deviation": "24h", "ratio": "24h"},
}
"""Statistics of the amounts; the declined and the unusual are counted."""


_ROUNDING = 1e-12
"""A spread below this share of the sum of squares is what rounding left of amounts all alike."""


def mean(view: View, entity: Entity, window: int) -> Array:
    """Mean amount in the window, US dollars; NaN without a transaction."""
    count = view.sum(entity, window, "count")
    return ratio(view.sum(entity, window, "cents") / 100.0, count)


def deviation(view: View, entity: Entity, window: int) -> Array:
    """Standard deviation of a sample; NaN with fewer than two transactions."""
    count = view.sum(entity, window, "count").astype(np.float64)
    total = view.sum(entity, window, "cents").astype(np.float64)
    squares = view.sum(entity, window, "squares").astype(np.float64)
    spread = squares - total * total / np.maximum(count, 1.0)
    spread = np.where(spread > squares * _ROUNDING, spread, 0.0)
    found: Array = np.sqrt(ratio(spread, count - 1.0)) / 100.0
    return found


def ratio_to_mean(view: View, entity: Entity, window: int) -> Array:
    """The amount over the window's mean; NaN where that is not positive."""
    return ratio(view.rows["cents"] / 100.0, mean(view, entity, window))


def _usual_mean(view: View, entity: Entity, window: int) -> Array:
    count = view.sum(entity, window, "usual")
    return ratio(view.sum(entity, window, "usual cents") / 100.0, count)


def _usual_ratio(view: View, entity: Entity, window: int) -> Array:
    return ratio(view.rows["cents"] / 100.0, _usual_mean(view, entity, window))


def _score(view: View, entity: Entity, window: int) -> Array:
    above = view.rows["cents"] / 100.0 - mean(view, entity, window)
    return ratio(above, deviation(view, entity, window))


def _count(measure: str) -> Callable[[View, Entity, int], Array]:
    return lambda view, entity, window: view.sum(entity, window, measure)


def _total(view: View, entity: Entity, window: int) -> Array:
    found: Array = view.sum(entity, window, "cents") / 100.0
    return found


_STATISTICS: dict[str, tuple[Kind, str, str, Callable[[View, Entity, int], Array]]] = {
    # kind, meaning, when it is empty, what gives it
    "count": ("count", "Transactions", "never", _count("count")),
    "sum": ("number", "Sum of the amounts, US dollars,", "never", _total),
    "mean": ("number", "Mean amount, US dollars,", "no transaction in the window", mean),
    "deviation": (
        "number",
        "Standard deviation of the amounts, US dollars,",
        "fewer than two transactions in the window",
        deviation,
    ),
    "ratio": ("number", "The amount over the mean amount", "no positive mean", ratio_to_mean),
    "score": (
        "number",
        "Standard deviations between the amount and the mean amount",
        "fewer than two transactions, or all alike",
        _score,
    ),
    "declined": ("count", "Declined transactions", "never", _count("declined")),
    "unusual": (
        "count",
        "Transactions of more than 2.8 times the card's mean amount of 30 days",
        "never",
        _count("unusual"),
    ),
    "usual_mean": (
        "number",
        "Mean amount, US dollars, without the unusual ones,",
        "no such transaction in the window",
        _usual_mean,
    ),
    "usual_ratio": (
        "number",
        "The amount over the mean amount without the unusual ones",
        "no positive mean",
        _usual_ratio,
    ),
}


def _velocity(entity: Entity, statistic: str, window: str) -> Feature:
    kind, meaning, null, take = _STATISTICS[statistic]
    measured = {"declined": "declined", "unusual": "mark"}.get(statistic, "cents")
    inputs = ("ts", "id", entity, measured, *["mark"] * statistic.startswith("usual"))
    return Feature(
        name=f"{entity}_{statistic}_{window}",
        meaning=f"{meaning} of the {entity} in the last {window}.",
        family="velocity",
        entity=entity,
        window=WINDOWS[window],
        inputs=inputs[:3] if statistic == "count" else inputs,
        rule=PAST,
        kind=kind,
        null=null,
        of=lambda view: take(view, entity, WINDOWS[window]),
    )


_LONG = WINDOWS["90d"]


def _ago(view: View, entity: Entity, window: int, which: str | None = None) -> Array:
    """Seconds since the entity's last event that is ``which``; NaN without one in the window."""
    place = view.last(entity, window, which)
    seconds = (view.rows["ts"] - view.at(entity, place, "ts")) / 1e6
    return np.where(place >= 0, seconds, np.nan)


def _kilometres(view: View) -> Array:
    """From the last use in person, straight through the earth; NaN where a place is not known."""
    place = view.last("card", _LONG, "physical")
    square = np.zeros(len(view.rows))
    for axis in ("place_x", "place_y", "place_z"):
        side = view.rows[axis] - view.at("card", place, axis)
        square = square + side * side
    return np.where((place >= 0) & view.rows["physical"], np.sqrt(square), np.nan)


def _speed(view: View) -> Array:
    hours = np.maximum(_ago(view, "card", _LONG, "physical"), 60.0) / 3600.0
    found: Array = _kilometres(view) / hours
    return found


def _same_amount(view: View) -> Array:
    place = view.last("card", _LONG)
    found: Array = (place >= 0) & (view.at("card", place, "cents") == view.rows["cents"])
    return found


def _feature(
    family: Family,
    name: str,
    kind: Kind,
    entity: Entity,
    window: int,
    inputs: str,
    meaning: str,
    of: Callable[[View], Array],
    null: str = "never",
) -> Feature:
    columns = ("ts", "id", *inputs.split())
    return Feature(name, meaning, family, entity, window, columns, PAST, kind, null, of)


def seen(entity: Entity) -> Callable[[View], Array]:
    """How many transactions the entity had in 90 days."""
    return lambda view: view.sum(entity, _LONG, "count")


def _new(entity: Entity) -> Callable[[View], Array]:
    return lambda view: (
        (view.sum(entity, _LONG, "count") == 0) & (view.sum("card", _LONG, "count") > 0)
    )


_LAST = (
    _feature(
        "last use", "card_seconds_since", "number", "card", _LONG, "card",
        "Seconds since the card's last use.", lambda v: _ago(v, "card", _LONG),
        "no use in 90 days",
    ),
    _feature(
        "last use", "card_seconds_since_declined", "number", "card", 7 * DAY, "card declined",
        "Seconds since the card was declined last.", lambda v: _ago(v, "card", 7 * DAY, "declined"),
        "not declined in 7 days",
    ),
    _feature(
        "last use", "customer_seconds_since", "number", "customer", _LONG, "customer",
        "Seconds since the customer's last transaction.", lambda v: _ago(v, "customer", _LONG),
        "none in 90 days",
    ),
    _feature(
        "last use", "merchant_seconds_since", "number", "merchant", 30 * DAY, "merchant",
        "Seconds since the merchant's last transaction.",
        lambda v: _ago(v, "merchant", 30 * DAY), "none in 30 days",
    ),
    _feature(
        "last use", "card_km_since", "number", "card", _LONG,
        "card physical place_x place_y place_z",
        "Kilometres from the state of the card's last use in person, in a straight line through"
        " the earth.",
        _kilometres, "online, no use in person in 90 days, or a state is not known",
    ),
    _feature(
        "last use", "card_kmh_since", "number", "card", _LONG,
        "card physical place_x place_y place_z",
        "Those kilometres over the hours since; less than a minute counts as one.",
        _speed, "as card_km_since",
    ),
    _feature(
        "last use", "card_same_amount", "flag", "card", _LONG, "card cents",
        "The amount of the card's last use once more.", _same_amount,
    ),
)  # fmt: skip

_MARKS = (
    _feature(
        "velocity", "is_high", "flag", "card", MARK_WINDOW, "card cents",
        "More than twice the card's mean amount of 30 days, of five uses or more.",
        lambda v: mark(v) >= HIGH,
    ),
    _feature(
        "velocity", "is_unusual", "flag", "card", MARK_WINDOW, "card cents",
        "More than 2.8 times the card's mean amount of 30 days, of five uses or more.",
        lambda v: mark(v) == UNUSUAL,
    ),
)  # fmt: skip

_NOVELTY = tuple(
    made
    for entity, word, columns in (
        ("card and merchant", "merchant", "card merchant"),
        ("card and category", "mcc", "card mcc"),
        ("card and state", "state", "card state"),
    )
    for made in (
        _feature(
            "novelty", f"card_{word}_seen", "count", entity, _LONG, columns,  # type: ignore[arg-type]
            f"Uses of the card with this {word} in 90 days.", seen(entity),  # type: ignore[arg-type]
        ),
        _feature(
            "novelty", f"card_{word}_new", "flag", entity, _LONG, columns,  # type: ignore[arg-type]
            f"The card was used in 90 days, never with this {word}.", _new(entity),  # type: ignore[arg-type]
        ),
    )
)  # fmt: skip

FEATURES: tuple[Feature, ...] = (
    *(
        _velocity(entity, statistic, window)
        for entity, statistics in _MEASURED.items()
        for statistic, windows in statistics.items()
        for window in windows.split()
    ),
    *_MARKS,
    *_LAST,
    _feature(
        "last use", "card_merchant_seconds_since", "number", "card and merchant", _LONG,
        "card merchant", "Seconds since the card's last use at this merchant.",
        lambda v: _ago(v, "card and merchant", _LONG), "none in 90 days",
    ),
    *_NOVELTY,
)  # fmt: skip
