"""Budgets: what to spend, whether it will hold, where money leaks, what could be cut."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Answer, Cents, NotNegative, Rate, Said, Share
from api.schemas.money import AboutMoney
from models.finance.spending import Kind

__all__ = ["Alerts", "AskAlerts", "AskBudget", "AskPlan", "Budget", "Leaks", "Outlook", "Plan"]

GroupName = Annotated[str, Field(min_length=1, max_length=60)]
_RATE = Field(Decimal("0.2"), ge=0, le=1, description="Share of income to save, 0 to 1.")


class AskBudget(AboutMoney):
    """Whose budget, and what goals need of it."""

    goals: NotNegative = Field(0, description="What all goals together need a month.")


class Line(Said):
    """What a group may cost a month, and what it usually does."""

    group: str
    kind: Kind
    budget: Cents
    usual: Cents


class Budget(Answer):
    """A month's budget: needs, wants and saving add up to the income to the cent."""

    income: Cents
    needs: Cents
    wants: Cents
    saving: Cents
    lines: list[Line]
    goal_gap: Cents
    needs_gap: Cents
    reasons: list[str]


class AskAlerts(AboutMoney):
    """Budgets by group; without any, those that are recommended."""

    budgets: dict[GroupName, NotNegative] = Field(default_factory=dict, max_length=100)


class Outlook(Said):
    """How a group's budget will end the month."""

    group: str
    budget: Cents
    spent: Cents
    expected: Cents
    low: Cents | None
    high: Cents | None
    probability: float | None = Field(description="That it ends above the budget.")
    level: Literal["fine", "watch", "likely", "over"]
    reason: str


class Alerts(Answer):
    """Budgets of this month, those that look worst first."""

    outlooks: list[Outlook]


class Leak(Said):
    """A group that differs much from month to month."""

    group: str
    kind: Kind
    mean: Cents
    usual: Cents
    leak: Cents
    cv: Share
    reason: str


class Leaks(Answer):
    """Where money leaks, the most first."""

    leaks: list[Leak]


class AskPlan(AboutMoney):
    """How much is to be saved, and by how much a group may be cut."""

    target: Rate = _RATE
    most: dict[GroupName, Rate] = Field(
        default_factory=dict, max_length=100, description="Share by which a group may be cut."
    )


class Cut(Said):
    """A group's month now and as planned."""

    group: str
    kind: Kind
    now: Cents
    planned: Cents
    cut: Cents


class Plan(Answer):
    """The least painful cuts; as far as they go when the target is out of reach."""

    feasible: bool
    needed: Cents
    cut: Cents
    saved: Cents
    rate: Share
    cuts: list[Cut]
    reason: str
