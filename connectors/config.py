"""The Debezium connector's configuration, rendered from the contracts and the settings.

Pure: no network, no clock. Every value that is not Debezium's default says why it is there.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from finlake.errors import UsageProblem
from infra.security import (
    TRUSTSTORE_PASSWORD,
    java_kafka_options,
    secret_reference,
    source_tls,
    truststore,
)
from infra.settings import Settings
from lakehouse_schemas.model import Contract
from lakehouse_schemas.render.debezium import column_exclude_list, table_include_list

__all__ = [
    "HEARTBEAT_TABLE",
    "HISTORY_TOPIC",
    "NOTIFICATION_TOPIC",
    "ROWS_ELSEWHERE",
    "SIGNAL_TABLE",
    "SIGNAL_TOPIC",
    "TOPIC_PREFIX",
    "Flavour",
    "Source",
    "connector_config",
    "connector_name",
    "heartbeat_topic",
    "history_topic",
    "parse_source",
    "table_topic",
]

Flavour = Literal["mysql", "mariadb", "postgresql"]

TOPIC_PREFIX: Final = "cdc"
SIGNAL_TOPIC: Final = "finlake.signals"
NOTIFICATION_TOPIC: Final = "finlake.notifications"
HISTORY_TOPIC: Final = "finlake.schema-history"
SIGNAL_TABLE: Final = "finlake_signal"
HEARTBEAT_TABLE: Final = "finlake_heartbeat"
ROWS_ELSEWHERE: Final = "no_data"
"""``snapshot.mode`` of a connector whose tables' rows are not read by itself."""

_JSON: Final = "org.apache.kafka.connect.json.JsonConverter"
_CLASSES: Final[dict[Flavour, str]] = {
    "mysql": "io.debezium.connector.mysql.MySqlConnector",
    "mariadb": "io.debezium.connector.mariadb.MariaDbConnector",
    "postgresql": "io.debezium.connector.postgresql.PostgresConnector",
}
_PORTS: Final[dict[str, int]] = {"mysql": 3306, "mariadb": 3306, "postgresql": 5432}
# The first member of each pair is for a database on this machine, where TLS only costs time.
_TLS: Final[dict[Flavour, dict[str, str]]] = {
    "mysql": {
        "off": "disabled",
        "auto": "preferred",
        "required": "required",
        "verify": "verify_identity",
    },
    "mariadb": {"off": "disable", "auto": "trust", "required": "trust", "verify": "verify-full"},
    "postgresql": {
        "off": "disable",
        "auto": "prefer",
        "required": "require",
        "verify": "verify-full",
    },
}


@dataclass(frozen=True)
class Source:
    """Where the source database is; ``tls`` is off, auto, required or verify."""

    flavour: Flavour
    host: str
    port: int
    database: str
    user: str
    password: str
    tls: str

    @property
    def address(self) -> str:
        """``host:port/database``, fit to be shown."""
        return f"{self.host}:{self.port}/{self.database}"

    def __repr__(self) -> str:
        return f"Source({self.flavour} {self.user}@{self.address})"


def parse_source(settings: Settings) -> Source:
    """Read the source's URL.

    Raises:
        UsageProblem: the URL is missing or incomplete.
    """
    if settings.source_url is None:
        raise UsageProblem(
            "setting FINLAKE_SOURCE_URL: not set; start the embedded stack with `finlake up` or"
            " set it to mysql://user:password@host:port/finance"
        )
    url = urlsplit(settings.source_url.get_secret_value())
    database = url.path.strip("/")
    if not url.hostname or not database or not url.username:
        raise UsageProblem(
            "setting FINLAKE_SOURCE_URL: lacks a host, a user or a database;"
            " write mysql://user:password@host:port/finance"
        )
    return Source(
        flavour=settings.source_flavour,
        host=url.hostname,
        port=url.port or _PORTS[settings.source_flavour],
        database=database,
        user=unquote(url.username),
        password=unquote(url.password or ""),
        tls=source_tls(settings.source_url.get_secret_value()),
    )


def connector_name(flavour: Flavour) -> str:
    """Name of the connector in Kafka Connect."""
    return "finance-postgres-connector" if flavour == "postgresql" else "finance-mysql-connector"


def table_topic(database: str, table: str) -> str:
    """Topic of a source table's changes."""
    return f"{TOPIC_PREFIX}.{database}.{table}"


def heartbeat_topic() -> str:
    """Topic on which the connector shows that it lives."""
    return f"__debezium-heartbeat.{TOPIC_PREFIX}"


def history_topic(epoch: int) -> str:
    """Topic that keeps the source's DDL; a rebuilt source starts a new one."""
    return HISTORY_TOPIC if epoch == 1 else f"{HISTORY_TOPIC}.{epoch}"


def connector_config(
    settings: Settings, contracts: Iterable[Contract], *, epoch: int, rows: bool = True
) -> dict[str, str]:
    """The connector's configuration for these source contracts.

    ``epoch`` is the source epoch that every record carries as a header. Without ``rows`` a
    connector that begins captures what happens from then on, and leaves what is there to others.

    Raises:
        UsageProblem: the source's URL is missing or wrong.
    """
    source = parse_source(settings)
    tables = sorted((*contracts,), key=lambda contract: contract.name)
    names = [contract.name for contract in tables]
    config = {
        **_connection(settings, source, names, epoch),
        "connector.class": _CLASSES[source.flavour],
        "tasks.max": "1",
        "topic.prefix": TOPIC_PREFIX,
        # values: exact, and plain JSON without a schema beside each row
        "decimal.handling.mode": "string",
        "time.precision.mode": "microseconds",
        "binary.handling.mode": "base64",
        "tombstones.on.delete": "true",
        "skipped.operations": "none",
        "provide.transaction.metadata": "false",
        "key.converter": _JSON,
        "key.converter.schemas.enable": "false",
        "key.converter.decimal.format": "NUMERIC",
        "value.converter": _JSON,
        "value.converter.schemas.enable": "false",
        # else an unsigned BIGINT, which `precise` makes a decimal, comes as base64
        "value.converter.decimal.format": "NUMERIC",
        # else a NULL in a column with a DEFAULT arrives as the default
        "value.converter.replace.null.with.default": "false",
        "header.converter": "org.apache.kafka.connect.storage.StringConverter",
        "transforms": "epoch",
        "transforms.epoch.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.epoch.header": "epoch",
        "transforms.epoch.value.literal": str(epoch),
        # three Debezium headers on each record that nobody reads
        "extended.headers.enabled": "false",
        "snapshot.mode": "initial" if rows else ROWS_ELSEWHERE,
        # a silent gap is worse than a stop
        "event.processing.failure.handling.mode": "fail",
        "errors.tolerance": "none",
        "errors.log.enable": "true",
        "errors.log.include.messages": "false",
        "errors.max.retries": "-1",
        "retriable.restart.connector.wait.ms": "1000",
        "incremental.snapshot.chunk.size": "8192",
        "incremental.snapshot.watermarking.strategy": "insert_delete",
        # signals, notifications, heartbeat
        "signal.enabled.channels": "source,kafka",
        "signal.data.collection": f"{source.database}.{SIGNAL_TABLE}",
        "signal.poll.interval.ms": "1000",
        "signal.kafka.topic": SIGNAL_TOPIC,
        "signal.kafka.bootstrap.servers": settings.kafka_bootstrap,
        "signal.kafka.groupId": connector_name(source.flavour),
        "signal.kafka.poll.timeout.ms": "100",
        **_kafka_clients(settings, "signal.consumer"),
        "notification.enabled.channels": "sink",
        "notification.sink.topic.name": NOTIFICATION_TOPIC,
        "heartbeat.interval.ms": "1000",
        # latency: the defaults wait half a second for company
        "poll.interval.ms": "10",
        "max.batch.size": "8192",
        "max.queue.size": "32768",
        "producer.override.linger.ms": "5",
        "producer.override.batch.size": "262144",
        "producer.override.compression.type": "lz4",
        # one row, or the DDL of many tables, may be larger than the default of 1 MB
        "producer.override.max.request.size": "8388608",
        "table.include.list": table_include_list(source.database, tables),
    }
    excluded = column_exclude_list(source.database, tables)
    if excluded:
        config["column.exclude.list"] = excluded
    return dict(sorted(config.items()))


def _connection(
    settings: Settings, source: Source, tables: list[str], epoch: int
) -> dict[str, str]:
    shared = {
        "database.hostname": source.host,
        "database.port": str(source.port),
        "database.user": settings.source_cdc_user,
        # Connect's REST interface shows configurations to whoever asks
        "database.password": secret_reference(settings, "source_cdc_password"),
    }
    if source.flavour == "postgresql":
        return {
            **shared,
            "database.dbname": source.database,
            "database.sslmode": _TLS["postgresql"][source.tls],
            "plugin.name": "pgoutput",
            "slot.name": "finlake",
            "publication.name": "finlake",
            "publication.autocreate.mode": "filtered",
            "schema.include.list": source.database,
            "heartbeat.action.query": (
                f"INSERT INTO {source.database}.{HEARTBEAT_TABLE} (id, beat_at)"
                " VALUES (1, now() AT TIME ZONE 'utc')"
                " ON CONFLICT (id) DO UPDATE SET beat_at = EXCLUDED.beat_at"
            ),
        }
    return {
        **shared,
        **_driver(source),
        "database.server.id": str(_server_id(settings, source)),
        "database.ssl.mode": _TLS[source.flavour][source.tls],
        **_trust(settings, source),
        "database.include.list": source.database,
        "bigint.unsigned.handling.mode": "precise",
        # else the year 50 becomes 2050
        "enable.time.adjuster": "false",
        "include.schema.changes": "true",
        # how soon a lost connection is noticed: a source that was killed closes it without a word
        "connect.keep.alive.interval.ms": "10000",
        "inconsistent.schema.handling.mode": "fail",
        "event.deserialization.failure.handling.mode": "fail",
        "snapshot.locking.mode": "minimal",
        "schema.history.internal": "io.debezium.storage.kafka.history.KafkaSchemaHistory",
        "schema.history.internal.kafka.bootstrap.servers": settings.kafka_bootstrap,
        "schema.history.internal.kafka.topic": history_topic(epoch),
        **_kafka_clients(settings, "schema.history.internal.producer"),
        **_kafka_clients(settings, "schema.history.internal.consumer"),
        "schema.history.internal.store.only.captured.tables.ddl": "true",
        "internal.schema.history.internal.ddl.filter": _foreign_ddl(tables),
        "heartbeat.action.query": (
            f"INSERT INTO {source.database}.{HEARTBEAT_TABLE} (id, beat_at)"
            " VALUES (1, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE beat_at = VALUES(beat_at)"
        ),
    }


def _kafka_clients(settings: Settings, prefix: str) -> dict[str, str]:
    """Security of a Kafka client that Debezium starts by itself."""
    options = java_kafka_options(settings, secret_reference(settings, "kafka_jaas"))
    return {f"{prefix}.{name}": value for name, value in options.items()}


def _trust(settings: Settings, source: Source) -> dict[str, str]:
    """Who may sign for the source, where that is looked at."""
    store = truststore(settings, "source_ca") if source.tls == "verify" else None
    if store is None:
        return {}
    return {
        "database.ssl.truststore": str(store),
        "database.ssl.truststore.password": TRUSTSTORE_PASSWORD,
    }


def _foreign_ddl(tables: list[str]) -> str:
    """Expressions, with commas between, for DDL that Debezium need not read.

    It stops at a statement that it cannot parse. One about other tables, or about none, must not
    stop the capture; one about ours must.
    """
    names = "|".join([*tables, "database", "schema"])
    set_for = r"(?:SET STATEMENT .* FOR )?"
    modifiers = (
        r"(?:OR\s+REPLACE\s+|ALGORITHM\s*=\s*\S+\s+|DEFINER\s*=\s*\S+\s+|SQL\s+SECURITY\s+\S+\s+)*"
    )
    return ",".join(
        (
            rf"(?!.*\b(?:{names})\b).*",
            rf"{set_for}(?:GRANT|REVOKE|ANALYZE|OPTIMIZE|REPAIR|CHECK|FLUSH|SAVEPOINT)\b.*",
            rf"{set_for}(?:CREATE|ALTER|DROP)\s+{modifiers}"
            r"(?:USER|ROLE|VIEW|TRIGGER|EVENT|FUNCTION|PROCEDURE|TEMPORARY)\b.*",
        )
    )


def _driver(source: Source) -> dict[str, str]:
    """Properties of the JDBC driver, which the snapshot reads with."""
    # TIMESTAMP columns are read in the session's zone: make that UTC
    utc = {"driver.forceConnectionTimeZoneToSession": "true"}
    if source.flavour == "mariadb":
        # else a YEAR column stops the snapshot with a NumberFormatException
        return {**utc, "driver.timezone": "UTC", "driver.yearIsDateType": "false"}
    if source.tls == "off":
        # without TLS caching_sha2_password must hand over its key in the clear
        utc["driver.allowPublicKeyRetrieval"] = "true"
    return {**utc, "driver.connectionTimeZone": "UTC"}


def _server_id(settings: Settings, source: Source) -> int:
    """Id under which the connector joins the replicas: stable, and its own for each home."""
    text = f"{connector_name(source.flavour)} {settings.home}"
    return 100_000 + zlib.crc32(text.encode()) % 2_000_000_000
