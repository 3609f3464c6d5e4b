"""My money: what the API says of one customer's score, budget, subscriptions, goals and future."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TypeVar

import streamlit as st

from api.client import Client, Refused
from api.schemas import budget as b
from api.schemas import forecasts as f
from api.schemas import goals as g
from api.schemas import insights as i
from api.schemas import recommendations as r
from dashboard import markup, money_charts, service
from dashboard.frame import accent, heading, now
from dashboard.wording import chance, money
from finlake.errors import FinlakeError
from models.finance.ledger import add_months
from models.finance.spending import kind_of

__all__ = ["show"]

T = TypeVar("T")
_LEVELS = {"fine": "ok", "watch": "warn", "likely": "warn", "over": "alarm"}
_WORDS = {"fine": "will hold", "watch": "watch it", "likely": "likely not", "over": "is over"}
_MOST_DOLLARS = 10_000_000
_MONTHS_AHEAD = 6
_DAYS_AHEAD = 60


def show() -> None:
    """Draw the page."""
    heading("My money")
    with st.container(horizontal=True, vertical_alignment="center", key="controls"):
        entered = st.text_input(
            "Customer number",
            key="who",
            bind="query-params",
            placeholder="Customer number",
            icon=":material/search:",
            label_visibility="collapsed",
            width=220,
        )
    number = (entered or "").strip()
    if not number:
        st.html(
            markup.empty_state(
                "Whose money?",
                "Enter the number of a customer: their score, budget, subscriptions, goals and"
                " what is to come.",
            )
        )
    elif number.isdigit() and len(number) < 10:
        try:
            _of(int(number))
        except Refused as error:
            _refused(error, int(number))
        except FinlakeError as error:
            st.html(markup.warning("The API cannot be asked", str(error)))
    else:
        st.html(markup.empty_state("No such customer", "A customer number has digits alone."))


def _refused(error: Refused, user: int) -> None:
    if error.problem.status == 404:
        said = "Nobody has this number."
        st.html(markup.empty_state(f"No customer {user}", said))
    else:
        st.html(markup.warning("The API says no", str(error)))


def _ask(question: Callable[[Client], T]) -> T:
    return service.ask("analyst", question)


def _of(user: int) -> None:
    asked = i.AskHealth(user_id=user)
    health, trends, budget = _ask(
        lambda api: (
            api.health_score(asked),
            api.trends(asked),
            _or_reason(lambda: api.budget(b.AskBudget(user_id=user))),
        )
    )
    _figures(health, trends, budget)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        _score(health, trends)
    with right:
        _ahead(user)
    _budget(user, budget)
    _subscriptions(user)
    last = trends.months[-1].first if trends.months else now().date().replace(day=1)
    _goal(user, add_months(last, 1))
    _account(user)


def _or_reason(question: Callable[[], T]) -> T | str:
    """The answer, or why there is none: too little history is no reason to show nothing else."""
    try:
        return question()
    except Refused as error:
        if error.problem.status != 422:
            raise
        return error.problem.detail


def _section(title: str, question: Callable[[Client], T]) -> T | None:
    """The answer under its heading; None when there is none, and the page has said why."""
    if title:
        st.subheader(title, anchor=False)
    found = _ask(lambda api: _or_reason(lambda: question(api)))
    if isinstance(found, str):
        st.html(markup.empty_state("Not enough is known", found))
        return None
    return found


def _usd(cents: int, *, whole: bool = True) -> str:
    return money(Decimal(cents) / 100, cents=not whole)


def _figures(health: i.Health, trends: i.Trends, budget: b.Budget | str) -> None:
    grid = st.grid(4, min_column_width=150, gap="xsmall", key="kpis")
    last = trends.months[-1] if trends.months else None
    change = f"{last.change:+.1f} in a month" if last is not None and last.change else None
    score = "–" if health.score is None else f"{health.score:.0f} of 100"
    grid.metric("Health score", score, change, border=True)
    if isinstance(budget, str):
        return
    usual = sum(line.usual for line in budget.lines)
    grid.metric("Income a month", _usd(budget.income), border=True)
    grid.metric("Usually spent", _usd(usual), border=True)
    grid.metric("To save, by the budget", _usd(budget.saving), border=True)


def _score(health: i.Health, trends: i.Trends) -> None:
    st.subheader("Health score", anchor=False)
    st.html(
        markup.cells(
            [("Part", False), ("Points", True), ("Why", False)],
            [
                (
                    part.name.replace("_", " ").capitalize(),
                    "–" if part.points is None else f"{part.points:.1f} of {part.weight:.1f}",
                    part.reason,
                )
                for part in health.parts
            ],
            caption=f"Made from {health.months} whole months; 100 is the most",
        )
    )
    for one in health.advice:
        st.caption(f"**+{one.points:.1f}** {one.text}")
    points = [(one.first, one.score) for one in trends.months]
    if len(points) > 1:
        st.altair_chart(
            money_charts.score_line(points, accent()), alt="Health score after each month"
        )


def _ahead(user: int) -> None:
    found = _section(
        "Savings ahead", lambda api: api.savings(f.AskMonths(user_id=user, months=_MONTHS_AHEAD))
    )
    if found is None:
        return
    span = f"{_usd(found.total_low)} to {_usd(found.total_high)}"
    st.caption(
        f"**{_usd(found.total)}** expected to be left in {len(found.months)} months, in 9 of 10"
        f" cases {span}"
    )
    points = [(one.month, *_decimals(one.saved, one.low, one.high)) for one in found.months]
    st.altair_chart(
        money_charts.months_saved(points),
        alt="What each month is expected to leave in US dollars, with a 95 % interval",
    )
    st.caption(f"How: {found.reason}")


def _decimals(value: int, low: int, high: int) -> tuple[Decimal, Decimal, Decimal]:
    return Decimal(value) / 100, Decimal(low) / 100, Decimal(high) / 100


def _budget(user: int, budget: b.Budget | str) -> None:
    st.subheader("Budget of a month", anchor=False)
    if isinstance(budget, str):
        st.html(markup.empty_state("Not enough is known", budget))
        return
    found = _ask(lambda api: _or_reason(lambda: api.budget_alerts(b.AskAlerts(user_id=user))))
    outlooks = {} if isinstance(found, str) else {one.group: one for one in found.outlooks}
    st.caption(
        f"Needs **{_usd(budget.needs)}**, wants **{_usd(budget.wants)}**, saving"
        f" **{_usd(budget.saving)}** of {_usd(budget.income)}"
    )
    lines = sorted(budget.lines, key=lambda line: (line.kind, -line.budget))
    st.html(
        markup.cells(
            [
                ("What for", False),
                ("Kind", False),
                ("Budget", True),
                ("Usual", True),
                ("This month so far", True),
                ("Expected", True),
                ("Will it hold?", False),
            ],
            [
                (
                    line.group.capitalize(),
                    line.kind,
                    _usd(line.budget),
                    _usd(line.usual),
                    *_outlook(outlooks.get(line.group)),
                )
                for line in lines
            ],
            caption="By group of merchant categories",
            levels=[
                _LEVELS[one.level] if (one := outlooks.get(line.group)) else "ok" for line in lines
            ],
        )
    )
    for reason in budget.reasons:
        st.caption(reason)


def _outlook(found: b.Outlook | None) -> tuple[str, str, str]:
    if found is None:
        return "–", "–", "–"
    odds = "" if found.probability is None else f" ({chance(found.probability)} to exceed)"
    return _usd(found.spent), _usd(found.expected), _WORDS[found.level] + odds


def _subscriptions(user: int) -> None:
    found = _section(
        "Subscriptions", lambda api: api.subscriptions(r.AskSubscriptions(user_id=user))
    )
    if found is None:
        return
    if not found.subscriptions:
        st.html(markup.empty_state("None was found", "Nothing recurs at steady times."))
        return
    st.html(
        markup.cells(
            [
                ("Merchant", False),
                ("What for", False),
                ("Every", False),
                ("Price", True),
                ("A year", True),
                ("State", False),
                ("Next", False),
            ],
            [
                (
                    one.merchant,
                    kind_of(one.mcc).group,
                    _EVERY[one.period],
                    _usd(one.price, whole=False),
                    _usd(one.yearly, whole=False),
                    one.status if not one.missed else f"{one.status}, {one.missed} missed",
                    f"{one.next_due:%d %b %Y}" if one.next_due else "–",
                )
                for one in found.subscriptions
            ],
            caption=f"{_usd(found.yearly)} a year, those that were cancelled left out",
            levels=["warn" if one.status == "missed" else "ok" for one in found.subscriptions],
        )
    )


_EVERY = {
    "weekly": "week",
    "fortnightly": "two weeks",
    "monthly": "month",
    "quarterly": "quarter",
    "yearly": "year",
}


def _goal(user: int, start: date) -> None:
    st.subheader("A goal", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", key="goal"):
        target = st.number_input("Goal, $", 1, _MOST_DOLLARS, 3000, 100, width=160, key="target")
        saved = st.number_input("Saved by now, $", 0, _MOST_DOLLARS, 0, 100, width=160, key="saved")
        months = st.number_input("In months", 1, 600, 12, 1, width=120, key="months")
    wanted = {"target": f"{target}.00", "saved": f"{saved}.00", "start": start}
    asked = g.AskReverse.model_validate({**wanted, "months": months})
    plan = _section("", lambda api: api.reverse_plan(asked))
    if plan is None:
        return
    found = _ask(
        lambda api: _or_reason(
            lambda: api.feasibility(
                g.AskFeasibility.model_validate({"user_id": user, "goal": wanted, "months": months})
            )
        )
    )
    grid = st.grid(3, min_column_width=150, gap="xsmall", key="plan")
    grid.metric("To save a month", _usd(plan.monthly, whole=False), border=True)
    reached = f"{plan.timeline.day:%d %b %Y}" if plan.timeline.day else "never"
    grid.metric("Reached", reached, border=True)
    if isinstance(found, str):
        st.caption(found)
    else:
        odds = "–" if found.probability is None else chance(found.probability)
        grid.metric("By the usual savings", found.verdict.capitalize(), border=True)
        st.caption(f"**{odds}** of reaching it so: {found.reason}")
        for one in found.alternatives:
            st.caption(f"Or: {one.text}")
    st.html(
        markup.cells(
            [("Milestone", False), ("Day", False), ("Saved by then", True)],
            [
                (f"{one.percent} %", f"{one.day:%d %b %Y}", _usd(one.balance))
                for one in plan.timeline.milestones
            ],
            caption="With that amount each month",
        )
    )


def _account(user: int) -> None:
    st.subheader("The account's days to come", anchor=False)
    balance = st.number_input(
        "Balance today, $", -_MOST_DOLLARS, _MOST_DOLLARS, 1000, 100, width=200, key="balance"
    )
    found = _section(
        "",
        lambda api: api.cash_flow(
            f.AskCashFlow.model_validate(
                {"user_id": user, "balance": f"{balance}.00", "days": _DAYS_AHEAD}
            )
        ),
    )
    if found is None:
        return
    first = "" if found.first_short is None else f", first on {found.first_short:%d %b %Y}"
    st.caption(f"It falls below zero in {chance(found.short)} of the cases{first}")
    points = [(one.day, *_decimals(one.balance, one.low, one.high)) for one in found.days]
    st.altair_chart(
        money_charts.balance_band(points, accent()),
        alt="The account's balance on each day in US dollars, within 90 %",
    )
    st.caption(found.reason)
