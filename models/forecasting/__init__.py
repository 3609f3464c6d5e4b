"""Forecasts of what customers spend, by day and by month; pure functions of arrays."""

from models.forecasting.choice import METHODS, Forecasts, forecast
from models.forecasting.period import DAY, MONTH, PERIODS, Period
from models.forecasting.series import ALL, Panel, Spending, prepare

__all__ = [
    "ALL",
    "DAY",
    "METHODS",
    "MONTH",
    "PERIODS",
    "Forecasts",
    "Panel",
    "Period",
    "Spending",
    "forecast",
    "prepare",
]
