"""Tending topics by hand: what else Kafka has, taking a topic away, emptying one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from confluent_kafka import OFFSET_END, TopicPartition

from connectors.config import HISTORY_TOPIC
from connectors.kafka_admin import TIMEOUT_S, open_admin, outcome, partition_counts
from connectors.topics import Topic, TopicState, describe
from finlake.errors import UsageProblem
from infra.settings import Settings

__all__ = ["clear", "delete", "may_clear", "may_delete", "others"]

# What Kafka and Connect keep for themselves.
_SERVICE: Final = ("__", "finlake.connect-")


def others(settings: Settings, known: Iterable[Topic]) -> list[TopicState]:
    """The topics that Kafka has besides the known ones, ordered by name.

    Raises:
        ComponentMissing: Kafka does not answer.
    """
    names = {topic.name for topic in known}
    found = partition_counts(open_admin(settings), settings)
    return describe(
        settings,
        [
            Topic(name, _purpose(name), count)
            for name, count in sorted(found.items())
            if name not in names
        ],
    )


def _purpose(name: str) -> str:
    if name.startswith(_SERVICE):
        return "Kafka's or Connect's own."
    if name.startswith(HISTORY_TOPIC):
        return "Memory of the connector in another epoch."
    return "None of FinLake's."


def may_delete(name: str, known: Iterable[Topic]) -> None:
    """Refuse the topics that somebody lives on.

    Raises:
        UsageProblem: it is one of them.
    """
    if name.startswith(_SERVICE):
        raise UsageProblem(f"topic {name}: is Kafka's or Connect's own; leave it to them")
    for topic in known:
        if topic.name == name:
            raise UsageProblem(
                f"topic {name}: is in use ({topic.purpose.rstrip('.')});"
                f" `finlake topics clear {name}` empties it"
            )


def delete(settings: Settings, name: str) -> None:
    """Take a topic away with all its records.

    Raises:
        ComponentMissing: Kafka does not answer.
        UsageProblem: Kafka has no such topic.
        FinlakeError: Kafka refuses.
    """
    admin = open_admin(settings)
    _must_exist(name, partition_counts(admin, settings))
    answers = admin.delete_topics([name], operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S)
    outcome(answers[name], f"topic {name}: cannot be deleted")


def may_clear(name: str, known: Iterable[Topic]) -> None:
    """Refuse topics that are none of ours, and the one whose first record must stay.

    Raises:
        UsageProblem: it is one of them.
    """
    if name not in {topic.name for topic in known}:
        raise UsageProblem(
            f"topic {name}: is none of FinLake's in use; `finlake topics delete {name}` takes it"
            " away, if it is there"
        )
    if name.startswith(HISTORY_TOPIC):
        raise UsageProblem(
            f"topic {name}: without its oldest record the connector cannot start again;"
            " `finlake connectors recover` begins a new one"
        )


def clear(settings: Settings, name: str) -> None:
    """Remove all records of a topic; offsets go on, so that no reader takes the next for old.

    Raises:
        ComponentMissing: Kafka does not answer.
        UsageProblem: Kafka has no such topic.
        FinlakeError: Kafka refuses.
    """
    admin = open_admin(settings)
    counts = partition_counts(admin, settings)
    _must_exist(name, counts)
    places = [TopicPartition(name, number, OFFSET_END) for number in range(counts[name])]
    answers = admin.delete_records(places, operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S)
    for future in answers.values():
        outcome(future, f"topic {name}: cannot be cleared")


def _must_exist(name: str, counts: dict[str, int]) -> None:
    if name not in counts:
        raise UsageProblem(
            f"topic {name}: Kafka has none of that name; `finlake topics list --all` shows them"
        )
