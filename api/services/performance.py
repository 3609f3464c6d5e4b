"""How models did, from what came true: gold's scores against the labels that arrived since."""

from __future__ import annotations

from typing import Any, Final

from api.schemas import models as m
from api.schemas.predictions import ModelName
from api.services.customers import Lake
from models.serving import Served

__all__ = ["performance"]

_TIMEOUT_S: Final = 15.0
_MONTHS: Final = """
SELECT date_trunc('month', s.transaction_ts)::DATE AS month, s.model_version AS version,
       count(*) AS scored, count(*) FILTER (WHERE s.is_alert) AS alerts,
       count(f.is_fraud) AS labelled, count(*) FILTER (WHERE f.is_fraud) AS frauds,
       count(*) FILTER (WHERE f.is_fraud AND s.is_alert) AS caught,
       count(f.is_fraud) FILTER (WHERE s.is_alert) AS told
FROM gold.fraud_scores s
LEFT JOIN gold.fact_transactions f ON f.transaction_id = s.transaction_id
WHERE s.score IS NOT NULL AND s.model_version IS NOT NULL
GROUP BY ALL ORDER BY month DESC, version DESC LIMIT 60
"""
_WEEKS: Final = """
SELECT week_start AS week, model_version AS version, transactions, frauds, average_precision,
       average_precision_trained AS trained, level
FROM gold.model_decay
QUALIFY row_number() OVER (PARTITION BY model_version, week_start ORDER BY measured_at DESC) = 1
ORDER BY week DESC, version DESC LIMIT 60
"""
_COUNTED: Final = (
    "transactions", "labelled", "frauds", "champion_alerts", "challenger_alerts",
    "champion_caught", "challenger_caught",
)  # fmt: skip
_PAIRS: Final = f"""
SELECT champion_version AS champion, challenger_version AS challenger,
       {", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in _COUNTED)}
FROM gold.model_comparison GROUP BY ALL ORDER BY max(date) DESC LIMIT 20
"""


def performance(lake: Lake, served: Served) -> m.Performance:
    """Outcomes of scores, weeks of decay, champion against challenger, tests of the trainings.

    Raises:
        ComponentMissing: the lake cannot be reached.
    """

    def ask(sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = lake.query(sql, (), _TIMEOUT_S).to_pylist()
        return rows

    tests = [
        m.Tested(
            role=role,
            model=ModelName(name=model.name, version=model.version),
            tested=model.facts["tested"],
            metrics=model.facts["metrics"],
        )
        for role in served.loaded
        if (model := served.of(role)) is not None
    ]
    return m.Performance(
        outcomes=[_month(row) for row in ask(_MONTHS)],
        weeks=[m.Week(**row) for row in ask(_WEEKS)],
        compared=[m.Pair(**row) for row in ask(_PAIRS)],
        tests=tests,
    )


def _month(row: dict[str, Any]) -> m.Month:
    told = row.pop("told")
    return m.Month(
        **row,
        precision=row["caught"] / told if told else None,
        recall=row["caught"] / row["frauds"] if row["frauds"] else None,
    )
