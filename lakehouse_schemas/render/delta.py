"""Delta tables: the DDL in Spark's SQL and the properties that keep every engine able to read."""

from __future__ import annotations

from typing import Final

from lakehouse_schemas.model import Contract
from lakehouse_schemas.render.spark import sql_type
from lakehouse_schemas.render.sql import identifier, literal

__all__ = ["TABLE_PROPERTIES", "create_table_sql"]

# Reader version 1: no deletion vectors, no column mapping, no checkpoint format of version 2, which
# Dremio and plain delta-rs readers refuse or read wrongly. A checkpoint is worth its cost every
# hundred commits; old log entries go after two hours, since a table gets two or three a second.
TABLE_PROPERTIES: Final = {
    "delta.checkpointInterval": "100",
    "delta.checkpointPolicy": "classic",
    "delta.columnMapping.mode": "none",
    "delta.deletedFileRetentionDuration": "interval 1 days",
    "delta.enableDeletionVectors": "false",
    "delta.logRetentionDuration": "interval 2 hours",
}


def create_table_sql(contract: Contract, location: str | None = None) -> str:
    """``CREATE TABLE IF NOT EXISTS`` for Spark with Delta.

    Args:
        contract: of a bronze, silver or gold table.
        location: address of the table; without it the table lies in the catalogue's warehouse.
    """
    columns = ",\n".join(
        f"  {identifier(c.name, 'spark')} {sql_type(c)} COMMENT {literal(c.description, 'spark')}"
        for c in contract.columns
    )
    properties = ",\n".join(
        f"  {literal(name, 'spark')} = {literal(value, 'spark')}"
        for name, value in TABLE_PROPERTIES.items()
    )
    place = f"LOCATION {literal(location, 'spark')}\n" if location else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {contract.full_name} (\n{columns}\n)\nUSING DELTA\n{place}"
        f"COMMENT {literal(contract.description, 'spark')}\nTBLPROPERTIES (\n{properties}\n)"
    )
