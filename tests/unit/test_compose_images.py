"""Images of the stack in containers: exact versions, Dockerfiles that keep the rules."""

import importlib.util
import json
import os
import re
import shutil
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote

import pymysql
import pytest

from finlake.cli import COMMANDS
from infra.database.users import user_statements
from infra.settings import load_settings
from infra.stack.jars import read_lock
from lakehouse_schemas.generate import AIRFLOW_ASSETS
from tests.unit.compose_stack import (
    IMAGES,
    OWN,
    ROOT,
    SERVICES,
    dockerfile,
    finlake_commands,
    froms,
    shell,
)

DOCKERFILES = sorted(IMAGES.glob("*/Dockerfile"))
SCRIPTS = sorted((ROOT / "infra").rglob("*.sh"))
TOOLS = Path(sys.executable).parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

each_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)

# ── Versions ─────────────────────────────────────────────────────────────────────────────────────

IMAGE = re.compile(r"[a-z0-9.-]+(?:/[a-z0-9.-]+){0,2}:(?P<tag>[\w.-]+)(?:@sha256:[0-9a-f]{64})?")


def assert_pinned(image):
    match = IMAGE.fullmatch(image)
    assert match, image
    assert re.search(r"\d+\.\d+|\d{4}-\d{2}-\d{2}", match["tag"]), f"{image}: no exact version"


def tag(name):
    return SERVICES[name].image.split("@")[0].rpartition(":")[2]


@pytest.mark.parametrize("name", SERVICES)
def test_images_have_exact_versions(name):
    assert_pinned(SERVICES[name].image)
    assert SERVICES[name].image.startswith("finlake/") == (name in OWN)


@each_dockerfile
def test_bases_have_exact_versions(path):
    assert froms(path)
    for image in froms(path):
        assert_pinned(image)


def test_every_dockerfile_is_built_and_a_name_means_one_build():
    builds = {(SERVICES[name].image, dockerfile(name)) for name in OWN}
    assert {path for _, path in builds} == set(DOCKERFILES)
    assert len({image for image, _ in builds}) == len(builds)


def test_versions_are_those_of_the_package_and_its_jars():
    jars = {jar.artifact: jar.version for jar in read_lock()}
    assert tag("kafka") == jars["kafka_2.13"]
    for kind in ("mysql", "mariadb"):
        version = jars[f"debezium-connector-{kind}"]
        assert f"quay.io/debezium/connect:{version}" in froms(IMAGES / "connect" / "Dockerfile")
    for name in ("connect", "stream", "dashboard"):
        assert tag(name) == PYPROJECT["project"]["version"]
    assert PYPROJECT["project"]["requires-python"] == "==3.11.*"
    for name in ("stream", "dashboard", "mlflow"):
        assert all(image.startswith("python:3.11.") for image in froms(dockerfile(name)))
    assert f"mlflow=={tag('mlflow')}\n" in (IMAGES / "mlflow" / "requirements.in").read_text()
    assert froms(dockerfile("superset")) == [f"apache/superset:{tag('superset')}"]


def test_minio_is_built_from_the_commit_of_the_embedded_one():
    pinned = re.compile(r"v0\.0\.0-\d{14}-[0-9a-f]{12}")
    (here,) = pinned.findall(dockerfile("minio").read_text())
    assert {here} == set(pinned.findall((ROOT / "infra" / "stack" / "minio.py").read_text()))


# ── Dockerfiles ──────────────────────────────────────────────────────────────────────────────────


def instructions(path):
    """Each instruction and its text, continued lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def copied(path):
    """What a Dockerfile copies from the repository."""
    return [
        word
        for step, text in instructions(path)
        if step == "COPY" and "--from=" not in text
        for word in text.split()[:-1]
        if not word.startswith("--")
    ]


@each_dockerfile
def test_dockerfiles_keep_the_rules(path):
    steps = instructions(path)
    assert "ADD" not in {step for step, _ in steps}
    users = [text for step, text in steps if step == "USER"]
    assert users
    assert users[-1] not in ("0", "root")
    for text in [text for step, text in steps if step == "RUN"]:
        assert not re.search(r"https?://|\b(curl|wget) [^&]*\|", text), text
        for install in re.findall(r"pip install [^&]*", text):
            ours = re.search(r"--no-deps .*--editable \.", install)
            assert ours or "--require-hashes" in install, install
        if "apt-get install" in text:
            assert "--no-install-recommends" in text
            assert text.rstrip().endswith("/var/lib/apt/lists/*") or "&& useradd" in text


def ignored(name):
    """Whether .dockerignore keeps a file from the builds: the last rule that fits decides."""
    path, decision = Path(name), False
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = rule.removeprefix("!")
        if pattern.startswith("**/"):
            fits = any(fnmatch(part, pattern[3:]) for part in path.parts)
        else:
            fits = any(fnmatch(str(place), pattern) for place in (path, *path.parents))
        if fits and pattern and not pattern.startswith("#"):
            decision = not rule.startswith("!")
    return decision


@each_dockerfile
def test_dockerfiles_copy_what_is_there(path):
    for source in copied(path):
        assert (ROOT / source).exists(), source
        assert not ignored(source), f".dockerignore leaves {source} out"


@pytest.mark.parametrize(
    "path",
    [
        *("infra/compose/secrets/token_key.txt", ".finlake/secrets/token_key", ".env"),
        *(".git/config", ".venv/bin/python", "finlake/__pycache__/cli.pyc", "tests/conftest.py"),
    ],
)
def test_builds_see_no_data_and_no_secrets(path):
    assert ignored(path)


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("runtime", {COMMANDS[words.split()[0]].module for words in finlake_commands()}),
        ("dashboard", set()),
    ],
)
def test_an_image_has_every_module_that_its_modules_import(name, commands):
    """Of the commands, which import when they are called, those that the services use."""
    places = [ROOT / source for source in copied(IMAGES / name / "Dockerfile")]
    found = [[place] if place.is_file() else place.rglob("*.py") for place in places]
    files = {file for group in found for file in group if file.suffix == ".py"}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    importing = re.compile(r"^( *)(?:from|import) ([\w.]+)", re.MULTILINE)
    asked = {
        (module, file)
        for file in files
        for indent, module in importing.findall(file.read_text())
        if module.partition(".")[0] in rooms
        if (file.stem in commands if file.parent.name == "commands" else not indent)
    }
    assert len(asked) > 20
    for module, file in asked:
        place = ROOT / module.replace(".", "/")
        assert {place.with_suffix(".py"), place / "__init__.py"} & files, f"{file}: {module}"


def test_the_dashboard_answers_beyond_its_container():
    (command,) = [t for step, t in instructions(dockerfile("dashboard")) if step == "CMD"]
    words = json.loads(command)
    assert words[words.index("--server.address") + 1] == "0.0.0.0"  # noqa: S104
    port = int(words[words.index("--server.port") + 1])
    assert port in SERVICES["dashboard"].host_ports.values()
    assert (ROOT / words[words.index("run") + 1]).is_file()


@each_dockerfile
def test_hadolint_has_nothing_to_say(path):
    tool = shutil.which("hadolint", path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    if tool is None:
        pytest.skip("NOT LINTED: hadolint is not installed here; the rules above are all there is")
    done = shell(tool, "--no-color", "--config", IMAGES / "hadolint.yaml", path)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(path):
    done = shell(TOOLS / "shellcheck", path)
    assert (done.returncode, done.stdout) == (0, "")


def test_airflow_stands_beside_finlake_and_finds_its_dags():
    """As natively: an environment of its own, after FinLake's on the path, and no way back."""
    stages = dockerfile("airflow-scheduler").read_text().split("\nFROM ")
    (own,) = [stage for stage in stages if stage.startswith("runtime AS airflow")]
    assert OWN["airflow-scheduler"].target == "airflow"
    assert OWN["stream"].target == "runtime"
    wanted = f"apache-airflow=={tag('airflow-scheduler')} "
    assert wanted in (ROOT / "requirements/airflow.txt").read_text()
    folders = re.search(r"PYTHONPATH=(\S+)", own)
    assert folders
    places = [ROOT / Path(place).relative_to("/opt/finlake") for place in folders[1].split(":")]
    assert places == [IMAGES / "airflow", AIRFLOW_ASSETS]
    env = SERVICES["airflow-scheduler"].environment
    assert env["AIRFLOW__CORE__DAGS_FOLDER"] == "/opt/finlake/dags"
    assert "EMBEDDED_STACK" not in env  # jobs about the embedded stack are skipped
    path = re.search(r"PATH=(\S+)", own)
    assert path
    assert path[1].split(":")[-1] == "/opt/airflow/venv/bin"
    for name in ("init", "api-server", "scheduler", "dag-processor"):
        service = SERVICES[f"airflow-{name}"]
        assert "airflow" in service.command[0] or "exec airflow" in service.words
        secret = {target for target in service.granted if target.isupper()}
        assert bool(secret) == (name == "scheduler")


# ── What the images bring of their own ───────────────────────────────────────────────────────────


def with_secrets(folder, *words):
    environment = {"PATH": os.environ["PATH"], "SECRETS_FOLDER": str(folder)}
    return shell(IMAGES / "with-secrets.sh", *words, env=environment)


def test_with_secrets_makes_variables_of_capitals_alone(tmp_path):
    (tmp_path / "FINLAKE_TOKEN_KEY").write_text("ab=c d\n")
    (tmp_path / "redis.conf").write_text("requirepass x")
    assert with_secrets(tmp_path, "printenv", "FINLAKE_TOKEN_KEY").stdout == "ab=c d\n"
    assert "requirepass" not in with_secrets(tmp_path, "env").stdout


def test_with_secrets_passes_words_and_exit_code_on(tmp_path):
    done = with_secrets(tmp_path, "sh", "-c", 'echo "$1"; exit 7', "sh", "two words")
    assert (done.returncode, done.stdout) == (7, "two words\n")


def test_with_secrets_refuses_an_empty_secret(tmp_path):
    (tmp_path / "FINLAKE_TOKEN_KEY").touch()
    done = with_secrets(tmp_path, "echo", "started")
    assert (done.returncode, done.stdout) == (2, "")
    assert "FINLAKE_TOKEN_KEY is empty" in done.stderr


def script(name):
    """A script of the runtime image, as a module; a command of the compose file names it."""
    place = f"infra/images/runtime/{name}.py"
    words = " ".join(word for service in SERVICES.values() for word in service.command)
    assert f"python /opt/finlake/{place}" in words
    spec = importlib.util.spec_from_file_location(name, ROOT / place)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_source_gets_its_users_with_the_rights_of_the_embedded_one(home, monkeypatch):
    said: list[object] = []

    class Connection:
        def __init__(self, **where):
            said.append(where)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            said.append("closed")

        def cursor(self):
            return Cursor()

    class Cursor:
        execute = staticmethod(said.append)
        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda *_: None  # noqa: E731

    module = script("source")
    monkeypatch.setattr(pymysql, "connect", Connection)
    settings = load_settings(
        source_url="mysql://finlake_app:p%40ss@source:3306/finance",
        source_review_url=f"mysql://finlake_review:{quote('r@v')}@source:3306/finance",
        source_cdc_password="cdc",
    )
    module.apply_users(settings, "root-password", "read")
    where, unlogged, *statements, end = said
    assert where == {"host": "source", "port": 3306, "user": "root", "password": "root-password"}
    assert unlogged == "SET sql_log_bin = 0"
    passwords = {"finlake_app": "p@ss", "finlake_cdc": "cdc", "finlake_read": "read"}
    passwords["finlake_review"] = "r@v"
    assert statements == user_statements("mysql", passwords, "%", "finance")
    assert end == "closed"


def test_missing_buckets_are_made(home, monkeypatch, capsys):
    made = []

    class Store:
        def __init__(self, endpoint, **rest):
            assert (endpoint, rest["secret_key"], rest["secure"]) == ("minio:9900", "s", False)

        def bucket_exists(self, name):
            return name == "warehouse"

        def make_bucket(self, name):
            made.append(name)

    module = script("buckets")
    monkeypatch.setattr(module, "Minio", Store)
    for word, text in SERVICES["buckets"].environment.items():
        monkeypatch.setenv(word, text)
    monkeypatch.setenv("FINLAKE_S3_SECRET_KEY", "s")
    module.main(["warehouse", "rootdb", "mlflow"])
    assert made == ["rootdb", "mlflow"]
    assert capsys.readouterr().out == "made the bucket rootdb\nmade the bucket mlflow\n"


def test_the_buckets_are_those_that_services_use():
    *_, buckets = " ".join(SERVICES["buckets"].command).partition("buckets.py ")
    used = {
        bucket
        for service in SERVICES.values()
        for bucket in re.findall(r"s3a?://(\w+)", service.words)
    }
    assert used | {"rootdb"} == set(buckets.split())
