"""SQL statements of the models' page (DuckDB dialect), as :mod:`dashboard.queries` has the others.

Rows of ``model_versions``, ``model_drift`` and ``model_decay`` are never changed: the newest that
was noted of a thing is the valid one.
"""

from __future__ import annotations

from datetime import datetime

from dashboard.queries import Sql

__all__ = [
    "EDGES",
    "comparison_days",
    "comparison_pairs",
    "decay",
    "decisions",
    "drift",
    "drift_of_scores",
    "last_score",
    "model_alerts",
    "newest_scored",
    "newest_transaction",
    "roles",
    "scores",
]

EDGES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75)
"""Probabilities that part the bins of :func:`scores`: most transactions are near nought."""

_COUNTED = (
    "transactions",
    "labelled",
    "frauds",
    "champion_alerts",
    "challenger_alerts",
    "champion_caught",
    "challenger_caught",
    "only_champion",
    "only_challenger",
)
_SUMS = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in _COUNTED)


def roles() -> Sql:
    """The versions that have a role, as they were last noted, newest version first."""
    return Sql(
        "SELECT * FROM (SELECT * FROM gold.model_versions QUALIFY"
        " row_number() OVER (PARTITION BY model_version ORDER BY measured_at DESC) = 1)"
        " WHERE role <> 'none' ORDER BY model_version DESC"
    )


def decisions(limit: int) -> Sql:
    """The newest decisions about who serves."""
    return Sql(
        "SELECT decided_at, action, model_version, champion_version, promoted, reason, checks"
        " FROM gold.model_decisions ORDER BY decided_at DESC LIMIT ?",
        (limit,),
    )


def last_score() -> Sql:
    """The score that was made last; no row before the first."""
    return Sql(
        "SELECT scored_at, model_version, challenger_version, note FROM gold.fraud_scores"
        " ORDER BY scored_at DESC LIMIT 1"
    )


def newest_scored() -> Sql:
    """When the newest transaction with a score happened."""
    return Sql("SELECT transaction_ts FROM gold.fraud_scores ORDER BY transaction_ts DESC LIMIT 1")


def newest_transaction() -> Sql:
    """When the newest transaction happened."""
    return Sql(
        "SELECT transaction_ts FROM gold.fact_transactions ORDER BY transaction_ts DESC LIMIT 1"
    )


def scores(start: datetime, end: datetime) -> Sql:
    """Scored transactions of ``[start, end)`` by what both models said of them.

    ``bin`` and ``challenger_bin`` count the ``EDGES`` up to the probability; NULL without a score.
    """
    return Sql(
        f"SELECT band, {_bin('score')} AS bin, {_bin('challenger_score')} AS challenger_bin,"
        " challenger_alert, count(*) AS transactions FROM gold.fraud_scores"
        " WHERE transaction_ts >= ? AND transaction_ts < ? GROUP BY ALL ORDER BY ALL",
        (start, end),
    )


def _bin(score: str) -> str:
    """Comparisons, one for each edge; their sum is NULL where the score is."""
    return " + ".join(f"CAST({score} >= {edge} AS INTEGER)" for edge in EDGES)


def model_alerts(start: datetime, end: datetime, limit: int) -> Sql:
    """The newest of the champion's alerts in ``[start, end)``."""
    return Sql(
        "SELECT s.transaction_id, s.transaction_ts, s.user_id, s.card_last4, s.amount, s.score,"
        " s.band, s.reasons, s.model_version, m.description AS category"
        " FROM (SELECT * FROM gold.fraud_scores"
        " WHERE is_alert AND transaction_ts >= ? AND transaction_ts < ?"
        " ORDER BY transaction_ts DESC, transaction_id DESC LIMIT ?) s"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = s.mcc"
        " ORDER BY s.transaction_ts DESC, s.transaction_id DESC",
        (start, end, limit),
    )


def comparison_pairs() -> Sql:
    """Sums over all days of each champion and challenger that scored together, newest first."""
    return Sql(
        f"SELECT champion_version, challenger_version, {_SUMS},"
        " min(date) AS first, max(date) AS last, max(compared_at) AS compared_at"
        " FROM gold.model_comparison GROUP BY champion_version, challenger_version"
        " ORDER BY last DESC, compared_at DESC"
    )


def comparison_days(champion: int, challenger: int) -> Sql:
    """What champion and challenger did, day by day."""
    return Sql(
        f"SELECT date, {', '.join(_COUNTED)}, champion_precision, challenger_precision"
        " FROM gold.model_comparison WHERE champion_version = ? AND challenger_version = ?"
        " ORDER BY date",
        (champion, challenger),
    )


def drift(version: int) -> Sql:
    """Drift of each feature and of the score in the newest window, the worst first."""
    return Sql(
        "SELECT feature, psi, ks, level, window_start, window_end, reference_rows, window_rows,"
        " measured_at FROM gold.model_drift WHERE model_version = ? AND window_end ="
        " (SELECT max(window_end) FROM gold.model_drift WHERE model_version = ?)"
        " QUALIFY row_number() OVER (PARTITION BY feature ORDER BY measured_at DESC) = 1"
        " ORDER BY list_position(['alarm', 'warn', 'ok'], level), psi DESC, feature",
        (version, version),
    )


def drift_of_scores(version: int) -> Sql:
    """Drift of the score, and how many features were in alarm, window by window."""
    return Sql(
        "SELECT window_end, max(psi) FILTER (WHERE feature = 'score') AS psi,"
        " count(*) FILTER (WHERE level = 'alarm' AND feature <> 'score') AS alarms"
        " FROM (SELECT * FROM gold.model_drift WHERE model_version = ? QUALIFY row_number()"
        " OVER (PARTITION BY feature, window_end ORDER BY measured_at DESC) = 1)"
        " GROUP BY window_end ORDER BY window_end",
        (version,),
    )


def decay(version: int) -> Sql:
    """The weeks of a model whose labels have arrived, oldest first."""
    return Sql(
        "SELECT week_start, transactions, frauds, foretold, average_precision,"
        " average_precision_low, average_precision_high, average_precision_trained, level,"
        " measured_at FROM gold.model_decay WHERE model_version = ?"
        " QUALIFY row_number() OVER (PARTITION BY week_start ORDER BY measured_at DESC) = 1"
        " ORDER BY week_start",
        (version,),
    )
