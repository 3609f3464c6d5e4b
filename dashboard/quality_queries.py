"""SQL statements of the quality page (DuckDB dialect); see :mod:`dashboard.queries`."""

from __future__ import annotations

from datetime import datetime

from dashboard.queries import Sql
from lakehouse_schemas import Contract
from lakehouse_schemas.render.quality import Check, checks

__all__ = ["LOOKED_AT", "broken_rules", "letter", "letter_counts", "letters", "rules", "set_aside"]

LOOKED_AT = 20_000
"""How many rows of a table are held against its rules: those with the highest keys."""


def rules(contract: Contract) -> list[Check]:
    """The rules of the contract's columns that the page looks at; keys are always there."""
    return [
        check
        for check in checks(contract, "duckdb")
        if not (check.rule == "required" and check.column in contract.key)
    ]


def broken_rules(contract: Contract) -> Sql:
    """How many rows were looked at, and how many break each of :func:`rules`, in their order.

    The columns are ``looked_at``, ``rule_0``, ``rule_1`` and so on.
    """
    counts = ", ".join(
        f"count(*) FILTER (WHERE {check.broken}) AS rule_{place}"
        for place, check in enumerate(rules(contract))
    )
    newest = f"ORDER BY {contract.key[0]} DESC LIMIT {LOOKED_AT}"
    return Sql(
        f"SELECT count(*) AS looked_at{', ' if counts else ''}{counts}"
        f" FROM (SELECT * FROM {contract.full_name} {newest})"
    )


def set_aside(since: datetime) -> Sql:
    """Changes since then, and how many of them were set aside; NULL without any batch."""
    return Sql(
        "SELECT sum(events) AS events, sum(quarantined) AS quarantined"
        " FROM gold.pipeline_batches WHERE started_at >= ?",
        (since,),
    )


def letter_counts() -> Sql:
    """Dead letters by source table and reason, the most first."""
    return Sql(
        "SELECT source_table, reason, count(*) AS letters, min(kafka_ts) AS oldest,"
        " max(kafka_ts) AS newest FROM bronze.dead_letters"
        " GROUP BY source_table, reason ORDER BY letters DESC, source_table, reason"
    )


def letters(table: str | None, limit: int) -> Sql:
    """The newest dead letters, of one source table or of all, without what is in them."""
    where, params = (" WHERE source_table = ?", (table,)) if table else ("", ())
    return Sql(
        'SELECT source_table, topic, "partition", "offset", kafka_ts, reason, detail, batch_id'
        f" FROM bronze.dead_letters{where}"
        ' ORDER BY kafka_ts DESC, topic, "partition", "offset" DESC LIMIT ?',
        (*params, limit),
    )


def letter(topic: str, partition: int, offset: int) -> Sql:
    """One dead letter by its place in Kafka, with what is in it; no row when it is not there."""
    return Sql(
        "SELECT source_table, kafka_ts, reason, detail, value, batch_id FROM bronze.dead_letters"
        ' WHERE topic = ? AND "partition" = ? AND "offset" = ?',
        (topic, partition, offset),
    )
