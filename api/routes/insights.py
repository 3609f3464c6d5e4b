"""Insights into a customer's money. Each answers for posted rows, or for a customer in gold."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from api.routes.given import ServicesOf, Who
from api.routes.keeping import kept, slow
from api.schemas import budget as b
from api.schemas import goals as g
from api.schemas import insights as i
from api.schemas import recommendations as r
from api.schemas.base import Page
from api.schemas.money import AboutMoney, UserId

__all__ = [
    "alternatives",
    "benchmark",
    "budget_alerts",
    "budget_leaks",
    "feasibility",
    "habits",
    "health_score",
    "nudges",
    "opportunities",
    "optimize",
    "recommend_budget",
    "reverse_plan",
    "subscriptions",
    "timeline",
    "transactions",
    "trends",
    "trends_of",
]


@kept
def health_score(asked: i.AskHealth, who: Who, services: ServicesOf) -> i.Health:
    """Score financial health, 0 to 100, with its five parts and advice."""
    return services.insights.health(who, asked)


@kept
def trends(asked: i.AskHealth, who: Who, services: ServicesOf) -> i.Trends:
    """Show the score month over month and quarter over quarter."""
    return services.insights.trends(who, asked)


@kept
def trends_of(user_id: UserId, who: Who, services: ServicesOf) -> i.Trends:
    """Show a stored customer's score month over month and quarter over quarter."""
    return services.insights.trends(who, i.AskHealth(user_id=user_id))


@slow  # it hangs on everybody's money, so no customer's own state says whether it is new
def benchmark(user_id: UserId, who: Who, services: ServicesOf) -> i.Benchmark:
    """Compare with people of like age and income, ten or more, none of whom is shown."""
    return services.insights.benchmark(who, user_id)


@kept
def recommend_budget(asked: b.AskBudget, who: Who, services: ServicesOf) -> b.Budget:
    """Recommend a monthly budget: 50/30/20, moved by goals and needs, by group."""
    return services.insights.budget(who, asked)


@kept
def budget_alerts(asked: b.AskAlerts, who: Who, services: ServicesOf) -> b.Alerts:
    """Predict which of this month's budgets will not hold."""
    return services.insights.alerts(who, asked)


@kept
def budget_leaks(asked: AboutMoney, who: Who, services: ServicesOf) -> b.Leaks:
    """Find groups whose spending differs much from month to month."""
    return services.insights.leaks(who, asked)


@kept
def optimize(asked: b.AskPlan, who: Who, services: ServicesOf) -> b.Plan:
    """Find the least painful cuts that reach a savings rate."""
    return services.insights.plan(who, asked)


@kept
def habits(asked: AboutMoney, who: Who, services: ServicesOf) -> r.Habits:
    """Describe how somebody spends: weekdays, no-spend days, small amounts. Needs 28 days."""
    return services.insights.habits(who, asked)


@kept
def subscriptions(asked: r.AskSubscriptions, who: Who, services: ServicesOf) -> r.Subscriptions:
    """Find weekly to yearly subscriptions, their price changes and missed payments."""
    return services.insights.subscriptions(who, asked)


@kept
def opportunities(asked: AboutMoney, who: Who, services: ServicesOf) -> r.Opportunities:
    """Find fees, price rises, doubled subscriptions and purchases on impulse. Needs 28 days."""
    return services.insights.opportunities(who, asked)


@kept
def nudges(asked: r.AskNudges, who: Who, services: ServicesOf) -> r.Nudges:
    """Choose what to say today, and say why the rest is held back. Needs 28 days."""
    return services.insights.nudges(who, asked)


def timeline(asked: g.AskTimeline, services: ServicesOf) -> g.Timeline:
    """Say when a goal is reached with a monthly amount, and its milestones."""
    return services.insights.timeline(asked)


def reverse_plan(asked: g.AskReverse, services: ServicesOf) -> g.ReversePlan:
    """Find the least monthly amount that reaches a goal in time."""
    return services.insights.reverse_plan(asked)


def alternatives(asked: g.AskAlternatives, services: ServicesOf) -> g.Alternatives:
    """Show other ways to a goal that is out of reach; each changes one thing."""
    return services.insights.alternatives(asked)


@kept
def feasibility(asked: g.AskFeasibility, who: Who, services: ServicesOf) -> g.Feasibility:
    """Simulate how likely a goal is, from the customer's own months."""
    return services.insights.feasibility(who, asked)


def transactions(
    user_id: UserId,
    who: Who,
    services: ServicesOf,
    after: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Page[i.Payment]:
    """List a customer's transactions, newest first, page by page."""
    before = int(after) if after else 2**62
    rows = services.customers.page(who, user_id, before, limit + 1)
    items = [
        i.Payment(
            transaction_id=row["transaction_id"],
            at=row["transaction_ts"].isoformat(),
            amount=row["amount"],
            mcc=row["mcc"],
            merchant_id=row["merchant_id"],
            city=row["merchant_city"],
            state=row["merchant_state"],
            channel=row["channel"],
            declined=row["is_declined"],
        )
        for row in rows[:limit]
    ]
    following = str(items[-1].transaction_id) if len(rows) > limit else None
    return Page(items=items, next=following)
