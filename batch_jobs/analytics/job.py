"""Read what customers did once, and replace ``customer_analytics`` and ``customer_cohorts``."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from batch_jobs.replacing import everything, replace
from batch_jobs.transforms import risk, segments, value
from batch_jobs.verify.engine import open_engine, pinned
from finlake.errors import ComponentMissing, UsageProblem
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts
from stream_jobs.transforms.columns import decimals

__all__ = ["Summary", "make"]

_YEAR: Final = 365
_MONTH: Final = 30
_TABLES: Final = ("fact_transactions", "dim_user", "dim_card")

# Money is summed in cents, as whole numbers; `day` is the day of the transaction, UTC.
_FACTS = """CREATE TEMP VIEW facts AS
SELECT user_id, card_id, mcc, is_declined, CAST(amount * 100 AS BIGINT) AS cents,
    coalesce(contains(errors, 'Insufficient Balance'), false) AS short,
    CAST(transaction_ts AS DATE) AS day, amount > 0 AND NOT is_declined AS bought
FROM fact_transactions WHERE CAST(transaction_ts AS DATE) <= DATE '{until}'"""

_CUSTOMERS = """
SELECT u.user_id, u.credit_score, u.yearly_income, u.total_debt, f.* EXCLUDE (user_id), c.limits,
    CAST(s.cents AS DOUBLE) / 100 AS on_credit
FROM dim_user u
LEFT JOIN (
    SELECT user_id, min(day) FILTER (bought) AS first_use, max(day) FILTER (bought) AS last_use,
        count(*) FILTER (bought) AS purchases,
        coalesce(sum(cents) FILTER (NOT is_declined), 0) AS spent_total,
        count(*) FILTER (bought AND day > DATE '{year}') AS frequency,
        coalesce(sum(cents) FILTER (NOT is_declined AND day > DATE '{year}'), 0) AS monetary,
        coalesce(sum(cents) FILTER (bought AND day > DATE '{year}'), 0) AS bought,
        coalesce(sum(cents) FILTER (bought AND day > DATE '{year}' AND mcc IN ({cash})), 0) AS cash,
        count(*) FILTER (day > DATE '{year}') AS attempts,
        count(*) FILTER (short AND is_declined AND day > DATE '{year}') AS short,
        count(*) FILTER (bought AND day <= DATE '{year}' AND day > DATE '{before}') > 0 AS before
    FROM facts GROUP BY user_id) f USING (user_id)
LEFT JOIN (SELECT user_id, CAST(sum(credit_limit) AS DOUBLE) AS limits FROM dim_card
    WHERE card_type = 'Credit' GROUP BY user_id) c USING (user_id)
LEFT JOIN (SELECT facts.user_id, sum(cents) AS cents FROM facts
    JOIN dim_card USING (card_id) WHERE card_type = 'Credit' AND NOT is_declined
    AND day > DATE '{month}' GROUP BY facts.user_id) s USING (user_id)
ORDER BY u.user_id"""

_COHORTS = """
WITH months AS (
    SELECT user_id, CAST(date_trunc('month', day) AS DATE) AS active_month,
        bool_or(bought) AS bought, sum(cents) AS cents
    FROM facts WHERE NOT is_declined GROUP BY ALL),
began AS (SELECT user_id, min(active_month) AS cohort_month FROM months WHERE bought GROUP BY 1),
sizes AS (SELECT cohort_month, count(*) AS customers FROM began GROUP BY 1),
every AS (SELECT cohort_month, customers,
        CAST(unnest(generate_series(CAST(cohort_month AS TIMESTAMP), TIMESTAMP '{until}',
            INTERVAL 1 MONTH)) AS DATE) AS active_month FROM sizes),
done AS (SELECT cohort_month, active_month, count(*) FILTER (bought) AS active_customers,
        sum(cents) AS spent
    FROM months JOIN began USING (user_id) WHERE active_month >= cohort_month GROUP BY ALL)
SELECT cohort_month, date_diff('month', cohort_month, active_month) AS month_number, active_month,
    customers, coalesce(active_customers, 0) AS active_customers,
    coalesce(active_customers, 0) / customers AS retention, coalesce(spent, 0) AS spent
FROM every LEFT JOIN done USING (cohort_month, active_month)
ORDER BY cohort_month, month_number"""


@dataclass(frozen=True)
class Summary:
    """What a run made. ``retention`` is of a year; ``peak_mib`` the most memory held so far."""

    as_of: date
    customers: int
    transactions: int
    segments: dict[str, int]
    clusters: int
    cohorts: int
    retention: float
    bands: dict[str, int]
    transactions_version: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def make(settings: Settings, *, until: date | None = None, now: datetime | None = None) -> Summary:
    """Work out every live customer, and replace both tables, each in one commit.

    All is read at one Delta version of each table. Doing it again over the same data gives the same
    rows but for ``made_at``; a run that is cut short is made good by the next.

    Args:
        settings: the lake, margin and discount, and the home for what does not fit into memory.
        until: last day that counts; the newest whole day when not given.
        now: the time of the run.

    Raises:
        UsageProblem: ``until`` is not over yet.
        ComponentMissing: the lake or its facts are not there.
        FinlakeError: another run wrote at the same time.
    """
    clock, cpu = time.monotonic(), time.process_time()
    moment = now or datetime.now(UTC)
    yesterday = moment.date() - timedelta(days=1)
    if until and until > yesterday:
        raise UsageProblem(f"--day {until}: that day is not over; give {yesterday} or one before")
    lake = Lake(settings)
    opened = {name: lake.open(contracts.get(f"gold.{name}")) for name in _TABLES}
    if opened["fact_transactions"] is None:
        raise ComponentMissing(
            f"the lake {lake.spark_root} has no gold.fact_transactions yet; fill it with"
            " `finlake stream --once`"
        )
    shown = {
        name: pinned(table) if table else contracts.get(f"gold.{name}").lake_schema.empty_table()
        for name, table in opened.items()
    }
    with open_engine(settings.home, shown) as engine:
        if until is None:
            (newest,) = engine.row(
                "SELECT max(CAST(transaction_ts AS DATE)) FROM fact_transactions"
            )
            until = min(newest or yesterday, yesterday)
        engine.run(_FACTS.format(until=until))
        read = engine.table(_customers(until))
        cohorts = engine.table(_COHORTS.format(until=until))
        (transactions,) = engine.row("SELECT count(*) FROM facts")
    versions = {
        name: table.version() if table else -1
        for name, table in zip(("transactions", "users", "cards"), opened.values(), strict=True)
    }
    run = {"as_of": until, "made_at": moment} | {f"{n}_version": v for n, v in versions.items()}
    kept = _retention(read)
    customers = _customer_rows(read, settings, until, kept, run)
    cohort_rows = _rows(contracts.get("gold.customer_cohorts"), _cohorts(cohorts), run)
    for contract, rows in (
        (contracts.get("gold.customer_cohorts"), cohort_rows),
        (contracts.get("gold.customer_analytics"), customers),
    ):
        replace(lake, contract, rows, everything, "analytics")
    return Summary(
        as_of=until,
        customers=customers.num_rows,
        transactions=transactions,
        segments=_counts(customers["segment"]),
        clusters=len(set(customers["cluster"].drop_null().to_pylist())),
        cohorts=len(set(cohort_rows["cohort_month"].to_pylist())),
        retention=kept,
        bands=_counts(customers["risk_band"]),
        transactions_version=versions["transactions"],
        wall_s=time.monotonic() - clock,
        cpu_s=time.process_time() - cpu,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _customers(until: date) -> str:
    back = {"month": _MONTH, "year": _YEAR, "before": 2 * _YEAR}
    days = {name: until - timedelta(days=length) for name, length in back.items()}
    return _CUSTOMERS.format(cash=", ".join(map(str, risk.CASH_CATEGORIES)), **days)


def _retention(read: pa.Table) -> float:
    before = _numbers(read, "before") > 0
    stayed = before & (_numbers(read, "frequency") > 0)
    return value.retention(int(before.sum()), int(stayed.sum()))


def _customer_rows(
    read: pa.Table, settings: Settings, until: date, kept: float, run: Mapping[str, object]
) -> pa.Table:
    count = read.num_rows
    frequency, spent, year = (_numbers(read, n) for n in ("frequency", "spent_total", "monetary"))
    last, first = _days_back(read, "last_use", until), _days_back(read, "first_use", until)
    buys = ~np.isnan(last)
    measures = (last[buys].astype(np.int64), frequency[buys], year[buys])
    fifth = [segments.fifths(one) for one in (-measures[0], *measures[1:])]
    values = {
        "score": _numbers(read, "credit_score", np.nan),
        "debt": _over(_numbers(read, "total_debt"), _numbers(read, "yearly_income")),
        "income": _numbers(read, "yearly_income"),
        "utilisation": _over(np.maximum(_numbers(read, "on_credit"), 0), _numbers(read, "limits")),
        "cash": _over(_numbers(read, "cash"), _numbers(read, "bought")),
        "shortage": _over(_numbers(read, "short"), _numbers(read, "attempts")),
        "history": np.where(np.isnan(first), 0, first / (_YEAR / 12)),
    }
    found = risk.points(values)
    score = risk.scores(found)
    why = risk.reasons(values, found)
    past = spent * settings.value_margin
    future = value.future_value(year, settings.value_margin, kept, settings.value_discount)
    money = {
        "spent_total": spent,
        "monetary": year,
        "value_past": _whole(past),
        "value_future": _whole(future),
        "lifetime_value": _whole(past) + _whole(future),
    }
    names = np.full(count, "none", dtype=object)
    names[buys] = segments.segments(*fifth)
    columns: dict[str, Any] = {
        "user_id": read["user_id"],
        "cohort_month": _month(read["first_use"]),
        "first_use": read["first_use"],
        "last_use": read["last_use"],
        "purchases": _numbers(read, "purchases").astype(np.int64),
        "recency_days": pa.array(np.where(buys, last, 0).astype(np.int64), mask=~buys),
        "frequency": frequency.astype(np.int64),
        **{
            n: _among(buys, f)
            for n, f in zip(("r_score", "f_score", "m_score"), fifth, strict=True)
        },
        "segment": names.tolist(),
        "cluster": _among(buys, segments.clusters(*measures)),
        **{name: _money(cents, 18) for name, cents in money.items()},
        "risk_score": score,
        "risk_band": risk.bands(score),
        **{
            f"reason_{n + 1}": [one[n].code if len(one) > n else None for one in why]
            for n in range(4)
        },
        "risk_reasons": ["; ".join(f.reason for f in one) for one in why],
        "debt_to_income": _known(values["debt"]),
        "utilisation": _known(values["utilisation"]),
        "cash_share": _known(values["cash"]),
        "shortage_share": _known(values["shortage"]),
    }
    return _rows(contracts.get("gold.customer_analytics"), columns, run)


def _cohorts(read: pa.Table) -> dict[str, Any]:
    columns = {name: read[name] for name in read.column_names}
    return columns | {"spent": _money(_numbers(read, "spent"), 18)}


def _rows(contract: Contract, columns: Mapping[str, Any], run: Mapping[str, object]) -> pa.Table:
    """The columns in the contract's form; those of the run are the same in every row."""
    count = len(next(iter(columns.values())))
    made = []
    for field in contract.lake_schema:
        if field.name in columns:
            given = columns[field.name]
            plain = given if isinstance(given, pa.Array | pa.ChunkedArray) else pa.array(given)
            made.append(plain.cast(field.type))
        else:
            made.append(pa.repeat(pa.scalar(run[field.name], field.type), count))
    return pa.Table.from_arrays(made, schema=contract.lake_schema)


def _numbers(read: pa.Table, name: str, empty: float = 0.0) -> np.ndarray[Any, Any]:
    """A column as floating numbers (whole ones below 2**53 are exact), with a stand-in."""
    found: np.ndarray[Any, Any] = (
        read[name].cast(pa.float64()).fill_null(empty).to_numpy().astype(np.float64)
    )
    return found


def _days_back(read: pa.Table, name: str, until: date) -> np.ndarray[Any, Any]:
    """Days from a date to the last one that counts; NaN where there is none."""
    days = read[name].cast(pa.date32()).cast(pa.int32()).cast(pa.float64()).fill_null(np.nan)
    found: np.ndarray[Any, Any] = (until - date(1970, 1, 1)).days - days.to_numpy()
    return found


def _over(part: np.ndarray[Any, Any], whole: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One over the other; NaN where there is nothing to be a part of."""
    found: np.ndarray[Any, Any] = np.full(len(part), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def _known(values: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _among(which: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> pa.Array:
    """Values of some of the customers; the others have none."""
    every = np.zeros(len(which), dtype=np.int64)
    every[which] = values
    return pa.array(every, mask=~which)


def _whole(cents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    rounded: np.ndarray[Any, Any] = np.round(cents)
    return rounded


def _money(cents: np.ndarray[Any, Any], digits: int) -> pa.Array:
    return decimals(cents.astype(np.int64), pa.decimal128(digits, 2))


def _month(days: pa.ChunkedArray) -> pa.Array:
    found = days.cast(pa.date32()).combine_chunks()
    first = [None if one is None else one.replace(day=1) for one in found.to_pylist()]
    return pa.array(first, pa.date32())


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    pairs = column.value_counts().to_pylist()
    return {one["values"]: one["counts"] for one in sorted(pairs, key=lambda p: -p["counts"])}
