"""How many changes a second the whole chain takes in, from the source to silver and gold.

A backlog is committed while the stream is stopped; then ``finlake stream --once`` is timed. Changes
wait in Kafka by then, so this is the speed of catching up.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from batch_jobs import traffic
from batch_jobs.bench.figures import Figure
from finlake.errors import FinlakeError, UsageProblem
from infra.lake.query import Query
from infra.settings import Settings
from infra.stack.control import status

__all__ = ["throughput"]

_MOST_RATE = 20_000.0
_SETTLE_S = 5.0  # Debezium is done when nothing new has come for so long


def throughput(
    settings: Settings, changes: int, tell: Callable[[str], None] = lambda _text: None
) -> list[Figure]:
    """Commit a backlog of about so many changes, then time the stream applying it.

    Raises:
        UsageProblem: when the stream runs.
        FinlakeError: when it fails.
    """
    if any(r.component == "stream" and r.pid for r in status(settings)):
        raise UsageProblem("the stream runs; `finlake down`, then `finlake up` without it")
    _stream(settings)
    tell(f"committing a backlog of {changes} changes")
    summary = traffic.run(settings, rate=_MOST_RATE, seconds=changes / _MOST_RATE, seed=1)
    while summary.changes < changes:
        more = (changes - summary.changes) / _MOST_RATE
        again = traffic.run(settings, rate=_MOST_RATE, seconds=max(more, 1), seed=summary.changes)
        summary.rows.update(again.rows)
    time.sleep(_SETTLE_S)
    params: dict[str, object] = {"changes": summary.changes, "lake": settings.lake[:4]}
    tell("streaming it")
    before = _bytes(settings)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = _stream(settings)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    busy = _busy_seconds(settings)
    figures = [
        Figure("throughput", "command_seconds", round(seconds, 2), "s", params),
        Figure("throughput", "batches_seconds", round(busy, 2), "s", params),
        Figure("throughput", "rate", round(summary.changes / busy), "changes/s", params),
        Figure("throughput", "cpu_per_million", round(cpu / summary.changes * 1e6), "s", params),
    ]
    if before is not None:
        written = ((_bytes(settings) or 0) - before) / summary.changes
        figures.append(Figure("throughput", "written", round(written), "bytes/change", params))
    return figures


def _stream(settings: Settings) -> float:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "finlake", "stream", "--once"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**_environment(), "FINLAKE_HOME": str(settings.home)},
    )
    if done.returncode:
        raise FinlakeError(f"finlake stream --once: {done.stderr.strip().splitlines()[-1]}")
    return time.monotonic() - began


def _environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root)}


def _busy_seconds(settings: Settings) -> float:
    """From the start of the newest run's first batch to the end of its last."""
    rows = Query(settings).query(
        """WITH batches AS (
            SELECT started_at, started_at + to_microseconds(CAST(duration_ms * 1000 AS BIGINT))
                AS ended_at, events
            FROM gold.pipeline_batches
            WHERE batch_id > (SELECT max(batch_id) FROM gold.pipeline_batches) - 1000),
        gaps AS (SELECT *, started_at - lag(ended_at) OVER (ORDER BY started_at) AS gap
            FROM batches)
        SELECT epoch(max(ended_at)) - epoch(min(started_at)) AS seconds FROM batches
        WHERE started_at >= (SELECT max(started_at) FROM gaps WHERE gap > INTERVAL 4 SECONDS)"""
    )
    return float(rows.to_pylist()[0]["seconds"])


def _bytes(settings: Settings) -> int | None:
    """Bytes of all of the lake's files; not known for an object store."""
    if not settings.lake.startswith("file:"):
        return None
    root = Path(settings.lake.removeprefix("file:"))
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
