"""The embedded stack for real: MariaDB, Kafka and Connect; kills, restarts, and what must stay."""

import json
import os
import signal
import socket
import stat

import pymysql
import pytest
import requests
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from pydantic import SecretStr

from finlake.errors import ComponentMissing, UsageProblem
from infra.database.notes import assignments, note, notes
from infra.database.schema import apply_schema, connect
from infra.database.verdicts import judge
from infra.settings import load_settings, secret
from infra.stack import control
from infra.stack.minio import check_minio, make_bucket
from infra.stack.mysql import check_mysql
from infra.stack.process import Identity, read_pid_file
from tests.support.stack import (
    finlake,
    launched,
    object_store,
    running_stack,
    runs_anew,
    status_of,
    wait_for,
)

pytestmark = pytest.mark.slow
NAMES = ["source", "kafka", "connect"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    # A blank in the path: every file that names another must quote it.
    with running_stack(tmp_path_factory.mktemp("stack") / "my home", connector=False) as found:
        yield found


def login(settings, user, name):
    port = int(settings.source_url.get_secret_value().rpartition(":")[2].partition("/")[0])
    return pymysql.connect(
        host="127.0.0.1",
        port=port,
        user=user,
        password=secret(settings.home, name),
        database="finance",
        autocommit=True,
    )


def count(settings):
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM mcc_codes")
        (found,) = cursor.fetchone() or ()
    return found


def insert(settings, mcc):
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO mcc_codes VALUES (%s, 'x')", (mcc,))
        connection.commit()


def test_all_components_are_healthy_and_answer(settings):
    said = finlake(settings.home, "status", "--json").stdout.splitlines()
    found = {row["component"]: row for row in map(json.loads, said)}
    assert list(found) == NAMES
    assert {row["state"] for row in found.values()} == {"healthy"}
    assert all(Identity.of(row["pid"]) for row in found.values())
    plugins = requests.get(f"{settings.connect_url}/connector-plugins", timeout=20).json()
    classes = {plugin["class"].rpartition(".")[2] for plugin in plugins}
    assert {"MySqlConnector", "MariaDbConnector", "PostgresConnector"} <= classes
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
    assert len(admin.list_topics(timeout=20).brokers) == 1
    assert count(settings) >= 0


def test_the_source_logs_what_a_capture_needs(settings):
    names = {
        "log_bin": "ON",
        "binlog_format": "ROW",
        "binlog_row_image": "FULL",
        "binlog_row_metadata": "FULL",
        "binlog_legacy_event_pos": "ON",
        "binlog_annotate_row_events": "OFF",
        "gtid_strict_mode": "ON",
        "event_scheduler": "ON",
        "time_zone": "+00:00",
        "character_set_server": "utf8mb4",
    }
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES")
        found = dict(cursor.fetchall())
    assert {name: found[name] for name in names} == names


def test_each_user_may_do_its_own_work_only(settings):
    with (
        login(settings, "finlake_read", "source_read_password") as reader,
        reader.cursor() as cursor,
    ):
        cursor.execute("SELECT count(*) FROM transactions")
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("DELETE FROM transactions")
    with (
        login(settings, "finlake_review", "source_review_password") as reviewer,
        reviewer.cursor() as cursor,
    ):
        for forbidden in (
            "SELECT count(*) FROM transactions",
            "UPDATE transactions SET amount = 0",
            "DELETE FROM fraud_labels",
        ):
            with pytest.raises(pymysql.err.OperationalError, match="denied"):
                cursor.execute(forbidden)
    with (
        login(settings, "finlake_cdc", "source_cdc_password") as capture,
        capture.cursor() as cursor,
    ):
        cursor.execute("SELECT count(*) FROM transactions")
        cursor.execute("INSERT INTO finlake_signal VALUES ('a', 'b', 'c')")
        cursor.execute("DELETE FROM finlake_signal")
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("DELETE FROM transactions")
    with (
        login(settings, "finlake_app", "source_app_password") as application,
        application.cursor() as cursor,
    ):
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("SELECT count(*) FROM mysql.global_priv")
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("SELECT 1 INTO OUTFILE '/tmp/never'")


def test_a_verdict_is_a_label_and_the_last_word_counts(settings):
    for fraud, label in ((True, "Yes"), (False, "No")):
        judge(settings, 4_711, fraud=fraud)
        with connect(settings) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT label FROM fraud_labels WHERE transaction_id = 4711")
            assert cursor.fetchall() == ((label,),)
    wrong = settings.source_review_url.get_secret_value().replace("_review:", "_review:not-")
    with pytest.raises(ComponentMissing, match="denied"):
        judge(settings.model_copy(update={"source_review_url": SecretStr(wrong)}), 1, fraud=True)


def test_notes_are_kept_in_their_order_and_cannot_be_changed(settings):
    assert notes(settings, 4_712) == []
    assert assignments(settings) == {}
    note(settings, 4_712, "Ada", assign="Bea")
    note(settings, 4_712, "Bea", comment="called; O'Neill denies it \N{PILE OF POO}")
    note(settings, 4_713, "Ada", comment="another one")
    found = [(one.author, one.assigned_to, one.comment) for one in notes(settings, 4_712)]
    assert found == [
        ("Ada", "Bea", None),
        ("Bea", None, "called; O'Neill denies it \N{PILE OF POO}"),
    ]
    assert assignments(settings) == {4_712: "Bea"}
    note(settings, 4_712, "Bea", assign="Cleo")
    assert assignments(settings) == {4_712: "Cleo"}
    with (
        login(settings, "finlake_review", "source_review_password") as reviewer,
        reviewer.cursor() as cursor,
    ):
        for forbidden in ("UPDATE finlake_notes SET author = 'x'", "DELETE FROM finlake_notes"):
            with pytest.raises(pymysql.err.OperationalError, match="denied"):
                cursor.execute(forbidden)
    with pytest.raises(UsageProblem, match="longer than"):
        note(settings, 4_712, "Ada", comment="x" * 1001)


def test_no_user_without_a_password_is_left(settings):
    port = int(settings.source_url.get_secret_value().rpartition(":")[2].partition("/")[0])
    for user in ("root", "", "nobody"):
        with pytest.raises(pymysql.err.OperationalError, match=r"denied|not allowed"):
            pymysql.connect(host="127.0.0.1", port=port, user=user)


def test_components_listen_on_loopback_only(settings):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: shows the address of the way out
        except OSError:
            pytest.skip("this machine has no other address than loopback")
        outside = probe.getsockname()[0]
    ports = [int(settings.kafka_bootstrap.rpartition(":")[2]), int(settings.connect_url[-5:])]
    ports.append(int(settings.source_url.get_secret_value().rpartition(":")[2].partition("/")[0]))
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex((outside, port)) != 0


def test_files_with_passwords_are_the_owners_alone_and_logs_hold_none(settings):
    home = settings.home
    secrets = [path for path in (home / "secrets").rglob("*") if path.is_file()]
    private = [home / "stack.env", home / "mariadb" / "init.sql", *secrets]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    words = [path.read_text().strip().encode() for path in secrets]
    for path in [*(home / "logs").iterdir(), *(home / "run").iterdir()]:
        text = path.read_bytes()
        assert not [word for word in words if word in text], path


def test_making_the_tables_again_changes_nothing(settings):
    insert(settings, 1)
    before = count(settings)
    apply_schema(settings)
    assert count(settings) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_component_comes_back_with_its_data(settings, name):
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
    topic = f"kept-by-{name}"
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})
    producer.produce(topic, b"still here")
    assert producer.flush(30) == 0
    rows = count(settings)
    pid = status_of(settings.home)[name]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: runs_anew(settings.home, name, pid), f"{name} healthy again")
    assert count(settings) == rows
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "look"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    record = wait_for(lambda: consumer.poll(1), "the record")
    assert record.value() == b"still here"
    consumer.close()


def test_up_again_says_so_and_starts_nothing_anew(settings):
    before = {name: row["pid"] for name, row in status_of(settings.home).items()}
    done = finlake(settings.home, "up", "--no-connector")
    assert done.returncode == 0, done.stderr
    assert {name: row["pid"] for name, row in status_of(settings.home).items()} == before


def test_another_lake_needs_a_stop_first(settings):
    done = finlake(settings.home, "up", FINLAKE_LAKE="file:/tmp/another")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "finlake down" in done.stderr


def test_down_and_up_keep_data_and_addresses(settings):
    insert(settings, 2)
    rows, before = count(settings), status_of(settings.home)
    assert finlake(settings.home, "down").returncode == 0
    assert [Identity.of(row["pid"]) for row in before.values()] == [None] * 3
    assert {row["state"] for row in status_of(settings.home).values()} == {"stopped"}
    assert finlake(settings.home, "status").returncode == 3
    done = finlake(settings.home, "up", "--no-connector")
    assert done.returncode == 0, done.stderr
    after = status_of(settings.home)
    assert {n: row["address"] for n, row in after.items()} == {
        n: row["address"] for n, row in before.items()
    }
    assert count(settings) == rows


def test_a_killed_supervisor_leaves_nothing_behind_and_up_goes_on(settings):
    rows, before = count(settings), status_of(settings.home)
    supervisor = read_pid_file(settings.home / "run" / "supervisor.pid")
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_for(lambda: not any(Identity.of(row["pid"]) for row in before.values()), "the end of all")
    done = finlake(settings.home, "up", "--no-connector")
    assert done.returncode == 0, done.stderr
    assert count(settings) == rows


def test_a_port_that_is_set_and_taken_is_told_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = finlake(tmp_path / "home", "up", FINLAKE_PORT_KAFKA=port)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"finlake up: setting FINLAKE_PORT_KAFKA: port {port} is taken by another program; set"
        " another one, or 0 for any free one"
    ]


@pytest.mark.mysql
def test_a_real_mysql_can_be_the_source(home, monkeypatch):
    try:
        check_mysql()
    except ComponentMissing as error:
        pytest.skip(f"NO REAL MYSQL WAS TESTED: {error}")
    try:
        settings = launched(home, monkeypatch, ["source"], FINLAKE_SOURCE_FLAVOUR="mysql")
        assert settings.source_flavour == "mysql"
        apply_schema(settings)
        with connect(settings) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@version, @@binlog_format, @@gtid_mode, @@log_bin")
            version, *log = cursor.fetchone() or ()
        assert int(version.split(".")[0]) >= 8
        assert log == ["ROW", "ON", 1]
        insert(settings, 1)
        control.down(settings)
        control.launch(settings)
        control.wait_until_healthy(settings, ["source"])
        assert count(settings) == 1
    finally:
        control.down(load_settings(home=home))


@pytest.mark.minio
def test_minio_keeps_the_lake(home, monkeypatch):
    try:
        check_minio()
    except ComponentMissing as error:
        pytest.skip(f"NO MINIO WAS TESTED: {error}")
    try:
        settings = launched(home, monkeypatch, ["minio"], FINLAKE_LAKE="s3a://warehouse")
        make_bucket(settings)
        make_bucket(settings)
        client = object_store(settings)
        assert client.bucket_exists("warehouse")
        assert requests.get(f"{settings.s3_endpoint}/warehouse", timeout=10).status_code == 403
    finally:
        control.down(load_settings(home=home))
