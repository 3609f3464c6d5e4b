"""What each report says: its title, its lines as SQL, and what it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["REPORTS", "Form"]


@dataclass(frozen=True)
class Form:
    """One report.

    ``sql`` gives the lines in their order, without date, edition and number, in the columns of
    ``gold.<table>``; it may name ``of_day`` (the day's transactions), ``alerts`` and ``threshold``.
    """

    title: str
    table: str
    sql: str
    alerts: bool = False
    threshold: bool = False


_TOTALS = """
SELECT CASE WHEN grouping(channel) = 1 THEN 'all' ELSE channel END AS channel,
    count(*) AS transactions, count(DISTINCT user_id) AS customers,
    count(*) FILTER (amount > 0 AND NOT is_declined) AS purchase_count,
    coalesce(sum(amount) FILTER (amount > 0 AND NOT is_declined), 0) AS purchase_sum,
    count(*) FILTER (amount < 0 AND NOT is_declined) AS money_back_count,
    coalesce(sum(amount) FILTER (amount < 0 AND NOT is_declined), 0) AS money_back_sum,
    count(*) FILTER (is_declined) AS declined_count,
    coalesce(sum(amount) FILTER (is_declined), 0) AS declined_sum,
    max(amount) FILTER (NOT is_declined) AS largest
FROM of_day GROUP BY GROUPING SETS ((channel), ())
ORDER BY grouping(channel), channel"""

# Several transactions of a person on one day count together, as 31 CFR 1010.313(b) has it for cash.
_LARGE = """
SELECT transaction_id, transaction_ts, user_id, card_id, merchant_id, mcc, amount, customer_day_sum,
    CASE WHEN amount >= {threshold} THEN 'alone' ELSE 'together' END AS why
FROM (SELECT *, sum(amount) OVER (PARTITION BY user_id) AS customer_day_sum
    FROM of_day WHERE amount > 0 AND NOT is_declined)
WHERE customer_day_sum >= {threshold}
ORDER BY user_id, transaction_ts, transaction_id"""

_SUSPICIOUS = """
SELECT alert_id, a.transaction_id, a.transaction_ts, a.user_id, a.card_id, a.merchant_id, a.mcc,
    a.amount, rule, severity, is_fraud, reason
FROM alerts a LEFT JOIN of_day USING (transaction_id)
WHERE a.transaction_ts >= {first} AND a.transaction_ts < {after}
ORDER BY CASE severity WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, a.transaction_ts,
    alert_id"""

REPORTS: Final = {
    "daily-totals": Form("Daily totals", "report_daily_totals", _TOTALS),
    "large-transactions": Form(
        "Large transactions", "report_large_transactions", _LARGE, threshold=True
    ),
    "suspicious-activity": Form(
        "Suspicious activity", "report_suspicious_activity", _SUSPICIOUS, alerts=True
    ),
}
