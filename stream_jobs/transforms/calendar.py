"""The days of ``dim_date``."""

from __future__ import annotations

import pyarrow as pa

from lakehouse_schemas import contracts
from stream_jobs.transforms.sql import run

__all__ = ["days"]

_DAYS = """
SELECT CAST(strftime(day, '%Y%m%d') AS INTEGER) AS date_key, CAST(day AS DATE) AS date,
    year(day) AS year, quarter(day) AS quarter, month(day) AS month, monthname(day) AS month_name,
    day(day) AS day, isodow(day) AS day_of_week, dayname(day) AS day_name, week(day) AS week,
    isodow(day) > 5 AS is_weekend
FROM range(TIMESTAMP '{first}-01-01', TIMESTAMP '{after}-01-01', INTERVAL 1 DAY) AS r(day)"""


def days(first_year: int = 1990, last_year: int = 2049) -> pa.Table:
    """One row per day of the years, both included; weeks are ISO weeks."""
    statement = _DAYS.format(first=first_year, after=last_year + 1)
    return run(statement, {}, contracts.get("gold.dim_date").lake_schema)
