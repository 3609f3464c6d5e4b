"""The traps that have bitten other pipelines of this kind, each with its number."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

import stream_jobs
from finlake.errors import FinlakeError
from infra.lake.tables import Lake as DeltaLake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from stream_jobs.io import source
from stream_jobs.shapes import RECORDS, Patch
from stream_jobs.transforms.freshness import ages, heartbeats
from stream_jobs.transforms.order import order_token
from tests.unit.stream_world import (
    BASE,
    T0,
    Event,
    Lake,
    Stream,
    Topics,
    World,
    delta_writer,
    drain,
    envelope,
    gold_faults,
    live,
    meant,
    records,
    row,
    silver_equals,
)

TRANSACTION = BASE["transactions"]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def stream():
    stream = Stream(Lake())
    yield stream
    stream.stop()


def send(stream: Stream, *values: bytes | None, table: str = "transactions") -> None:
    """One batch of events, in this order, in one partition."""
    start = stream.lake.rows("bronze.changes").num_rows + stream.lake.rows("gold.dim_date").num_rows
    events = [Event(table, 0, b'{"id":1}', value) for value in values]
    stream.process(records([(event, start + i) for i, event in enumerate(events)]))


def amounts(stream: Stream) -> dict[int, Decimal]:
    return {key: one["amount"] for key, one in live(stream.lake, "transactions").items()}


# ── 1 ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "amount",
    [
        "AcM=",
        "12345678901.00",
        "1.005",
        "9" * 32,
        "9" * 70,
        "NaN",
        "1_000",
        "٣.00",
        " 5.00 ",
        "",
        5.0,
    ],
)
def test_trap_1_money_that_is_no_exact_decimal_is_set_aside_and_never_null(stream, amount):
    send(stream, envelope("c", None, {**TRANSACTION, "amount": amount}, 1000))
    assert stream.lake.rows("silver.transactions").num_rows == 0
    (letter,) = stream.lake.rows("bronze.dead_letters").to_pylist()
    assert letter["reason"] in ("out_of_range", "bad_type")
    assert "amount" in letter["detail"]


@settings(max_examples=50)
@given(cents=st.integers(-(10**12) + 1, 10**12 - 1))
def test_trap_1_every_cent_of_every_amount_arrives(cents):
    exact = Decimal(cents).scaleb(-2)
    stream = Stream(Lake())
    send(stream, envelope("c", None, {**TRANSACTION, "amount": f"{exact:.2f}"}, 1000))
    stream.stop()
    assert amounts(stream) == {1: exact}


# ── 2 ────────────────────────────────────────────────────────────────────────────────────────────


def test_trap_2_an_update_wins_over_the_insert_of_the_same_batch(world, stream):
    world.put("transactions", row("transactions", amount="1.00"))
    world.put("transactions", row("transactions", amount="2.00"))
    drain(stream, world.sent)
    assert amounts(stream) == {1: Decimal("2.00")}


def test_trap_2_a_re_insert_wins_over_the_delete_of_the_same_batch(world, stream):
    world.put("transactions", row("transactions", amount="1.00"))
    world.delete("transactions", 1)
    world.put("transactions", row("transactions", amount="3.00"))
    drain(stream, world.sent)
    assert amounts(stream) == {1: Decimal("3.00")}


def test_trap_2_a_late_older_update_cannot_raise_the_dead(world, stream):
    world.put("transactions", TRANSACTION)
    world.put("transactions", row("transactions", amount="2.00"))
    world.delete("transactions", 1)
    insert, update, *delete = world.sent
    drain(stream, [insert, *delete])
    stream.restart()
    send(stream, update.value)
    assert amounts(stream) == {}
    assert stream.lake.rows("gold.fact_transactions").num_rows == 0


def test_trap_2_a_late_older_delete_does_not_delete_what_came_after_it(world, stream):
    world.put("transactions", TRANSACTION)
    world.delete("transactions", 1)
    world.put("transactions", row("transactions", amount="3.00"))
    insert, delete, _, again = world.sent
    drain(stream, [insert, again])
    send(stream, delete.value)
    assert amounts(stream) == {1: Decimal("3.00")}


def test_trap_2_time_never_decides(stream):
    later_clock = envelope("c", None, {**TRANSACTION, "amount": "1.00"}, 1000)
    earlier_clock = envelope("u", None, {**TRANSACTION, "amount": "2.00"}, 1100)
    earlier_clock = earlier_clock.replace(str(T0).encode(), str(T0 - 10**9).encode())
    send(stream, later_clock, earlier_clock)
    assert amounts(stream) == {1: Decimal("2.00")}


@given(
    st.lists(
        st.tuples(
            st.integers(1, 20),
            st.integers(1, 2_000_000),
            st.integers(4, 2**31),
            st.integers(0, 4000),
            st.integers(0, 2**31),
        ),
        min_size=2,
    )
)
def test_trap_2_tokens_sort_as_epoch_file_position_row_and_offset_do(parts):
    tokens = {
        order_token(e, f"binlog.{f:06d}", p, r, o): (e, f, p, r, o) for e, f, p, r, o in parts
    }
    assert [tokens[token] for token in sorted(tokens)] == sorted(tokens.values())


def test_trap_2_a_binlog_number_of_more_digits_is_later():
    assert order_token(1, "binlog.999999", 9, 0, 0) < order_token(1, "binlog.1000000", 4, 0, 0)


@pytest.mark.parametrize("name", ["binlog", "binlog.", "binlog.x1", "binlog.123456789"])
def test_trap_2_a_record_without_a_place_in_the_order_is_set_aside(stream, name):
    value = envelope("c", None, TRANSACTION, 1000, file=name)
    send(stream, value)
    (letter,) = stream.lake.rows("bronze.dead_letters").to_pylist()
    assert letter["reason"] == "no_order"
    assert letter["value"] == value


def test_trap_2_a_rebuilt_source_whose_positions_start_again_is_later(stream):
    old = Event(
        "transactions", 0, b"{}", envelope("c", None, row("transactions", amount="1.00"), 9000)
    )
    new = Event(
        "transactions", 0, b"{}", envelope("r", None, row("transactions", amount="2.00"), 4), "2"
    )
    stream.process(records([(old, 0), (new, 1)]))
    assert amounts(stream) == {1: Decimal("2.00")}


# ── 3 ────────────────────────────────────────────────────────────────────────────────────────────


def test_trap_3_many_changes_of_one_key_in_one_batch_are_one_row_and_all_counted(world, stream):
    for cents in range(50):
        world.put("transactions", row("transactions", amount=f"0.{cents:02d}"))
    drain(stream, world.sent)
    assert amounts(stream) == {1: Decimal("0.49")}
    (counts,) = (r for r in batches(stream) if r["table_name"] == "transactions")
    assert (counts["events"], counts["applied"], counts["superseded"]) == (50, 1, 49)


def test_trap_3_a_changed_primary_key_is_a_delete_and_a_create(world, stream, tmp_path):
    world.put("transactions", TRANSACTION)
    world.put("fraud_labels", row("fraud_labels", label="Yes"))
    world.rekey("transactions", 1, 2)
    drain(stream, world.sent)
    assert live(stream.lake, "transactions").keys() == {2}
    (fact,) = stream.lake.rows("gold.fact_transactions").to_pylist()
    assert (fact["transaction_id"], fact["is_fraud"]) == (2, None)
    assert gold_faults(stream.lake, tmp_path) == []


def batches(stream: Stream) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stream.lake.rows("gold.pipeline_batches").to_pylist()
    return found


# ── 4 ────────────────────────────────────────────────────────────────────────────────────────────


def test_trap_4_snapshot_reads_apply(stream):
    send(stream, envelope("r", None, TRANSACTION, 1000))
    assert live(stream.lake, "transactions") == meant("transactions", {1: TRANSACTION})


def test_trap_4_a_snapshot_read_does_not_undo_a_later_change_and_a_re_read_repairs(stream):
    send(stream, envelope("u", None, row("transactions", amount="2.00"), 2000))
    send(stream, envelope("r", None, row("transactions", amount="1.00"), 1000))
    assert amounts(stream) == {1: Decimal("2.00")}
    send(stream, envelope("r", None, row("transactions", amount="3.00"), 3000))
    assert amounts(stream) == {1: Decimal("3.00")}


# ── 5 ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lake(home):
    return DeltaLake(load_settings(home=home))


MCC = contracts.get("gold.dim_mcc")


def categories(*numbers: int) -> pa.Table:
    return pa.table(
        {"mcc": pa.array(numbers, pa.int32()), "description": [str(n) for n in numbers]}
    )


def test_trap_5_each_batch_is_in_a_table_once_also_for_a_writer_that_starts_anew(lake):
    none = categories().select(["mcc"])
    for _ in range(2):
        delta_writer(lake, "app").append(MCC, categories(1, 2), 0)
        delta_writer(lake, "app").merge(MCC, Patch(categories(3), categories(1), none), 1)
    table = lake.open(MCC)
    assert table.version() == 2
    assert sorted(table.to_pyarrow_table()["mcc"].to_pylist()) == [1, 2, 3]
    assert table.transaction_version("app") == 1


def test_trap_5_the_batches_of_another_application_are_not_dropped(lake):
    delta_writer(lake, "old").append(MCC, categories(1), 7)
    delta_writer(lake, "new").append(MCC, categories(2), 0)
    assert sorted(lake.open(MCC).to_pyarrow_table()["mcc"].to_pylist()) == [1, 2]


def test_trap_5_the_newest_batch_is_known_from_a_checkpoint_of_the_log(lake):
    delta_writer(lake, "app").append(MCC, categories(1), 41)
    table = lake.open(MCC)
    table.create_checkpoint()
    for commit in Path(lake.uri(MCC), "_delta_log").glob("*.json"):
        commit.unlink()
    delta_writer(lake, "app").append(MCC, categories(1), 41)
    assert lake.open(MCC).to_pyarrow_table().num_rows == 1


# ── 6 ────────────────────────────────────────────────────────────────────────────────────────────


def test_trap_6_the_source_never_skips_what_was_dropped_and_starts_where_the_lake_is(monkeypatch):
    options = {}

    class Reader:
        columns = RECORDS.names

        def format(self, name):
            assert name == "kafka"
            return self

        def option(self, name, value):
            options[name] = value
            return self

        def options(self, **given):
            options.update(given)
            return self

        def load(self):
            return self

        def selectExpr(self, *columns):  # noqa: N802 (Spark's name)
            return self

        def coalesce(self, number):
            return self

    monkeypatch.setattr(source, "starting_offsets", lambda settings: '{"there": {}}')
    settings = SimpleNamespace(
        kafka_bootstrap="k:1",
        kafka_security_protocol="PLAINTEXT",
        stream_max_offsets=7,
        on_cluster=False,
    )
    source.read_stream(SimpleNamespace(readStream=Reader()), settings)  # type: ignore[arg-type]
    assert options["failOnDataLoss"] == "true"
    assert options["startingOffsets"] == '{"there": {}}'
    assert set(options["subscribe"].split(",")) >= {f"cdc.finance.{table}" for table in BASE}


def test_trap_6_a_stream_without_a_checkpoint_goes_on_where_the_lake_ends(home, monkeypatch):
    settings = load_settings(home=home)
    monkeypatch.setattr(
        source,
        "partitions",
        lambda _: {name: 2 if "transactions" in name else 1 for name in source.topics()},
    )
    everything = json.loads(source.starting_offsets(settings))
    assert {place for topic in everything.values() for place in topic.values()} == {-2}
    lake = DeltaLake(settings)
    stream = Stream(lake, lambda: delta_writer(lake, "app"), settings)
    world = World()
    for number in range(1, 6):
        world.put("transactions", row("transactions", id=number))
    topics = drain(stream, world.sent)
    offsets = json.loads(source.starting_offsets(settings))
    assert offsets["cdc.finance.transactions"] == {"0": 2, "1": 3}
    world.put("transactions", row("transactions", id=6))
    topics.send(world.sent[-1:])
    stream.process(topics.take())
    stream.stop()
    offsets = json.loads(source.starting_offsets(settings))
    assert offsets["cdc.finance.transactions"] == {"0": 3, "1": 3}, "read last by an earlier batch"
    assert offsets["cdc.finance.cards"] == {"0": -2}


def test_trap_6_nothing_removes_a_checkpoint():
    for path in code():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"rmtree\(.*checkpoint|unlink\(.*checkpoint", text), path
        assert '"latest"' not in text, path


def code() -> list[Path]:
    (folder,) = stream_jobs.__path__
    return sorted(Path(folder).rglob("*.py"))


# ── 7 ────────────────────────────────────────────────────────────────────────────────────────────


def test_trap_7_nothing_streams_from_a_table_that_is_merged_into():
    readers = [path for path in code() if "readStream" in path.read_text(encoding="utf-8")]
    assert [path.name for path in readers] == ["source.py"]
    assert 'readStream.format("kafka")' in readers[0].read_text(encoding="utf-8")


# ── 8 ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("contract", contracts.lake_tables(), ids=lambda c: c.full_name)
def test_trap_8_every_engine_can_read_every_table(lake, contract):
    protocol = lake.ensure(contract).protocol()
    assert protocol.min_reader_version <= 2
    assert not protocol.reader_features


def test_trap_8_written_tables_stay_readable_and_their_times_are_utc(home, world):
    settings = load_settings(home=home)
    lake = DeltaLake(settings)
    stream = Stream(lake, lambda: delta_writer(lake, "app"), settings)
    for number in range(1, 4):
        world.put("transactions", row("transactions", id=number, amount="4000.00"))
    world.put("transactions", row("transactions", id=2, amount="1.00"))
    world.delete("transactions", 3)
    topics = Topics(world.sent)
    while topics.left:
        stream.process(topics.take(lambda *_: 2))
    stream.stop()
    for contract in contracts.lake_tables():
        table = lake.open(contract)
        if table is not None:
            assert table.protocol().min_reader_version <= 2, contract.full_name
            assert "timestamp_ntz" not in table.schema().to_json(), contract.full_name


# ── 9 ────────────────────────────────────────────────────────────────────────────────────────────


def test_trap_9_commits_to_an_object_store_fail_when_the_version_is_there():
    lake = DeltaLake(
        load_settings(
            lake="s3a://warehouse", s3_endpoint="http://h:1", s3_access_key="a", s3_secret_key="b"
        )
    )
    assert lake.storage_options is not None
    assert lake.storage_options["aws_conditional_put"] == "etag"


def test_trap_9_two_writers_of_one_table_lose_nothing(lake):
    log = contracts.get("gold.pipeline_status")
    now = datetime.now(UTC)
    one, other = delta_writer(lake, "one"), delta_writer(lake, "other")
    for batch in range(5):
        for name, writer in (("one", one), ("other", other)):
            row = {"table_name": f"{name} {batch}", "state": "running", "since": now}
            writer.append(log, pa.Table.from_pylist([row], schema=log.arrow_schema()), batch)
    found = sorted(DeltaTable(lake.uri(log)).to_pyarrow_table()["table_name"].to_pylist())
    assert found == [f"{name} {batch}" for name in ("one", "other") for batch in range(5)]


def test_trap_9_what_another_writer_replaced_is_not_written_over(lake):
    one, other = delta_writer(lake, "one"), delta_writer(lake, "other")
    one.append(MCC, categories(1), 0)
    other.append(MCC, categories(2), 0)
    with pytest.raises(FinlakeError, match="another writer replaced"):
        one.append(MCC, categories(3), 1)
    assert sorted(lake.open(MCC).to_pyarrow_table()["mcc"].to_pylist()) == [1, 2]
    delta_writer(lake, "one").append(MCC, categories(3), 1)
    assert sorted(lake.open(MCC).to_pyarrow_table()["mcc"].to_pylist()) == [1, 2, 3]


# ── 10 ───────────────────────────────────────────────────────────────────────────────────────────


def test_trap_10_tombstones_are_no_events(world, stream):
    send(stream, None, None)
    assert stream.lake.rows("bronze.changes").num_rows == 0
    assert stream.lake.rows("bronze.dead_letters").num_rows == 0
    (counts,) = (r for r in batches(stream) if r["table_name"] == "transactions")
    assert (counts["events"], json.loads(counts["ends"])) == (0, {"0": counts_end(stream)})


def test_trap_10_a_record_of_another_table_is_set_aside_and_stops_nothing(world, stream):
    event = json.loads(envelope("c", None, BASE["users"], 2000))
    event["source"]["table"] = "users"
    good = envelope("c", None, {**TRANSACTION, "id": 7}, 3000)
    send(stream, json.dumps(event).encode(), good)
    (letter,) = stream.lake.rows("bronze.dead_letters").to_pylist()
    assert letter["reason"] == "not_an_envelope"
    assert live(stream.lake, "transactions").keys() == {7}


def counts_end(stream: Stream) -> int:
    """Tombstones have offsets, and the stream goes on behind them."""
    return int(stream.lake.rows("gold.dim_date").num_rows) + 2


# ── 11 ───────────────────────────────────────────────────────────────────────────────────────────


def test_trap_11_everything_delivered_twice_changes_nothing_twice(world, stream, tmp_path):
    for number in range(1, 5):
        world.put("transactions", row("transactions", id=number, amount="4000.00"))
    world.put("transactions", row("transactions", id=2, amount="1.00"))
    world.put("fraud_labels", row("fraud_labels", transaction_id=3, label="Yes"))
    world.delete("transactions", 4)
    topics = drain(stream, world.sent)
    facts = rows_of(stream, "gold.fact_transactions")
    alerts = rows_of(stream, "gold.fraud_alerts")
    topics.send(world.sent)
    stream.process(topics.take())
    assert rows_of(stream, "gold.fact_transactions") == facts
    assert rows_of(stream, "gold.fraud_alerts") == alerts
    silver_equals(stream.lake, world.state)
    assert gold_faults(stream.lake, tmp_path) == []


def rows_of(stream: Stream, name: str) -> list[str]:
    return sorted(map(str, stream.lake.rows(name).to_pylist()))


# ── 12 ───────────────────────────────────────────────────────────────────────────────────────────


def test_trap_12_heartbeats_are_measured_to_the_microsecond():
    beat_us = 1_795_263_857_123_456
    value = json.dumps({"after": {"id": 1, "beat_at": beat_us}, "op": "u"}).encode()
    bad = [None, b"{}", b"[]", b"\xff", b'{"after":{"beat_at":"soon"}}']
    found = heartbeats(
        records(
            [(Event("finlake_heartbeat", 0, b"{}", one), i) for i, one in enumerate([*bad, value])]
        )
    )
    assert found["_source_ts"].to_pylist() == [datetime.fromtimestamp(beat_us / 1e6, UTC)]
    assert ages(found["_source_ts"], beat_us + 1_500) == (1.5, 1.5, 1.5)


def test_trap_12_an_age_is_never_below_zero():
    whole_second = pa.chunked_array([pa.array([2_000_000], pa.timestamp("us", tz="UTC"))])
    assert ages(whole_second, 1_400_000) == (0.0, 0.0, 0.0)


# ── 13 ───────────────────────────────────────────────────────────────────────────────────────────


def test_trap_13_a_column_added_while_nobody_looked_is_kept(stream):
    send(stream, envelope("c", None, {**TRANSACTION, "loyalty": {"points": 3}}, 1000))
    (found,) = stream.lake.rows("silver.transactions").to_pylist()
    assert json.loads(found["_extra"]) == {"loyalty": {"points": 3}}
    assert stream.lake.rows("bronze.dead_letters").num_rows == 0


def test_trap_13_a_table_that_no_longer_fits_says_what_to_do(stream):
    less = {name: value for name, value in TRANSACTION.items() if name != "zip"}
    send(stream, envelope("c", None, less, 1000))
    states = stream.lake.rows("gold.pipeline_status").to_pylist()
    (state,) = (s for s in states if s["state"] == "stopped")
    assert state["table_name"] == "transactions"
    assert "zip" in state["reason"]
    assert "finlake stream --resume transactions" in state["next_step"]
