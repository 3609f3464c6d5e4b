"""SQL statements of the reports' page (DuckDB dialect); see :mod:`dashboard.queries`."""

from __future__ import annotations

from datetime import date

from dashboard.queries import Sql

__all__ = ["days", "edition", "editions"]


def days() -> Sql:
    """First and last day with transactions; NULL without any."""
    return Sql("SELECT min(date) AS oldest, max(date) AS newest FROM gold.agg_category_day")


def editions(limit: int) -> Sql:
    """The newest editions of all reports, without their text."""
    return Sql(
        "SELECT report, report_date, edition, made_at, lines, transactions_version, sha256"
        " FROM gold.report_editions ORDER BY made_at DESC, report, report_date, edition LIMIT ?",
        (limit,),
    )


def edition(report: str, day: date) -> Sql:
    """The editions of one report of one day with their text, the newest first."""
    return Sql(
        "SELECT * FROM gold.report_editions WHERE report = ? AND report_date = ?"
        " ORDER BY edition DESC",
        (report, day),
    )
