"""Every route: its path, the function that answers, and who may call it.

The application is built from this table and nothing else, so that there is no route without a rule.
Paths stand below ``/api/v1`` and answer without that prefix as well; public ones stand at the root.
"""

from __future__ import annotations

from typing import Final

from api.access import ADMINS, ANYBODY, CUSTOMER_DATA, OPERATORS, STAFF, Route
from api.routes import alerts as a
from api.routes import forecasts as f
from api.routes import insights as i
from api.routes import models as m
from api.routes import operation as o
from api.routes import predictions as p
from api.routes import session as s

__all__ = ["PUBLIC", "ROUTES", "SOCKETS"]

PUBLIC: Final[tuple[Route, ...]] = (
    Route("GET", "/", o.index, None, None),
    Route("GET", "/health", o.health, None, None),
    Route("GET", "/health/live", o.live, None, None),
    Route("GET", "/health/ready", o.ready, None, None),
    Route("GET", "/metrics", o.metrics, None, None),
    Route("GET", "/live", a.page, None, None),
    Route("GET", "/live.js", a.script, None, None),
    Route("GET", "/live.css", a.style, None, None),
)
"""Open to everybody: nothing of any customer is in their answers."""

ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "/insights/health-score", i.health_score, ANYBODY, "insights"),
    Route("POST", "/insights/trends", i.trends, ANYBODY, "insights"),
    Route("GET", "/insights/trends/{user_id}", i.trends_of, CUSTOMER_DATA, "insights"),
    Route("GET", "/insights/benchmark/{user_id}", i.benchmark, CUSTOMER_DATA, "insights"),
    Route("GET", "/customers/{user_id}/transactions", i.transactions, CUSTOMER_DATA, "insights"),
    Route("POST", "/budget/recommend", i.recommend_budget, ANYBODY, "insights"),
    Route("POST", "/budget/alerts", i.budget_alerts, ANYBODY, "insights"),
    Route("POST", "/budget/leaks", i.budget_leaks, ANYBODY, "insights"),
    Route("POST", "/budget/optimize", i.optimize, ANYBODY, "insights"),
    Route("POST", "/recommendations/habits", i.habits, ANYBODY, "insights"),
    Route("POST", "/recommendations/subscriptions", i.subscriptions, ANYBODY, "insights"),
    Route("POST", "/recommendations/opportunities", i.opportunities, ANYBODY, "insights"),
    Route("POST", "/recommendations/nudges", i.nudges, ANYBODY, "insights"),
    Route("POST", "/goals/calculate-timeline", i.timeline, ANYBODY, "insights"),
    Route("POST", "/goals/reverse-plan", i.reverse_plan, ANYBODY, "insights"),
    Route("POST", "/goals/alternatives", i.alternatives, ANYBODY, "insights"),
    Route("POST", "/goals/feasibility", i.feasibility, ANYBODY, "insights"),
    Route("POST", "/forecast/cashflow", f.cash_flow, ANYBODY, "predictions"),
    Route("POST", "/predict/cashflow", f.cash_flow, ANYBODY, "predictions"),
    Route("POST", "/predictions/savings", f.predict_savings, ANYBODY, "predictions"),
    Route("POST", "/predictions/expense/advanced", f.predict_expense, ANYBODY, "predictions"),
    Route("POST", "/predict/anomaly", p.anomaly, ANYBODY, "predictions"),
    Route("POST", "/anomaly/detect", p.anomaly, ANYBODY, "predictions"),
    Route("POST", "/predict/category", p.category, ANYBODY, "predictions"),
    Route("POST", "/predict/amount", p.amount, ANYBODY, "predictions"),
    Route("POST", "/predict/batch", p.batch, ANYBODY, "predictions"),
    Route("POST", "/predict/validate", p.validate, ANYBODY, "predictions"),
    Route("GET", "/alerts/stream", a.stream, CUSTOMER_DATA, "alerts"),
    Route("GET", "/models/status", m.status, STAFF, "models"),
    Route("GET", "/models/health", m.health, STAFF, "models"),
    Route("GET", "/models/performance", m.performance, STAFF, "models"),
    Route("POST", "/models/reload-all", m.reload_all, OPERATORS, "models"),
    Route("POST", "/ml/predict", m.predict, STAFF, "models"),
    Route("POST", "/ml/train", m.train, OPERATORS, "models", 202),
    Route("GET", "/ml/train/{training_id}", m.training, OPERATORS, "models"),
    Route("GET", "/session", s.me, ANYBODY, None),
    Route("POST", "/session", s.open_session, ANYBODY, "session"),
    Route("POST", "/session/refresh", s.refresh_session, None, None),
    Route("DELETE", "/session", s.end_session, ANYBODY, None, 204),
    Route("GET", "/keys", s.keys, ADMINS, "keys"),
    Route("POST", "/keys", s.create_key, ADMINS, "keys", 201),
    Route("POST", "/keys/{key_id}/rotate", s.rotate_key, ADMINS, "keys"),
    Route("DELETE", "/keys/{key_id}", s.revoke_key, ADMINS, "keys"),
)

SOCKETS: Final[tuple[Route, ...]] = (a.SOCKET,)
"""WebSockets, below the prefix like the routes; each lets in by its own rule."""
