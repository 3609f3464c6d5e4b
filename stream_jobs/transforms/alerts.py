"""Rows of ``fraud_alerts`` from what the rules found."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import contracts
from stream_jobs.shapes import Patch
from stream_jobs.transforms.rules import SEVERITY

__all__ = ["alert_patch", "alert_rows"]

Found = Mapping[tuple[int, str], str]


def alert_rows(found: Found, wide: pa.Table, now_us: int) -> pa.Table:
    """Alerts with what an operator wants to know of the transaction, in order of its time.

    Args:
        found: (transaction, rule) to reason; a transaction that is not in ``wide`` is left out.
        wide: the transactions, see :func:`stream_jobs.transforms.gold.wide`.
        now_us: when they are raised, microseconds since 1970.
    """
    numbers = pa.array([number for number, _ in found], pa.int64())
    rules = [rule for _, rule in found]
    place = pc.index_in(numbers, value_set=wide.column("id").combine_chunks())
    about = wide.take(place)
    made = {
        "alert_id": pa.array([f"{number}:{rule}" for number, rule in found], pa.string()),
        "transaction_id": numbers,
        "rule": pa.array(rules, pa.string()),
        "severity": pa.array([SEVERITY[rule] for rule in rules], pa.string()),
        "reason": pa.array(list(found.values()), pa.string()),
        "transaction_ts": about.column("ts"),
        "user_id": about.column("client_id"),
        "raised_at": pa.repeat(pa.scalar(now_us, pa.timestamp("us")), len(numbers)),
    }
    schema = contracts.get("gold.fraud_alerts").lake_schema
    columns = [made[name] if name in made else about.column(name) for name in schema.names]
    rows = pa.Table.from_arrays(columns, names=schema.names).cast(schema)
    rows = rows.filter(pc.is_valid(place))
    order = ("transaction_ts", "transaction_id", "rule")
    return rows.sort_by([(name, "ascending") for name in order])


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
    there = set(wide.column("id").to_pylist()) if old else set()
    changed = {
        # A touched transaction's alert is written anew: its amount or place may be another.
        key: reason
        for key, reason in new.items()
        if old.get(key) != reason or (key in old and reason and key[0] in there)
    }
    numbers = pa.array(sorted({number for number, _ in changed}), pa.int64())
    met = pc.is_in(numbers, value_set=wide.column("id").combine_chunks())
    elsewhere = numbers.filter(pc.invert(met))
    if len(elsewhere):
        wide = pa.concat_tables([wide, look_up(elsewhere)])
    rows = alert_rows(changed, wide, now_us)
    known = pa.array([f"{number}:{rule}" for number, rule in old], pa.string())
    is_known = pc.is_in(rows.column("alert_id"), value_set=known)
    gone = [f"{number}:{rule}" for number, rule in old if (number, rule) not in new]
    deletes = pa.table({"alert_id": pa.array(gone, pa.string())})
    return Patch(rows.filter(pc.invert(is_known)), rows.filter(is_known), deletes)
