"""Forecasts of a customer's money, for posted rows or a customer in gold."""

from __future__ import annotations

from api.routes.given import ServicesOf, Who
from api.routes.keeping import kept
from api.schemas import forecasts as f

__all__ = ["cash_flow", "predict_expense", "predict_savings"]


@kept
def cash_flow(asked: f.AskCashFlow, who: Who, services: ServicesOf) -> f.CashFlow:
    """Forecast how an account stands on each of the next days. Needs 28 days."""
    return services.forecasts.cash_flow(who, asked)


@kept
def predict_savings(asked: f.AskMonths, who: Who, services: ServicesOf) -> f.Savings:
    """Forecast what the next months leave, from three months of history or more."""
    return services.forecasts.savings(who, asked)


@kept
def predict_expense(asked: f.AskMonths, who: Who, services: ServicesOf) -> f.Spending:
    """Forecast what the next months cost; the answer names the model chosen, and why."""
    return services.forecasts.spending(who, asked)
