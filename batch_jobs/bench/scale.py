"""What a change costs in each process of the chain, on clusters of different size.

In two legs, so that no part waits for another: Debezium captures a backlog, then the stream takes
it from Kafka, in batches as large as it is set to. What the stream spends until its first batch is
done, while it warms up, does not count. The busiest thread of each process shows what cannot be
spread: more cores do not make it faster. ``docs/scaling.md`` sizes by these figures.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from batch_jobs.bench.chain import running_stream, wait_until_applied
from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.processes import (
    Watch,
    refuse_stream,
    stack_figures,
    stack_pids,
    thread_seconds,
)
from batch_jobs.bench.throughput import (
    Applied,
    all_applied,
    applied,
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

__all__ = ["scale"]

Said = Callable[[str], None]
_IDLE_S = 15.0
_PATIENCE_S = 600.0


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
    backlog = changes + settings.stream_max_offsets
    for turn, count in enumerate(workers):
        params = {"workers": count, "changes": changes, "partitions": settings.topic_partitions}
        figures = stack_figures(settings, "scale", {**params, "seed": seed})
        said(f"{count} workers: capturing {backlog:,} changes")
        committed = _commit(settings, backlog, seed + turn * backlog * 2)
        yield from _capture(settings, committed, figures)
        said(f"{count} workers: streaming them")
        with ExitStack() as stack:
            there = settings
            pids: dict[str, int] = {}
            if count:
                found = stack.enter_context(cluster(settings.home / "cluster", count))
                there = settings.model_copy(update={"spark_master": found.master})
                pids |= found.pids
            began = time.time()
            stream = running_stream(there)
            stack.callback(stream.wait)
            stack.callback(stream.send_signal, signal.SIGTERM)
            pids["stream"] = stream.pid
            yield from _stream(there, pids, began, committed * 9 // 10, figures)


def _commit(settings: Settings, backlog: int, seed: int) -> int:
    """Commit a backlog while the connector is stopped."""
    Connect(settings.connect_url).stop(connector_name(settings.source_flavour))
    return commit_changes(settings, backlog, seed)


def _capture(settings: Settings, committed: int, figures: Figures) -> Iterator[Figure]:
    """Let Debezium bring it to Kafka."""
    before, pids = records_in_kafka(settings), stack_pids(settings)
    spent = _Spent(pids)
    with Watch(pids) as watch:
        began = time.monotonic()
        Connect(settings.connect_url).resume(connector_name(settings.source_flavour))
        records, seconds = wait_for_kafka(settings, before, began, committed * 9 // 10)
    yield figures.of("capture.rate", committed / seconds, "changes/s")
    yield figures.of("capture.records", records / committed, "records/change")
    yield from spent.figures(figures, "capture", committed, watch)


def _stream(
    settings: Settings, pids: Mapping[str, int], began: float, at_least: int, figures: Figures
) -> Iterator[Figure]:
    """Let the stream apply it, and then wait; that many changes are known to come."""
    first = _wait_for(settings, began, 1)
    pids = {**pids, "kafka": stack_pids(settings)["kafka"]}
    spent = _Spent(pids)
    with Watch(pids) as busy:
        _wait_for(settings, began, at_least)
        wait_until_applied(settings)
    last = all_applied(settings, began)
    events = last.events - first.events
    if not events:
        raise FinlakeError("one batch took it all; let --changes be more")
    yield figures.of("stream.rate", events / (last.ended - first.ended), "changes/s")
    yield from spent.figures(figures, "stream", events, busy)
    with Watch(pids) as idle:
        time.sleep(_IDLE_S)
    for name in sorted(pids):
        yield figures.of(f"idle.{name}", idle.spent(name)[0] / _IDLE_S, "cores")


def _wait_for(settings: Settings, began: float, at_least: int) -> Applied:
    lake, deadline = Query(settings), time.monotonic() + _PATIENCE_S
    while (found := applied(lake, began)).events < at_least:
        if time.monotonic() > deadline:
            raise FinlakeError(f"the stream applied {found.events:,.0f} of {at_least:,} changes")
        time.sleep(0.2)
    return found


class _Spent:
    """What processes have spent since now, by thread and all together."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {name: thread_seconds(pid) for name, pid in pids.items()}

    def figures(self, figures: Figures, leg: str, changes: float, watch: Watch) -> Iterator[Figure]:
        """Per million changes; ``watch`` saw the same time."""
        million = changes / 1e6
        for name, pid in sorted(self._pids.items()):
            before = self._before[name]
            threads = [s - before.get(t, 0.0) for t, s in thread_seconds(pid).items()]
            cpu = watch.spent(name)[0]
            yield figures.of(f"{leg}.cpu.{name}", cpu / million, "s/million")
            busiest = max(threads, default=0.0) / million
            yield figures.of(f"{leg}.busiest_thread.{name}", busiest, "s/million")
            yield figures.of(f"{leg}.peak_rss.{name}", watch.peak(name) / 2**20, "MiB")
