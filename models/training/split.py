"""Splits by time: some days to learn from, days in which labels arrive, days to judge by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from finlake.errors import FinlakeError
from models.features import Events
from models.features.events import Array
from models.features.view import DAY

__all__ = ["Protocol", "Split", "blocked", "day_number", "split", "test_length"]

_SHORTEST, _LONGEST = 7, 60  # days of a test


@dataclass(frozen=True)
class Protocol:
    """So many days of each, whole days in UTC.

    A card of which a fraud has become known is out of use for ``blocked_days``, and for good when
    that is not said.
    """

    train_days: int = 7
    delay_days: int = 7
    test_days: int = 7
    blocked_days: int | None = None

    def __post_init__(self) -> None:
        if min(self.train_days, self.delay_days, self.test_days) < 1:
            raise FinlakeError("a split needs a day or more of training, delay and test each")

    @property
    def days(self) -> int:
        """From the first day of training to behind the last of the test."""
        return self.train_days + self.delay_days + self.test_days


@dataclass(frozen=True)
class Split:
    """Positions of the rows in the events they were split from."""

    start: date
    train: Array
    test: Array


def test_length(days: int) -> int:
    """How many of so many days are the test's when nobody says: a tenth, 7 to 60."""
    return min(max(days // 10, _SHORTEST), _LONGEST)


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - date(1970, 1, 1)).days


def blocked(
    events: Events,
    rows: Array,
    delay_days: int,
    blocked_days: int | None = None,
    *,
    since: int | None = None,
) -> Array:
    """Whether the card of each of these rows (positions) is out of use on the row's day: bool.

    It is when a fraud of the card is known by then, one of more than ``delay_days`` whole days
    earlier, which became known not longer ago than ``blocked_days`` (for good when that is None).
    With ``since`` (a day's number) frauds of earlier days do not count.
    """
    if not len(events):
        return np.zeros(0, dtype=bool)
    day = np.floor_divide(events["ts"], DAY)
    base, wide = int(day.min()), int(day.max() - day.min()) + 1
    day = day - base
    first = 0 if since is None else max(0, since - base)
    fraud = (events["label"] == 1) & (day >= first)
    card = events["card"]
    known = np.sort(card[fraud] * wide + day[fraud])
    until = np.maximum(day[rows] - delay_days, 0)
    begin = np.zeros_like(until) if blocked_days is None else np.maximum(until - blocked_days, 0)
    keys = (card[rows] * wide + end for end in (begin, until))
    low, high = (np.searchsorted(known, key) for key in keys)
    found: Array = low < high
    return found


def split(events: Events, start: date, protocol: Protocol = Protocol()) -> Split:
    """Rows to learn from and rows to judge by, for a training that begins on ``start``.

    Rows without a label are in neither. On each day of the test those cards are left out that a
    fraud since ``start`` has put out of use (:func:`blocked`). Without the protocol's
    ``blocked_days`` that is the protocol of the Fraud Detection Handbook (Le Borgne et al., 2022,
    chapter 5, "Validation strategies").

    Raises:
        FinlakeError: there is nothing to learn from or to judge by, or only one kind.
    """
    day = np.floor_divide(events["ts"], DAY)
    first = day_number(start)
    label = events["label"]
    train = np.flatnonzero((day >= first) & (day < first + protocol.train_days) & (label >= 0))
    first_test = first + protocol.train_days + protocol.delay_days
    behind = first_test + protocol.test_days
    test = np.flatnonzero((day >= first_test) & (day < behind) & (label >= 0))
    out = blocked(events, test, protocol.delay_days, protocol.blocked_days, since=first)
    test = test[~out]
    for name, rows, from_, length in (
        ("training", train, start, protocol.train_days),
        ("test", test, date(1970, 1, 1) + timedelta(first_test), protocol.test_days),
    ):
        if len(np.unique(label[rows])) < 2:
            until = from_ + timedelta(length - 1)
            raise FinlakeError(
                f"{name} from {from_} to {until}: {len(rows)} labelled transactions, of which"
                f" {int((label[rows] == 1).sum())} are frauds; both kinds are needed, so choose"
                " other days"
            )
    return Split(start, train, test)
