"""Rows of ``fraud_alerts`` from what the rules found."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import contracts
from stream_jobs.shapes import Patch
from stream_jobs.transforms.rules import SEVERITY
from stream_jobs.transforms.sql import run

__all__ = ["alert_patch", "alert_rows"]

Found = Mapping[tuple[int, str], str]

_ROWS = """
SELECT concat(f.transaction_id, ':', f.rule) AS alert_id, f.transaction_id, f.rule, f.severity,
    f.reason, w.ts AS transaction_ts, w.client_id AS user_id, w.card_id, w.merchant_id,
    w.merchant_city, w.merchant_state, w.mcc, w.amount, make_timestamp({now}) AS raised_at
FROM found f JOIN wide w ON w.id = f.transaction_id
ORDER BY w.ts, f.transaction_id, f.rule"""


def alert_rows(found: Found, wide: pa.Table, now_us: int) -> pa.Table:
    """Alerts with what an operator wants to know of the transaction.

    Args:
        found: (transaction, rule) to reason.
        wide: the transactions, see :func:`stream_jobs.transforms.gold.wide`.
        now_us: when they are raised, microseconds since 1970.
    """
    table = pa.table(
        {
            "transaction_id": pa.array([number for number, _ in found], pa.int64()),
            "rule": pa.array([rule for _, rule in found], pa.string()),
            "severity": pa.array([SEVERITY[rule] for _, rule in found], pa.string()),
            "reason": pa.array(list(found.values()), pa.string()),
        }
    )
    schema = contracts.get("gold.fraud_alerts").arrow_schema()
    times = {"transaction_ts", "raised_at"}
    plain = pa.schema([f.with_type(pa.timestamp("us")) if f.name in times else f for f in schema])
    plain = pa.schema([f.with_nullable(True) for f in plain])
    rows = run(_ROWS.format(now=now_us), {"found": table, "wide": wide}, plain)
    return rows.cast(pa.schema([f.with_nullable(True) for f in schema]))


def alert_patch(
    old: Found, new: Found, wide: pa.Table, look_up: Callable[[pa.Array], pa.Table], now_us: int
) -> Patch:
    """What a change of the rules' findings changes in ``fraud_alerts``.

    Args:
        old: findings before, of all transactions that the batch can have touched.
        new: findings after.
        wide: transactions of the batch as they are now.
        look_up: gives the transactions of numbers that are not in ``wide``: an alert may change
            because an earlier use of the same card did.
        now_us: time of the alerts, microseconds since 1970.
    """
    there = set(wide.column("id").to_pylist())
    changed = {
        # A touched transaction's alert is written anew: its amount or place may be another.
        key: reason
        for key, reason in new.items()
        if old.get(key) != reason or (key in old and reason and key[0] in there)
    }
    elsewhere = sorted({number for number, _ in changed} - there)
    if elsewhere:
        wide = pa.concat_tables([wide, look_up(pa.array(elsewhere, pa.int64()))])
    rows = alert_rows(changed, wide, now_us)
    known = pa.array([f"{number}:{rule}" for number, rule in old], pa.string())
    is_known = pc.is_in(rows.column("alert_id"), value_set=known)
    gone = [f"{number}:{rule}" for number, rule in old if (number, rule) not in new]
    deletes = pa.table({"alert_id": pa.array(gone, pa.string())})
    return Patch(rows.filter(pc.invert(is_known)), rows.filter(is_known), deletes)
