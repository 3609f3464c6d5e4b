"""Orders to the stream: which dead letters it shall apply again.

The stream alone writes the lake; whoever wants records put through again tells it so on a topic,
which it reads like the others: an order is done once, also when the stream is down for a while.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from finlake.errors import ComponentMissing, UsageProblem
from infra.security import kafka_options
from infra.settings import Settings

__all__ = ["REPLAY_TOPIC", "Choice", "Place", "place_of", "read_orders", "send_order"]

REPLAY_TOPIC: Final = "finlake.replays"

_TIMEOUT_S: Final = 20.0
_PLACE: Final = re.compile(r"(?P<topic>[\w.-]+)\[(?P<partition>\d{1,9})\]@(?P<offset>\d{1,18})")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where a record stands in Kafka; as text, the form that logs and errors use."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True)
class Choice:
    """Dead letters of one source table: all, those of a reason, or the one at a place."""

    table: str
    reason: str | None = None
    place: Place | None = None

    def __str__(self) -> str:
        if self.place:
            return str(self.place)
        return f"{self.table}, {self.reason}" if self.reason else self.table

    def conditions(self) -> dict[str, str | int]:
        """What the columns of ``bronze.dead_letters`` have to be, besides the table."""
        found: dict[str, str | int] = {"reason": self.reason} if self.reason else {}
        if self.place:
            found |= vars(self.place)
        return found


def place_of(text: str) -> Place:
    """The place that is written as ``topic[partition]@offset``.

    Raises:
        UsageProblem: it is not.
    """
    found = _PLACE.fullmatch(text)
    if not found:
        raise UsageProblem(
            f"{text}: is no place of a record; write it as TOPIC[PARTITION]@OFFSET,"
            " `cdc.finance.cards[0]@17`"
        )
    return Place(found["topic"], int(found["partition"]), int(found["offset"]))


def send_order(settings: Settings, choice: Choice, by: str) -> int:
    """Order a replay; returns the order's own offset, behind which the stream is when it is done.

    Args:
        settings: where Kafka is.
        choice: the dead letters.
        by: who asks for it, for those who look into the topic later.

    Raises:
        ComponentMissing: Kafka does not take the order.
    """
    at = -1
    failed: list[KafkaError] = []

    def told(error: KafkaError | None, sent: Message) -> None:
        nonlocal at
        if error:
            failed.append(error)
        else:
            at = sent.offset() or 0

    producer = Producer({**kafka_options(settings), "enable.idempotence": True, "log_level": 0})
    producer.produce(
        REPLAY_TOPIC,
        key=choice.table.encode(),
        value=msgspec.json.encode({"by": by, "choice": choice}),
        on_delivery=told,
    )
    if producer.flush(_TIMEOUT_S) or failed:
        raise ComponentMissing(
            f"Kafka did not take the order for {REPLAY_TOPIC} at {settings.kafka_bootstrap};"
            " start it with `finlake up`, then `finlake topics create`"
        )
    return at


class _Order(msgspec.Struct):
    choice: Choice


_decode = msgspec.json.Decoder(_Order).decode


def read_orders(values: Iterable[bytes | None]) -> Iterator[Choice]:
    """What the records of the topic ask for, each once; one that cannot be read is left out."""
    seen = set()
    for value in values:
        try:
            choice = _decode(value or b"").choice
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            _log.warning("%s has a record that is no order", REPLAY_TOPIC)
            continue
        if choice not in seen:
            seen.add(choice)
            yield choice
