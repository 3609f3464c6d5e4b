"""The whole way at once: from what the source holds to silver and gold, every part under way.

Two kinds of load: a backlog that was committed while the connector was down, and the initial
snapshot of a filled source. The clock starts when the connector does and stops at the end of the
stream's last batch that applied something. With ``live`` the stream runs meanwhile, as it does in
life; without, it begins when Kafka has everything, so that each leg can be seen by itself.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import connectors
from batch_jobs.bench import processes
from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.processes import Watch, end, refuse_stream, stack_figures, stack_pids
from batch_jobs.bench.throughput import (
    all_applied,
    commit_changes,
    end_once,
    lake_bytes,
    lake_grown,
    records_in_kafka,
    run_once,
    start_once,
    start_stream,
    wait_for_kafka,
)
from batch_jobs.generate import fill_source
from batch_jobs.generate.plan import Plan
from connectors import topics
from connectors.config import connector_name, table_topic
from connectors.rest import Connect
from finlake.errors import FinlakeError, UsageProblem
from infra.database.users import DATABASE
from infra.settings import Settings
from lakehouse_schemas import contracts
from stream_jobs.io.source import starting_offsets

__all__ = ["backlog", "bulk_snapshot", "running_stream", "snapshot", "wait_until_applied"]

Said = Callable[[str], None]
Params = dict[str, float | int | str]
_READY = "streaming from "  # the stream's own word that it is
_START_S = 180.0


def backlog(
    settings: Settings, changes: int, seed: int = 1, said: Said = lambda _: None
) -> Iterator[Figure]:
    """Changes a second of the whole chain, from a backlog that nobody has captured yet.

    Raises:
        UsageProblem: when the stream runs.
        ComponentMissing: when a part of the stack is not there.
        FinlakeError: when the connector or the stream fails.
    """
    refuse_stream(settings)
    connect, name = Connect(settings.connect_url), connector_name(settings.source_flavour)
    said("applying what is in Kafka already")
    run_once(settings)
    connect.stop(name)
    said(f"committing a backlog of {changes:,} changes while the connector is down")
    committed = commit_changes(settings, changes, seed)
    params: Params = {"changes": committed, "seed": seed, "live": "yes"}

    def start() -> None:
        connect.resume(name)

    yield from _measure(
        settings, "backlog", params, start, committed * 9 // 10, live=True, said=said
    )


def bulk_snapshot(
    settings: Settings, rows: int, seed: int = 1, said: Said = lambda _: None
) -> Iterator[Figure]:
    """Rows a second of ``finlake snapshot``, of a source that is filled here.

    Raises: as :func:`snapshot`.
    """
    filled = _fill(settings, rows, seed, said)
    pids, size = stack_pids(settings), lake_bytes(settings)
    params: Params = {"rows": filled, "seed": seed, "road": "bulk"}
    figures = stack_figures(settings, "throughput", params)
    said("reading")
    clock = time.monotonic()
    process = processes.start(settings, "finlake", "snapshot", "--json")
    with Watch({**pids, "snapshot": process.pid}) as watch:
        tables = [json.loads(line) for line in end(process, "finlake snapshot").splitlines()]
    whole_s = time.monotonic() - clock
    yield figures.of("snapshot.rate", filled / sum(one["seconds"] for one in tables), "rows/s")
    yield figures.of("snapshot.whole.rate", filled / whole_s, "rows/s")
    yield figures.of("snapshot.seconds", whole_s, "s")
    yield from _spent(figures, "snapshot", [watch], {*pids, "snapshot"}, filled / 1e6)
    yield from lake_grown(settings, figures, "snapshot.lake.grown", size, filled / 1e6)


def _fill(settings: Settings, rows: int, seed: int, said: Said) -> int:
    """Fill the source of a stack that is new; how many rows it has then."""
    refuse_stream(settings)
    if records_in_kafka(settings):
        raise UsageProblem(
            "the topics hold changes already; use a new stack, `finlake up --no-connector`"
        )
    said(f"filling the source with {rows:,} transactions")
    return sum(fill_source(settings, Plan(rows, seed)).values())


def snapshot(
    settings: Settings, rows: int, live: bool, seed: int = 1, said: Said = lambda _: None
) -> Iterator[Figure]:
    """Rows a second of an initial snapshot by the connector, of a source that is filled here.

    Raises:
        UsageProblem: when the stream runs, the topics hold something, or the source does.
        ComponentMissing: when a part of the stack is not there.
        FinlakeError: when the connector or the stream fails.
    """
    filled = _fill(settings, rows, seed, said)
    topics.create(settings, topics.expected(settings))
    params: Params = {"rows": filled, "seed": seed, "live": "yes" if live else "no"}

    def start() -> None:
        connectors.apply(settings, lambda _: None)

    yield from _measure(settings, "snapshot", params, start, rows, live=live, said=said)


def _measure(
    settings: Settings,
    kind: str,
    params: Params,
    start: Callable[[], None],
    at_least: int,
    *,
    live: bool,
    said: Said,
) -> Iterator[Figure]:
    pids, size = stack_pids(settings), lake_bytes(settings)
    figures = stack_figures(settings, "throughput", params)
    before = records_in_kafka(settings)
    stream = running_stream(settings) if live else None
    if stream:
        pids["stream"] = stream.pid
    said("capturing")
    began, clock = time.time(), time.monotonic()
    try:
        with Watch(pids) as watch:
            start()
            records, captured_s = wait_for_kafka(settings, before, clock, at_least)
            if stream:
                wait_until_applied(settings)
        watches = [watch]
        if stream is None:
            said(f"streaming {records:,} records")
            process = start_once(settings)
            with Watch({**pids, "stream": process.pid}) as second:
                end_once(process)
            watches.append(second)
    finally:
        if stream:
            stream.send_signal(signal.SIGTERM)
            stream.wait()
    done = all_applied(settings, began)
    events = done.events
    whole_s = done.ended - began if live else captured_s + done.seconds
    unit = "rows/s" if kind == "snapshot" else "changes/s"
    yield figures.of(f"{kind}.rate", events / whole_s, unit)
    yield figures.of(f"{kind}.seconds", whole_s, "s")
    yield figures.of(f"{kind}.capture.rate", records / captured_s, "records/s")
    yield figures.of(f"{kind}.stream.rate", events / done.seconds, unit)
    million = events / 1e6
    yield from _spent(figures, kind, watches, {*pids, "stream"}, million)
    yield from lake_grown(settings, figures, f"{kind}.lake.grown", size, million)


def _spent(
    figures: Figures, kind: str, watches: list[Watch], names: set[str], million: float
) -> Iterator[Figure]:
    """Processor time, writing and memory of each process."""
    for name in sorted(names):
        spent = [one.spent(name) for one in watches]
        yield figures.of(f"{kind}.cpu.{name}", sum(cpu for cpu, _ in spent) / million, "s/million")
        written = sum(number for _, number in spent) / 2**20
        yield figures.of(f"{kind}.disk_written.{name}", written / million, "MiB/million")
        peak = max(one.peak(name) for one in watches)
        yield figures.of(f"{kind}.peak_rss.{name}", peak / 2**20, "MiB")


def running_stream(settings: Settings) -> subprocess.Popen[str]:
    """A stream that has started and waits for records."""
    process = start_stream(settings)
    said: list[str] = []
    ready = threading.Event()

    def read() -> None:
        for line in process.stderr or ():
            said.append(line.strip())
            if _READY in line:
                ready.set()
        ready.set()

    threading.Thread(target=read, name="stream", daemon=True).start()
    if not ready.wait(_START_S) or process.poll() is not None:
        process.kill()
        raise FinlakeError(
            f"finlake stream did not start: {(said or ['it said nothing'])[-1][:300]}"
        )
    return process


def wait_until_applied(settings: Settings) -> None:
    """Wait until the lake has all that Kafka holds now of the source's tables.

    Raises:
        FinlakeError: when the stream gets no further.
    """
    goal, last, at = records_in_kafka(settings), 0, time.monotonic()
    while (now := _records_in_lake(settings)) < goal:
        if now != last:
            last, at = now, time.monotonic()
        elif time.monotonic() - at > _START_S:
            raise FinlakeError(
                f"the stream stands at {now:,} of {goal:,} records; see its log, `finlake status`"
            )
        time.sleep(0.5)


def _records_in_lake(settings: Settings) -> int:
    tables = {table_topic(DATABASE, contract.name) for contract in contracts.source_tables()}
    ends = json.loads(starting_offsets(settings))
    return sum(max(0, end) for topic in tables for end in ends[topic].values())
