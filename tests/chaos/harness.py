"""What every scenario needs: a stack with traffic, a disturbance, and the proof afterwards.

A scenario is seeded: ``CHAOS_SEED=7`` gives the same moments, rates and faults again. What comes
between two moments is up to the machine, so a seed repeats the attack, not each interleaving.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pymysql

from batch_jobs.bench.figures import commit
from batch_jobs.traffic import TRANSFER_MERCHANT
from finlake.errors import FinlakeError
from infra.database.schema import connect
from infra.lake.query import Query
from infra.settings import Settings
from tests.support.stack import finlake, start, status_of, wait_for

__all__ = ["COMMIT", "LONG", "REPORT", "SEED", "TIMES", "World"]

LONG = os.environ.get("CHAOS_LONG") == "1"
"""The long form, ``make chaos``; the short one is part of ``make integration``."""

TIMES = int(os.environ.get("CHAOS_TIMES") or (5 if LONG else 1))
"""How often each disturbance strikes."""

SEED = int(os.environ.get("CHAOS_SEED") or int.from_bytes(os.urandom(3), "big"))
COMMIT = commit()

REPORT: list[dict[str, Any]] = []
"""What was done and how long it took to recover; printed at the end of the run."""

_RATE = float(os.environ.get("CHAOS_RATE") or 300)  # changes a second, beside JVMs that start anew
_PAUSE_S = (1.0, 12.0) if LONG else (1.0, 4.0)  # under load before a disturbance strikes
_PATIENCE_S = 300.0
_MARK = """
INSERT INTO transactions (id, date, client_id, card_id, amount, use_chip, merchant_id, mcc)
SELECT %s, UTC_TIMESTAMP(6), client_id, id, 12.34, 'Online Transaction', 1, 5411
FROM cards ORDER BY id LIMIT 1"""


class World:
    """A running stack with its stream, and what is asked of it.

    Args:
        settings: of the stack.
        name: for the report; also gives each world moments of its own.
        env: further FINLAKE_* settings with which its commands run.
    """

    def __init__(self, settings: Settings, name: str, env: dict[str, str] | None = None) -> None:
        self.settings = settings
        self.name = name
        self.random = Random(f"{SEED} {name}")
        self._env = env or {}
        self._query = Query(settings)

    # ── Commands ─────────────────────────────────────────────────────────────────────────────

    def run(self, *words: str, code: int = 0) -> str:
        """Run a finlake command that has to end with this exit code; gives what it printed."""
        done = finlake(self.settings.home, *words, **self._env)
        assert done.returncode == code, (
            f"finlake {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a SELECT over the lake."""
        rows: list[dict[str, Any]] = self._query.query(sql).to_pylist()
        return rows

    def source(self, *statements: str) -> None:
        """Run statements in one database transaction of the source."""
        with closing(connect(self.settings)) as link, link.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            link.commit()

    def value(self, sql: str) -> Any:
        """The one value that a SELECT in the source gives."""
        with closing(connect(self.settings)) as link, link.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
        assert row is not None, sql
        return row[0]

    def component(self, name: str) -> dict[str, Any]:
        """What ``finlake status`` says of a component."""
        return status_of(self.settings.home)[name]

    # ── Traffic ──────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def traffic(self, rate: float = _RATE, mix: str = "70/25/5") -> Iterator[None]:
        """Traffic in the background until the end of the block; it has to end well."""
        home = self.settings.home
        words = ["traffic", "--rate", f"{rate:g}", "--seconds", "0", "--mix", mix, "--json"]
        words += ["--seed", str(self.random.randrange(1_000_000))]
        with (home.parent / "traffic.log").open("w+b") as log:
            process = start(home, *words, stdout=log, stderr=subprocess.STDOUT)
            try:
                yield
                assert process.poll() is None, _last_line(log.name)
                process.send_signal(signal.SIGINT)
                assert process.wait(120) == 0, _last_line(log.name)
            finally:
                process.kill()
                process.wait()
        figures = json.loads(_last_line(log.name))
        self.note("traffic", changes=figures["changes"], reconnects=figures["reconnects"])

    # ── Disturbances ─────────────────────────────────────────────────────────────────────────

    def disturb(self, what: str, act: Callable[[], float | None]) -> None:
        """Wait for a random moment, let ``act`` do its harm, and wait until changes flow again.

        They flow when a row that was committed after ``act`` returned can be read in gold. The
        times count from what ``act`` returns, seconds since 1970, or else from when it did.
        """
        self.wait_random()
        ended = act() or time.time()
        key = -int(ended * 1e6)
        wait_for(lambda: self._mark(key), f"{what}: the source takes a row", _PATIENCE_S)
        seen = f"SELECT count(*) AS n FROM gold.fact_transactions WHERE transaction_id = {key}"
        wait_for(lambda: self._ask(seen) == 1, f"{what}: the row is in gold", _PATIENCE_S)
        recovered = time.time() - ended
        batch = (
            "SELECT min(epoch(started_at) + duration_ms / 1000) AS n FROM gold.pipeline_batches "
            f"WHERE epoch(started_at) > {ended}"
        )
        first = wait_for(lambda: self._ask(batch), f"{what}: a whole batch", _PATIENCE_S)
        twice = "SELECT count(*) - count(DISTINCT transaction_id) AS n FROM gold.fact_transactions"
        assert self._ask(twice) == 0, f"{what}: transactions are in gold twice"
        self.note(what, first_batch_s=round(first - ended, 1), recovered_s=round(recovered, 1))

    def wait_random(self) -> None:
        """Wait for a random moment under load."""
        time.sleep(self.random.uniform(*_PAUSE_S))

    def _mark(self, key: int) -> bool:
        try:
            with closing(connect(self.settings)) as link, link.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM transactions WHERE id = %s", (key,))
                if cursor.fetchone() == (0,):  # else only the answer was lost
                    cursor.execute(_MARK, (key,))
                    link.commit()
        except (FinlakeError, pymysql.MySQLError, OSError):
            return False
        return True

    def _ask(self, sql: str) -> Any:
        """The value ``n`` of one row; None while the lake cannot be read."""
        time.sleep(0.4)  # which leaves the processor to those who recover
        try:
            return self.query(sql)[0]["n"]
        except FinlakeError:
            return None

    # ── Proof ────────────────────────────────────────────────────────────────────────────────

    def prove(self) -> dict[str, Any]:
        """Source, silver and gold agree, every event is accounted for, no money came or went."""
        began = time.monotonic()
        last: dict[str, Any] = json.loads(
            self.run("verify", "--json", "--wait", "180").split("\n")[-2]
        )
        assert last["equal"] is True, last
        parts = last["applied"] + last["superseded"] + last["quarantined"]
        assert last["bronze_events"] == parts > 0, last
        (money,) = self.query(
            "SELECT count(*) AS n, sum(amount) AS amount FROM gold.fact_transactions "
            f"WHERE merchant_id = {TRANSFER_MERCHANT}"
        )
        assert money["n"] > 0, "there was no transfer to prove anything with"
        assert money["amount"] == 0, f"{money['n']} transfers add up to {money['amount']}"
        self.note("verified", **last, verify_s=round(time.monotonic() - began, 1))
        return last

    def note(self, what: str, **values: Any) -> None:
        """Add a line to the report."""
        about = {"world": self.name, "what": what, "seed": SEED, "commit": COMMIT}
        REPORT.append({**about, **values})


def _last_line(path: str) -> str:
    lines = Path(path).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "traffic said nothing"
