"""Airflow in the stack: what its programs are given, and its own command line."""

import json
import re
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from finlake.cli import main
from infra.settings import load_settings, secret
from infra.stack import airflow, plan
from infra.stack.airflow import airflow_password
from infra.stack.doctor import examine
from infra.stack.home import Home

PORTS = {"airflow": 8080}
PARTS = ["airflow", "scheduler", "dags"]


@pytest.fixture
def parts(home):
    settings = load_settings(jobs_webhook="https://hooks.invalid/a-secret")
    made = plan.build(settings, PARTS, PORTS)
    for part in made.values():
        part.prepare()
    return made


def test_airflow_is_three_programs_that_start_after_its_tables_are_there(home):
    for part in PARTS:
        assert plan.wanted(load_settings(), [part])[3:] == PARTS
    made = plan.build(load_settings(), PARTS, PORTS)
    assert made["airflow"].needs == ()
    assert made["scheduler"].needs == made["dags"].needs == ("airflow",)
    (wish,) = [wish for part in made.values() for wish in part.wishes(load_settings(), set())]
    assert (wish.name, wish.preferred, wish.explicit) == ("airflow", 8080, False)


def test_its_programs_listen_on_loopback_and_keep_no_secret_in_sight(parts):
    home = load_settings().home
    made = parts["airflow"]
    assert made.address == made.env()["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8080"
    assert made.env()["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert "--skip-serve-logs" in parts["scheduler"].command()  # which would be on all addresses
    key = (made.data / "fernet_key").read_text()
    Fernet(key)
    hidden = [
        airflow_password(home),
        key,
        secret(home, "airflow_secret_key"),
        secret(home, "airflow_jwt_secret"),
        "a-secret",
    ]
    assert len(set(hidden)) == 5
    for part in parts.values():
        seen = " ".join([*part.command(), *part.env().values()])
        assert [one for one in hidden if one in seen] == []
    for name in ("passwords.json", "fernet_key", "webhook"):
        assert stat.S_IMODE((made.data / name).stat().st_mode) == 0o600
    assert json.loads((made.data / "passwords.json").read_text()) == {
        "admin": airflow_password(home)
    }


def test_without_a_webhook_nobody_is_told(home):
    (made,) = plan.build(load_settings(), ["airflow"], PORTS).values()
    made.prepare()
    assert (made.data / "webhook").read_text() == ""


def test_tasks_find_this_finlake_and_nothing_else_of_the_project(parts):
    env = parts["scheduler"].env()
    assert (Path(env["PATH"].split(":")[0]) / "python").exists()
    folders = [Path(folder) for folder in env["PYTHONPATH"].split(":")]
    assert not any((folder / "infra").exists() for folder in folders)
    assert {"finlake_airflow.py", "finlake_assets.py"} <= {
        path.name for folder in folders for path in folder.iterdir()
    }
    assert env["FINLAKE_HOME"] == str(load_settings().home)
    assert env["EMBEDDED_STACK"] == "yes"


def test_its_own_settings_may_be_set(parts, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "7")
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    env = parts["scheduler"].env()
    assert env["AIRFLOW__CORE__PARALLELISM"] == "7"
    assert env["AIRFLOW_HOME"] == str(parts["airflow"].data)


def test_a_part_is_healthy_when_airflow_has_heard_of_it(home):
    unused = plan.build(load_settings(), PARTS, {"airflow": 1})
    assert [part.is_healthy() for part in unused.values()] == [False, False, False]
    assert re.fullmatch(r"Airflow 3\.\d+\.\d+", unused["airflow"].version)


def test_the_command_line_needs_an_airflow_that_has_run(home, capsys):
    assert main(["airflow", "dags", "list"]) == 3
    assert "`finlake up --with airflow`" in capsys.readouterr().err


def test_the_command_line_is_airflows_for_this_home(parts, monkeypatch, tmp_path):
    home = Home(load_settings().home)
    home.make()
    home.write_json(home.ports_file, PORTS)
    (parts["airflow"].data / "made_by").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    environment = airflow._environment()
    environment.folder.mkdir(parents=True)
    (environment.folder / "installed").touch()
    ran = []
    monkeypatch.setattr("os.execve", lambda *given: ran.append(given))
    main(["airflow", "dags", "test", "topic_init", "--conf", "{}"])
    main(["airflow", "dags", "list"])
    (program, test, env), (_, listed, also) = ran
    assert program == str(environment.python)
    assert test[1:] == ["-m", "airflow", "dags", "test", "topic_init", "--conf", "{}"]
    assert env["AIRFLOW__API__PORT"] == "8080"
    assert env["NO_DEADLINES"] == "yes"
    assert listed[1:] == ["-m", "airflow", "dags", "list"]
    assert "NO_DEADLINES" not in also


def test_the_doctor_says_how_airflow_comes(home, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (found,) = [one for one in examine(load_settings()) if one.what == "airflow"]
    assert (found.state, "finlake up --with airflow" in found.text) == ("note", True)
