"""Capture the golden events from a running connector.

``python -m tests.golden.capture mariadb`` (or ``mysql``) starts an embedded stack in a temporary
home, applies the connector as ``connectors.config`` renders it (with one more table), commits the
changes below and writes what Kafka then holds to ``tests/golden/debezium``: one JSON object a line
with topic, partition, offset, timestamp, headers, key and value as text.

Run it again after a change of Debezium or of the connector's settings, and read the difference.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pymysql
from confluent_kafka import Consumer, TopicPartition
from msgspec.structs import replace
from pymysql.cursors import Cursor

import connectors
from connectors import signals, topics
from connectors.config import (
    HISTORY_TOPIC,
    connector_config,
    connector_name,
    parse_source,
    table_topic,
)
from connectors.rest import Connect
from infra.settings import Settings, load_settings
from infra.stack.bring_up import bring_up
from infra.stack.control import down
from lakehouse_schemas import contracts
from tests.golden import every_type

OUT = Path(__file__).parent / "debezium"
TYPES = "every_type"
LAST = 9_000_000_000  # key of the change that ends the capture

USER = {
    "current_age": 53,
    "retirement_age": 66,
    "birth_year": 1966,
    "birth_month": 11,
    "gender": "Female",
    "address": "462 Rose Lane",
    "latitude": "34.150000",
    "longitude": "-117.760000",
    "per_capita_income": "29278.00",
    "yearly_income": "59696.00",
    "total_debt": "127613.00",
    "credit_score": 787,
    "num_credit_cards": 5,
}
CARD = {
    "client_id": 825,
    "card_brand": "Visa",
    "card_type": "Debit",
    "card_number": "4344676511950444",
    "expires": "12/2022",
    "cvv": "623",
    "has_chip": "YES",
    "num_cards_issued": 2,
    "credit_limit": "24295.00",
    "acct_open_date": "09/2002",
    "year_pin_last_changed": 2008,
    "card_on_dark_web": "No",
    "card_token": "0123456789abcdef" * 4,
    "card_token_key": "k1",
    "card_last4": "0444",
}
TRANSACTION = {
    "date": "2010-01-01 00:01:00.000000",
    "client_id": 825,
    "card_id": 4524,
    "amount": "-77.00",
    "use_chip": "Swipe Transaction",
    "merchant_id": 59935,
    "merchant_city": "Beulah",
    "merchant_state": "ND",
    "zip": "58523",
    "mcc": 5499,
    "errors": None,
}


class Writer:
    """Commits changes to the source; a block is one transaction."""

    def __init__(self, connection: pymysql.Connection[Cursor]) -> None:
        self._connection = connection
        self._cursor = connection.cursor()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.commit()

    def run(self, statement: str, *values: object) -> None:
        self._cursor.execute(statement, values)

    def insert(self, table: str, row: dict[str, Any], **other: Any) -> None:
        values = {**row, **other}
        names = ", ".join(f"`{name}`" for name in values)
        marks = ", ".join(["%s"] * len(values))
        self.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values())

    def transaction(self, number: int, **other: Any) -> None:
        self.insert("transactions", {"id": number, **TRANSACTION}, **other)


def before_the_connector(write: Writer, flavour: str) -> None:
    """Rows that the initial snapshot reads."""
    write.run(every_type.create_table(flavour, TYPES))
    with write:
        write.insert("users", {"id": 825, **USER})
        write.insert("users", {"id": 1746, **USER}, gender="Male", total_debt="191349.00")
        write.insert("cards", {"id": 4524, **CARD})
        write.insert("cards", {"id": 2731, **CARD}, card_type="Credit", client_id=1746)
        write.insert("mcc_codes", {"mcc": 5499, "description": "Miscellaneous Food Stores"})
        write.insert("mcc_codes", {"mcc": 5311, "description": "Department Stores"})
        write.transaction(7475327)
        write.transaction(7475328, amount="14.57", date="2010-01-01 00:02:00")
        write.transaction(
            7475329,
            amount="80.00",
            use_chip="Online Transaction",
            merchant_city="ONLINE",
            merchant_state=None,
            zip=None,
            mcc=5311,
            errors="Bad CVV,Insufficient Balance",
        )
        write.insert("fraud_labels", {"transaction_id": 7475327, "label": "No"})
        for row in (every_type.LOW, every_type.HIGH, every_type.ODD):
            write.run(every_type.insert(flavour, TYPES, row, row))
        write.run(every_type.insert_nulls(flavour, TYPES, every_type.EXPECTED_NULL))


def while_it_streams(write: Writer, flavour: str) -> None:
    """Every kind of change, in transactions of one and of several statements."""
    with write:
        write.transaction(
            7475330,
            amount="6820.20",
            date="2019-10-31 23:59:59.999999",
            merchant_city="Rome",
            merchant_state="Italy",
            zip=None,
        )
    with write:
        write.transaction(7475331, amount="-500.00")
        write.transaction(7475332, amount="0.00")
    with write:
        write.run(
            "UPDATE transactions SET amount = '15.00', errors = 'Technical Glitch'"
            " WHERE id = 7475328"
        )
    with write:  # one statement, several rows
        write.run(
            "UPDATE transactions SET amount = amount + 1 WHERE id BETWEEN 7475330 AND 7475332"
        )
    with write:
        write.run("DELETE FROM transactions WHERE id = 7475331")
    with write:  # deleted and inserted again
        write.transaction(7475331, amount="1.00")
    with write:  # another primary key: a delete and a create
        write.run("UPDATE transactions SET id = 7475999 WHERE id = 7475332")
    with write:  # one row, four changes, one transaction
        write.transaction(7475400)
        write.run("UPDATE transactions SET amount = '5.00' WHERE id = 7475400")
        write.run("DELETE FROM transactions WHERE id = 7475400")
        write.transaction(7475400, amount="6.00")
    with write:  # the later statement is the row's last word, though its row number is lower
        write.run(
            "UPDATE transactions SET amount = amount + 1 WHERE id IN (7475327, 7475328, 7475400)"
        )
        write.run("UPDATE transactions SET amount = '9.00' WHERE id = 7475400")
    with write:
        write.insert("fraud_labels", {"transaction_id": 7475330, "label": "Yes"})
    with write:
        write.run("UPDATE fraud_labels SET label = 'Yes' WHERE transaction_id = 7475327")
        write.run("DELETE FROM fraud_labels WHERE transaction_id = 7475330")
    with write:
        write.insert("users", {"id": 1747, **USER})
        write.run(
            "UPDATE users SET credit_score = 800, address = %s WHERE id = 825",
            "1 Zürich Straße, 東京 \U0001f600",
        )
        write.run("DELETE FROM users WHERE id = 1747")
    with write:
        write.insert("cards", {"id": 9999, **CARD}, card_number=None, cvv=None)
        write.run(
            "UPDATE cards SET card_on_dark_web = 'Yes', credit_limit = '9999999999.99'"
            " WHERE id = 2731"
        )
        write.run("DELETE FROM cards WHERE id = 9999")
    with write:
        write.insert("mcc_codes", {"mcc": 1, "description": "x"})
        write.run("UPDATE mcc_codes SET description = %s WHERE mcc = 1", 'Quotes " and \\ and \n')
        write.run("DELETE FROM mcc_codes WHERE mcc = 1")
    with write:
        for row in (every_type.LOW, every_type.HIGH, every_type.ODD):
            write.run(every_type.insert(flavour, TYPES, row, row + 10))
        write.run(every_type.insert_nulls(flavour, TYPES, every_type.EXPECTED_NULL + 10))
    with write:
        write.run(f"UPDATE {TYPES} SET c_int = 7 WHERE id = 11")
    with write:
        write.run(f"UPDATE {TYPES} SET id = 111 WHERE id = 11")
    with write:
        write.run(f"DELETE FROM {TYPES} WHERE id = 12")


def after_the_resnapshot(write: Writer) -> None:
    """Columns that come, change and go, a table that is emptied, and the end."""
    write.run(f"ALTER TABLE {TYPES} ADD COLUMN added VARCHAR(8) NOT NULL DEFAULT 'new' AFTER c_int")
    with write:
        write.run(f"UPDATE {TYPES} SET added = 'x' WHERE id = 111")
    write.run(f"ALTER TABLE {TYPES} MODIFY COLUMN added VARCHAR(300) NOT NULL")
    write.run(f"ALTER TABLE {TYPES} RENAME COLUMN added TO renamed")
    with write:
        write.run(f"UPDATE {TYPES} SET renamed = 'y' WHERE id = 111")
    write.run(f"ALTER TABLE {TYPES} DROP COLUMN renamed")
    with write:
        write.run(f"UPDATE {TYPES} SET c_int = 8 WHERE id = 111")
    write.run(f"TRUNCATE TABLE {TYPES}")
    with write:
        write.insert("fraud_labels", {"transaction_id": LAST, "label": "No"})


def capture(settings: Settings) -> None:
    """Run the connector through all of it and write the files."""
    source = parse_source(settings)
    with pymysql.connect(
        host=source.host,
        port=source.port,
        user=source.user,
        password=source.password,
        database=source.database,
        # zero dates are among the extremes; TIMESTAMP values below are in UTC
        init_command="SET time_zone = '+00:00', sql_mode = ''",
    ) as connection:
        write = Writer(connection)
        before_the_connector(write, source.flavour)
        _apply(settings)
        _wait_for(settings, table_topic(source.database, "fraud_labels"), 7475327)
        while_it_streams(write, source.flavour)
        for table in ("transactions", "cards"):
            signals.snapshot(settings, table)
        _resnapshot_types(settings)
        after_the_resnapshot(write)
        _wait_for(settings, table_topic(source.database, "fraud_labels"), LAST)
    prefix = "" if source.flavour == "mariadb" else f"{source.flavour}_"
    tables = [table_topic(source.database, c.name) for c in contracts.source_tables()]
    types = table_topic(source.database, TYPES)
    left_out = {*tables, topics.ALERTS_TOPIC, HISTORY_TOPIC}
    service = {topic.name for topic in topics.expected(settings)} - left_out
    _write(settings, OUT / f"{prefix}source_tables.jsonl", tables)
    _write(settings, OUT / f"{source.flavour}_types.jsonl", [types])
    _write(settings, OUT / f"{source.flavour}_service.jsonl", sorted(service))


def _apply(settings: Settings) -> None:
    """The connector as it is, and the table of types beside the contracts' tables."""
    database = parse_source(settings).database
    topics.create(
        settings,
        [*topics.expected(settings), topics.Topic(table_topic(database, TYPES), "Every type.")],
    )
    types = replace(contracts.get("source.mcc_codes"), name=TYPES)
    config = connector_config(settings, [*contracts.layer("source"), types], epoch=1)
    connect, name = Connect(settings.connect_url), connector_name(settings.source_flavour)
    connect.put(name, config)
    connect.wait_running(name)


def _resnapshot_types(settings: Settings) -> None:
    consumer = signals.notifications(settings)
    name = f"{parse_source(settings).database}.{TYPES}"
    signals.send(settings, "execute-snapshot", name, "table")
    signals.wait_scanned(consumer, name, 120, lambda _: None, lambda: None)
    consumer.close()


def _wait_for(settings: Settings, topic: str, key: int) -> None:
    deadline = time.monotonic() + 120
    while not any(str(key) in (record["key"] or "") for record in _read(settings, [topic])):
        failure = connectors.status(settings).connector.failure
        if failure or time.monotonic() > deadline:
            raise SystemExit(f"{topic}: key {key} did not come; {failure or 'the connector runs'}")
        time.sleep(1)
    time.sleep(2)  # other topics' last records


def _read(settings: Settings, names: Iterable[str]) -> list[dict[str, Any]]:
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "golden"})
    records = []
    for name in names:
        for number in consumer.list_topics(name, timeout=20).topics[name].partitions:
            place = TopicPartition(name, number)
            position, end = consumer.get_watermark_offsets(place, timeout=20)
            consumer.assign([TopicPartition(name, number, position)])
            while position < end:
                message = consumer.poll(20)
                if message is None or message.error():
                    raise SystemExit(f"{name}: cannot be read")
                position = (message.offset() or 0) + 1
                records.append(_as_json(message))
    consumer.close()
    return records


def _as_json(message: Any) -> dict[str, Any]:
    return {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "headers": [[name, _text(value)] for name, value in message.headers() or ()],
        "key": _text(message.key()),
        "value": _text(message.value()),
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _write(settings: Settings, path: Path, names: Iterable[str]) -> None:
    lines = [json.dumps(record, ensure_ascii=False) for record in _read(settings, names)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path}: {len(lines)} records\n")


def main() -> None:
    """Start a stack, capture, stop it."""
    if sys.argv[1:] not in (["mariadb"], ["mysql"]):
        raise SystemExit("usage: python -m tests.golden.capture mariadb|mysql")
    with tempfile.TemporaryDirectory(prefix="finlake-golden-") as home:
        settings = load_settings(home=home, source_flavour=sys.argv[1])
        try:
            capture(bring_up(settings, connector=False))
        finally:
            down(settings)


if __name__ == "__main__":
    main()
