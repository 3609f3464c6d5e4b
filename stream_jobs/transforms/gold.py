"""Gold tables, each defined once, as SQL over live transactions with their labels.

The same statement makes the partials of a micro-batch (new state counted plus one, old state minus
one) and the whole table from silver (everything counted plus one); so a plain ``SUM`` over the
partials is at any moment what a recomputation gives.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import Contract, contracts
from stream_jobs.transforms.sql import run

__all__ = [
    "AGGREGATES",
    "DIMENSIONS",
    "dim_rows",
    "fact_rows",
    "merchants",
    "merchants_of",
    "moves",
    "partials",
    "wide",
]

AGGREGATES: dict[str, str] = {
    "agg_minute": "date_trunc('minute', ts) AS minute",
    "agg_category_day": "CAST(ts AS DATE) AS date, mcc",
    "agg_customer_day": "CAST(ts AS DATE) AS date, client_id AS user_id",
    "agg_merchant_day": "CAST(ts AS DATE) AS date, merchant_id",
    "agg_state_day": """CAST(ts AS DATE) AS date,
        coalesce(nullif(merchant_state, ''), 'ONLINE') AS state""",
}

_MEASURES = """
    CAST(sum(sign) AS BIGINT) AS transaction_count,
    CAST(sum(sign * amount) AS DECIMAL(18, 2)) AS amount_sum,
    CAST(sum(sign) FILTER (amount < 0) AS BIGINT) AS refund_count,
    CAST(sum(sign * amount) FILTER (amount < 0) AS DECIMAL(18, 2)) AS refund_sum,
    CAST(sum(sign) FILTER (errors <> '') AS BIGINT) AS declined_count,
    CAST(sum(sign) FILTER (use_chip LIKE 'Online%') AS BIGINT) AS online_count,
    CAST(sum(sign) FILTER (label IS NOT NULL) AS BIGINT) AS labelled_count,
    CAST(sum(sign) FILTER (label = 'Yes') AS BIGINT) AS fraud_count"""

# md5 and not DuckDB's own hash, which may change with its version; the sign bit is dropped. Each
# text has its length, so that neither `a|b` and `a`, `b` nor an empty text and none are the same.
_SIZED = " || '|' || ".join(
    f"coalesce(length({name}) || ':' || {name}, 'n')"
    for name in ("merchant_city", "merchant_state", "zip")
)
_MERCHANT_KEY = f"""CAST(md5_number_lower(merchant_id || '|' || mcc || '|' || {_SIZED}) >> 1
    AS BIGINT) AS merchant_key"""

_FACT = f"""
SELECT id AS transaction_id, ts AS transaction_ts,
    CAST(strftime(ts, '%Y%m%d') AS INTEGER) AS date_key,
    client_id AS user_id, card_id, {_MERCHANT_KEY}, merchant_id, mcc, amount,
    split_part(use_chip, ' ', 1) AS channel, merchant_city, merchant_state, zip,
    use_chip LIKE 'Online%' AS is_online, amount < 0 AS is_refund,
    coalesce(errors <> '', false) AS is_declined, errors, label = 'Yes' AS is_fraud
FROM wide"""

_MERCHANTS = f"""
SELECT {_MERCHANT_KEY}, merchant_id, merchant_city, merchant_state, zip, mcc,
    CAST(sum(sign) AS BIGINT) AS change
FROM {{source}} GROUP BY ALL HAVING sum(sign) <> 0"""

_WIDE = """
SELECT t.id, t.date AS ts, t.client_id, t.card_id, t.amount, t.use_chip, t.merchant_id,
    t.merchant_city, t.merchant_state, t.zip, t.mcc, t.errors, l.label
FROM transactions t
LEFT JOIN (SELECT transaction_id, label FROM labels WHERE NOT _is_deleted) l
    ON l.transaction_id = t.id
WHERE NOT t._is_deleted"""

_WIDE_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("ts", pa.timestamp("us")),
        ("client_id", pa.int32()),
        ("card_id", pa.int32()),
        ("amount", pa.decimal128(12, 2)),
        ("use_chip", pa.string()),
        ("merchant_id", pa.int32()),
        ("merchant_city", pa.string()),
        ("merchant_state", pa.string()),
        ("zip", pa.string()),
        ("mcc", pa.int32()),
        ("errors", pa.string()),
        ("label", pa.string()),
    ]
)

# Gold dimension: source table and the names that differ.
DIMENSIONS: dict[str, tuple[str, dict[str, str]]] = {
    "dim_user": ("users", {"id": "user_id"}),
    "dim_card": ("cards", {"id": "card_id", "client_id": "user_id"}),
    "dim_mcc": ("mcc_codes", {}),
}


def _naive(schema: pa.Schema) -> pa.Schema:
    """The schema with UTC times as plain times, which is what the statements compute in."""
    return pa.schema(
        [
            pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type)
            for f in schema
        ]
    )


def _gold(contract: Contract, statement: str, **tables: pa.Table) -> pa.Table:
    schema = contract.arrow_schema()
    answer = run(statement, tables, _naive(schema))
    return answer.cast(pa.schema([f.with_nullable(True) for f in schema]))


def wide(transactions: pa.Table, labels: pa.Table) -> pa.Table:
    """Live transactions with their live label, if any.

    Both arguments have silver columns, delete markers included; times become plain UTC.
    """
    return run(_WIDE, {"transactions": transactions, "labels": labels}, _WIDE_SCHEMA)


def moves(old: pa.Table, new: pa.Table) -> pa.Table:
    """Wide rows with a ``sign``: minus one for what was, plus one for what is.

    Rows that did not change are left out.
    """
    return run(
        """SELECT -1 AS sign, o.* FROM (SELECT * FROM o EXCEPT ALL SELECT * FROM n) o
        UNION ALL SELECT 1, n.* FROM (SELECT * FROM n EXCEPT ALL SELECT * FROM o) n""",
        {"o": old, "n": new},
        pa.schema([pa.field("sign", pa.int32()), *_WIDE_SCHEMA]),
    )


def partials(name: str, moved: pa.Table) -> pa.Table:
    """Additive rows of one aggregate for the moves of a batch; keys without a change are out."""
    contract = contracts.get(f"gold.{name}")
    measures = [c for c in contract.column_names if c not in contract.key]
    zeros = ", ".join(f"coalesce({m}, 0) AS {m}" for m in measures)
    statement = f"""
    SELECT {", ".join(contract.key)}, {zeros}
    FROM (SELECT {AGGREGATES[name]}, {_MEASURES} FROM moves GROUP BY ALL)
    WHERE {" OR ".join(f"{m} <> 0" for m in measures)}"""
    return _gold(contract, statement, moves=moved)


def fact_rows(rows: pa.Table) -> pa.Table:
    """``fact_transactions`` of wide rows."""
    return _gold(contracts.get("gold.fact_transactions"), _FACT, wide=rows)


def merchants(moved: pa.Table) -> pa.Table:
    """Merchants that the moves touch, with the ``change`` in their number of transactions."""
    return run(_MERCHANTS.format(source="moves"), {"moves": moved}, _merchant_schema())


def merchants_of(transactions: object) -> pa.Table:
    """Every merchant of the live silver transactions (table or dataset), with their number."""
    live = "(SELECT 1 AS sign, * FROM transactions WHERE NOT _is_deleted)"
    return run(_MERCHANTS.format(source=live), {"transactions": transactions}, _merchant_schema())


def _merchant_schema() -> pa.Schema:
    schema = contracts.get("gold.dim_merchant").arrow_schema()
    return pa.schema([*[f.with_nullable(True) for f in schema], pa.field("change", pa.int64())])


def dim_rows(name: str, silver: pa.Table) -> pa.Table:
    """Rows of a dimension that mirrors a silver table; delete markers are left out."""
    _, renamed = DIMENSIONS[name]
    contract = contracts.get(f"gold.{name}")
    live = silver.filter(pc.invert(silver.column("_is_deleted")))
    back = {new: old for old, new in renamed.items()}
    columns = [live.column(back.get(c, c)) for c in contract.column_names]
    schema = pa.schema([f.with_nullable(True) for f in contract.arrow_schema()])
    return pa.Table.from_arrays(columns, names=contract.column_names).cast(schema)
