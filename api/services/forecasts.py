"""Forecasts of a customer's money, by :mod:`models.finance.forecast`."""

from __future__ import annotations

from api.access import Principal
from api.schemas import forecasts as f
from api.services.customers import Customers
from api.services.fitting import Fitting
from models.finance.forecast import forecast_cash_flow, forecast_savings, forecast_spending
from models.forecasting.choice import Each

__all__ = ["Forecasts"]


class Forecasts:
    """Answers questions about days and months to come; every method says who asks."""

    def __init__(self, customers: Customers, fitting: Fitting) -> None:
        self._customers = customers
        self.each: Each = fitting.each
        """How models are fitted."""

    def cash_flow(self, who: Principal, asked: f.AskCashFlow) -> f.CashFlow:
        """How the account will stand on each of the next days."""
        ledger = self._customers.ledger(who, asked)
        made = forecast_cash_flow(
            asked.balance, ledger.rows, ledger.receipts, ledger.today, ledger.first, asked.days,
            asked.seed,
        )  # fmt: skip
        return f.CashFlow.model_validate(made)

    def savings(self, who: Principal, asked: f.AskMonths) -> f.Savings:
        """What the next months will leave."""
        ledger = self._customers.ledger(who, asked)
        made = forecast_savings(ledger.months, asked.months, asked.seed, asked.method, self.each)
        return f.Savings.model_validate(made)

    def spending(self, who: Principal, asked: f.AskMonths) -> f.Spending:
        """What the next months will cost."""
        ledger = self._customers.ledger(who, asked)
        made = forecast_spending(ledger.months, asked.months, asked.method, self.each)
        return f.Spending.model_validate(made)
