"""The Kafka topics: which there are and why each is kept as it is, created before use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from connectors.config import (
    HEARTBEAT_TABLE,
    NOTIFICATION_TOPIC,
    SIGNAL_TABLE,
    SIGNAL_TOPIC,
    TOPIC_PREFIX,
    heartbeat_topic,
    history_topic,
    parse_source,
    table_topic,
)
from connectors.kafka_admin import TIMEOUT_S, offsets, open_admin, outcome, partition_counts
from connectors.letters import REPLAY_TOPIC
from infra.kafka import ALERTS_TOPIC
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = ["ALERTS_TOPIC", "Topic", "TopicState", "create", "describe", "expected"]

_FOR_EVER: Final = "-1"
_DAY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True)
class Topic:
    """A topic as it should be. ``purpose`` is for people."""

    name: str
    purpose: str
    partitions: int = 1
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TopicState:
    """A topic as it is: ``partitions`` is 0 when it is absent, ``records`` counts offsets.

    ``records`` is newest less oldest offset over all partitions: an upper bound where a topic is
    compacted or transactional. ``differences`` are sentences; empty when all is as it should be.
    """

    topic: Topic
    partitions: int
    records: int
    config: dict[str, str]
    differences: tuple[str, ...]

    @property
    def exists(self) -> bool:
        """Whether Kafka has the topic."""
        return self.partitions > 0


def expected(settings: Settings, *, epoch: int = 1) -> tuple[Topic, ...]:
    """The topics that the capture and the streams use, ordered by name."""
    database = parse_source(settings).database
    retention = str(settings.topic_retention_hours * 3600 * 1000)
    changes = {
        "cleanup.policy": "delete",
        "retention.ms": retention,
        # the time at which the record reached the broker: the first hop of the freshness
        "message.timestamp.type": "LogAppendTime",
    }
    service = {**changes, "retention.ms": str(_DAY_MS)}
    forever = {"cleanup.policy": "delete", "retention.ms": _FOR_EVER, "retention.bytes": _FOR_EVER}
    tables = [
        Topic(
            table_topic(database, contract.name),
            f"Changes of {contract.name}.",
            # one table is large; more partitions for the others only cost
            settings.topic_partitions if contract.name == "transactions" else 1,
            changes,
        )
        for contract in contracts.source_tables()
    ]
    others = [
        Topic(TOPIC_PREFIX, "DDL of the source, as it happened.", 1, forever),
        Topic(
            table_topic(database, HEARTBEAT_TABLE),
            "One row touched each second: measures the way to Kafka.",
            1,
            service,
        ),
        Topic(table_topic(database, SIGNAL_TABLE), "Marks of re-snapshots.", 1, service),
        Topic(heartbeat_topic(), "Signs of life of the connector.", 1, service),
        # without its oldest record the connector cannot start again
        Topic(history_topic(epoch), "Memory of the connector: the DDL to replay.", 1, forever),
        Topic(SIGNAL_TOPIC, "Orders to the connector.", 1, changes),
        Topic(REPLAY_TOPIC, "Orders to the stream: dead letters to apply.", 1, changes),
        Topic(NOTIFICATION_TOPIC, "Progress of snapshots.", 1, changes),
        # keyed by alert: compaction takes out the repeats that a replay may send
        Topic(
            ALERTS_TOPIC,
            "Fraud alerts.",
            1,
            {"cleanup.policy": "compact,delete", "retention.ms": str(30 * _DAY_MS)},
        ),
    ]
    return tuple(sorted([*tables, *others], key=lambda topic: topic.name))


def describe(settings: Settings, topics: Iterable[Topic]) -> list[TopicState]:
    """How the topics are.

    Raises:
        ComponentMissing: Kafka does not answer.
    """
    return _describe(open_admin(settings), settings, tuple(topics))


def create(
    settings: Settings, topics: Iterable[Topic], *, repair: bool = False
) -> list[TopicState]:
    """Create what is missing and return how all of them are now.

    A topic that differs is left alone and its differences are reported; with ``repair`` its
    configuration is set right. Partitions are never changed: keys would move to others.

    Raises:
        ComponentMissing: Kafka does not answer.
        FinlakeError: a topic cannot be created or changed.
    """
    wanted = tuple(topics)
    admin = open_admin(settings)
    states = _describe(admin, settings, wanted)
    missing = [state.topic for state in states if not state.exists]
    if missing:
        futures = admin.create_topics(
            [NewTopic(t.name, t.partitions, config=t.config) for t in missing],
            operation_timeout=TIMEOUT_S,
            request_timeout=TIMEOUT_S,
        )
        for name, future in futures.items():
            outcome(future, f"topic {name}: cannot be created")
    wrong = [state.topic for state in states if state.exists and _config_differences(state)]
    if repair and wrong:
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                topic.name,
                incremental_configs=[
                    ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                    for key, value in topic.config.items()
                ],
            )
            for topic in wrong
        ]
        altered = admin.incremental_alter_configs(resources, request_timeout=TIMEOUT_S)
        for resource, future in altered.items():
            outcome(future, f"topic {resource.name}: cannot be changed")
    return _describe(admin, settings, wanted) if missing or (repair and wrong) else states


def _describe(
    admin: AdminClient, settings: Settings, topics: tuple[Topic, ...]
) -> list[TopicState]:
    found = partition_counts(admin, settings)
    partitions = {t.name: found[t.name] for t in topics if t.name in found}
    present = [topic for topic in topics if topic.name in partitions]
    configs = _configs(admin, present)
    records = _records(admin, partitions)
    states = []
    for topic in topics:
        state = TopicState(
            topic,
            partitions.get(topic.name, 0),
            records.get(topic.name, 0),
            configs.get(topic.name, {}),
            (),
        )
        states.append(_judged(state))
    return states


def _configs(admin: AdminClient, topics: list[Topic]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    answers = admin.describe_configs(resources, request_timeout=TIMEOUT_S)
    return {
        resource.name: {
            key: entry.value
            for key, entry in outcome(future, f"topic {resource.name}: cannot be read").items()
        }
        for resource, future in answers.items()
    }


def _records(admin: AdminClient, partitions: dict[str, int]) -> dict[str, int]:
    places = [
        TopicPartition(name, number)
        for name, count in partitions.items()
        for number in range(count)
    ]
    newest, oldest = offsets(admin, places, newest=True), offsets(admin, places, newest=False)
    counts = dict.fromkeys(partitions, 0)
    for topic, number in newest:
        counts[topic] += newest[topic, number] - oldest[topic, number]
    return counts


def _judged(state: TopicState) -> TopicState:
    topic = state.topic
    if not state.exists:
        differences = [f"topic {topic.name}: is missing; `finlake topics create` creates it"]
    else:
        differences = _config_differences(state)
        if state.partitions != topic.partitions:
            differences.append(
                f"topic {topic.name}: has {state.partitions} partitions instead of"
                f" {topic.partitions}; changing them moves keys, so it is left as it is"
            )
    return TopicState(topic, state.partitions, state.records, state.config, tuple(differences))


def _config_differences(state: TopicState) -> list[str]:
    return [
        f"topic {state.topic.name}: {key} is {state.config.get(key)} instead of {value};"
        " `finlake topics create --repair` sets it right"
        for key, value in state.topic.config.items()
        if state.config.get(key) != value
    ]
