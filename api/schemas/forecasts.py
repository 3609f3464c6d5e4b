"""What will be: cash flow by day, savings and spending by month."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from api.schemas.base import Answer, Cents, Given, Said
from api.schemas.money import AboutMoney
from models.forecasting.choice import Method

__all__ = ["AskCashFlow", "AskMonths", "CashFlow", "Savings", "Spending"]

_SEED = Field(0, ge=0, le=2**31 - 1, description="Of the simulation.")


class AskCashFlow(AboutMoney):
    """Whose account, how it stands, and how far to look."""

    balance: Given
    days: int = Field(30, ge=1, le=365)
    seed: int = _SEED


class CashDay(Said):
    """A day to come: what comes in, recurs, goes out otherwise, and the balance with its 90 %."""

    day: date
    income: Cents
    recurring: Cents
    other: Cents
    balance: Cents
    low: Cents
    high: Cents


class CashFlow(Answer):
    """The account's days to come."""

    days: list[CashDay]
    short: float = Field(description="Probability that it falls below zero on the way.")
    first_short: date | None
    reason: str


class AskMonths(AboutMoney):
    """Whose months, and how many to forecast."""

    months: int = Field(6, ge=1, le=24)
    method: Method = Field("auto", description="auto chooses by length and back-test.")
    seed: int = _SEED


class SavedMonth(Said):
    """What a month leaves, and its 95 % interval."""

    month: date
    saved: Cents
    low: Cents
    high: Cents


class Savings(Answer):
    """Months to come, and their sum with its 90 % interval."""

    months: list[SavedMonth]
    total: Cents
    total_low: Cents
    total_high: Cents
    method: str = Field(description="The model that was chosen.")
    reason: str = Field(description="Why that one.")
    mase: float | None = Field(description="Its error in back-tests; the seasonal naive's is 1.")


class SpentMonth(Said):
    """What a month costs, and its 95 % interval."""

    month: date
    spent: Cents
    low: Cents
    high: Cents


class Spending(Answer):
    """Months to come, and how they were forecast."""

    months: list[SpentMonth]
    method: str = Field(description="The model that was chosen.")
    reason: str = Field(description="Why that one.")
    mase: float | None = Field(description="Its error in back-tests; the seasonal naive's is 1.")
