"""The process that scores: records in, scores and alerts out, offsets kept with the scores.

One process takes every partition, for the reason that `stream_jobs/live` does: a card's uses are in
all of them.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.config import table_topic
from finlake.errors import FinlakeError
from infra.database.users import DATABASE
from infra.kafka import kafka_missing
from infra.lake.tables import Lake
from infra.metrics import serve
from infra.security import kafka_options
from infra.settings import Settings
from models.registry import Registry
from stream_jobs.io.alert_topic import AlertTopic
from stream_jobs.io.housekeeping import Housekeeping
from stream_jobs.io.source import epoch_of, starting_offsets, within
from stream_jobs.io.writer import Tables
from stream_jobs.memory import look_seldom_for_garbage
from stream_jobs.scoring.book import TABLES, Book, Moved
from stream_jobs.scoring.compared import Compared
from stream_jobs.scoring.history import silver
from stream_jobs.scoring.metrics import ScoreMetrics
from stream_jobs.scoring.table import CONTRACT, Place, ScoreTable
from stream_jobs.scoring.verdict import alert, patch_of, score
from stream_jobs.scoring.watch import Source, Watch
from stream_jobs.shapes import RECORDS
from stream_jobs.stopping import stop_on_signal
from stream_jobs.transforms.envelope import Decoder

__all__ = ["Scoring", "run"]

_log = logging.getLogger(__name__)
_TOPICS = {table_topic(DATABASE, name): name for name in TABLES}
_TRANSACTIONS = table_topic(DATABASE, "transactions")
_ANSWER_S = 10.0
_PATIENCE_S = 0.1  # for a record, until the process looks whether it should stop
_TELL_EVERY_S = 10.0
_MOST = 20_000  # records at once, at a start
_COMPARE_EVERY_S = 300.0
_COMPARED_DAYS = 40  # most labels have come by then


class Scoring:
    """Everything about a batch but Kafka: decode, features, scores, the table.

    Args:
        lake: where the table is.
        tables: the tables as this process writes them.
        watch: who scores.
        metrics: where figures go.
    """

    def __init__(self, lake: Lake, tables: Tables, watch: Watch, metrics: ScoreMetrics) -> None:
        self.table = ScoreTable(lake, tables)
        self._watch = watch
        self._models = watch.models
        self._offsets: dict[Place, int] = {}
        self._told: dict[str, float] = {}  # when a model's failure was logged, monotonic seconds
        self._metrics = metrics
        self._decoders = {name: Decoder(name) for name in TABLES}
        self.book = Book(self._models.features)

    def decode(self, records: pa.Table) -> dict[str, pa.Table]:
        """The changes of records (:data:`~stream_jobs.shapes.RECORDS`) by source table."""
        found = {}
        for topic in pc.unique(records["topic"]).to_pylist():
            name = _TOPICS[topic]
            part = records.filter(pc.equal(records["topic"], topic))
            decoded = self._decoders[name].decode(part, -1)
            self._metrics.bad.inc(decoded.rejects.num_rows)
            found[name] = decoded.changes
        self._metrics.records.inc(records.num_rows)
        return found

    def remember(self, records: pa.Table) -> None:
        """Take in records of which the table knows already."""
        self.book.apply(self.decode(records), _now_us())

    def score(self, records: pa.Table, offsets: Mapping[Place, int]) -> list[dict[str, Any]]:
        """Take in a batch and score it; the alerts to publish before :meth:`commit`.

        ``offsets`` are where each partition is read on after it.
        """
        self.take_up()
        changes = self.decode(records)
        now_us = _now_us()
        moved = self.book.apply(changes, now_us)
        scored = score(moved, self._models, now_us)
        for role, said in scored.failed.items():
            self._metrics.failures.labels(role).inc()
            if time.monotonic() - self._told.get(role, -_TELL_EVERY_S) >= _TELL_EVERY_S:
                self._told[role] = time.monotonic()
                _log.warning("%s: a batch was not scored as it should be: %s", role, said)
        there = self.table.of(_numbers(moved))
        own = self._own(moved, changes)
        patch, new = patch_of(scored.rows, own, there)
        self.table.stage(patch)
        self._offsets = dict(offsets)
        places = _places(changes.get("transactions"))
        return [
            alert(row, places.get(row["transaction_id"], (None, None))) for row in new.to_pylist()
        ]

    def commit(self) -> None:
        """Write what :meth:`score` made since the last time, with how far the topics were read."""
        written = self.table.commit(self._offsets)
        for band, count in _counts(written["band"]).items():
            self._metrics.scored.labels(band or "none").inc(count)

    def _own(self, moved: Moved, changes: Mapping[str, pa.Table]) -> set[int]:
        """Transactions that were changed themselves; what a snapshot reads is history."""
        own = {*moved.rows["id"][moved.own].tolist(), *moved.too_old["id"].tolist()}
        if "transactions" in changes:
            found = changes["transactions"]
            read = found.filter(pc.equal(found["op"], "r"))["id"].to_pylist()
            streamed = found.filter(pc.not_equal(found["op"], "r"))["id"].to_pylist()
            own -= set(read) - set(streamed)
        return own

    def take_up(self) -> None:
        """Change models when there are others; a batch is scored by those that it began with."""
        models = self._watch.models
        if models is self._models:
            return
        if set(models.features) != set(self._models.features):
            self.book.select(models.features)
        self._models = models
        for role in ("champion", "challenger"):
            model = getattr(models, role)
            self._metrics.version.labels(role).set(model.version if model else 0)


def run(
    settings: Settings, stop: threading.Event | None = None, source: Source | None = None
) -> None:
    """Score until told to stop (SIGINT, SIGTERM, or the event).

    Raises:
        ComponentMissing: when Kafka, a topic or the lake is not there.
        FinlakeError: when Kafka does not take an alert, or another process writes the scores.
    """
    if stop is None:
        stop = threading.Event()
        stop_on_signal(stop, _log, "stopping after this batch")
    # The registry is asked beside the batches: they should not wait long for their turn.
    sys.setswitchinterval(0.001)
    with ExitStack() as held:
        service = _Service(settings, stop, held, source or Registry(settings))
        service.start()
        port = serve(service.metrics.registry, settings.port_score, settings.listen_host)
        _log.info("metrics on http://%s:%d/metrics", settings.advertised_host, port)
        service.run()


class _Service:
    def __init__(
        self, settings: Settings, stop: threading.Event, held: ExitStack, source: Source
    ) -> None:
        self._settings = settings
        self._stop = stop
        self.metrics = ScoreMetrics()
        every = settings.score_reload_seconds
        self._watch = Watch(source, every, lambda role: self.metrics.failures.labels(role).inc())
        held.callback(self._watch.stop)
        self._lake = Lake(settings)
        self._tables = Tables(self._lake, settings.stream_cache_mb << 20)
        self._keeper = Housekeeping(
            self._lake,
            self._tables,
            [CONTRACT],
            settings.lake_history_minutes,
            settings.delete_marker_days,
        )
        self._compared = Compared(self._lake, _COMPARE_EVERY_S, _COMPARED_DAYS)
        held.callback(self._compared.stop)
        self._consumer = Consumer(
            {
                **kafka_options(settings),
                "log_level": 3,
                "group.id": "finlake-score",  # offsets are in the table, not there
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 100,
            }
        )
        held.callback(self._consumer.close)
        self._alerts = AlertTopic(settings)
        self._positions: dict[Place, int] = {}
        self._commit_after_s = settings.score_commit_ms / 1000
        self._scored_at: list[float] = []  # batches that are not in the table, monotonic seconds
        self._came: list[float] = []  # when Kafka had their transactions, seconds since 1970

    # ── Start ────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Know what the lake knows, and what came since until where the table is."""
        began = time.monotonic()
        self._watch.start()
        self._scoring = Scoring(self._lake, self._tables, self._watch, self.metrics)
        # In this order the lake has at least what it says it has, and the topics what it has.
        ends = json.loads(starting_offsets(self._settings))
        places = [(topic, int(p)) for topic in _TOPICS for p in ends[topic]]
        done = self._scoring.table.offsets(places)
        self._scoring.book.load(silver(self._lake), _now_us())
        start: dict[Place, int] = {}
        goal: dict[Place, int] = {}
        for place in places:
            low, high = self._watermarks(place)
            lake = within(ends[place[0]][str(place[1])], low, high)
            table = within(done.get(place, lake), low, high)
            if place in done and table != done[place]:
                _log.warning(
                    "%s[%d]: Kafka no longer has the changes from %d on; transactions up to %d "
                    "that were not scored stay so",
                    *(*place, done[place], table),
                )
            start[place] = min(lake, table)
            # Of transactions what was not scored yet comes later; of the others all comes first.
            goal[place] = table if place[0] == _TRANSACTIONS else high
        silent = 0
        for messages in self._between(start, goal):
            self._scoring.remember(_records(messages))
            silent += len(messages)
        self._positions = goal
        self._consumer.assign([TopicPartition(t, p, o) for (t, p), o in goal.items()])
        self._keeper.start()
        self._compared.start()
        look_seldom_for_garbage()
        took = time.monotonic() - began
        self.metrics.start_seconds.set(took)
        _log.info(
            "live from %s after %.1f s: %d transactions known, %d changes since the lake",
            ", ".join(f"{t}[{p}]@{o}" for (t, p), o in sorted(goal.items())),
            took,
            len(self._scoring.book),
            silent,
        )

    def _watermarks(self, place: Place) -> tuple[int, int]:
        try:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(*place), timeout=_ANSWER_S
            )
        except KafkaException as error:
            raise kafka_missing(self._settings, error) from None
        return low, high

    def _between(
        self, start: Mapping[Place, int], end: Mapping[Place, int]
    ) -> Iterator[list[Message]]:
        """The records from one place to another, of all partitions."""
        left = {place for place in start if start[place] < end[place]}
        self._consumer.assign([TopicPartition(*place, start[place]) for place in left])
        while left and not self._stop.is_set():
            found = []
            for message in self._consume(_MOST, 0.5):
                place, offset = _place(message), message.offset() or 0
                if message.error():  # the end of the partition
                    left.discard(place)
                elif offset < end[place]:
                    found.append(message)
                if not message.error() and offset >= end[place] - 1:
                    left.discard(place)
            if found:
                yield found

    # ── Live ─────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Batch after batch, until told to stop."""
        told = began = time.monotonic()
        records = 0
        while not self._stop.is_set():
            messages = self._gather(began)
            if messages:
                began = time.monotonic()
                self._batch(messages)
                records += len(messages)
            else:
                self._scoring.take_up()
            now = time.monotonic()
            if self._scored_at and now - self._scored_at[0] >= self._commit_after_s:
                self._commit()
                self._keeper.after_batch()
            self._alerts.hear()
            if now - told >= _TELL_EVERY_S:
                told = now
                _log.info("%d records, %d transactions known", records, len(self._scoring.book))
                records = 0
                self._measure()
        self._commit()
        self._keeper.stop()

    def _gather(self, began: float) -> list[Message]:
        """What waits, as soon as there is anything and the last batch has begun long enough ago.

        So a transaction that comes alone is scored at once, and under traffic what a batch costs
        whatever its size is paid so often only.
        """
        now = time.monotonic()
        # Deliveries are heard of between two looks at the consumer.
        patience = 0.005 if len(self._alerts) else _PATIENCE_S
        if self._scored_at:
            patience = min(patience, max(self._scored_at[0] + self._commit_after_s - now, 0))
        found = self._consume(1, patience)
        if found:
            rest = began + self._settings.score_trigger_ms / 1000 - time.monotonic()
            found += self._consume(self._settings.score_batch - 1, max(rest, 0))
        return [message for message in found if not message.error()]

    def _batch(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._positions[_place(message)] = (message.offset() or 0) + 1
        came = [m.timestamp()[1] / 1000 for m in messages if m.topic() == _TRANSACTIONS]
        began = time.time()
        if came:
            self.metrics.hop.labels("read").observe(max(began - min(came), 0))
            self._came += came
        alerts = self._scoring.score(_records(messages), self._positions)
        scored = time.time()
        self.metrics.hop.labels("scored").observe(max(scored - began, 0))
        for one in alerts:
            told = partial(self._published, scored, min(came, default=scored))
            self._alerts.send(str(one["alert_id"]).encode(), msgspec.json.encode(one), told)
        self._alerts.hear()
        self._scored_at.append(time.monotonic())

    def _published(self, scored: float, came: float, took: float) -> None:
        # Of deliveries one hears between batches only: the time of hearing says nothing.
        self.metrics.alerts.inc()
        self.metrics.hop.labels("published").observe(took)
        self.metrics.alert_seconds.observe(max(scored + took - came, 0))

    def _commit(self) -> None:
        """Write the scores of the batches since the last time."""
        if not self._scored_at:
            return
        self._alerts.wait()  # a score in the table is one whose alert was told
        self._scoring.commit()
        now, clock = time.time(), time.monotonic()
        for at in self._scored_at:
            self.metrics.hop.labels("committed").observe(clock - at)
        for came in self._came:
            self.metrics.seconds.observe(max(now - came, 0))
        self._scored_at.clear()
        self._came.clear()

    def _consume(self, most: int, patience_s: float) -> list[Message]:
        found = self._consumer.consume(most, patience_s)
        for message in found:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise FinlakeError(
                    f"{message.topic()}: Kafka at {self._settings.kafka_bootstrap}: {error.str()};"
                    " see `finlake status`, nothing is lost"
                )
        return found

    def _measure(self) -> None:
        self.metrics.known.set(len(self._scoring.book))
        lag = 0
        for place, position in self._positions.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            lag += max(high - position, 0)
        self.metrics.lag.set(lag)


def _place(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0


def _records(messages: Sequence[Message]) -> pa.Table:
    rows = [
        (
            message.topic(),
            message.partition(),
            message.offset(),
            message.timestamp()[1] * 1000,
            epoch_of(message),
            message.key(),
            message.value(),
        )
        for message in messages
    ]
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, RECORDS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=RECORDS)


def _numbers(moved: Moved) -> pa.Array:
    every = [*moved.rows["id"].tolist(), *moved.gone, *moved.too_old["id"].tolist()]
    return pa.array(every, pa.int64())


def _places(changes: pa.Table | None) -> dict[int, tuple[str | None, str | None]]:
    if changes is None:
        return {}
    names = ("id", "merchant_city", "merchant_state")
    columns = (changes[name].to_pylist() for name in names)
    return {number: (city, state) for number, city, state in zip(*columns, strict=True)}


def _counts(bands: pa.ChunkedArray) -> dict[str | None, int]:
    return {one["values"]: one["counts"] for one in pc.value_counts(bands).to_pylist()}


def _now_us() -> int:
    return time.time_ns() // 1000
