"""``finlake freshness``: whether the lake's tables are as new as their contracts want.

What the stream writes is judged by the ages that it measured itself, and by its heartbeat, which
goes on without changes; what batch jobs make anew, by when that was. Tables that nobody has made
yet are not judged, and no more are those that grow by events of their own, such as decisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from infra.lake.query import Query
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = ["BEAT_S", "Age", "freshness"]

BEAT_S: Final = 15.0
"""The source beats once a second, and its newest beat in silver should be no older than this."""

_MEASURED: Final = timedelta(minutes=15)
_RENEWED: Final = "made_at"  # the column of tables that each run makes anew
_AGES = """
SELECT table_name AS name, sum(p95_ms * events) / sum(events) / 1000 AS age
FROM gold.pipeline_freshness
WHERE hop = 'silver' AND events > 0 AND measured_at >= ? AND table_name <> 'finlake_heartbeat'
GROUP BY ALL ORDER BY ALL
"""
_BEAT = """
SELECT max(epoch(measured_at) - max_ms / 1000) AS at
FROM gold.pipeline_freshness
WHERE hop = 'silver' AND events > 0 AND table_name = 'finlake_heartbeat'
"""


@dataclass(frozen=True)
class Age:
    """How old a table is, and how old it may be, seconds; ``what`` says what was measured."""

    table: str
    age: float
    wanted: float
    what: str

    @property
    def late(self) -> bool:
        """Whether it is older than it may be."""
        return self.age > self.wanted


def freshness(settings: Settings, factor: float, now: datetime) -> list[Age]:
    """The age of each table that can be judged.

    Args:
        settings: where the lake is.
        factor: of what is wanted of the stream: a machine that does much else at the moment is no
            reason to wake somebody.
        now: the time, with its zone.

    Raises:
        ComponentMissing: the lake cannot be read.
    """
    with closing(Query(settings)) as query:
        return [
            *_stream(query, factor, now),
            *_renewed(query, now),
        ]


def _stream(query: Query, factor: float, now: datetime) -> Iterator[Age]:
    """The heartbeat, and the p95 of the last minutes' changes, as they became visible in silver."""
    beat = _rows(query, _BEAT)[0]["at"]
    if beat is None:
        return
    age = max(0.0, now.timestamp() - beat)
    yield Age("silver", age, factor * BEAT_S, "since the newest heartbeat")
    for row in _rows(query, _AGES, now.astimezone(UTC) - _MEASURED):
        contract = contracts.get(f"silver.{row['name']}")
        wanted = factor * contract.freshness_s
        yield Age(contract.full_name, row["age"], wanted, "age of changes, p95")


def _renewed(query: Query, now: datetime) -> Iterator[Age]:
    for contract in contracts.layer("gold"):
        if contract.writer == "batch" and _RENEWED in contract.column_names:
            made = _rows(query, f"SELECT max({_RENEWED}) AS at FROM {contract.full_name}")[0]["at"]
            if made is not None:
                age = (now - made).total_seconds()
                yield Age(contract.full_name, age, contract.freshness_s, "since the last run")


def _rows(query: Query, sql: str, *params: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = query.query(sql, params).to_pylist()
    return found
