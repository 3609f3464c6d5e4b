"""``finlake dashboard`` and what it is served with."""

from __future__ import annotations

import os
import re
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import dashboard
from finlake.cli import main
from finlake.commands.dashboard import command, next_free
from finlake.errors import ComponentMissing
from infra.environment import environment

ROOM = Path(dashboard.__file__).parent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINLAKE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda path, words, env: calls.append(words))
    return calls


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_it_serves_the_app_at_the_port(home, started, capsys):
    port = next_free(0)
    assert main(["dashboard", "--port", str(port)]) == 0
    assert started == [command(port)]
    assert started[0][0] == sys.executable
    assert Path(started[0][4]) == ROOM / "app.py"
    assert f"http://127.0.0.1:{port}" in capsys.readouterr().out


def test_a_set_port_that_is_taken_moves_on_but_an_asked_one_is_refused(
    home, started, taken, monkeypatch, capsys
):
    monkeypatch.setenv("FINLAKE_PORT_DASHBOARD", str(taken))
    assert main(["dashboard"]) == 0
    assert int(started[0][-1]) > taken
    assert main(["dashboard", "--port", str(taken)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert len(started) == 1


def test_a_wrong_setting_stops_the_start(home, started, monkeypatch, capsys):
    monkeypatch.setenv("FINLAKE_LAKE", "ftp://nowhere")
    assert main(["dashboard"]) == 2
    assert "FINLAKE_LAKE" in capsys.readouterr().err
    assert not started


def test_no_port_left_is_said(monkeypatch):
    monkeypatch.setattr("infra.stack.ports.is_free", lambda port: False)
    with pytest.raises(ComponentMissing, match="no free port"):
        next_free(65_530)


def test_the_packages_are_found_from_any_folder(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert environment()["PYTHONPATH"].split(os.pathsep) == [str(ROOM.parent), "/elsewhere"]


def test_it_is_served_on_loopback_and_tells_nobody():
    config = tomllib.loads((ROOM / ".streamlit" / "config.toml").read_text("utf-8"))
    assert config["server"]["address"] == "127.0.0.1"
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"


def test_no_file_names_another_host():
    for path in ROOM.rglob("*"):
        if path.suffix in {".py", ".css", ".toml", ".svg"}:
            for address in re.findall(r"https?://[^\s\"')]+", path.read_text("utf-8")):
                assert address.startswith(("http://www.w3.org/2000/svg", "http://127.0.0.1"))
