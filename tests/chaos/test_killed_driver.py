"""Kill -9 of the streaming application in the middle of traffic: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from infra.lake.query import Query
from tests.support.stack import PROJECT, finlake, running_stack, status_of, wait_for


def test_kill_9_of_the_driver_during_traffic(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_stack(home, extras=("stream",)) as settings:
        done = finlake(home, "generate", "--transactions", "1000", "--seed", "3")
        assert done.returncode == 0, done.stderr
        query = Query(settings)
        traffic = subprocess.Popen(
            [sys.executable, "-m", "finlake", "traffic", "--rate", "300", "--seconds", "40"],
            env={**os.environ, "FINLAKE_HOME": str(home), "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        killed: set[int] = set()
        for _ in range(3):
            wait_for(partial(_has_batches, query, _batches(query) + 3), "batches")
            pid = status_of(home)["stream"]["pid"]
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
            wait_for(partial(_runs_anew, home, pid), "the stream is started again")
        assert len(killed) == 3
        assert traffic.wait(120) == 0
        done = finlake(home, "verify", "--json", "--wait", "180")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["equal"] is True


def _batches(query: Query) -> int:
    statement = "SELECT count(DISTINCT batch_id) AS n FROM gold.pipeline_batches"
    return int(query.query(statement).to_pylist()[0]["n"])


def _has_batches(query: Query, number: int) -> bool:
    return _batches(query) > number


def _runs_anew(home: Path, killed: int) -> bool:
    stream = status_of(home)["stream"]
    return stream["state"] == "healthy" and stream["pid"] not in (None, killed)
