"""SQL statements of the alerts' page (DuckDB dialect), as :mod:`dashboard.queries` has the others.

A case is a transaction that a rule, the champion among the models, or both hold suspicious.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.queries import Sql

__all__ = ["BANDS", "MODEL", "SEVERITIES", "CaseFilters", "case", "case_alerts", "case_counts"]
__all__ += ["VERDICTS", "card_around", "cases", "newest_case"]

SEVERITIES = ("high", "medium", "low")
BANDS = ("critical", "high", "medium", "low")
MODEL = "model"
"""What stands for the champion where rules are named."""

VERDICTS = ("open", "fraud", "genuine")
"""What investigators said of a transaction: nothing yet, or the label."""

_BEFORE, _AFTER = timedelta(days=90), timedelta(days=7)


@dataclass(frozen=True)
class CaseFilters:
    """What the operator narrows down to; empty means no narrowing.

    ``rules`` may hold :data:`MODEL`. ``bands`` narrows to cases with a score of those bands, and
    ``least`` to those whose score (0 to 1) is no lower. ``verdicts`` are of :data:`VERDICTS`.
    ``among`` narrows to these transactions, and ``besides`` to others than these.
    """

    severities: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    least: float = 0.0
    verdicts: tuple[str, ...] = ()
    among: tuple[int, ...] | None = None
    besides: tuple[int, ...] = ()


def newest_case() -> Sql:
    """When the newest transaction with an alert happened; NULL without any."""
    return Sql(
        "SELECT max(newest) AS newest FROM ("
        "SELECT max(transaction_ts) AS newest FROM gold.fraud_alerts UNION ALL"
        " SELECT max(transaction_ts) FROM gold.fraud_scores WHERE is_alert)"
    )


def _raised(start: datetime, end: datetime, filters: CaseFilters) -> Sql:
    """One row for each case of ``[start, end)`` that passes the filters.

    The filters choose among alerts of one case: it passes when one of its alerts does.
    """
    ranked = "list_position(['high', 'medium', 'low'], severity)"
    having: list[str] = []
    params: list[object] = [start, end, start, end]
    for column, chosen in (("rule", filters.rules), ("severity", filters.severities)):
        if chosen:
            having.append(f"bool_or({column} IN ({_marks(chosen)}))")
            params += chosen
    where: list[str] = []
    values: list[object] = []  # of the conditions
    if filters.bands:
        where.append(f"s.band IN ({_marks(filters.bands)})")
        values += filters.bands
    if filters.least > 0:
        where.append("s.score >= ?")
        values.append(filters.least)
    if filters.among is not None:
        where.append(f"c.transaction_id IN ({_marks(filters.among)})" if filters.among else "false")
        values += filters.among
    if filters.besides:
        where.append(f"c.transaction_id NOT IN ({_marks(filters.besides)})")
        values += filters.besides
    labels = ""
    if filters.verdicts:
        labels = (
            " LEFT JOIN (SELECT transaction_id, is_fraud FROM gold.fact_transactions"
            " WHERE transaction_ts >= ? AND transaction_ts < ?) f"
            " ON f.transaction_id = c.transaction_id"
        )
        said = "CASE WHEN f.is_fraud IS NULL THEN 'open' WHEN f.is_fraud THEN 'fraud'"
        where.append(f"{said} ELSE 'genuine' END IN ({_marks(filters.verdicts)})")
        params += [start, end]
        values += filters.verdicts
    some = f" HAVING {' AND '.join(having)}" if having else ""
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    text = (
        "WITH scored AS (SELECT transaction_id, transaction_ts, user_id, card_id, mcc, amount,"
        " score, band, reasons, is_alert, scored_at"
        " FROM gold.fraud_scores WHERE transaction_ts >= ? AND transaction_ts < ?),"
        " raised AS (SELECT transaction_id, transaction_ts, user_id, card_id, mcc, amount, rule,"
        " severity, reason, raised_at FROM gold.fraud_alerts"
        " WHERE transaction_ts >= ? AND transaction_ts < ?"
        " UNION ALL SELECT transaction_id, transaction_ts, user_id, card_id, mcc, amount,"
        f" '{MODEL}', CASE band WHEN 'critical' THEN 'high' ELSE 'medium' END,"
        " coalesce(reasons, ''), scored_at FROM scored WHERE is_alert),"
        " of_one AS (SELECT transaction_id, any_value(transaction_ts) AS transaction_ts,"
        " any_value(user_id) AS user_id, any_value(card_id) AS card_id, any_value(mcc) AS mcc,"
        f" any_value(amount) AS amount, arg_min(severity, {ranked}) AS severity,"
        f" list(rule ORDER BY {ranked}, rule) AS rules,"
        f" arg_min(reason, ({ranked}, rule)) AS reason, max(raised_at) AS raised_at"
        f" FROM raised GROUP BY transaction_id{some})"
        " SELECT c.*, s.score, s.band FROM of_one c"
        f" LEFT JOIN scored s ON s.transaction_id = c.transaction_id{labels}{condition}"
    )
    return Sql(text, (*params, *values))


def _marks(values: tuple[object, ...]) -> str:
    return ", ".join("?" * len(values))


def cases(start: datetime, end: datetime, filters: CaseFilters, limit: int) -> Sql:
    """The newest cases of ``[start, end)``, with what an operator may see of card and category."""
    raised = _raised(start, end, filters)
    return Sql(
        "SELECT t.*, f.merchant_city, f.merchant_state, f.is_fraud, c.card_last4, c.card_brand,"
        " m.description AS category"
        f" FROM (SELECT * FROM ({raised.text})"
        " ORDER BY transaction_ts DESC, transaction_id DESC LIMIT ?) t"
        " LEFT JOIN gold.fact_transactions f ON f.transaction_id = t.transaction_id"
        " AND f.transaction_ts >= ? AND f.transaction_ts < ?"
        " LEFT JOIN gold.dim_card c ON c.card_id = t.card_id"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = t.mcc"
        " ORDER BY t.transaction_ts DESC, t.transaction_id DESC",
        (*raised.params, limit, start, end),
    )


def case_counts(start: datetime, end: datetime, filters: CaseFilters) -> Sql:
    """How many cases of ``[start, end)`` there are, how urgent they are, and how much money."""
    raised = _raised(start, end, filters)
    return Sql(
        "SELECT count(*) AS cases, count(*) FILTER (WHERE severity = 'high') AS high,"
        f" count(*) FILTER (WHERE list_contains(rules, '{MODEL}')) AS by_model,"
        f" count(*) FILTER (WHERE list_contains(rules, '{MODEL}') AND len(rules) > 1) AS by_both,"
        " count(DISTINCT card_id) AS cards, coalesce(sum(greatest(amount, 0)), 0) AS amount"
        f" FROM ({raised.text})",
        raised.params,
    )


def case(transaction: int) -> Sql:
    """One transaction with what the models said of it; no row when it is not there."""
    return Sql(
        "SELECT f.transaction_id, f.transaction_ts, f.user_id, f.card_id, f.merchant_id,"
        " f.merchant_city, f.merchant_state, f.mcc, f.amount, f.channel, f.errors, f.is_declined,"
        " f.is_fraud, s.score, s.band, s.is_alert, s.reasons, s.note, s.model_version,"
        " s.challenger_score, s.scored_at, c.card_last4, c.card_brand, c.card_type,"
        " m.description AS category"
        " FROM (SELECT * FROM gold.fact_transactions WHERE transaction_id = ?) f"
        " LEFT JOIN (SELECT * FROM gold.fraud_scores WHERE transaction_id = ?) s"
        " ON s.transaction_id = f.transaction_id"
        " LEFT JOIN gold.dim_card c ON c.card_id = f.card_id"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = f.mcc",
        (transaction, transaction),
    )


def case_alerts(transaction: int) -> Sql:
    """The rules that found the transaction suspicious, the most urgent first."""
    return Sql(
        "SELECT rule, severity, reason, raised_at FROM gold.fraud_alerts WHERE transaction_id = ?"
        " ORDER BY list_position(['high', 'medium', 'low'], severity), rule",
        (transaction,),
    )


def card_around(card: int, moment: datetime, before: int, after: int) -> Sql:
    """What the card did around a moment, newest first: so many transactions before and after.

    ``before`` counts the moment itself. Looked at are the 90 days before and the 7 days after.
    """

    def part(order: str) -> str:
        return (
            "(SELECT transaction_id, transaction_ts, amount, channel, merchant_city,"
            " merchant_state, mcc, errors, is_fraud FROM gold.fact_transactions"
            " WHERE card_id = ? AND transaction_ts {} ? AND transaction_ts {} ?"
            f" ORDER BY transaction_ts {order}, transaction_id {order} LIMIT ?)"
        )

    earlier = part("DESC").format("<=", ">=")
    later = part("ASC").format(">", "<=")
    return Sql(
        "SELECT f.*, s.score, s.band, s.is_alert, m.description AS category"
        f" FROM ({earlier} UNION ALL {later}) f"
        " LEFT JOIN (SELECT transaction_id, score, band, is_alert FROM gold.fraud_scores"
        " WHERE card_id = ? AND transaction_ts >= ? AND transaction_ts <= ?) s"
        " ON s.transaction_id = f.transaction_id"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = f.mcc"
        " ORDER BY f.transaction_ts DESC, f.transaction_id DESC",
        (
            *(card, moment, moment - _BEFORE, before),
            *(card, moment, moment + _AFTER, after),
            *(card, moment - _BEFORE, moment + _AFTER),
        ),
    )
