"""The stack in containers, without Docker: the file agrees with itself and with the code."""

import os
import re
import shutil
from collections import Counter
from importlib import import_module

import pytest
from click.testing import CliRunner

from connectors.config import connector_config
from finlake.cli import COMMANDS, root
from infra.settings import Settings, load_settings
from infra.stack.kafka import _BROKER, _WORKER
from infra.stack.mysql import _CONFIG
from lakehouse_schemas import contracts
from tests.unit.compose_stack import (
    COMPOSE,
    DOCS,
    IMAGES,
    ONCE,
    OWN,
    PUBLISHED,
    ROOT,
    SERVICES,
    STACK,
    START,
    dockerfile,
    finlake_commands,
    make_secrets,
    megabytes,
    shell,
)

each_service = pytest.mark.parametrize("name", SERVICES)

# ── Docker's own reading, where it is installed ──────────────────────────────────────────────────


@pytest.mark.parametrize("profile", ["core", "bi", "ops", "scale", "all"])
def test_docker_compose_reads_the_file(profile):
    docker = shutil.which("docker")
    if docker is None or shell(docker, "compose", "version").returncode:
        pytest.skip(
            "NOT READ BY DOCKER: its compose plugin is not installed here; docker-compose.yml was"
            " held against the tests' own model alone"
        )
    done = shell(docker, "compose", "--file", COMPOSE, "--profile", profile, "config", "--services")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == {n for n, s in SERVICES.items() if profile in s.profiles}


# ── Profiles, order, health ──────────────────────────────────────────────────────────────────────


def test_the_whole_stack_is_there():
    assert set(SERVICES) == {
        *("source", "kafka", "connect", "minio", "buckets", "register", "dashboard", "kafka-ui"),
        *(
            "spark-master",
            "spark-worker",
            "spark-worker-2",
            "stream",
            "alerts",
            "postgres",
            "redis",
            "dremio",
            "dremio-refresh",
        ),
        *("superset-init", "superset", "airflow-init", "airflow-api-server", "airflow-scheduler"),
        *("airflow-dag-processor", "mlflow", "prometheus", "grafana"),
        *("score", "api", "drift", "observe"),
    }
    assert {"buckets", "register", "superset-init", "airflow-init"} == ONCE


@each_service
def test_every_profile_is_complete(name):
    service = SERVICES[name]
    assert "all" in service.profiles
    for needed in service.depends_on:
        missing = set(service.profiles) - set(SERVICES[needed].profiles)
        assert not missing, f"{name} stands on {needed}, which is not in {missing}"


@each_service
def test_a_service_waits_for_the_right_sign(name):
    for needed, dependency in SERVICES[name].depends_on.items():
        sign = "service_completed_successfully" if needed in ONCE else "service_healthy"
        assert dependency.condition == sign, needed


def test_the_stream_starts_after_all_it_reads_and_writes():
    def stands_on(name):
        needed = SERVICES[name].depends_on
        return set(needed) | {deeper for each in needed for deeper in stands_on(each)}

    assert stands_on("stream") == {
        *("register", "buckets", "spark-worker", "spark-master"),
        *("source", "kafka", "connect", "minio"),
    }


# Ports that a service has and the host does not.
INSIDE = {
    "kafka": {9093, 19092},
    "connect": {9404},
    "spark-master": {7077},
    "spark-worker": {8082},
    "spark-worker-2": {8082},
    "airflow-scheduler": {8974},
    "postgres": {5432},
    "redis": {6379},
}


def ports(name):
    return set(SERVICES[name].host_ports.values()) | INSIDE.get(name, set())


@each_service
def test_a_service_that_stays_is_asked_for_its_health(name):
    check = SERVICES[name].healthcheck
    assert (check is None) == (name in ONCE)
    if check:
        assert check.test[0] == "CMD" or (check.test[0] == "CMD-SHELL" and len(check.test) == 2)
        asked = re.findall(r"127\.0\.0\.1[:/](\d+)", " ".join(check.test))
        assert {int(port) for port in asked} <= ports(name)


# ── Ports ────────────────────────────────────────────────────────────────────────────────────────

CATALOGUE = {
    "source": [30306],
    "kafka": [9092],
    "connect": [8083],
    "minio": [9900, 9901],
    "spark-master": [8081],
    "stream": [4040, 9108],
    "alerts": [9118],
    "score": [9128],
    "api": [8000],
    "drift": [9138],
    "observe": [9148],
    "dashboard": [8501],
    "kafka-ui": [9089],
    "dremio": [9047, 32010],
    "superset": [8088],
    "airflow-api-server": [8080],
    "mlflow": [5000],
    "prometheus": [9090],
    "grafana": [3000],
}


def test_ports_are_those_of_the_catalogue():
    assert PUBLISHED == CATALOGUE
    every = Counter(port for found in PUBLISHED.values() for port in found)
    assert max(every.values()) == 1


def test_ports_agree_with_the_settings():
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert PUBLISHED["minio"][1] == defaults["port_minio_console"]
    assert PUBLISHED["stream"] == [defaults["port_spark_ui"], defaults["port_metrics"]]
    assert PUBLISHED["alerts"] == [defaults["port_alerts"]]
    assert PUBLISHED["score"] == [defaults["port_score"]]
    assert PUBLISHED["api"] == [defaults["port_api"]]
    assert PUBLISHED["dashboard"] == [defaults["port_dashboard"]]
    assert PUBLISHED["mlflow"] == [defaults["port_mlflow"]]
    assert defaults["kafka_bootstrap"] == f"127.0.0.1:{PUBLISHED['kafka'][0]}"
    assert defaults["connect_url"] == f"http://127.0.0.1:{PUBLISHED['connect'][0]}"


@pytest.mark.parametrize(
    "name",
    sorted(
        set(OWN)
        & set(PUBLISHED) - {"stream", "alerts", "score", "api", "drift", "observe", "spark-master"}
    ),
)
def test_own_images_expose_what_is_published(name):
    exposed = re.search(r"^EXPOSE (.+)$", dockerfile(name).read_text(), re.MULTILINE)
    assert exposed
    assert set(SERVICES[name].host_ports.values()) <= {int(port) for port in exposed[1].split()}


def test_addresses_inside_the_stack_lead_to_a_service():
    listened = SERVICES["kafka"].environment["KAFKA_LISTENERS"]
    assert ports("kafka") == {int(port) for port in re.findall(r":(\d+)", listened)}
    files = [
        *(START, IMAGES / "superset" / "superset_config.py"),
        *ROOT.glob("infra/prometheus/*"),
        *ROOT.glob("infra/grafana/provisioning/*/*.yml"),
    ]
    places = {name: service.words for name, service in SERVICES.items()}
    places |= {str(path.relative_to(ROOT)): path.read_text() for path in files}
    address = re.compile(r"(?<![\w.:-])([a-z][a-z-]+):(\d{4,5})(?!\d)")
    found = [(place, *hit) for place, text in places.items() for hit in address.findall(text)]
    assert len(found) > 15
    for place, host, port in found:
        known = set() if host not in SERVICES else ports(host)
        assert int(port) in known, f"{place}: {host}:{port}"


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────


@each_service
def test_every_setting_exists(name):
    known = {f"FINLAKE_{field.upper()}" for field in Settings.model_fields}
    given = {*SERVICES[name].environment, *SERVICES[name].granted}
    assert {word for word in given if word.startswith("FINLAKE_")} <= known


@pytest.mark.parametrize("name", ["stream", "alerts", "score", "api", "drift", "observe"])
def test_who_has_figures_can_be_reached_by_prometheus(name):
    host = SERVICES[name].environment["FINLAKE_ADVERTISED_HOST"]
    assert host == SERVICES[name].hostname == name
    assert Settings(advertised_host=host).listen_host == "0.0.0.0"  # noqa: S104
    assert Settings().listen_host == "127.0.0.1"


def test_services_agree_about_settings():
    shared = SERVICES["register"].environment
    own_home = {"FINLAKE_HOME"}  # the dashboard keeps nothing
    shared_by = ("buckets", "stream", "alerts", "score", "api", "drift", "observe", "dashboard")
    for name in (*shared_by, "dremio-refresh", "airflow-scheduler"):
        here = SERVICES[name].environment
        assert set(shared) <= set(here)
        assert {w for w in shared if here[w] != shared[w]} <= own_home, name


def test_the_code_accepts_the_settings_and_secrets(tmp_path, monkeypatch):
    from connectors.config import parse_source

    for word in [word for word in os.environ if word.startswith("FINLAKE_")]:
        monkeypatch.delenv(word)
    monkeypatch.chdir(tmp_path)
    service = SERVICES["register"]
    given = dict(service.environment)
    made = make_secrets(tmp_path)
    for target, secret in service.granted.items():
        given[target] = made[f"{secret}.txt"].read_text()
    for word, text in given.items():
        monkeypatch.setenv(word, text)
    settings = load_settings()
    assert settings.lake == "s3a://warehouse"
    assert len(settings.token_key_bytes) == 32
    assert settings.s3_secret_key is not None
    assert settings.s3_secret_key.get_secret_value() == given["FINLAKE_S3_SECRET_KEY"]
    assert settings.s3_access_key == SERVICES["minio"].environment["MINIO_ROOT_USER"]
    source = parse_source(settings)
    assert (source.address, source.user) == ("source:3306/finance", "finlake_app")
    assert (source.flavour, source.tls) == ("mysql", "auto")


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_declared_used_and_in_their_folder():
    used = {source for service in SERVICES.values() for source in service.granted.values()}
    assert used == set(STACK.secrets)
    for name, secret in STACK.secrets.items():
        assert secret.file == f"infra/compose/secrets/{name}.txt"


def test_no_secret_can_be_committed():
    files = [secret.file for secret in STACK.secrets.values()]
    assert set(shell("git", "check-ignore", *files, cwd=ROOT).stdout.split()) == set(files)
    tracked = shell("git", "ls-files", "infra/compose/secrets", cwd=ROOT)
    assert tracked.stdout.split() == ["infra/compose/secrets/.gitignore"]


@each_service
def test_no_secret_stands_in_the_file(name):
    for word, text in SERVICES[name].environment.items():
        if re.search(r"PASSWORD|SECRET|TOKEN|FERNET|_KEY$|_CONN$|_URI$", word):
            places = word.endswith(("_FILE", "_FOLDER", "_CMD")) or "_CONFIG_PROVIDERS" in word
            assert places or word.endswith("_S3_ACCESS_KEY"), word
        assert not re.search(r"://[^/\s]*:[^/\s]*@", text), word


@each_service
def test_secrets_that_a_service_reads_as_files_are_granted(name):
    service = SERVICES[name]
    mounted = [ROOT / source for source, _ in service.mounts.values()]
    scripts = "\n".join(path.read_text() for path in mounted if path.is_file())
    for owner in ("airflow", "mlflow", "superset"):  # the loop of databases.sh
        scripts += scripts.replace("${service}", owner)
    read = set(re.findall(r"/run/secrets/(\w+(?:\.\w+)?)", f"{service.words}\n{scripts}"))
    if name == "connect":
        read |= {secret for _, _, secret in secrets_of_the_connector()}
    assert read == {target for target in service.granted if not target.isupper()}


@each_service
def test_secrets_in_capitals_go_to_images_that_make_variables_of_them(name):
    if any(target.isupper() for target in SERVICES[name].granted):
        entry = re.search(r"^ENTRYPOINT \[(.+)\]$", dockerfile(name).read_text(), re.MULTILINE)
        assert entry
        assert '"with-secrets"' in entry[1]


# ── Commands ─────────────────────────────────────────────────────────────────────────────────────


def test_commands_are_found():
    assert {"topics create", "connectors apply", "stream", "verify"} <= set(finlake_commands())


@pytest.mark.parametrize("words", sorted(set(finlake_commands())))
def test_commands_exist(words):
    import_module(f"finlake.commands.{COMMANDS[words.split()[0]].module}")
    done = CliRunner().invoke(root, [*words.split(), "--help"])
    assert done.exit_code == 0, done.output


# ── Kafka, Connect and the source as in the embedded stack ───────────────────────────────────────


def secrets_of_the_connector():
    """Provider, folder and name of each secret that the connector's configuration names."""
    folder = SERVICES["register"].environment["FINLAKE_CONNECT_SECRETS_FOLDER"]
    settings = Settings(source_url="mysql://a:b@source/finance", connect_secrets_folder=folder)
    config = connector_config(settings, contracts.layer("source"), epoch=1)
    return re.findall(r"\$\{(\w+):([^:}]+):(\w+)\}", "\n".join(config.values()))


def properties(text):
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def environment(name, prefix):
    return {
        variable.removeprefix(prefix).lower().replace("_", "."): text
        for variable, text in SERVICES[name].environment.items()
    }


def flags(name):
    return dict(word.removeprefix("--").split("=") for word in SERVICES[name].command)


@pytest.mark.parametrize(
    ("here", "embedded", "differs"),
    [
        # addresses, places, and what an embedded component saves on
        (
            environment("kafka", "KAFKA_"),
            _BROKER,
            r"listener|quorum|log\.dirs|threads|dedupe|^num\.part|^default\.rep|^min\.insync",
        ),
        (
            environment("connect", "CONNECT_"),
            _WORKER,
            r"bootstrap|listeners|host\.name|^(key|value)\.converter$|discovery|allowed\.paths",
        ),
        (
            flags("source"),
            _CONFIG,
            r"dir$|^socket|-file|^bind|^port|^mysqlx|^max-(conn|binlog)|^innodb|^sync|^performance",
        ),
    ],
    ids=["kafka", "connect", "source"],
)
def test_a_component_is_set_as_the_embedded_one(here, embedded, differs):
    there = {key: v for key, v in properties(embedded).items() if not re.search(differs, key)}
    assert len(there) > 10
    assert {key: here.get(key) for key in there} == there


def test_connect_may_read_the_folder_that_its_connector_names():
    given = environment("connect", "CONNECT_")
    ((provider, folder, _),) = secrets_of_the_connector()
    assert given["config.providers"] == provider
    assert given[f"config.providers.{provider}.param.allowed.paths"] == folder == "/run/secrets"


def test_the_source_keeps_its_log_as_long_as_kafka_keeps_changes():
    kept_hours = int(flags("source")["binlog-expire-logs-seconds"]) / 3600
    assert kept_hours >= Settings.model_fields["topic_retention_hours"].default


# ── Volumes, networks, rights, limits ────────────────────────────────────────────────────────────


def test_volumes_are_declared_and_used():
    every = [source for service in SERVICES.values() for source, _ in service.mounts.values()]
    used = Counter(source for source in every if not source.startswith("."))
    assert set(used) == set(STACK.volumes)
    assert {name for name, count in used.items() if count > 1} == {"airflow_logs", "finlake_home"}


@each_service
def test_mounted_files_exist_and_are_read_only(name):
    for place, (source, read_only) in SERVICES[name].mounts.items():
        assert place.startswith("/")
        if source.startswith("."):
            assert read_only, source
            assert (ROOT / source).exists(), source


def test_scripts_of_the_first_start_are_read_and_not_run():
    """The images' entry points lend their functions to a script that cannot be executed."""
    (script,) = ROOT.glob("infra/compose/*/*.sh")
    assert not os.access(script, os.X_OK) or not script.stat().st_mode & 0o111
    assert "docker_process_sql" in script.read_text()


def test_networks_are_declared_and_records_stay_inside():
    used = {name for service in SERVICES.values() for name in service.networks}
    assert used == set(STACK.networks) == {"lake", "metadata"}
    assert STACK.networks["metadata"].internal
    assert not STACK.networks["lake"].internal  # else no port of it could be published
    for name in ("postgres", "redis"):
        assert SERVICES[name].networks == ["metadata"]
        assert SERVICES[name].ports == []
    for name, service in SERVICES.items():
        for needed in service.depends_on:
            assert set(service.networks) & set(SERVICES[needed].networks), f"{name} and {needed}"


STARTS_AS_ROOT = {"source", "postgres", "redis"}  # each gives its volume to its own user


@each_service
def test_services_have_no_more_rights_than_they_need(name):
    service = SERVICES[name]
    assert service.security_opt == ["no-new-privileges:true"]
    assert (service.cap_drop == ["ALL"]) == (name not in STARTS_AS_ROOT)
    assert not any("docker.sock" in volume for volume in service.volumes)


def test_root_file_systems_are_read_only_where_they_can_be():
    assert {name for name, service in SERVICES.items() if not service.read_only} == {
        *("source", "postgres", "kafka", "connect", "dremio", "superset", "superset-init"),
        *("airflow-init", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor"),
    }
    for name, service in SERVICES.items():
        if service.read_only:
            assert "/tmp" in service.tmpfs, name
    ours = ("register", "stream", "score", "api", "drift", "observe", "dashboard")
    for name in (*ours, "dremio-refresh"):
        home = SERVICES[name].environment["FINLAKE_HOME"]
        writable = [*SERVICES[name].mounts, *SERVICES[name].tmpfs]
        assert any(home.startswith(place) for place in writable), name


@each_service
def test_services_have_limits(name):
    service = SERVICES[name]
    limits = service.deploy.resources.limits
    assert 0 < float(limits.cpus) <= 2  # Docker refuses more than the machine has
    assert 128 <= megabytes(limits.memory) <= 4096
    heaps = re.findall(r"-Xmx(\d+[mg])", service.words)
    assert sum(map(megabytes, heaps)) < megabytes(limits.memory)


def test_documented_memory_is_the_sum_of_the_limits():
    def gib(*profiles):
        sizes = [
            megabytes(service.deploy.resources.limits.memory)
            for service in SERVICES.values()
            if set(profiles) & set(service.profiles) and not service.once
        ]
        return round(sum(sizes) / 1024)

    said = re.search(
        r"(\d+) GiB for core, (\d+) with\s+bi, (\d+) with ops, (\d+) for all", DOCS.read_text()
    )
    assert said
    expected = [gib("core"), gib("core", "bi"), gib("core", "ops"), gib("all")]
    assert [int(number) for number in said.groups()] == expected


# ── Documents ────────────────────────────────────────────────────────────────────────────────────


def test_the_documented_services_are_those_of_the_file():
    row = r"^\| `([a-z0-9-]+)` \| .*?`(.+?)` \| (.+?) \| (.*?) ?\| .+ \|$"
    shown = {name: rest for name, *rest in re.findall(row, DOCS.read_text(), re.MULTILINE)}
    assert shown == {
        name: [
            OWN[name].dockerfile.removesuffix("/Dockerfile")
            if name in OWN
            else service.image.split("@")[0],
            ", ".join(service.profiles),
            ", ".join(map(str, service.host_ports)),
        ]
        for name, service in SERVICES.items()
    }


def test_documents_say_that_it_was_not_run():
    assert "checked statically and was not run" in DOCS.read_text()
