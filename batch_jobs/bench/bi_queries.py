"""Twenty questions that BI tools ask, in the SQL that DuckDB, Trino and Spark share.

They are the statements behind the usual charts: key figures, trends, rankings, shares and
drill-downs, over everything and over a stretch of time. Whole periods are asked of the aggregates,
single transactions of the fact table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

__all__ = ["BiQuery", "bi_queries"]


@dataclass(frozen=True)
class BiQuery:
    """A question, its statement and the values of the statement's ``?``."""

    name: str
    question: str
    sql: str
    params: tuple[object, ...] = ()


def bi_queries(newest: datetime) -> tuple[BiQuery, ...]:
    """The questions as somebody asks them when the last transaction is that old."""
    today = newest.date()
    year, quarter, month = (today - timedelta(days=days) for days in (365, 91, 30))
    this_year, last_year = date(today.year, 1, 1), date(today.year - 1, 1, 1)
    return (
        BiQuery(
            "key_figures",
            "Volume, number, declines and frauds of the last 30 days",
            "SELECT sum(transaction_count) AS transactions, sum(amount_sum) AS amount,"
            " sum(declined_count) AS declined, sum(fraud_count) AS frauds,"
            " sum(refund_sum) AS refunded FROM gold.agg_category_day WHERE date > ?",
            (month,),
        ),
        BiQuery(
            "volume_by_month",
            "Volume and number by month, over everything",
            "SELECT date_trunc('month', date) AS month, sum(amount_sum) AS amount,"
            " sum(transaction_count) AS transactions FROM gold.agg_category_day"
            " GROUP BY date_trunc('month', date) ORDER BY month",
        ),
        BiQuery(
            "volume_by_day",
            "Volume by day, last quarter",
            "SELECT date, sum(amount_sum) AS amount FROM gold.agg_category_day WHERE date > ?"
            " GROUP BY date ORDER BY date",
            (quarter,),
        ),
        BiQuery(
            "year_on_year",
            "This year against the last, by month",
            "SELECT month(date) AS month,"
            " sum(CASE WHEN date >= ? THEN amount_sum END) AS this_year,"
            " sum(CASE WHEN date < ? THEN amount_sum END) AS last_year"
            " FROM gold.agg_category_day WHERE date >= ? GROUP BY month(date) ORDER BY month",
            (this_year, this_year, last_year),
        ),
        BiQuery(
            "top_categories",
            "The ten categories with the most volume, last year",
            "SELECT m.description, sum(a.amount_sum) AS amount,"
            " sum(a.transaction_count) AS transactions FROM gold.agg_category_day a"
            " JOIN gold.dim_mcc m ON m.mcc = a.mcc WHERE a.date > ?"
            " GROUP BY m.description ORDER BY amount DESC LIMIT 10",
            (year,),
        ),
        BiQuery(
            "category_by_quarter",
            "Volume by quarter and category, over everything",
            "SELECT date_trunc('quarter', a.date) AS quarter, m.description,"
            " sum(a.amount_sum) AS amount FROM gold.agg_category_day a"
            " JOIN gold.dim_mcc m ON m.mcc = a.mcc"
            " GROUP BY date_trunc('quarter', a.date), m.description ORDER BY quarter, amount DESC",
        ),
        BiQuery(
            "map_of_states",
            "Volume and share of declines by state, last year",
            "SELECT state, sum(amount_sum) AS amount,"
            " CAST(sum(declined_count) AS DOUBLE) / sum(transaction_count) AS declined"
            " FROM gold.agg_state_day WHERE date > ? GROUP BY state ORDER BY amount DESC",
            (year,),
        ),
        BiQuery(
            "channels_by_month",
            "Number by channel and month, over everything",
            "SELECT date_trunc('month', date) AS month, channel,"
            " sum(transaction_count) AS transactions FROM gold.agg_state_day"
            " GROUP BY date_trunc('month', date), channel ORDER BY month, channel",
        ),
        BiQuery(
            "fraud_rate_by_category",
            "Frauds among what is labelled, by category, over everything",
            "SELECT m.description, sum(a.fraud_count) AS frauds,"
            " CAST(sum(a.fraud_count) AS DOUBLE) / nullif(sum(a.labelled_count), 0) AS rate"
            " FROM gold.agg_category_day a JOIN gold.dim_mcc m ON m.mcc = a.mcc"
            " GROUP BY m.description HAVING sum(a.labelled_count) > 100 ORDER BY rate DESC"
            " LIMIT 20",
        ),
        BiQuery(
            "alerts_by_rule",
            "Alerts by rule and week, last quarter",
            "SELECT date_trunc('week', transaction_ts) AS week, rule, severity, count(*) AS alerts"
            " FROM gold.fraud_alerts WHERE transaction_ts > ?"
            " GROUP BY date_trunc('week', transaction_ts), rule, severity ORDER BY week, rule",
            (newest - timedelta(days=91),),
        ),
        BiQuery(
            "top_customers",
            "The customers who spent most, last year",
            "SELECT a.user_id, sum(a.amount_sum) AS amount,"
            " sum(a.transaction_count) AS transactions, max(u.credit_score) AS credit_score"
            " FROM gold.agg_customer_day a JOIN gold.dim_user u ON u.user_id = a.user_id"
            " WHERE a.date > ? GROUP BY a.user_id ORDER BY amount DESC LIMIT 25",
            (year,),
        ),
        BiQuery(
            "active_customers",
            "Customers with a transaction, by month, last year",
            "SELECT date_trunc('month', date) AS month, count(DISTINCT user_id) AS customers"
            " FROM gold.agg_customer_day WHERE date > ?"
            " GROUP BY date_trunc('month', date) ORDER BY month",
            (year,),
        ),
        BiQuery(
            "ages_and_scores",
            "Spending by age group and credit score, last year",
            "SELECT u.current_age - u.current_age % 10 AS age,"
            " u.credit_score - u.credit_score % 50 AS score,"
            " count(DISTINCT a.user_id) AS customers, sum(a.amount_sum) AS amount"
            " FROM gold.agg_customer_day a JOIN gold.dim_user u ON u.user_id = a.user_id"
            " WHERE a.date > ? GROUP BY u.current_age - u.current_age % 10,"
            " u.credit_score - u.credit_score % 50"
            " ORDER BY age, score",
            (year,),
        ),
        BiQuery(
            "brands_and_types",
            "Volume by brand and kind of card, over everything",
            "SELECT c.card_brand, c.card_type, sum(a.amount_sum) AS amount,"
            " sum(a.fraud_count) AS frauds FROM gold.agg_card_month a"
            " JOIN gold.dim_card c ON c.card_id = a.card_id"
            " GROUP BY c.card_brand, c.card_type ORDER BY amount DESC",
        ),
        BiQuery(
            "top_merchants",
            "The merchants with the most volume, this year",
            "SELECT merchant_id, sum(amount_sum) AS amount, sum(transaction_count) AS transactions"
            " FROM gold.agg_merchant_month WHERE month_start >= ?"
            " GROUP BY merchant_id ORDER BY amount DESC LIMIT 25",
            (this_year,),
        ),
        BiQuery(
            "hours_of_the_week",
            "When people pay: hour by day of the week, last quarter",
            "SELECT d.day_of_week, hour(f.transaction_ts) AS hour, count(*) AS transactions"
            " FROM gold.fact_transactions f JOIN gold.dim_date d ON d.date_key = f.date_key"
            " WHERE f.transaction_ts > ?"
            " GROUP BY d.day_of_week, hour(f.transaction_ts) ORDER BY day_of_week, hour",
            (newest - timedelta(days=91),),
        ),
        BiQuery(
            "reasons_of_declines",
            "Why transactions were declined, by channel, last year",
            "SELECT errors, channel, count(*) AS transactions FROM gold.fact_transactions"
            " WHERE transaction_ts > ? AND is_declined GROUP BY errors, channel"
            " ORDER BY transactions DESC LIMIT 20",
            (newest - timedelta(days=365),),
        ),
        BiQuery(
            "cities_of_a_state",
            "Cities of California by volume, last year",
            "SELECT merchant_city, sum(amount) AS amount, count(*) AS transactions"
            " FROM gold.fact_transactions WHERE merchant_state = ? AND transaction_ts > ?"
            " GROUP BY merchant_city ORDER BY amount DESC LIMIT 20",
            ("CA", newest - timedelta(days=365)),
        ),
        BiQuery(
            "large_transactions",
            "The largest transactions of the last 30 days, with card and category",
            "SELECT f.transaction_id, f.transaction_ts, f.amount, c.card_brand, m.description"
            " FROM gold.fact_transactions f JOIN gold.dim_card c ON c.card_id = f.card_id"
            " JOIN gold.dim_mcc m ON m.mcc = f.mcc WHERE f.transaction_ts > ?"
            " ORDER BY f.amount DESC, f.transaction_id LIMIT 50",
            (newest - timedelta(days=30),),
        ),
        BiQuery(
            "one_customer",
            "The last transactions of one customer",
            "SELECT transaction_id, transaction_ts, amount, channel, merchant_city, errors"
            " FROM gold.fact_transactions WHERE user_id = ? AND transaction_ts > ?"
            " ORDER BY transaction_ts DESC, transaction_id DESC LIMIT 100",
            (17, newest - timedelta(days=365)),
        ),
    )
