"""``gold.model_versions``: which version is what, for those who cannot ask the registry."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from math import isinf
from typing import Any

from batch_jobs.ledger import note_changed
from finlake.errors import ComponentMissing, FinlakeError
from infra.lake.query import Query
from infra.settings import Settings
from models.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry, Version

__all__ = ["NOBODY", "note_roles"]

NOBODY = "none"
"""Role of a version that has no alias."""

_TABLE = "gold.model_versions"
_COMPARISON = "comparison.json"  # the served model is its first
_ROLES = (CHAMPION, CHALLENGER, PREVIOUS)


def note_roles(settings: Settings) -> int:
    """Note every version whose role is another than when it was last noted; returns how many.

    A version that never had a role is left out.

    Raises:
        ComponentMissing: when the registry or the lake is not there.
    """
    registry = Registry(settings)
    newest = f"SELECT * FROM {_TABLE} ORDER BY measured_at"
    known = {row["model_version"]: row for row in Query(settings).query(newest).to_pylist()}
    at = datetime.now(UTC)
    rows = []
    for version in registry.versions():
        role = next((role for role in _ROLES if role in version.aliases), NOBODY)
        if row := known.get(version.number):
            rows.append(row | {"role": role, "measured_at": at})
        elif role != NOBODY:
            rows.append(_row(registry, version) | {"role": role, "measured_at": at})
    return note_changed(settings, _TABLE, rows)


def _row(registry: Registry, version: Version) -> dict[str, Any]:
    """What the registry knows of a version; where it does not load, why."""
    given = {
        "model_version": version.number,
        "registered_at": version.made,
        "sha256": version.tags.get("sha256"),
    }
    try:
        model = registry.load(version.number)
    except ComponentMissing:
        raise
    except FinlakeError as error:
        return given | {"note": str(error)}
    facts = model.facts
    rows = registry.params(version.number).get("rows_trained", "")
    return given | {
        "kind": facts["kind"],
        "recipe": facts["recipe"],
        "features": len(model.features),
        **_days("trained", facts["trained"]),
        **_days("tested", facts["tested"]),
        "rows_trained": int(rows) if rows.isdigit() else None,
        "threshold": None if isinf(model.threshold) else model.threshold,
        "metrics": json.dumps(_metrics(registry, version.number, facts["metrics"])),
        "code_commit": facts["commit"],
    }


def _days(what: str, days: list[str]) -> dict[str, date]:
    first, last = (date.fromisoformat(day) for day in days)
    return {f"{what}_from": first, f"{what}_until": last}


def _metrics(
    registry: Registry, version: int, metrics: dict[str, float]
) -> dict[str, dict[str, float]]:
    """Each metric with its bounds, as far as the training has logged those."""
    found = {name: {"value": value} for name, value in metrics.items()}
    logged = registry.text(version, _COMPARISON)
    served = json.loads(logged)[0] if logged else {"low and high": {}}
    for name, (low, high) in served["low and high"].items():
        found.get(name, {}).update(low=low, high=high)
    return found
