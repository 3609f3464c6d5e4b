"""Small worlds of transactions that meet each other, and the features of them as a whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st

from models.features import Events
from models.features.batch import chunks
from models.features.view import DAY, HOUR

START = 17_600 * DAY  # in March 2018

# Times that fall together, and on the edges of windows.
times = st.one_of(
    st.integers(0, 40).map(lambda hours: START + hours * HOUR),
    st.integers(0, 130).map(lambda days: START + days * DAY),
    st.integers(0, 130 * DAY).map(lambda micros: START + micros),
)

event = st.fixed_dictionaries(
    {
        "ts": times,
        "card": st.integers(0, 2),
        "customer": st.integers(0, 1),
        "merchant": st.integers(0, 2),
        "city": st.sampled_from([-1, 7, 8]),
        "state": st.sampled_from([-1, 3]),
        "mcc": st.sampled_from([5411, 4829]),
        "cents": st.one_of(st.integers(-5000, 30_000), st.sampled_from([10**9, -(10**9), 0])),
        "declined": st.booleans(),
        "physical": st.booleans(),
        "place_x": st.sampled_from([float("nan"), 100.0, 6000.0]),
        "place_y": st.just(1.5),
        "place_z": st.just(-2.0),
        "label": st.sampled_from([-1, 0, 1]),
    }
)


def events(rows: Mapping[int, Mapping[str, object]]) -> Events:
    """Events of numbers to their columns, in order of (time, number)."""
    numbers = list(rows)
    columns = {"id": np.array(numbers, dtype=np.int64)}
    for name in next(iter(rows.values()), {}):
        columns[name] = np.array([rows[number][name] for number in numbers])
    return Events.of(columns).ordered()


Bits = dict[int, bytes]


def batch_bits(history: Events, rows: int = 200_000) -> Bits:
    """Number of each transaction to the bits of its features, by the batch."""
    found: Bits = {}
    for places, features in chunks(history, rows=rows):
        found |= bits(history["id"][places], features)
    return found


def bits(numbers: np.ndarray, features: dict[str, np.ndarray]) -> Bits:
    """Number of each row to the bits of its features."""
    columns = [np.ascontiguousarray(values).view(np.int64) for values in features.values()]
    width, every = 8 * len(columns), np.column_stack(columns).tobytes()
    begins = range(0, width * len(numbers), width)
    return {
        number: every[begin : begin + width]
        for number, begin in zip(numbers.tolist(), begins, strict=True)
    }
