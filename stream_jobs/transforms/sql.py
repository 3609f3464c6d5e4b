"""Run one SQL statement over Arrow tables or datasets, in memory, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

__all__ = ["run"]

# One database for the process; each statement gets a cursor of its own, so threads may call.
_database = duckdb.connect(config={"threads": 2, "enable_external_access": False})


def run(statement: str, tables: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """The statement's answer over the named tables, in the types of ``schema``.

    Column names of the answer must be those of the schema. Values that the schema's types cannot
    hold raise ``pyarrow.ArrowInvalid``.
    """
    with _database.cursor() as cursor:
        cursor.execute("SET TimeZone = 'UTC'")
        for name, table in tables.items():
            cursor.register(name, table)
        answer: pa.Table = cursor.sql(statement).to_arrow_table()
    return answer.select(schema.names).cast(schema)
