"""The Kafka source: which topics, from which offsets, in which form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from connectors.config import HEARTBEAT_TABLE, TOPIC_PREFIX, table_topic
from connectors.letters import REPLAY_TOPIC
from finlake.errors import ComponentMissing
from infra.database.users import DATABASE
from infra.kafka import kafka_missing
from infra.lake.query import Query
from infra.security import kafka_options, spark_kafka_options
from infra.settings import Settings
from lakehouse_schemas import contracts
from stream_jobs.shapes import RECORDS

if TYPE_CHECKING:
    from confluent_kafka import Message
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["epoch_of", "partitions", "read_stream", "starting_offsets", "topics", "within"]


def topics() -> list[str]:
    """The topics that the stream reads."""
    names = [c.name for c in contracts.source_tables()]
    tables = [table_topic(DATABASE, name) for name in (*names, HEARTBEAT_TABLE)]
    return [*tables, TOPIC_PREFIX, REPLAY_TOPIC]  # the prefix alone has the schema changes


def partitions(settings: Settings) -> dict[str, int]:
    """Number of partitions of each topic.

    Raises:
        ComponentMissing: when Kafka does not answer or a topic is not there.
    """
    admin = AdminClient({**kafka_options(settings), "log_level": 0})
    try:
        found = admin.list_topics(timeout=10).topics
    except KafkaException as error:
        raise kafka_missing(settings, error) from None
    missing = [name for name in topics() if name not in found]
    if missing:
        raise ComponentMissing(
            f"Kafka has no topic {', '.join(missing)}; make them with `finlake topics create`"
        )
    return {name: len(found[name].partitions) for name in topics()}


def starting_offsets(settings: Settings) -> str:
    """Where a stream without a checkpoint starts, in Spark's form.

    That is where the lake's last finished batch ended, so that a lost checkpoint loses nothing and
    repeats nothing; the beginning of the topics for an empty lake.
    """
    # A batch names the partitions that it read; each may have been read last by another batch.
    known = Query(settings).query(
        r"""SELECT table_name, arg_max(ends, started_at) AS ends FROM gold.pipeline_batches
        WHERE ends <> '{}' GROUP BY table_name, regexp_replace(ends, ':\s*\d+', '', 'g')
        ORDER BY max(started_at)"""
    )
    ends: dict[str, dict[str, int]] = {}
    for row in known.to_pylist():
        ends.setdefault(row["table_name"], {}).update(json.loads(row["ends"]))
    offsets = {
        topic: {
            str(part): ends.get(topic.rsplit(".", 1)[-1], {}).get(str(part), -2)
            for part in range(count)
        }
        for topic, count in partitions(settings).items()
    }
    return json.dumps(offsets)


def read_stream(spark: SparkSession, settings: Settings) -> DataFrame:
    """A streaming frame with the columns of :data:`stream_jobs.shapes.RECORDS`.

    Data that Kafka has dropped before it was read stops the stream instead of being skipped.
    """
    records = (
        spark.readStream.format("kafka")
        .options(**spark_kafka_options(settings))
        .option("subscribe", ",".join(topics()))
        .option("startingOffsets", starting_offsets(settings))
        .option("maxOffsetsPerTrigger", settings.stream_max_offsets)
        .option("failOnDataLoss", "true")
        # A consumer's next request waits for the answer to the one before, which the broker holds
        # back this long when there is nothing new: half a second by default.
        .option("kafka.fetch.max.wait.ms", "1")
        .option("includeHeaders", "true")
        .load()
    )
    epoch = "cast(filter(headers, h -> h.key = 'epoch')[0].value as string) AS epoch"
    frame = records.selectExpr(
        "topic", "partition", "offset", "timestamp AS kafka_ts", epoch, "key", "value"
    )
    if frame.columns != RECORDS.names:
        raise AssertionError(f"the source gives {frame.columns}, not {RECORDS.names}")
    if settings.on_cluster:
        return frame  # a task for each partition of a topic, on whichever executor is free
    # One task for all partitions of all topics: the records go to one place, and tasks cost more
    # than they do.
    return frame.coalesce(1)


def epoch_of(message: Message) -> str | None:
    """The source epoch that a record bears as a header."""
    headers: Any = message.headers() or []
    epoch = next((value for name, value in headers if name == "epoch"), None)
    return None if epoch is None else epoch.decode("ascii", "replace")


def within(offset: int, low: int, high: int) -> int:
    """An offset that is there; the oldest for one of a topic that was made anew."""
    return max(offset, low) if offset <= high else low
