"""MySQL and MariaDB: the source tables."""

from __future__ import annotations

from lakehouse_schemas.model import Contract

__all__ = ["create_table_sql"]


def create_table_sql(contract: Contract) -> str:
    """``CREATE TABLE IF NOT EXISTS`` of a source contract; comments carry the descriptions."""
    lines = []
    for column in contract.columns:
        null = "NOT NULL" if column.required else "NULL"
        comment = column.description.replace("'", "''")
        lines.append(f"  `{column.name}` {column.physical_type.upper()} {null} COMMENT '{comment}'")
    lines.append(f"  PRIMARY KEY ({', '.join(f'`{k}`' for k in contract.key)})")
    body = ",\n".join(lines)
    comment = contract.description.replace("'", "''")
    return (
        f"CREATE TABLE IF NOT EXISTS `{contract.name}` (\n{body}\n)"
        f" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='{comment}'"
    )
