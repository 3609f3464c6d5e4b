"""Orders to a running connector: read a table again beside the stream, and stop doing so."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Final, Literal

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from connectors.config import (
    NOTIFICATION_TOPIC,
    SIGNAL_TABLE,
    SIGNAL_TOPIC,
    TOPIC_PREFIX,
    parse_source,
)
from connectors.source import cursor
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.security import kafka_options
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = [
    "Channel",
    "notifications",
    "qualified",
    "send",
    "snapshot",
    "start_snapshot",
    "stop_snapshot",
    "wait_scanned",
]

Channel = Literal["kafka", "table"]

_TIMEOUT_S: Final = 20.0
_AGGREGATE: Final = "Incremental Snapshot"


def snapshot(
    settings: Settings,
    table: str,
    *,
    channel: Channel = "kafka",
    timeout_s: float = 600.0,
    tell: Callable[[str], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Read one source table again, row by row, while changes go on; returns the rows read.

    Each row arrives as an event of kind ``r`` at the position where it was read, so that newer
    changes keep the upper hand. ``check`` is called while nothing comes and may raise.

    Raises:
        UsageProblem: there is no such source table.
        ComponentMissing: Kafka or the source does not answer.
        FinlakeError: the connector did not finish in time.
    """
    consumer = notifications(settings)
    try:
        start_snapshot(settings, table, channel=channel)
        return wait_scanned(consumer, qualified(settings, table), timeout_s, tell, check)
    finally:
        consumer.close()


def start_snapshot(settings: Settings, table: str, *, channel: Channel = "kafka") -> str:
    """Order the re-snapshot of one table and return the order's id at once."""
    return send(settings, "execute-snapshot", qualified(settings, table), channel)


def stop_snapshot(settings: Settings, table: str, *, channel: Channel = "kafka") -> str:
    """Order the end of a table's re-snapshot; what was read stays valid."""
    return send(settings, "stop-snapshot", qualified(settings, table), channel)


def qualified(settings: Settings, table: str) -> str:
    """``database.table`` of a source table.

    Raises:
        UsageProblem: there is no such source table.
    """
    names = [contract.name for contract in contracts.source_tables()]
    if table not in names:
        raise UsageProblem(f"table {table}: is no source table; there are {', '.join(names)}")
    return f"{parse_source(settings).database}.{table}"


def send(settings: Settings, kind: str, name: str, channel: Channel) -> str:
    """Send an order about a table, ``database.table``; returns its id."""
    data = {"type": "INCREMENTAL", "data-collections": [name.replace(".", r"\.")]}
    number = str(uuid.uuid4())
    if channel == "table":
        source = parse_source(settings)
        with cursor(source, settings, as_connector=False) as application:
            application.execute(
                f"INSERT INTO {SIGNAL_TABLE} (id, type, data) VALUES (%s, %s, %s)",
                (number, kind, json.dumps(data)),
            )
        return number
    producer = Producer(kafka_options(settings))
    failed: list[KafkaError] = []
    producer.produce(
        SIGNAL_TOPIC,
        key=TOPIC_PREFIX,
        value=json.dumps({"id": number, "type": kind, "data": data}),
        on_delivery=lambda error, _: failed.append(error) if error else None,
    )
    if producer.flush(_TIMEOUT_S) or failed:
        raise ComponentMissing(
            f"Kafka did not take the signal for {SIGNAL_TOPIC} at {settings.kafka_bootstrap};"
            " start it with `finlake up`, then `finlake topics create`"
        )
    return number


def notifications(settings: Settings) -> Consumer:
    """A reader of the notifications that come from now on."""
    consumer = Consumer(
        {
            **kafka_options(settings),
            "group.id": "finlake-notifications",
            "enable.auto.commit": False,
        }
    )
    place = TopicPartition(NOTIFICATION_TOPIC, 0)
    try:
        _, newest = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
    except KafkaException:
        consumer.close()
        raise ComponentMissing(
            f"Kafka does not show {NOTIFICATION_TOPIC} at {settings.kafka_bootstrap};"
            " start it with `finlake up`, then `finlake topics create`"
        ) from None
    consumer.assign([TopicPartition(NOTIFICATION_TOPIC, 0, newest if newest >= 0 else OFFSET_END)])
    return consumer


def wait_scanned(
    consumer: Consumer,
    table: str,
    timeout_s: float,
    tell: Callable[[str], None],
    check: Callable[[], None],
) -> int:
    """Wait for the end of a re-snapshot of ``database.table``; returns the rows read."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None:
            check()
            continue
        if message.error() or not (value := message.value()):
            continue
        note = json.loads(value)
        details = note.get("additional_data") or {}
        if note.get("aggregate_type") != _AGGREGATE or table not in str(details):
            continue
        tell(f"{table}: {str(note['type']).lower().replace('_', ' ')}")
        if note["type"] == "TABLE_SCAN_COMPLETED":
            status = details.get("status", "SUCCEEDED")
            if status in ("SUCCEEDED", "EMPTY"):
                return int(details.get("total_rows_scanned", 0))
            raise FinlakeError(
                f"table {table}: the re-snapshot ended as {status}; a table needs a primary key"
                " and the connector must run (`finlake connectors status`)"
            )
        if note["type"] == "ABORTED":
            raise FinlakeError(f"table {table}: the re-snapshot was stopped; order it again")
    raise FinlakeError(
        f"table {table}: no end of the re-snapshot within {timeout_s:.0f} s;"
        " see `finlake connectors status` and Kafka Connect's log"
    )
