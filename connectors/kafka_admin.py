"""Asking Kafka's administration: which topics there are, how far they reach, what came of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from finlake.errors import ComponentMissing, FinlakeError
from infra.security import kafka_options
from infra.settings import Settings

__all__ = ["ANSWER_S", "TIMEOUT_S", "offsets", "open_admin", "outcome", "partition_counts"]

TIMEOUT_S: Final = 20.0
ANSWER_S: Final = 10.0

_NO_LEADER: Final = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())


def open_admin(settings: Settings) -> AdminClient:
    """A client; it connects when it is first asked."""
    options = {**kafka_options(settings), "socket.timeout.ms": int(TIMEOUT_S * 1000)}
    return AdminClient(options, logger=_LOG)


def partition_counts(admin: AdminClient, settings: Settings) -> dict[str, int]:
    """Every topic that Kafka has, and its number of partitions.

    Raises:
        ComponentMissing: Kafka does not answer.
    """
    try:
        found = admin.list_topics(timeout=ANSWER_S).topics
    except KafkaException:
        raise ComponentMissing(
            f"Kafka does not answer at {settings.kafka_bootstrap};"
            " start it with `finlake up` or correct FINLAKE_KAFKA_BOOTSTRAP"
        ) from None
    return {name: len(topic.partitions) for name, topic in found.items()}


def offsets(
    admin: AdminClient, places: Iterable[TopicPartition], *, newest: bool
) -> dict[tuple[str, int], int]:
    """Offset of the oldest record of each partition, or the one that the next record gets.

    A topic that was just created has no leader for a moment, which is waited for.

    Raises:
        FinlakeError: they cannot be read.
    """
    spec = OffsetSpec.latest() if newest else OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    wanted = dict.fromkeys(places, spec)
    deadline = time.monotonic() + TIMEOUT_S
    while wanted:
        answers = admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
        try:
            return {
                (place.topic, place.partition): future.result().offset
                for place, future in answers.items()
            }
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER or time.monotonic() > deadline:
                raise FinlakeError(
                    f"topics: their offsets cannot be read ({error.args[0].str()});"
                    " see Kafka's log (`finlake logs kafka`)"
                ) from None
        time.sleep(0.2)
    return {}


def outcome(future: Any, what: str) -> Any:
    """What an order to Kafka came to.

    Raises:
        FinlakeError: it was refused; the line begins with ``what``.
    """
    try:
        return future.result()
    except KafkaException as error:
        raise FinlakeError(
            f"{what}: {error.args[0].str()}; see Kafka's log (`finlake logs kafka`)"
        ) from None
