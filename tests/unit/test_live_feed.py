"""Records, cards and alerts of the live path, one case at a time."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from prometheus_client import generate_latest

from infra.stack.apps import Alerts
from lakehouse_schemas import contracts
from stream_jobs.live.cards import Alert, History, LiveCards
from stream_jobs.live.feed import Feed, Record
from stream_jobs.live.history import Silver
from stream_jobs.live.metrics import AlertMetrics
from stream_jobs.live.service import body
from stream_jobs.transforms.envelope import Decoder
from tests.unit import stream_world
from tests.unit.stream_world import T0, Row, envelope, row
from tests.unit.test_live_cards import RULES, SILVER
from tests.unit.test_stream_rules import MINUTE

DEAR = "3000.01"


class Topic:
    """Sends records to a feed of its own; gives what each raised."""

    def __init__(self, history: History | None = None) -> None:
        self.feed = Feed(Decoder("transactions"), LiveCards(RULES, history or History()))
        self.offset = 0
        self.pos = 0

    def send(self, op: str, before: Row | None, after: Row | None, pos: int = 0) -> list[Any]:
        self.pos += 1
        return self.raw(envelope(op, before, after, pos or self.pos))

    def raw(self, value: bytes | None) -> list[Any]:
        seen = self.feed.take(Record(0, self.offset, value, "1"))
        self.offset += 1
        return [(alert.booked.use.id, alert.rule) for alert in seen.alerts]


def dear(number: int = 1, **values: Any) -> Row:
    return row("transactions", id=number, amount=DEAR, **values)


def test_an_alert_is_raised_when_it_was_not_there_before():
    topic = Topic()
    cheap = row("transactions")
    assert topic.send("c", None, cheap) == []
    assert topic.send("u", cheap, dear()) == [(1, "amount_over")]
    assert topic.send("u", dear(), dear(merchant_city="Elsewhere")) == []
    assert topic.send("u", dear(), dear(card_id=99)) == []
    assert topic.send("d", dear(card_id=99), None) == []
    assert topic.raw(None) == []  # the tombstone
    assert topic.send("c", None, dear()) == [(1, "amount_over")]


def test_what_a_snapshot_reads_is_history():
    topic = Topic()
    assert topic.send("r", None, dear()) == []
    assert topic.send("u", dear(), dear(mcc=5411)) == []


def test_a_change_that_is_not_newer_changes_nothing():
    topic = Topic()
    assert topic.send("c", None, dear(), pos=5) == [(1, "amount_over")]
    cheap = row("transactions")
    assert topic.send("u", dear(), cheap, pos=7) == []
    assert topic.send("c", None, dear(), pos=5) == []
    assert topic.send("u", cheap, dear(), pos=8) == [(1, "amount_over")]


def test_after_a_truncate_only_what_came_later_counts():
    topic = Topic()
    burst = [row("transactions", id=n, errors="Bad PIN", date=T0 + n * MINUTE) for n in range(1, 6)]
    for one in burst[:2]:
        assert topic.send("c", None, one) == []
    assert topic.send("t", None, None, pos=100) == []
    assert topic.send("c", None, burst[0], pos=99) == []  # late
    assert [topic.send("c", None, one, pos=100 + one["id"]) for one in burst[2:]] == [
        [],
        [],
        [(5, "declined_burst")],
    ]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"not JSON",
        b"[1]",
        b'{"op": "c"}',
        envelope("c", None, {"id": 1}, 1),
        envelope("c", None, row("transactions", amount="much"), 1),
        envelope("c", None, row("transactions", amount="1.001"), 1),
        envelope("c", None, row("transactions", amount="NaN"), 1),
        envelope("c", None, row("transactions", amount="1e30"), 1),
        envelope("c", None, row("transactions", card_id=2**40), 1),
        envelope("c", None, row("transactions"), 1, file="binlog"),
        envelope("u", row("transactions"), None, 1),
    ],
)
def test_a_bad_record_is_counted_and_passed_over(value):
    topic = Topic()
    assert topic.raw(value) == []
    assert topic.feed.bad == 1
    assert topic.send("c", None, dear()) == [(1, "amount_over")]


def test_a_new_column_of_the_source_is_no_hindrance():
    topic = Topic()
    more = {"loyalty": 7}
    assert topic.send("c", None, dear() | more) == [(1, "amount_over")]
    cheap = row("transactions") | more
    assert topic.send("u", dear() | more, cheap) == []
    found = Decoder("transactions").change(envelope("u", cheap, dear() | more, 9), "1", 9)
    assert found is not None
    assert found.before.amount == "14.57"
    assert topic.feed.bad == 0


def silver(*rows: Row) -> pa.Table:
    schema = SILVER.lake_schema
    values = [
        {**one, "_order_token": f"0000-{n:04d}", "_is_deleted": False, "_batch_id": 0}
        for n, one in stream_world.meant("transactions", {r["id"]: r for r in rows}).items()
    ]
    return pa.Table.from_pylist(values, schema=schema)


def start(*rows: Row) -> History:
    lake = stream_world.Lake()
    lake.ensure(SILVER).commit(silver(*rows), "test", 0)
    return Silver(lake, RULES).start()  # type: ignore[arg-type]


def test_a_start_reads_what_is_recent_and_every_use_abroad():
    old = row("transactions", id=1, date=T0 - 500 * 24 * 60 * MINUTE, merchant_state="Italy")
    yesterday = row("transactions", id=2, date=T0 - 600 * MINUTE)
    history = start(old, yesterday, row("transactions", id=3))
    assert [kept.id for kept in history.rows] == [3]
    assert history.abroad == {4524: [(old["date"], 1)]}
    assert history.last_physical[4524].id == 2
    assert history.newest == "0000-0003"


def test_a_date_in_the_future_does_not_make_the_present_look_old():
    late = row("transactions", id=2, date=4_102_444_800_000_000)
    history = start(row("transactions", id=1), late)
    assert {kept.id for kept in history.rows} == {1, 2}
    assert history.since < T0


def test_an_empty_lake_is_a_start_too():
    assert Silver(stream_world.Lake(), RULES).start() == History()  # type: ignore[arg-type]


def test_a_change_of_long_ago_holds_its_offset_until_the_lake_has_answered():
    old = row("transactions", id=1, date=T0 - 500 * 24 * 60 * MINUTE)
    lake = stream_world.Lake()
    lake.ensure(SILVER).commit(silver(old, row("transactions", id=2)), "test", 0)
    reader = Silver(lake, RULES)  # type: ignore[arg-type]
    topic = Topic(reader.start())
    assert topic.send("c", None, dear(3)) == [(3, "amount_over")]
    assert topic.send("u", old, {**old, "amount": DEAR}) == []
    assert topic.send("c", None, dear(4)) == [(4, "amount_over")]
    assert len(topic.feed) == 1
    assert topic.feed.done(0, 3) == 1
    assert topic.feed.done(1, 7) == 7
    asked = topic.feed.asks()
    assert asked is not None
    assert topic.feed.done(0, 3) == 1
    topic.feed.answer(reader.read(asked))
    (seen,) = topic.feed.step()
    assert [(a.booked.use.id, a.rule) for a in seen.alerts] == [(1, "amount_over")]
    assert seen.record.offset == 1
    assert not topic.feed.is_answered
    assert len(topic.feed) == 0
    assert topic.feed.done(0, 3) == 3


# ── What goes out ────────────────────────────────────────────────────────────────────────────────


def test_the_body_has_the_columns_of_the_table():
    topic = Topic()
    topic.raw(envelope("c", None, dear(7, merchant_state=None), 1))
    booked = topic.feed._cards._known[7].row
    assert booked is not None
    key, value = body(Alert(booked, "amount_over", "too much"), T0 + 5)
    found = json.loads(value)
    assert list(found) == list(contracts.get("gold.fraud_alerts").column_names)
    assert key == b"7:amount_over" == found["alert_id"].encode()
    assert (found["severity"], found["amount"], found["merchant_state"]) == ("high", DEAR, None)
    assert datetime.fromisoformat(found["transaction_ts"]) == datetime(2010, 1, 1, 0, 1, tzinfo=UTC)
    assert found["raised_at"].endswith("00:01:00.000005Z")


def test_time_since_the_commit_counts_only_where_the_clock_is_fine():
    metrics = AlertMetrics()
    metrics.published("amount_over", 5_000_000, 5_100_000, 5_200_000)
    metrics.published("amount_over", 5_000_001, 5_100_000, 5_200_000)
    text = generate_latest(metrics.registry).decode()
    assert 'finlake_alerts_published_total{rule="amount_over"} 2.0' in text
    assert 'finlake_alerts_published_total{rule="first_abroad"} 0.0' in text
    assert 'finlake_alert_seconds_count{since="commit"} 1.0' in text
    assert 'finlake_alert_seconds_count{since="kafka"} 2.0' in text
    assert 'finlake_alert_seconds_bucket{le="0.1",since="kafka"} 2.0' in text


def test_the_component_waits_for_what_it_reads():
    assert set(Alerts.needs) == {"kafka", "connect", "minio"}
