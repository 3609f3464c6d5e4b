"""What the pages show, read through the query interface and put into plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import pyarrow as pa

from dashboard import queries
from dashboard.period import Period
from dashboard.queries import Filters, Sql

__all__ = [
    "AlertFigures",
    "Figures",
    "Lake",
    "Measures",
    "Slice",
    "alert_figures",
    "extent",
    "rows",
    "slices",
    "transaction_figures",
]

Row = dict[str, Any]
_TIMEOUT_S = 20.0


class Lake(Protocol):
    """The query interface the dashboard reads gold through."""

    def query(
        self, sql: str, params: Sequence[object] = (), timeout_s: float | None = None
    ) -> pa.Table:
        """Answer one SELECT."""
        ...


def rows(lake: Lake, sql: Sql) -> list[Row]:
    """The statement's rows as dictionaries."""
    answer: list[Row] = lake.query(sql.text, sql.params, timeout_s=_TIMEOUT_S).to_pylist()
    return answer


def extent(lake: Lake) -> tuple[datetime, datetime] | None:
    """First and last minute with transactions; None on an empty lake."""
    (found,) = rows(lake, queries.extent())
    if found["oldest"] is None:
        return None
    return found["oldest"], found["newest"]


@dataclass(frozen=True)
class Measures:
    """Counts and sums that may be added up. ``amount`` is in US dollars, refunds taken off."""

    transactions: int = 0
    amount: Decimal = Decimal(0)
    declined: int = 0
    labelled: int = 0
    fraud: int = 0

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Measures:
        """From a row with the aggregates' column names."""
        return cls(
            int(row["transaction_count"]),
            Decimal(row["amount_sum"]),
            int(row["declined_count"]),
            int(row["labelled_count"]),
            int(row["fraud_count"]),
        )

    def __add__(self, other: Measures) -> Measures:
        return Measures(
            self.transactions + other.transactions,
            self.amount + other.amount,
            self.declined + other.declined,
            self.labelled + other.labelled,
            self.fraud + other.fraud,
        )


@dataclass(frozen=True)
class Figures:
    """The period's measures in all, per bucket (gaps filled with zeros), and of the one before."""

    total: Measures
    before: Measures
    points: list[tuple[datetime, Measures]] = field(default_factory=list)


def transaction_figures(lake: Lake, period: Period, filters: Filters) -> Figures:
    """Measures of the period and of the stretch before it."""
    found = {r["bucket"]: Measures.of(r) for r in rows(lake, queries.timeline(period, filters))}
    skipped = period.skipped
    points = [
        (period.bucket_start(bucket), found.get(bucket, Measures()))
        for bucket in range(skipped, skipped + period.steps)
    ]
    before = sum((m for bucket, m in found.items() if bucket < skipped), Measures())
    return Figures(sum((m for _, m in points), Measures()), before, points)


@dataclass(frozen=True)
class AlertFigures:
    """Alerts of the period, the high ones among them, per bucket, and of the stretch before."""

    total: int
    high: int
    before: int
    points: list[int]


def alert_figures(lake: Lake, period: Period, filters: Filters) -> AlertFigures:
    """Numbers of alerts of the period and of the stretch before it."""
    found = {r["bucket"]: r for r in rows(lake, queries.alert_timeline(period, filters))}
    skipped = period.skipped
    current = [r for bucket, r in found.items() if bucket >= skipped]
    return AlertFigures(
        total=sum(r["alerts"] for r in current),
        high=sum(r["high"] for r in current),
        before=sum(r["alerts"] for bucket, r in found.items() if bucket < skipped),
        points=[
            found[bucket]["alerts"] if bucket in found else 0
            for bucket in range(skipped, skipped + period.steps)
        ],
    )


@dataclass(frozen=True)
class Slice:
    """One part of a whole, for example a category."""

    name: str
    measures: Measures


def slices(found: Sequence[Row], name: str, most: int) -> list[Slice]:
    """The first ``most`` rows under the column ``name``; the others added up as ``Other``."""
    parts = [Slice(str(row[name]), Measures.of(row)) for row in found]
    if len(parts) <= most + 1:
        return parts
    rest = sum((part.measures for part in parts[most:]), Measures())
    return [*parts[:most], Slice(f"Other ({len(parts) - most})", rest)]
