"""The process that publishes alerts: records in, alerts out, offsets kept.

One process takes every partition: changes are keyed by transaction, so a card's uses are in all
of them.
"""

from __future__ import annotations

import gc
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.config import table_topic
from finlake.errors import FinlakeError
from infra.database.users import DATABASE
from infra.kafka import kafka_missing
from infra.metrics import serve
from infra.security import kafka_options
from infra.settings import Settings
from stream_jobs.io.alert_topic import AlertTopic
from stream_jobs.io.source import epoch_of, starting_offsets, within
from stream_jobs.live.cards import Alert, LiveCards
from stream_jobs.live.feed import Feed, Record, Seen
from stream_jobs.live.metrics import AlertMetrics
from stream_jobs.live.reader import Reader
from stream_jobs.stopping import stop_on_signal
from stream_jobs.transforms.envelope import Decoder
from stream_jobs.transforms.rules import SEVERITY, Rules

__all__ = ["GROUP", "body", "run"]

GROUP = "finlake-alerts"

_log = logging.getLogger(__name__)
_TOPIC = table_topic(DATABASE, "transactions")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMMIT_EVERY_S = 1.0
_COMMIT_AT_LAST_S = 5.0
_TELL_EVERY_S = 10.0
_ANSWER_S = 10.0
_MOST = 1_000  # records before anything else gets its turn
_REWOUND = 200_000  # records at most that are read ahead at the start
# Reading the lake costs a scan of it: at most a tenth of the time, to leave the processors to
# others, and a second apart, so that one scan answers many.
_REST_S = 1.0
_CROWD = 50_000  # changes that wait: more come only when these are fewer
_REST_FACTOR = 9.0


def body(alert: Alert, now_us: int) -> tuple[bytes, bytes]:
    """Key and JSON of an alert, the fields of ``gold.fraud_alerts``.

    Args:
        alert: the alert.
        now_us: when it is raised, microseconds since 1970.
    """
    booked, use = alert.booked, alert.booked.use
    alert_id = f"{use.id}:{alert.rule}"
    row = {
        "alert_id": alert_id,
        "transaction_id": use.id,
        "rule": alert.rule,
        "severity": SEVERITY[alert.rule],
        "reason": alert.reason,
        "transaction_ts": _EPOCH + timedelta(microseconds=use.ts),
        "user_id": booked.user_id,
        "card_id": booked.card_id,
        "merchant_id": booked.merchant_id,
        "merchant_city": booked.merchant_city,
        "merchant_state": booked.merchant_state,
        "mcc": booked.mcc,
        "amount": Decimal(use.cents).scaleb(-2),
        "raised_at": _EPOCH + timedelta(microseconds=now_us),
    }
    return alert_id.encode(), msgspec.json.encode(row)


def run(settings: Settings, stop: threading.Event | None = None) -> None:
    """Publish alerts until told to stop (SIGINT, SIGTERM, or the event).

    Delivery is at least once: offsets are committed when Kafka has the alerts, so that after an end
    of any kind some may come again, under the same ``alert_id``, and none is missed.

    Raises:
        ComponentMissing: when Kafka, the topic or the lake is not there.
        FinlakeError: when Kafka does not take an alert.
    """
    if stop is None:
        stop = threading.Event()
        stop_on_signal(stop, _log, "stopping")
    metrics = AlertMetrics()
    with ExitStack() as held:
        service = _Service(settings, metrics, stop, held)
        service.start()
        port = serve(metrics.registry, settings.port_alerts, settings.listen_host)
        _log.info("metrics on http://%s:%d/metrics", settings.advertised_host, port)
        service.run()


class _Service:
    def __init__(
        self, settings: Settings, metrics: AlertMetrics, stop: threading.Event, held: ExitStack
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._stop = stop
        self._rules = Rules.of(settings)
        self._lake = Reader(settings)
        held.callback(self._lake.close)
        self._consumer = Consumer(
            {
                **kafka_options(settings),
                "log_level": 3,
                "group.id": GROUP,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                # Not a delay: the broker answers as soon as it has a byte. This long it waits
                # when it has none.
                "fetch.wait.max.ms": 100,
            }
        )
        held.callback(self._consumer.close)
        self._alerts = AlertTopic(settings)
        self._positions: dict[int, int] = {}
        self._goal: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._asked_at: float | None = None
        self._next_ask = 0.0

    # ── Start ────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Come to where this group has been: with its cards, and everything after it to come."""
        began = time.monotonic()
        # In this order the lake has at least what it says it has, and the topic what the lake has.
        ends = json.loads(starting_offsets(self._settings))[_TOPIC]
        history = self._lake.start()
        reach = {int(p): self._watermarks(int(p)) for p in ends}
        ended = {p: within(ends[str(p)], *reach[p]) for p in reach}
        self._committed = self._read_committed(reach)
        self._goal = {p: within(self._committed.get(p, ended[p]), *reach[p]) for p in reach}
        for place, offset in self._committed.items():
            if offset < reach[place][0] or offset > reach[place][1]:
                _log.warning(
                    "%s[%d]: Kafka no longer has the changes from %d on; what they should have "
                    "raised up to %d is in gold.fraud_alerts",
                    *(_TOPIC, place, offset, self._goal[place]),
                )
        start = {p: min(self._goal[p], ended[p]) for p in reach}
        self._cards = LiveCards(self._rules, history, now=time.time())
        self._feed = Feed(Decoder("transactions"), self._cards)
        if history.newest:
            newest = {p: high for p, (_, high) in reach.items()}
            self._feed.rewind(islice(self._between(start, newest), _REWOUND))
        # What was published before goes first, of all partitions: were it mixed with what is new,
        # an alert that needs both would be raised by the silent one.
        silent = 0
        for record in self._between(start, self._goal):
            self._feed.take(record)
            silent += 1
            if len(self._feed) >= _MOST:
                self._ask_now()
        self._ask_now()
        self._positions = dict(self._goal)
        self._feed.bad = 0
        self._consumer.assign([TopicPartition(_TOPIC, p, o) for p, o in self._goal.items()])
        # What is remembered stays for long and holds no cycles: looking through all of it again
        # and again would be a pause each time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 1_000_000)
        _log.info(
            "live from %s after %.1f s: %d uses from the lake, %d changes known before",
            ", ".join(f"{_TOPIC}[{p}]@{o}" for p, o in sorted(self._goal.items())),
            time.monotonic() - began,
            len(history.rows),
            silent,
        )

    def _watermarks(self, place: int) -> tuple[int, int]:
        try:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(_TOPIC, place), timeout=_ANSWER_S
            )
        except KafkaException as error:
            raise kafka_missing(self._settings, error) from None
        return low, high

    def _read_committed(self, places: Mapping[int, object]) -> dict[int, int]:
        try:
            found = self._consumer.committed(
                [TopicPartition(_TOPIC, p) for p in places], timeout=_ANSWER_S
            )
        except KafkaException as error:
            raise kafka_missing(self._settings, error) from None
        return {one.partition: one.offset for one in found if one.offset >= 0}

    def _between(self, start: Mapping[int, int], end: Mapping[int, int]) -> Iterator[Record]:
        """The records from one place to another, of all partitions."""
        left = {p for p in start if start[p] < end[p]}
        self._consumer.assign([TopicPartition(_TOPIC, p, start[p]) for p in left])
        while left and not self._stop.is_set():
            for message in self._poll(0.5):
                place, offset = message.partition() or 0, message.offset() or 0
                if message.error():  # the end of the partition
                    left.discard(place)
                    continue
                if offset < end[place]:
                    yield _record(message)
                if offset >= end[place] - 1:
                    left.discard(place)

    def _ask_now(self) -> None:
        while asked := self._feed.asks():
            self._lake.ask(asked)
            self._feed.answer(self._lake.answer())
            while self._feed.is_answered:
                self._feed.step()

    # ── Live ─────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Records in, alerts out, until told to stop; then all of it is committed."""
        committed = told = time.monotonic()
        alerts = records = 0
        while not self._stop.is_set():
            busy = len(self._alerts) or self._feed.is_answered
            # Deliveries are heard of between two looks at the consumer.
            for message in self._poll(0.005 if busy else 0.1) if self._has_room() else ():
                if message.error():
                    continue
                records += 1
                alerts += self._take(message)
            alerts += self._learn()
            self._alerts.hear()
            now = time.monotonic()
            due = now - committed
            # Alerts that are under way are not waited for unless they never have a pause.
            if due >= _COMMIT_EVERY_S and (not len(self._alerts) or due >= _COMMIT_AT_LAST_S):
                committed = now
                self._commit(last=False)
                self._measure()
                self._cards.let_go(time.time())
            if now - told >= _TELL_EVERY_S:
                told = now
                _log.info("%d records, %d alerts, %d wait", records, alerts, len(self._feed))
                alerts = records = 0
        self._commit(last=True)

    def _poll(self, patience_s: float) -> list[Message]:
        """What is there, or the first that comes."""
        first = self._consumer.poll(patience_s)
        if first is None:
            return []
        found = [first, *self._consumer.consume(_MOST, 0)]
        for message in found:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise FinlakeError(
                    f"{_TOPIC}: Kafka at {self._settings.kafka_bootstrap}: {error.str()}; see "
                    "`finlake status`, nothing is lost"
                )
        return found

    def _has_room(self) -> bool:
        """Whether more may come; else it waits for the lake, rather than run out of memory."""
        if len(self._feed) <= _CROWD:
            return True
        if self._asked_at is not None:
            self._lake.has_answer(0.1)
        return False

    def _take(self, message: Message) -> int:
        record = _record(message)
        self._positions[record.partition] = record.offset + 1
        self._metrics.records.inc()
        return self._publish([self._feed.take(record)])

    def _learn(self) -> int:
        """Have what waits looked up, beside the live changes; the alerts that this raises."""
        if self._feed.is_answered:
            return self._publish(self._feed.step())
        now = time.monotonic()
        if self._asked_at is not None:
            if self._lake.has_answer():
                self._next_ask = now + max(_REST_S, _REST_FACTOR * (now - self._asked_at))
                self._asked_at = None
                self._feed.answer(self._lake.answer())
        elif now >= self._next_ask or len(self._feed) > _CROWD:
            asked = self._feed.asks()
            if asked is not None:
                self._lake.ask(asked)
                self._asked_at = now
        return 0

    def _publish(self, seen: list[Seen]) -> int:
        published = 0
        for one in seen:
            for alert in one.alerts:
                key, value = body(alert, time.time_ns() // 1000)
                told = partial(self._published, alert.rule, one.source_ts, one.record.kafka_us)
                self._alerts.send(key, value, told)
                published += 1
        return published

    def _published(self, rule: str, source_us: int | None, kafka_us: int, _: float) -> None:
        self._metrics.published(rule, source_us, kafka_us, time.time_ns() // 1000)

    def _commit(self, *, last: bool) -> None:
        """Say how far this is, once Kafka has every alert up to there."""
        done = {p: self._feed.done(p, position) for p, position in self._positions.items()}
        new = {p: offset for p, offset in done.items() if self._committed.get(p) != offset}
        if not new:
            return
        self._alerts.wait()
        offsets = [TopicPartition(_TOPIC, p, offset) for p, offset in new.items()]
        try:
            if last:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:  # the next one says the same and more
            _log.warning("%s: offsets not committed: %s", _TOPIC, error.args[0].str())
            return
        self._committed |= new

    def _measure(self) -> None:
        self._metrics.waiting.set(len(self._feed))
        self._metrics.bad.inc(self._feed.bad)
        self._feed.bad = 0
        lag = 0
        for place, position in self._positions.items():
            _, high = self._consumer.get_watermark_offsets(
                TopicPartition(_TOPIC, place), cached=True
            )
            lag += max(high - position, 0)
        self._metrics.lag.set(lag)


def _record(message: Message) -> Record:
    value: Any = message.value()
    return Record(
        message.partition() or 0,
        message.offset() or 0,
        value,
        epoch_of(message),
        message.timestamp()[1] * 1000,
    )
