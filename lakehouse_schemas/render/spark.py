"""Spark: a contract's columns as a ``StructType``, without Spark.

Every column is nullable, as in the tables themselves: Delta would make ``NOT NULL`` a check of
every write, while a missing value is found when a record is decoded, where it can be set aside.
"""

from __future__ import annotations

import json

from lakehouse_schemas.model import Column, Contract
from lakehouse_schemas.render.sql import identifier, literal

__all__ = ["schema_ddl", "schema_json", "sql_type"]

# Our type: its name in Spark's SQL, its name in Spark's JSON.
_TYPES = {
    "int32": ("INT", "integer"),
    "int64": ("BIGINT", "long"),
    "double": ("DOUBLE", "double"),
    "boolean": ("BOOLEAN", "boolean"),
    "string": ("STRING", "string"),
    "binary": ("BINARY", "binary"),
    "date": ("DATE", "date"),
    "timestamp": ("TIMESTAMP", "timestamp"),
}


def sql_type(column: Column) -> str:
    """The column's type in Spark's SQL."""
    return column.type.upper() if column.decimal else _TYPES[column.type][0]


def schema_ddl(contract: Contract) -> str:
    """For ``DataFrameReader.schema``, ``from_json`` and ``StructType.fromDDL``."""
    return ", ".join(
        f"{identifier(c.name, 'spark')} {sql_type(c)} COMMENT {literal(c.description, 'spark')}"
        for c in contract.columns
    )


def schema_json(contract: Contract) -> str:
    """For ``StructType.fromJson``; the same text that Delta keeps in its log."""
    fields = [
        {
            "name": column.name,
            "type": column.type if column.decimal else _TYPES[column.type][1],
            "nullable": True,
            "metadata": {"comment": column.description},
        }
        for column in contract.columns
    ]
    return json.dumps({"type": "struct", "fields": fields}, ensure_ascii=False)
