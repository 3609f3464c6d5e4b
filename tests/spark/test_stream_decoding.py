"""Records that executors decode become the same rows as those that the driver decodes."""

import pyarrow as pa
import pytest

from stream_jobs.decoding import Found, decode, decode_on_executors, decoders
from stream_jobs.shapes import RECORDS
from tests.unit.stream_world import GOLDEN, Event, golden, records

BAD = [b"not JSON", b'{"op": "c"}', b'{"op": "c", "source": {}, "after": {"mcc": "x"}}', None]


@pytest.fixture(scope="module")
def batch() -> pa.Table:
    """Real events of every kind, what cannot be read, and topics that have no table."""
    events = golden(GOLDEN)
    start = 1 + max(offset for _, offset in events)
    events += [
        (Event(table, number % 3, b"{}", value), start + number)
        for table in ("mcc_codes", "transactions", "finlake_heartbeat")
        for number, value in enumerate(BAD)
    ]
    return records(events)


def rows(found: Found) -> dict[str, list[str]]:
    """All that was found, in an order that does not depend on partitions."""
    tables = {
        f"{name} {part}": getattr(one, part)
        for name, one in found.decoded.items()
        for part in ("bronze", "changes", "rejects")
    }
    tables |= found.others
    problems = {f"{name} problem": [one.schema_problem] for name, one in found.decoded.items()}
    return {name: sorted(map(str, table.to_pylist())) for name, table in tables.items()} | problems


def ends(found: Found) -> list[str]:
    newest = found.ends.group_by(["topic", "partition"]).aggregate([("offset", "max")])
    return sorted(map(str, newest.to_pylist()))


@pytest.mark.parametrize("held", [{}, {"cards": "it has no number"}], ids=["running", "held"])
def test_executors_decode_as_the_driver_does(spark, batch, held, monkeypatch):
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
    try:
        frame = spark.createDataFrame(batch).repartition(3, "topic", "partition")
        there = decode_on_executors(frame, 5, held)
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    here = decode(decoders(), batch, 5, held)
    assert rows(there) == rows(here)
    assert ends(there) == ends(here)
    for name, one in here.decoded.items():
        assert there.decoded[name].changes.schema == one.changes.schema
        assert there.decoded[name].bronze.schema == one.bronze.schema
        assert there.decoded[name].rejects.schema == one.rejects.schema
    assert all(table.schema == RECORDS for table in there.others.values())
    assert sum(one.rejects.num_rows for one in here.decoded.values()) >= 6
    assert "finlake_heartbeat" in here.others


def test_no_records_are_nothing(spark, batch):
    frame = spark.createDataFrame(batch).filter("offset < 0")
    found = decode_on_executors(frame, 5, {})
    assert found.ends.num_rows == 0
    assert not found.decoded
