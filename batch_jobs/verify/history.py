"""Histories of customers and cards, told anew from what bronze kept of every change."""

from __future__ import annotations

from typing import Final

import pyarrow.dataset as ds

from batch_jobs.verify.engine import Engine, dataset
from infra.lake.tables import Lake
from lakehouse_schemas import Contract, contracts

__all__ = ["HISTORIES", "TOLD", "tell"]

TOLD: Final = "told"
_COLUMNS = ["source_table", "op", "topic", "partition", "offset", "kafka_ts", "source_ts"]
_COLUMNS += ["order_token", "value"]


def tell(engine: Engine, lake: Lake) -> None:
    """Show the changes of customers and cards as ``told``; those that were set aside are out.

    Args:
        engine: has ``bronze_dead_letters``.
        lake: the lake.
    """
    changes = dataset(lake, "bronze.changes")
    if not isinstance(changes, ds.Dataset):
        changes = ds.dataset(changes)
    tables = ds.field("source_table").isin([table for table, *_ in _OF.values()])
    where = tables & ds.field("order_token").is_valid()
    engine.show("some_changes", changes.scanner(columns=_COLUMNS, filter=where).to_reader())
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {TOLD} AS
        SELECT source_table, op, order_token AS token, coalesce(source_ts, kafka_ts) AS moment,
            TRY_CAST(value AS JSON) -> (CASE op WHEN 'd' THEN 'before' ELSE 'after' END) AS image
        FROM some_changes ANTI JOIN bronze_dead_letters USING (topic, "partition", "offset")"""
    )


# History: source table, its key, and the names that differ in gold.
_OF: Final[dict[str, tuple[str, str, dict[str, str]]]] = {
    "dim_user_history": ("users", "user_id", {"user_id": "id"}),
    "dim_card_history": ("cards", "card_id", {"card_id": "id", "user_id": "client_id"}),
}
_OWN = ("version_key", "valid_from", "valid_to", "is_current", "is_deleted", "changes")


def _statement(name: str) -> str:
    table, key, renamed = _OF[name]
    contract = contracts.get(f"gold.{name}")
    attributes = [c for c in contract.column_names if c not in (key, *_OWN)]
    images = ", ".join(
        f"CASE WHEN op <> 'd' THEN {_value(contract, c, renamed)} END AS {c}" for c in attributes
    )
    none = ", ".join("NULL" for _ in attributes)
    differs = " OR ".join(
        f"{c} IS DISTINCT FROM lag({c}) OVER story" for c in ("gone", *attributes)
    )
    firsts = ", ".join(f"arg_min_null({c}, token) AS {c}" for c in attributes)
    return f"""
    WITH images AS (
        SELECT {_value(contract, key, renamed)} AS {key}, token, moment, op = 'd' AS gone,
            true AS said, {images}
        FROM {TOLD} WHERE source_table = '{table}' AND op <> 't'),
    every AS (
        FROM images UNION ALL
        SELECT {key}, t.token, moment, true, false, {none}
        FROM (SELECT {key}, min(token) AS begun FROM images GROUP BY {key})
        JOIN {TOLD} t ON t.source_table = '{table}' AND op = 't' AND t.token > begun),
    once AS (
        FROM every
        QUALIFY token = max(token) OVER (PARTITION BY {key}, left(token, 33))),
    told_in_order AS (
        SELECT *, max(moment) OVER story AS since,
            lag(token) OVER story IS NULL OR {differs} AS begins
        FROM once WINDOW story AS (PARTITION BY {key} ORDER BY token)),
    numbered AS (
        SELECT *, count(*) FILTER (begins) OVER (PARTITION BY {key} ORDER BY token) AS version
        FROM told_in_order),
    versions AS (
        SELECT {key}, version, min(token) AS first, min(since) AS valid_from,
            bool_and(gone) AS is_deleted, {firsts},
            coalesce(string_agg(token || '@' || epoch_us(moment), ',' ORDER BY token)
                FILTER (said), '') AS changes
        FROM numbered GROUP BY {key}, version)
    SELECT *, lpad(CAST({key} AS VARCHAR), 10, '0') || '@' || left(first, 33) AS version_key,
        lead(valid_from) OVER later AS valid_to,
        NOT is_deleted AND lead(version) OVER later IS NULL AS is_current
    FROM versions WINDOW later AS (PARTITION BY {key} ORDER BY version)"""


def _value(contract: Contract, column: str, renamed: dict[str, str]) -> str:
    """What a change says of a column, which is text or a number on the wire."""
    kind = contract.column(column).type
    simple = {"int32": "INTEGER", "int64": "BIGINT", "string": "VARCHAR"}
    return (
        f"TRY_CAST(image ->> '{renamed.get(column, column)}' AS {simple.get(kind, kind.upper())})"
    )


HISTORIES: Final = {name: _statement(name) for name in _OF}
