"""What a change costs in each process of the chain, on clusters of different size.

A warm stream, every other part warm too, takes a backlog that was committed while the connector was
down. What the processes spend when nothing happens is measured apart, and taken off for the time in
which the stream waited. The busiest thread of each process shows what cannot be spread: more cores
do not make it faster. The sizing model of ``docs/scaling.md`` is made of these three.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from batch_jobs.bench.chain import APPLIED, refuse_stream, running_stream, wait_until_quiet
from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.processes import Watch, stack_pids, thread_seconds
from batch_jobs.bench.throughput import (
    commit_changes,
    records_in_kafka,
    run_once,
    wait_for_kafka,
)
from connectors.config import connector_name
from connectors.rest import Connect
from finlake.errors import FinlakeError
from infra.lake.query import Query
from infra.settings import Settings
from infra.stack.cluster import cluster
from infra.stack.control import status

__all__ = ["scale"]

Said = Callable[[str], None]
_IDLE_S = 15.0


def scale(
    settings: Settings,
    workers: Sequence[int],
    changes: int,
    seed: int = 1,
    said: Said = lambda _: None,
) -> Iterator[Figure]:
    """Measure with so many Spark workers of one core each; 0 is the stream in one process.

    Raises:
        UsageProblem: when the stream runs.
        ComponentMissing: when a part of the stack, or of the cluster, is not there.
        FinlakeError: when the connector or the stream fails.
    """
    refuse_stream(settings)
    said("applying what is in Kafka already")
    run_once(settings)
    for turn, count in enumerate(workers):
        with ExitStack() as stack:
            there, pids = settings, stack_pids(settings)
            if count:
                found = stack.enter_context(cluster(settings.home / "cluster", count))
                there = settings.model_copy(update={"spark_master": found.master})
                pids |= found.pids
            stream = running_stream(there)
            stack.callback(stream.wait)
            stack.callback(stream.send_signal, signal.SIGTERM)
            pids["stream"] = stream.pid
            yield from _measure(there, count, pids, changes, seed + turn * changes * 4, said)


def _measure(
    settings: Settings, workers: int, pids: dict[str, int], changes: int, seed: int, said: Said
) -> Iterator[Figure]:
    said(f"{workers} workers: warming up")
    _catch_up(settings, changes, seed)
    said(f"{workers} workers: {changes:,} changes")
    before = {name: thread_seconds(pid) for name, pid in pids.items()}
    with Watch(pids) as busy:
        committed, began, ended, events = _catch_up(settings, changes, seed + changes * 2)
        waited_s = time.time() - ended
    after = {name: thread_seconds(pid) for name, pid in pids.items()}
    with Watch(pids) as idle:
        time.sleep(_IDLE_S)
    params: dict[str, float | int | str] = {
        "workers": workers,
        "changes": committed,
        "partitions": settings.topic_partitions,
        "seed": seed,
        "source": settings.source_flavour,
        "lake": settings.lake.partition(":")[0],
    }
    components = {one.component: one.version for one in status(settings)}
    figures = Figures("scale", params, components)
    yield figures.of("rate", events / (ended - began), "changes/s")
    for name in sorted(pids):
        rest = idle.spent(name)[0] / _IDLE_S
        spent = busy.spent(name)[0] - rest * waited_s
        yield figures.of(f"cpu.{name}", spent / events * 1e6, "s/million")
        busiest = max((s - before[name].get(t, 0.0) for t, s in after[name].items()), default=0.0)
        yield figures.of(f"busiest_thread.{name}", busiest / events * 1e6, "s/million")
        yield figures.of(f"idle.{name}", rest, "cores")
        yield figures.of(f"peak_rss.{name}", busy.peak(name) / 2**20, "MiB")


def _catch_up(settings: Settings, changes: int, seed: int) -> tuple[int, float, float, float]:
    """Let the chain take a backlog.

    Returns:
        Changes committed; when the connector began and the last batch ended, seconds since 1970;
        changes that the stream has applied.
    """
    connect, name = Connect(settings.connect_url), connector_name(settings.source_flavour)
    connect.stop(name)
    committed = commit_changes(settings, changes, seed)
    before, began = records_in_kafka(settings), time.time()
    connect.resume(name)
    wait_for_kafka(settings, before, time.monotonic(), committed * 9 // 10)
    wait_until_quiet(settings, began)
    found = Query(settings).query(APPLIED, [int(began * 1e6)]).to_pylist()[0]
    if not found["events"]:
        raise FinlakeError("the stream found no changes; see `finlake connectors status`")
    return committed, began, float(found["ended"]), float(found["events"])
