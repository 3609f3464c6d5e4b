"""The past in memory: it finds what the single-row executor asks for, and nothing is lost of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.features import LABEL_DELAY, Events, compute
from models.features.catalogue import EVERY
from models.features.events import COLUMNS
from models.features.marks import marked
from models.features.past import REACH, SEEN, Past
from models.features.single import history_of
from tests.unit.feature_world import event, events

worlds = st.lists(event, min_size=1, max_size=30).map(
    lambda rows: {100 - place: row for place, row in enumerate(rows)}
)


@given(worlds, st.data())
def test_it_finds_what_rows_look_at(world, data):
    history = marked(events(world).ordered())
    past = Past.of(history)
    places = st.lists(st.integers(0, len(history) - 1), min_size=1, max_size=4, unique=True)
    rows = history.take(np.array(sorted(data.draw(places))))
    found = past.of_rows(rows)
    asked = history_of(rows, past, LABEL_DELAY, EVERY.values())
    assert found["id"].tolist() == asked["id"].tolist()
    whole = compute(history, rows, names=tuple(EVERY))
    for name, values in compute(found, rows, names=tuple(EVERY)).items():
        assert values.tobytes() == whole[name].tobytes(), name


@given(worlds)
def test_features_look_at_no_other_column_of_the_past(world):
    history = marked(events(world).ordered())
    less = history.without(set(COLUMNS) - set(SEEN))
    whole = compute(history, history, names=tuple(EVERY))
    for name, values in compute(less, history, names=tuple(EVERY)).items():
        assert values.tobytes() == whole[name].tobytes(), name


def test_entities_are_known_by_their_own_column():
    only = Events.of({"id": np.array([1]), "card": np.array([5]), "merchant": np.array([9])})
    past = Past.of(only)
    assert past.knows("card", 5)
    assert not past.knows("card", 9)
    assert not past.knows("card", 6)
    assert len(past.of_rows(only.take(slice(0, 0)), REACH)) == 0
