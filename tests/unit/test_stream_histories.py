"""Random histories: whatever happens on the way, silver is the source and gold follows silver."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.lake.tables import Lake as DeltaLake
from infra.settings import load_settings
from stream_jobs.io import keyed
from stream_jobs.state import cards
from tests.unit.stream_world import (
    BASE,
    KEYS,
    T0,
    Event,
    Lake,
    Stream,
    Topics,
    World,
    delta_writer,
    gold_faults,
    row,
    silver_equals,
)

MINUTE = 60_000_000
IDS = st.integers(1, 6)


@pytest.fixture(autouse=True)
def small_memory(monkeypatch):
    """Let the stream forget early, so that it has to read back what it forgot; tiny files, too."""
    monkeypatch.setattr(keyed, "LEAF_ROWS", 2)
    monkeypatch.setattr(keyed, "HOT_ROWS", 4)
    monkeypatch.setattr(keyed, "_HOT", 3)
    monkeypatch.setattr(keyed, "FULL_ROWS", 16)
    monkeypatch.setattr(keyed, "_SPARSE", 1)
    monkeypatch.setattr(keyed, "_FEW", 1)
    monkeypatch.setattr(cards, "KEEP", 1)


def rows(table: str) -> st.SearchStrategy[dict[str, Any]]:
    if table == "transactions":
        return st.builds(
            partial(row, table),
            id=IDS,
            # Around midnight, often at the same time, sometimes a day or a microsecond apart.
            date=st.builds(
                lambda minutes, micros: T0 + minutes * MINUTE + micros,
                st.sampled_from([-2, -1, 0, 1, 4, 9, 14, 30, 90, 700, 1500, 4000]),
                st.sampled_from([0, 0, 1]),
            ),
            client_id=st.sampled_from([825, 1746]),
            card_id=st.sampled_from([1, 2]),
            amount=st.sampled_from(
                ["1.00", "5.00", "5.01", "-77.00", "3000.00", "3000.01", "0.00", "9999999999.99"]
            ),
            use_chip=st.sampled_from(
                ["Swipe Transaction", "Chip Transaction", "Online Transaction"]
            ),
            merchant_id=st.sampled_from([7, 8]),
            merchant_city=st.sampled_from(["Beulah", "", None]),
            merchant_state=st.sampled_from(["CA", "NY", "Italy", "", None]),
            zip=st.sampled_from(["58523", "", None]),
            mcc=st.sampled_from([5499, 5311]),
            errors=st.sampled_from([None, "", "Bad PIN", "Bad PIN,Technical Glitch"]),
        )
    if table == "fraud_labels":
        return st.builds(
            partial(row, table), transaction_id=IDS, label=st.sampled_from(["Yes", "No"])
        )
    name = {"users": "credit_score", "cards": "num_cards_issued", "mcc_codes": "description"}[table]
    kind = st.sampled_from(["", "a", "é, 'ß'"]) if name == "description" else st.integers(1, 3)
    return st.builds(partial(row, table), **{KEYS[table]: IDS, name: kind})


TABLES = st.sampled_from(
    [*["transactions"] * 6, "fraud_labels", "fraud_labels", "users", "cards", "mcc_codes"]
)
JUNK = st.sampled_from(
    [
        b"",
        b"null",
        b"[]",
        b"nonsense",
        b'{"op":"c"}',
        b'{"op":"c","source":{"file":"x","pos":1}}',
        b"\xff",
    ]
)
OPERATIONS = TABLES.flatmap(
    lambda table: st.one_of(
        st.tuples(st.just("put"), st.just(table), rows(table)),
        st.tuples(st.just("put"), st.just(table), rows(table)),
        st.tuples(st.just("put"), st.just(table), rows(table)),
        st.tuples(st.just("delete"), st.just(table), IDS),
        st.tuples(st.just("rekey"), st.just(table), IDS, IDS),
        st.tuples(st.just("read"), st.just(table)),
        st.tuples(st.just("truncate"), st.just(table), st.integers(0, 1)),
        st.tuples(st.just("junk"), st.just(table), JUNK),
    )
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[World, list[Event]]:
    """A source, and what its topics hold: every event once or more, in order of its first time."""
    world = World()
    sent: list[Event] = []
    for name, *arguments in draw(st.lists(OPERATIONS, min_size=1, max_size=25)):
        start = len(world.sent)
        getattr(world, name)(*arguments)
        sent += world.sent[start:]
        if draw(st.integers(0, 5)) == 0:  # the connector goes back to an offset it had kept
            back = draw(st.integers(0, len(world.sent)))
            length = draw(st.integers(0, len(world.sent) - back))
            sent += world.sent[back : back + length]
    return world, sent


def run(draw: st.DrawFn, stream: Stream, events: list[Event], after_batch: Any = None) -> None:
    """Hand the events over in batches of any cut and order, with crashes and restarts between."""
    topics = Topics(events)
    batches = draw(st.integers(1, 5))
    for number in range(batches):
        cuts: dict[tuple[str, int], int] = {}

        def most(table: str, partition: int, cuts: dict[tuple[str, int], int] = cuts) -> int:
            return cuts.setdefault((table, partition), draw(st.integers(0, 8)))

        records = topics.take() if number == batches - 1 else topics.take(most)
        if records.num_rows == 0:
            continue
        records = records.take(draw(st.permutations(range(records.num_rows))))
        crash = draw(st.one_of(st.just(0), st.integers(1, 24)))
        stream.process(records, crash, after=draw(st.booleans()))
        if draw(st.booleans()):
            stream.restart()
        if after_batch:
            after_batch()
    assert topics.left == 0


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_silver_is_the_source_and_gold_follows_whatever_happens(data):
    world, events = data.draw(histories())
    stream = Stream(Lake())
    with tempfile.TemporaryDirectory() as home:
        try:
            run(data.draw, stream, events, lambda: check_gold(stream, Path(home)))
            silver_equals(stream.lake, world.state)
        finally:
            stream.stop()


def check_gold(stream: Stream, home: Path) -> None:
    assert gold_faults(stream.lake, home) == []


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.data())
def test_the_same_on_delta_tables(data):
    world, events = data.draw(histories())
    with tempfile.TemporaryDirectory() as home:
        config = load_settings(home=Path(home))
        lake = DeltaLake(config)
        stream = Stream(lake, lambda: delta_writer(lake, "test"), config)
        try:
            run(data.draw, stream, events)
            silver_equals(lake, world.state)
            assert gold_faults(lake, Path(home), config) == []
        finally:
            stream.stop()


def test_the_made_up_rows_are_of_the_contracts():
    assert BASE.keys() == KEYS.keys()
