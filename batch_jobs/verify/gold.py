"""Gold as it stands against a recomputation from silver.

The statements here say anew what each gold table means; they share nothing with those of the
stream, so that a fault there shows. Silver's live rows are counted plus one and gold's rows minus
one: where both agree, nothing is left.
"""

from __future__ import annotations

from collections.abc import Mapping

from batch_jobs.verify.engine import Engine
from batch_jobs.verify.history import HISTORIES
from batch_jobs.verify.report import Difference, GoldCheck
from batch_jobs.verify.silver import FIRST
from lakehouse_schemas import Contract, contracts

__all__ = [
    "ADDITIVE",
    "BOOKED",
    "COUNTS",
    "FACT",
    "KEYED",
    "PLACES",
    "VIEWS",
    "cast",
    "compare_additive",
    "compare_keyed",
]

BOOKED = """id, CAST(date AS TIMESTAMP) AS ts, client_id, card_id, amount, use_chip, merchant_id,
    merchant_city, merchant_state, zip, mcc, errors,
    starts_with(use_chip, 'Online') AS online, errors IS NOT NULL AND errors != '' AS declined"""

# Live silver rows; times as plain UTC.
VIEWS = f"""
CREATE VIEW booked AS SELECT {BOOKED} FROM silver_transactions WHERE NOT _is_deleted;
CREATE VIEW labelled AS
SELECT transaction_id, label = 'Yes' AS fraud FROM silver_fraud_labels WHERE NOT _is_deleted;
CREATE VIEW judged AS
SELECT booked.*, fraud FROM booked LEFT JOIN labelled ON transaction_id = id;
"""

_TEXT = "coalesce(length({0}) || ':' || {0}, 'n')"
_PLACE = " || '|' || ".join(_TEXT.format(c) for c in ("merchant_city", "merchant_state", "zip"))
_MERCHANT = f"""CAST(md5_number_lower(merchant_id || '|' || mcc || '|' || {_PLACE}) // 2
    AS BIGINT) AS merchant_key"""

_CHANNEL = "regexp_extract(use_chip, '^[^ ]*')"

# What of a transaction's row comes from the transaction alone.
FACT = f"""id AS transaction_id, ts AS transaction_ts,
            year(ts) * 10000 + month(ts) * 100 + day(ts) AS date_key,
            client_id AS user_id, card_id, {_MERCHANT}, merchant_id, mcc, amount,
            {_CHANNEL} AS channel, merchant_city, merchant_state, zip,
            online AS is_online, amount < 0 AS is_refund, declined AS is_declined, errors"""

# Tables with one row per key, as they should be.
KEYED: Mapping[str, str] = {
    "fact_transactions": f"SELECT {FACT}, fraud AS is_fraud FROM judged",
    "dim_merchant": f"""
        SELECT DISTINCT {_MERCHANT}, merchant_id, merchant_city, merchant_state, zip, mcc
        FROM booked""",
    "dim_user": "SELECT id AS user_id, * EXCLUDE (id) FROM silver_users WHERE NOT _is_deleted",
    "dim_card": """
        SELECT id AS card_id, client_id AS user_id, * EXCLUDE (id, client_id) FROM silver_cards
        WHERE NOT _is_deleted""",
    "dim_mcc": "SELECT mcc, description FROM silver_mcc_codes WHERE NOT _is_deleted",
    "dim_date": """
        SELECT year(d) * 10000 + month(d) * 100 + day(d) AS date_key, CAST(d AS DATE) AS date,
            year(d) AS year, quarter(d) AS quarter, month(d) AS month, monthname(d) AS month_name,
            day(d) AS day, isodow(d) AS day_of_week, dayname(d) AS day_name, week(d) AS week,
            isodow(d) >= 6 AS is_weekend
        FROM (SELECT unnest(generate_series(DATE '1990-01-01', DATE '2049-12-31',
            INTERVAL 1 DAY)) AS d)""",
    "fraud_alerts": "SELECT * FROM expected_alerts",
    **HISTORIES,
}

# Aggregates: what each transaction counts for, and where.
PLACES: Mapping[str, str] = {
    "minute": "time_bucket(INTERVAL 1 MINUTE, ts)",
    "date": "CAST(ts AS DATE)",
    "month_start": "CAST(date_trunc('month', ts) AS DATE)",
    "mcc": "mcc",
    "user_id": "client_id",
    "card_id": "card_id",
    "merchant_id": "merchant_id",
    "channel": _CHANNEL,
    "state": """CASE WHEN merchant_state IS NULL OR merchant_state = '' THEN 'ONLINE'
        ELSE merchant_state END""",
}
COUNTS = """1 AS transaction_count, amount AS amount_sum,
    CAST(amount < 0 AS INTEGER) AS refund_count, least(amount, 0) AS refund_sum,
    CAST(declined AS INTEGER) AS declined_count, CAST(online AS INTEGER) AS online_count,
    CAST(fraud IS NOT NULL AS INTEGER) AS labelled_count,
    CAST(coalesce(fraud, false) AS INTEGER) AS fraud_count"""


def _each(name: str) -> str:
    keys = contracts.get(f"gold.{name}").key
    return f"SELECT {', '.join(f'{PLACES[key]} AS {key}' for key in keys)}, {COUNTS} FROM judged"


ADDITIVE: Mapping[str, str] = {
    name: _each(name)
    for name in (
        "agg_minute",
        "agg_category_day",
        "agg_category_month",
        "agg_customer_day",
        "agg_card_month",
        "agg_merchant_month",
        "agg_state_day",
    )
}


def compare_additive(engine: Engine, name: str) -> GoldCheck:
    """Compare an additive table: sums per key, where a key of nothing but zeros is no key.

    Args:
        engine: has :data:`VIEWS` and the table as ``gold_<name>``.
        name: the table.
    """
    contract = contracts.get(f"gold.{name}")
    keys = cast(contract, contract.key)
    measures = [c for c in contract.column_names if c not in contract.key]
    minus = ", ".join(f"-{m} AS {m}" for m in measures)
    sums = ", ".join(f"sum({m}) AS {m}" for m in measures)
    wrong = " OR ".join(f"{m} <> 0" for m in measures)
    grouped = f"""
    SELECT {", ".join(contract.key)}, sum(live) AS live, {sums} FROM (
        SELECT {keys}, {", ".join(measures)}, 1 AS live FROM ({ADDITIVE[name]})
        UNION ALL SELECT {keys}, {minus}, 0 FROM gold_{name}) GROUP BY ALL"""
    recomputed, different = engine.row(
        f"SELECT count(*) FILTER (live > 0), count(*) FILTER ({wrong}) FROM ({grouped})"
    )
    first: list[Difference] = []
    if different:
        order = ", ".join(contract.key)
        for row in engine.rows(
            f"""SELECT {order}, {", ".join(f"{m} <> 0" for m in measures)} FROM ({grouped})
            WHERE {wrong} ORDER BY {order} LIMIT {FIRST}"""
        ):
            parts = len(contract.key)
            names = [m for m, is_wrong in zip(measures, row[parts:], strict=True) if is_wrong]
            key = "/".join("null" if part is None else str(part) for part in row[:parts])
            first.append(Difference(key, f"{', '.join(names)} differs"))
    return GoldCheck(contract.full_name, recomputed, different, tuple(first))


def compare_keyed(engine: Engine, name: str) -> GoldCheck:
    """Compare a table with one row per key; columns that cannot be recomputed are left out.

    Args:
        engine: has :data:`VIEWS`, and the table as ``gold_<name>``; for ``fraud_alerts`` also
            ``expected_alerts``, for histories what :func:`~batch_jobs.verify.history.tell` shows.
        name: the table.
    """
    contract = contracts.get(f"gold.{name}")
    (key,) = contract.key
    columns = [c.name for c in contract.columns if c.recomputed]
    typed = cast(contract, columns)
    both = f"""(SELECT {typed}, 1 AS side FROM ({KEYED[name]})
        UNION ALL SELECT {typed}, -1 FROM gold_{name})"""
    value = f"CAST(hash({', '.join(columns)}) AS HUGEINT)"
    buckets = engine.rows(
        f"""SELECT hash({key}) & 1023 AS bucket, count(*) FILTER (side > 0), sum(side) AS more,
            sum(side * {value}) AS rest FROM {both} GROUP BY bucket"""
    )
    recomputed = sum(rows for _, rows, _, _ in buckets)
    unequal = [str(bucket) for bucket, _, more, rest in buckets if more or rest]
    if not unequal:
        return GoldCheck(contract.full_name, recomputed, 0)
    grouped = f"""
    SELECT {key}, CAST(sum(side) AS INTEGER) AS more, count(*) FILTER (side < 0) AS stand
    FROM {both} WHERE hash({key}) & 1023 IN ({", ".join(unequal)})
    GROUP BY {key} HAVING sum(side) <> 0 OR sum(side * {value}) <> 0"""
    (different,) = engine.row(f"SELECT count(*) FROM ({grouped})")
    first = [
        Difference(found, _kind(more, stand) or _columns(engine, both, contract, columns, found))
        for found, more, stand in engine.rows(f"{grouped} ORDER BY {key} LIMIT {FIRST}")
    ]
    return GoldCheck(contract.full_name, recomputed, different, tuple(first))


def _kind(more: int, stand: int) -> str:
    if more > 0:
        return "is missing"
    if more < 0:
        return "should not be there" if stand == -more else f"is there {stand} times"
    return ""


def _columns(
    engine: Engine, both: str, contract: Contract, columns: list[str], key: str | int
) -> str:
    """Which columns of a row that is on both sides differ."""
    # A text is compared as the value of an expression, which the engine does not hand down to the
    # dataset: that one refuses some of its texts as of another type.
    name = contract.key[0]
    where = f"concat({name}) = '{key}'" if isinstance(key, str) else f"{name} = {key}"
    rows = engine.rows(f"SELECT {', '.join(columns)} FROM {both} WHERE {where} ORDER BY side")
    names = [name for name, *values in zip(columns, *rows, strict=True) if len(set(values)) > 1]
    return f"{', '.join(names)} differs"


def cast(contract: Contract, names: list[str] | tuple[str, ...]) -> str:
    """The columns in the contract's types, times as plain UTC, so that both sides are alike."""
    return ", ".join(f'CAST("{n}" AS {_sql_type(contract, n)}) AS {n}' for n in names)


def _sql_type(contract: Contract, name: str) -> str:
    kind = contract.column(name).type
    simple = {"int32": "INTEGER", "int64": "BIGINT", "string": "VARCHAR"}
    return simple.get(kind, kind.upper())
