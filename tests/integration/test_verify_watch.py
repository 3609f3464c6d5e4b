"""The continuous proof on the real components, while traffic runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from deltalake import DeltaTable

from tests.support.stack import PROJECT, finlake, running_stack


def test_equal_while_traffic_runs_and_a_row_tampered_with_is_found(tmp_path: Path) -> None:
    home = tmp_path / "home"
    env = {**os.environ, "FINLAKE_HOME": str(home), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "finlake"]
    with running_stack(home, extras=("stream",)):
        done = finlake(home, "generate", "--transactions", "2000", "--seed", "1")
        assert done.returncode == 0, done.stderr
        done = finlake(home, "verify", "--wait", "120")
        assert done.returncode == 0, done.stdout + done.stderr
        traffic = subprocess.Popen(
            [*command, "traffic", "--rate", "100", "--seconds", "0"],
            env=env,
            stdout=subprocess.DEVNULL,
        )
        watch = subprocess.Popen(
            [*command, "verify", "--watch", "--every", "1", "--json", "--fail", "--port", "0"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert watch.stdout
            assert watch.stderr
            address = watch.stderr.readline().split()[-1]
            rounds: list[dict[str, Any]] = []
            while sum(one["changed_keys"] > 0 for one in rounds) < 3:
                rounds.append(json.loads(watch.stdout.readline()))
            assert all(one["equal"] for one in rounds)
            shown = requests.get(address, timeout=10).text
            assert "finlake_reconciliation_equal 1.0" in shown
            assert 'finlake_reconciliation_differences{table="transactions"} 0.0' in shown
            # A table that the traffic leaves alone: two writers of one table would collide.
            codes = DeltaTable(home / "lake/silver/mcc_codes")
            done_ = codes.update({"description": "'Elsewhere'"}, predicate="mcc = 5411")
            assert done_["num_updated_rows"] == 1
            assert watch.wait(120) == 1
            said = watch.stderr.read()
            assert "keys differ (first 5411: description differs)" in said
        finally:
            for process in (traffic, watch):
                process.terminate()
                process.wait(30)
