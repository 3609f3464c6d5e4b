"""Features against what they say in plain loops, and one executor against the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.features import FEATURES, LABEL_DELAY, NAMES, Events, compute
from models.features.batch import chunks
from models.features.marks import marked
from models.features.single import features_of
from models.features.stream import FeatureStream
from models.features.view import CLIP_CENTS, DAY
from tests.unit.feature_world import START, Bits, batch_bits, bits, event, events

worlds = st.lists(event, min_size=1, max_size=40).map(
    lambda rows: {100 - place: row for place, row in enumerate(rows)}
)


# ── What the features mean ───────────────────────────────────────────────────────────────────────


def earlier(history, row):
    """The events that a row may see, newest last; plainly."""
    place = (row["ts"], row["id"])
    return [other for other in history if (other["ts"], other["id"]) < place]


def as_rows(found):
    names = ("id", "ts", "card", "customer", "merchant", "city", "cents", "label", "mark")
    return [{name: found[name][place].item() for name in names} for place in range(len(found))]


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_windows_hold_what_came_strictly_before(world):
    history = marked(events(world))
    features = compute(history, history)
    rows = as_rows(history)
    for place, row in enumerate(rows):
        before = earlier(rows, row)
        for entity, days in (("card", 7), ("customer", 30), ("merchant", 30), ("city", 1)):
            seen = [
                other
                for other in before
                if other[entity] == row[entity] >= 0 and other["ts"] >= row["ts"] - days * DAY
            ]
            name = f"{entity}_count_{days}d" if days > 1 else f"{entity}_count_24h"
            assert features[name][place] == len(seen)
            cents = sum(max(-CLIP_CENTS, min(CLIP_CENTS, other["cents"])) for other in seen)
            mean = f"{entity}_mean_{days}d" if days > 1 else f"{entity}_mean_24h"
            expected = cents / 100 / len(seen) if seen else float("nan")
            assert features[mean][place] == pytest.approx(expected, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_labels_count_only_when_older_than_their_delay(world):
    history = marked(events(world))
    features = compute(history, history)
    rows = as_rows(history)
    for place, row in enumerate(rows):
        known = [
            other
            for other in rows
            if other["merchant"] == row["merchant"]
            and row["ts"] - LABEL_DELAY - 30 * DAY <= other["ts"] < row["ts"] - LABEL_DELAY
            and other["label"] >= 0
        ]
        assert features["merchant_known_30d"][place] == len(known)
        assert features["merchant_fraud_30d"][place] == sum(o["label"] for o in known)
        run = 0
        for other in known:
            run = 0 if other["label"] == 0 else run + (other["mark"] == 0)
        assert features["merchant_fraud_run"][place] == run


@settings(max_examples=60, deadline=None)
@given(worlds, st.data())
def test_the_future_and_fresh_labels_do_not_matter(world, data):
    """What happens at a row's time or later, and labels younger than the delay, change no bit."""
    number = data.draw(st.sampled_from(sorted(world)))
    place = (world[number]["ts"], number)
    cut = {n: dict(row) for n, row in world.items() if (row["ts"], n) <= place}
    for row in cut.values():
        if row["ts"] >= place[0] - LABEL_DELAY:
            row["label"] = -1
    assert batch_bits(events(cut))[number] == batch_bits(events(world))[number]


def test_deviation_of_equal_amounts_is_nought():
    rows = {n: {"ts": START + n * DAY, "card": 1, "cents": 4_999_999} for n in range(20)}
    found = compute(events(rows), events(rows))
    assert found["card_deviation_30d"][2:].tolist() == [0.0] * 18
    assert np.isnan(found["card_score_30d"]).all()


def test_every_feature_says_what_it_is():
    rows = events({1: {"ts": START, "card": 1}, 2: {"ts": START + 1, "card": 1}})
    found = compute(marked(rows), rows)
    assert len(NAMES) == len(set(NAMES)) >= 52
    families = {feature.family for feature in FEATURES}
    assert len(families) == 11
    for feature in FEATURES:
        values = found[feature.name]
        assert values.dtype == feature.dtype, feature.name
        assert feature.meaning.endswith("."), feature.name
        assert feature.inputs, feature.name
        if feature.kind == "flag":
            assert set(values.tolist()) <= {0, 1}, feature.name
        if feature.null == "never":
            assert not np.isnan(values).any(), feature.name


# ── Parity ───────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(worlds, st.integers(1, 7))
def test_chunks_do_not_matter(world, rows):
    history = events(world)
    assert batch_bits(history, rows=rows) == batch_bits(history)


def test_a_mask_gives_those_rows_alone():
    history = events({n: {"ts": START + n * DAY, "card": n % 2, "cents": n} for n in range(30)})
    which = np.arange(30) % 3 == 0
    whole = batch_bits(history)
    part: Bits = {}
    for places, features in chunks(history, which, rows=4):
        part |= bits(history["id"][places], features)
    assert part == {n: whole[n] for n in range(0, 30, 3)}


changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 25), event),
        st.tuples(st.just("label"), st.integers(0, 25), st.sampled_from([-1, 0, 1])),
        st.tuples(st.just("again"), st.integers(0, 25), st.none()),
        st.tuples(st.just("delete"), st.integers(0, 25), st.none()),
    ),
    max_size=60,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes, st.integers(1, 15))
def test_the_stream_has_at_any_time_what_the_batch_has(changes, size):
    stream = FeatureStream()
    world: dict[int, dict[str, object]] = {}
    held: Bits = {}
    for begin in range(0, len(changes), size):
        coming: dict[int, dict[str, object]] = {}
        deleted: set[int] = set()
        for kind, number, what in changes[begin : begin + size]:
            if kind == "delete":
                deleted.add(number)
                coming.pop(number, None)
                continue
            if number in deleted:
                continue
            if kind == "put":
                coming[number] = what
            elif number in world | coming:
                old = (world | coming)[number]
                coming[number] = old | {"label": what} if kind == "label" else old
        before = dict(held)
        changed = stream.apply(events(coming), deleted)
        for number in deleted:
            world.pop(number, None)
        world |= coming
        held |= bits(changed.rows["id"], changed.features)
        for number in changed.gone.tolist():
            del held[number]
        assert held == batch_bits(events(world))
        assert all(before.get(n) != held[n] for n in changed.rows["id"].tolist())


def test_a_correction_reaches_rows_of_other_cards_through_what_was_unusual():
    """A card's earlier amounts say whether its fraud speaks against the merchant."""
    uses = {n: {"ts": START + n * DAY, "card": 1, "merchant": n, "cents": 100} for n in range(5)}
    fraud = {"ts": START + 5 * DAY, "card": 1, "merchant": 9, "cents": 250, "label": 1}
    other = {"ts": START + 20 * DAY, "card": 2, "merchant": 9, "cents": 100, "label": -1}
    world = {n: {**use, "label": 0} for n, use in uses.items()} | {5: fraud, 6: other}
    stream = FeatureStream()
    found = stream.apply(events(world))
    assert found.features["merchant_fraud_run"][found.rows["id"] == 6].tolist() == [0]
    dearer = events({0: {**world[0], "cents": 1000}})
    found = stream.apply(dearer)
    assert found.features["merchant_fraud_run"][found.rows["id"] == 6].tolist() == [1]


@settings(max_examples=30, deadline=None)
@given(worlds)
def test_a_single_row_has_what_the_batch_has(world):
    history = events(world)
    stream = FeatureStream()
    stream.apply(history)
    whole = batch_bits(history)
    for place in range(len(history)):
        row = history.take(slice(place, place + 1))
        found = features_of(row, stream.history)
        columns = {f.name: np.array([found[f.name]], dtype=f.dtype) for f in FEATURES}
        number = row["id"][0]
        assert bits(row["id"], columns)[number] == whole[number]


def test_a_stream_forgets_what_nobody_looks_at():
    stream = FeatureStream()
    stream.apply(events({n: {"ts": START + n * DAY, "card": 1} for n in range(200)}))
    assert stream.forget(START + 50 * DAY) == 50
    assert len(stream) == 150
    changed = stream.apply(events({500: {"ts": START + 200 * DAY, "card": 1}}))
    assert changed.features["card_seconds_since"].tolist() == [86_400.0]


def test_single_wants_one_row():
    with pytest.raises(ValueError, match="one transaction"):
        features_of(Events.none(), lambda *_: Events.none())


@settings(max_examples=30, deadline=None)
@given(worlds, st.integers(0, 40))
def test_what_was_loaded_is_looked_at_and_gives_nothing_itself(world, cut):
    history = events(world)
    arrival = np.random.default_rng(cut).permutation(len(history))
    loaded, coming = history.take(arrival[:cut]), history.take(arrival[cut:])
    names = NAMES[::7]
    stream = FeatureStream(names=names)
    stream.load(loaded)
    changed = stream.apply(coming)
    whole = compute(marked(history), history, names=names)
    place = {number: row for row, number in enumerate(history["id"].tolist())}
    rows = [place[number] for number in changed.rows["id"].tolist()]
    assert {*coming["id"].tolist()} <= {*changed.rows["id"].tolist()}
    assert tuple(changed.features) == names
    for name in names:
        assert changed.features[name].tobytes() == whole[name][rows].tobytes(), name


@settings(max_examples=30, deadline=None)
@given(worlds, st.data())
def test_labels_learnt_are_seen_by_what_comes_later_and_change_no_row_themselves(world, data):
    history = events(world)
    last = history.take(slice(len(history) - 1, None))
    unlabelled = Events({**history.columns, "label": np.full(len(history), -1, np.int8)})
    labels = data.draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=len(world), max_size=40))
    labels = np.array(labels[: len(world)], np.int8)
    stream = FeatureStream()
    stream.load(unlabelled.take(slice(0, len(history) - 1)))
    assert stream.learn(history["id"], labels) == len(history) - 1
    changed = stream.apply(last)
    known = Events({**history.columns, "label": labels})
    found = compute(marked(known), last)
    own = changed.rows["id"] == last["id"][0]  # of the same moment another one may look at it
    for name in NAMES:
        assert changed.features[name][own].tobytes() == found[name].tobytes(), name
