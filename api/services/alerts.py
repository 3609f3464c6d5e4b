"""Alerts as they are raised: one reader of Kafka for a worker, many who listen.

Each alert has an id that says how far every partition of the topic has been read with it
(``0:15,1:7``), so that whoever comes again with the last id they saw misses nothing and sees
nothing twice: what came in between is read from Kafka once more.

Who does not keep up is told so and let go: they come again with their last id.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from api.problems import Problem
from finlake.errors import ComponentMissing
from infra.kafka import ALERTS_TOPIC, kafka_missing
from infra.security import kafka_options
from infra.settings import Settings

__all__ = ["Alert", "Alerts", "Listener", "Record", "Source", "Topic", "position_of"]

_LOG = logging.getLogger("finlake.api")
_WAITING: Final = 500  # of one listener
_MOST_AGAIN: Final = 20_000  # that are read again for one listener
_LISTENERS: Final = 500
_POSITION: Final = re.compile(r"\d{1,4}:\d{1,18}(,\d{1,4}:\d{1,18}){0,99}")
_ANSWER_S: Final = 5.0
_IDLE_S: Final = 60.0

Position = Mapping[int, int]
"""The next offset by partition."""


@dataclass(frozen=True)
class Record:
    """What Kafka has at a place."""

    partition: int
    offset: int
    value: bytes


@dataclass(frozen=True)
class Alert:
    """An alert, and the position behind it."""

    id: str
    user_id: int | None
    body: str


class Source(Protocol):
    """Where alerts come from; used by one thread."""

    def ends(self) -> dict[int, tuple[int, int]]:
        """The oldest and the next offset of each partition."""

    def seek(self, position: Position) -> None:
        """Read on from there."""

    def read(self) -> list[Record]:
        """What has come, after a short wait at most."""

    def between(self, begin: Position, end: Position) -> list[Record]:
        """What lies there, read aside; safe from any thread."""

    def close(self) -> None:
        """End."""


class Topic:
    """The topic in Kafka.

    Raises ComponentMissing from every method when Kafka does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = self._made()

    def ends(self) -> dict[int, tuple[int, int]]:
        """See :class:`Source`."""
        from confluent_kafka import KafkaException, TopicPartition

        consumer = self._made()  # that which reads is the reader's alone
        try:
            topic = consumer.list_topics(ALERTS_TOPIC, timeout=_ANSWER_S).topics[ALERTS_TOPIC]
            if topic.error is not None:
                raise ComponentMissing(f"topic {ALERTS_TOPIC}: {topic.error.str()}")
            return {
                number: consumer.get_watermark_offsets(
                    TopicPartition(ALERTS_TOPIC, number), timeout=_ANSWER_S
                )
                for number in topic.partitions
            }
        except KafkaException as error:
            raise kafka_missing(self._settings, error) from None
        finally:
            consumer.close()

    def seek(self, position: Position) -> None:
        """See :class:`Source`."""
        self._assign(self._consumer, position)

    def read(self) -> list[Record]:
        """See :class:`Source`."""
        return self._read(self._consumer, 0.2)

    def between(self, begin: Position, end: Position) -> list[Record]:
        """See :class:`Source`."""
        left = {number for number, offset in begin.items() if offset < end.get(number, 0)}
        consumer, found = self._made(), list[Record]()
        try:
            self._assign(consumer, {number: begin[number] for number in left})
            patience = 0
            while left and patience < 25:
                records = self._read(consumer, 0.2)
                patience = 0 if records else patience + 1
                for one in records:
                    if one.offset < end[one.partition]:
                        found.append(one)
                    if one.offset >= end[one.partition] - 1:
                        left.discard(one.partition)
        finally:
            consumer.close()
        return found

    def close(self) -> None:
        """See :class:`Source`."""
        self._consumer.close()

    def _made(self) -> Any:
        from confluent_kafka import Consumer

        return Consumer(
            {
                **kafka_options(self._settings),
                "log_level": 3,
                "group.id": "finlake-api",  # nothing is noted under it
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
            }
        )

    def _assign(self, consumer: Any, position: Position) -> None:
        from confluent_kafka import TopicPartition

        consumer.assign([TopicPartition(ALERTS_TOPIC, n, o) for n, o in position.items()])

    def _read(self, consumer: Any, patience_s: float) -> list[Record]:
        return [
            Record(message.partition(), message.offset(), message.value() or b"")
            for message in consumer.consume(500, patience_s)
            if not message.error()
        ]


@dataclass
class Listener:
    """Who listens: ``queue`` has alerts; None ends it, for the reason in ``ended``."""

    wanted: Callable[[Alert], bool]
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[Alert | None]
    since: str = ""
    """The id of when it began to listen."""

    ended: str = ""
    missed: bool = False
    """Whether alerts after the given id are no longer to be had."""

    before: list[Alert] = field(default_factory=list)
    """Those that came between the given id and now."""

    def offer(self, alert: Alert) -> bool:
        """Give an alert; false when there is no room. In the loop's thread."""
        if not self.wanted(alert):
            return True
        try:
            self.queue.put_nowait(alert)
        except asyncio.QueueFull:
            return False
        return True

    def end(self, reason: str) -> None:
        """Let go, at once. In the loop's thread."""
        self.ended = reason
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Alerts:
    """Reads while somebody listens, and a minute longer.

    Args:
        make: opens the source; raises ComponentMissing when it is not there.
        most_again: how many alerts are read again for one listener; older ones count as missed.
    """

    def __init__(self, make: Callable[[], Source], most_again: int = _MOST_AGAIN) -> None:
        self.make = make
        self._most_again = most_again
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._position: dict[int, int] = {}
        self._source: Source | None = None
        self._done = threading.Event()

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def listen(
        self,
        wanted: Callable[[Alert], bool],
        last: str,
        loop: asyncio.AbstractEventLoop,
        waiting: int = _WAITING,
    ) -> Listener:
        """Begin to listen, from now on or from behind the id ``last``; not in the loop's thread.

        Raises:
            Problem: 422 when ``last`` is no id, 503 when there are too many listeners.
            ComponentMissing: Kafka does not answer.
        """
        since = position_of(last)
        listener = Listener(wanted, loop, asyncio.Queue(waiting + 1))
        with self._lock:
            if len(self._listeners) >= _LISTENERS:
                raise Problem(503, "busy", "too many are listening", {"Retry-After": "30"})
            source = self._started()
            now = dict(self._position)
            self._listeners.append(listener)  # what comes from here on waits in its queue
        listener.since = _id(now)
        if since is not None:
            try:
                self._again(listener, source, since, now)
            except BaseException:
                self.leave(listener)
                raise
        return listener

    def leave(self, listener: Listener) -> None:
        """Stop listening."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def stop(self) -> None:
        """End the reading, and let everybody go."""
        self._done.set()
        with self._lock:
            for one in self._listeners:
                _soon(one, one.end, "the service stops")
            self._listeners.clear()

    def _started(self) -> Source:
        if self._source is None:
            source = self.make()
            try:
                self._position = {number: high for number, (_, high) in source.ends().items()}
                source.seek(self._position)
            except BaseException:
                source.close()
                raise
            self._source = source
            threading.Thread(target=self._run, args=(source,), name="alerts", daemon=True).start()
        return self._source

    def _again(self, listener: Listener, source: Source, since: Position, now: Position) -> None:
        """What came between, oldest of each partition first."""
        lows = {number: low for number, (low, _) in source.ends().items()}
        place: dict[int, int] = {}
        for number, end in now.items():
            asked = min(since.get(number, end), end)
            least = max(lows.get(number, 0), end - self._most_again // len(now))
            place[number] = max(asked, least)
            listener.missed |= place[number] > asked
        for record in source.between(place, now):
            place[record.partition] = record.offset + 1
            alert = _alert(record, place)
            if alert is not None and listener.wanted(alert):
                listener.before.append(alert)

    def _run(self, source: Source) -> None:
        idle = time.monotonic()
        while not self._done.is_set():
            for record in source.read():
                with self._lock:
                    self._position[record.partition] = record.offset + 1
                    alert = _alert(record, self._position)
                    for one in self._listeners if alert is not None else ():
                        _soon(one, self._offer, one, alert)
            with self._lock:
                if self._listeners:
                    idle = time.monotonic()
                elif time.monotonic() - idle > _IDLE_S:
                    self._source = None
                    break
        source.close()

    def _offer(self, listener: Listener, alert: Alert) -> None:
        if not listener.ended and not listener.offer(alert):
            listener.end("you do not keep up; come again with the last id")
            self.leave(listener)


def _soon(listener: Listener, call: Callable[..., None], *given: object) -> None:
    """Do something in the listener's loop, if that still runs."""
    with suppress(RuntimeError):
        listener.loop.call_soon_threadsafe(call, *given)


def position_of(text: str) -> dict[int, int] | None:
    """The position that an id says; None of an empty one.

    Raises:
        Problem: 422, it is no id.
    """
    if not text:
        return None
    if not _POSITION.fullmatch(text):
        raise Problem(422, "invalid", "Last-Event-ID is no id of an alert")
    pairs = (one.split(":") for one in text.split(","))
    return {int(number): int(offset) for number, offset in pairs}


def _id(position: Position) -> str:
    return ",".join(f"{number}:{offset}" for number, offset in sorted(position.items()))


def _alert(record: Record, position: Position) -> Alert | None:
    """The alert that a record holds; None, and a line in the log, when it holds none."""
    try:
        found = json.loads(record.value)
        user_id = found.get("user_id")
    except (ValueError, AttributeError):
        place = f"finance.alerts[{record.partition}]@{record.offset}"
        _LOG.warning("a record is no alert", extra={"reason": place})
        return None
    return Alert(_id(position), user_id, json.dumps(found, separators=(",", ":")))
