"""What the insights say: gold or posted rows on one side, :mod:`models.finance` on the other."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from api.access import Principal
from api.problems import Problem
from api.schemas import budget as b
from api.schemas import goals as g
from api.schemas import insights as i
from api.schemas import recommendations as r
from api.schemas.money import AboutMoney
from api.services.customers import Customers, Ledger, Looked
from models.finance import goals as goals_of
from models.finance.budget import recommend_budget
from models.finance.feasibility import feasibility
from models.finance.habits import spending_habits
from models.finance.health import GoalState, HealthInput, health_score, health_trends
from models.finance.leakage import find_leaks
from models.finance.ledger import Transaction, add_months, month_of, monthly_flows, steady_income
from models.finance.nudges import Sent, choose, suggestions
from models.finance.opportunities import find_opportunities
from models.finance.overspend import Outlook, overspend_outlook
from models.finance.peers import Person, benchmark
from models.finance.saving_plan import optimise
from models.finance.spending import kind_of, kinds
from models.finance.subscriptions import find_subscriptions

__all__ = ["Insights"]

_SCORED: Final = 6  # months that a score is made from
_MANY: Final = 500  # customers, from which on all are read at once


@dataclass(frozen=True)
class _Peers:
    """Everybody's score up to a month's last day, by what was known at a time."""

    at: Looked
    last: date
    people: dict[int, Person]


class Insights:
    """Answers questions about money; every method says who asks."""

    def __init__(self, customers: Customers) -> None:
        self._customers = customers
        self._lock = threading.Lock()
        self._peers: _Peers | None = None

    # ── Health ───────────────────────────────────────────────────────────────────────────────

    def health(self, who: Principal, asked: i.AskHealth) -> i.Health:
        """The score of the last six whole months."""
        return i.Health.model_validate(health_score(self._health_input(who, asked)))

    def trends(self, who: Principal, asked: i.AskHealth) -> i.Trends:
        """The score after each month."""
        return i.Trends.model_validate(health_trends(self._health_input(who, asked)))

    def benchmark(self, who: Principal, user_id: int) -> i.Benchmark:
        """Where a customer stands among others by the score of the months alone."""
        self._customers.profile(who, user_id)
        people = self._everybody()
        own = people.get(user_id)
        if own is None:
            raise Problem(404, "not-found", "nothing is known of this customer's last months")
        others = [person for number, person in people.items() if number != user_id]
        return i.Benchmark.model_validate(benchmark(own, others))

    def _health_input(self, who: Principal, asked: i.AskHealth) -> HealthInput:
        ledger = self._customers.ledger(who, asked)
        goals = [GoalState(goal.saved, goal.expected) for goal in asked.goals]
        return HealthInput(ledger.months, asked.liquid, asked.debt_payment, goals)

    def _everybody(self) -> dict[int, Person]:
        """Everybody's score of the last six whole months; made anew for those with new data."""
        with self._lock:  # one at a time: it is the dearest of all questions
            before = self._peers
            now, changed = self._customers.news(before.at if before else None)
            today = self._customers.last_day()
            last = month_of(today + timedelta(days=1)) - timedelta(days=1)
            if before is None or before.last != last or changed is None or len(changed) > _MANY:
                self._peers = _Peers(now, last, self._scores(last))
            elif changed:
                people = {n: one for n, one in before.people.items() if n not in changed}
                self._peers = _Peers(now, last, people | self._scores(last, changed))
            else:
                self._peers = replace(before, at=now)
            return self._peers.people

    def _scores(self, last: date, only: Collection[int] | None = None) -> dict[int, Person]:
        first = add_months(month_of(last), 1 - _SCORED)
        found = {}
        for number, (profile, rows) in self._customers.of_all(first, last, only).items():
            receipts = steady_income(profile.yearly_income, first, last)
            score = health_score(HealthInput(monthly_flows(rows, receipts, first, last))).score
            if score is not None:
                found[number] = Person(profile.age, profile.yearly_income, score)
        return found

    # ── Budget ───────────────────────────────────────────────────────────────────────────────

    def budget(self, who: Principal, asked: b.AskBudget) -> b.Budget:
        """50/30/20, moved by goals and needs."""
        ledger = self._customers.ledger(who, asked)
        made = recommend_budget(ledger.monthly_income, ledger.groups, asked.goals)
        return b.Budget.model_validate(made)

    def alerts(self, who: Principal, asked: b.AskAlerts) -> b.Alerts:
        """Whether this month's budgets will hold."""
        found = _outlooks(self._customers.ledger(who, asked), asked.budgets)
        shown = [
            b.Outlook(group=group, **{name: getattr(one, name) for name in _OUTLOOK})
            for group, one in found
        ]
        return b.Alerts(outlooks=shown)

    def leaks(self, who: Principal, asked: AboutMoney) -> b.Leaks:
        """Groups that differ much from month to month."""
        found = find_leaks(self._customers.ledger(who, asked).groups)
        return b.Leaks(leaks=[b.Leak.model_validate(one) for one in found])

    def plan(self, who: Principal, asked: b.AskPlan) -> b.Plan:
        """The least painful cuts that reach a savings rate."""
        ledger = self._customers.ledger(who, asked)
        made = optimise(ledger.monthly_income, ledger.usual, asked.target, asked.most)
        return b.Plan.model_validate(made)

    # ── Recommendations ──────────────────────────────────────────────────────────────────────

    def habits(self, who: Principal, asked: AboutMoney) -> r.Habits:
        """How somebody spends."""
        ledger = self._customers.ledger(who, asked)
        found = spending_habits(ledger.rows, ledger.first, ledger.today)
        return r.Habits.model_validate(found)

    def subscriptions(self, who: Principal, asked: r.AskSubscriptions) -> r.Subscriptions:
        """What recurs."""
        ledger = self._customers.ledger(who, asked)
        found = find_subscriptions(ledger.rows, ledger.today, asked.aliases)
        yearly = sum(one.yearly_cents for one in found if one.status != "cancelled")
        shown = [r.Subscription.model_validate(one) for one in found]
        return r.Subscriptions(subscriptions=shown, yearly=yearly)

    def opportunities(self, who: Principal, asked: AboutMoney) -> r.Opportunities:
        """Where money could be saved."""
        ledger = self._customers.ledger(who, asked)
        recurring = find_subscriptions(ledger.rows, ledger.today)
        found = find_opportunities(ledger.rows, recurring, ledger.first, ledger.today)
        return r.Opportunities(opportunities=[r.Opportunity.model_validate(o) for o in found])

    def nudges(self, who: Principal, asked: r.AskNudges) -> r.Nudges:
        """What to say today."""
        ledger = self._customers.ledger(who, asked)
        recurring = find_subscriptions(ledger.rows, ledger.today)
        candidates = suggestions(
            ledger.today,
            _outlooks(ledger, asked.budgets),
            recurring,
            find_opportunities(ledger.rows, recurring, ledger.first, ledger.today),
            [(one.goal, one.percent) for one in asked.milestones],
        )
        sent = [Sent(one.kind, one.key, one.day, one.heeded) for one in asked.sent]
        return r.Nudges.model_validate(choose(candidates, sent, ledger.today, asked.most))

    # ── Goals ────────────────────────────────────────────────────────────────────────────────

    def timeline(self, asked: g.AskTimeline) -> g.Timeline:
        """When a goal is reached."""
        return g.Timeline.model_validate(goals_of.timeline(_goal(asked), asked.monthly))

    def reverse_plan(self, asked: g.AskReverse) -> g.ReversePlan:
        """What a goal takes a month."""
        return g.ReversePlan.model_validate(goals_of.reverse_plan(_goal(asked), asked.months))

    def alternatives(self, asked: g.AskAlternatives) -> g.Alternatives:
        """What else could be done."""
        found = goals_of.alternatives(_goal(asked), asked.monthly, asked.months)
        return g.Alternatives(alternatives=[g.Alternative.model_validate(one) for one in found])

    def feasibility(self, who: Principal, asked: g.AskFeasibility) -> g.Feasibility:
        """How likely a goal is."""
        ledger = self._customers.ledger(who, asked)
        found = feasibility(_goal(asked.goal), asked.months, ledger.months, asked.seed)
        return g.Feasibility.model_validate(found)


_OUTLOOK: Final = (
    "budget", "spent", "expected", "low", "high", "probability", "level", "reason",
)  # fmt: skip


def _goal(asked: g.AskGoal) -> goals_of.Goal:
    return goals_of.Goal(
        asked.target, asked.saved, asked.start, asked.yearly_return, asked.inflation
    )


def _outlooks(ledger: Ledger, budgets: dict[str, int]) -> list[tuple[str, Outlook]]:
    """Each budget's outlook, those that look worst first; recommended ones when none are given."""
    if not budgets:
        made = recommend_budget(ledger.monthly_income, ledger.groups)
        spent_on = {line.group: line.budget for line in made.lines}
        budgets = {group: cents for group, cents in spent_on.items() if group in ledger.groups}
    elif unknown := sorted(set(budgets) - set(kinds())):
        raise Problem(422, "unanswerable", f"there is no group {unknown[0][:60]!r}")
    rows: dict[str, list[Transaction]] = {group: [] for group in budgets}
    for row in ledger.rows:
        group = kind_of(row.mcc).group
        if group in rows:
            rows[group].append(row)
    found = [
        (group, overspend_outlook(rows[group], budgets[group], ledger.today, ledger.first))
        for group in sorted(budgets)
    ]
    return sorted(found, key=lambda one: (-(one[1].probability or 0), one[0]))
