"""Debezium's change events, decoded against the contract.

The envelope is described at https://debezium.io/documentation/reference/3.5/connectors/mysql.html
(data change events). Records are decoded by a compiled decoder made from the contract, and turned
into columns all at once. When it refuses one of them, they are looked at one by one, to say what is
wrong with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import Column, Contract, contracts
from stream_jobs.transforms.order import order_token, order_tokens

__all__ = ["Change", "Decoded", "Decoder"]

_INT32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
# Times of the years 1 to 9999: what is outside, engines read as infinite or not at all.
_MICROS = Annotated[int, msgspec.Meta(ge=-62_135_596_800_000_000, le=253_402_300_799_999_999)]
_MILLIS = Annotated[int, msgspec.Meta(ge=-62_135_596_800_000, le=253_402_300_799_999)]
_Op = Literal["c", "u", "d", "r", "t"]
_OPS = get_args(_Op)
_WIRE: dict[str, Any] = {
    "int32": _INT32,
    "int64": _INT64,
    "string": str,
    "boolean": bool,
    "double": float,
    "timestamp": _MICROS,
}


_INSTANT = pa.timestamp("us", tz="UTC")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Source(msgspec.Struct, gc=False):
    file: str
    pos: int
    row: int | None = None
    ts_ms: _MILLIS | None = None
    ts_us: _MICROS | None = None


@dataclass(frozen=True)
class Decoded:
    """What a batch of one table's records turned out to be.

    ``bronze`` has a row per record, ``changes`` a row per record that fits the contract (silver
    columns, then ``op``, ``source_ts``, ``kafka_ts``), ``rejects`` a row per record that does not.
    ``schema_problem`` says what of the source's shape no longer fits, and is empty when all does.
    """

    bronze: pa.Table
    changes: pa.Table
    rejects: pa.Table
    schema_problem: str = ""


class Change(NamedTuple):
    """One record; ``before`` and ``after`` have the source's columns as attributes, as sent.

    ``source_ts`` is in microseconds since 1970. A truncate (``op`` t) has neither row.
    """

    op: str
    token: str
    before: Any
    after: Any
    source_ts: int | None


class _Before(msgspec.Struct):
    before: msgspec.Raw = msgspec.Raw(b"null")


_decode_before = msgspec.json.Decoder(_Before).decode


class _Reject(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.of: tuple[str, _Source] | None = None  # operation and source, where they are known


class Decoder:
    """Decodes the records of one source table.

    Columns that must not be kept anywhere are cut out before anything else is done, should a
    connector send them all the same.

    Args:
        table: name of the source table.
    """

    def __init__(self, table: str) -> None:
        silver = contracts.get(f"silver.{table}")
        secrets = contracts.get(f"source.{table}").dropped
        self.table = table
        self._columns = [c for c in silver.columns if not c.name.startswith("_")]
        self._known = {c.name for c in self._columns}
        self._bronze_schema = contracts.get("bronze.changes").lake_schema
        self._dead_schema = contracts.get("bronze.dead_letters").lake_schema
        self._secrets = secrets
        # A name may be written with escapes, too.
        self._secret_marks = (*(name.encode() for name in secrets), b"\\u00") if secrets else ()
        self._row_type: Any = _row_type(silver)
        envelope: Any = msgspec.defstruct(
            "Envelope",
            [
                ("op", _Op),
                ("source", _Source),
                ("after", self._row_type | None, None),
                ("before", msgspec.Raw, msgspec.Raw(b"null")),
            ],
            gc=False,
        )
        self._decode = msgspec.json.Decoder(envelope).decode
        self._decode_row = msgspec.json.Decoder(self._row_type).decode
        data = [pa.field(c.name, c.arrow_type) for c in self._columns]
        self.schema = pa.schema(
            [
                *data,
                ("_order_token", pa.string()),
                ("_is_deleted", pa.bool_()),
                ("_source_ts", _INSTANT),
                ("_batch_id", pa.int64()),
                ("_extra", pa.string()),
                ("op", pa.string()),
                ("kafka_ts", _INSTANT),
            ]
        )

    def decode(self, records: pa.Table, batch_id: int, held: str = "") -> Decoded:
        """Decode the records of this table; tombstones (empty values) are left out.

        Args:
            records: rows of :data:`stream_jobs.shapes.RECORDS`.
            batch_id: micro-batch, written to every row.
            held: why the table is stopped; then every record is set aside for later.
        """
        if records.column("value").null_count:
            records = records.filter(pc.is_valid(records.column("value")))
        values = records.column("value").to_pylist()
        found = None if held else self._at_once(records, values, batch_id)
        return found or self._one_by_one(records, values, batch_id, held)

    def _at_once(self, records: pa.Table, values: list[bytes], batch_id: int) -> Decoded | None:
        """The records decoded, or ``None`` when something about one of them is out of the way."""
        decode, decode_row = self._decode, self._decode_row
        try:
            if self._secret_marks and any(map(self._may_have_secrets, values)):
                return None
            events = [decode(value) for value in values]
            rows = [decode_row(e.before) if e.op == "d" else e.after for e in events]
            if None in rows:  # of a truncate
                return None
            columns = [self._column(c, rows) for c in self._columns]
            sources = [event.source for event in events]
            tokens = order_tokens(
                pc.fill_null(records.column("epoch"), "1"),
                [source.file for source in sources],
                [source.pos for source in sources],
                [source.row or 0 for source in sources],
                records.column("offset"),
            )
        except (*_UNREADABLE, pa.ArrowInvalid, ValueError, OverflowError):
            return None
        count = len(values)
        ops = pa.array([event.op for event in events], pa.string())
        source_ts = pa.array(map(_source_ts, sources), pa.int64()).cast(_INSTANT)
        tail = [
            tokens,
            pc.equal(ops, "d"),
            source_ts,
            pa.repeat(batch_id, count),
            pa.nulls(count, pa.string()),
            ops,
            records.column("kafka_ts"),
        ]
        return Decoded(
            self._bronze(records, records.column("value"), ops, source_ts, tokens, batch_id),
            pa.Table.from_arrays([*columns, *tail], schema=self.schema),
            self._dead_schema.empty_table(),
        )

    def _column(self, column: Column, rows: list[Any]) -> pa.Array:
        values = list(map(attrgetter(column.name), rows))
        return _array(values, column.arrow_type)

    def _may_have_secrets(self, value: bytes) -> bool:
        return any(mark in value for mark in self._secret_marks)

    def _one_by_one(
        self, records: pa.Table, values: list[bytes], batch_id: int, held: str
    ) -> Decoded:
        offsets, epochs = (records.column(name).to_pylist() for name in ("offset", "epoch"))
        kafka_ts = records.column("kafka_ts").cast(pa.int64()).to_pylist()
        values = [self._without_secrets(v) if self._may_have_secrets(v) else v for v in values]
        bronze: list[tuple[str, int | None, str | None]] = []  # op, source_ts, token
        good: list[int] = []
        rows: list[Any] = []
        tails: list[tuple[Any, ...]] = []
        bad: list[tuple[int, str, str]] = []
        problem = ""
        for index, (value, offset, epoch) in enumerate(zip(values, offsets, epochs, strict=True)):
            op, source_ts, token, extra = "?", None, None, None
            try:
                op, source, row, extra = self._read(value)
                source_ts = _source_ts(source)
                token = self._token(source, epoch, offset)
                if held:
                    raise _Reject("table_stopped", held)
                if row is None and op != "t":
                    raise _Reject("not_an_envelope", f"{self.table}: op {op} carries no row")
                good.append(index)
                rows.append(row)
                tails.append((token, op == "d", source_ts, batch_id, extra, op, kafka_ts[index]))
            except _Reject as reject:
                if reject.of:  # bronze is to know its place in the order, should it be replayed
                    op, source = reject.of
                    source_ts, token = _source_ts(source), self._order(source, epoch, offset)
                bad.append((index, reject.reason, reject.detail))
                if reject.reason == "schema_changed":
                    problem = reject.detail
            bronze.append((op, source_ts, token))
        changes, unfit = self._to_arrow(rows, tails)
        bad += [(good[position], "out_of_range", detail) for position, detail in unfit]
        ops, stamps, tokens = zip(*bronze, strict=True) if bronze else ((), (), ())
        return Decoded(
            self._bronze(
                records,
                pa.chunked_array([pa.array(values, pa.binary())]),
                pa.array(ops, pa.string()),
                pa.array(stamps, pa.int64()).cast(_INSTANT),
                pa.array(tokens, pa.string()),
                batch_id,
            ),
            changes,
            self._rejects(records, values, bad, batch_id),
            problem,
        )

    def change(self, value: bytes, epoch: str | None, offset: int) -> Change | None:
        """Decode one record by itself; ``None`` when it does not fit and would be set aside.

        Args:
            value: the record's value, no tombstone.
            epoch: its header ``epoch``.
            offset: its Kafka offset.
        """
        try:
            op, source, row, _ = self._read(value)
            token = self._token(source, epoch, offset)
        except _Reject:
            return None
        if row is None and op != "t":
            return None
        if op == "d":
            return Change(op, token, row, None, _source_ts(source))
        before = self._row_before(value) if op == "u" else None
        return Change(op, token, before, row, _source_ts(source))

    def _read(self, value: bytes) -> tuple[str, _Source, Any, str | None]:
        """Operation, source, row (of a delete the last one) and what the row has beyond it."""
        try:
            event = self._decode(value)
            row = self._decode_row(event.before) if event.op == "d" else event.after
        except (msgspec.DecodeError, RecursionError):
            return self._look_closer(value)
        return event.op, event.source, row, None

    def _token(self, source: _Source, epoch: str | None, offset: int) -> str:
        try:
            return order_token(int(epoch or 1), source.file, source.pos, source.row or 0, offset)
        except ValueError as error:
            raise _Reject("no_order", f"{self.table}: {error}") from None

    def _order(self, source: _Source, epoch: str | None, offset: int) -> str | None:
        try:
            return self._token(source, epoch, offset)
        except _Reject:
            return None

    def _row_before(self, value: bytes) -> Any:
        """The row as it was, or ``None`` where it is left out or is of another shape."""
        image = _decode_before(value).before
        try:
            return self._decode_row(image)
        except msgspec.DecodeError:
            known = msgspec.json.decode(image)
        if not isinstance(known, dict):
            return None
        try:
            return msgspec.convert({n: known.get(n) for n in self._known}, self._row_type)
        except msgspec.ValidationError:
            return None

    def _look_closer(self, value: bytes) -> tuple[str, _Source, Any, str | None]:
        """What is different about a record that the compiled decoder refused."""
        try:
            event = msgspec.json.decode(value)
        except _UNREADABLE:
            raise _Reject("not_json", f"{self.table}: the value is not JSON") from None
        if not isinstance(event, dict) or not {"op", "source"} <= event.keys():
            raise _Reject("not_an_envelope", f"{self.table}: op or source is missing") from None
        if event["op"] not in _OPS:
            raise _Reject("not_an_envelope", f"{self.table}: op is none of Debezium's") from None
        source = self._source(event["source"])
        try:
            return event["op"], source, *self._row(event)
        except _Reject as reject:
            reject.of = event["op"], source
            raise

    def _row(self, event: dict[str, Any]) -> tuple[Any, str | None]:
        """The row that an event carries, and what it has beyond the contract."""
        image = event.get("before") if event["op"] == "d" else event.get("after")
        if event["op"] == "t":
            return None, None
        if not isinstance(image, dict) or not self._known & image.keys():
            raise _Reject("not_an_envelope", f"{self.table}: op {event['op']} carries no row")
        missing = sorted(self._known - image.keys())
        if missing:
            raise _Reject(
                "schema_changed", f"{self.table}: the source no longer has {', '.join(missing)}"
            )
        unknown = {name: image[name] for name in sorted(image.keys() - self._known)}
        extra = msgspec.json.encode(unknown).decode() if unknown else None
        known = {name: image[name] for name in self._known}
        try:
            row = msgspec.convert(known, self._row_type)
        except msgspec.ValidationError as error:
            for column in self._columns:
                if column.required and image[column.name] is None:
                    raise _Reject(
                        "required_null", f"{self.table}.{column.name}: is empty"
                    ) from None
            text = str(error)
            kind = "out_of_range" if ">=" in text or "<=" in text else "bad_type"
            if text.startswith("Invalid enum value"):  # which the text goes on to show
                kind, text = "rule", f"a value that is not allowed{text[text.rindex(' - at') :]}"
            raise _Reject(kind, f"{self.table}: {text}") from None
        return row, extra

    def _source(self, found: Any) -> _Source:
        try:
            source = msgspec.convert(found, _Source)
        except msgspec.ValidationError as error:
            raise _Reject("no_order", f"{self.table}: source: {error}") from None
        if found.get("table") not in (None, "", self.table):
            # else its other columns would look as if this table's had changed, and stop it
            raise _Reject("not_an_envelope", f"{self.table}: the record is another table's")
        return source

    def _to_arrow(
        self, rows: list[Any], tails: list[tuple[Any, ...]]
    ) -> tuple[pa.Table, list[tuple[int, str]]]:
        """Rows as a table of :attr:`schema`, and what of them its types cannot hold."""
        blank = (None,) * len(self._columns)
        whole = [
            (blank if row is None else msgspec.structs.astuple(row)) + tail
            for row, tail in zip(rows, tails, strict=True)
        ]
        unfit: list[tuple[int, str]] = []
        decimals = [(i, c) for i, c in enumerate(self._columns) if c.decimal]
        try:
            return self._table(whole), unfit
        except pa.ArrowInvalid:
            for position, row in enumerate(whole):
                wrong = next((c for i, c in decimals if not _fits(row[i], c)), None)
                if wrong:
                    text = f"{self.table}.{wrong.name}: does not fit {wrong.physical_type}"
                    unfit.append((position, text))
        out = {position for position, _ in unfit}
        return self._table([row for i, row in enumerate(whole) if i not in out]), unfit

    def _table(self, rows: list[tuple[Any, ...]]) -> pa.Table:
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self.schema)
        arrays = [_array(v, field.type) for v, field in zip(columns, self.schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _bronze(
        self,
        records: pa.Table,
        values: pa.ChunkedArray,
        ops: pa.Array,
        source_ts: pa.Array,
        tokens: pa.Array,
        batch_id: int,
    ) -> pa.Table:
        count = records.num_rows
        return pa.Table.from_arrays(
            [
                pa.repeat(self.table, count),
                ops,
                records.column("topic"),
                records.column("partition"),
                records.column("offset"),
                records.column("kafka_ts"),
                source_ts,
                tokens,
                _text(records.column("key")),
                _text(values),
                pa.repeat(batch_id, count),
            ],
            schema=self._bronze_schema,
        )

    def _rejects(
        self,
        records: pa.Table,
        values: list[bytes],
        bad: list[tuple[int, str, str]],
        batch_id: int,
    ) -> pa.Table:
        part = records.take(pa.array([index for index, *_ in bad], pa.int64()))
        return pa.Table.from_arrays(
            [
                pa.array([self.table] * len(bad), pa.string()),
                part.column("topic"),
                part.column("partition"),
                part.column("offset"),
                part.column("kafka_ts"),
                pa.array([reason for _, reason, _ in bad], pa.string()),
                pa.array([detail for *_, detail in bad], pa.string()),
                part.column("key"),
                pa.array([values[index] for index, *_ in bad], pa.binary()),
                part.column("epoch"),
                pa.array([batch_id] * len(bad), pa.int64()),
            ],
            schema=self._dead_schema,
        )

    def _without_secrets(self, value: bytes) -> bytes:
        try:
            event = msgspec.json.decode(value)
            return msgspec.json.encode(self._cleaned(event))
        except _UNREADABLE:
            return b""  # cannot be read, so cannot be cleaned: keep nothing of it

    def _cleaned(self, node: Any) -> Any:
        """The value without the secret columns, however deep they are or wrapped as text."""
        if isinstance(node, dict):
            return {k: self._cleaned(one) for k, one in node.items() if not self._is_secret(k)}
        if isinstance(node, list):
            return [self._cleaned(one) for one in node]
        return "" if isinstance(node, str) and self._is_secret(node) else node

    def _is_secret(self, text: str) -> bool:
        return any(name in text for name in self._secrets)


def _row_type(silver: Contract) -> Any:
    fields: list[Any] = []
    for column in silver.columns:
        if column.name.startswith("_"):
            continue
        wire = str if column.decimal else _WIRE[column.type]
        for rule in column.expectations:
            if rule.severity == "quarantine" and rule.rule == "one_of":
                wire = Literal[rule.values]
        fields.append((column.name, wire if column.required else wire | None))
    return msgspec.defstruct(f"{silver.name}_row", fields, forbid_unknown_fields=True, gc=False)


def _fits(value: str | None, column: Column) -> bool:
    try:
        pa.array([value], pa.string()).cast(column.arrow_type)
    except pa.ArrowInvalid:
        return False
    return True


def _source_ts(source: _Source) -> int | None:
    if source.ts_us is not None:
        return source.ts_us
    return source.ts_ms * 1000 if source.ts_ms is not None else None


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Values as they are sent, as an array of the type; decimals come as text, times as numbers."""
    if pa.types.is_decimal(kind):
        return pa.array(values, pa.string()).cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Bytes as text; what is not UTF-8 gets a stand-in (the dead letter has the bytes)."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [v if v is None else v.decode("utf-8", "replace") for v in values.to_pylist()]
        return pa.array(texts, pa.string())
