"""Goals, how likely they are, and what months and days to come will bring."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from math import ceil, log
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finlake.errors import UsageProblem
from models.finance.feasibility import feasibility
from models.finance.forecast import forecast_cash_flow, forecast_savings, forecast_spending
from models.finance.goals import (
    Goal,
    alternatives,
    balances,
    reverse_plan,
    target_after,
    timeline,
)
from models.finance.ledger import MonthFlow, Receipt, Transaction, add_months
from models.finance.money import MOST_CENTS

START = date(2024, 1, 31)


def goal(target, saved=0, yearly="0", inflation="0"):
    return Goal(target, saved, START, Decimal(yearly), Decimal(inflation))


rates = st.decimals(0, "0.2", places=3)
goals = st.builds(Goal, st.integers(1, 10**8), st.integers(0, 10**8), st.just(START), rates, rates)


# ── Timeline ─────────────────────────────────────────────────────────────────────────────────────


def test_a_timeline_by_hand():
    # 1,000 wanted, 100 there, 200 a month: 100, 300, 500, 700, 900, 1,100
    found = timeline(goal(100_000, 10_000), 20_000)
    assert (found.months, found.day, found.balance) == (5, date(2024, 6, 30), 110_000)
    assert (found.paid_in, found.earned, found.target) == (100_000, 0, 100_000)
    assert [(m.percent, m.months, m.day, m.balance) for m in found.milestones] == [
        (25, 1, date(2024, 2, 29), 30_000), (50, 2, date(2024, 3, 31), 50_000),
        (75, 4, date(2024, 5, 31), 90_000), (100, 5, date(2024, 6, 30), 110_000),
    ]  # fmt: skip


def test_returns_and_inflation_by_hand():
    # 12.682503 % a year are 1 % a month: 1.01^12 = 1.12682503. 1,000.00 earn 10.00, and 1,110.00
    # earn 11.10, 1,221.10 earn 12.211 -> 12.21
    rich = goal(10**9, 100_000, "0.126825030131969720661201")
    assert balances(rich, 10_000, 3) == (100_000, 111_000, 122_110, 133_331)
    assert target_after(goal(100_000, inflation="0.126825030131969720661201"), 2) in (
        102_010,
        102_011,
    )
    assert target_after(goal(100_001, inflation="0.5"), 12) == 150_002  # 150,001.5, rounded up
    assert target_after(goal(100_000, inflation="0.02"), 24) == 104_040


def test_goals_that_are_there_and_goals_that_never_come():
    there = timeline(goal(100, 100), 0)
    assert (there.months, there.day, len(there.milestones)) == (0, START, 4)
    assert there.reason == "it is there already"
    idle = timeline(goal(100, 50), 0)
    assert (idle.months, idle.day, idle.paid_in) == (None, None, 0)
    assert [m.percent for m in idle.milestones] == [25, 50]
    assert "nothing is saved" in idle.reason
    slow = timeline(goal(10**9), 1)
    assert slow.months is None
    assert "100 years" in slow.reason
    fleeing = timeline(goal(10**9, inflation="0.5"), 1)
    assert "outgrows" in fleeing.reason
    grows = timeline(goal(200_000, 100_000, "0.10"), 0)
    # ln 2 / ln 1.1 = 7.27 years: 87.3 months
    assert grows.months == 88


@given(goals, st.integers(0, 10**7))
def test_a_timeline_is_its_balances(given, monthly):
    given = replace(given, inflation=Decimal(0))
    found = timeline(given, monthly)
    if found.months is None:
        return
    path = balances(given, monthly, found.months)
    assert path[-1] == found.balance == given.saved + found.paid_in + found.earned
    assert [100 * b >= 100 * given.target for b in path] == [False] * found.months + [True]
    for milestone in found.milestones:
        assert path[milestone.months] == milestone.balance
        assert 100 * milestone.balance >= milestone.percent * given.target
        if milestone.months:
            assert 100 * path[milestone.months - 1] < milestone.percent * given.target


@given(st.integers(10**6, 10**9), st.integers(10**4, 10**6), st.decimals("0.005", "0.2", places=3))
def test_the_month_is_the_closed_form_s(target, monthly, yearly):
    found = timeline(goal(target, 0, yearly), monthly)
    rate = float(1 + yearly) ** (1 / 12) - 1
    exact = log(target * rate / monthly + 1) / log(1 + rate)
    if found.months is not None:
        assert abs(found.months - ceil(exact)) <= 1


# ── Reverse plan ─────────────────────────────────────────────────────────────────────────────────


def test_a_reverse_plan_by_hand():
    # 1,000.00 less 100.00 in 7 months: 12,857.14 cents, so 12,858; seven times 12,857 is one short
    found = reverse_plan(goal(100_000, 10_000), 7)
    assert (found.monthly, found.timeline.months) == (12_858, 7)
    # 1 % a month, 12 months: m = 100,000 * 0.01 / (1.12682503 - 1) = 7,884.88
    paid = reverse_plan(goal(100_000, 0, "0.126825030131969720661201"), 12)
    assert abs(paid.monthly - 7_885) <= 1
    assert reverse_plan(goal(100, 100), 5).monthly == 0


@given(goals, st.integers(1, 240))
@settings(max_examples=50)
def test_a_plan_reaches_its_goal_and_a_cent_less_does_not(given, months):
    found = reverse_plan(given, months)
    target = target_after(given, months)
    assert balances(given, found.monthly, months)[-1] >= target
    if found.monthly:
        assert balances(given, found.monthly - 1, months)[-1] < target
    assert found.timeline.months is not None
    assert found.timeline.months <= months


@given(goals, st.integers(1, 120), st.integers(0, 10**6))
@settings(max_examples=50)
def test_each_alternative_reaches_what_it_promises(given, months, monthly):
    found = alternatives(given, monthly, months)
    assert (found == ()) == (reverse_plan(given, months).monthly <= monthly)
    for one in found:
        changed = replace(given, target=one.target, saved=given.saved + one.deposit)
        assert balances(changed, one.monthly, one.months)[-1] >= target_after(changed, one.months)
        if one.change == "deposit":
            less = replace(changed, saved=changed.saved - 1)
            assert balances(less, one.monthly, months)[-1] < target_after(less, months)
    assert len({one.change for one in found}) == len(found)


def test_alternatives_by_hand():
    # 1,000.00 in 5 months with 100.00 a month: 500.00 come together
    found = {one.change: one for one in alternatives(goal(100_000), 10_000, 5)}
    assert (found["later"].months, found["later"].text) == (10, "5 months later, on 2024-11-30")
    assert found["more"].monthly == 20_000
    assert (found["smaller"].target, found["smaller"].text) == (
        50_000,
        "50 % of the target in time",
    )
    assert found["deposit"].deposit == 50_000
    assert [one.change for one in alternatives(goal(100_000), 0, 5)] == ["more", "deposit"]


@pytest.mark.parametrize("months", [0, -1, 1201])
def test_wrong_terms_are_refused(months):
    for ask in (
        lambda: reverse_plan(goal(1), months),
        lambda: alternatives(goal(1), 0, months),
        lambda: feasibility(goal(1), months, ()),
    ):
        with pytest.raises(UsageProblem, match="no term"):
            ask()


def test_wrong_goals_are_refused():
    for wrong in ((0,), (1, -1), (1, 0, "2"), (1, 0, "0", "NaN"), (MOST_CENTS + 1,)):
        with pytest.raises(UsageProblem):
            goal(*wrong)
    with pytest.raises(UsageProblem, match="monthly amount"):
        timeline(goal(1), -1)
    with pytest.raises(UsageProblem, match="take longer"):
        reverse_plan(goal(MOST_CENTS, inflation="1"), 1)


def test_huge_and_tiny_goals_are_reckoned_exactly():
    assert reverse_plan(goal(MOST_CENTS), 1).monthly == MOST_CENTS
    assert reverse_plan(goal(1), 1200).monthly == 1
    assert target_after(goal(MOST_CENTS, inflation="1"), 1200) == MOST_CENTS * 2**100
    # log2(10^10) = 33.22 years: 398.6 months
    assert timeline(goal(MOST_CENTS, 100_000, "1"), 0).months == 399


# ── Feasibility ──────────────────────────────────────────────────────────────────────────────────


def history(*saved):
    return [
        MonthFlow(add_months(date(2020, 1, 1), n), 100_000, 100_000 - s)
        for n, s in enumerate(saved)
    ]


def test_feasibility_of_a_steady_saver_by_hand():
    # 100.00 each month: in 10 months exactly 1,000.00 in every future
    found = feasibility(goal(100_000), 10, history(*[10_000] * 6))
    assert found.probability == (2000 + 1) / (2000 + 2)
    assert (found.low, found.middle, found.high, found.usual) == (100_000,) * 3 + (10_000,)
    assert (found.verdict, found.alternatives) == ("likely", ())
    short = feasibility(goal(100_001), 10, history(*[10_000] * 6))
    assert short.probability == 1 / 2002
    assert short.verdict == "unlikely"
    assert [one.change for one in short.alternatives] == ["later", "more", "smaller", "deposit"]


def test_one_month_by_hand():
    # a term of one month draws one of 0, 0, 100: the goal of 100 is reached in one of three
    found = feasibility(goal(100), 1, history(0, 0, 100), paths=30_000)
    assert found.probability == pytest.approx(1 / 3, abs=0.015)


def test_feasibility_says_what_is_not_known():
    found = feasibility(goal(100), 3, history(5, 5))
    assert (found.probability, found.verdict, found.low) == (None, "unknown", None)
    assert found.reason == "2 whole months are known; 3 are needed"
    assert feasibility(goal(100), 3, ()).usual == 0
    for wrong in (99, 100_001):
        with pytest.raises(UsageProblem, match="paths"):
            feasibility(goal(1), 1, history(1, 1, 1), paths=wrong)


saved = st.lists(st.integers(-(10**6), 10**6), min_size=3, max_size=30)


@given(saved, st.integers(1, 10**7), st.integers(0, 10**6), st.integers(1, 60), st.randoms())
@settings(max_examples=40)
def test_who_has_more_is_never_less_likely_there(given, target, more, months, random):
    found: Any = feasibility(goal(target), months, history(*given), paths=200)
    assert 0 < found.probability < 1
    assert 0 <= found.low <= found.middle <= found.high
    richer: Any = feasibility(goal(target, more), months, history(*given), paths=200)
    assert richer.probability >= found.probability
    better: Any = feasibility(goal(target), months, history(*[s + more for s in given]), paths=200)
    assert better.probability >= found.probability
    flows = history(*given)
    random.shuffle(flows)
    assert feasibility(goal(target), months, flows, paths=200) == found


# ── Forecasts ────────────────────────────────────────────────────────────────────────────────────


def test_a_steady_saver_is_forecast_to_the_cent():
    found = forecast_savings(history(*[12_345] * 8), 3)
    assert [(m.month, m.saved, m.low, m.high) for m in found.months] == [
        (date(2020, 9 + n, 1), 12_345, 12_345, 12_345) for n in range(3)
    ]
    assert (found.total, found.total_low, found.total_high) == (37_035,) * 3
    assert (found.method, found.mase) == ("constant", None)


def test_three_months_give_their_mean_and_range():
    found = forecast_savings(history(100, 200, 600), 2)
    assert [(m.saved, m.low, m.high) for m in found.months] == [(300, 100, 600)] * 2
    assert "too short to test" in found.reason
    assert found.total_low <= found.total == 600 <= found.total_high


def test_spending_is_forecast_as_savings_are():
    months = [
        MonthFlow(add_months(date(2020, 1, 1), n), 9_000, c) for n, c in enumerate((100, 200, 600))
    ]
    found = forecast_spending(months[::-1], 2)
    assert [(m.month, m.spent, m.low, m.high) for m in found.months] == [
        (date(2020, 4, 1), 300, 100, 600), (date(2020, 5, 1), 300, 100, 600)
    ]  # fmt: skip
    assert "too short to test" in found.reason
    with pytest.raises(UsageProblem, match="3 are needed"):
        forecast_spending(months[:2], 2)


def test_a_longer_history_is_back_tested():
    values = [10_000 + 4_000 * (-1) ** n + 7 * n for n in range(24)]
    found = forecast_savings(history(*values), 6, method="average")
    assert found.method == "average"
    assert found.mase is not None
    assert all(m.low <= m.saved <= m.high for m in found.months)
    assert found == forecast_savings(history(*values)[::-1], 6, method="average")


@given(saved, st.integers(1, 24))
@settings(max_examples=30)
def test_savings_of_anything_have_an_interval(given, ahead):
    found = forecast_savings(history(*given), ahead, method="average")
    assert len(found.months) == ahead
    assert all(m.low <= m.saved <= m.high for m in found.months)
    assert found.total_low <= found.total <= found.total_high
    assert found.total == sum(m.saved for m in found.months)


def test_forecasts_that_cannot_be_made_are_refused():
    with pytest.raises(UsageProblem, match="2 whole months are known"):
        forecast_savings(history(1, 2), 1)
    for ahead in (0, 25):
        with pytest.raises(UsageProblem, match="take 1 to 24"):
            forecast_savings(history(1, 2, 3), ahead)


def test_a_cash_flow_by_hand():
    since, today = date(2024, 1, 1), date(2024, 6, 30)
    pay = [Receipt(date(2024, month, 25), 200_000) for month in range(1, 7)]
    rows = [Transaction(date(2024, month, 3), 90_000, 6513, "LANDLORD") for month in range(1, 7)]
    day = since
    while day <= today:  # 10.00 each day at the grocer's
        rows.append(Transaction(day, 1_000, 5411, "GROCER"))
        day += timedelta(days=1)
    found = forecast_cash_flow(50_000, rows, pay, today, since, 30)
    by_day = {one.day: one for one in found.days}
    assert by_day[date(2024, 7, 3)].recurring == 90_000
    assert by_day[date(2024, 7, 25)].income == 200_000
    assert sum(one.recurring for one in found.days) == 90_000
    # 500.00 less 10 a day, less 900 on the 3rd: 470 - 900 = -430.00
    assert by_day[date(2024, 7, 3)].balance == -43_000
    assert found.first_short == date(2024, 7, 3)
    assert found.short == 1.0
    assert found.days[-1].balance == 50_000 + 200_000 - 90_000 - 30 * 1_000
    rich = forecast_cash_flow(10**7, rows, pay, today, since, 30)
    assert (rich.short, rich.first_short) == (0.0, None)


@given(
    st.lists(
        st.builds(
            lambda day, cents: Transaction(
                date(2024, 1, 1) + timedelta(days=day), cents, 5812, "A"
            ),
            st.integers(0, 120),
            st.integers(-(10**4), 10**6),
        ),
        max_size=40,
    ),
    st.integers(-(10**6), 10**7),
    st.randoms(),
)
@settings(max_examples=30)
def test_a_cash_flow_adds_up_in_whatever_order(rows, balance, random):
    since, today = date(2024, 1, 1), date(2024, 3, 31)
    found = forecast_cash_flow(balance, rows, [], today, since, 15)
    stands = balance
    for one in found.days:
        stands += one.income - one.recurring - one.other
        assert one.balance == stands
        assert one.low <= one.balance <= one.high
    random.shuffle(rows)
    assert forecast_cash_flow(balance, rows, [], today, since, 15) == found


def test_cash_flows_that_cannot_be_made_are_refused():
    with pytest.raises(UsageProblem, match="28 days"):
        forecast_cash_flow(0, [], [], date(2024, 1, 27), date(2024, 1, 1))
    with pytest.raises(UsageProblem, match="1 to 365"):
        forecast_cash_flow(0, [], [], date(2024, 3, 27), date(2024, 1, 1), 366)
    empty = forecast_cash_flow(5, [], [], date(2024, 3, 27), date(2024, 1, 1))
    assert {one.balance for one in empty.days} == {5}
