"""Health: its score, its trend, and how others stand."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from api.schemas.base import Answer, Asked, Cents, Given, NotNegative, Said, Share
from api.schemas.money import AboutMoney
from models.finance.health import PartName

__all__ = ["AskHealth", "Benchmark", "Health", "Payment", "Trends"]


class AskGoal(Asked):
    """A goal under way."""

    saved: NotNegative
    expected: NotNegative = Field(description="What ought to be saved by now; above zero.")


class AskHealth(AboutMoney):
    """What a score is made from; a part whose figure is not given is left out."""

    liquid: Given | None = Field(None, description="What could be spent today.")
    debt_payment: NotNegative | None = Field(None, description="What debts cost a month.")
    goals: list[AskGoal] = Field(default_factory=list, max_length=50)


class Part(Said):
    """One part of the score; points are null while it is not known, and the reason says why."""

    name: PartName
    weight: Share
    points: Share | None
    value: Share | None = Field(description="The figure behind it: a ratio, or months.")
    reason: str


class Advice(Said):
    """What to do about a part, and how many points there are to gain."""

    part: PartName
    points: Share
    text: str


class Health(Answer):
    """The score, 0 to 100; null when no part is known."""

    score: Share | None
    parts: list[Part]
    advice: list[Advice]
    months: int = Field(description="Whole months that it is made from, six at most.")


class Period(Said):
    """The score after a month or quarter, and its change against the one before."""

    first: date
    score: Share
    change: Share | None


class Trends(Said):
    """Scores by month and by whole quarter, oldest first."""

    months: list[Period]
    quarters: list[Period]
    direction: Literal["up", "down", "steady"] | None


class Benchmark(Said):
    """Where a customer stands among people alike; null while no group has ten of them."""

    group: str
    people: int = Field(description="Size of the group, rounded down to fives.")
    percentile: int | None
    low: int | None
    median: int | None
    high: int | None


class Payment(Said):
    """A card transaction as gold has it."""

    transaction_id: int
    at: str = Field(description="When, UTC, ISO 8601.")
    amount: Cents
    mcc: int
    merchant_id: int
    city: str | None
    state: str | None
    channel: str
    declined: bool
