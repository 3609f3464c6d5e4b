"""A source with a history, its Kafka topics, and a lake in memory: what the stream is tested on.

The lake keeps the promises that Delta tables keep (one commit per batch and table) and is strict
about those that the stream makes: a patch that inserts a key which is there, or changes one which
is not, fails here.
"""

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from infra.lake.tables import Lake as DeltaLake
from infra.settings import Settings, load_settings
from lakehouse_schemas import Contract, contracts
from stream_jobs.batch import BatchProcessor
from stream_jobs.io.metrics import Metrics
from stream_jobs.io.writer import LakeWriter, Tables, Writer
from stream_jobs.resume import replay
from stream_jobs.shapes import RECORDS, Patch

GOLDEN = Path(__file__).parents[1] / "golden" / "debezium" / "source_tables.jsonl"
KEYS = {c.name: c.key[0] for c in contracts.source_tables()}
T0 = 1_262_304_060_000_000  # 2010-01-01 00:01, microseconds
Row = dict[str, Any]

# One row of each table as Debezium sends it (money as text, times in microseconds).
BASE: dict[str, Row] = {
    "transactions": {
        "id": 1,
        "date": T0,
        "client_id": 825,
        "card_id": 4524,
        "amount": "14.57",
        "use_chip": "Swipe Transaction",
        "merchant_id": 59935,
        "merchant_city": "Beulah",
        "merchant_state": "ND",
        "zip": "58523",
        "mcc": 5499,
        "errors": None,
    },
    "users": {
        "id": 825,
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
    },
    "cards": {
        "id": 4524,
        "client_id": 825,
        "card_brand": "Visa",
        "card_type": "Debit",
        "expires": "12/2022",
        "has_chip": "YES",
        "num_cards_issued": 2,
        "credit_limit": "24295.00",
        "acct_open_date": "09/2002",
        "year_pin_last_changed": 2008,
        "card_on_dark_web": "No",
        "card_token": "ab" * 32,
        "card_token_key": "k1",
        "card_last4": "0444",
    },
    "mcc_codes": {"mcc": 5499, "description": "Miscellaneous Food Stores"},
    "fraud_labels": {"transaction_id": 1, "label": "No"},
}


def row(table: str, **values: Any) -> Row:
    """A row of the table with some values of its own."""
    assert values.keys() <= BASE[table].keys()
    return {**BASE[table], **values}


# ── The source and its topics ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Event:
    """One change event; ``value`` is what Kafka carries, ``None`` a tombstone."""

    table: str
    partition: int
    key: bytes | None
    value: bytes | None
    epoch: str = "1"
    kafka_us: int = T0


def envelope(
    op: str,
    before: Row | None,
    after: Row | None,
    pos: int,
    file: str = "binlog.000001",
    line: int = 0,
) -> bytes:
    """A Debezium event."""
    source = {
        "version": "3.5.0.Final",
        "connector": "mariadb",
        "name": "cdc",
        "ts_ms": T0 // 1000,
        "snapshot": "incremental" if op == "r" else None,
        "db": "finance",
        "table": "",
        "server_id": 11,
        "file": file,
        "pos": pos,
        "row": line,
        "ts_us": T0,
    }
    return json.dumps({"before": before, "after": after, "source": source, "op": op}).encode()


class World:
    """A source database: every change moves its rows and sends what Debezium would send."""

    def __init__(self, partitions: int = 2) -> None:
        self.state: dict[str, dict[int, Row]] = {name: {} for name in KEYS}
        self.sent: list[Event] = []
        self._partitions = partitions
        self._pos = 1000

    def put(self, table: str, values: Row) -> None:
        """Insert the row, or update the one with its key."""
        key = values[KEYS[table]]
        before = self.state[table].get(key)
        self.state[table][key] = values
        self._send(table, key, "c" if before is None else "u", before, values)

    def delete(self, table: str, key: int) -> None:
        """Delete a row, if it is there; a tombstone follows."""
        before = self.state[table].pop(key, None)
        if before is not None:
            self._send(table, key, "d", before, None)
            self._raw(table, key, None)

    def rekey(self, table: str, old: int, new: int) -> None:
        """Change a primary key, which Debezium sends as delete, tombstone and create."""
        if old in self.state[table] and new not in self.state[table]:
            values = {**self.state[table][old], KEYS[table]: new}
            self.delete(table, old)
            self.put(table, values)

    def truncate(self, table: str, partition: int = 0) -> None:
        """Empty a table; the event has no key and may be in any partition."""
        self.state[table].clear()
        self._pos += 100
        value = envelope("t", None, None, self._pos)
        self.sent.append(Event(table, partition % self._partitions, None, value))

    def read(self, table: str) -> None:
        """Read the table again in an incremental snapshot."""
        self._pos += 100
        for key, values in self.state[table].items():
            value = envelope("r", None, values, self._pos)
            self._raw(table, key, value)

    def junk(self, table: str, value: bytes) -> None:
        """Put something into a topic that no connector ever sent."""
        self._raw(table, 0, value)

    def _send(self, table: str, key: int, op: str, before: Row | None, after: Row | None) -> None:
        self._pos += 100
        self._raw(table, key, envelope(op, before, after, self._pos))

    def _raw(self, table: str, key: int, value: bytes | None) -> None:
        name = json.dumps({KEYS[table]: key}).encode()
        self.sent.append(Event(table, key % self._partitions, name, value))


class Topics:
    """What was sent, with offsets, handed out in batches."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.logs: dict[tuple[str, int], list[Event]] = defaultdict(list)
        self._next: dict[tuple[str, int], int] = defaultdict(int)
        self.send(events)

    def send(self, events: Iterable[Event]) -> None:
        """Append events to their partitions."""
        for event in events:
            self.logs[event.table, event.partition].append(event)

    def take(self, most: Callable[[str, int], int] = lambda *_: 10**9) -> pa.Table:
        """The next records of each partition, at most so many of each."""
        rows = []
        for (table, partition), log in sorted(self.logs.items()):
            start = self._next[table, partition]
            part = log[start : start + most(table, partition)]
            rows += [(event, start + i) for i, event in enumerate(part)]
            self._next[table, partition] += len(part)
        return records(rows)

    @property
    def left(self) -> int:
        """Records that were not handed out yet."""
        return sum(len(log) - self._next[place] for place, log in self.logs.items())


def records(rows: Sequence[tuple[Event, int]]) -> pa.Table:
    """Events with their offsets as the Kafka source hands them over."""
    columns = [
        [f"cdc.finance.{e.table}" if e.table in BASE else e.table for e, _ in rows],
        [e.partition for e, _ in rows],
        [offset for _, offset in rows],
        [e.kafka_us for e, _ in rows],
        [e.epoch for e, _ in rows],
        [e.key for e, _ in rows],
        [e.value for e, _ in rows],
    ]
    arrays = [pa.array(values, f.type) for values, f in zip(columns, RECORDS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=RECORDS)


def golden(path: Path = GOLDEN) -> list[tuple[Event, int]]:
    """Real events, captured from a running connector, with their offsets."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        key, value = (None if one[n] is None else one[n].encode() for n in ("key", "value"))
        table = one["topic"].rsplit(".", 1)[-1]
        epoch = dict(one["headers"])["epoch"]
        event = Event(table, one["partition"], key, value, epoch, one["timestamp"] * 1000)
        found.append((event, one["offset"]))
    return found


# ── The lake in memory ───────────────────────────────────────────────────────────────────────────


class Table:
    """Stands for a ``DeltaTable``."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.schema = contract.lake_schema
        self.rows = self.schema.empty_table()
        self.batches: dict[str, int] = {}
        self._version = 0

    def commit(self, rows: pa.Table, app_id: str, batch_id: int) -> None:
        self.rows = rows
        self.batches[app_id] = batch_id
        self._version += 1

    def version(self) -> int:
        return self._version

    def update_incremental(self) -> None:
        pass

    def to_pyarrow_dataset(self) -> ds.Dataset:
        return ds.dataset(self.rows)

    def get_add_actions(self, flatten: bool = False) -> pa.Table:
        return pa.table({"path": ["one"]})


class Lake:
    """Stands for :class:`infra.lake.tables.Lake`."""

    spark_root = "memory:"

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def ensure(self, contract: Contract) -> Table:
        return self.tables.setdefault(contract.full_name, Table(contract))

    def open(self, contract: Contract) -> Table | None:
        return self.tables.get(contract.full_name)

    def rows(self, full_name: str) -> pa.Table:
        return self.ensure(contracts.get(full_name)).rows


class MemoryWriter:
    """Writes to :class:`Lake`, each batch once, and watches over what patches promise."""

    def __init__(self, lake: Lake, app_id: str = "test") -> None:
        self._lake = lake
        self._app_id = app_id

    def of(self, contract: Contract, keys: pa.Array) -> pa.Table:
        rows = self._lake.ensure(contract).rows
        return rows.filter(pc.is_in(rows.column(contract.key[0]), value_set=_flat(keys)))

    def under(self, contract: Contract, prefixes: pa.Array) -> pa.Table:
        rows = self._lake.ensure(contract).rows
        begins = tuple(prefixes.to_pylist())
        keys = rows.column(contract.key[0]).to_pylist()
        return rows.filter(pa.array([key.startswith(begins) for key in keys], pa.bool_()))

    def between(self, contract: Contract, spans: Sequence[Any], columns: Sequence[str]) -> pa.Table:
        rows = self._lake.ensure(contract).rows
        return spanned(rows, spans).select(columns)

    def live(self, contract: Contract) -> pa.Table:
        rows = self._lake.ensure(contract).rows
        return rows.filter(pc.invert(rows.column("_is_deleted")))

    def append(self, contract: Contract, rows: pa.Table, batch_id: int) -> None:
        table = self._lake.ensure(contract)
        if rows.num_rows and table.batches.get(self._app_id, -1) < batch_id:
            assert rows.column_names == table.schema.names
            whole = pa.concat_tables([table.rows, rows.cast(table.schema)])
            table.commit(whole, self._app_id, batch_id)

    def merge(self, contract: Contract, patch: Patch, batch_id: int) -> None:
        table = self._lake.ensure(contract)
        if patch.num_rows == 0 or table.batches.get(self._app_id, -1) >= batch_id:
            return
        (key,) = contract.key
        there = table.rows.column(key).to_pylist()
        assert len(set(there)) == len(there), f"{contract.full_name} has a key twice"
        named = [r.column(key).to_pylist() for r in (patch.inserts, patch.updates, patch.deletes)]
        every = [number for numbers in named for number in numbers]
        assert len(set(every)) == len(every), f"{contract.full_name}: a key twice in a patch"
        assert not set(named[0]) & set(there), f"{contract.full_name}: inserts what is there"
        assert {*named[1], *named[2]} <= set(there), f"{contract.full_name}: changes nothing"
        gone = pa.array(named[1] + named[2], table.schema.field(key).type)
        rest = table.rows.filter(pc.invert(pc.is_in(table.rows.column(key), value_set=gone)))
        new = [part.cast(table.schema) for part in (patch.inserts, patch.updates)]
        table.commit(pa.concat_tables([rest, *new]).combine_chunks(), self._app_id, batch_id)


def spanned(rows: pa.Table, spans: Sequence[Any]) -> pa.Table:
    """Rows whose date lies in one of the spans."""
    dates = rows.column("date").to_pylist()
    inside = [any(start <= one <= end for start, end in spans) for one in dates]
    return rows.filter(pa.array(inside, pa.bool_()))


def _flat(keys: Any) -> pa.Array:
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys


def delta_writer(lake: DeltaLake, app_id: str) -> LakeWriter:
    """A writer to Delta tables, started anew."""
    return LakeWriter(Tables(lake, 16 << 20), app_id)


class Crash(Exception):
    """The process ended here."""


@dataclass
class CrashingWriter:
    """Ends the process at the ``at``-th write: before it, or just after it is in the table."""

    writer: Writer
    at: int
    after: bool
    _count: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def of(self, contract: Contract, keys: pa.Array) -> pa.Table:
        return self.writer.of(contract, keys)

    def under(self, contract: Contract, prefixes: pa.Array) -> pa.Table:
        return self.writer.under(contract, prefixes)

    def between(self, contract: Contract, spans: Sequence[Any], columns: Sequence[str]) -> pa.Table:
        return self.writer.between(contract, spans, columns)

    def live(self, contract: Contract) -> pa.Table:
        return self.writer.live(contract)

    def append(self, contract: Contract, rows: pa.Table, batch_id: int) -> None:
        self._pass(lambda: self.writer.append(contract, rows, batch_id))

    def merge(self, contract: Contract, patch: Patch, batch_id: int) -> None:
        self._pass(lambda: self.writer.merge(contract, patch, batch_id))

    def _pass(self, write: Callable[[], None]) -> None:
        with self._lock:
            self._count += 1
            if self._count < self.at or (self.after and self._count == self.at):
                write()
            if self._count >= self.at:
                raise Crash


# ── The stream ───────────────────────────────────────────────────────────────────────────────────


@cache
def settings() -> Settings:
    """The defaults, for a lake that is nowhere."""
    return load_settings(home=Path("/nonexistent"))


class Stream:
    """The batch processor over a lake, which can be killed and started again."""

    def __init__(
        self, lake: Any, writer: Callable[[], Writer] | None = None, config: Settings | None = None
    ) -> None:
        self.lake = lake
        self._writer = writer or (lambda: MemoryWriter(lake))
        self._settings = config or settings()
        self._batch = 0
        for contract in contracts.lake_tables():
            lake.ensure(contract)
        self.processor = self._start(self._writer())

    def _start(self, writer: Writer) -> BatchProcessor:
        return BatchProcessor(self._settings, self.lake, writer, Metrics(), self._replay)

    def _replay(self, orders: pa.Table) -> None:
        writer = self.processor._writer
        assert isinstance(writer, LakeWriter), "dead letters are replayed in Delta tables alone"
        replay(writer._tables, self.processor, orders)

    def restart(self) -> None:
        """End the process between two batches and start another."""
        self.stop()
        self.processor = self._start(self._writer())

    def stop(self) -> None:
        """End the process."""
        self.processor._threads.shutdown()

    def process(self, batch: pa.Table, crash_at: int = 0, after: bool = False) -> None:
        """Apply one batch; with ``crash_at``, die at that write and do the batch again."""
        if crash_at:
            self.stop()
            self.processor = self._start(CrashingWriter(self._writer(), crash_at, after))
            with contextlib.suppress(Crash):
                self.processor.process(batch, self._batch)
            self.restart()
        self.processor.process(batch, self._batch)
        self._batch += 1


def drain(stream: Stream, events: Iterable[Event]) -> Topics:
    """Send all events in one batch."""
    topics = Topics(events)
    stream.process(topics.take())
    return topics


# ── What must be so ──────────────────────────────────────────────────────────────────────────────


def live(lake: Any, table: str) -> dict[int, Row]:
    """Live rows of silver by key, the source's columns only; fails when a key is there twice."""
    contract = contracts.get(f"silver.{table}")
    rows = lake.open(contract).to_pyarrow_dataset().to_table().to_pylist()
    keys = [r[KEYS[table]] for r in rows]
    assert len(set(keys)) == len(keys), f"silver.{table} has a key twice"
    return {
        r[KEYS[table]]: {name: r[name] for name in BASE[table]}
        for r in rows
        if not r["_is_deleted"]
    }


def meant(table: str, rows: Mapping[int, Row]) -> dict[int, Row]:
    """The source's rows with exact values instead of what the wire carries."""
    contract = contracts.get(f"silver.{table}")

    def value(name: str, wire: Any) -> Any:
        column = contract.column(name)
        if wire is None:
            return None
        if column.decimal:
            return Decimal(wire)
        if column.type == "timestamp":
            seconds, micros = divmod(wire, 1_000_000)
            return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
        return wire

    return {key: {n: value(n, v) for n, v in one.items()} for key, one in rows.items()}


def silver_equals(lake: Any, state: Mapping[str, Mapping[int, Row]]) -> None:
    """Fail unless silver's live rows are the source's rows."""
    for table, rows in state.items():
        assert live(lake, table) == meant(table, rows), table


def gold_faults(lake: Any, home: Path, config: Settings | None = None) -> list[str]:
    """What ``finlake verify`` says about gold and conservation."""
    from batch_jobs.verify.job import check

    wanted = {c.full_name for c in contracts.layer("gold")}
    there = (config or settings()).model_copy(update={"home": home})
    no_source: Any = None
    return list(check(there, lake, no_source, wanted).faults())
