"""The whole chain on real components: source, Debezium, Kafka, Spark, Delta, for each combination.

One stack per combination serves all tests of this module; what they do to it is in their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest
import requests
import streamlit as st
from confluent_kafka import Consumer, Producer, TopicPartition

from infra.database.schema import connect
from infra.grafana.boards import BOARDS
from infra.lake.query import Query
from infra.settings import Settings
from lakehouse_schemas import contracts
from tests.support.stack import (
    finlake,
    run,
    running_stack,
    skip_without_mysql,
    skip_without_prometheus,
    status_of,
    wait_for,
)
from tests.unit.dashboard_pages import opened

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "kaggle_sample"
WORLDS: dict[str, dict[str, str]] = {
    "mariadb-folder": {},
    "mariadb-minio": {"FINLAKE_LAKE": "s3a://warehouse"},
    "mysql-folder": {"FINLAKE_SOURCE_FLAVOUR": "mysql"},
}
NUMBER, CVV = "4999888877776661", "Q7#z"  # canaries that no other value looks like


@dataclass(frozen=True)
class World:
    """A running stack with the settings that made it."""

    settings: Settings
    env: dict[str, str]

    def run(self, *words: str) -> str:
        """Run a finlake command that has to succeed; gives what it printed."""
        return run(self.settings.home, *words, **self.env)


@pytest.fixture(scope="module", params=WORLDS, ids=list(WORLDS))
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    env = WORLDS[request.param]
    home = tmp_path_factory.mktemp(request.param) / "my home"
    if request.param == "mysql-folder":
        skip_without_mysql(home)
    with running_stack(home, extras=("stream",), connector=True, **env) as settings:
        yield World(settings, env)


def verified(world: World) -> dict[str, object]:
    """The last line of ``finlake verify``, which has to say equal."""
    lines = world.run("verify", "--json", "--wait", "180").splitlines()
    last: dict[str, object] = json.loads(lines[-1])
    assert last["equal"] is True, lines
    return last


def test_loaded_and_live_data_reach_gold_and_agree(world: World) -> None:
    if SAMPLE.is_dir():
        world.run("load", str(SAMPLE))
    else:
        world.run("generate", "--transactions", "3000", "--seed", "7")
    world.run("traffic", "--rate", "400", "--seconds", "5", "--seed", "11")
    last = verified(world)
    assert int(str(last["bronze_events"])) > 3000, last
    assert list((world.settings.home / "checkpoints" / "stream" / "commits").iterdir())
    rows = Query(world.settings).query(
        "SELECT count(*) AS rows, sum(amount) AS amount FROM gold.fact_transactions"
    )
    lag = [json.loads(line) for line in world.run("topics", "lag", "--json").splitlines()]
    behind = {
        (one["reader"], one["topic"]): one["lag"]
        for one in lag
        if one["topic"].endswith((".transactions", ".cards"))
    }
    assert set(behind) >= {
        ("stream", "cdc.finance.transactions"),
        ("stream", "cdc.finance.cards"),
        ("finlake-alerts", "cdc.finance.transactions"),
    }
    assert behind["stream", "cdc.finance.transactions"] == 0, lag
    with connect(world.settings) as source, source.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(amount) FROM transactions")
        assert tuple(rows.to_pylist()[0].values()) == cursor.fetchone()


def _live() -> None:
    from dashboard.views import live

    live.show()


@pytest.mark.parametrize("world", ["mariadb-folder"], indirect=True)
def test_a_change_in_the_source_is_on_the_live_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is drawn again and again, as it draws itself every two seconds in a browser."""
    monkeypatch.setenv("FINLAKE_HOME", str(world.settings.home))
    st.cache_resource.clear()
    app = opened(_live, window="All")

    def figures() -> dict[str, str]:
        assert not app.run().exception
        return {metric.label: metric.value for metric in app.metric}

    before = int(figures()["Transactions"].replace(",", ""))
    names = [c for c in contracts.get("source.transactions").column_names if c != "id"]
    with connect(world.settings) as source, source.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO transactions (id, {', '.join(names)})"
            f" SELECT id + 1, {', '.join(names)} FROM transactions ORDER BY id DESC LIMIT 1"
        )
        source.commit()
    wait_for(
        lambda: figures()["Transactions"] == f"{before + 1:,}", "the payment is on the Live page"
    )
    with connect(world.settings) as source, source.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM transactions")
        ((last,),) = cursor.fetchall()
        cursor.execute("DELETE FROM transactions WHERE id = %s", (last,))
        source.commit()
    wait_for(lambda: figures()["Transactions"] == f"{before:,}", "the Live page forgets it again")


# Of processes that this stack does not have: the champion's health, and the containers' JMX agent.
ELSEWHERE = re.compile(r"finlake_model_|debezium_|kafka_connect_")


@pytest.mark.parametrize("world", ["mariadb-folder"], indirect=True)
def test_prometheus_gets_every_figure_that_a_rule_or_a_board_asks_for(world: World) -> None:
    skip_without_prometheus()
    world.run("up", "--with", "prometheus,score,verify,dashboard")
    api = f"{status_of(world.settings.home)['prometheus']['address']}/api/v1"

    def asked(path: str, **params: str) -> Any:
        answer = requests.get(f"{api}/{path}", params=params, timeout=60).json()
        assert answer["status"] == "success", (path, params, answer)
        return answer["data"]

    def silent() -> set[str]:
        found = asked("targets")["activeTargets"]
        jobs = {one["labels"]["job"] for one in found if one["health"] == "up"}
        return {"stream", "alerts", "score", "verify", "dashboard", "observe", "prometheus"} - jobs

    wait_for(lambda: not silent(), "every process to answer Prometheus", 600)
    boards = [
        question
        for board in BOARDS.values()
        for _, panels in board.rows
        for _, panel in panels
        for question in panel.asked.values()
    ]
    rules = [rule for group in asked("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 20
    names = set(re.findall(r"\bfinlake_\w+|\bup\b", re.sub(r'"[^"]*"', "", " ".join(boards))))
    names |= {
        name
        for rule in rules
        for name in re.findall(r"\bfinlake_\w+", re.sub(r'"[^"]*"', "", rule["query"]))
    }
    wanted = {name for name in names if not ELSEWHERE.match(name)}

    def missing() -> set[str]:
        return wanted - set(asked("label/__name__/values"))

    wait_for(lambda: not missing(), f"the figures {missing()}", 600)

    def empty() -> list[str]:
        return [
            question
            for question in boards
            if not ELSEWHERE.search(question)
            and not question.startswith("ALERTS")
            and not asked("query", query=_chosen(question))["result"]
        ]

    wait_for(lambda: not empty(), f"an answer to {empty()}", 600)

    def unwell() -> list[str]:
        found = [rule for group in asked("rules")["groups"] for rule in group["rules"]]
        return [rule["name"] for rule in found if rule["health"] != "ok"]

    wait_for(lambda: not unwell(), "every rule to be judged", 600)
    observed = world.run("observe", "--once")
    assert "RUNNING" in observed
    assert "cdc.finance.transactions" in observed
    for name in ("kafka", "stream", "prometheus", "verify"):
        assert re.search(rf"(^|\s){name} +healthy", observed), name  # beside another table or not


def _chosen(question: str) -> str:
    """A panel's question with Grafana's variables filled in."""
    return question.replace("$table", ".*").replace("$__range", "15m")


def test_an_order_of_changes_to_one_key_ends_as_in_the_source(world: World) -> None:
    """Insert, update, delete and insert again, in one transaction and over several."""
    row = "(999999999, UTC_TIMESTAMP(6), 1, 1, {amount}, 'Swipe Transaction', 1, 5411)"
    columns = "(id, date, client_id, card_id, amount, use_chip, merchant_id, mcc)"
    with connect(world.settings) as source, source.cursor() as cursor:
        source.begin()
        cursor.execute(f"INSERT INTO transactions {columns} VALUES {row.format(amount='1.00')}")
        cursor.execute("UPDATE transactions SET amount = 2.00 WHERE id = 999999999")
        cursor.execute("DELETE FROM transactions WHERE id = 999999999")
        cursor.execute(f"INSERT INTO transactions {columns} VALUES {row.format(amount='3.33')}")
        source.commit()
        cursor.execute("UPDATE transactions SET id = 999999998 WHERE id = 999999999")
        source.commit()
    verified(world)
    found = Query(world.settings).query(
        "SELECT transaction_id, amount FROM gold.fact_transactions "
        "WHERE transaction_id >= 999999998"
    )
    assert [(r["transaction_id"], str(r["amount"])) for r in found.to_pylist()] == [
        (999999998, "3.33")
    ]


def test_a_repeated_snapshot_changes_nothing(world: World) -> None:
    query = Query(world.settings)
    read = "SELECT count(*) AS n FROM bronze.changes WHERE source_table = 'users' AND op = 'r'"
    before = query.query(read).to_pylist()[0]["n"]
    world.run("connectors", "snapshot", "users")
    wait_for(lambda: query.query(read).to_pylist()[0]["n"] > before, "the users are read again")
    verified(world)


def test_no_card_number_and_no_cvv_leaves_the_source(world: World) -> None:
    with connect(world.settings) as source, source.cursor() as cursor:
        cursor.execute(
            "UPDATE cards SET card_number = %s, cvv = %s, card_last4 = %s ORDER BY id LIMIT 1",
            (NUMBER, CVV, NUMBER[-4:]),
        )
        assert cursor.rowcount == 1
        source.commit()
    verified(world)
    places = [*_topics(world.settings), *_tables(world.settings), *_files(world.settings)]
    assert any(NUMBER[-4:].encode() in text for _, text in places), "the canary did not pass at all"
    for place, text in places:
        assert NUMBER.encode() not in text, f"a card number is in {place}"
        assert CVV.encode() not in text, f"a CVV is in {place}"


@pytest.mark.parametrize("world", ["mariadb-folder"], indirect=True)
def test_a_replay_reaches_the_stream_and_what_does_not_fit_stays(world: World) -> None:
    topic = "cdc.finance.mcc_codes"
    producer = Producer({"bootstrap.servers": world.settings.kafka_bootstrap})
    producer.produce(topic, key=b"{}", value=b"poison")
    assert producer.flush(20) == 0
    verified(world)
    (letter,) = map(json.loads, world.run("dead-letters", "list", "--json").splitlines())
    assert (letter["topic"], letter["reason"]) == (topic, "not_json")
    place = f"{topic}[{letter['partition']}]@{letter['offset']}"
    done = finlake(world.settings.home, "dead-letters", "replay", place, "--yes", **world.env)
    assert done.returncode == 1, done.stderr
    assert f"{place}: 0 of 1 dead letters are applied" in done.stdout
    assert f"{place}: 1 still do not fit" in done.stderr
    verified(world)


def test_an_added_column_flows_on_and_a_dropped_one_stops_its_table_alone(world: World) -> None:
    """Last of the module: it leaves mcc_codes stopped."""
    with connect(world.settings) as source, source.cursor() as cursor:
        cursor.execute("ALTER TABLE users ADD COLUMN nickname VARCHAR(20) NULL")
        cursor.execute("UPDATE users SET nickname = 'Ada' ORDER BY id LIMIT 1")
        source.commit()
    verified(world)
    query = Query(world.settings)
    extra = query.query("SELECT _extra FROM silver.users WHERE _extra IS NOT NULL").to_pylist()
    assert [json.loads(row["_extra"]) for row in extra] == [{"nickname": "Ada"}]
    with connect(world.settings) as source, source.cursor() as cursor:
        cursor.execute("ALTER TABLE mcc_codes RENAME COLUMN description TO name")
        cursor.execute("UPDATE mcc_codes SET name = 'renamed' ORDER BY mcc LIMIT 1")
        cursor.execute("UPDATE users SET nickname = 'Bea' ORDER BY id LIMIT 1")
        source.commit()
    state = (
        "SELECT arg_max(state, since) AS state, arg_max(reason, since) AS reason "
        "FROM gold.pipeline_status WHERE table_name = 'mcc_codes'"
    )
    wait_for(lambda: query.query(state).to_pylist()[0]["state"] == "stopped", "mcc_codes stops")
    assert "description" in query.query(state).to_pylist()[0]["reason"]
    bea = "SELECT count(*) AS n FROM silver.users WHERE _extra LIKE '%Bea%'"
    wait_for(lambda: query.query(bea).to_pylist()[0]["n"] == 1, "users flow on")
    held = "SELECT count(*) AS n FROM bronze.dead_letters WHERE source_table = 'mcc_codes'"
    wait_for(lambda: query.query(held).to_pylist()[0]["n"] > 0, "the change is kept")


def _topics(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Every record of every topic, Connect's own among them."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "canary"})
    parts = [
        TopicPartition(name, part, 0)
        for name, topic in consumer.list_topics(timeout=10).topics.items()
        for part in topic.partitions
    ]
    ends = {}
    for part in parts:
        low, high = consumer.get_watermark_offsets(part, timeout=10)
        part.offset = low
        if high > low:
            ends[part.topic, part.partition] = high
    consumer.assign(parts)
    while ends:
        record = consumer.poll(10)
        assert record is not None, f"cannot read {sorted(ends)}"
        assert record.error() is None, record.error()
        topic, offset = str(record.topic()), int(record.offset() or 0)
        place = topic, int(record.partition() or 0)
        yield f"topic {place}", bytes(record.key() or b"") + bytes(record.value() or b"")
        # Control records take offsets too, so the last readable one may lie before the end.
        if place in ends and (offset + 1 >= ends[place] or topic.startswith("__")):
            del ends[place]
    consumer.close()


def _tables(settings: Settings) -> Iterator[tuple[str, bytes]]:
    query = Query(settings)
    for contract in contracts.lake_tables():
        for row in query.query(f"SELECT * FROM {contract.full_name}").to_pylist():
            yield contract.full_name, str(row).encode()


def _files(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Logs, checkpoints and whatever else is in the home but the source's own files."""
    source = ("mariadb", "mysql")
    for path in settings.home.rglob("*"):
        if path.is_file() and path.relative_to(settings.home).parts[0] not in source:
            yield str(path), path.read_bytes()


def test_the_source_user_of_the_connector_cannot_write_the_tables(world: World) -> None:
    settings = world.settings
    assert settings.source_cdc_password is not None
    with connect(settings) as source:
        host, port = source.host, source.port
    with (
        pymysql.connect(
            host=str(host),
            port=port,
            user=settings.source_cdc_user,
            password=settings.source_cdc_password.get_secret_value(),
            database="finance",
        ) as link,
        link.cursor() as cursor,
        pytest.raises(pymysql.err.OperationalError, match="denied"),
    ):
        cursor.execute("DELETE FROM transactions")
