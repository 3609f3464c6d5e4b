"""What a year notes of models: two versions, compared and measured day by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from lakehouse_schemas import contracts
from models.features import NAMES
from models.lifecycle.drift import SCORE

__all__ = ["noted"]

_DAYS, _WEEKS = 365, 52
_METRICS = '{"average precision": {"value": 0.75, "low": 0.7, "high": 0.8}}'


def noted(newest: date) -> Iterator[tuple[str, pa.Table]]:
    """Names and rows of the tables up to that day: as many as there would be, made-up figures."""
    rows = {
        "model_versions": _versions(newest),
        "model_decisions": _decisions(newest),
        "model_comparison": [_comparison(newest - timedelta(n)) for n in range(_DAYS)],
        "model_drift": [_drift(newest - timedelta(n), f) for n in range(_DAYS) for f in _FEATURES],
        "model_decay": [_decay(newest - timedelta(7 * n)) for n in range(_WEEKS)],
    }
    for name, found in rows.items():
        schema = contracts.get(f"gold.{name}").lake_schema
        yield f"gold.{name}", pa.Table.from_pylist(found, schema=schema)


_FEATURES = (*NAMES, SCORE)


def _versions(newest: date) -> list[dict[str, Any]]:
    about = {
        "kind": "lightgbm", "recipe": "lightgbm", "features": len(NAMES), "metrics": _METRICS,
        "trained_from": newest - timedelta(400), "trained_until": newest - timedelta(100),
        "tested_from": newest - timedelta(90), "tested_until": newest - timedelta(60),
        "threshold": 0.4,
    }  # fmt: skip
    return [
        about | {"model_version": number, "role": role, "registered_at": at, "measured_at": at}
        for number, role in ((1, "champion"), (2, "challenger"))
        for at in [_midnight(newest - timedelta(50 // number))]
    ]


def _decisions(newest: date) -> list[dict[str, Any]]:
    same = {"action": "promote", "model_version": 1, "promoted": True, "reason": "", "checks": "[]"}
    return [same | {"decided_at": _midnight(newest - timedelta(n))} for n in range(_WEEKS)]


def _comparison(day: date) -> dict[str, Any]:
    counts = {
        "transactions": 3600, "labelled": 2400, "frauds": 4, "champion_alerts": 9,
        "challenger_alerts": 8, "champion_caught": 3, "challenger_caught": 3, "only_champion": 2,
        "only_challenger": 3, "p_value": 1.0,
    }  # fmt: skip
    return counts | {
        "comparison_id": f"{day}:1:2",
        "date": day,
        "champion_version": 1,
        "challenger_version": 2,
        "champion_precision": 0.7,
        "challenger_precision": 0.72,
        "compared_at": _midnight(day),
    }


def _drift(day: date, feature: str) -> dict[str, Any]:
    return {
        "model_version": 1, "feature": feature, "window_start": day - timedelta(28),
        "window_end": day, "reference_rows": 20_000, "window_rows": 20_000, "psi": 0.02, "ks": 0.01,
        "level": "ok", "measured_at": _midnight(day),
    }  # fmt: skip


def _decay(day: date) -> dict[str, Any]:
    return {
        "model_version": 1, "week_start": day, "transactions": 17_000, "frauds": 25,
        "foretold": 23.5, "average_precision": 0.7, "average_precision_low": 0.6,
        "average_precision_high": 0.8, "average_precision_trained": 0.75, "level": "ok",
        "measured_at": _midnight(day),
    }  # fmt: skip


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
