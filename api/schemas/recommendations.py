"""Habits, subscriptions, opportunities, and what to say of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Answer, Asked, Cents, Day, Said, Share
from api.schemas.budget import AskAlerts
from api.schemas.money import AboutMoney
from models.finance.nudges import NudgeKind
from models.finance.opportunities import OpportunityKind
from models.finance.subscriptions import Period

__all__ = [
    "AskNudges",
    "AskSubscriptions",
    "Habits",
    "Nudges",
    "Opportunities",
    "Subscriptions",
]

Name = Annotated[str, Field(min_length=1, max_length=120)]


class Place(Said):
    """A merchant that is gone to often."""

    merchant: str
    visits: int
    spent: Cents = Field(validation_alias="cents")


class Habits(Answer):
    """How somebody spends."""

    days: int
    by_weekday: list[Cents] = Field(description="Mean of each weekday, Monday first.")
    weekday: Cents
    weekend: Cents
    no_spend_days: int
    no_spend_run: int
    early_share: Share | None = Field(description="Share that falls on a month's first ten days.")
    small_count: int
    small_sum: Cents = Field(validation_alias="small_cents")
    places: list[Place]
    notable: list[str]


class AskSubscriptions(AboutMoney):
    """Whose subscriptions; ``aliases`` are names of merchants that mean another."""

    aliases: dict[Name, Name] = Field(default_factory=dict, max_length=500)


class PriceChange(Said):
    """From a day on it costs something else."""

    day: date
    before: Cents
    after: Cents


class Subscription(Said):
    """What recurs, with all its payments."""

    merchant: str
    names: list[str]
    mcc: int
    period: Period
    price: Cents = Field(validation_alias="cents")
    yearly: Cents = Field(validation_alias="yearly_cents")
    days: list[date]
    prices: list[Cents]
    changes: list[PriceChange]
    missed: int
    status: Literal["active", "missed", "cancelled"]
    next_due: date | None
    evidence: float = Field(description="Logarithm of how much likelier than chance.")


class Subscriptions(Answer):
    """What recurs, the dearest a year first."""

    subscriptions: list[Subscription]
    yearly: Cents = Field(description="What those cost a year that are not cancelled.")


class Opportunity(Said):
    """Something to save on."""

    kind: OpportunityKind
    key: str
    yearly: Cents
    rows: int
    reason: str


class Opportunities(Answer):
    """What could be saved a year, the most first; they may overlap."""

    opportunities: list[Opportunity]


class AskSent(Asked):
    """What was said before, and whether anything came of it."""

    kind: NudgeKind
    key: Annotated[str, Field(max_length=200)]
    day: Day
    heeded: bool = False


class AskMilestone(Asked):
    """A goal that has just passed a milestone."""

    goal: Name
    percent: Literal[25, 50, 75, 100]


class AskNudges(AskAlerts):
    """Whom to say something, and what was said before."""

    sent: list[AskSent] = Field(default_factory=list, max_length=500)
    milestones: list[AskMilestone] = Field(default_factory=list, max_length=50)
    most: int = Field(3, ge=0, le=20, description="How many a week.")


class Nudge(Said):
    """Something to say, and why."""

    kind: NudgeKind
    key: str
    worth: Cents
    text: str
    reason: str


class Held(Said):
    """What is not said today, from when on it may be, and why not."""

    nudge: Nudge
    until: date
    reason: str


class Nudges(Answer):
    """What to say today, in order, and what is held back."""

    say: list[Nudge]
    held: list[Held]
