"""The streaming job: one query over all topics, one batch processor."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from finlake.errors import FinlakeError, UsageProblem
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts
from stream_jobs.batch import BatchProcessor
from stream_jobs.decoding import decode_on_executors
from stream_jobs.io.housekeeping import Housekeeping
from stream_jobs.io.metrics import Metrics
from stream_jobs.io.session import start_session
from stream_jobs.io.source import partitions, read_stream
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.memory import look_seldom_for_garbage
from stream_jobs.past import APP, tell_the_past
from stream_jobs.resume import replay, resume_table
from stream_jobs.stopping import stop_on_signal

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["checkpoint", "run"]

_log = logging.getLogger(__name__)
_TELL_EVERY_S = 10.0


def run(settings: Settings, once: bool = False, resume: Sequence[str] = ()) -> None:
    """Run the stream until it is told to stop (SIGINT, SIGTERM) or, with ``once``, is through.

    A stop waits for the batch under way, so that nothing is cut in the middle.

    Args:
        settings: where everything is.
        once: apply what is there, then stop.
        resume: stopped tables to let flow again; what was set aside of them is applied first.

    Raises:
        ComponentMissing: when Kafka, a topic or the lake is not there.
        UsageProblem: when the checkpoint belongs to another lake.
        FinlakeError: when the query fails; the message has the cause and what to do.
    """
    lake, location = Lake(settings), checkpoint(settings)
    partitions(settings)
    _check_checkpoint(lake, location)
    for contract in contracts.written_by("stream"):
        lake.ensure(contract)
    metrics = Metrics()
    spark = start_session(settings)
    _log.info("Spark's pages on %s", spark.sparkContext.uiWebUrl)
    stop = threading.Event()
    working = threading.Lock()  # held until the first batch can begin
    batches: list[_Batches] = []

    def on_batch(frame: DataFrame, batch_id: int) -> None:
        with working:
            if stop.is_set() or not batches:
                raise InterruptedError("stopping")
            batches[0].process(frame, batch_id)

    writer = read_stream(spark, settings).writeStream.queryName("finlake").foreachBatch(on_batch)
    # Hadoop takes this for a path and not for a URI: %20 would be three characters of a name.
    writer = writer.option("checkpointLocation", f"file://{location}")
    if once:
        writer = writer.trigger(availableNow=True)
    else:
        writer = writer.trigger(processingTime=f"{settings.stream_trigger_ms} milliseconds")
    try:
        with working:
            query = writer.start()
            stop_on_signal(stop, _log, "stopping after this batch")
            port = metrics.serve(settings.port_metrics, settings.listen_host)
            _log.info("metrics on http://%s:%d/metrics", settings.advertised_host, port)
            batches.append(_Batches(settings, lake, metrics, str(query.id)))
            batches[0].resume(resume)
            look_seldom_for_garbage()
        _log.info("streaming from %s to %s", settings.kafka_bootstrap, settings.lake)
        _wait(query, stop, metrics)
        with working:  # the batch under way is finished before the query goes
            query.stop()
        for one in batches:
            one.stop()
    finally:
        spark.stop()


class _Batches:
    """What a batch needs; the query's id is known when it has started."""

    def __init__(self, settings: Settings, lake: Lake, metrics: Metrics, app_id: str) -> None:
        self._on_cluster = settings.on_cluster
        self._tables = Tables(lake, settings.stream_cache_mb << 20)
        tell_the_past(lake, LakeWriter(self._tables, APP))
        self._writer = LakeWriter(self._tables, app_id)
        self._processor = BatchProcessor(settings, lake, self._writer, metrics, self._replay)
        self._keeper = Housekeeping(
            lake,
            self._tables,
            contracts.written_by("stream"),
            settings.lake_history_minutes,
            settings.delete_marker_days,
        )
        self._keeper.start()

    def resume(self, tables: Sequence[str]) -> None:
        for table in tables:
            resume_table(self._tables, self._processor, table)

    def _replay(self, orders: pa.Table) -> None:
        replay(self._tables, self._processor, orders)

    def process(self, frame: DataFrame, batch_id: int) -> None:
        if self._on_cluster:
            some = self._processor.apply(partial(decode_on_executors, frame, batch_id), batch_id)
        else:
            some = self._processor.process(frame.toArrow(), batch_id)
        if some:
            self._keeper.after_batch()
        else:  # Kafka had compacted all of it away
            self._writer.note(contracts.get("gold.pipeline_batches"), batch_id)

    def stop(self) -> None:
        self._keeper.stop()


def checkpoint(settings: Settings) -> Path:
    """Folder of Spark's checkpoint."""
    return Path(settings.stream_checkpoint or settings.home / "checkpoints" / "stream").absolute()


def _check_checkpoint(lake: Lake, location: Path) -> None:
    """Refuse a checkpoint that is ahead of its lake: going on from it would leave a silent gap.

    So it is when the lake was emptied, exchanged or restored from a copy, or when a machine that
    lost its power kept the one and not the other.
    """
    commits = location / "commits"
    done = [int(p.name) for p in commits.iterdir() if p.name.isdigit()] if commits.is_dir() else []
    if not done:
        return
    app_id = json.loads((location / "metadata").read_text())["id"]
    batches = lake.ensure(contracts.get("gold.pipeline_batches"))
    written = batches.transaction_version(app_id)
    if written is None or written < max(done):
        raise UsageProblem(
            f"the checkpoint {location} is at batch {max(done)}, the lake {lake.spark_root} at "
            f"{'none of its batches' if written is None else f'batch {written}'}; restore the "
            "lake that belongs to it, or remove the checkpoint: the stream then goes on from where "
            "the lake ends"
        )


def _wait(query: StreamingQuery, stop: threading.Event, metrics: Metrics) -> None:
    told = time.monotonic()
    while not stop.wait(0.2):
        if not query.isActive:
            break
        if time.monotonic() - told > _TELL_EVERY_S:
            told = time.monotonic()
            _tell(query, metrics)
    error = query.exception()
    if error is not None and not stop.is_set():
        raise FinlakeError(_explain(str(error)))


def _tell(query: StreamingQuery, metrics: Metrics) -> None:
    """Say how it goes: rows, and where the newest batch's time went, in milliseconds.

    Asked here and not told by a listener, whose calls from Spark would take their turn among the
    batches' own.
    """
    progress = query.lastProgress
    if progress is not None:
        metrics.spent(progress.durationMs)
        spent = ", ".join(f"{part} {ms}" for part, ms in progress.durationMs.items())
        rate = progress.processedRowsPerSecond
        _log.info(
            "batch %d: %d records, %.0f/s (%s)",
            progress.batchId,
            progress.numInputRows,
            rate,
            spent,
        )


def _explain(text: str) -> str:
    """A failed query in one line, with the way out of what is known."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if "data may have been lost" in text or "offset was changed" in text:
        return (
            "the stream stopped: Kafka no longer has changes that were not read yet; take a new "
            "snapshot with `finlake connectors snapshot TABLE` for every table, then start the "
            f"stream with a fresh checkpoint ({lines[0][:200]})"
        )
    causes = [line for line in lines if "Error" in line or "Exception" in line]
    cause = causes[-1] if causes else lines[0]
    return f"the stream stopped: {cause[:400]}; correct it and start again, nothing is lost"
