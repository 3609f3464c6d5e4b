"""Looking into topics: single records, decoded, with what a role may not see hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from connectors.config import table_topic
from connectors.topics import ALERTS_TOPIC
from finlake.errors import FinlakeError, UsageProblem
from infra.kafka import kafka_missing
from infra.security import kafka_options
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts
from lakehouse_schemas.masking import HIDDEN, masked_row
from lakehouse_schemas.model import Role

__all__ = ["Record", "contract_of", "decoded", "follow", "read", "shown"]

_ANSWER_S: Final = 10.0
_ROWS: Final = ("before", "after")
# What else Debezium writes beside the rows; no values of the tables.
_ENVELOPE: Final = ("op", "source", "transaction", "ts_ms", "ts_us", "ts_ns")


@dataclass(frozen=True)
class Record:
    """A record as it may be shown; ``size`` is in bytes, ``value`` is None for a tombstone.

    ``readable`` is false for what is no JSON of the expected form.
    """

    topic: str
    partition: int
    offset: int
    at: datetime | None
    key: Any
    value: Any
    headers: dict[str, str]
    size: int
    readable: bool


def contract_of(topic: str, database: str) -> Contract | None:
    """The contract of the rows in a topic; None where its records are no rows of tables."""
    if topic == ALERTS_TOPIC:
        return contracts.get("gold.fraud_alerts")
    for contract in contracts.layer("source"):
        if topic == table_topic(database, contract.name):
            return contract
    return None


def read(
    settings: Settings,
    topic: str,
    contract: Contract | None,
    role: Role,
    *,
    count: int,
    partition: int | None = None,
    offset: int | None = None,
) -> list[Record]:
    """The newest records of a topic, oldest first; or those from an offset of a partition on.

    Raises:
        ComponentMissing: Kafka does not answer.
        UsageProblem: there is no such topic, partition or offset.
    """
    with _Reader(settings, topic) as reader:
        ranges = reader.ranges(partition)
        if offset is None:
            starts = {p: max(low, high - count) for p, (low, high) in ranges.items()}
        else:
            ((number, (low, high)),) = ranges.items()
            if not low <= offset < high:
                raise UsageProblem(
                    f"topic {topic}[{number}]: has no offset {offset};"
                    + (f" it has {low} to {high - 1}" if low < high else " it is empty")
                )
            starts = {number: offset}
        ends = {p: high for p, (_, high) in ranges.items()}
        found = [decoded(message, contract, role) for message in reader.between(starts, ends)]
    found.sort(key=_order)
    return found[-count:] if offset is None else found[:count]


def follow(
    settings: Settings,
    topic: str,
    contract: Contract | None,
    role: Role,
    *,
    partition: int | None = None,
) -> Iterator[Record]:
    """The records that come from now on, until nobody asks for more. Raises as :func:`read`."""
    with _Reader(settings, topic) as reader:
        starts = {p: high for p, (_, high) in reader.ranges(partition).items()}
        for message in reader.since(starts):
            yield decoded(message, contract, role)


def decoded(message: Message, contract: Contract | None, role: Role) -> Record:
    """The record as the role sees it.

    Of a topic with rows, everything is hidden that is not known to be fit to be shown, among it
    records that cannot be read: somebody's data may stand there.
    """
    key, value = message.key(), message.value()
    shown_key, key_ok = shown(key, contract, role)
    shown_value, value_ok = shown(value, contract, role)
    kind, ms = message.timestamp()
    headers: Any = message.headers() or []
    return Record(
        topic=str(message.topic()),
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        at=None if kind == TIMESTAMP_NOT_AVAILABLE else datetime.fromtimestamp(ms / 1000, UTC),
        key=shown_key,
        value=shown_value,
        headers={name: (data or b"").decode("utf-8", "replace") for name, data in headers},
        size=len(value or b""),
        readable=key_ok and value_ok,
    )


def shown(data: Any, contract: Contract | None, role: Role) -> tuple[Any, bool]:
    """Key or value of a record as the role sees it, and whether it could be read."""
    if data is None:
        return None, True
    raw = data.encode() if isinstance(data, str) else bytes(data)
    try:
        document = json.loads(raw)
    except ValueError:
        document = None
    if contract is None:  # no rows of tables
        text = raw.decode("utf-8", "replace")
        return (document, True) if document is not None else (text, True)
    if contract.layer != "source" and not isinstance(document, dict):
        return raw.decode("utf-8", "replace"), True  # the key of an alert is plain text
    if not isinstance(document, dict):
        text = raw.decode("utf-8", "replace") if role == "admin" else HIDDEN
        return f"{len(raw)} bytes that are no JSON object: {text}", False
    if contract.layer == "source" and "op" in document:
        return _envelope(document, contract, role)
    return masked_row(contract, role, document), True


def _envelope(document: dict[str, Any], contract: Contract, role: Role) -> tuple[Any, bool]:
    found: dict[str, Any] = {}
    readable = True
    for name, value in document.items():
        if name in _ROWS and isinstance(value, dict):
            found[name] = masked_row(contract, role, value)
        elif name in _ENVELOPE or value is None or role == "admin":
            found[name] = value
        else:
            found[name], readable = HIDDEN, False
    return found, readable


def _order(record: Record) -> tuple[float, int, int]:
    return (record.at.timestamp() if record.at else 0.0, record.partition, record.offset)


class _Reader:
    """A consumer of one topic that leaves no trace: it commits nothing and joins no group."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._consumer = Consumer(
            {
                **kafka_options(settings),
                "group.id": "finlake-tail",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def ranges(self, partition: int | None) -> dict[int, tuple[int, int]]:
        """Oldest offset and the next one of each partition, or of the one that is asked for."""
        try:
            found = self._consumer.list_topics(self._topic, timeout=_ANSWER_S).topics[self._topic]
            if not found.partitions:
                raise UsageProblem(
                    f"topic {self._topic}: is not there; `finlake topics create` makes ours"
                )
            numbers = sorted(found.partitions) if partition is None else [partition]
            if not set(numbers) <= set(found.partitions):
                raise UsageProblem(
                    f"topic {self._topic}: has no partition {partition}, only"
                    f" {', '.join(map(str, sorted(found.partitions)))}"
                )
            return {number: self._range(number) for number in numbers}
        except KafkaException as error:
            raise kafka_missing(self._settings, error) from None

    def _range(self, number: int) -> tuple[int, int]:
        place = TopicPartition(self._topic, number)
        low, high = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_S)
        return low, high

    def between(self, starts: dict[int, int], ends: dict[int, int]) -> Iterator[Message]:
        """What is there from the starts on, up to the ends."""
        left = {number for number, start in starts.items() if start < ends[number]}
        self._assign({number: starts[number] for number in left})
        while left:
            message = self._consumer.poll(_ANSWER_S)
            if message is None:
                raise FinlakeError(
                    f"topic {self._topic}: Kafka at {self._settings.kafka_bootstrap} gives no"
                    " records; see `finlake logs kafka`"
                )
            number = message.partition() or 0
            if self._at_the_end(message):
                left.discard(number)
            elif number in left:
                if (message.offset() or 0) < ends[number]:
                    yield message
                if (message.offset() or 0) >= ends[number] - 1:
                    left.discard(number)

    def since(self, starts: dict[int, int]) -> Iterator[Message]:
        """What comes from the starts on, for ever."""
        self._assign(starts)
        while True:
            message = self._consumer.poll(0.5)
            if message is not None and not self._at_the_end(message):
                yield message

    def _assign(self, starts: dict[int, int]) -> None:
        self._consumer.assign([TopicPartition(self._topic, n, at) for n, at in starts.items()])

    def _at_the_end(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:
            return True
        raise kafka_missing(self._settings, KafkaException(error))
