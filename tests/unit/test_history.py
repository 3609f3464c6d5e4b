"""Histories of customers and cards: whatever comes in whatever order, the versions are the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.lake.tables import Lake as DeltaLake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from stream_jobs.io import keyed
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.past import APP, tell_the_past
from stream_jobs.shapes import Patch
from stream_jobs.transforms.envelope import Decoder
from stream_jobs.transforms.history import history_patch, prefixes
from stream_jobs.transforms.order import order_token
from tests.unit.stream_world import (
    BASE,
    T0,
    Event,
    Lake,
    MemoryWriter,
    Stream,
    Topics,
    World,
    drain,
    envelope,
    gold_faults,
    records,
    row,
)

HISTORY = contracts.get("gold.dim_user_history")
SECOND = 1_000_000


@dataclass(frozen=True)
class Told:
    """A delivery: the customer (0 for a truncate), place in the log, and score or nothing."""

    user: int
    place: int
    offset: int
    score: int | None
    at: int | None  # seconds; Kafka took every delivery at second 500

    @property
    def token(self) -> str:
        return order_token(1, "binlog.000001", self.place, 0, self.offset)

    @property
    def op(self) -> str:
        return "t" if not self.user else "d" if self.score is None else "u"

    def event(self) -> tuple[Event, int]:
        image = row("users", id=self.user, credit_score=self.score or 0)
        sides = {"t": (None, None), "d": (image, None), "u": (None, image)}[self.op]
        value = json.loads(envelope(self.op, *sides, self.place))
        value["source"] |= {"ts_us": None if self.at is None else self.at * SECOND, "ts_ms": None}
        key = json.dumps({"id": self.user}).encode() if self.user else None
        body = json.dumps(value).encode()
        return Event("users", 0, key, body, kafka_us=500 * SECOND), self.offset


def reference(told: list[Told]) -> list[dict[str, Any]]:
    """The versions, worked out change by change over all that was ever told."""
    found = []
    for user in sorted({one.user for one in told if one.user}):
        newest: dict[int, Told] = {}
        for one in told:
            if one.user in (0, user) and one.offset >= newest.get(one.place, one).offset:
                newest[one.place] = one
        story = sorted(newest.values(), key=lambda one: one.place)
        while not story[0].user:
            story.pop(0)
        clock, moments = 0, []
        for one in story:
            clock = max(clock, 500 if one.at is None else one.at)
            moments.append((one.score, clock, one))
        runs = [[*run] for _, run in groupby(moments, key=lambda moment: moment[0])]
        starts = [run[0][1] for run in runs]
        for number, (run, start) in enumerate(zip(runs, starts, strict=True)):
            last = number == len(runs) - 1
            found.append(
                {
                    "version_key": f"{user:010d}@{run[0][2].token[:33]}",
                    "user_id": user,
                    "valid_from": start,
                    "valid_to": None if last else starts[number + 1],
                    "is_current": last and run[0][0] is not None,
                    "is_deleted": run[0][0] is None,
                    "credit_score": run[0][0],
                }
            )
    return found


@cache
def decoder() -> Decoder:
    return Decoder("users")


def decoded(told: list[Told]) -> pa.Table:
    found = decoder().decode(records([one.event() for one in told]), 0)
    assert not found.rejects.num_rows
    return found.changes


def applied(standing: pa.Table, patch: Patch) -> pa.Table:
    """The patch on a table, with what it promises."""
    keys = set(standing["version_key"].to_pylist())
    gone = {*patch.deletes["version_key"].to_pylist(), *patch.updates["version_key"].to_pylist()}
    assert gone <= keys
    assert not keys & set(patch.inserts["version_key"].to_pylist())
    stay = pa.array([key not in gone for key in standing["version_key"].to_pylist()], pa.bool_())
    return pa.concat_tables([standing.filter(stay), patch.inserts, patch.updates])


def shown(rows: pa.Table) -> list[dict[str, Any]]:
    def seconds(moment: datetime | None) -> int | None:
        return None if moment is None else int(moment.timestamp())

    names = [*reference([Told(1, 1, 0, 1, 1)])[0]]
    plain = rows.select(names).sort_by([("version_key", "ascending")]).to_pylist()
    times = ("valid_from", "valid_to")
    return [{n: seconds(v) if n in times else v for n, v in one.items()} for one in plain]


@st.composite
def deliveries(draw: st.DrawFn) -> list[Told]:
    """Changes of two customers, each sent once or more, in any order."""
    changes = draw(
        st.lists(
            st.tuples(
                st.sampled_from([1, 1, 1, 22, 22, 0]),
                st.sampled_from([None, 300, 301]),
                st.one_of(st.none(), st.integers(0, 999)),
            ),
            min_size=1,
            max_size=9,
        )
    )
    numbers = range(len(changes))
    again = draw(st.lists(st.sampled_from(numbers), max_size=4))
    order = draw(st.permutations([*numbers, *again]))
    told = []
    for offset, place in enumerate(order):
        user, score, at = changes[place]
        told.append(Told(user, place, offset, score if user else None, at))
    return told


@settings(max_examples=60)
@given(st.data())
def test_versions_are_those_of_the_reference_whatever_the_order(data):
    told = data.draw(deliveries())
    rows, seen = HISTORY.lake_schema.empty_table(), 0
    truncates: dict[str, int] = {}
    while seen < len(told):
        batch = told[seen : seen + data.draw(st.integers(1, 4))]
        seen += len(batch)
        truncates |= {
            one.token: (500 if one.at is None else one.at) * SECOND for one in batch if not one.user
        }
        changes = decoded(batch)
        touched = {one.user for one in batch}
        everything = 0 in touched
        own = pa.array(
            [everything or u in touched for u in rows["user_id"].to_pylist()], pa.bool_()
        )
        patch = history_patch(HISTORY.name, rows.filter(own), changes, truncates)
        rows = applied(rows, patch)
        again = history_patch(HISTORY.name, rows, changes, truncates)
        assert again.num_rows == 0, "the same batch once more changes nothing"
        assert shown(rows) == reference(told[:seen])
    assert set(rows["address"].to_pylist()) <= {None, BASE["users"]["address"]}


@settings(max_examples=60)
@given(deliveries())
def test_a_moment_lies_in_one_version_and_the_last_one_is_the_state(told):
    patch = history_patch(
        HISTORY.name,
        HISTORY.lake_schema.empty_table(),
        decoded(told),
        {one.token: (500 if one.at is None else one.at) * SECOND for one in told if not one.user},
    )
    versions = patch.inserts.sort_by("version_key").to_pylist()
    for user in {one["user_id"] for one in versions}:
        own = [one for one in versions if one["user_id"] == user]
        ends = [one["valid_to"] for one in own]
        assert ends == [*[one["valid_from"] for one in own[1:]], None]
        assert [one["is_current"] for one in own[:-1]] == [False] * (len(own) - 1)
        assert own[-1]["is_current"] == (not own[-1]["is_deleted"])
        for one in own:
            assert one["valid_to"] is None or one["valid_from"] <= one["valid_to"]


def history(lake: Any, name: str = "user") -> list[dict[str, Any]]:
    found = lake.open(contracts.get(f"gold.dim_{name}_history")).to_pyarrow_dataset().to_table()
    rows: list[dict[str, Any]] = found.sort_by("version_key").to_pylist()
    return rows


def life() -> World:
    """A customer who comes, changes, goes and comes back, between others."""
    world = World()
    for values in ({"credit_score": 600}, {"credit_score": 650}, {"credit_score": 650}):
        world.put("users", row("users", id=7, **values))
        world.put("cards", row("cards", id=3, client_id=7, num_cards_issued=len(world.sent)))
    world.delete("users", 7)
    world.put("users", row("users", id=8))
    world.put("users", row("users", id=7, credit_score=650))
    world.truncate("cards")
    world.put("cards", row("cards", id=3))
    world.read("users")
    return world


def test_a_new_reading_or_a_repeated_change_opens_no_version():
    stream = Stream(Lake())
    drain(stream, life().sent)
    own = [(v["credit_score"], v["is_deleted"]) for v in history(stream.lake) if v["user_id"] == 7]
    assert own == [(600, False), (650, False), (None, True), (650, False)]
    stream.stop()


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_current_versions_are_the_dimension(size, home: Path):
    stream = Stream(Lake())
    topics = Topics(life().sent)
    while topics.left:
        stream.process(topics.take(lambda *_: size))
        for name, key in (("user", "user_id"), ("card", "card_id")):
            dimension = contracts.get(f"gold.dim_{name}")
            current = [
                {column: version[column] for column in dimension.column_names}
                for version in history(stream.lake, name)
                if version["is_current"]
            ]
            rows = stream.lake.rows(dimension.full_name).sort_by(key).to_pylist()
            assert current == rows
    assert gold_faults(stream.lake, home) == []
    stream.stop()


def test_a_batch_without_customers_and_cards_reads_and_writes_no_history(monkeypatch):
    stream = Stream(Lake())
    drain(stream, life().sent)
    versions = [stream.lake.open(contracts.get(f"gold.dim_{n}_history")).version() for n in
                ("user", "card")]  # fmt: skip
    monkeypatch.setattr(
        type(stream.processor._writer), "under", lambda *_: pytest.fail("looked at a history")
    )
    world = World()
    world.put("transactions", row("transactions"))
    world.put("mcc_codes", row("mcc_codes"))
    drain(stream, world.sent)
    assert versions == [stream.lake.open(contracts.get(f"gold.dim_{n}_history")).version() for n in
                        ("user", "card")]  # fmt: skip
    stream.stop()


def test_verify_finds_a_version_that_is_wrong(home: Path):
    stream = Stream(Lake())
    drain(stream, life().sent)
    table = stream.lake.tables["gold.dim_user_history"]
    place = table.rows.column_names.index("valid_from")
    later = [one + timedelta(microseconds=1) for one in table.rows["valid_from"].to_pylist()[:1]]
    values = pa.array([*later, *table.rows["valid_from"].to_pylist()[1:]], table.schema[place].type)
    table.rows = table.rows.set_column(place, table.schema[place], values)
    (fault,) = gold_faults(stream.lake, home)
    assert "gold.dim_user_history: 1 keys differ" in fault
    assert "valid_from differs" in fault
    table.rows = table.rows.slice(1)
    (fault,) = gold_faults(stream.lake, home)
    assert "is missing" in fault
    stream.stop()


@settings(max_examples=10)
@given(
    st.sets(st.integers(1, 60), min_size=1),
    st.sets(st.integers(1, 70), min_size=1),
    st.integers(1, 9),
)
def test_rows_are_found_by_the_beginning_of_their_key(tmp_path_factory, there, asked, size):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(keyed, "LEAF_ROWS", 3)
        patched.setattr(keyed, "FULL_ROWS", 16)
        patched.setattr(keyed, "_SPARSE", 1)
        patched.setattr(keyed, "_FEW", 1)
        config = load_settings(home=tmp_path_factory.mktemp("keys"))
        lake = DeltaLake(config)
        writer = LakeWriter(Tables(lake, 1 << 20), "test")
        told = [Told(user, 1 + place, place, 300 + place, place) for user in sorted(there)
                for place in range(user % 4)]  # fmt: skip
        told = told[::2] + told[1::2]  # between those that are there already
        empty = HISTORY.lake_schema.empty_table()
        for batch, start in enumerate(range(0, len(told), size)):
            some = decoded(told[start : start + size])
            standing = writer.under(HISTORY, prefixes(some["id"]))
            writer.merge(HISTORY, history_patch(HISTORY.name, standing, some, {}), batch)
        for opened in (writer, LakeWriter(Tables(lake, 1 << 20), "other")):
            found = opened.under(HISTORY, prefixes(pa.array(sorted(asked), pa.int32())))
            assert found.schema == empty.schema
            wanted = sorted(one.token for one in told if one.user in asked)
            assert sorted(text[:46] for text in found["changes"].to_pylist()) == wanted
            every = opened.under(HISTORY, pa.array([""]))
            assert every.num_rows == len(told)


def test_the_first_moment_is_that_of_the_source():
    stream = Stream(Lake())
    world = World()
    world.put("users", row("users", id=7))
    drain(stream, world.sent)
    (version,) = history(stream.lake)
    assert version["valid_from"] == datetime.fromtimestamp(T0 / SECOND, UTC)
    stream.stop()


def test_a_lake_of_before_gets_its_past_from_bronze(home: Path):
    stream = Stream(Lake())
    world = life()
    topics = drain(stream, [*world.sent, *world.sent[:4]])
    world.junk("users", b"junk")
    stream.processor._status.stop("cards", "its shape")
    world.put("cards", row("cards", id=3, num_cards_issued=9))
    topics.send(world.sent[-2:])
    stream.process(topics.take())
    known = {name: history(stream.lake, name) for name in ("user", "card")}
    for name in ("user", "card"):
        del stream.lake.tables[f"gold.dim_{name}_history"]
    there: Any = stream.lake
    for _ in range(2):  # the second time finds it there
        tell_the_past(there, MemoryWriter(stream.lake, APP))
        assert {name: history(stream.lake, name) for name in ("user", "card")} == known
    assert gold_faults(stream.lake, home) == []
    stream.stop()


def test_a_new_lake_has_no_past(home: Path):
    lake = DeltaLake(load_settings(home=home))
    tell_the_past(lake, LakeWriter(Tables(lake, 1 << 20), APP))
    assert lake.ensure(HISTORY).version() == 0
