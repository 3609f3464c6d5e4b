"""The continuous proof on the real components, while traffic runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import requests
from deltalake import DeltaTable

from tests.support.stack import run, running_stack, start


def test_equal_while_traffic_runs_and_a_row_tampered_with_is_found(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_stack(home, extras=("stream",)):
        run(home, "generate", "--transactions", "2000", "--seed", "1")
        run(home, "verify", "--wait", "120")
        traffic = start(
            home, "traffic", "--rate", "100", "--seconds", "0", stdout=subprocess.DEVNULL
        )
        words = ("verify", "--watch", "--every", "1", "--json", "--fail", "--port", "0")
        watch = start(
            home,
            *words,
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
