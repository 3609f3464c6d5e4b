"""MySQL and MariaDB: the source tables."""

from __future__ import annotations

from lakehouse_schemas.model import Contract
from lakehouse_schemas.render.sql import identifier, literal

__all__ = ["create_table_sql"]


def create_table_sql(contract: Contract) -> str:
    """``CREATE TABLE IF NOT EXISTS`` of a source contract; comments carry the descriptions."""
    lines = [
        f"  {identifier(column.name, 'mysql')} {column.physical_type.upper()}"
        f" {'NOT NULL' if column.required else 'NULL'}"
        f" COMMENT {literal(column.description, 'mysql')}"
        for column in contract.columns
    ]
    lines.append(f"  PRIMARY KEY ({', '.join(identifier(k, 'mysql') for k in contract.key)})")
    body = ",\n".join(lines)
    return (
        f"CREATE TABLE IF NOT EXISTS {identifier(contract.name, 'mysql')} (\n{body}\n)"
        f" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT={literal(contract.description, 'mysql')}"
    )
