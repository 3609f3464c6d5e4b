"""The connector on real components: its life, its failures, and the ways out of them.

One stack per kind of source; the tests do to it what their order says.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
import requests
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

import connectors
from connectors import signals, topics
from connectors.config import connector_name, history_topic, table_topic
from connectors.rest import Connect
from finlake.errors import FinlakeError
from infra.database.schema import connect
from infra.settings import Settings
from tests.golden.capture import CARD, USER
from tests.support.stack import (
    finlake,
    run,
    running_stack,
    runs_anew,
    skip_without_mysql,
    start,
    status_of,
    wait_for,
)

pytestmark = pytest.mark.slow
NAME = connector_name("mariadb")


@dataclass
class World:
    """A running stack with its connector."""

    settings: Settings

    @property
    def rest(self) -> Connect:
        return Connect(self.settings.connect_url)

    def run(self, *statements: str) -> None:
        with connect(self.settings) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    def insert(self, table: str, row: dict[str, Any]) -> None:
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        with connect(self.settings) as connection, connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
            connection.commit()

    def records(self, table: str) -> list[dict[str, Any]]:
        """Everything that is in a table's topic (of one partition) now."""
        consumer = Consumer(
            {"bootstrap.servers": self.settings.kafka_bootstrap, "group.id": "test"}
        )
        place = TopicPartition(table_topic("finance", table), 0)
        position, end = consumer.get_watermark_offsets(place, timeout=20)
        place.offset = position
        consumer.assign([place])
        found = []
        while position < end:
            message = consumer.poll(20)
            assert message is not None
            assert not message.error()
            position = (message.offset() or 0) + 1
            headers = {name: value.decode() for name, value in cast(Any, message.headers() or ())}
            value = message.value()
            found.append(
                {
                    "key": json.loads(message.key() or b"null"),
                    "epoch": headers.get("epoch"),
                    **(json.loads(value) if value else {"op": "tombstone"}),
                }
            )
        consumer.close()
        return found

    def arrives(self, table: str, key: int, op: str = "c") -> dict[str, Any]:
        """Wait for a change of the row; gives its last record of that kind."""

        def look() -> list[dict[str, Any]]:
            assert self.rest.status(NAME).failure is None
            rows = self.records(table)
            return [r for r in rows if r["op"] == op and key in (r["key"] or {}).values()]

        found: list[dict[str, Any]] = wait_for(look, f"{op} of {key} in {table}")
        return found[-1]


@pytest.fixture(scope="module", params=["mariadb", pytest.param("mysql", marks=pytest.mark.mysql)])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    home = tmp_path_factory.mktemp(request.param) / "home"
    env = {"FINLAKE_SOURCE_FLAVOUR": request.param}
    if request.param == "mysql":
        skip_without_mysql(home)
    with running_stack(home, **env) as settings:
        yield World(settings)


def test_the_connector_runs_and_a_repeat_changes_nothing(world: World) -> None:
    before = connectors.status(world.settings)
    assert before.connector.running
    assert before.epoch == 1
    config = world.rest.config(NAME)
    told: list[str] = []
    connectors.apply(world.settings, told.append)
    assert told == [f"connector {NAME}: runs, epoch 1"]
    assert world.rest.config(NAME) == config


def test_a_change_arrives_with_its_epoch_and_without_secrets(world: World) -> None:
    world.insert("users", {"id": 825, **USER})
    world.insert("cards", {"id": 4524, **CARD})
    record = world.arrives("cards", 4524)
    assert record["epoch"] == "1"
    assert {"card_number", "cvv"}.isdisjoint(record["after"])
    assert record["after"]["card_token"] == CARD["card_token"]
    world.run("DELETE FROM cards WHERE id = 4524")
    world.arrives("cards", 4524, "d")
    wait_for(lambda: world.records("cards")[-1]["op"] == "tombstone", "the tombstone")
    assert {row["epoch"] for row in world.records("cards")} == {"1"}


def test_the_commands_show_what_there_is(world: World) -> None:
    home = world.settings.home
    assert f"connector {NAME}: RUNNING, epoch 1" in run(home, "connectors", "status")
    assert "runs" in run(home, "connectors", "restart", "--all")
    assert "users: 1 rows read" in run(home, "connectors", "snapshot", "users")
    assert "told to stop" in run(home, "connectors", "snapshot", "users", "--stop")
    assert "retention.ms = -1" in run(home, "topics", "describe", history_topic(1))
    shown = json.loads(run(home, "topics", "describe", history_topic(1), "--json"))
    assert (shown["exists"], shown["partitions"], shown["differences"]) == (True, 1, [])
    assert "cdc.finance.transactions" in run(home, "topics", "create")


def test_an_idle_source_beats(world: World) -> None:
    def beats() -> set[int]:
        return {r["after"]["beat_at"] for r in world.records("finlake_heartbeat") if r.get("after")}

    seen = beats()
    wait_for(lambda: len(beats() - seen) >= 3, "three more beats")


def test_topics_are_as_they_should_be_and_are_repaired_on_request(world: World) -> None:
    wanted = topics.expected(world.settings)
    states = {state.topic.name: state for state in topics.describe(world.settings, wanted)}
    assert [d for state in states.values() for d in state.differences] == []
    assert states[table_topic("finance", "users")].records > 0
    history = history_topic(1)
    short = topics.Topic(history, "", 1, {"retention.ms": "1000000000"})
    topics.create(world.settings, [short], repair=True)
    (state,) = topics.create(world.settings, [t for t in wanted if t.name == history])
    assert "retention.ms is 1000000000 instead of -1" in state.differences[0]
    (state,) = topics.create(world.settings, [t for t in wanted if t.name == history], repair=True)
    assert state.differences == ()
    listed = finlake(world.settings.home, "topics", "list", "--json").stdout.splitlines()
    assert {json.loads(line)["topic"] for line in listed} == {topic.name for topic in wanted}


def test_records_are_browsed_decoded_and_masked(world: World) -> None:
    home = world.settings.home
    world.insert("cards", {"id": 77, **CARD})
    record = world.arrives("cards", 77)
    topic = table_topic("finance", "cards")
    (line,) = run(home, "topics", "tail", topic, "-n", "1").splitlines()
    assert f" {topic}[0]@" in line
    assert '{"id":77} c ' in line
    assert '"card_last4":"0444"' in line
    assert '"expires":"***"' in line
    assert '"credit_limit":20000' in line
    shown = json.loads(run(home, "topics", "tail", topic, "-n", "1", "--role", "admin", "--json"))
    assert shown["value"]["after"] == record["after"]
    assert shown["headers"] == {"epoch": "1"}
    place = ("--partition", "0", "--offset", str(shown["offset"]), "--json")
    again = json.loads(run(home, "topics", "tail", topic, *place))
    assert (again["key"], again["offset"]) == ({"id": 77}, shown["offset"])
    beyond = finlake(home, "topics", "tail", topic, "--partition", "0", "--offset", "999999")
    assert (beyond.returncode, "has no offset 999999" in beyond.stderr) == (2, True)


def test_a_followed_topic_shows_what_comes(world: World) -> None:
    topic = table_topic("finance", "finlake_heartbeat")
    words = ("topics", "tail", topic, "-n", "1", "--follow", "--json")
    following = start(world.settings.home, *words, stdout=subprocess.PIPE, text=True)
    assert following.stdout
    offsets = [json.loads(following.stdout.readline())["offset"] for _ in range(3)]
    following.send_signal(signal.SIGINT)
    following.communicate()
    assert following.returncode == 130
    assert offsets == sorted(set(offsets))


def test_lag_is_what_a_reader_has_not_read(world: World) -> None:
    home, topic = world.settings.home, table_topic("finance", "users")
    server = {"bootstrap.servers": world.settings.kafka_bootstrap}
    consumer = Consumer({**server, "group.id": "mine", "enable.auto.commit": False})
    place = TopicPartition(topic, 0)
    low, high = consumer.get_watermark_offsets(place, timeout=20)
    assert high - low >= 1
    consumer.commit(offsets=[TopicPartition(topic, 0, high - 1)], asynchronous=False)
    consumer.close()
    lines = run(home, "topics", "lag", "--json").splitlines()
    found = {(one["reader"], one["topic"]): one for one in map(json.loads, lines)}
    assert (found["mine", topic]["position"], found["mine", topic]["lag"]) == (high - 1, 1)
    assert found["stream", topic]["position"] is None
    assert found["stream", topic]["lag"] == high - low
    assert not [reader for reader, _ in found if reader.startswith("connect")]
    refused = finlake(home, "topics", "lag", "--reader", "nobody")
    assert (refused.returncode, "mine" in refused.stderr) == (2, True)
    admin = AdminClient({**server})  # which has to live until the answer is there
    admin.delete_consumer_groups(["mine"])["mine"].result()


def test_a_topic_is_cleared_and_others_are_deleted_with_care(world: World) -> None:
    home, topic = world.settings.home, table_topic("finance", "cards")
    unread = finlake(home, "topics", "clear", topic, "--yes")
    assert (unread.returncode, "stream has not read" in unread.stderr) == (1, True)
    asked = finlake(home, "topics", "clear", topic, "--unread")
    assert (asked.returncode, "say --yes" in asked.stderr) == (2, True)
    before = world.records("cards")
    assert before
    assert "empty" in run(home, "topics", "clear", topic, "--yes", "--unread")
    assert world.records("cards") == []
    world.run("UPDATE cards SET card_brand = 'Amex' WHERE id = 77")
    world.arrives("cards", 77, "u")
    (line,) = run(home, "topics", "tail", topic, "--json").splitlines()
    assert json.loads(line)["offset"] >= len(before)  # offsets go on
    topics.create(world.settings, [topics.Topic("stray", "")])
    assert "stray" in run(home, "topics", "list", "--all")
    assert "is gone" in run(home, "topics", "delete", "stray", "--yes")
    wait_for(lambda: "stray" not in run(home, "topics", "list", "--all"), "the topic to go")
    missing = finlake(home, "topics", "delete", "stray", "--yes")
    assert (missing.returncode, "none of that name" in missing.stderr) == (2, True)


def test_a_paused_connector_goes_on_where_it_was(world: World) -> None:
    home = world.settings.home
    assert "PAUSED" in run(home, "connectors", "pause")
    assert finlake(home, "connectors", "status").returncode == 1
    read = connectors.reach(world.settings)
    world.run("UPDATE cards SET card_brand = 'Discover' WHERE id = 77")
    reach = json.loads(run(home, "connectors", "offsets", "--json"))
    assert reach["offset"] == read.offset
    assert reach["bytes_behind"] > 0
    assert "bytes are not read yet" in run(home, "connectors", "offsets")
    assert "runs" in run(home, "connectors", "resume")
    wait_for(lambda: world.records("cards")[-1]["after"]["card_brand"] == "Discover", "the change")
    assert "runs" in run(home, "connectors", "restart", "--task", "0")
    none = finlake(home, "connectors", "restart", "--task", "7")
    assert (none.returncode, "there is 0" in none.stderr) == (2, True)
    world.run("DELETE FROM cards WHERE id = 77")
    world.arrives("cards", 77, "d")


@pytest.mark.parametrize("channel", ["kafka", "table"])
def test_trap_4_a_table_is_read_again_beside_the_stream(
    world: World, channel: signals.Channel
) -> None:
    world.insert("mcc_codes", {"mcc": 1 if channel == "kafka" else 2, "description": "x"})
    rows = len({r["key"]["mcc"] for r in world.records("mcc_codes") if r["key"]}) or 1
    read = signals.snapshot(world.settings, "mcc_codes", channel=channel)
    assert read >= rows
    record = world.arrives("mcc_codes", 1, "r")
    assert record["source"]["snapshot"] == "incremental"
    world.insert("mcc_codes", {"mcc": 3 if channel == "kafka" else 4, "description": "x"})
    world.arrives("mcc_codes", 3 if channel == "kafka" else 4)


def test_a_removed_connector_goes_on_where_it_was(world: World) -> None:
    assert connectors.delete(world.settings)
    assert not connectors.delete(world.settings)
    with pytest.raises(FinlakeError, match="finlake connectors apply"):
        connectors.restart(world.settings)
    assert finlake(world.settings.home, "connectors", "status").returncode == 1
    world.insert("mcc_codes", {"mcc": 5, "description": "while away"})
    before = len(world.records("mcc_codes"))
    connectors.apply(world.settings)
    assert world.arrives("mcc_codes", 5)["epoch"] == "1"
    assert {r["op"] for r in world.records("mcc_codes")[before:]} == {"c"}


def test_trap_13_a_column_added_while_the_connector_was_down_is_in_the_next_event(
    world: World,
) -> None:
    world.rest.stop(NAME)
    world.insert("mcc_codes", {"mcc": 6, "description": "before"})
    world.run("ALTER TABLE mcc_codes ADD COLUMN colour VARCHAR(8) NOT NULL DEFAULT 'red' FIRST")
    world.insert("mcc_codes", {"mcc": 7, "description": "after"})
    connectors.restart(world.settings)
    after = world.arrives("mcc_codes", 7)["after"]
    assert after == {"mcc": 7, "description": "after", "colour": "red"}
    assert world.arrives("mcc_codes", 6)["after"] == {"mcc": 6, "description": "before"}
    world.run("ALTER TABLE mcc_codes DROP COLUMN colour")


def test_tables_of_others_cannot_stop_the_capture(world: World) -> None:
    odd = "VECTOR(2)" if world.settings.source_flavour == "mysql" else "INET6"
    world.run(f"CREATE TABLE odd (id INT PRIMARY KEY, a {odd})", "CREATE VIEW v AS SELECT 1 AS one")
    world.insert("mcc_codes", {"mcc": 8, "description": "x"})
    world.arrives("mcc_codes", 8)
    world.run("DROP TABLE odd", "DROP VIEW v")


def test_a_source_without_token_columns_is_refused(world: World) -> None:
    world.run("ALTER TABLE cards DROP COLUMN card_token, DROP COLUMN card_last4")
    try:
        done = finlake(world.settings.home, "connectors", "apply")
        assert done.returncode == 1
        assert "finance.cards: lacks card_token, card_last4" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    finally:
        world.run(
            "ALTER TABLE cards ADD COLUMN card_token CHAR(64) NULL,"
            " ADD COLUMN card_last4 CHAR(4) NULL"
        )
    connectors.apply(world.settings)


def test_wrong_credentials_are_one_line(world: World) -> None:
    done = finlake(world.settings.home, "connectors", "apply", FINLAKE_SOURCE_CDC_PASSWORD="wrong")
    assert done.returncode == 1
    assert "FINLAKE_SOURCE_CDC_PASSWORD" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_source_that_dies_comes_back_without_a_hand(world: World) -> None:
    pid = status_of(world.settings.home)["source"]["pid"]
    os.kill(pid, signal.SIGKILL)
    home = world.settings.home
    wait_for(lambda: runs_anew(home, "source", pid), "the source healthy again")
    world.insert("mcc_codes", {"mcc": 9, "description": "x"})
    world.arrives("mcc_codes", 9)


def test_trap_13_a_purged_binlog_is_told_before_the_connector_starts(world: World) -> None:
    world.rest.stop(NAME)
    url = f"{world.settings.connect_url}/connectors/{NAME}/offsets"
    entry = requests.get(url, timeout=20).json()["offsets"][0]
    kept = dict(entry["offset"])
    # as if the connector had stopped long ago
    entry["offset"] = {**kept, "file": "binlog.000000", "pos": 4}
    requests.patch(url, json={"offsets": [entry]}, timeout=20).raise_for_status()
    with pytest.raises(FinlakeError, match="no longer has the change log") as raised:
        connectors.apply(world.settings)
    assert "finlake connectors recover" in str(raised.value)
    entry["offset"] = kept
    requests.patch(url, json={"offsets": [entry]}, timeout=20).raise_for_status()
    connectors.apply(world.settings)
    assert connectors.status(world.settings).epoch == 1


def test_trap_13_a_lost_schema_history_ends_in_a_new_epoch_by_hand(world: World) -> None:
    world.rest.stop(NAME)
    admin = AdminClient({"bootstrap.servers": world.settings.kafka_bootstrap})
    admin.delete_topics([history_topic(1)])[history_topic(1)].result(timeout=20)
    with pytest.raises(FinlakeError, match="schema-history topic is missing"):
        connectors.apply(world.settings)
    told: list[str] = []
    connectors.recover(world.settings, told.append)
    assert any("epoch 2 begins" in line for line in told)
    record = world.arrives("users", 825, "r")
    wait_for(lambda: world.arrives("users", 825, "r")["epoch"] == "2", "the new epoch's rows")
    assert record["after"]["id"] == 825
    assert connectors.source_epoch(world.settings) == 2


def test_a_rebuilt_source_starts_a_new_epoch_by_itself(world: World) -> None:
    world.run("UPDATE finlake_identity SET uuid = UUID()")
    done = finlake(world.settings.home, "connectors", "apply")
    assert done.returncode == 0
    assert "epoch 3 begins, because the source is another one or was rebuilt" in done.stdout
    wait_for(lambda: world.arrives("users", 825, "r")["epoch"] == "3", "the new epoch's rows")
    shown = json.loads(finlake(world.settings.home, "connectors", "status", "--json").stdout)
    assert (shown["state"], shown["epoch"], shown["failure"]) == ("RUNNING", 3, None)
