"""What speaks for a category: what is known of the transaction, and how often each one came before.

Everything comes from the catalogue's features. Those that ask about a category (how often has the
merchant, the customer, the card been in it?) are asked once for each category there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from models.features import Events, compute
from models.features.batch import stretches
from models.features.events import Array

__all__ = ["ASKED", "HIDDEN", "PLAIN", "Seen", "look", "look_all"]

HIDDEN = ("mcc", "mcc_word", "mcc_length", "label", "mark")
"""Columns of the row itself that a model of its category must not see."""

PLAIN = ("amount", "amount_cents", "is_round", "hour", "is_weekend", "channel", "is_abroad")
"""Features of the transaction itself."""

ASKED = ("merchant_mcc_seen", "customer_mcc_seen", "card_mcc_seen")
"""Features that are asked about each category: merchant's, customer's and card's past."""

_ROWS_AT_ONCE = 10_000
_KEYS = ("id", "ts", "card", "customer", "merchant")


@dataclass(frozen=True)
class Seen:
    """Evidence of rows: ``plain`` is [n, len(PLAIN)], ``counts`` [len(ASKED), n, categories]."""

    plain: Array
    counts: Array

    def __len__(self) -> int:
        return len(self.plain)

    def take(self, which: Array) -> Self:
        """The rows at these positions, or where the mask is true."""
        return type(self)(self.plain[which], self.counts[:, which])

    def packed(self) -> Array:
        """The same as one table of numbers: [n, len(PLAIN) + len(ASKED) * categories]."""
        counts = np.swapaxes(self.counts, 0, 1).reshape(len(self), -1)
        return np.concatenate([self.plain, counts.astype(np.float64)], axis=1)

    @classmethod
    def unpacked(cls, values: Array) -> Self:
        """Evidence from such a table."""
        plain, counts = values[:, : len(PLAIN)], values[:, len(PLAIN) :]
        by_row = counts.reshape(len(values), len(ASKED), -1).astype(np.float32)
        return cls(plain, np.swapaxes(by_row, 0, 1))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """All rows of all parts, part after part."""
        return cls(
            np.concatenate([part.plain for part in parts]),
            np.concatenate([part.counts for part in parts], axis=1),
        )


def look(history: Events, rows: Events, classes: Array) -> Seen:
    """What is known of the rows; ``history`` is as :func:`models.features.compute` wants it.

    ``classes`` are the categories that are asked about. The rows' own category is not looked at.
    """
    parts = [
        _look(history, rows.take(slice(begin, begin + _ROWS_AT_ONCE)), classes)
        for begin in range(0, max(1, len(rows)), _ROWS_AT_ONCE)
    ]
    return Seen.join(parts)


def _look(history: Events, rows: Events, classes: Array) -> Seen:
    own = compute(history, rows.without(HIDDEN), names=PLAIN)
    plain = np.column_stack([own[name].astype(np.float64) for name in PLAIN])
    asked = Events(
        {
            **{name: np.repeat(rows[name], len(classes)) for name in _KEYS},
            "mcc": np.tile(classes, len(rows)),
        }
    )
    found = compute(history, asked, names=ASKED)
    counts = np.stack([found[name].reshape(len(rows), len(classes)) for name in ASKED])
    return Seen(plain, counts.astype(np.float32))


def look_all(history: Events, which: Array, classes: Array) -> Seen:
    """The same for the rows of a whole history where the mask ``which`` is true."""
    parts = [
        _look(seen, history.take(places), classes)
        for places, seen in stretches(history, which, rows=_ROWS_AT_ONCE)
    ]
    return Seen.join(parts)
