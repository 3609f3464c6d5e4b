"""What batch jobs make of gold: customers' figures, forecasts, reports.

So often that the tables are as fresh as their contracts want even when a run fails, and whenever a
backfill has brought a new history. The jobs do not wait for each other; each replaces what it made
before, so that a repeated run changes nothing.

`day` is the day that the reports are of; yesterday where it is empty.
"""

from datetime import timedelta

from airflow.sdk import AssetOrTimeSchedule, Param
from finlake_airflow import dag_of, job, within
from finlake_assets import ASSETS, FRESHNESS

CUSTOMERS = ("gold.customer_analytics", "gold.customer_cohorts")
REPORTS = {
    "daily-totals": "gold.report_daily_totals",
    "large-transactions": "gold.report_large_transactions",
    "suspicious-activity": "gold.report_suspicious_activity",
}
MADE = (*CUSTOMERS, "gold.forecasts", *REPORTS.values())
YESTERDAY = "(dag_run.run_after - macros.timedelta(days=1)).strftime('%Y-%m-%d')"

with dag_of(
    __file__,
    __doc__,
    owner="Analytics",
    schedule=AssetOrTimeSchedule(
        timetable=within(min(FRESHNESS[table] for table in MADE)),
        assets=[ASSETS["gold.fact_transactions"]],
    ),
    deadline=timedelta(hours=4),
    tags=["gold"],
    params={"day": Param("", type="string", description="Day of the reports, YYYY-MM-DD.")},
):
    job(
        "analytics",
        "analytics",
        timeout=timedelta(hours=1),
        outlets=[ASSETS[table] for table in CUSTOMERS],
        doc="Segments, cohorts, lifetime value, credit risk; docs/analytics.md.",
    )
    job(
        "forecast",
        "forecast",
        timeout=timedelta(hours=3),
        outlets=[ASSETS["gold.forecasts"]],
        doc="What customers will spend; docs/forecasting.md.",
    )
    for report, table in REPORTS.items():
        job(
            report.replace("-", "_"),
            *("report", report, "--day", f"{{{{ params.day or {YESTERDAY} }}}}"),
            owner="Compliance",
            outlets=[ASSETS[table], ASSETS["gold.report_editions"]],
            doc="A new edition only where the data has changed; docs/analytics.md.",
        )
