"""Batch, stream and single rows over 100,000 transactions: not one bit differs."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from models.features import FEATURES, Events, compute
from models.features.marks import marked
from models.features.single import features_of
from models.features.stream import FeatureStream
from tests.unit.feature_world import Bits, batch_bits, bits
from tests.unit.generated_events import gold

TRANSACTIONS = 100_000
BATCH = 2_500


def test_generated_events_fill_every_feature():
    """Nothing that can be known of a generated set is left out on the way into the kernel."""
    history = marked(gold(5_000, 4, date(2018, 1, 1), date(2018, 3, 31)).events())
    found = compute(history, history)
    told = [feature.name for feature in FEATURES if feature.family != "fraud rate"]
    constant = {name for name in told if len(np.unique(found[name])) < 2}
    assert constant <= {"dark_web", "merchant_count_10m"}  # no card of the set was seen for sale


@pytest.mark.slow
def test_three_executors_agree_on_a_hundred_thousand_transactions():
    random = np.random.default_rng(5)
    final = gold(TRANSACTIONS, 7, date(2018, 1, 1), date(2018, 5, 31)).events()
    assert len(final) == TRANSACTIONS
    deleted = random.random(TRANSACTIONS) < 0.01
    corrected = random.random(TRANSACTIONS) < 0.02
    unlabelled = random.random(TRANSACTIONS) < 0.02  # the label comes at the end
    first = {name: values.copy() for name, values in final.columns.items()}
    first["cents"][corrected] += random.integers(1, 500_000, corrected.sum())
    first["merchant"][corrected] = np.roll(first["merchant"][corrected], 1)
    first["ts"][corrected] += random.integers(-(10**12), 10**12, corrected.sum())
    first["label"][unlabelled] = -1
    early = Events.of(first)
    # Arrival: mostly in order, some late by up to a third of the whole.
    late = np.where(random.random(TRANSACTIONS) < 0.03, random.random(TRANSACTIONS) * 0.3, 0.0)
    arrival = np.argsort(np.arange(TRANSACTIONS) / TRANSACTIONS + late, kind="stable")

    stream, held = FeatureStream(), Bits()
    follow(stream, held, early, arrival, random)
    follow(stream, held, final, np.flatnonzero(corrected | unlabelled), random)
    gone = final["id"][deleted]
    for begin in range(0, len(gone), BATCH):
        take_in(held, stream.apply(Events.none(), gone[begin : begin + BATCH].tolist()))

    world = final.take(~deleted)
    whole = batch_bits(world, rows=30_000)
    assert len(held) == len(whole) == (~deleted).sum()
    assert [number for number in whole if held[number] != whole[number]] == []

    for place in range(0, len(world), 100):
        row = world.take(slice(place, place + 1))
        found = features_of(row, stream.history)
        columns = {f.name: np.array([found[f.name]], dtype=f.dtype) for f in FEATURES}
        assert bits(row["id"], columns)[int(row["id"][0])] == whole[int(row["id"][0])]


def follow(
    stream: FeatureStream,
    held: Bits,
    events: Events,
    arrival: np.ndarray,
    random: np.random.Generator,
) -> None:
    """Give the events in this order, batch after batch, some of them twice."""
    for begin in range(0, len(arrival), BATCH):
        again = arrival[: begin + 1][random.integers(0, begin + 1, 25)]
        places = np.concatenate([arrival[begin : begin + BATCH], again])
        take_in(held, stream.apply(events.take(places)))


def take_in(held: Bits, changed) -> None:
    held |= bits(changed.rows["id"], changed.features)
    for number in changed.gone.tolist():
        del held[number]
