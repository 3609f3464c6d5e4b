"""Scores as changes come: as the batch has them, through ends of the process, and of bad input."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.lake.tables import Lake
from infra.settings import load_settings
from stream_jobs.io.source import within
from stream_jobs.io.writer import Tables
from stream_jobs.scoring.history import silver
from stream_jobs.scoring.table import CONTRACT, ScoreTable
from stream_jobs.scoring.verdict import TOO_OLD
from stream_jobs.transforms.patch import patch_between
from tests.unit.scoring_world import (
    Broken,
    Fails,
    Misshapen,
    Plain,
    Process,
    Shelf,
    Unscored,
    Unsure,
    Wordless,
    by_batch,
    model,
)
from tests.unit.stream_world import T0, Crash, Event, Stream, World, delta_writer, drain, row

DAY = 86_400_000_000


@pytest.fixture
def world() -> World:
    found = World()
    for table in ("users", "cards", "mcc_codes"):
        found.put(table, row(table))
    return found


@contextlib.contextmanager
def process(shelf: Shelf | None = None) -> Iterator[Process]:
    with tempfile.TemporaryDirectory() as home:
        yield Process(Path(home), shelf or Shelf(champion=model()))


def book(world: World, number: int, day: float = 0.0, **values: object) -> None:
    world.put("transactions", row("transactions", id=number, date=T0 + int(day * DAY), **values))


def scored(world: World, shelf: Shelf | None = None) -> tuple[Any, Process]:
    with process(shelf) as running:
        running.send(world.sent)
        running.batch()
        return running.scores(), running


# ── Exactly once ─────────────────────────────────────────────────────────────────────────────────

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 9), st.integers(0, 40), st.integers(1, 3)),
        st.tuples(st.just("delete"), st.integers(1, 9)),
        st.tuples(
            st.just("batch"), st.integers(1, 5), st.sampled_from(["", "held", "published", "done"])
        ),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_scores_are_those_of_the_batch_whatever_ends_in_between(steps):
    world, champion = World(), model()
    for table in ("users", "cards", "mcc_codes"):
        world.put(table, row(table))
    for number in range(1, 10):
        label = "Yes" if number % 3 else "No"
        world.put("fraud_labels", row("fraud_labels", transaction_id=number, label=label))
    with process(Shelf(champion=champion)) as running:
        running.send(world.sent)
        running.batch()
        for kind, *what in steps:
            before = len(world.sent)
            if kind == "put":
                number, day, merchant = what
                amount = f"{number * day}.00"
                book(world, number, day, merchant_id=merchant, amount=amount)
            elif kind == "delete":
                world.delete("transactions", what[0])
            else:
                try:
                    running.batch(*what)
                except Crash:
                    running.start()
            running.send(world.sent[before:])
        while running.batch(3, "held"):
            pass
        running.scoring.commit()
        found = {n: one["score"] for n, one in running.scores().items()}
        expected = by_batch(world, champion)
        assert found == expected
        alerts = {n for n, one in running.scores().items() if one["is_alert"]}
        assert alerts <= {one["transaction_id"] for one in running.published}
        # All that is known can be read again.
        running.start()
        assert running.batch() == 0
        assert {n: one["score"] for n, one in running.scores().items()} == expected


def score_row(number: int, score: int) -> pa.Table:
    made = {"transaction_id": number, "score": float(score), "is_alert": False}
    schema = CONTRACT.lake_schema
    return pa.Table.from_pylist([{name: made.get(name) for name in schema.names}], schema=schema)


def as_scores(rows: pa.Table) -> dict[int, float]:
    found = dict(zip(rows["transaction_id"].to_pylist(), rows["score"].to_pylist(), strict=True))
    assert len(found) == rows.num_rows
    return found


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.one_of(st.none(), st.integers(0, 2)), st.booleans()),
        max_size=15,
    )
)
def test_what_waits_to_be_written_is_there_for_whoever_asks(caplog, steps):
    caplog.clear()
    every = pa.array([1, 2, 3, 4], pa.int64())
    with tempfile.TemporaryDirectory() as home:
        lake = Lake(load_settings(home=Path(home), lake=f"file:{home}/lake"))
        table, expected = ScoreTable(lake, Tables(lake, 1 << 20)), dict[int, float]()
        for number, score, written in steps:
            there = table.of(pa.array([number], pa.int64()))
            new = there.slice(0, 0) if score is None else score_row(number, score)
            table.stage(patch_between(there, new, "transaction_id"))
            expected.pop(number, None)
            if score is not None:
                expected[number] = float(score)
            if written:
                table.commit({})
                assert as_scores(lake.ensure(CONTRACT).to_pyarrow_dataset().to_table()) == expected
            assert as_scores(table.of(every)) == expected
        table.commit({})
        assert as_scores(lake.ensure(CONTRACT).to_pyarrow_dataset().to_table()) == expected
    assert "rows to change" not in caplog.text  # the table's own look at what a patch believes


def test_a_batch_given_again_writes_nothing(world):
    book(world, 1)
    with process() as running:
        running.send(world.sent)
        running.batch()
        first = running.scores()
        running.positions = dict.fromkeys(running.positions, 0)
        running.batch()
        assert running.scores() == first
        assert len(running.published) == sum(one["is_alert"] for one in first.values())


# ── Rows and alerts ──────────────────────────────────────────────────────────────────────────────


def test_a_row_says_what_was_scored_and_by_whom(world):
    book(world, 1, amount="5.00")
    rows, running = scored(world, Shelf(champion=model(7), challenger=model(8, Plain(0.5))))
    one = rows[1]
    assert (one["model"], one["model_version"], one["challenger_version"]) == ("plain", 7, 8)
    assert one["card_last4"] == "0444"
    assert one["user_id"] == 825
    assert one["score"] > one["challenger_score"] > 0.5
    assert one["is_alert"]
    assert one["challenger_alert"]
    assert one["band"] in ("high", "critical")
    assert one["reasons"].split(",")[0] == "credit_limit"
    (alert,) = running.published
    assert alert["alert_id"] == "1:model"
    assert alert["merchant_city"] == "Beulah"
    assert "by plain 7: credit_limit" in alert["reason"]


def test_an_alert_is_published_once_though_its_row_changes(world):
    book(world, 1, amount="5.00")
    with process() as running:
        running.send(world.sent)
        running.batch()
        before = len(world.sent)
        book(world, 1, amount="6.00")
        running.send(world.sent[before:])
        running.batch()
        assert str(running.scores()[1]["amount"]) == "6.00"
        assert len(running.published) == 1


def test_a_snapshot_is_history(world):
    book(world, 1)
    world.sent = [one for one in world.sent if one.table != "transactions"]
    world.read("transactions")
    book(world, 2, 1)
    rows, _ = scored(world)
    assert set(rows) == {2}
    assert rows[2]["score"] == by_batch(world, model())[2]


def test_a_late_transaction_corrects_the_scores_that_look_at_it(world):
    with process() as running:
        book(world, 2, 3)
        running.send(world.sent)
        running.batch()
        first = running.scores()[2]["score"]
        before = len(world.sent)
        book(world, 1, 1)
        running.send(world.sent[before:])
        running.batch()
        assert running.scores()[2]["score"] != first
        assert {n: one["score"] for n, one in running.scores().items()} == by_batch(world, model())


def test_a_truncate_leaves_nothing(world):
    book(world, 1)
    book(world, 2)
    world.truncate("transactions")
    book(world, 3)
    assert set(scored(world)[0]) == {3}


# ── Models ───────────────────────────────────────────────────────────────────────────────────────


def test_without_a_champion_the_note_says_so(world):
    book(world, 1)
    rows, running = scored(world, Shelf(challenger=model()))
    assert rows[1]["score"] is None
    assert rows[1]["note"] == "no champion"
    assert rows[1]["challenger_score"] is not None
    assert not rows[1]["is_alert"]
    assert running.published == []


def test_a_model_that_raises_scores_nothing_and_stops_nothing(world, caplog):
    book(world, 1)
    shelf = Shelf(champion=model(1, Fails()), challenger=model(2))
    rows, running = scored(world, shelf)
    assert rows[1]["note"] == "the champion failed: RuntimeError: no more trees"
    assert rows[1]["score"] is None
    assert rows[1]["challenger_score"] is not None
    assert running.metrics.failures.labels("champion")._value.get() == 1
    assert "no more trees" in caplog.text


def test_a_failure_of_each_batch_is_counted_each_time_and_logged_now_and_then(world, caplog):
    with process(Shelf(champion=model(1, Fails()))) as running:
        for number in (1, 2, 3):
            before = len(world.sent) if number > 1 else 0
            book(world, number)
            running.send(world.sent[before:])
            running.batch()
        assert running.metrics.failures.labels("champion")._value.get() == 3
    assert caplog.text.count("no more trees") == 1


def test_scores_of_a_wrong_shape_are_none(world, caplog):
    book(world, 1)
    rows, running = scored(world, Shelf(champion=model(1), challenger=model(2, Misshapen())))
    assert rows[1]["score"] is not None
    assert rows[1]["challenger_score"] is None
    assert not rows[1]["challenger_alert"]
    assert running.metrics.failures.labels("challenger")._value.get() == 1
    assert "challenger: a batch was not scored as it should be: ValueError: 1 rows" in caplog.text


def test_a_row_without_a_probability_has_a_note_and_the_others_are_scored(world):
    book(world, 1, amount="5.00")
    book(world, 2, amount="500.00")
    rows, running = scored(world, Shelf(champion=model(1, Unsure())))
    assert rows[1]["score"] is not None
    assert rows[1]["note"] is None
    assert (rows[2]["score"], rows[2]["band"], rows[2]["is_alert"]) == (None, None, False)
    assert rows[2]["note"] == "the champion failed: it gave no probability for 1 of 2 rows"
    assert running.metrics.failures.labels("champion")._value.get() == 1


def test_an_alert_whose_reasons_fail_is_told_without_them(world):
    book(world, 1, amount="5.00")
    rows, running = scored(world, Shelf(champion=model(1, Wordless())))
    assert rows[1]["is_alert"]
    assert rows[1]["reasons"] is None
    (alert,) = running.published
    assert alert["reason"].endswith("by plain 1: all of it")
    assert running.metrics.failures.labels("champion")._value.get() == 1


def test_a_model_that_cannot_score_takes_nobodys_place(world, caplog):
    shelf = Shelf(champion=model(1))
    with process(shelf) as running:
        for broken in (model(2, Broken()), model(3, Unscored())):
            shelf.models["champion"] = broken
            running.watch.look()
        book(world, 1)
        running.send(world.sent)
        running.batch()
        assert running.scores()[1]["model_version"] == 1
    assert "no more trees; what scores goes on" in caplog.text
    assert "plain 3: gives no probabilities" in caplog.text


def test_a_champion_that_is_taken_away_leaves_a_note(world):
    shelf = Shelf(champion=model(1), challenger=model(2))
    with process(shelf) as running:
        del shelf.models["champion"]
        running.watch.look()
        book(world, 1)
        running.send(world.sent)
        running.batch()
        row = running.scores()[1]
    assert (row["score"], row["note"]) == (None, "no champion")
    assert row["challenger_version"] == 2


@pytest.mark.parametrize("fault", [ConnectionError("no answer"), ValueError("does not load")])
def test_a_registry_that_fails_leaves_the_champion_at_work(world, fault, caplog):
    shelf = Shelf(champion=model(1))
    with process(shelf) as running:
        shelf.models["champion"] = fault
        running.watch.look()
        running.watch.look()
        book(world, 1)
        running.send(world.sent)
        running.batch()
        assert running.scores()[1]["model_version"] == 1
        assert running.metrics.failures.labels("champion")._value.get() == 2
    assert caplog.text.count(str(fault)) == 1


@pytest.mark.parametrize("fault", [ConnectionError("no answer"), ValueError("does not load")])
def test_a_start_without_a_registry_scores_later_ones(world, fault):
    shelf = Shelf(champion=fault)
    with process(shelf) as running:
        book(world, 1)
        running.send(world.sent)
        running.batch()
        shelf.models["champion"] = model(4)
        running.watch.look()
        before = len(world.sent)
        book(world, 2, 1)
        running.send(world.sent[before:])
        running.batch()
        rows = running.scores()
        assert str(fault) in rows[1]["note"]
        assert rows[2]["model_version"] == 4
        assert rows[2]["score"] == by_batch(world, model())[2]


def test_a_new_champion_is_taken_up_between_two_batches(world):
    shelf = Shelf(champion=model(1))
    with process(shelf) as running:
        book(world, 1)
        running.send(world.sent)
        running.batch()
        new = model(2, features=("amount", "customer_count_7d"))
        shelf.models["champion"] = new
        running.watch.look()
        before = len(world.sent)
        book(world, 2, 1)
        running.send(world.sent[before:])
        running.batch()
        rows = running.scores()
        assert [rows[n]["model_version"] for n in (1, 2)] == [1, 2]
        assert rows[2]["score"] == by_batch(world, new)[2]


def test_neither_a_late_label_nor_a_new_champion_changes_a_score(world):
    shelf = Shelf(champion=model(1), challenger=model(2))
    with process(shelf) as running:
        book(world, 1)
        book(world, 2, 10)
        running.send(world.sent)
        running.batch()
        first = running.scores()
        shelf.models["champion"] = model(3, Plain(0.5))
        running.watch.look()
        before = len(world.sent)
        world.put("fraud_labels", row("fraud_labels", transaction_id=1, label="Yes"))
        running.send(world.sent[before:])
        running.batch()
        assert running.scores() == first
        book(world, 3, 11, card_id=5, merchant_id=7)  # to which they are nothing
        running.send(world.sent[before + 1 :])
        running.batch()
        rows = running.scores()
        assert {n: rows[n] for n in first} == first
        assert rows[3]["model_version"] == 3


def test_what_is_deleted_or_changed_before_it_is_scored_is_scored_as_it_is(world):
    book(world, 1, amount="5.00")
    book(world, 2, amount="5.00")
    book(world, 1, amount="6.00")
    world.delete("transactions", 2)
    rows, running = scored(world)
    assert set(rows) == {1}
    assert str(rows[1]["amount"]) == "6.00"
    assert {one["transaction_id"] for one in running.published} == {1}


def test_what_is_deleted_before_its_score_is_written_leaves_none(world):
    with process() as running:
        book(world, 1, amount="5.00")
        running.send(world.sent)
        running.batch(crash="held")
        before = len(world.sent)
        world.delete("transactions", 1)
        book(world, 2, 1)
        running.send(world.sent[before:])
        running.batch()
        assert set(running.scores()) == {2}


def test_a_card_that_changes_is_looked_at_as_it_is(world):
    with process() as running:
        found = []
        for number, limit in ((1, "100.00"), (2, "200.00")):
            before = len(world.sent) if number > 1 else 0
            world.put("cards", row("cards", credit_limit=limit, card_last4=f"000{number}"))
            book(world, number, number)
            running.send(world.sent[before:])
            running.batch()
            one = running.scores()[number]
            found.append(one["card_last4"])
            assert one["score"] == by_batch(world, model())[number]
        assert found == ["0001", "0002"]
        world.delete("cards", 4524)
        before = len(world.sent) - 2
        book(world, 3, 3)
        running.send(world.sent[before:])
        running.batch()
        assert running.scores()[3]["score"] == by_batch(world, model())[3]


def test_a_topic_that_is_made_anew_is_read_from_its_beginning():
    assert within(500, 0, 10) == 0
    assert within(5, 0, 10) == 5
    assert within(5, 8, 10) == 8


# ── Bad input ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "values",
    [
        {"mcc": 9999},  # no such category
        {"card_id": 5},  # a card that nobody has told of
        {"client_id": 6},  # a customer that nobody has told of
        {"amount": "9999999999.99"},
        {"amount": "-9999999999.99"},
        {"merchant_city": None, "merchant_state": None, "zip": None, "errors": None},
        {"date": T0 + 3650 * DAY},  # in the future, from where the others are
    ],
)
def test_odd_transactions_are_scored_as_the_batch_does(world, values):
    book(world, 1)
    world.put("transactions", {**row("transactions", id=2, date=T0 + DAY), **values})
    book(world, 3, 2)
    rows, _ = scored(world)
    assert {n: one["score"] for n, one in rows.items()} == by_batch(world, model())


@pytest.mark.parametrize("values", [{"mcc": None}, {"amount": None}, {"amount": "1e99"}])
def test_what_does_not_fit_is_passed_over_and_counted(world, values):
    book(world, 1)
    world.put("transactions", {**row("transactions", id=2), **values})
    rows, running = scored(world)
    assert set(rows) == {1}
    assert running.metrics.bad._value.get() == 1


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"[]", b"null", b'{"op": "c"}', None])
def test_a_record_that_is_none_is_passed_over(world, value):
    book(world, 1)
    world.sent.append(Event("transactions", 0, b"", value))
    book(world, 2)
    rows, running = scored(world)
    assert set(rows) == {1, 2}
    assert running.metrics.bad._value.get() == (value is not None)  # else it is a tombstone


def test_a_clock_that_goes_back_a_year_gives_no_score(world):
    with process() as running:
        book(world, 1, 400)
        running.send(world.sent)
        running.batch()
        before = len(world.sent)
        book(world, 2, 0)
        book(world, 3, 401)
        running.send(world.sent[before:])
        running.batch()
        rows = running.scores()
        assert rows[2]["score"] is None
        assert rows[2]["note"] == TOO_OLD
        assert rows[3]["score"] is not None


def test_a_label_that_changes_its_mind_is_looked_at_as_it_is(world):
    with process() as running:
        book(world, 1)
        running.send(world.sent)
        running.batch()
        scores = []
        for number, label in ((2, "Yes"), (3, "No"), (4, "Yes")):
            before = len(world.sent)
            world.put("fraud_labels", row("fraud_labels", transaction_id=1, label=label))
            book(world, number, 10 + number)
            running.send(world.sent[before:])
            running.batch()
            scores.append(running.scores()[number]["score"] == by_batch(world, model())[number])
        assert scores == [True] * 3
        world.delete("fraud_labels", 1)
        book(world, 5, 20)
        running.send(world.sent[-3:])
        running.batch()
        assert running.scores()[5]["score"] == by_batch(world, model())[5]


def test_a_fresh_label_is_not_looked_at(world):
    book(world, 1, 0)
    book(world, 2, 6.9)
    plain, _ = scored(world)
    world.put("fraud_labels", row("fraud_labels", transaction_id=1, label="Yes"))
    world.sent.insert(0, world.sent.pop())
    told, _ = scored(world)
    assert told[2]["score"] == plain[2]["score"]


def test_a_start_knows_what_silver_has(world, tmp_path):
    lake = Lake(load_settings(home=tmp_path, lake=f"file:{tmp_path}/lake"))
    assert silver(lake) == {}
    for number in range(1, 8):
        book(world, number, 30 * number)
        label = "Yes" if number % 2 else "No"
        world.put("fraud_labels", row("fraud_labels", transaction_id=number, label=label))
    book(world, 8, 36_500)  # nobody looks old because of it
    world.delete("transactions", 5)
    stream = Stream(lake, lambda: delta_writer(lake, "stream"))
    drain(stream, world.sent)
    stream.stop()
    found = silver(lake)
    assert set(found["transactions"]["id"].to_pylist()) == {3, 4, 5, 6, 7, 8}
    with process() as running:
        running.scoring.book.load(found, T0)
        again = next(one for one in world.sent if one.table == "transactions" and one.value
                     and b'"id": 7,' in one.value)  # fmt: skip
        book(world, 9, 211)
        running.send(world.sent)  # of which the table has all before transaction 7
        for place, log in running.logs.items():
            running.positions[place] = log.index(again) if again in log else len(log)
        running.batch()
        expected = by_batch(world, model())
        assert running.scores()[9]["score"] == expected[9]
        assert running.scores()[7]["score"] == expected[7]
        assert set(running.scores()) == {7, 9}
