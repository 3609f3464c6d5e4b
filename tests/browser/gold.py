"""A small gold layer of real Delta tables, made up from a seed, with the rows kept for counting."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import contracts

Row = dict[str, Any]

CATEGORIES = {
    5411: "Grocery Stores, Supermarkets",
    5812: "Eating Places and Restaurants",
    5541: "Service Stations",
    4829: "Money Transfer",
    5311: "Department Stores",
    5499: "Miscellaneous Food Stores",
    4784: "Tolls and Bridge Fees",
    7996: "Amusement Parks, Carnivals, Circuses",
    5942: "Book Stores",
    4900: "Utilities - Electric, Gas, Water, Sanitary",
    5732: "Electronics Stores",
    3780: "Computer Network Services",
}
PLACES = [
    ("Beulah", "ND", "58523"),
    ("Bettendorf", "IA", "52722"),
    ("Vista", "CA", "92084"),
    ("Crown Point", "IN", "46307"),
    ("Houston", "TX", "77001"),
    ("Brooklyn", "NY", "11210"),
    ("Rome", "Italy", None),
]
REASONS = {
    "amount_over": ("high", "amount of {amount:,.2f} US dollars is over 3,000"),
    "card_testing": ("medium", "5 amounts of at most 5 US dollars on one card in 10 minutes"),
    "impossible_travel": ("high", "Vista, CA to Brooklyn, NY: 3,914 km in 41 minutes"),
    "first_abroad": ("low", "first use of this card in Italy"),
    "declined_burst": ("medium", "3 declined transactions on one card in 15 minutes"),
}


@dataclass
class World:
    """What was written, row by row."""

    settings: Settings
    transactions: list[Row] = field(default_factory=list)
    alerts: list[Row] = field(default_factory=list)

    def add(self, transactions: list[Row], alerts: list[Row]) -> None:
        """Append transactions to the facts and to every aggregate, and alerts."""
        self.transactions += transactions
        self.alerts += alerts
        self.write("fact_transactions", transactions)
        self.write("fraud_alerts", alerts)
        half = len(transactions) // 2
        for part in (transactions[:half], transactions[half:]):  # several rows for a key
            for table, keys in _KEYS.items():
                self.write(table, _partials(part, keys))

    def write(self, table: str, rows: list[Row], *, replace: bool = False) -> None:
        """Write rows to a gold table, or to one named with its layer; missing columns are NULL."""
        contract = contracts.get(table if "." in table else f"gold.{table}")
        opened = Lake(self.settings).ensure(contract)
        data = pa.Table.from_pylist(rows, schema=contract.lake_schema)
        write_deltalake(opened, data, mode="overwrite" if replace else "append")

    def set_letters_aside(self, until: datetime) -> None:
        """Records that could not be read, of two tables and for several reasons."""
        row = {"id": 7, "client_id": 825, "amount": "12.30", "use_chip": 5, "mcc": 5411, "new": "x"}
        letters = [
            ("transactions", "bad_type", "use_chip: a number where text is due", {"after": row}),
            ("transactions", "bad_type", "amount: text that is no amount", {"after": row}),
            ("transactions", "not_json", "the value is no JSON", None),
            ("cards", "rule", "expires: breaks the rule pattern", {"before": row, "op": "u"}),
        ]
        self.write(
            "bronze.dead_letters",
            [
                {
                    "source_table": table,
                    "topic": f"cdc.finance.{table}",
                    "partition": 0,
                    "offset": 40 + place,
                    "kafka_ts": until - timedelta(minutes=place),
                    "reason": reason,
                    "detail": detail,
                    "value": json.dumps(value).encode() if value else b"{ \xff",
                    "batch_id": 3,
                }
                for place, (table, reason, detail, value) in enumerate(letters)
            ],
        )

    def within(self, start: datetime, end: datetime) -> list[Row]:
        """Transactions of ``[start, end)``."""
        return [t for t in self.transactions if start <= t["transaction_ts"] < end]

    def log_batches(self, until: datetime, minutes: int = 20, every_s: int = 5) -> None:
        """Freshness and outcome of batches that ended in the minutes before."""
        rng = Random(3)
        freshness: list[Row] = []
        batches: list[Row] = []
        number = minutes * 60 // every_s
        for batch in range(number):
            ended = until - timedelta(seconds=every_s * (number - 1 - batch))
            for table, events in (("transactions", rng.randint(40, 400)), ("cards", 2)):
                p50 = rng.uniform(12, 30)
                for hop, more in HOP_MS.items():
                    p50 += more * rng.uniform(0.8, 1.3)
                    freshness.append(
                        {
                            "measured_at": ended,
                            "batch_id": batch,
                            "table_name": table,
                            "hop": hop,
                            "events": events,
                            "p50_ms": p50,
                            "p95_ms": p50 * rng.uniform(1.3, 1.9),
                            "max_ms": p50 * rng.uniform(2.0, 2.6),
                        }
                    )
                superseded = events // 20
                quarantined = 1 if table == "transactions" and batch % 40 == 7 else 0
                batches.append(
                    {
                        "batch_id": batch,
                        "table_name": table,
                        "events": events,
                        "applied": events - superseded - quarantined,
                        "superseded": superseded,
                        "quarantined": quarantined,
                        "started_at": ended - timedelta(milliseconds=600),
                        "duration_ms": rng.uniform(450, 800),
                        "ends": "{}",
                    }
                )
        self.write("pipeline_freshness", freshness)
        self.write("pipeline_batches", batches)

    def set_status(self, stopped: dict[str, tuple[str, str]], since: datetime) -> None:
        """State of the five source tables; ``stopped`` gives reason and next step."""
        rows = []
        for table in ("transactions", "users", "cards", "mcc_codes", "fraud_labels"):
            reason, next_step = stopped.get(table, (None, None))
            state = "stopped" if table in stopped else "running"
            rows.append(
                {
                    "table_name": table,
                    "state": state,
                    "since": since,
                    "reason": reason,
                    "next_step": next_step,
                }
            )
        self.write("pipeline_status", rows, replace=True)


HOP_MS = {"kafka": 4, "bronze": 260, "silver": 190, "gold": 140, "alert": 20}

_KEYS = {
    "agg_minute": lambda t: {"minute": t["transaction_ts"].replace(second=0, microsecond=0)},
    "agg_category_day": lambda t: {"date": t["transaction_ts"].date(), "mcc": t["mcc"]},
    "agg_category_month": lambda t: {
        "month_start": t["transaction_ts"].date().replace(day=1),
        "mcc": t["mcc"],
        "state": t["merchant_state"] or "ONLINE",
        "channel": t["channel"],
    },
    "agg_customer_day": lambda t: {"date": t["transaction_ts"].date(), "user_id": t["user_id"]},
    "agg_card_month": lambda t: {
        "month_start": t["transaction_ts"].date().replace(day=1),
        "card_id": t["card_id"],
    },
    "agg_merchant_month": lambda t: {
        "month_start": t["transaction_ts"].date().replace(day=1),
        "merchant_id": t["merchant_id"],
    },
    "agg_state_day": lambda t: {
        "date": t["transaction_ts"].date(),
        "state": t["merchant_state"] or "ONLINE",
        "channel": t["channel"],
    },
}


def _partials(transactions: list[Row], keys: Any) -> list[Row]:
    grouped: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for transaction in transactions:
        grouped[tuple(keys(transaction).items())].append(transaction)
    return [dict(key) | _measures(rows) for key, rows in grouped.items()]


def _measures(rows: list[Row]) -> Row:
    refunds = [t["amount"] for t in rows if t["is_refund"]]
    return {
        "transaction_count": len(rows),
        "amount_sum": sum((t["amount"] for t in rows), Decimal(0)),
        "refund_count": len(refunds),
        "refund_sum": sum(refunds, Decimal(0)),
        "declined_count": sum(t["is_declined"] for t in rows),
        "online_count": sum(t["is_online"] for t in rows),
        "labelled_count": sum(t["is_fraud"] is not None for t in rows),
        "fraud_count": sum(t["is_fraud"] is True for t in rows),
    }


def transaction(number: int, moment: datetime, rng: Random, **given: Any) -> Row:
    """One row of the facts."""
    online = rng.random() < 0.15
    city, state, zip_code = ("ONLINE", None, None) if online else rng.choice(PLACES)
    user = rng.randrange(800, 840)
    amount = Decimal(round(rng.lognormvariate(3.2, 1.1) * 100)) / 100
    refund = rng.random() < 0.05
    declined = rng.random() < 0.03
    row = {
        "transaction_id": number,
        "transaction_ts": moment,
        "date_key": int(f"{moment:%Y%m%d}"),
        "user_id": user,
        "card_id": user * 10 + rng.randrange(3),
        "merchant_key": number % 90,
        "merchant_id": 50_000 + number % 90,
        "mcc": rng.choice([*CATEGORIES, 5411, 5411, 5812, 5541]),
        "amount": -amount if refund else amount,
        "channel": "Online" if online else rng.choice(["Swipe", "Chip", "Chip"]),
        "merchant_city": city,
        "merchant_state": state,
        "zip": zip_code,
        "is_online": online,
        "is_refund": refund,
        "is_declined": declined,
        "errors": "Insufficient Balance" if declined else None,
        "is_fraud": None if rng.random() < 0.33 else rng.random() < 0.02,
    }
    return row | given


_SHARED = (
    "transaction_id",
    "transaction_ts",
    "user_id",
    "card_id",
    "merchant_id",
    "merchant_city",
    "merchant_state",
    "mcc",
    "amount",
)


def alert(of: Row, rule: str) -> Row:
    """An alert about that transaction."""
    severity, reason = REASONS[rule]
    return {name: of[name] for name in _SHARED} | {
        "alert_id": f"{of['transaction_id']}:{rule}",
        "rule": rule,
        "severity": severity,
        "reason": reason.format(amount=of["amount"]),
        "raised_at": of["transaction_ts"] + timedelta(milliseconds=700),
    }


def build(folder: Path, until: datetime, *, number: int = 3_000, seed: int = 7) -> World:
    """A lake with transactions up to ``until``: dense in the last hours, thin before."""
    world = World(load_settings(home=folder, lake=f"file:{folder}/lake"))
    rng = Random(seed)
    reach = timedelta(days=20)
    moments = sorted(until - reach * rng.random() ** 4 for _ in range(number))
    rows, alerts = [], []
    for index, moment in enumerate(moments):
        rule = rng.choice([*REASONS]) if rng.random() < 0.03 else None
        given: Row = {}
        if rule == "amount_over":
            given = {"amount": Decimal(rng.randrange(300_001, 682_020)) / 100, "is_refund": False}
        row = transaction(10_000_000 + index, moment.astimezone(UTC), rng, **given)
        rows.append(row)
        if rule:
            alerts.append(alert(row, rule))
    world.add(rows, alerts)
    world.write("dim_mcc", [{"mcc": mcc, "description": text} for mcc, text in CATEGORIES.items()])
    world.write(
        "dim_card",
        [
            {
                "card_id": user * 10 + place,
                "user_id": user,
                "card_brand": ("Visa", "Mastercard", "Amex")[place],
                "card_type": "Debit",
                "card_token": f"{user * 10 + place:064x}",
                "card_token_key": "k1",
                "expires": "08/2029",
                "has_chip": "YES",
                "card_last4": f"{(user * 7919 + place) % 10_000:04d}",
            }
            for user in range(800, 840)
            for place in range(3)
        ],
    )
    places: dict[tuple[int, str], Row] = {}
    for row in rows:
        place = (row["merchant_id"], row["merchant_city"])
        wanted = ("merchant_key", "merchant_id", "merchant_city", "merchant_state", "zip", "mcc")
        places.setdefault(place, {name: row[name] for name in wanted})
    world.write("dim_merchant", list(places.values()))
    return world
