"""SQL statements of the categories' page (DuckDB dialect); see :mod:`dashboard.queries`."""

from __future__ import annotations

from datetime import date

from dashboard.queries import MEASURES, Sql

__all__ = ["ALL", "ahead", "months", "names", "ranked"]

ALL = "all"
"""Stands for every category."""

_HALVES = ("value - lo95", "hi95 - value")
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in MEASURES)


def names() -> Sql:
    """Every category with its number, by name."""
    return Sql("SELECT mcc, description FROM gold.dim_mcc ORDER BY description, mcc")


def months(mcc: int | None) -> Sql:
    """Measures per month of a category, or of all, in order."""
    where, params = ("", ()) if mcc is None else (" WHERE mcc = ?", (mcc,))
    return Sql(
        f"SELECT CAST(date_trunc('month', date) AS DATE) AS month, {_SUMS}"
        f" FROM gold.agg_category_day{where} GROUP BY 1"
        " HAVING sum(transaction_count) > 0 ORDER BY 1",
        params,
    )


def ahead(category: str) -> Sql:
    """What all customers together will spend on a category in the months ahead.

    The customers' errors are taken as independent, so that their half intervals add up by squares;
    where all spend more or less at once, the true interval is wider.
    """
    below, above = (f"sqrt(sum(power(CAST({half} AS DOUBLE), 2)))" for half in _HALVES)
    return Sql(
        "SELECT forecast_date AS month, sum(value) AS value,"
        f" CAST(sum(value) - {below} AS DECIMAL(18, 2)) AS lo95,"
        f" CAST(sum(value) + {above} AS DECIMAL(18, 2)) AS hi95,"
        " count(DISTINCT user_id) AS customers, max(history_until) AS history_until"
        " FROM gold.forecasts WHERE period = 'month' AND category = ? AND value IS NOT NULL"
        " GROUP BY 1 ORDER BY 1",
        (category,),
    )


def ranked(month: date, before: date, limit: int) -> Sql:
    """Categories by volume of a month, with that of the month before it."""
    return Sql(
        "SELECT t.mcc, coalesce(m.description, 'Category ' || t.mcc) AS category,"
        f" {', '.join(f't.{name}' for name in MEASURES)}, coalesce(b.amount_sum, 0) AS before_sum"
        f" FROM (SELECT mcc, {_SUMS} FROM gold.agg_category_day"
        " WHERE date >= ? AND date < ? + INTERVAL 1 MONTH GROUP BY mcc) t"
        " LEFT JOIN (SELECT mcc, sum(amount_sum) AS amount_sum FROM gold.agg_category_day"
        " WHERE date >= ? AND date < ? GROUP BY mcc) b ON b.mcc = t.mcc"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = t.mcc"
        " WHERE t.transaction_count > 0 ORDER BY t.amount_sum DESC, t.mcc LIMIT ?",
        (month, month, before, month, limit),
    )
