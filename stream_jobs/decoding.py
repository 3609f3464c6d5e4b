"""Where a batch's records are decoded: in the driver, or by the executors of a cluster.

Both ways run the same decoders and give the same rows. In one process, handing records to Python
workers and back costs more than decoding them; on a cluster it is what more machines can do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import contracts
from stream_jobs.shapes import RECORDS
from stream_jobs.transforms.envelope import Decoded, Decoder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Decode", "Found", "decode", "decode_on_executors", "decoders"]


@dataclass(frozen=True)
class Found:
    """What a batch's records turned out to be.

    ``decoded`` is by source table; ``others`` has the records of the other topics, by the last part
    of their name; ``ends`` (topic, partition, offset) holds at least the newest record of each
    partition.
    """

    decoded: dict[str, Decoded]
    others: dict[str, pa.Table]
    ends: pa.Table


# Decodes a batch; the argument says of each table that is stopped, why.
Decode = Callable[[Mapping[str, str]], Found]


def decoders() -> dict[str, Decoder]:
    """The decoder of each source table."""
    return {contract.name: Decoder(contract.name) for contract in contracts.source_tables()}


def decode(
    by_table: Mapping[str, Decoder], records: pa.Table, batch_id: int, held: Mapping[str, str]
) -> Found:
    """Decode records here.

    Args:
        by_table: decoder of each source table.
        records: rows of :data:`stream_jobs.shapes.RECORDS`.
        batch_id: micro-batch, written to every row.
        held: stopped tables and why; their records are set aside.
    """
    parts = {}
    for topic in pc.unique(records["topic"]).to_pylist():
        parts[topic.rsplit(".", 1)[-1]] = records.filter(pc.equal(records["topic"], topic))
    found = {
        name: decoder.decode(parts.pop(name), batch_id, held.get(name, ""))
        for name, decoder in by_table.items()
        if name in parts
    }
    return Found(found, parts, records.select(["topic", "partition", "offset"]))


def decode_on_executors(frame: DataFrame, batch_id: int, held: Mapping[str, str]) -> Found:
    """Decode a frame of records where its partitions are; the other arguments are as above."""
    part = partial(_decode_partition, batch_id, dict(held))
    # A partial has no signature of its own that Spark would read.
    packed = frame.mapInArrow(lambda batches: part(batches), _PACKED)  # noqa: PLW0108
    return _unpack(packed.toArrow())


# One row for each table that is a part of a result: Spark wants one schema for all.
_PACKED = "name string, part string, problem string, content binary"
_ROW = pa.schema(
    [(name, pa.string()) for name in ("name", "part", "problem")] + [("content", pa.binary())]
)
_DECODED = ("bronze", "changes", "rejects")
# A sixth of the bytes on the way to the driver, for a microsecond a record.
_SMALL = pa.ipc.IpcWriteOptions(compression="lz4")


@cache
def _own_decoders() -> dict[str, Decoder]:
    """Of an executor's Python process, which lives for many batches."""
    return decoders()


def _decode_partition(
    batch_id: int, held: dict[str, str], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.num_rows:
            records = pa.Table.from_batches([batch]).cast(RECORDS)
            yield _pack(decode(_own_decoders(), records, batch_id, held))


def _pack(found: Found) -> pa.RecordBatch:
    newest = found.ends.group_by(["topic", "partition"]).aggregate([("offset", "max")])
    newest = newest.rename_columns(["topic", "partition", "offset"])
    rows = [("", "ends", "", newest)]
    rows += [(name, "records", "", records) for name, records in found.others.items()]
    for name, one in found.decoded.items():
        rows += [(name, part, one.schema_problem, getattr(one, part)) for part in _DECODED]
    names, parts, problems, tables = zip(*rows, strict=True)
    content = pa.array([_written(table) for table in tables], pa.binary())
    columns = [pa.array(column, pa.string()) for column in (names, parts, problems)]
    return pa.RecordBatch.from_arrays([*columns, content], schema=_ROW)


def _unpack(packed: pa.Table) -> Found:
    """Put what the executors gave together, in the order of their partitions."""
    pieces: dict[tuple[str, str], list[pa.Table]] = {}
    problems: dict[str, str] = {}
    columns = (packed.column(name).to_pylist() for name in ("name", "part", "problem"))
    for name, part, problem, content in zip(*columns, packed.column("content"), strict=True):
        with pa.ipc.open_stream(content.as_buffer()) as stream:
            pieces.setdefault((name, part), []).append(stream.read_all())
        problems[name] = problem or problems.get(name, "")
    whole = {place: pa.concat_tables(tables) for place, tables in pieces.items()}
    ends = whole.pop(("", "ends"), RECORDS.empty_table().select(["topic", "partition", "offset"]))
    others = {name: table for (name, part), table in whole.items() if part == "records"}
    decoded = {
        name: Decoded(table, whole[name, "changes"], whole[name, "rejects"], problems[name])
        for (name, part), table in whole.items()
        if part == "bronze"
    }
    return Found(decoded, others, ends)


def _written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_SMALL) as stream:
        stream.write_table(table)
    written: bytes = sink.getvalue().to_pybytes()
    return written
