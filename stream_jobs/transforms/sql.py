"""Run one SQL statement over Arrow tables or datasets, in memory, in UTC."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

__all__ = ["run"]

_local = threading.local()


def run(statement: str, tables: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """The statement's answer over the named tables, in the types of ``schema``.

    Column names of the answer must be those of the schema. Values that the schema's types cannot
    hold raise ``pyarrow.ArrowInvalid``.
    """
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = duckdb.connect(config={"threads": 2, "enable_external_access": False})
        connection.execute("SET TimeZone = 'UTC'")
        _local.connection = connection
    for name, table in tables.items():
        connection.register(name, table)
    answer: pa.Table = connection.sql(statement).to_arrow_table()
    for name in tables:
        connection.unregister(name)
    return answer.select(schema.names).cast(schema)
