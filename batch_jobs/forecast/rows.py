"""Forecasts as rows of ``gold.forecasts``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import contracts
from models.forecasting import ALL, Forecasts
from models.forecasting.series import Array
from stream_jobs.transforms.columns import decimals

__all__ = ["Run", "to_table"]


@dataclass(frozen=True)
class Run:
    """When a run was made, the last day that it may look at, and the Delta versions it read."""

    made_at: datetime
    until: date
    transactions_version: int
    users_version: int


def to_table(found: Forecasts, run: Run) -> pa.Table:
    """Rows in the order of customer, category and date; a series has one for each step.

    Money is rounded to the cent, bounds outwards.
    """
    contract = contracts.get("gold.forecasts")
    panel, (count, horizon) = found.panel, found.value.shape
    order = np.lexsort((panel.category, panel.customer))
    series = np.repeat(order, horizon)
    days = [panel.period.first_day(panel.last + 1 + step) for step in range(horizon)]
    names = ["all" if code == ALL else f"{code:04d}" for code in panel.category[order].tolist()]
    until = panel.period.first_day(panel.last + 1) - timedelta(days=1)
    each = np.repeat(np.arange(count), horizon)

    def of_series(values: Array) -> pa.Array:
        return pa.array(values[order].tolist()).dictionary_encode().take(pa.array(each))

    same = {
        "period": panel.period.name,
        "history_until": until,
        "made_at": run.made_at,
        "transactions_version": run.transactions_version,
        "users_version": run.users_version,
    }
    columns = {
        "user_id": pa.array(panel.customer[series]),
        "category": pa.array(names, pa.string()).take(pa.array(each)),
        "forecast_date": pa.array(days * count, pa.date32()),
        "value": _money(found.value[order], np.round),
        "lo95": _money(found.low[order], np.floor),
        "hi95": _money(found.high[order], np.ceil),
        "method": of_series(found.method),
        "reason": of_series(found.reason),
        "backtest_mase": pa.array(found.mase[series], from_pandas=True),
        "backtest_coverage": pa.array(found.coverage[series], from_pandas=True),
    }
    schema = contract.lake_schema
    made = [
        columns[f.name].cast(f.type)
        if f.name in columns
        else pa.repeat(pa.scalar(same[f.name], f.type), count * horizon)
        for f in schema
    ]
    return pa.Table.from_arrays(made, schema=schema)


def _money(dollars: Array, rounded: Callable[[Array], Array]) -> pa.Array:
    flat = dollars.ravel()
    empty = np.isnan(flat)
    # Ten thousandths of a cent are an accident of the arithmetic, and no reason to round up.
    cents = rounded(np.round(np.where(empty, 0.0, flat) * 100, 4)).astype(np.int64)
    found = decimals(cents, contracts.get("gold.forecasts").column("value").arrow_type)
    return pc.if_else(pa.array(empty), pa.scalar(None, found.type), found)
