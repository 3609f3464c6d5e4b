"""The alerts that silver should have: every rule over every card's whole history."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pyarrow as pa

from batch_jobs.verify.engine import Engine
from lakehouse_schemas import contracts
from stream_jobs.transforms.places import is_abroad
from stream_jobs.transforms.rules import SEVERITY, Rules, evaluate
from stream_jobs.transforms.uses import Use, Uses, place_of

__all__ = ["expected_alerts"]

# Cents as whole numbers: the product of a decimal would go through its own precision.
_USES = """
SELECT card_id, epoch_us(ts) AS ts, id, CAST(amount * 100 AS BIGINT) AS cents, declined,
    NOT online AS physical, merchant_state AS state
FROM booked ORDER BY card_id, booked.ts, id"""

_ALERTS = """
SELECT f.transaction_id || ':' || f.rule AS alert_id, f.transaction_id, f.rule, f.severity,
    f.reason, b.ts AS transaction_ts, b.client_id AS user_id, b.card_id, b.merchant_id,
    b.merchant_city, b.merchant_state, b.mcc, b.amount
FROM found f JOIN booked b ON b.id = f.transaction_id"""


def expected_alerts(engine: Engine, rules: Rules) -> pa.Table:
    """Alerts of all live transactions, without the time at which each was raised.

    One card's uses are in memory at a time.
    """
    found: dict[tuple[int, str], str] = {}
    for uses in _cards(engine, rules):
        abroad = next((place_of(use) for use in uses if is_abroad(use.state)), None)
        found.update(evaluate(uses, range(len(uses)), rules, None, abroad))
    table = pa.table(
        {
            "transaction_id": pa.array([number for number, _ in found], pa.int64()),
            "rule": pa.array([rule for _, rule in found], pa.string()),
            "severity": pa.array([SEVERITY[rule] for _, rule in found], pa.string()),
            "reason": pa.array(list(found.values()), pa.string()),
        }
    )
    engine.show("found", table)
    names = [c.name for c in contracts.get("gold.fraud_alerts").columns if c.recomputed]
    return engine.table(_ALERTS).select(names)


def _cards(engine: Engine, rules: Rules) -> Iterator[Uses]:
    """The uses of one card after the other."""
    rows = (
        row
        for batch in engine.batches(_USES)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    for _, uses in groupby(rows, key=lambda row: row[0]):
        yield Uses(rules.testing_cents, (Use(*use) for _, *use in uses))
