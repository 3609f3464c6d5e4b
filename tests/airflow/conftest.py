"""Airflow's own environment, made once; what it says of the DAGs, and runs of them on one stack."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings, load_settings
from infra.stack.airflow import Airflow, check_airflow
from infra.stack.progress import quiet
from tests.support.stack import run, running_stack

DAGS = Path(__file__).parents[2] / "dags"
LOOK = Path(__file__).parent / "look.py"
NAMES = sorted(path.stem for path in DAGS.glob("*.py"))
TRANSACTIONS = 30_000
RUN = Path(__file__).parent / "run.py"
TEST = {
    "NO_DEADLINES": "yes",
    "JOBS_RETRY_S": "1",
    # So little history has few frauds, and a busy machine is no fault of a model.
    "FINLAKE_GATE_CONFIDENCE": "0.6",
    "FINLAKE_GATE_DAYS": "180",
    "FINLAKE_GATE_FRAUDS": "1",
    "FINLAKE_GATE_LATENCY_MS": "5000",
}


def looked_at(folder: Path, home: Path) -> dict[str, Any]:
    """What ``look.py`` says of the DAGs in that folder."""
    done = python_of(prepared(load_settings(home=home)), home, str(LOOK), str(folder))
    found: dict[str, Any] = json.loads(done.splitlines()[-1])
    return found


def prepared(settings: Settings) -> Airflow:
    """Airflow in that home, ready to be started; it does not run."""
    airflow = Airflow(settings, {"airflow": 1})
    airflow.fetch(quiet)
    airflow.prepare()
    return airflow


def python_of(airflow: Airflow, folder: Path, *words: str, **env: str) -> str:
    """Run Airflow's own Python as its programs are run; gives what it printed."""
    python = check_airflow()
    assert python is not None
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FINLAKE_")}
    done = subprocess.run(
        [str(python / "bin" / "python"), *words],
        env={**kept, **airflow.env(), **env},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


@dataclass(frozen=True)
class Ran:
    """A run of a DAG: whether it ended well, each task's state and tries, and what was printed."""

    good: bool
    states: dict[str, str]
    tries: dict[str, int]
    printed: str


@dataclass
class World:
    """A home whose stack runs with the stream, and what the webhook was told."""

    home: Path
    webhook: str
    told: list[dict[str, Any]] = field(default_factory=list)

    def test(self, *runs: tuple[str, dict[str, Any]]) -> list[Ran]:
        """`airflow dags test` of these DAGs, with parameters, one after the other."""
        airflow = prepared(load_settings(home=self.home, jobs_webhook=self.webhook))
        answer = self.home.parent / "answer.json"
        words = [str(RUN), str(answer), json.dumps(runs)]
        printed = python_of(airflow, self.home.parent, *words, **TEST)
        return [
            Ran(
                one["good"],
                {name: task["state"] for name, task in one["tasks"].items()},
                {name: task["tries"] for name, task in one["tasks"].items()},
                printed,
            )
            for one in json.loads(answer.read_text())
        ]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One stack for all runs, with some history, and Airflow's tables in its home."""
    home = tmp_path_factory.mktemp("airflow") / "my home"
    world = World(home, "")

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            world.told.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    world.webhook = f"http://127.0.0.1:{hook.server_port}/jobs"
    try:
        with running_stack(home, extras=["stream"]):
            size = ("--transactions", str(TRANSACTIONS), "--seed", "2")
            year = ("--start", "2018-07-01", "--end", "2019-06-30")
            run(home, "generate", *size, *year, "--out", "data")
            airflow = prepared(load_settings(home=home, jobs_webhook=world.webhook))
            python_of(airflow, home, *airflow.command()[1:3], "true")
            yield world
    finally:
        hook.shutdown()
        hook.server_close()


@pytest.fixture(scope="session")
def looked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the project's own DAGs are made of."""
    return looked_at(DAGS, tmp_path_factory.mktemp("look"))
