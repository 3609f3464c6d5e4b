"""The lake's silver tables as events, each read at one version that is noted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from finlake.errors import FinlakeError
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts
from models.features import Events
from models.features.batch import lookback
from models.features.encode import Attributes, events_of
from models.features.marks import MARK_WINDOW
from stream_jobs.transforms.gold import dim_rows, fact_rows, wide

__all__ = ["TABLES", "History", "midnight", "reach", "read"]

TABLES = (
    "silver.transactions",
    "silver.fraud_labels",
    "silver.cards",
    "silver.users",
    "silver.mcc_codes",
)


class History(NamedTuple):
    """Transactions with their labels in order of (time, number); the version of each table."""

    events: Events
    versions: Mapping[str, int]


def read(settings: Settings, since: date | None = None, until: date | None = None) -> History:
    """Live transactions, those that features of the days from ``since`` look at among them.

    Raises:
        FinlakeError: a table is not there, or there is no transaction.
        ComponentMissing: the lake cannot be reached.
    """
    lake = Lake(settings)
    versions = {}
    rows = {}
    for name in TABLES:
        contract = contracts.get(name)
        table = lake.open(contract)
        if table is None:
            raise FinlakeError(
                f"{name}: is not there yet, so there is nothing to learn from; load data with"
                " `finlake load` or `finlake generate` and run `finlake stream`"
            )
        versions[name] = int(table.version())
        wanted = _between(since, until) if name == "silver.transactions" else None
        found = table.to_pyarrow_dataset().to_table(contract.lake_schema.names, filter=wanted)
        rows[name] = found.cast(contract.lake_schema)
    if not rows["silver.transactions"].num_rows:
        raise FinlakeError(
            "silver.transactions: has no transaction of these days; load data with `finlake load`"
            " or `finlake generate`, or choose other days by --from and --until"
        )
    facts = fact_rows(wide(rows["silver.transactions"], rows["silver.fraud_labels"]))
    attributes = Attributes.of(
        dim_rows("dim_card", rows["silver.cards"]),
        dim_rows("dim_user", rows["silver.users"]),
        dim_rows("dim_mcc", rows["silver.mcc_codes"]),
    )
    return History(events_of(facts, attributes), versions)


def _between(since: date | None, until: date | None) -> pc.Expression | None:
    """Transactions of these days and those that their features look at, and their marks at."""
    found = None
    if since:
        found = pc.field("date") >= pa.scalar(midnight(since) - reach())
    if until:
        before = pc.field("date") < pa.scalar(midnight(until) + timedelta(days=1))
        found = before if found is None else found & before
    return found


def reach() -> timedelta:
    """How much older than a transaction those are that its features look at, with their marks."""
    return timedelta(microseconds=lookback() + MARK_WINDOW)


def midnight(day: date) -> datetime:
    """The moment at which a day begins, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
