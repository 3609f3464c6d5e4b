"""How far the readers of the topics have come, each by where it keeps that itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.kafka_admin import (
    TIMEOUT_S,
    offsets,
    open_admin,
    outcome,
    partition_counts,
)
from infra.lake.tables import Lake
from infra.settings import Settings
from stream_jobs.io.source import starting_offsets
from stream_jobs.scoring.table import CONTRACT, app_of

__all__ = ["Lag", "lags"]

_CONNECT: Final = "connect-"
Positions = Mapping[tuple[str, int], int | None]


@dataclass(frozen=True)
class Lag:
    """One reader in one partition.

    ``position`` is the offset that it reads next, None before it has read anything. ``oldest`` and
    ``end`` are the oldest offset that Kafka still has and the one that the next record gets.
    """

    reader: str
    topic: str
    partition: int
    position: int | None
    oldest: int
    end: int

    @property
    def lag(self) -> int:
        """Records that it has not read yet."""
        return max(self.end - max(self.position or 0, self.oldest), 0)

    @property
    def gone(self) -> int:
        """Records that Kafka dropped before it had read them."""
        return 0 if self.position is None else max(self.oldest - self.position, 0)


def lags(settings: Settings) -> list[Lag]:
    """Every reader in every partition that it reads, ordered by reader, topic and partition.

    The stream's place is that of its last finished batch in the lake, the scoring's stands in its
    table; both are what a start goes on from. Other readers are consumer groups, named as such.

    Raises:
        ComponentMissing: Kafka, one of our topics or the lake is not there.
    """
    admin = open_admin(settings)
    counts = partition_counts(admin, settings)
    readers: dict[str, Positions] = {"stream": _stream(settings)}
    scored = _scoring(settings, counts)
    if scored:
        readers["score"] = scored
    readers |= _groups(admin)
    places = [
        TopicPartition(topic, number)
        for topic, number in sorted({place for read in readers.values() for place in read})
        if number < counts.get(topic, 0)
    ]
    oldest, newest = (offsets(admin, places, newest=which) for which in (False, True))
    return [
        Lag(reader, *place, position, oldest[place], newest[place])
        for reader, read in sorted(readers.items())
        for place, position in sorted(read.items())
        if place in newest
    ]


def _stream(settings: Settings) -> Positions:
    found: dict[str, dict[str, int]] = json.loads(starting_offsets(settings))
    return {
        (topic, int(number)): None if offset < 0 else offset
        for topic, parts in found.items()
        for number, offset in parts.items()
    }


def _scoring(settings: Settings, counts: Mapping[str, int]) -> Positions:
    table = Lake(settings).open(CONTRACT)
    if table is None:
        return {}
    found = {
        place: table.transaction_version(app_of(place))
        for place in ((topic, n) for topic, count in counts.items() for n in range(count))
    }
    return {place: offset for place, offset in found.items() if offset is not None}


def _groups(admin: AdminClient) -> Iterator[tuple[str, Positions]]:
    """The consumer groups that have committed offsets, but for the workers of Connect."""
    listed: Future[Any] = admin.list_consumer_groups(request_timeout=TIMEOUT_S)
    names = [group.group_id for group in outcome(listed, "consumer groups: cannot be listed").valid]
    for name in sorted(names):
        if name.startswith(_CONNECT):
            continue
        request = [ConsumerGroupTopicPartitions(name)]
        answers = admin.list_consumer_group_offsets(request, request_timeout=TIMEOUT_S)
        found = outcome(answers[name], f"consumer group {name}: its offsets cannot be read")
        positions = {(p.topic, p.partition): p.offset for p in found.topic_partitions}
        if positions:
            yield name, {place: at if at >= 0 else None for place, at in positions.items()}
