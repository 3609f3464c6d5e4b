"""A lake in a folder, from which one component after the other is taken while traffic runs.

One stack serves all tests of this module, in their order; each ends with the whole proof.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from connectors.config import table_topic
from connectors.topics import ALERTS_TOPIC
from infra.database.users import DATABASE
from tests.chaos.disturbances import Disk, down, kill, own_disk, paused, purge_binlog, skip_without
from tests.chaos.harness import LONG, SEED, TIMES, World
from tests.chaos.poison import harmless, poisonous
from tests.chaos.records import Record, Shuffle, Topics, table_topics
from tests.support.stack import finlake, running_stack, wait_for


class Place(NamedTuple):
    world: World
    disk: Disk | None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("folder")
    with own_disk(folder) as disk:
        env = {}
        if disk is not None:
            env["FINLAKE_LAKE"] = f"file:{disk.path}/lake"
            env["FINLAKE_STREAM_CHECKPOINT"] = f"{disk.path}/checkpoint"
        with running_stack(folder / "home", extras=("stream",), connector=True, **env) as settings:
            world = World(settings, "folder", env)
            world.run("generate", "--transactions", "1000", "--seed", "3")
            world.run("traffic", "--rate", "100", "--seconds", "4", "--seed", "3")
            yield Place(world, disk)


def test_components_are_killed_and_the_broker_hangs(place: Place) -> None:
    world = place.world

    def pause() -> None:
        with paused(world, "kafka"):
            time.sleep(world.random.uniform(5, 15))

    names = ("stream", "alerts", "connect", "kafka", "source")
    acts: dict[str, Callable[[], float | None]] = {
        f"kill -9 {name}": partial(kill, world, name) for name in names
    }
    acts["kafka paused"] = pause
    order = [*acts] * TIMES
    world.random.shuffle(order)
    newest = world.value("SELECT max(id) FROM transactions")
    with world.traffic():
        for what in order:
            world.disturb(what, acts[what])
    world.prove()
    alerts = world.query(f"SELECT alert_id FROM gold.fraud_alerts WHERE transaction_id > {newest}")
    raised = {row["alert_id"].encode() for row in alerts}
    assert raised
    wait_for(lambda: raised <= _told(world), "every alert is on the topic")
    world.note("alerts", raised=len(raised), told=len(_told(world)))


def _told(world: World) -> set[bytes | None]:
    return {record.key for record in Topics(world.settings).read(ALERTS_TOPIC)}


def test_a_full_disk(place: Place) -> None:
    world, disk = place.world, skip_without(place.disk)

    def fill() -> None:
        pid = world.component("stream")["pid"]
        disk.fill()
        try:
            wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the stream ends")
        finally:
            disk.free()

    with world.traffic():
        for _ in range(TIMES):
            world.disturb("disk full", fill)
    world.prove()
    log = (world.settings.home / "logs" / "stream.log").read_text(errors="replace")
    assert "No space left on device" in log


def test_duplicates_and_replays(place: Place) -> None:
    """1 % of all records come again, and a whole topic twice, while its table goes on changing."""
    world, topics = place.world, Topics(place.world.settings)

    def repeat() -> None:
        again = [r for name in table_topics() for r in topics.read(name)]
        again = [record for record in again if world.random.random() < 0.01]
        world.random.shuffle(again)
        world.note("duplicates", records=topics.write(again))

    def replay(topic: str) -> None:
        whole = topics.read(topic)
        for _ in range(2):
            world.note(f"replay of {topic}", records=topics.write(whole))

    names = table_topics() if LONG else [table_topic(DATABASE, "transactions")]
    with world.traffic():
        world.disturb("duplicates", repeat)
        for name in names:
            world.disturb(f"replay of {name}", partial(replay, name))
    world.prove()


def test_poison_is_set_aside_and_stops_nothing(place: Place) -> None:
    world, topics = place.world, Topics(place.world.settings)
    topic = table_topic(DATABASE, "transactions")
    wait_for(lambda: _inserts(topics, topic), "a change to forge")
    good = _inserts(topics, topic)[0]
    stranger = topics.read(table_topic(DATABASE, "cards"))[0]
    bad = dict(poisonous(good, stranger))
    others = [Record(name, -1, b"k", b"poison") for name in table_topics() if name != topic]
    nowhere = [Record("cdc", -1, None, value) for value in (b"poison", b"[]", b'{"ddl": 5}', None)]
    heartbeat = Record(table_topic(DATABASE, "finlake_heartbeat"), -1, None, b"poison")
    tombstone = Record(topic, -1, None, None)
    before = _dead(world)

    def poison() -> None:
        forged = [*bad.values(), *others, *nowhere, heartbeat, tombstone]
        forged += [record for _, record in harmless(good)]
        world.random.shuffle(forged)
        world.note("poison", records=topics.write(forged))

    with world.traffic():
        for _ in range(TIMES):
            world.disturb("poison", poison)
    world.prove()
    dead = _dead(world) - before
    expected = TIMES * (len(bad) + len(others))
    reasons = world.query(
        "SELECT reason, count(*) AS n FROM bronze.dead_letters GROUP BY ALL ORDER BY ALL"
    )
    assert dead == expected, f"{dead} of {expected} are set aside: {reasons}"
    stopped = world.query("SELECT * FROM gold.pipeline_status WHERE state = 'stopped'")
    assert not stopped, stopped


def _inserts(topics: Topics, topic: str) -> list[Record]:
    return [r for r in topics.read(topic) if r.value and b'"op":"c"' in r.value]


def test_the_broker_refuses_what_is_too_large(place: Place) -> None:
    huge = Record(table_topic(DATABASE, "transactions"), -1, None, b"x" * 50_000_000)
    with pytest.raises(AssertionError, match="too large"):
        Topics(place.world.settings).write([huge])


def _dead(world: World) -> int:
    return int(world.query("SELECT count(*) AS n FROM bronze.dead_letters")[0]["n"])


@pytest.mark.long
def test_shuffled_records_and_late_updates(place: Place) -> None:
    world = place.world
    shuffle = Shuffle(world.settings, Random(f"{SEED} shuffle"))
    with shuffle.running(), world.traffic(mix="50/30/20"):
        world.disturb("shuffle", lambda: time.sleep(60 * TIMES))
    world.note("shuffled", **shuffle.seen)
    assert min(shuffle.seen[what] for what in ("older", "late", "twice")) > 0, shuffle.seen
    world.prove()


@pytest.mark.long
def test_the_proof_fails_over_a_cent(place: Place) -> None:
    """What is wrong in the source already is equal in gold; only the transfers tell."""
    world = place.world
    transfer = "WHERE merchant_id = 999999 ORDER BY id LIMIT 1"
    world.source(f"UPDATE transactions SET amount = amount + 0.01 {transfer}")
    with pytest.raises(AssertionError, match=r"transfers add up to 0\.01"):
        world.prove()
    world.source(f"UPDATE transactions SET amount = amount - 0.01 {transfer}")
    world.prove()


@pytest.mark.long
def test_a_transaction_of_100_000_rows(place: Place) -> None:
    """Each row inserted, changed, and every tenth deleted, in one transaction of the source."""
    world = place.world
    insert = """
        INSERT INTO transactions (id, date, client_id, card_id, amount, use_chip, merchant_id, mcc)
        SELECT -number, '2020-01-01' + INTERVAL number MINUTE, client_id, card, 12.34,
            'Chip Transaction', 77, 5411
        FROM (SELECT row_number() OVER () AS number, c.id AS card, c.client_id
            FROM cards c, mcc_codes a, mcc_codes b LIMIT 100000) AS many"""
    mine = "id BETWEEN -100000 AND -1"
    statements = [
        insert,
        f"UPDATE transactions SET amount = amount + 0.01 WHERE {mine}",
        f"DELETE FROM transactions WHERE {mine} AND id % 10 = 0",
    ]

    with world.traffic():
        world.disturb("100,000 rows at once", partial(world.source, *statements))
    world.prove()
    found = world.query(
        "SELECT count(*) AS n, sum(amount) AS amount FROM gold.fact_transactions "
        "WHERE transaction_id BETWEEN -100000 AND -1"
    )
    assert [(row["n"], str(row["amount"])) for row in found] == [(90_000, "1111500.00")]


@pytest.mark.long
def test_a_table_altered_while_connect_is_down(place: Place) -> None:
    world = place.world

    def alter() -> None:
        with down(world, "connect"):
            world.source("UPDATE users SET credit_score = 700 ORDER BY id LIMIT 3")
            world.source("ALTER TABLE users ADD COLUMN nickname VARCHAR(20) NULL")
            world.source("UPDATE users SET nickname = 'Ada' ORDER BY id LIMIT 3")
            world.source("ALTER TABLE users DROP COLUMN nickname, ADD COLUMN motto VARCHAR(20)")
            world.source("UPDATE users SET motto = 'Onward' ORDER BY id LIMIT 2")

    with world.traffic():
        world.disturb("users altered while connect is down", alter)
    world.prove()
    (mottos,) = world.query("SELECT count(*) AS n FROM silver.users WHERE _extra LIKE '%Onward%'")
    # of the rows that traffic has changed since, only bronze still has the dropped column
    (names,) = world.query("SELECT count(*) AS n FROM bronze.changes WHERE value LIKE '%Ada%'")
    assert (mottos["n"], names["n"]) == (2, 3)


@pytest.mark.long
def test_a_binlog_purged_while_connect_is_down(place: Place) -> None:
    """The last of the module: clear words, and the documented way out leaves no gap."""
    world = place.world
    row = "SELECT min(id) FROM transactions WHERE id > 0 AND merchant_id <> 999999"
    key = world.value(row)

    def lose() -> None:
        with down(world, "connect"):
            world.wait_random()
            world.source(f"CREATE TABLE gone AS SELECT * FROM transactions WHERE id = {key}")
            world.source(f"DELETE FROM transactions WHERE id = {key}")
            purge_binlog(world.settings)
        wait_for(lambda: _log_is_gone(world), "the connector says what is wrong")
        said = world.run("connectors", "status", code=1)
        assert "no longer has the change log" in said, said
        assert "finlake connectors recover" in said, said
        world.run("connectors", "recover")

    with world.traffic(mix="70/30/0"):
        world.disturb("binlog purged while connect is down", lose)
    lines = world.run("verify", "--json", "--wait", "60", code=1).splitlines()
    tables = {line["table"]: line for line in map(json.loads, lines) if "table" in line}
    wrong = {name: table for name, table in tables.items() if table["different"]}
    assert wrong.keys() == {"transactions"}, wrong
    assert wrong["transactions"]["first_keys"] == [key], "the row that only the lake still has"
    world.source(
        "INSERT INTO transactions SELECT * FROM gone",
        f"DELETE FROM transactions WHERE id = {key}",
    )
    world.prove()


def _log_is_gone(world: World) -> bool:
    done = finlake(world.settings.home, "connectors", "status", "--json")
    if done.returncode != 1 or not done.stdout:  # 3: Connect does not answer yet
        return False
    failure = json.loads(done.stdout)["failure"]
    return failure is not None and failure["kind"] == "server-log-gone"
