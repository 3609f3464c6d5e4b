"""HTML of the models' page: a card for each version that has a role, and what comparing says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from html import escape
from typing import Any

from dashboard.comparing import Verdict
from dashboard.wording import ago, chance, clock, count, masked, money

__all__ = ["METRICS", "ROLES", "alert_list", "cards", "verdict"]

ROLES = {
    "champion": "decides",
    "challenger": "scores in shadow",
}
_KINDS = {"lightgbm": "LightGBM", "xgboost": "XGBoost"}
METRICS = {
    "average precision": "How pure the list of transactions is when the likeliest frauds stand"
    " first, over all its lengths; 1 is perfect.",
    "card precision@100": "Of the 100 cards that rank highest on a day, the share that is really"
    " compromised, as a mean over days.",
    "recall at 90 % precision": "The share of all frauds that is found while nine of ten alarms are"
    " right.",
    "AUC": "How likely a fraud ranks above a genuine transaction; 0.5 is guessing.",
}
_SEVERITIES = {"critical": "high", "high": "medium"}


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def cards(versions: Sequence[Mapping[str, Any]], now: datetime, mlflow: str) -> str:
    """Champion and challenger side by side; ``mlflow`` is empty without pages."""
    found = [v for role in ROLES for v in versions if v["role"] == role]
    return f'<div class="fl-models">{"".join(_card(v, now, mlflow) for v in found)}</div>'


def _card(version: Mapping[str, Any], now: datetime, mlflow: str) -> str:
    role, number = version["role"], int(version["model_version"])
    since = version["measured_at"]
    facts = {"Since": f"{clock(since)}, {ago(since, now)}"}
    if version["note"]:
        body = f'<p class="fl-problem">Not known, as it does not load: {_text(version["note"])}</p>'
    else:
        facts |= _facts(version)
        body = _metrics(json.loads(version["metrics"]))
    listed = "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in facts.items())
    link = (
        f'<a href="{_text(mlflow)}/{number}" target="_blank" rel="noopener">Version {number} in'
        " MLflow</a>"
        if mlflow
        else ""
    )
    return (
        f'<article class="fl-model fl-{role}"><header><span class="fl-role">{role}</span>'
        f"<b>Version {number}</b><small>{ROLES[role]}</small></header>"
        f"<dl>{listed}</dl>{body}{link}</article>"
    )


def _facts(version: Mapping[str, Any]) -> dict[str, str]:
    learnt = _span(version["trained_from"], version["trained_until"])
    if version["rows_trained"] is not None:
        learnt += f", {count(version['rows_trained'])} transactions"
    kind, threshold = version["kind"], version["threshold"]
    return {
        "Model": f"{_KINDS.get(kind, kind)} over {version['features']} features",
        "Learnt from": learnt,
        "Tested on": _span(version["tested_from"], version["tested_until"]),
        "Alarms from": "never"
        if threshold is None
        else f"{chance(threshold)} probability of fraud",
        "Files": f"SHA-256 {version['sha256'][:12]}, commit {version['code_commit'] or 'unknown'}",
    }


def _span(first: date, last: date) -> str:
    return f"{first:%d %b %Y} to {last:%d %b %Y}"


def _metrics(metrics: Mapping[str, Mapping[str, float]]) -> str:
    lines = []
    order = [*METRICS, *(name for name in metrics if name not in METRICS)]
    for name in order:
        if name not in metrics:
            continue
        one = metrics[name]
        bounds = f"{one['low']:.3f} to {one['high']:.3f}" if "low" in one else ""
        lines.append(
            f'<li title="{_text(METRICS.get(name, ""))}"><span>{_text(name[0].upper() + name[1:])}'
            f"</span><b>{one['value']:.3f}</b><small>{bounds}</small></li>"
        )
    return f'<ul class="fl-metrics">{"".join(lines)}</ul>'


def verdict(found: Verdict) -> str:
    """The box that says who is better."""
    return (
        f'<section class="fl-state fl-verdict fl-{found.tone}" role="status">'
        f"<h3>{_text(found.title)}</h3><p>{_text(found.text)}</p></section>"
    )


def alert_list(alerts: Iterable[Mapping[str, Any]]) -> str:
    """The champion's alerts in the order given."""
    return f'<ol class="fl-alerts">{"".join(_alert(a) for a in alerts)}</ol>'


def _alert(alert: Mapping[str, Any]) -> str:
    band = alert["band"]
    reasons = (alert["reasons"] or "").replace("_", " ").replace(",", ", ")
    facts = [
        f'<span class="fl-card">{_text(masked(alert["card_last4"]))}</span>',
        f'<a href="customers?who={int(alert["user_id"])}" target="_self">'
        f"customer {int(alert['user_id'])}</a>",
        *([_text(alert["category"])] if alert["category"] else []),
        f"version {int(alert['model_version'])}",
    ]
    return (
        f'<li class="fl-{_SEVERITIES.get(band, "low")}"><div class="fl-top">'
        f'<span class="fl-severity">{_text(band)}</span>'
        f'<span class="fl-rule">{chance(alert["score"])} probability of fraud</span>'
        f'<time datetime="{alert["transaction_ts"].isoformat()}">{clock(alert["transaction_ts"])}'
        f'</time><span class="fl-amount">{money(alert["amount"])}</span></div>'
        f'<p class="fl-reason">{_text("Because of: " + reasons if reasons else "No reasons noted")}'
        f'</p><p class="fl-facts">{" · ".join(facts)}</p></li>'
    )
