"""Goals: when, how much, how likely, and what else."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field

from api.schemas.base import Answer, Asked, Cents, Day, NotNegative, Rate, Said
from api.schemas.money import AboutMoney
from models.finance.goals import MOST_MONTHS

__all__ = [
    "Alternatives",
    "AskAlternatives",
    "AskFeasibility",
    "AskReverse",
    "AskTimeline",
    "Feasibility",
    "ReversePlan",
    "Timeline",
]

_MONTHS = Field(ge=1, le=MOST_MONTHS, description="Term, months.")


class AskGoal(Asked):
    """What is saved for."""

    target: NotNegative = Field(description="In money of the start; above zero.")
    saved: NotNegative = 0
    start: Day
    yearly_return: Rate = Field(Decimal(0), ge=Decimal("-0.5"), le=1)
    inflation: Rate = Field(Decimal(0), ge=Decimal("-0.5"), le=1)


class AskTimeline(AskGoal):
    """A goal, and what is saved for it a month."""

    monthly: NotNegative


class AskReverse(AskGoal):
    """A goal, and when it is to be reached."""

    months: int = _MONTHS


class AskAlternatives(AskReverse):
    """A goal, its term, and what is saved for it a month."""

    monthly: NotNegative


class AskFeasibility(AboutMoney):
    """A goal, its term, and whose savings it is made from."""

    goal: AskGoal
    months: int = _MONTHS
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the simulation.")


class Milestone(Said):
    """When a share of the target is there."""

    percent: int
    months: int
    day: date
    balance: Cents


class Timeline(Answer):
    """How a goal comes about; months and day are null when it does not within a century."""

    months: int | None
    day: date | None
    target: Cents
    balance: Cents
    paid_in: Cents
    earned: Cents
    milestones: list[Milestone]
    reason: str


class ReversePlan(Answer):
    """The least monthly amount that reaches the goal in time."""

    monthly: Cents
    months: int
    timeline: Timeline


class Alternative(Said):
    """Another way to the goal: exactly one thing is changed."""

    change: Literal["later", "more", "smaller", "deposit"]
    months: int
    monthly: Cents
    target: Cents
    deposit: Cents
    text: str


class Alternatives(Answer):
    """Ways out; none when the goal is reached as it is."""

    alternatives: list[Alternative]


class Feasibility(Answer):
    """How likely the goal is reached in time, by the customer's own months."""

    probability: float | None
    verdict: Literal["likely", "possible", "unlikely", "unknown"]
    usual: Cents
    low: Cents | None
    middle: Cents | None
    high: Cents | None
    alternatives: list[Alternative]
    reason: str
