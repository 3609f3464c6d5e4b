"""Live traffic, decided without a database: what every batch must keep."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_jobs.traffic import TRANSFER_MERCHANT, Mix, Summary
from batch_jobs.traffic import simulation as module
from batch_jobs.traffic.batch import Batch, Transaction
from batch_jobs.traffic.simulation import Known, Simulation, World
from finlake.commands.data import traffic

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(milliseconds=20)


def world(cards: int = 30, older: int = 0) -> World:
    return World(
        cards=[(card, card // 2) for card in range(cards)],
        homes={0: ("Reno", "NV", "89501")},
        shops=[(merchant, 5411) for merchant in range(1, 40)],
        online_shops=[(merchant, 5815) for merchant in range(40, 60)],
        next_id=1_000,
        older=[Known((number,), Decimal("12.50")) for number in range(1, older + 1)],
    )


@dataclass
class Source:
    """A database in memory that is as strict as the real one."""

    rows: dict[int, Transaction] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    older: set[int] = field(default_factory=set)

    def apply(self, batch: Batch) -> None:
        for row in batch.inserted:
            assert row.id not in self.rows
            self.rows[row.id] = row
        for identity, label in batch.labels.items():
            assert identity in self.rows
            self.labels[identity] = label
        for changes, name in ((batch.amounts, "amount"), (batch.errors, "errors")):
            for identity, value in changes.items():
                self._change(identity, **{name: value})
        for identity, place in batch.places.items():
            self._change(identity, **place._asdict())
        for identity in batch.deleted:
            assert identity in self.rows or identity in self.older
            self.older.discard(identity)
            self.rows.pop(identity, None)
            self.labels.pop(identity, None)

    def _change(self, identity: int, **columns) -> None:
        assert identity in self.rows or identity in self.older
        if identity in self.rows:
            self.rows[identity] = self.rows[identity]._replace(**columns)

    def transfers(self) -> list[Transaction]:
        return [row for row in self.rows.values() if row.merchant_id == TRANSFER_MERCHANT]


MIXES = st.builds(Mix, *[st.sampled_from([0, 1, 5, 30, 70])] * 3).filter(
    lambda mix: mix.insert + mix.update + mix.delete > 0
)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    mix=MIXES,
    sizes=st.lists(st.integers(1, 120), min_size=1, max_size=25),
    older=st.integers(0, 20),
)
def test_transfers_add_up_to_zero_after_every_commit_and_keys_are_sound(seed, mix, sizes, older):
    source = Source(older=set(range(1, older + 1)))
    simulation = Simulation(world(older=older), seed, mix)
    for number, size in enumerate(sizes):
        source.apply(simulation.batch(size, START + number * TICK * 100))
        transfers = source.transfers()
        assert sum(row.amount for row in transfers) == 0
        assert len(transfers) % 2 == 0
    assert set(source.labels) <= set(source.rows)


def run(seconds: float, rate: int, seed: int = 1, mix: Mix | None = None) -> list[Batch]:
    simulation = Simulation(world(200), seed, mix or Mix())
    each = max(1, int(rate * TICK.total_seconds()))
    return [simulation.batch(each, START + n * TICK) for n in range(int(seconds / 0.02))]


def test_transfers_happen_and_are_corrected_and_deleted():
    source, corrected, deleted = Source(), 0, 0
    for batch in run(20, 1_000, mix=Mix(50, 30, 20)):
        before = {row.id for row in source.transfers()}
        corrected += len(before & set(batch.amounts))
        deleted += len(before & set(batch.deleted))
        source.apply(batch)
    assert len(source.transfers()) > 100
    assert corrected > 20
    assert deleted > 20
    assert sum(row.amount for row in source.transfers()) == 0


def test_the_same_seed_and_moments_give_the_same_changes():
    assert run(2, 500, seed=4) == run(2, 500, seed=4)
    assert run(2, 500, seed=4) != run(2, 500, seed=5)


def test_numbers_and_times_rise_with_every_inserted_row():
    rows = [row for batch in run(5, 2_000) for row in batch.inserted]
    assert [row.id for row in rows] == list(range(1_000, 1_000 + len(rows)))
    assert all(one.date < two.date for one, two in pairwise(rows))


def test_a_clock_that_steps_back_does_not_turn_the_times_round():
    simulation = Simulation(world(), 1, Mix(1, 0, 0))
    first = simulation.batch(5, START).inserted
    second = simulation.batch(5, START - timedelta(hours=1)).inserted
    assert second[0].date > first[-1].date


def test_batches_have_about_the_size_that_was_asked_for_and_the_mix():
    simulation = Simulation(world(200), 1, Mix(60, 30, 10))
    simulation.batch(2_000, START)  # something to change
    batch = simulation.batch(1_000, START + TICK)
    assert 1_000 <= batch.changes <= 1_012
    assert len(batch.deleted) == pytest.approx(100, abs=40)
    updated = batch.changes - len(batch.inserted) - len(batch.labels) - len(batch.deleted)
    assert updated == pytest.approx(300, abs=60)
    assert batch.people
    assert {table for table, _ in batch.people} == {"users", "cards"}


@pytest.mark.parametrize("mix", [Mix(0, 1, 0), Mix(0, 0, 1)])
def test_a_mix_without_inserts_ends_on_an_empty_source(mix):
    batch = Simulation(world(4), 1, mix).batch(500, START)
    assert 0 < batch.changes <= 510


def test_labels_come_late_and_only_for_transactions_that_are_still_there():
    source, delays = Source(), []
    for number, batch in enumerate(run(120, 100)):
        now = START + number * TICK
        source.apply(batch)
        delays += [
            (now - source.rows[i].date).total_seconds() for i in batch.labels if i in source.rows
        ]
    assert sum(delays) / len(delays) == pytest.approx(20, rel=0.4)
    assert len(source.labels) / len(source.rows) > 0.4


def test_schemes_leave_what_rules_look_for_and_ordinary_use_does_not():
    source, frauds = Source(), set()
    for batch in run(90, 400, mix=Mix(1, 0, 0)):
        source.apply(batch)
    frauds = {identity for identity, label in source.labels.items() if label == "Yes"}
    large = [row for row in source.rows.values() if row.amount > 3_000]
    states = {row.merchant_state for row in source.rows.values() if row.merchant_state}
    assert large
    assert any(len(state) > 2 for state in states)
    assert frauds
    small, declined = defaultdict(list), defaultdict(list)
    for row in source.rows.values():
        if 0 < row.amount <= 5:
            small[row.card_id].append(row)
        if row.errors:
            declined[row.card_id].append(row)
    bursts = [rows for rows in small.values() if len(rows) >= 4]
    assert bursts
    assert len(bursts) < len(source.rows) * module._FRAUDS
    assert any(len(rows) >= 3 for rows in declined.values())
    assert sum(len(rows) >= 3 for rows in declined.values()) < len(source.rows) * module._FRAUDS


def test_ordinary_use_stays_in_one_city_a_card():
    cities = defaultdict(set)
    for batch in run(20, 1_000, mix=Mix(1, 0, 0)):
        for row in batch.inserted:
            if row.zip:
                cities[row.card_id].add(row.merchant_city)
    moved = [card for card, found in cities.items() if len(found) > 1]
    assert 0 < len(moved) < 40  # by impossible travel alone


def test_the_newest_rows_stay_at_hand_when_the_memory_is_full(monkeypatch):
    monkeypatch.setattr(module, "_RECENT", 50)
    simulation = Simulation(world(), 1, Mix(1, 0, 0, reach=300))
    last = [row.id for row in simulation.batch(2_000, START).inserted][-40:]
    known = [identity for entry in simulation._known for identity in entry.ids]
    assert len(simulation._known) == 300
    assert set(last) <= set(known[-120:])
    assert len(set(known)) == len(known)


def test_a_batch_names_each_transaction_once():
    batch = Simulation(world(older=5), 1, Mix(1, 3, 1)).batch(300, START)
    ids = batch.transaction_ids()
    assert len(set(ids)) == len(ids)
    assert {row.id for row in batch.inserted} <= set(ids)
    assert set(batch.deleted) <= set(ids)


def test_a_summary_without_a_commit_has_no_times():
    assert Summary().as_dict()["commit_p50_ms"] == 0
    assert Summary().rate == 0


@pytest.mark.parametrize("mix", ["70/25", "a/b/c", "0/0/0", "-1/2/3", "nan/1/1", "inf/1/1"])
def test_a_mix_that_is_none_is_wrong_use(mix):
    result = CliRunner().invoke(traffic, ["--mix", mix])
    assert result.exit_code == 2
    assert "--mix" in result.output
