"""Features of the transaction itself and of its card's and customer's attributes."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np

from models.features.events import Array, Events
from models.features.feature import NOW, SNAPSHOT, Entity, Family, Feature, Kind
from models.features.view import DAY, HOUR, MINUTE

__all__ = ["ERRORS", "FEATURES", "months", "ratio"]

ERRORS = (
    "Insufficient Balance",
    "Bad PIN",
    "Technical Glitch",
    "Bad Card Number",
    "Bad Expiration",
    "Bad CVV",
    "Bad Zipcode",
)
"""Reasons of a decline, in the order of their bits; a reason that is none of these has the next."""

_OTHER_ERROR = 1 << len(ERRORS)
_CATEGORY_BUCKETS = 64
_PLACE_BUCKETS = 256
_NIGHT_ENDS = 6  # the hour

# Circle of a day by minutes, from one table, so that every executor reads the same bits.
_MINUTES = 24 * 60
_SIN = np.array([sin(2 * pi * minute / _MINUTES) for minute in range(_MINUTES)])
_COS = np.array([cos(2 * pi * minute / _MINUTES) for minute in range(_MINUTES)])


def ratio(above: Array, below: Array) -> Array:
    """One over the other; NaN where the lower is nought or less, or either is NaN."""
    sound = below > 0
    found: Array = np.where(sound, above / np.where(sound, below, 1.0), np.nan)
    return found


def months(rows: Events) -> Array:
    """Months since 1970 of each transaction."""
    found: Array = rows["ts"].view("M8[us]").astype("M8[M]").astype(np.int64)
    return found


def _days(rows: Events) -> Array:
    return np.floor_divide(rows["ts"], DAY)


def _weekday(rows: Events) -> Array:
    return (_days(rows) + 3) % 7  # 1970 began on a Thursday


def _hour(rows: Events) -> Array:
    return rows["ts"] % DAY // HOUR


def _minute(rows: Events) -> Array:
    return rows["ts"] % DAY // MINUTE


def _day_of_month(rows: Events) -> Array:
    moment = rows["ts"].view("M8[us]")
    found: Array = (moment.astype("M8[D]") - moment.astype("M8[M]")).astype(np.int64) + 1
    return found


def _age(rows: Events) -> Array:
    found: Array = np.floor((months(rows) - rows["birth_month"]) / 12)
    return found


def _bucket(column: str, buckets: int) -> Callable[[Events], Array]:
    return lambda rows: np.where(rows[column] < 0, -1, rows[column] % buckets)


def _error(*names: str) -> Callable[[Events], Array]:
    mask = sum(1 << ERRORS.index(name) for name in names)
    return lambda rows: (rows["errors"] & mask) != 0


def _error_count(rows: Events) -> Array:
    bits = rows["errors"]
    return sum((bits >> place & 1 for place in range(len(ERRORS) + 1)), np.zeros(len(rows), int))


def _dollars(rows: Events) -> Array:
    found: Array = rows["cents"] / 100.0
    return found


def _chord(rows: Events) -> Array:
    sides = (rows[f"place_{axis}"] - rows[f"home_{axis}"] for axis in "xyz")
    found: Array = np.sqrt(sum((side * side for side in sides), np.zeros(len(rows))))
    return found


Plain = Callable[[Events], Array]


def _feature(
    family: Family, name: str, kind: Kind, inputs: str, meaning: str, of: Plain, null: str = "never"
) -> Feature:
    entities: dict[Family, Entity] = {"card": "card", "customer": "customer"}
    rule = SNAPSHOT if family in entities else NOW
    return Feature(
        name=name,
        meaning=meaning,
        family=family,
        entity=entities.get(family, "none"),
        window=0,
        inputs=tuple(inputs.split()),
        rule=rule,
        kind=kind,
        null=null,
        of=lambda view: of(view.rows),
    )


def _attribute(family: Family, column: str, kind: Kind, name: str, meaning: str) -> Feature:
    unknown = f"the {family} is not known"
    return _feature(family, name, kind, column, meaning, lambda rows: rows[column], unknown)


_NO_CARD = "the card is not known"
_NO_CUSTOMER = "the customer is not known"

FEATURES: tuple[Feature, ...] = (
    _feature("time", "hour", "count", "ts", "Hour of the day, UTC.", _hour),
    _feature(
        "time", "hour_sin", "number", "ts", "Sine of the time of day, to the minute.",
        lambda rows: _SIN[_minute(rows)],
    ),
    _feature(
        "time", "hour_cos", "number", "ts", "Cosine of the time of day, to the minute.",
        lambda rows: _COS[_minute(rows)],
    ),
    _feature(
        "time", "is_night", "flag", "ts", "Before six in the morning, UTC.",
        lambda rows: _hour(rows) < _NIGHT_ENDS,
    ),
    _feature("time", "weekday", "count", "ts", "Day of the week, Monday 0.", _weekday),
    _feature(
        "time", "is_weekend", "flag", "ts", "Saturday or Sunday.", lambda rows: _weekday(rows) >= 5
    ),
    _feature("time", "day_of_month", "count", "ts", "Day of the month.", _day_of_month),
    _feature("amount", "amount", "number", "cents", "Amount, US dollars.", _dollars),
    _feature(
        "amount", "amount_size", "number", "cents", "Amount without its sign, US dollars.",
        lambda rows: np.abs(_dollars(rows)),
    ),
    _feature(
        "amount", "is_refund", "flag", "cents", "The amount is negative.",
        lambda rows: rows["cents"] < 0,
    ),
    _feature(
        "amount", "amount_cents", "count", "cents", "What the amount has beyond whole dollars.",
        lambda rows: np.abs(rows["cents"]) % 100,
    ),
    _feature(
        "amount", "is_round", "flag", "cents", "A multiple of ten dollars.",
        lambda rows: rows["cents"] % 1000 == 0,
    ),
    _feature(
        "amount", "amount_to_limit", "number", "cents credit_limit",
        "Amount over the card's credit limit.",
        lambda rows: ratio(_dollars(rows), rows["credit_limit"]),
        "the card is not known, or has no limit",
    ),
    _feature(
        "amount", "amount_to_income", "number", "cents yearly_income",
        "Amount over the customer's yearly income.",
        lambda rows: ratio(_dollars(rows), rows["yearly_income"]),
        "the customer is not known, or has no income",
    ),
    _feature(
        "category", "channel", "code", "channel",
        "How the card was used: 0 swipe, 1 chip, 2 online, -1 another way.",
        lambda rows: rows["channel"],
    ),
    _feature(
        "category", "is_online", "flag", "channel", "Used online.",
        lambda rows: rows["channel"] == 2,
    ),
    _feature("category", "mcc", "code", "mcc", "Category of the merchant.", lambda r: r["mcc"]),
    _feature(
        "category", "mcc_group", "code", "mcc", "The category's first two digits.",
        lambda rows: rows["mcc"] // 100,
    ),
    _feature(
        "category", "state_bucket", "code", "state",
        "State or country, one of 256 buckets; -1 where there is none.",
        _bucket("state", _PLACE_BUCKETS),
    ),
    _feature(
        "category", "is_abroad", "flag", "abroad", "Outside the United States.",
        lambda rows: rows["abroad"],
    ),
    _feature(
        "category", "zip_region", "code", "zip_region",
        "First digit of the postal code, -1 where there is none.", lambda rows: rows["zip_region"],
    ),
    _feature(
        "text", "city_bucket", "code", "city",
        "City and state, one of 256 buckets; -1 online.",
        _bucket("city", _PLACE_BUCKETS),
    ),
    _feature(
        "text", "city_length", "count", "city_length", "Letters in the city's name.",
        lambda rows: np.maximum(rows["city_length"], 0),
    ),
    _feature(
        "text", "mcc_word", "code", "mcc_word",
        "First word of the category's name, one of 64 buckets; -1 where it has none.",
        _bucket("mcc_word", _CATEGORY_BUCKETS),
    ),
    _feature(
        "text", "mcc_length", "count", "mcc_length", "Letters in the category's name.",
        lambda rows: np.maximum(rows["mcc_length"], 0),
    ),
    _feature(
        "errors", "is_declined", "flag", "declined", "Declined.", lambda rows: rows["declined"]
    ),
    _feature("errors", "error_count", "count", "errors", "Reasons of the decline.", _error_count),
    _feature(
        "errors", "error_pin", "flag", "errors", "A wrong PIN among them.", _error("Bad PIN")
    ),
    _feature(
        "errors", "error_card_data", "flag", "errors",
        "A wrong card number, expiry, CVV or postal code among them.",
        _error("Bad Card Number", "Bad Expiration", "Bad CVV", "Bad Zipcode"),
    ),
    _feature(
        "errors", "error_balance", "flag", "errors", "Too little money among them.",
        _error("Insufficient Balance"),
    ),
    _feature(
        "errors", "error_technical", "flag", "errors",
        "A technical reason, or one that is not known, among them.",
        lambda rows: _error("Technical Glitch")(rows) | (rows["errors"] & _OTHER_ERROR != 0),
    ),
    _attribute("card", "card_brand", "number", "card_brand", "Brand, one of 64 buckets."),
    _attribute("card", "card_type", "number", "card_type", "Kind of card, one of 64 buckets."),
    _attribute("card", "has_chip", "number", "card_has_chip", "1 when the card has a chip."),
    _feature(
        "card", "chip_not_used", "flag", "has_chip channel",
        "The card has a chip and was swiped; 0 where the card is not known.",
        lambda rows: (rows["has_chip"] == 1) & (rows["channel"] == 0),
    ),
    _attribute("card", "cards_issued", "number", "cards_issued", "Times the card was issued."),
    _attribute("card", "credit_limit", "number", "credit_limit", "Credit limit, US dollars."),
    _feature(
        "card", "account_months", "number", "ts opened_month",
        "Months since the account was opened.",
        lambda rows: months(rows) - rows["opened_month"], _NO_CARD,
    ),
    _feature(
        "card", "months_to_expiry", "number", "ts expires_month", "Months until the card expires.",
        lambda rows: rows["expires_month"] - months(rows), _NO_CARD,
    ),
    _feature(
        "card", "pin_age", "number", "ts pin_year", "Years since the PIN was changed last.",
        lambda rows: months(rows) // 12 + 1970 - rows["pin_year"], _NO_CARD,
    ),
    _attribute("card", "dark_web", "number", "dark_web", "1 when seen for sale by criminals."),
    _feature(
        "customer", "age", "number", "ts birth_month", "Age in years.",
        _age, _NO_CUSTOMER,
    ),
    _feature(
        "customer", "years_to_retirement", "number", "ts birth_month retirement_age",
        "Years until the customer means to retire.",
        lambda rows: rows["retirement_age"] - _age(rows), _NO_CUSTOMER,
    ),
    _attribute("customer", "gender", "number", "gender", "Gender, one of 64 buckets."),
    _attribute(
        "customer", "yearly_income", "number", "yearly_income", "Income, US dollars a year."
    ),
    _attribute(
        "customer", "per_capita_income", "number", "per_capita_income",
        "Income per head where the customer lives, US dollars a year.",
    ),
    _feature(
        "customer", "debt_to_income", "number", "total_debt yearly_income",
        "All debts over the yearly income.",
        lambda rows: ratio(rows["total_debt"], rows["yearly_income"]),
        "the customer is not known, or has no income",
    ),
    _attribute("customer", "credit_score", "number", "credit_score", "Credit score, 300 to 850."),
    _attribute("customer", "cards_held", "number", "cards_held", "Cards that the customer holds."),
    _feature(
        "customer", "km_from_home", "number", "place_x place_y place_z home_x home_y home_z",
        "Kilometres from the customer's home to the middle of the merchant's state, in a straight"
        " line through the earth.",
        _chord, "the state or the home is not known",
    ),
)  # fmt: skip
