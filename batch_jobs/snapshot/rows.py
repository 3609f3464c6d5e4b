"""Rows of a source table in the form of Debezium's snapshot events.

The server itself writes each row as JSON and sends thousands of them as one value, which is several
times as fast as sending them as rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pymysql

from finlake.errors import FinlakeError
from lakehouse_schemas import Column, Contract
from stream_jobs.shapes import RECORDS
from stream_jobs.transforms.order import order_token

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

__all__ = ["Place", "Span", "about", "gone", "read", "spans"]

_INSTANT = pa.timestamp("us", tz="UTC")
_AT_ONCE = 8_192  # rows of one answer: some megabytes, below the least max_allowed_packet in use


@dataclass(frozen=True)
class Place:
    """The moment that a snapshot stands for: source epoch, binlog file and position, and when."""

    epoch: int
    file: str
    position: int
    at: datetime

    @property
    def name(self) -> str:
        """What the snapshot goes by."""
        return f"snapshot-{self.epoch}-{self.file}-{self.position}"


Span = tuple[int, int]
"""Lowest and highest key of some rows, both within."""


def spans(cursor: Cursor, contract: Contract, rows: int) -> Iterator[Span]:
    """Spans of the table's keys, with so many rows each."""
    (key,) = contract.key
    statement = (
        f"SELECT min(`{key}`), max(`{key}`) FROM (SELECT `{key}` FROM `{contract.name}` "
        f"WHERE `{key}` > %s ORDER BY `{key}` LIMIT {rows}) AS some"
    )
    last = -(2**63)
    while True:
        first, last = _one(cursor, contract, statement, (last,))
        if first is None:
            return
        yield first, last


def read(
    cursor: Cursor, contract: Contract, place: Place, span: Span
) -> tuple[np.ndarray[Any, Any], pa.Table]:
    """The rows of a span: their keys, and they as records, op ``r``.

    Args:
        cursor: of a user who may read the table.
        contract: of the source table, with one integer key.
        place: everything that was committed before it is visible to the cursor.
        span: of keys.

    Raises:
        FinlakeError: the server refuses, or cuts an answer short.
    """
    (key,) = contract.key
    kept = [c for c in contract.columns if c.name not in contract.dropped]
    image = ", ".join(f"'{c.name}', {_sent(c)}" for c in kept)
    columns = ", ".join(f"`{c.name}`" for c in kept)
    statement = (
        f"SELECT GROUP_CONCAT(CONCAT(`{key}`, '\\t', JSON_OBJECT({image})) SEPARATOR '\\n'), "
        f"count(*), max(`{key}`) FROM (SELECT {columns} FROM `{contract.name}` "
        f"WHERE `{key}` BETWEEN %s AND %s ORDER BY `{key}` LIMIT {_AT_ONCE}) AS some"
    )
    cursor.execute("SET SESSION group_concat_max_len = 1073741824")
    first, end = span
    lines: list[str] = []
    while first <= end:
        text, count, last = _one(cursor, contract, statement, (first, end))
        some = text.split("\n") if count else []
        if len(some) != count or (some and not some[-1].endswith("}")):
            raise FinlakeError(
                f"{contract.name}: the source cut an answer of {count:,} rows short; set its "
                "max_allowed_packet to 64 MB or more"
            )
        lines += some
        first = last + 1 if count == _AT_ONCE else end + 1
    pairs = [line.split("\t", 1) for line in lines]
    keys = pa.array([key for key, _ in pairs], pa.string())
    values = pc.binary_join_element_wise(
        '{"before":null,"after":',
        pa.array([image for _, image in pairs], pa.string()),
        f',"source":{_source(contract, place)},"op":"r"}}',
        "",
    )
    return keys.cast(pa.int64()).to_numpy(), _table(contract, place, keys, values)


def about(cursor: Cursor, contract: Contract) -> int:
    """About how many rows the table has."""
    statement = (
        "SELECT coalesce(max(table_rows), 0) FROM information_schema.tables "
        f"WHERE table_schema = database() AND table_name = '{contract.name}'"
    )
    return int(_one(cursor, contract, statement, ())[0])


def _one(cursor: Cursor, contract: Contract, statement: str, values: tuple[int, ...]) -> Any:
    try:
        cursor.execute(statement, values)
        return cursor.fetchone()
    except pymysql.MySQLError as error:
        raise FinlakeError(
            f"{contract.name}: the source cannot be read ({error.args[-1]}); begin the snapshot "
            "again when it can, nothing is lost"
        ) from None


def _sent(column: Column) -> str:
    """A column as Debezium sends it: decimals as text, times as microseconds since 1970."""
    name = f"`{column.name}`"
    if column.decimal:
        return f"CAST({name} AS CHAR)"
    if column.type == "timestamp":
        return f"TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {name})"
    return name


def gone(
    contract: Contract, place: Place, standing: pa.Table, keys: np.ndarray[Any, Any]
) -> pa.Table:
    """Deletes, as records, of the silver rows that the source no longer has.

    Args:
        contract: of the source table.
        place: of the snapshot.
        standing: some rows of the silver table.
        keys: every key that the snapshot has read, rising.
    """
    (key,) = contract.key
    # What was changed after the snapshot's place is none of its business.
    first = order_token(place.epoch, place.file, place.position, 0, 0)
    before = pc.less(standing.column("_order_token"), first)
    old = standing.filter(pc.and_(before, pc.invert(standing.column("_is_deleted"))))
    mine = old.column(key).to_numpy()
    there = np.searchsorted(keys, mine, side="right") > np.searchsorted(keys, mine)
    columns = [c.name for c in contract.columns if c.name not in contract.dropped]
    rows = old.select(columns).filter(pa.array(~there)).to_pylist()
    source = msgspec.Raw(_source(contract, place).encode())
    values = [
        msgspec.json.encode({"before": _plain(row), "after": None, "source": source, "op": "d"})
        for row in rows
    ]
    texts = pa.array([str(row[key]) for row in rows], pa.string())
    return _table(contract, place, texts, pa.array(values, pa.binary()))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as Debezium sends it."""
    return {
        name: _micros(value)
        if isinstance(value, datetime)
        else str(value)
        if isinstance(value, Decimal)
        else value
        for name, value in row.items()
    }


def _table(contract: Contract, place: Place, keys: pa.Array, values: pa.Array) -> pa.Table:
    count = len(keys)
    columns = [
        pa.repeat(f"{place.name}.{contract.name}", count),
        pa.repeat(-1, count),
        pa.array(np.arange(count)),
        pa.repeat(pa.scalar(datetime.now(UTC), _INSTANT), count),
        pa.repeat(str(place.epoch), count),
        pc.binary_join_element_wise(f'{{"{contract.key[0]}":', keys, "}", ""),
        values,
    ]
    return pa.Table.from_arrays(columns, names=RECORDS.names).cast(RECORDS)


def _source(contract: Contract, place: Place) -> str:
    found = {
        "snapshot": "true",
        "table": contract.name,
        "file": place.file,
        "pos": place.position,
        "row": 0,
        "ts_us": _micros(place.at),
    }
    return msgspec.json.encode(found).decode()


def _micros(moment: datetime) -> int:
    return int(pa.scalar(moment, _INSTANT).value)
