"""Debezium's records of simulated traffic, without a source: what the stream would be given."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from batch_jobs.traffic.batch import Batch
from batch_jobs.traffic.simulation import Known, World
from connectors.config import table_topic
from infra.database.users import DATABASE
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts
from stream_jobs.shapes import RECORDS

__all__ = ["Capture", "read_lake"]

_KNOWN = 5_000  # of the oldest and of the newest transactions may be corrected
_FILE = "binlog.000002"  # behind the places that a made lake's rows have
_encode = msgspec.json.Encoder(decimal_format="string").encode
Row = dict[str, Any]


@dataclass
class Capture:
    """Rows as the source would have them, and where its log and the topics stand."""

    rows: dict[str, dict[int, Row]]
    partitions: int = 2
    position: int = 1_000
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)

    def records(self, batch: Batch) -> pa.Table:
        """Apply the changes of one database transaction, and give its records."""
        self._out: list[tuple[Any, ...]] = []
        self._now = time.time_ns() // 1000
        for one in batch.inserted:
            self._put("transactions", one.id, {**one._asdict(), "date": _micros(one.date)})
        for column, values in (("amount", batch.amounts), ("errors", batch.errors)):
            for key, value in values.items():
                self._change("transactions", key, {column: value})
        for key, place in batch.places.items():
            self._change("transactions", key, place._asdict())
        for (table, column), changed in batch.people.items():
            for key, new in changed.items():
                self._change(table, key, {column: new})
        for key, label in batch.labels.items():
            self._put("fraud_labels", key, {"transaction_id": key, "label": label})
        for key in batch.deleted:
            self._delete("fraud_labels", key)
            self._delete("transactions", key)
        columns = zip(*self._out, strict=True)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, RECORDS, strict=True)]
        return pa.Table.from_arrays(arrays, schema=RECORDS)

    def _change(self, table: str, key: int, values: Row) -> None:
        row = self.rows[table].get(key)
        if row is not None:  # else it is gone, and an UPDATE finds nothing
            self._put(table, key, {**row, **values})

    def _put(self, table: str, key: int, row: Row) -> None:
        before = self.rows[table].get(key)
        self.rows[table][key] = row
        self._send(table, key, "c" if before is None else "u", before, row)

    def _delete(self, table: str, key: int) -> None:
        before = self.rows[table].pop(key, None)
        if before is not None:
            self._send(table, key, "d", before, None)
            self._record(table, key, None)

    def _send(self, table: str, key: int, op: str, before: Row | None, after: Row | None) -> None:
        self.position += 200
        source = {
            "version": "3.5.0.Final",
            "connector": "mariadb",
            "name": "cdc",
            "ts_ms": self._now // 1_000_000 * 1000,
            "snapshot": "false",
            "db": DATABASE,
            "table": table,
            "server_id": 11,
            "gtid": None,
            "file": _FILE,
            "pos": self.position,
            "row": 0,
            "thread": 7,
            "query": None,
            "ts_us": self._now // 1_000_000 * 1_000_000,
        }
        event = {"before": before, "after": after, "source": source, "op": op}
        self._record(table, key, _encode(event))

    def _record(self, table: str, key: int, value: bytes | None) -> None:
        (name,) = contracts.get(f"source.{table}").key
        topic = table_topic(DATABASE, table)
        partition = key % self.partitions if table == "transactions" else 0
        offset = self.offsets.get((topic, partition), 0)
        self.offsets[topic, partition] = offset + 1
        self._out.append((topic, partition, offset, self._now, "1", _encode({name: key}), value))


def read_lake(settings: Settings) -> tuple[World, Capture]:
    """What traffic needs to know of a lake's silver, and its rows that may change."""
    lake = Lake(settings)
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for contract in contracts.source_tables():
            table_contract = contracts.get(f"silver.{contract.name}")
            table = lake.open(table_contract)
            if table is None:
                raise AssertionError("the lake was made without silver")
            root = lake.uri(table_contract)
            names = pa.table(table.get_add_actions())["path"].to_pylist()
            files = ", ".join(f"'{root}/{name}'" for name in names)
            connection.execute(
                f"CREATE VIEW {contract.name} AS FROM read_parquet([{files}]) WHERE NOT _is_deleted"
            )

        def rows(table: str, which: str = "") -> dict[int, Row]:
            contract = contracts.get(f"source.{table}")
            names = [n for n in contract.column_names if n not in contract.dropped]
            found = connection.execute(f"SELECT {', '.join(names)} FROM {table} {which}")
            made: dict[int, Row] = {}
            for values in found.fetchall():
                row: Row = dict(zip(names, map(_wire, values), strict=True))
                made[row[contract.key[0]]] = row
            return made

        newest = rows("transactions", f"ORDER BY id DESC LIMIT {_KNOWN}")
        known = rows("transactions", f"ORDER BY id LIMIT {_KNOWN}") | dict(reversed(newest.items()))
        labels = rows("fraud_labels", f"WHERE transaction_id IN ({', '.join(map(str, known))})")
        users, cards = rows("users"), rows("cards")
    recent = newest.values()
    world = World(
        cards=[(number, card["client_id"]) for number, card in cards.items()],
        homes={
            row["client_id"]: (row["merchant_city"], row["merchant_state"], row["zip"])
            for row in recent
            if row["zip"]
        },
        shops=[(row["merchant_id"], row["mcc"]) for row in recent if row["zip"]],
        online_shops=[
            (row["merchant_id"], row["mcc"]) for row in recent if row["merchant_city"] == "ONLINE"
        ],
        next_id=max(known) + 1,
        older=[Known((number,), row["amount"]) for number, row in known.items()],
    )
    tables: dict[str, dict[int, Row]] = {
        "transactions": known,
        "fraud_labels": labels,
        "users": users,
        "cards": cards,
        "mcc_codes": {},
    }
    return world, Capture(tables)


def _wire(value: object) -> object:
    """A value as the connector writes it; money becomes text when it is encoded."""
    return _micros(value) if isinstance(value, datetime) else value


def _micros(moment: datetime) -> int:
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
