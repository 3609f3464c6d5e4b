"""What the same traffic costs over tables of different size.

A lake of that size is made straight as Delta tables, and typical traffic, as Debezium would send
it, is pushed through the stream's batch processor in a process of its own: without Spark and Kafka,
so that nothing but the tables differs between two sizes. Between two batches the tables are tidied
up as in the stream, and that is timed apart.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import psutil

from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.lake import at, make_lake
from batch_jobs.bench.processes import end, start
from finlake.errors import UsageProblem
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import contracts

__all__ = ["growth"]

_BYTES_PER_ROW = 250  # of disk, at most, with what batches add
_WARM_UP = 10  # batches that do not count
_USERS = 2_000  # as in the Kaggle set, whatever the size: else the traffic would be another
_TABLES = (
    "bronze.changes",
    "silver.transactions",
    "silver.fraud_labels",
    "gold.fact_transactions",
    "gold.agg_minute",
    "gold.agg_customer_day",
)


def growth(
    settings: Settings,
    sizes: Sequence[int],
    batches: int,
    changes: int,
    seed: int = 1,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[Figure]:
    """Measure for each number of rows; the lake is removed after each.

    Args:
        settings: the home in which the lakes are made, and how the stream is set.
        sizes: transactions in the lake.
        batches: how many are measured, after ten that are not.
        changes: in each batch.
        seed: of the set and of the traffic.
        said: takes a line of progress.

    Raises:
        UsageProblem: when the disk has no room for the largest lake.
        FinlakeError: when the processor fails.
    """
    home = settings.home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    need, free = max(sizes) * _BYTES_PER_ROW, shutil.disk_usage(home).free
    if need > free:
        raise UsageProblem(
            f"--rows {max(sizes)}: needs about {need / 2**30:.0f} GiB in {home}, and "
            f"{free / 2**30:.0f} are free"
        )
    first: float | None = None
    for size in sizes:
        folder = home / f"growth-{size}"
        there = at(settings, folder)
        try:
            said(f"making a lake of {size:,} transactions")
            made = make_lake(there, size, seed, users=_USERS, said=said)
            said(f"{batches} batches of {changes:,} changes")
            found = _apart(there, made.newest, batches, changes, seed)
            yield from _figures(found, size, batches, changes, made.seconds, first)
            first = first or _median(found["wall"])
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _figures(
    found: dict[str, Any], size: int, batches: int, changes: int, made: float, first: float | None
) -> Iterator[Figure]:
    figures = Figures("growth", {"rows": size, "batches": batches, "changes": changes})
    yield figures.of("lake.made", made, "s")
    yield figures.of("start", found["start"], "s")
    for name in ("wall", "cpu", "tidy"):
        title = {"wall": "batch", "cpu": "batch_cpu", "tidy": "between_batches"}[name]
        yield from figures.spread(title, found[name], "ms")
    if first is not None:
        yield figures.of("batch.p50.to_first", _median(found["wall"]) / first, "times")
    yield figures.of("records_per_batch", found["records"] / batches, "records")
    for table, (files, size_) in found["files"].items():
        yield figures.of(f"files.{table}", files, "files")
        yield figures.of(f"bytes.{table}", size_ / 2**20, "MiB")
    yield figures.of("disk_written", found["written"] / 2**20, "MiB")
    yield figures.of("peak_rss", found["peak"] / 2**20, "MiB")


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _apart(settings: Settings, newest: str, batches: int, changes: int, seed: int) -> Any:
    """Run :func:`_run` in a process of its own."""
    words = [settings.lake, newest, str(batches), str(changes), str(seed)]
    printed = end(start(settings, "batch_jobs.bench.growth", *words), "the batch processor")
    return json.loads(printed.splitlines()[-1])


def _processor(
    settings: Settings,
) -> tuple[Callable[[Any, int], object], Callable[[], None], Callable[[], None]]:
    """The stream's inside: what takes a batch, what tidies up after one, and what stops it.

    All that these measurements know of how the stream is put together stands here.
    """
    from stream_jobs.batch import BatchProcessor
    from stream_jobs.io.housekeeping import Housekeeping
    from stream_jobs.io.metrics import Metrics
    from stream_jobs.io.writer import LakeWriter, Tables
    from stream_jobs.memory import look_seldom_for_garbage

    lake = Lake(settings)
    for contract in contracts.written_by("stream"):
        lake.ensure(contract)
    tables = Tables(lake, settings.stream_cache_mb << 20)
    writer = LakeWriter(tables, "growth")
    processor = BatchProcessor(settings, lake, writer, Metrics())
    own = contracts.written_by("stream")
    keeper = Housekeeping(
        lake, tables, own, settings.lake_history_minutes, settings.delete_marker_days
    )
    keeper.start()
    look_seldom_for_garbage()
    return processor.process, keeper.after_batch, keeper.stop


def _run(settings: Settings, newest: str, batches: int, changes: int, seed: int) -> dict[str, Any]:
    from batch_jobs.bench.records import read_lake
    from batch_jobs.traffic.simulation import Mix, Simulation

    world, capture = read_lake(settings)
    simulation = Simulation(world, seed, Mix())
    moment = datetime.fromisoformat(newest) + timedelta(minutes=1)
    process = psutil.Process()
    began = time.perf_counter()
    take, tidy, stop = _processor(settings)
    found: dict[str, Any] = {"start": time.perf_counter() - began, "records": 0}
    found |= {"wall": [], "cpu": [], "tidy": []}
    for number in range(batches + _WARM_UP):
        moment += timedelta(seconds=1)
        records = capture.records(simulation.batch(changes, moment))
        if number == _WARM_UP:
            written = process.io_counters().write_bytes
        began, spent = time.perf_counter(), time.process_time()
        take(records, number)
        ended, after = time.perf_counter(), time.process_time()
        tidy()
        if number >= _WARM_UP:
            found["wall"].append((ended - began) * 1000)
            found["cpu"].append((after - spent) * 1000)
            found["tidy"].append((time.perf_counter() - ended) * 1000)
            found["records"] += records.num_rows
    found["written"] = process.io_counters().write_bytes - written
    stop()
    found["files"] = {name: _size(Lake(settings), name) for name in _TABLES}
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found


def _size(lake: Lake, name: str) -> tuple[int, int]:
    """Files of a table's newest version, and their bytes."""
    import pyarrow as pa

    table = lake.open(contracts.get(name))
    if table is None:
        return 0, 0
    sizes = pa.table(table.get_add_actions())["size_bytes"].to_pylist()
    return len(sizes), sum(sizes)


if __name__ == "__main__":
    _lake, _newest, _batches, _changes, _seed = sys.argv[1:]
    _there = load_settings().model_copy(update={"lake": _lake})
    sys.stdout.write(
        json.dumps(_run(_there, _newest, int(_batches), int(_changes), int(_seed))) + "\n"
    )
