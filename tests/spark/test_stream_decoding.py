"""Records that Spark's executors decode become the same rows as those that the driver decodes."""

import pytest

from stream_jobs.decoding import decode, decode_on_executors, decoders
from tests.unit.test_stream_executors import batch, rows


@pytest.mark.parametrize("held", [{}, {"cards": "is held"}], ids=["running", "held"])
def test_executors_decode_as_the_driver_does(spark, held):
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
    try:
        frame = spark.createDataFrame(batch()).repartition(3, "topic", "partition")
        there = decode_on_executors(frame, 5, held)
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert rows(there) == rows(decode(decoders(), batch(), 5, held))


def test_no_records_are_nothing(spark):
    found = decode_on_executors(spark.createDataFrame(batch()).filter("offset < 0"), 5, {})
    assert found.ends.num_rows == 0
    assert not found.decoded
