"""How many changes a second the whole chain takes in, from the source to silver and gold.

A backlog is committed while the stream is stopped, and Kafka is waited for until it has all of it;
then ``finlake stream --once`` is timed. So there are two rates: what the source and Debezium gave,
and what the stream took.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from batch_jobs import traffic
from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.processes import (
    Watch,
    end,
    refuse_stream,
    stack_figures,
    stack_pids,
    start,
)
from connectors.config import table_topic
from finlake.errors import FinlakeError
from infra.kafka import kafka_missing
from infra.lake.query import Query
from infra.security import kafka_options
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = [
    "Applied",
    "all_applied",
    "applied",
    "commit_changes",
    "end_once",
    "lake_bytes",
    "lake_grown",
    "records_in_kafka",
    "run_once",
    "start_once",
    "start_stream",
    "throughput",
    "wait_for_kafka",
]

_MOST_RATE = 20_000.0
_PATIENCE_S = 120.0  # while it has not sent what is known to come
_STILL_S = 3.0  # Debezium is done when nothing new has come for so long

_APPLIED = """
SELECT coalesce(sum(events), 0) AS events, epoch(min(started_at)) AS began,
    epoch(max(started_at + to_microseconds(CAST(duration_ms * 1000 AS BIGINT)))) AS ended
FROM gold.pipeline_batches WHERE started_at >= make_timestamptz(?) AND events > 0"""


class Applied(NamedTuple):
    """What the stream has applied: changes, and from when to when, seconds since 1970."""

    events: float
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


def throughput(
    settings: Settings, changes: int, seed: int = 1, said: Callable[[str], None] = lambda _: None
) -> Iterator[Figure]:
    """Commit a backlog of about so many changes, then time the stream applying it.

    Raises:
        UsageProblem: when the stream runs.
        ComponentMissing: when Kafka or the source is not there.
        FinlakeError: when the stream fails.
    """
    refuse_stream(settings)
    pids = stack_pids(settings)
    said("applying what is in Kafka already")
    run_once(settings)
    said(f"committing a backlog of {changes:,} changes")
    before, began = records_in_kafka(settings), time.monotonic()
    with Watch(pids) as captured:
        committed = commit_changes(settings, changes, seed)
        committed_s = time.monotonic() - began
        records, captured_s = wait_for_kafka(settings, before, began)
    said(f"streaming {records:,} records")
    size, since = lake_bytes(settings), time.time()
    process = start_once(settings)
    with Watch({**pids, "stream": process.pid}) as streamed:
        end_once(process)
    done = all_applied(settings, since)
    figures = stack_figures(settings, "throughput", {"changes": int(committed), "seed": seed})
    million = done.events / 1e6
    yield figures.of("commit.rate", committed / committed_s, "changes/s")
    yield figures.of("capture.rate", records / captured_s, "records/s")
    for name in sorted(pids):
        yield figures.of(f"capture.cpu.{name}", captured.spent(name)[0] / million, "s/million")
    yield figures.of("stream.rate", done.events / done.seconds, "changes/s")
    yield figures.of("stream.seconds", done.seconds, "s")
    cpu, written = streamed.spent("stream")
    yield figures.of("stream.cpu", cpu / million, "s/million")
    yield figures.of("stream.disk_written", written / 2**20 / million, "MiB/million")
    yield from lake_grown(settings, figures, "lake.grown", size, million)
    yield from streamed.figures(figures)


def commit_changes(settings: Settings, changes: int, seed: int) -> int:
    """Commit traffic as fast as the source takes it until there are so many changes."""
    committed = 0
    while committed < changes:
        seconds = max((changes - committed) / _MOST_RATE, 1.0)
        summary = traffic.run(settings, rate=_MOST_RATE, seconds=seconds, seed=seed + committed)
        committed += summary.changes
    return committed


def records_in_kafka(settings: Settings) -> int:
    """Records that the topics of the source tables have ever had."""
    topics = [table_topic("finance", c.name) for c in contracts.source_tables()]
    consumer = Consumer({**kafka_options(settings), "group.id": "bench"})
    try:
        known = consumer.list_topics(timeout=10).topics
        return sum(
            consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
            for topic in topics
            if topic in known
            for partition in known[topic].partitions
        )
    except KafkaException as error:
        raise kafka_missing(settings, error) from None
    finally:
        consumer.close()


def wait_for_kafka(
    settings: Settings, before: int, began: float, at_least: int = 1
) -> tuple[int, float]:
    """New records, no fewer than are known to come, and the seconds until the last had come.

    Raises:
        FinlakeError: when they do not come.
    """
    last, at = records_in_kafka(settings), time.monotonic()
    while time.monotonic() - at < (_STILL_S if last - before >= at_least else _PATIENCE_S):
        time.sleep(0.2)
        now = records_in_kafka(settings)
        if now != last:
            last, at = now, time.monotonic()
    if last - before < at_least:
        raise FinlakeError(
            f"{last - before:,} of {at_least:,} records came to Kafka; see `finlake connectors "
            "status`"
        )
    return last - before, at - began


def applied(lake: Query, since: float) -> Applied:
    """What the stream has applied in batches that began then, seconds since 1970, or later."""
    row = lake.query(_APPLIED, [int(since * 1e6)]).to_pylist()[0]
    return Applied(float(row["events"]), row["began"] or since, row["ended"] or since)


def all_applied(settings: Settings, since: float) -> Applied:
    """The same once it is done.

    Raises:
        FinlakeError: when it has applied nothing.
    """
    found = applied(Query(settings), since)
    if not found.events:
        raise FinlakeError("the stream found no changes; see `finlake connectors status`")
    return found


def run_once(settings: Settings) -> None:
    """Let the stream apply what is in Kafka."""
    end_once(start_once(settings))


def start_once(settings: Settings) -> subprocess.Popen[str]:
    """Start ``finlake stream --once``."""
    return start_stream(settings, "--once")


def start_stream(settings: Settings, *words: str) -> subprocess.Popen[str]:
    """Start ``finlake stream`` in a process of its own."""
    return start(settings, "finlake", "stream", *words, stdout=subprocess.DEVNULL)


def end_once(process: subprocess.Popen[str]) -> None:
    """Wait for its end.

    Raises:
        FinlakeError: when it failed; with its last words.
    """
    end(process, "finlake stream --once")


def lake_grown(
    settings: Settings, figures: Figures, name: str, size: int | None, million: float
) -> Iterator[Figure]:
    """How much the lake has grown since it had that size; nothing where it is not known."""
    if size is not None:
        grown = (lake_bytes(settings) or 0) - size
        yield figures.of(name, grown / 2**20 / million, "MiB/million")


def lake_bytes(settings: Settings) -> int | None:
    """Bytes of all of the lake's files; not known for an object store."""
    if not settings.lake.startswith("file:"):
        return None
    root = Path(settings.lake.removeprefix("file:"))
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
