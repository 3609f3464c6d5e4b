"""The running stack as an onlooker sees it: who hears it, who is let in, and where secrets show."""

from __future__ import annotations

import json
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pymysql
import pytest
import requests
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.config import connector_name
from infra.database.schema import connect
from infra.security import kafka_options
from infra.settings import Settings, load_settings
from infra.stack.certificates import authority
from tests.security.looking import (
    Seen,
    arguments_and_environments,
    listeners,
    open_to_others,
    secrets_of,
    shown_by,
    stack_processes,
)
from tests.support.stack import run, running_stack

WORLDS = {
    "plain": {},
    "tls": {"FINLAKE_STACK_TLS": "true", "FINLAKE_LAKE": "s3a://warehouse"},
}
# each holds what its component must be told, and is the owner's alone
KEEPERS = {"stack.env", "kafka/server.properties", "mariadb/init.sql", "minio/root_user.env"}


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The core with TLS everywhere and an object store."""
    home = tmp_path_factory.mktemp("tls") / "home"
    with running_stack(home, connector=True, **WORLDS["tls"]) as settings:
        yield settings


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The core as it is by default."""
    home = tmp_path_factory.mktemp("plain") / "home"
    with running_stack(home, connector=True) as settings:
        yield settings


# ── with TLS ─────────────────────────────────────────────────────────────────────────────────────


def test_with_tls_everywhere_rows_reach_gold_and_agree(tls: Settings) -> None:
    assert tls.kafka_security_protocol == "SASL_SSL"
    assert (tls.s3_endpoint or "").startswith("https:")
    run(tls.home, "generate", "--transactions", "500", "--seed", "7")
    run(tls.home, "stream", "--once")
    last = json.loads(run(tls.home, "verify", "--json").splitlines()[-1])
    assert last["equal"] is True, last
    assert last["bronze_events"] > 500, last


def test_an_order_to_the_connector_passes_through_kafka_with_tls(tls: Settings) -> None:
    """The signal's and the notification's clients are Debezium's own."""
    run(tls.home, "connectors", "snapshot", "mcc_codes")


@pytest.mark.parametrize(
    ("changed", "let_in"),
    [
        ({}, True),
        ({"kafka_sasl_mechanism": "PLAIN"}, True),
        ({"kafka_password": "wrong"}, False),
        ({"kafka_sasl_mechanism": "PLAIN", "kafka_password": "wrong"}, False),
        ({"kafka_security_protocol": "SSL"}, False),
        ({"kafka_security_protocol": "SASL_PLAINTEXT"}, False),
        ({"kafka_security_protocol": "PLAINTEXT"}, False),
        ({"kafka_ca": ""}, False),
    ],
)
def test_kafka_lets_in_only_who_speaks_tls_and_knows_the_password(
    tls: Settings, changed: dict[str, str], let_in: bool
) -> None:
    settings = load_settings(home=tls.home, **changed)
    client = AdminClient({**kafka_options(settings), "log_level": 0})
    if let_in:
        assert "finlake.connect-configs" in client.list_topics(timeout=20).topics
    else:
        with pytest.raises(KafkaException):
            client.list_topics(timeout=2)


def test_the_brokers_controller_lets_in_only_who_has_its_certificate(tls: Settings) -> None:
    port = json.loads((tls.home / "ports.json").read_text())["kafka_controller"]
    context = ssl.create_default_context(cafile=authority(tls.home))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        secure = context.wrap_socket(link, server_hostname="127.0.0.1")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            secure.recv(1)


@pytest.mark.parametrize(
    "user", ["finlake_app", "finlake_cdc", "finlake_read", "finlake_review", "root"]
)
def test_the_source_refuses_plain_text_before_it_hears_a_password(tls: Settings, user: str) -> None:
    with connect(tls) as link, link.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        row = cursor.fetchone()
        assert row is not None
        assert row[1], "the application's own connection has no cipher"
        port = link.port
    with pytest.raises(pymysql.err.OperationalError, match="secure transport"):
        pymysql.connect(host="127.0.0.1", port=port, user=user, password="any", ssl_disabled=True)


def test_the_sources_users_are_bound_to_tls_themselves(tls: Settings) -> None:
    with connect(tls) as link, link.cursor() as cursor:
        cursor.execute("SHOW CREATE USER CURRENT_USER()")
        row = cursor.fetchone()
        assert row is not None
        assert "REQUIRE SSL" in row[0]


def test_the_object_store_speaks_no_plain_text_and_shows_a_certificate_of_ours(
    tls: Settings,
) -> None:
    address = str(tls.s3_endpoint)
    health = "/minio/health/live"
    assert requests.get(address + health, verify=str(tls.s3_ca), timeout=10).status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(address + health, timeout=10)
    plain = requests.get(address.replace("https:", "http:") + health, timeout=10)
    assert plain.status_code == 400
    assert "HTTPS" in plain.text


# ── what others see ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module", params=["tls", "plain"])
def seen(request: pytest.FixtureRequest) -> Settings:
    """Each stack at work; the one with TLS has the stream and the dashboard too by now."""
    settings: Settings = request.getfixturevalue(request.param)
    if request.param == "tls":
        # any free ones: Spark would take the next and say so in its log alone
        names = [name for name in Settings.model_fields if name.startswith("port_")]
        ports = {f"FINLAKE_{name.upper()}": "0" for name in names}
        run(settings.home, "up", "--with", "stream,dashboard", **ports)
    else:
        run(settings.home, "generate", "--transactions", "100", "--seed", "7")
    return settings


def test_every_port_is_on_loopback(seen: Settings) -> None:
    processes = stack_processes(seen.home)
    chosen = json.loads((seen.home / "ports.json").read_text())
    heard = {port for port, _ in listeners(processes)}
    assert set(chosen.values()) <= heard, "some port was not looked at"
    assert open_to_others(processes) == set()


def test_no_secret_is_an_argument_or_in_the_environment(seen: Settings) -> None:
    secrets = secrets_of(seen.home)
    assert len(secrets) >= 5
    assert shown_by(arguments_and_environments(stack_processes(seen.home)), secrets) == []


def test_no_page_shows_a_secret(seen: Settings) -> None:
    assert shown_by(_pages(seen), secrets_of(seen.home)) == []


def test_no_file_holds_a_secret_but_those_that_are_the_owners_alone(seen: Settings) -> None:
    holders = {
        place.split(" shows ")[0] for place in shown_by(_files(seen.home), secrets_of(seen.home))
    }
    assert "stack.env" in holders, "not even where they are known to be"
    assert {name for name in holders if not name.startswith("secrets/")} <= KEEPERS
    modes = {stat.S_IMODE((seen.home / name).stat().st_mode) for name in holders}
    assert modes == {0o600}


def test_connects_own_topics_hold_no_secret(seen: Settings) -> None:
    records = list(_connect_records(seen))
    assert any(b"database.password" in text for _, text in records), "no configuration was read"
    assert shown_by(records, secrets_of(seen.home)) == []


def _pages(settings: Settings) -> Seen:
    """What answers without a password: Connect, Spark's pages, metrics, the dashboard."""
    rest, name = settings.connect_url, connector_name(settings.source_flavour)
    config = requests.get(f"{rest}/connectors/{name}/config", timeout=20).json()
    assert config["database.password"].startswith("${")
    for path in (
        "/connectors?expand=info&expand=status",
        f"/connectors/{name}",
        f"/connectors/{name}/config",
        f"/connectors/{name}/status",
        f"/connectors/{name}/tasks",
        f"/connectors/{name}/tasks/0/status",
        f"/connectors/{name}/offsets",
        "/connector-plugins",
        f"/connector-plugins/{config['connector.class']}/config",
        "/admin/loggers",
    ):
        yield _page(rest + path)
    # a validation sees the values behind the references
    validate = f"{rest}/connector-plugins/{config['connector.class']}/config/validate"
    for change in ({}, {"database.port": "1"}, {"snapshot.mode": "no such"}):
        answer = requests.put(validate, json={**config, **change}, timeout=60)
        assert answer.status_code == 200, answer.text
        yield f"{validate} {change}", answer.content
    # a configuration that is refused is told back
    wrong = {**config, "name": "refused", "topic.prefix": "other", "database.port": "1"}
    answer = requests.put(f"{rest}/connectors/refused/config", json=wrong, timeout=60)
    assert answer.status_code == 400, answer.text
    yield "the answer to a wrong configuration", answer.content
    ports = json.loads((settings.home / "ports.json").read_text())
    if "spark_ui" in ports:
        spark = f"http://127.0.0.1:{ports['spark_ui']}"
        (running,) = requests.get(f"{spark}/api/v1/applications", timeout=60).json()
        for path in (
            "/environment/",
            f"/api/v1/applications/{running['id']}/environment",
            f"/api/v1/applications/{running['id']}/sql?details=true",
            "/SQL/",
            "/StreamingQuery/",
        ):
            yield _page(spark + path)
        yield _page(f"http://127.0.0.1:{ports['metrics']}/metrics")
        yield _page(f"http://127.0.0.1:{ports['dashboard']}/")


def _page(address: str) -> tuple[str, bytes]:
    answer = requests.get(address, timeout=60)
    assert answer.status_code == 200, f"{address}: {answer.status_code}"
    return address, answer.content


def _files(home: Path) -> Seen:
    """Every file of a home, logs and topics among them, but the source's own tables."""
    for path in home.rglob("*"):
        name = str(path.relative_to(home))
        if path.is_file() and not name.startswith("mariadb/data/"):
            try:
                yield name, path.read_bytes()
            except FileNotFoundError:  # a file of a stream at work
                continue


def _connect_records(settings: Settings) -> Seen:
    consumer = Consumer({**kafka_options(settings), "group.id": "look"})
    try:
        for name in ("configs", "offsets", "status"):
            place = TopicPartition(f"finlake.connect-{name}", 0)
            place.offset, end = consumer.get_watermark_offsets(place, timeout=20)
            consumer.assign([place])
            offset = -1
            while offset < end - 1:
                record = consumer.poll(5)
                if record is None:  # the rest was compacted away
                    break
                assert record.error() is None, record.error()
                offset = int(record.offset() or 0)
                yield f"{place.topic} {offset}", bytes(record.value() or b"")
    finally:
        consumer.close()


# ── that the looking sees ────────────────────────────────────────────────────────────────────────


def test_a_port_that_is_open_to_others_is_seen() -> None:
    own = [psutil.Process()]
    for address, is_open in (("0.0.0.0", True), ("127.0.0.1", False)):  # noqa: S104
        with socket.create_server((address, 0)) as server:
            place = server.getsockname()[1], address
            assert place in listeners(own)
            assert (place in open_to_others(own)) == is_open


def test_a_secret_in_an_argument_or_in_the_environment_is_seen() -> None:
    script = "import sys; print(flush=True); sys.stdin.read()"
    secrets = {"a": b"of-the-arguments-1", "b": b"of-the-environment-1"}
    with subprocess.Popen(
        [sys.executable, "-c", script, "--password=of-the-arguments-1"],
        env={"HIDDEN": "of-the-environment-1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = shown_by(arguments_and_environments([psutil.Process(process.pid)]), secrets)
        process.communicate()
    assert [line.split()[0] for line in found] == ["arguments", "environment"]
