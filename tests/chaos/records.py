"""The topics themselves: records read, written again, shuffled, late, and forged."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from connectors.config import connector_name, table_topic
from connectors.rest import Connect
from infra.database.users import DATABASE
from infra.settings import Settings
from lakehouse_schemas import contracts
from tests.support.stack import wait_for

__all__ = ["Record", "Shuffle", "Topics", "table_topics"]

_RAW = "raw."
_WINDOW_S = 10.0


class Record(NamedTuple):
    """A Kafka record without its place; partition -1 lets the key decide."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def table_topics() -> list[str]:
    """The topics of the source's tables."""
    return [table_topic(DATABASE, contract.name) for contract in contracts.source_tables()]


class Topics:
    """Reads and writes records as they are."""

    def __init__(self, settings: Settings) -> None:
        self._servers = {"bootstrap.servers": settings.kafka_bootstrap, "log_level": 3}
        self._producer = Producer({**self._servers, "message.max.bytes": 100_000_000})
        self._refused: list[KafkaError] = []

    def read(self, topic: str) -> list[Record]:
        """Every record from offset 0 to the end that the topic has now."""
        consumer = Consumer({**self._servers, "group.id": "chaos", "enable.auto.commit": False})
        try:
            return list(self._all(consumer, topic))
        finally:
            consumer.close()

    def _all(self, consumer: Consumer, topic: str) -> Iterator[Record]:
        numbers = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        ends = {}
        for number in numbers:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=20)
            if high > low:
                ends[number] = high
        consumer.assign([TopicPartition(topic, number, 0) for number in ends])
        while ends:
            message = consumer.poll(20)
            assert message is not None, f"{topic}: the records up to {ends} do not come"
            assert message.error() is None, message.error()
            record = _record(message)
            if record.partition in ends:
                yield record
                if (message.offset() or 0) + 1 >= ends[record.partition]:
                    del ends[record.partition]

    def write(self, records: Iterable[Record]) -> int:
        """Append them, and wait until Kafka has them; gives how many.

        Raises:
            AssertionError: Kafka refused one.
        """
        number = 0
        for record in records:
            number += 1
            while not self._produce(record):
                self._producer.poll(0.5)
        left = self._producer.flush(120)
        refused, self._refused = self._refused, []
        assert not left, f"{left} records are not written"
        assert not refused, refused[0].str()
        return number

    def _produce(self, record: Record) -> bool:
        try:
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                record.partition,
                headers=list(record.headers),
                on_delivery=self._delivered,
            )
        except BufferError:
            return False
        return True

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._refused.append(error)


def _record(message: Message) -> Record:
    headers: Any = message.headers() or ()
    return Record(
        str(message.topic()),
        int(message.partition() or 0),
        _bytes(message.key()),
        _bytes(message.value()),
        tuple((name, _bytes(value)) for name, value in headers),
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


class Shuffle:
    """Stands between the connector and the stream: ten seconds of records at a time, in any order.

    The connector writes to topics of another name meanwhile. 1 % of the records come twice, and one
    update in ten is held back until the next window is through: where its row was deleted
    meanwhile, the delete comes first and the older update late.

    ``seen`` counts what the stream was made to see: ``older`` records after a newer one of their
    key, ``late`` updates after the delete of their row, and ``twice``.
    """

    def __init__(self, settings: Settings, random: Random) -> None:
        self._settings = settings
        self._random = random
        self._topics = Topics(settings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shuffle")
        self._failure: BaseException | None = None
        self._newest: dict[tuple[str, bytes | None], tuple[tuple[str, int, int], str]] = {}
        self.seen: Counter[str] = Counter()

    @contextmanager
    def running(self) -> Iterator[Shuffle]:
        """Shuffle for the length of the block; afterwards every record is through."""
        connect = Connect(self._settings.connect_url)
        name = connector_name(self._settings.source_flavour)
        config = connect.config(name)
        assert config is not None
        self._make_topics()
        connect.put(name, config | self._route(config))
        connect.wait_running(name)
        self._thread.start()
        try:
            yield self
        finally:
            # What the block has changed must be in the topics before they are given up.
            wait_for(self._is_quiet, "the connector has read the source")
            connect.put(name, config)
            connect.wait_running(name)
            self._stop.set()
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _route(self, config: dict[str, str]) -> dict[str, str]:
        tables = "|".join(contract.name for contract in contracts.source_tables())
        return {
            "transforms": f"{config['transforms']},shuffle",
            "transforms.shuffle.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.shuffle.regex": rf"(.*\.{DATABASE}\.(?:{tables}))",
            "transforms.shuffle.replacement": f"{_RAW}$1",
        }

    def _make_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self._settings.kafka_bootstrap})
        there = admin.list_topics(timeout=20).topics
        new = [_RAW + topic for topic in table_topics() if _RAW + topic not in there]
        counts = {topic: len(there[topic.removeprefix(_RAW)].partitions) for topic in new}
        made = admin.create_topics([NewTopic(topic, counts[topic]) for topic in new])
        for future in made.values():
            future.result(30)

    def _is_quiet(self) -> bool:
        before = self.seen["read"]
        time.sleep(3)
        return self.seen["read"] == before

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 (raised again by whoever waits)
            self._failure = error

    def _work(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._settings.kafka_bootstrap,
                "group.id": "chaos-shuffle",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([_RAW + topic for topic in table_topics()])
        held: list[Record] = []
        over = False
        while not over:
            window: list[Record] = []
            ends = time.monotonic() + _WINDOW_S
            while time.monotonic() < ends and not over:
                stopping = self._stop.is_set()  # asked before the poll: nothing comes after it
                message = consumer.poll(1)
                if message is not None and message.error() is None:
                    self.seen["read"] += 1
                    record = _record(message)
                    window.append(record._replace(topic=record.topic.removeprefix(_RAW)))
                over = stopping and message is None
            self._random.shuffle(window)
            keep = [] if over else [r for r in window if self._is_held(r)]
            kept = set(map(id, keep))
            self._pass_on([r for r in window if id(r) not in kept] + held)
            held = keep
        consumer.close()

    def _is_held(self, record: Record) -> bool:
        return _op(record) == "u" and self._random.random() < 0.1

    def _pass_on(self, records: list[Record]) -> None:
        out = []
        for record in records:
            out.append(record)
            if self._random.random() < 0.01:
                out.append(record)
                self.seen["twice"] += 1
            self._count(record)
        self._topics.write(out)

    def _count(self, record: Record) -> None:
        if record.value is None:
            return
        source: dict[str, Any] = json.loads(record.value)["source"]
        place = (str(source["file"]), int(source["pos"]), int(source["row"]))
        key = (record.topic, record.key)
        newest, op = self._newest.get(key, (place, ""))
        if place < newest:
            self.seen["older"] += 1
            self.seen["late"] += op == "d" and _op(record) == "u"
        else:
            self._newest[key] = (place, _op(record))


def _op(record: Record) -> str:
    return "" if record.value is None else str(json.loads(record.value)["op"])
