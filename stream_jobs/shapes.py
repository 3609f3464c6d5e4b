"""What passes between the rooms of the stream: Kafka records in, patches of tables out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

__all__ = ["RECORDS", "Patch", "Span"]

Span = tuple[datetime, datetime]
"""A span of time, both ends within, UTC."""

# What the Kafka source hands over, one row per record.
RECORDS = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("kafka_ts", pa.timestamp("us", tz="UTC")),
        ("epoch", pa.string()),
        ("key", pa.binary()),
        ("value", pa.binary()),
    ]
)


@dataclass(frozen=True)
class Patch:
    """Rows to add, rows to change and keys to take out of a table with a one-column key.

    ``inserts`` and ``updates`` are whole rows; ``deletes`` holds the key column alone. The keys of
    ``inserts`` are known not to be in the table, the others are known to be.
    """

    inserts: pa.Table
    updates: pa.Table
    deletes: pa.Table

    @property
    def num_rows(self) -> int:
        """Rows that the patch touches."""
        return int(self.inserts.num_rows + self.updates.num_rows + self.deletes.num_rows)
