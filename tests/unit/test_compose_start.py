"""infra/start_infra.sh against a stand-in for Docker."""

import json
import os
import re
import shutil
import stat
from collections import Counter

import pytest

from tests.unit.compose_stack import (
    COMPOSE,
    PUBLISHED,
    SERVICES,
    STACK,
    START,
    make_secrets,
    shell,
)

HEALTHY = "dashboard running 0 healthy\nregister exited 0 \nkafka running 0 healthy\n"

# It notes what it is told; the files beside it say what it answers. `next` becomes the answer of
# `ps` after the first one.
DOCKER = """#!/bin/bash
here=${0%/*}/..
printf '%s\\n' "$*" >> "$here/calls"
case "$*" in
  "compose version --short") cat "$here/version" ;;
  info) exit "$(cat "$here/info")" ;;
  *" config --quiet") ;;
  *" up "*) exit "$(cat "$here/up")" ;;
  *" ps --services "*) cut -d' ' -f1 "$here/ps" ;;
  *" ps --all --quiet") cat "$here/ps" ;;
  *" ps --all --format "*)
    cat "$here/ps"
    if [[ -e $here/next ]]; then mv "$here/next" "$here/ps"; fi
    ;;
  *" logs "*) echo "log of ${*: -1}" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with the script and the compose file, and beside it the stand-in."""
    place = tmp_path / "checkout"
    (place / "infra").mkdir(parents=True)
    shutil.copy(START, place / "infra")
    shutil.copy(COMPOSE, place)
    (tmp_path / "bin").mkdir()
    for name, text in {"docker": DOCKER, "sleep": "#!/bin/sh\n"}.items():
        program = tmp_path / "bin" / name
        program.write_text(text)
        program.chmod(0o755)
    answer(place, version="v2.40.3", info="0", up="0", ps=HEALTHY)
    return place


def answer(checkout, **texts):
    for name, text in texts.items():
        (checkout.parent / name).write_text(text)


def run(checkout, *words, path=None):
    path = path or f"{checkout.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return shell(checkout / "infra" / START.name, *words, env={"PATH": path})


def calls(checkout):
    noted = checkout.parent / "calls"
    return noted.read_text().splitlines() if noted.exists() else []


# ── Use ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_script_can_be_executed():
    assert START.stat().st_mode & stat.S_IXUSR


def test_help_shows_options_codes_and_an_example(checkout):
    done = run(checkout, "--help")
    assert done.returncode == 0
    assert calls(checkout) == []
    for word in (
        "--profile",
        "--timeout",
        "--no-build",
        "Exit codes",
        "Example:",
        "stop",
        "status",
    ):
        assert word in done.stdout
    for profile in ("core", "bi", "ops", "scale", "all"):
        assert re.search(rf"^ +{profile} +\w", done.stdout, re.MULTILINE), profile


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nope"], "--nope is unknown"),
        (["restart"], "restart is unknown"),
        (["--profile"], "--profile wants a name"),
        (["--profile", "web"], "--profile web is unknown"),
        (["--timeout", "soon"], "--timeout wants a number of seconds, not 'soon'"),
        (["--timeout", "0"], "--timeout wants a number"),
        (["start", "stop"], "start and stop cannot go together"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(checkout, words, said):
    done = run(checkout, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert calls(checkout) == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"version": "v2.20.1"}, "docker compose 2.20.1 is too old; install 2.24.0"),
        ({"info": "1"}, "the Docker engine does not answer"),
        ({"version": None}, "docker has no compose plugin"),
    ],
)
def test_a_missing_engine_is_exit_3(checkout, answers, said):
    for name, text in answers.items():
        if text is None:
            (checkout.parent / name).unlink()
        else:
            answer(checkout, **{name: text})
    done = run(checkout)
    assert done.returncode == 3
    assert said in done.stderr
    assert not any(" up " in call for call in calls(checkout))


def test_no_docker_at_all_is_exit_3(checkout):
    tools = checkout.parent / "without"
    tools.mkdir()
    for name in ("bash", "dirname"):
        (tools / name).symlink_to(str(shutil.which(name)))
    done = run(checkout, path=str(tools))
    assert done.returncode == 3
    assert "docker is not on the path" in done.stderr


# ── Start ────────────────────────────────────────────────────────────────────────────────────────


def test_start_starts_the_profiles_waits_and_prints_addresses(checkout):
    answer(checkout, ps="dashboard running 0 starting\nkafka running 0 healthy\n", next=HEALTHY)
    done = run(checkout, "--profile", "bi", "--profile", "ops")
    assert done.returncode == 0, done.stderr
    assert "made " in done.stdout
    assert "waiting for dashboard (starting)" in done.stdout
    assert re.search(r"^ +Dashboard +http://127\.0\.0\.1:8501$", done.stdout, re.MULTILINE)
    assert "Superset" not in done.stdout  # it does not run
    (up,) = [call for call in calls(checkout) if " up " in call]
    assert "--profile core --profile bi --profile ops up" in up
    assert "--detach" in up
    assert " --build" in up
    named = [call for call in calls(checkout) if "--profile" in call]
    assert all(f"--file {checkout}/docker-compose.yml" in call for call in named)


def test_no_build_takes_the_images_as_they_are(checkout):
    run(checkout, "--no-build")
    (up,) = [call for call in calls(checkout) if " up " in call]
    assert "--no-build" in up
    assert " --build" not in up


def test_a_service_that_stays_unhealthy_is_named_with_its_log(checkout):
    answer(checkout, ps=HEALTHY + "stream running 0 unhealthy\n")
    done = run(checkout, "--timeout", "1")
    assert done.returncode == 1
    first, *_, last = done.stderr.splitlines()
    assert first == "stream unhealthy"
    assert "log of stream" in done.stderr
    said = "start_infra.sh: not healthy after 1 s: stream; see 'docker compose logs stream'"
    assert last == said


@pytest.mark.parametrize("state", ["exited 3", "dead 137"])
def test_a_service_that_failed_ends_the_start(checkout, state):
    answer(checkout, up="1", ps=f"kafka running 0 healthy\nregister {state} \n")
    done = run(checkout)
    assert done.returncode == 1
    assert f"register ended with code {state.split()[1]}" in done.stderr
    assert "the start failed: register; see" in done.stderr


def test_a_start_that_docker_refuses_is_exit_1(checkout):
    answer(checkout, up="17", ps="")
    done = run(checkout)
    assert done.returncode == 1
    assert "the start failed; the lines above say why" in done.stderr


# ── Stop and status ──────────────────────────────────────────────────────────────────────────────


def test_stop_keeps_the_volumes(checkout):
    assert run(checkout, "stop").returncode == 0
    assert calls(checkout)[-1].endswith("--profile all down --timeout 60")


def test_status_shows_the_addresses_and_fails_on_a_sick_service(checkout):
    good = run(checkout, "status")
    assert good.returncode == 0
    assert "http://127.0.0.1:8501" in good.stdout
    answer(checkout, ps="kafka restarting 1 \n")
    sick = run(checkout, "status")
    assert sick.returncode == 1
    assert "not healthy: kafka" in sick.stderr
    answer(checkout, ps="")
    nothing = run(checkout, "status")
    assert nothing.returncode == 1
    assert "nothing is started" in nothing.stderr


def test_printed_addresses_are_those_of_the_services():
    lines = START.read_text().split("<< 'TEXT'\n")[2].split("\nTEXT")[0].splitlines()
    printed: Counter[int] = Counter()
    for line in lines:
        service, _, address = line.split(maxsplit=2)
        port = int(re.findall(r"127\.0\.0\.1:(\d+)", address)[0])
        assert port in PUBLISHED[service], line
        printed[port] += 1
        assert set(re.findall(r"(\w+)\.txt", address)) <= set(STACK.secrets)
    assert set(printed) == {port for ports in PUBLISHED.values() for port in ports}
    assert max(printed.values()) == 1


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_those_of_the_file_and_nobody_else_gets_to_them(tmp_path):
    made = make_secrets(tmp_path)
    folder = tmp_path / "infra/compose/secrets"
    assert {f"infra/compose/secrets/{name}" for name in made} == {
        secret.file for secret in STACK.secrets.values()
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # read by users of the containers, who have other ids; see docs/operations/compose.md
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.values()} == {0o444}


def test_secrets_are_long_different_and_fit_together(tmp_path):
    from cryptography.fernet import Fernet

    made = {name.removesuffix(".txt"): p.read_text() for name, p in make_secrets(tmp_path).items()}
    assert all(text and text == text.strip() for text in made.values())
    plain = [text for text in made.values() if re.fullmatch(r"[0-9a-f]{48,64}", text)]
    assert len(plain) == len(set(plain)) > 10
    assert len(made["token_key"]) == 64
    assert re.fullmatch(r"mysql://finlake_app:[0-9a-f]{48}@source:3306/finance", made["source_url"])
    assert made["redis_config"] == f"requirepass {made['redis_password']}"
    assert made["redis_url"] == f"redis://:{made['redis_password']}@redis:6379/1"
    for name in ("airflow", "mlflow", "superset"):
        password = made[f"{name}_database_password"]
        uri = f"postgresql+psycopg2://{name}:{password}@postgres:5432/{name}"
        assert made[f"{name}_database_uri"] == uri
    Fernet(made["airflow_fernet_key"])
    environment = SERVICES["airflow-api-server"].environment
    name, _, role = environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].partition(":")
    assert (set(json.loads(made["airflow_passwords"])), role) == ({name}, "admin")


def test_secrets_are_made_once(checkout):
    folder = checkout / "infra/compose/secrets"
    run(checkout, "secrets")
    first = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "grafana_password.txt").unlink()
    done = run(checkout, "secrets")
    second = {path.name: path.read_text() for path in folder.iterdir()}
    assert done.stdout == "made 1 secret(s) in infra/compose/secrets\n"
    assert calls(checkout) == []
    assert {name for name in first if first[name] != second[name]} == {"grafana_password.txt"}
