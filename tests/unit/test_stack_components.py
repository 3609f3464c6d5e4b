"""Which components a stack has, and what each of them is given to start with."""

import json
import re
import shutil
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from finlake.errors import ComponentMissing, UsageProblem
from infra.database.users import user_statements
from infra.settings import load_settings
from infra.stack import component, control, minio, mlflow, mysql, plan, prometheus
from infra.stack.certificates import make_certificates
from infra.stack.component import answers_http, answers_mysql, answers_tcp, java
from infra.stack.home import Home
from infra.stack.kafka import Connect, Kafka
from infra.stack.mariadb import MariaDB
from infra.stack.minio import MinIO
from infra.stack.mysql import MySQL
from infra.stack.process import Identity, write_pid_file
from infra.stack.progress import on_stderr, quiet
from infra.stack.prometheus import Prometheus

PORTS = dict.fromkeys(
    ["source", "kafka", "kafka_controller", "connect", "minio", "minio_console"], 0
) | {
    "spark_ui": 4040,
    "metrics": 9108,
    "alerts": 9118,
    "score": 9128,
    "dashboard": 8501,
    "api": 8000,
    "mlflow": 5000,
    "trino": 8443,
    "trino_internal": 8444,
}
PORTS |= {name: 20000 + n for n, name in enumerate(list(PORTS)[:6])}


@pytest.fixture
def settings(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    java.cache_clear()
    yield load_settings()
    java.cache_clear()


def a_program(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# ── which ────────────────────────────────────────────────────────────────────────────────────────


def test_by_default_source_kafka_and_connect_run_here(settings):
    assert plan.wanted(settings) == ["source", "kafka", "connect"]
    assert plan.wanted(settings, ["dashboard"])[3:] == ["dashboard"]


def test_alerts_are_published_wherever_the_stream_runs(settings):
    wanted = plan.wanted(settings, ["stream", "dashboard", "alerts"])
    assert wanted[3:] == ["stream", "alerts", "dashboard"]


@pytest.mark.parametrize(
    ("name", "value", "missing"),
    [
        ("SOURCE_URL", "mysql://a:b@db:3306/finance", "source"),
        ("KAFKA_BOOTSTRAP", "broker:9092", "kafka"),
        ("CONNECT_URL", "http://connect:8083", "connect"),
    ],
)
def test_what_has_an_address_is_not_started(settings, monkeypatch, tmp_path, name, value, missing):
    monkeypatch.setenv(f"FINLAKE_{name}", value)
    assert missing not in plan.wanted(load_settings())
    monkeypatch.setenv(f"FINLAKE_{name}", "")
    assert missing in plan.wanted(load_settings())
    monkeypatch.delenv(f"FINLAKE_{name}")
    (tmp_path / ".env").write_text(f"FINLAKE_{name}={value}\n")
    assert missing not in plan.wanted(load_settings())


def test_the_stacks_own_addresses_are_no_reason_to_start_nothing(settings):
    home = Home(settings.home)
    home.make()
    components = plan.build(settings, ["source", "kafka", "connect"], PORTS)
    exports: dict[str, str] = {}
    for found in components.values():
        exports |= found.exports()
    home.write_stack_env(exports)
    again = load_settings()
    assert again.kafka_bootstrap == f"127.0.0.1:{PORTS['kafka']}"
    assert again.source_url is not None
    assert plan.wanted(again) == ["source", "kafka", "connect"]


def test_minio_runs_for_a_bucket_without_an_endpoint(settings, monkeypatch):
    monkeypatch.setenv("FINLAKE_LAKE", "s3a://warehouse")
    assert plan.wanted(load_settings())[-1] == "minio"
    monkeypatch.setenv("FINLAKE_S3_ENDPOINT", "http://elsewhere:9000")
    assert "minio" not in plan.wanted(load_settings())


def test_an_unknown_extra_is_refused(settings):
    with pytest.raises(UsageProblem, match="trains: unknown; it can be stream, alerts, score, d"):
        plan.wanted(settings, ["trains"])


def test_the_stack_starts_no_postgresql(settings, monkeypatch):
    monkeypatch.setenv("FINLAKE_SOURCE_FLAVOUR", "postgresql")
    with pytest.raises(UsageProblem, match="FINLAKE_SOURCE_URL"):
        plan.wanted(load_settings())


def test_a_home_keeps_its_kind_of_source(settings, monkeypatch):
    (settings.home / "mariadb").mkdir(parents=True)
    monkeypatch.setenv("FINLAKE_SOURCE_FLAVOUR", "mysql")
    with pytest.raises(UsageProblem, match="holds a mariadb source"):
        plan.wanted(load_settings())
    monkeypatch.setenv("FINLAKE_HOME", str(settings.home.parent / "other"))
    assert plan.build(load_settings(), ["source"], PORTS)["source"].folder == "mysql"


def test_ports_that_were_set_are_explicit(settings, monkeypatch):
    monkeypatch.setenv("FINLAKE_PORT_KAFKA", "9092")
    found = load_settings()
    given = plan.given(found)
    wishes = {wish.name: wish for wish in Kafka.wishes(found, given) + MinIO.wishes(found, given)}
    assert (wishes["kafka"].preferred, wishes["kafka"].explicit) == (9092, True)
    assert (wishes["minio_console"].preferred, wishes["minio_console"].explicit) == (9901, False)
    assert wishes["kafka_controller"].preferred == 0


# ── what they are given ──────────────────────────────────────────────────────────────────────────


def lines_of(path):
    return {line for line in path.read_text().splitlines() if line and line[0] not in "#["}


def test_with_tls_the_broker_and_its_controller_let_nobody_in_without_a_proof(
    settings, monkeypatch
):
    kafka = Kafka(load_settings(stack_tls=True), PORTS)
    monkeypatch.setattr(kafka, "_format", lambda: None)
    kafka.prepare()
    config = kafka.data / "server.properties"
    lines = lines_of(config)
    assert f"advertised.listeners=SASL_SSL://127.0.0.1:{PORTS['kafka']}" in lines
    assert "listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:SSL" in lines
    assert "listener.name.controller.ssl.client.auth=required" in lines
    assert "PLAINTEXT" not in config.read_text()
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    exports = kafka.exports()
    assert exports["FINLAKE_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert f'password="{exports["FINLAKE_KAFKA_PASSWORD"]}"' in config.read_text()
    assert exports["FINLAKE_KAFKA_PASSWORD"] not in " ".join(kafka.command())


def test_the_users_password_is_no_argument_of_the_program_that_makes_it(
    settings, monkeypatch, tmp_path
):
    monkeypatch.setattr("infra.stack.kafka.jar_paths", lambda group: [tmp_path / f"{group}.jar"])
    seen = tmp_path / "seen"
    program = (
        "import pathlib, sys\n"
        "said = ' '.join(sys.argv) + pathlib.Path(sys.argv[-1][1:]).read_text()\n"
        f"pathlib.Path({str(seen)!r}).write_text(said)\n"
    )
    own = str(a_program(tmp_path / "bin", "java", program))
    monkeypatch.setattr("infra.stack.kafka.java", lambda: own)
    kafka = Kafka(load_settings(stack_tls=True), PORTS)
    kafka.prepare()
    password = kafka.exports()["FINLAKE_KAFKA_PASSWORD"]
    arguments, _, file = seen.read_text().partition("--ignore-formatted")
    assert password not in arguments
    assert f"name=finlake,password={password}" in file
    assert not list(kafka.data.glob("*.arguments"))


def test_a_broker_without_users_is_not_turned_to_tls(settings, monkeypatch):
    monkeypatch.setattr("infra.stack.kafka.fetch_jars", lambda *_: [])
    monkeypatch.setattr("infra.stack.kafka.java", lambda: "java")
    kafka = Kafka(load_settings(stack_tls=True), PORTS)
    (kafka.data / "data").mkdir(parents=True)
    (kafka.data / "data" / "meta.properties").touch()
    with pytest.raises(UsageProblem, match=r"FINLAKE_STACK_TLS: .* knows no users"):
        kafka.fetch(on_stderr)


@pytest.mark.parametrize("kind", [MariaDB, MySQL])
def test_with_tls_the_source_lets_nobody_in_without(settings, monkeypatch, kind):
    monkeypatch.setattr(MySQL, "_program", ["true"])
    source = kind(load_settings(stack_tls=True), PORTS)
    (source.data).mkdir(parents=True)
    (source.data / "installed").touch()
    source.prepare()
    assert "require-secure-transport=ON" in lines_of(source.data / "my.cnf")
    assert "skip-ssl" not in (source.data / "my.cnf").read_text()
    statements = (source.data / "init.sql").read_text().splitlines()
    users = [line for line in statements if line.startswith("ALTER USER 'finlake_")]
    assert len(users) == 4
    assert all(line.endswith("REQUIRE SSL;") for line in users)
    assert source.exports()["FINLAKE_SOURCE_URL"].endswith("/finance?tls=verify")
    assert source.exports()["FINLAKE_SOURCE_CA"].endswith("/tls/ca.crt")


def test_the_broker_is_one_process_on_loopback_with_one_replica(settings, monkeypatch):
    kafka = Kafka(settings, PORTS)
    monkeypatch.setattr(kafka, "_format", lambda: None)
    kafka.prepare()
    lines = lines_of(kafka.data / "server.properties")
    assert "process.roles=broker,controller" in lines
    assert "auto.create.topics.enable=false" in lines
    assert f"advertised.listeners=PLAINTEXT://127.0.0.1:{PORTS['kafka']}" in lines
    addresses = re.findall(r"://([^:]+):", "".join(sorted(lines)))
    assert set(addresses) == {"127.0.0.1"}
    factors = [line for line in lines if "replication.factor" in line or "min.isr" in line]
    assert len(factors) >= 6
    assert all(line.endswith("=1") for line in factors)


def test_connect_reads_from_this_stacks_kafka_or_from_the_one_that_is_set(settings):
    connect = Connect(settings, PORTS)
    connect.prepare()
    properties = connect.data / "connect.properties"
    assert f"bootstrap.servers=127.0.0.1:{PORTS['kafka']}" in lines_of(properties)
    assert f"listeners=http://127.0.0.1:{PORTS['connect']}" in lines_of(properties)
    elsewhere = Connect(load_settings(kafka_bootstrap="broker:1"), {"connect": 1})
    elsewhere.prepare()
    assert "bootstrap.servers=broker:1" in lines_of(properties)


def test_connect_reads_passwords_from_files_that_hold_no_others(settings):
    (connect,) = plan.build(
        load_settings(
            source_cdc_password="of-the-source",
            kafka_security_protocol="SASL_SSL",
            kafka_ca="/ca.pem",
            kafka_user="us",
            kafka_password='of"kafka',
        ),
        ["connect"],
        {"connect": 1},
    ).values()
    connect.prepare()
    properties = (connect.data / "connect.properties").read_text()
    assert "of-the-source" not in properties
    assert 'of"kafka' not in properties.replace("\\", "")
    folder = settings.home / "secrets" / "connect"
    assert f"config.providers.secrets.param.allowed.paths={folder}" in properties.splitlines()
    for prefix in ("", "producer.", "consumer.", "admin."):
        line = f"{prefix}sasl.jaas.config=${{secrets:{folder}:kafka_jaas}}"
        assert line in properties.splitlines()
    assert {path.name for path in folder.iterdir()} == {"source_cdc_password", "kafka_jaas"}
    assert (folder / "source_cdc_password").read_text() == "of-the-source"
    assert r'password="of\"kafka";' in (folder / "kafka_jaas").read_text()
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_java_programs_get_small_heaps_and_a_place_for_their_log(settings, monkeypatch, tmp_path):
    monkeypatch.setattr("infra.stack.kafka.jar_paths", lambda group: [tmp_path / f"{group}.jar"])
    monkeypatch.setattr("infra.stack.kafka.java", lambda: "java")
    for found, heap in ((Kafka(settings, PORTS), 384), (Connect(settings, PORTS), 512)):
        words = found.command()
        assert words[0] == "java"
        assert f"-Xmx{heap}m" in words
        assert words[words.index("-cp") + 1] == str(tmp_path / f"{found.name}.jar")
        (log,) = [word for word in words if word.startswith("-Dlog4j2.configurationFile=")]
        assert component.CONF.joinpath("log4j2.xml").samefile(log.partition("=")[2])


@pytest.mark.parametrize("kind", [MariaDB, MySQL])
def test_the_source_keeps_a_whole_row_binary_log(settings, monkeypatch, kind):
    monkeypatch.setattr(mysql, "_on_path", lambda: "mysqld")
    source = kind(settings, PORTS)
    source.data.mkdir(parents=True)
    (source.data / "installed").touch()
    source.prepare()
    lines = lines_of(source.data / "my.cnf")
    wanted = {
        "bind-address=127.0.0.1",
        f"port={PORTS['source']}",
        "log-bin=binlog",
        "binlog-row-image=FULL",
        "binlog-row-metadata=FULL",
        "default-time-zone=+00:00",
        "event-scheduler=ON",
    }
    assert wanted <= lines
    assert stat.S_IMODE((source.data / "init.sql").stat().st_mode) == 0o600
    url = source.exports()["FINLAKE_SOURCE_URL"]
    password = re.search("finlake_app:([0-9a-f]+)@", url)
    assert password
    assert f"IDENTIFIED BY '{password[1]}'" in (source.data / "init.sql").read_text()
    assert source.exports()["FINLAKE_SOURCE_FLAVOUR"] == source.folder


def test_passwords_stay_the_same(settings):
    assert MariaDB(settings, PORTS).exports() == MariaDB(settings, PORTS).exports()


def test_stack_env_is_the_owners_alone_even_when_it_was_not(settings):
    home = Home(settings.home)
    home.make()
    home.stack_env.write_text("old")
    home.stack_env.chmod(0o644)
    home.write_stack_env({"FINLAKE_CONNECT_URL": "http://127.0.0.1:1"})
    assert stat.S_IMODE(home.stack_env.stat().st_mode) == 0o600
    assert "FINLAKE_CONNECT_URL=http://127.0.0.1:1" in home.stack_env.read_text().splitlines()


@pytest.mark.parametrize("flavour", ["mariadb", "mysql"])
def test_users_have_no_right_beyond_their_work(flavour):
    passwords = {"finlake_app": "a", "finlake_cdc": "it's", "finlake_read": "c"}
    passwords["finlake_review"] = "d"
    statements = user_statements(flavour, passwords, "%")
    assert any(r"IDENTIFIED BY 'it''s'" in statement for statement in statements)
    grants = [statement for statement in statements if statement.startswith("GRANT")]
    everywhere = [grant for grant in grants if " ON *.* " in grant]
    assert len(everywhere) == 1
    assert "'finlake_cdc'@'%'" in everywhere[0]
    for word in ("ALL", "SUPER", "FILE", "GRANT OPTION", "CREATE USER", "SELECT", "INSERT"):
        assert not re.search(rf"\b{word}\b", everywhere[0].removeprefix("GRANT "))
    reading = [grant for grant in grants if "finlake_read" in grant]
    assert reading == ["GRANT SELECT ON `finance`.* TO 'finlake_read'@'%'"]
    judging, noting = (grant for grant in grants if "finlake_review" in grant)
    assert judging.endswith(" ON `finance`.fraud_labels TO 'finlake_review'@'%'")
    assert noting.endswith(" ON `finance`.finlake_notes TO 'finlake_review'@'%'")
    assert "DELETE" not in f"{judging} {noting}"
    assert "UPDATE" not in noting


def test_the_minio_console_and_interface_are_on_loopback(settings):
    found = MinIO(settings, PORTS)
    words = found.command()
    assert words[words.index("--address") + 1] == f"127.0.0.1:{PORTS['minio']}"
    console = words[words.index("--console-address") + 1]
    assert console == f"127.0.0.1:{PORTS['minio_console']}"
    secret = found.exports()["FINLAKE_S3_SECRET_KEY"]
    assert secret not in " ".join([*words, *found.env().values()])
    found.prepare()
    file = Path(found.env()["MINIO_CONFIG_ENV_FILE"])
    assert f"MINIO_ROOT_PASSWORD={secret}" in file.read_text().splitlines()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["stream", "alerts", "dashboard", "api"])
def test_programs_of_this_project_know_their_home_and_ports(settings, name):
    (found,) = plan.build(settings, [name], dict.fromkeys(PORTS, 1)).values()
    assert found.command()[0] == sys.executable
    assert found.env()["FINLAKE_HOME"] == str(settings.home)
    assert found.address.startswith("http://127.0.0.1:")
    assert re.search(r"\d", found.version)
    assert not found.is_healthy()


def test_the_api_is_served_at_its_port(settings):
    found = plan.build(settings, ["api"], PORTS)["api"]
    assert found.command()[-3:] == ["api", "serve", "--port=8000"]
    assert found.address == "http://127.0.0.1:8000"


def test_the_dashboard_is_served_on_loopback_at_its_port(settings):
    words = plan.build(settings, ["dashboard"], PORTS)["dashboard"].command()
    assert {"--server.port=8501", "--server.address=127.0.0.1"} <= set(words)


def test_mlflow_is_served_on_loopback_and_keeps_no_password_in_sight(settings, monkeypatch):
    monkeypatch.setenv("FINLAKE_LAKE", "s3a://warehouse")
    monkeypatch.setenv("FINLAKE_S3_ENDPOINT", "http://127.0.0.1:9000")
    monkeypatch.setenv("FINLAKE_S3_ACCESS_KEY", "finlake")
    monkeypatch.setenv("FINLAKE_S3_SECRET_KEY", "much-too-secret")
    found = plan.build(load_settings(), ["mlflow"], PORTS)["mlflow"]
    found.prepare()
    words, env = found.command(), found.env()
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--artifacts-destination") + 1] == "s3://warehouse/mlflow"
    assert found.exports() == {"FINLAKE_MLFLOW_URL": "http://127.0.0.1:5000"}
    assert "much-too-secret" not in " ".join([*words, *env.values()])
    keys = Path(env["AWS_SHARED_CREDENTIALS_FILE"])
    assert "aws_secret_access_key=much-too-secret" in keys.read_text().splitlines()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert re.fullmatch(r"MLflow \d+\.\d+\.\d+", found.version)
    unused = plan.build(load_settings(), ["mlflow"], {"mlflow": 1})["mlflow"]
    assert not unused.is_healthy()  # a server of this user's may have the port above


def test_mlflow_that_has_an_address_is_not_started(settings, monkeypatch):
    assert plan.wanted(settings, ["mlflow"])[3:] == ["mlflow"]
    monkeypatch.setenv("FINLAKE_MLFLOW_URL", "http://models:5000")
    assert plan.wanted(load_settings(), ["mlflow"])[3:] == []


def test_an_installation_of_mlflow_that_fails_says_what_else_there_is(settings, monkeypatch):
    monkeypatch.setattr(mlflow, "_REQUIREMENTS", settings.home / "requirements.txt")
    settings.home.mkdir()
    (settings.home / "requirements.txt").write_text("no-such-package-at-all==1 --hash=sha256:0\n")
    found = plan.build(settings, ["mlflow"], PORTS)["mlflow"]
    with pytest.raises(ComponentMissing, match=r"cannot be installed: .*set FINLAKE_MLFLOW_URL"):
        found.fetch(quiet)
    assert mlflow.check_mlflow() is None


# ── what they are made of ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", ["11.0.2", "1.8.0"])
def test_an_old_java_is_refused_with_the_way_to_a_new_one(settings, tmp_path, monkeypatch, number):
    text = f"import sys; sys.stderr.write('openjdk version \"{number}\"')"
    a_program(tmp_path / "jdk", "unused", "")
    a_program(tmp_path / "jdk" / "bin", "java", text)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(ComponentMissing, match=r"older than Java 17; install Java 17"):
        java()


def test_java_home_comes_before_the_path(settings, tmp_path, monkeypatch):
    (tmp_path / "jdk").mkdir()
    text = "import sys; sys.stderr.write('openjdk version \"21.0.1\"')"
    wanted = a_program(tmp_path / "jdk" / "bin", "java", text)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert java() == str(wanted)


def test_without_java_nothing_is_fetched(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ComponentMissing, match=r"^java is missing"):
        Kafka(settings, PORTS).fetch(on_stderr)


def test_minio_needs_go_or_a_program(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ComponentMissing, match=r"^go is missing; install Go"):
        minio.check_minio()
    a_program(tmp_path / "bin", "go", "print('go version go1.20.1 linux/amd64')")
    with pytest.raises(ComponentMissing, match=r"go1\.20\.1 .*is too old"):
        minio.check_minio()
    a_program(tmp_path / "bin", "go", "print('go version go1.26.8 linux/amd64')")
    assert "built once" in minio.check_minio()
    own = a_program(tmp_path / "bin", "minio", "")
    assert minio.check_minio() == str(own)
    assert MinIO(settings, PORTS).command()[0] == str(own)


def test_minio_is_built_once(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    go = (
        "import os, sys, pathlib\n"
        "if sys.argv[1] == 'version':\n    print('go version go1.26.8 linux/amd64'); sys.exit()\n"
        "assert sys.argv[-1].startswith('github.com/minio/minio@v'), sys.argv\n"
        "built = pathlib.Path(os.environ['GOBIN']); built.mkdir(parents=True)\n"
        "(built / 'minio').touch()\n"
    )
    a_program(tmp_path / "bin", "go", go)
    found = MinIO(settings, PORTS)
    found.fetch(on_stderr)
    (tmp_path / "bin" / "go").unlink()
    found.fetch(on_stderr)
    assert found.command()[0].startswith(str(tmp_path / "cache"))


def test_a_failed_build_of_minio_is_one_line(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    go = (
        "import sys\n"
        "if sys.argv[1] == 'version':\n    print('go version go1.26.8 linux/amd64'); sys.exit()\n"
        "print('go: one'); print('go: no such module'); sys.exit(1)\n"
    )
    a_program(tmp_path / "bin", "go", go)
    with pytest.raises(ComponentMissing, match="MinIO cannot be built: go: no such module; "):
        MinIO(settings, PORTS).fetch(on_stderr)


def test_a_mysqld_of_mariadb_is_no_mysql(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    a_program(tmp_path / "bin", "mysqld", "print('mysqld  Ver 11.4.5-MariaDB')")
    with pytest.raises(ComponentMissing, match="it needs Debian"):
        mysql.check_mysql()
    own = a_program(tmp_path / "bin", "mysqld", "print('mysqld  Ver 9.7.4 for Linux')")
    assert mysql.check_mysql() == str(own)
    assert MySQL(settings, PORTS).version == "MySQL 9.7.4"


APT = """
import os, pathlib, sys
if "indextargets" in sys.argv:
    print("Other|main|Other|stable|http://other.invalid/x/")
    print("Debian|contrib|Debian|bookworm|http://archive.invalid/debian/")
    print("Debian|main|Debian|bookworm|http://archive.invalid/debian/")
    print("Debian|main|Debian-Security|bookworm-security|http://archive.invalid/security/")
    sys.exit()
config = pathlib.Path(os.environ["APT_CONFIG"])
source = (config.parent / "sources.list").read_text()
assert source.endswith("http://archive.invalid/debian/ unstable main\\n"), source
if "install" in sys.argv:
    if os.environ.get("BROKEN"):
        print("Reading package lists..."); print("E: Unable to locate package"); sys.exit(100)
    (config.parent / "cache" / "archives" / "mysql.deb").touch()
"""
DPKG = """
import pathlib, sys
root = pathlib.Path(sys.argv[3])
for path in ("usr/sbin/mysqld", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch()
"""


def test_mysql_comes_from_the_machines_own_archive_in_another_suite(
    settings, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    a_program(tmp_path / "bin", "apt-get", APT)
    a_program(tmp_path / "bin", "dpkg-deb", DPKG)
    found = MySQL(settings, PORTS)
    found.fetch(on_stderr)
    loader, _, libraries, program, *_ = found.command()
    assert loader.endswith("ld-linux-x86-64.so.2")
    assert program.endswith("usr/sbin/mysqld")
    assert all(part.startswith(str(tmp_path / "cache")) for part in libraries.split(":"))
    assert not (tmp_path / "cache" / "finlake" / "mysql-debian" / "apt").exists()
    (tmp_path / "bin" / "apt-get").unlink()
    found.fetch(on_stderr)


def test_a_mysql_that_cannot_be_had_is_one_line(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("BROKEN", "1")
    a_program(tmp_path / "bin", "apt-get", APT)
    a_program(tmp_path / "bin", "dpkg-deb", DPKG)
    with pytest.raises(ComponentMissing, match=r"E: Unable to locate package; put a mysqld"):
        MySQL(settings, PORTS).fetch(on_stderr)


def test_a_failed_installation_is_one_line_and_is_repeated(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    own = tmp_path / "bin"
    a_program(own, "mysqld", "import sys; print('x\\n[ERROR] the disk is full'); sys.exit(1)")
    found = MySQL(settings, PORTS)
    for _ in range(2):
        with pytest.raises(ComponentMissing, match="the disk is full"):
            found.prepare()
    assert not (found.data / "installed").exists()


# ── health ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/good" else 503)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found.server_address[1]
        found.shutdown()
        thread.join()


def test_health_is_an_answer_not_a_listener(settings, server):
    assert answers_tcp(server)
    assert answers_http(f"http://127.0.0.1:{server}/good")
    assert not answers_http(f"http://127.0.0.1:{server}/bad")
    assert not answers_mysql(server, "a", "b", "c")
    assert not Kafka(settings, PORTS | {"kafka": server}).is_healthy()


def test_nobody_there_is_not_healthy(settings):
    assert not answers_tcp(1)
    assert not answers_http("http://127.0.0.1:1/")
    assert not answers_mysql(1, "a", "b", "c")
    for name in ("source", "kafka", "connect", "minio"):
        (found,) = plan.build(settings, [name], dict.fromkeys(PORTS, 1)).values()
        assert not found.is_healthy()


# ── control, with nothing running ────────────────────────────────────────────────────────────────


def test_nothing_runs_in_a_new_home(settings):
    assert control.supervisor_of(settings) is None
    assert control.status(settings) == []
    assert not control.down(settings)


def test_a_spoilt_state_is_as_good_as_none(settings):
    home = Home(settings.home)
    home.make()
    for text in ("", "[1]", "{}", '[{"component": "a"}]'):
        home.state_file.write_text(text)
        assert control.status(settings) == []


def test_down_ends_what_a_killed_supervisor_left_behind(settings):
    home = Home(settings.home)
    home.make()
    sleeper = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    identity = Identity.of(sleeper.pid)
    assert identity is not None
    write_pid_file(home.pid_file("kafka"), identity)
    # its number belongs to somebody else by now
    other = Identity(identity.pid, identity.start - 1, identity.boot)
    write_pid_file(home.pid_file("connect"), other)
    assert control.down(settings)
    assert sleeper.wait() < 0
    assert not list(home.run.glob("*.pid"))
    assert not control.down(settings)


def test_the_end_of_a_log_is_its_last_lines(tmp_path):
    log = tmp_path / "a.log"
    assert control.tail(log, 5) == []
    log.write_text("".join(f"line {n}\n\n" for n in range(100_000)))
    assert control.tail(log, 3) == ["line 99997", "line 99998", "line 99999"]
    assert control.tail(log, 0) == []


# ── Prometheus ───────────────────────────────────────────────────────────────────────────────────

PROMETHEUS_APT = """
import os, pathlib, sys
if "indextargets" in sys.argv:
    print("Debian|main|Debian|bookworm|http://archive.invalid/debian/")
    sys.exit()
config = pathlib.Path(os.environ["APT_CONFIG"])
source = (config.parent / "sources.list").read_text()
assert source.endswith("http://archive.invalid/debian/ bookworm main\\n"), source
if "download" in sys.argv:
    assert sys.argv[-1] == "prometheus"
    pathlib.Path("prometheus.deb").touch()
"""
PROMETHEUS_DPKG = """
import pathlib, sys
assert pathlib.Path(sys.argv[2]).name == "prometheus.deb"
for name in ("prometheus", "promtool"):
    path = pathlib.Path(sys.argv[3]) / "usr" / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\\necho prometheus, version 2.42.0")
    path.chmod(0o755)
"""


def watching(settings):
    ports = {**PORTS, "prometheus": 9090, "observe": 9148, "verify": 9158}
    names = ["stream", "alerts", "kafka", "dashboard", "prometheus", "observe", "verify", "minio"]
    return plan.build(settings, names, ports)


def test_prometheus_is_unpacked_from_the_machines_own_suite(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    if shutil.which("prometheus"):
        pytest.skip("this machine's own Prometheus lies beside the shell")
    a_program(tmp_path / "bin", "apt-get", PROMETHEUS_APT)
    a_program(tmp_path / "bin", "dpkg-deb", PROMETHEUS_DPKG)
    found = watching(settings)["prometheus"]
    assert prometheus.check_prometheus() is None
    with pytest.raises(ComponentMissing, match="apt-get install prometheus"):
        prometheus.promtool()
    found.fetch(on_stderr)
    (tmp_path / "bin" / "apt-get").unlink()
    found.fetch(on_stderr)
    program, *words = found.command()
    assert program == prometheus.check_prometheus()
    assert Path(program).is_relative_to(tmp_path / "cache")
    assert Path(prometheus.promtool()).is_relative_to(tmp_path / "cache")
    assert f"--web.listen-address=127.0.0.1:{found.ports['prometheus']}" in words
    assert any(word.startswith("--web.local-assets=") for word in words)
    assert found.version == "Prometheus 2.42.0"


def test_prometheus_judges_the_rules_and_asks_who_has_figures(settings):
    components = watching(settings)
    found = components["prometheus"]
    assert isinstance(found, Prometheus)
    found.aim(components.values())
    found.prepare()
    config = yaml.safe_load((found.data / "prometheus.yml").read_text())
    assert config["rule_files"] == [str(prometheus.RULES)]
    (scraped,) = config["scrape_configs"]
    (place,) = scraped["file_sd_configs"][0]["files"]
    targets = json.loads(Path(place).read_text())
    asked = {
        one["labels"]["job"]: (one["targets"], one["labels"]["__metrics_path__"]) for one in targets
    }
    assert asked == {
        "stream": (["127.0.0.1:9108"], "/metrics"),
        "alerts": (["127.0.0.1:9118"], "/metrics"),
        "dashboard": (["127.0.0.1:8501"], "/_stcore/metrics"),
        "prometheus": (["127.0.0.1:9090"], "/metrics"),
        "observe": (["127.0.0.1:9148"], "/metrics"),
        "verify": (["127.0.0.1:9158"], "/metrics"),
        "minio": ([f"127.0.0.1:{PORTS['minio']}"], "/minio/v2/metrics/cluster"),
    }
    assert {one["labels"]["__scheme__"] for one in targets} == {"http"}
    every = {one["labels"]["job"]: one["labels"]["__scrape_interval__"] for one in targets}
    assert (every["stream"], every["observe"]) == ("5s", "15s")
    found.aim([components["stream"]])
    assert len(json.loads(Path(place).read_text())) == 1


def test_with_tls_prometheus_trusts_the_stacks_own_authority(settings, monkeypatch):
    monkeypatch.setenv("FINLAKE_STACK_TLS", "true")
    settings = load_settings(home=settings.home)
    settings.home.mkdir()
    make_certificates(settings.home)
    components = watching(settings)
    found = components["prometheus"]
    assert isinstance(found, Prometheus)
    found.aim(components.values())
    found.prepare()
    (scraped,) = yaml.safe_load((found.data / "prometheus.yml").read_text())["scrape_configs"]
    assert Path(scraped["tls_config"]["ca_file"]).is_file()
    targets = json.loads((found.data / "targets.json").read_text())
    schemes = {one["labels"]["job"]: one["labels"]["__scheme__"] for one in targets}
    assert (schemes["minio"], schemes["stream"]) == ("https", "http")


def test_with_prometheus_comes_who_looks_after_the_whole(settings):
    assert plan.programs(["prometheus"]) == ["prometheus", "observe"]
    components = watching(settings)
    assert components["observe"].command()[-2:] == ["observe", "--serve"]
    assert components["observe"].env()["FINLAKE_PORT_OBSERVE"] == "9148"
    assert components["verify"].command()[-3:] == ["--watch", "--port", "9158"]
