"""Budgets, overspending, leaks and the plan that reaches a savings rate."""

from datetime import date, timedelta
from decimal import Decimal
from math import erf, sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlake.errors import UsageProblem
from models.finance.budget import recommend_budget
from models.finance.leakage import find_leaks
from models.finance.ledger import Transaction, add_months
from models.finance.money import MOST_CENTS
from models.finance.overspend import overspend_outlook
from models.finance.saving_plan import optimise
from models.finance.spending import kinds

groups = st.sampled_from([*sorted(kinds()), "something else"])
histories = st.integers(1, 6).flatmap(
    lambda n: st.dictionaries(
        groups, st.lists(st.integers(-(10**8), 10**9), min_size=n, max_size=n), max_size=8
    )
)


def kept(budget):
    return budget.needs, budget.wants, budget.saving


# ── Budgets ──────────────────────────────────────────────────────────────────────────────────────


def test_a_budget_by_hand():
    spent = {
        "groceries": [60_000, 70_000], "utilities": [20_000, 20_000],  # needs: 1,700 / 2 = 850
        "restaurants and bars": [30_000, 10_000],
    }  # fmt: skip
    found = recommend_budget(300_001, spent)
    # 150,000.5 / 90,000.3 / 60,000.2: the cent that is left goes to the needs
    assert kept(found) == (150_001, 90_000, 60_000)
    # groceries 130 of 170: 150,001 * 13 / 17 = 114,706.65 (.65); utilities 35,294.35 (.35)
    assert [(line.group, line.budget, line.usual) for line in found.lines] == [
        ("groceries", 114_707, 65_000), ("utilities", 35_294, 20_000),
        ("restaurants and bars", 90_000, 20_000), ("unassigned", 60_000, 0),
    ]  # fmt: skip
    assert (found.goal_gap, found.needs_gap, found.reasons) == (0, 0, ())


def test_goals_take_from_wants_first_and_then_from_needs_to_spare():
    spent = {"groceries": [120_000]}
    # saving 60,000 -> wants pay up to 90,000 - 30,000 = 60,000, needs 150,000 - 120,000 = 30,000
    assert kept(recommend_budget(300_000, spent, 100_000)) == (150_000, 50_000, 100_000)
    assert kept(recommend_budget(300_000, spent, 140_000)) == (130_000, 30_000, 140_000)
    most = recommend_budget(300_000, spent, 160_000)
    assert kept(most) == (120_000, 30_000, 150_000)
    assert most.goal_gap == 10_000
    # without a history nobody knows what needs can spare
    assert kept(recommend_budget(300_000, None, 140_000)) == (150_000, 30_000, 120_000)


def test_needs_above_half_take_from_wants_and_then_from_saving():
    def needs(cents):
        return recommend_budget(300_000, {"groceries": [cents]})

    assert kept(needs(200_000)) == (200_000, 40_000, 60_000)
    assert kept(needs(240_000)) == (240_000, 30_000, 30_000)
    most = needs(290_000)
    assert kept(most) == (270_000, 30_000, 0)
    assert most.needs_gap == 20_000
    assert "above what the income allows" in most.reasons[-1]


@given(st.integers(1, MOST_CENTS), histories, st.integers(0, MOST_CENTS))
def test_a_budget_adds_up_to_income_to_the_cent(income, spent, goals):
    found = recommend_budget(income, spent, goals)
    assert sum(kept(found)) == income == sum(line.budget for line in found.lines)
    assert min(line.budget for line in found.lines) >= 0
    for kind, total in zip(("need", "want", "saving"), kept(found), strict=True):
        assert sum(line.budget for line in found.lines if line.kind == kind) == total
    assert found.saving + found.goal_gap >= goals
    backwards = dict(reversed(spent.items()))
    assert recommend_budget(income, backwards, goals) == found


@given(st.integers(1, 10**9), histories, st.integers(0, 10**8), st.integers(0, 10**8))
def test_larger_goals_never_save_less(income, spent, goals, more):
    less = recommend_budget(income, spent, goals)
    assert recommend_budget(income, spent, goals + more).saving >= less.saving


@pytest.mark.parametrize(
    "wrong", [(0,), (-5,), (1, {}, -1), (1, {"a": [1], "b": [1, 2]}), (1, {"a": []}), (1.5,)]
)
def test_wrong_budgets_are_refused(wrong):
    with pytest.raises(UsageProblem):
        recommend_budget(*wrong)


# ── Overspending ─────────────────────────────────────────────────────────────────────────────────


def spent_on(*days_and_cents):
    return [Transaction(date(*day), cents) for day, cents in days_and_cents]


def test_an_outlook_by_hand():
    # Asked on 15 April (30 days): half of the month. Of January and March (31 days) what came after
    # day ceil(15 * 31 / 30) = 16 counts, of February (28) after day 14.
    rows = spent_on(
        ((2023, 1, 16), 9_000), ((2023, 1, 17), 1_000),
        ((2023, 2, 14), 9_000), ((2023, 2, 15), 2_000),
        ((2023, 3, 16), 9_000), ((2023, 3, 31), 3_000),
        ((2023, 4, 15), 5_000), ((2023, 4, 16), 77_777),
    )  # fmt: skip
    found = overspend_outlook(rows, 7_000, date(2023, 4, 15), date(2023, 1, 1))
    # 5,000 and the median of 1,000, 2,000 and 3,000
    assert (found.spent, found.expected) == (5_000, 7_000)
    # quantiles 0.1 and 0.9 of three: 1,200 and 2,800
    assert (found.low, found.high) == (6_200, 7_800)
    # left 2,000. s = 1,000, quartiles 1,500 and 2,500: IQR / 1.34 = 746.27; * 0.9 * 3^-0.2
    # (0.80274): h = 539.15. Phi(-1,000 / h) + Phi(0) + Phi(1,000 / h) = 1.5;
    # (1.5 + 1) / (3 + 2) = 0.5
    assert found.probability == pytest.approx(0.5)
    assert found.level == "watch"
    # with 7,500 left are 2,500: z = -1,500, -500 and 500 over h; Phi(-2.7822) = 0.0027,
    # Phi(-0.9274) = 0.17686, Phi(0.9274) = 0.82314: 1.0027; + 1 = 2.0027; / 5 = 0.40054
    richer = overspend_outlook(rows, 7_500, date(2023, 4, 15), date(2023, 1, 1))
    assert richer.probability == pytest.approx(0.40054, abs=1e-4)
    assert 0.5 * (1 + erf(0.9274 / sqrt(2))) == pytest.approx(0.82314, abs=1e-4)


def test_what_is_over_is_over_and_the_last_day_is_certain():
    rows = spent_on(*[((2023, n, 20), 1_000) for n in range(1, 5)])
    over = overspend_outlook(rows, 999, date(2023, 4, 25), date(2023, 1, 1))
    assert (over.probability, over.level) == (1.0, "over")
    assert over.reason == "0.01 above the budget already"
    held = overspend_outlook(rows, 1_000, date(2023, 4, 30), date(2023, 1, 1))
    assert (held.probability, held.level, held.expected) == (0.0, "fine", 1_000)
    # months that do not differ: a step. 0 of 3 need more than 1,000: (0 + 1) / 5
    soon = overspend_outlook(rows, 1_000, date(2023, 4, 15), date(2023, 1, 1))
    assert soon.probability == 0.2
    assert overspend_outlook(rows, 900, date(2023, 4, 15), date(2023, 1, 1)).probability == 0.8


def test_short_histories_say_the_pace():
    rows = spent_on(((2023, 4, 3), 1_000))
    found = overspend_outlook(rows, 2_000, date(2023, 4, 10), date(2023, 3, 2))
    # 1,000 in 10 of 30 days: 3,000
    assert (found.expected, found.probability, found.level) == (3_000, None, "watch")
    assert "0 whole months are known" in found.reason
    nothing = overspend_outlook([], 0, date(2023, 4, 10), date(2023, 4, 1))
    assert (nothing.expected, nothing.level) == (0, "fine")
    with pytest.raises(UsageProblem, match="budget"):
        overspend_outlook([], -1, date(2023, 4, 10), date(2023, 4, 1))


rows_of_a_year = st.lists(
    st.builds(
        lambda day, cents: Transaction(date(2023, 1, 1) + timedelta(days=day), cents),
        st.integers(0, 364), st.integers(-(10**4), 10**6),
    ),
    max_size=60,
)  # fmt: skip


@given(
    rows_of_a_year, st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 364), st.randoms()
)
def test_a_larger_budget_is_never_likelier_overspent(rows, budget, more, day, random):
    today, since = date(2023, 1, 1) + timedelta(days=day), date(2022, 8, 1)
    tight: Any = overspend_outlook(rows, budget, today, since)
    wide: Any = overspend_outlook(rows, budget + more, today, since)
    assert 0 <= wide.probability <= tight.probability <= 1
    assert tight.low <= tight.high
    random.shuffle(rows)
    assert overspend_outlook(rows, budget, today, since) == tight


# ── Leaks ────────────────────────────────────────────────────────────────────────────────────────


def test_leaks_by_hand():
    spent = {
        "groceries": [500, 500, 510, 490],  # even
        "clothing": [0, 1_000, 200, 0],
        "restaurants and bars": [100, 100, 100, 2_100],
    }
    found = find_leaks(spent)
    # restaurants: median 100, 2,000 beyond in one of four months: 500. mean 600; squares
    #   3 * 500^2 + 1,500^2 = 3,000,000; / 3 = 1,000,000; root 1,000; / 600 = 1.67
    # clothing: median 100; 900 and 100 beyond: 250. mean 300; 90,000 + 490,000 + 10,000 + 90,000 =
    #   680,000; / 3 = 226,667; root 476.1; / 300 = 1.59
    assert [(leak.group, leak.leak, leak.usual, str(leak.cv)) for leak in found] == [
        ("restaurants and bars", 500, 100, "1.67"), ("clothing", 250, 100, "1.59"),
    ]  # fmt: skip
    assert found[0].kind == "want"
    assert found[0].reason == "usually 1.00 a month, up to 21.00; 5.00 a month above the usual"


@given(histories, st.integers(-(10**6), 10**9), st.integers(1, 12))
def test_what_never_changes_does_not_leak(spent, cents, months):
    assert find_leaks({"groceries": [cents] * months}) == ()
    found = find_leaks(spent)
    assert all(leak.leak > 0 and leak.cv >= Decimal("0.5") for leak in found)
    assert [leak.leak for leak in found] == sorted((leak.leak for leak in found), reverse=True)
    assert {leak.group for leak in found} <= set(spent)


def test_leaks_need_the_same_months():
    assert find_leaks({}) == ()
    assert find_leaks({"clothing": [1, 100]}) == ()  # two months say nothing
    with pytest.raises(UsageProblem, match="same months"):
        find_leaks({"a": [1], "b": [1, 2]})


# ── The plan ─────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_by_hand():
    # 1,000 come in, 950 go out: 50 are saved, 200 wanted: 150 have to go. Pieces in order of pain:
    # dining may lose 300 in pieces of 100 (pain 1, 2, 3), groceries 30 in pieces of 10 (3, 6, 9),
    # clothing 25 in pieces of 8, 8, 9 (1, 2, 3). Pain 1: 108, left 42, taken at pain 2 (108 there).
    spent = {"restaurants and bars": 60_000, "groceries": 30_000, "clothing": 5_000}
    found = optimise(100_000, spent, Decimal("0.20"))
    assert (found.feasible, found.needed, found.cut, found.saved) == (True, 15_000, 15_000, 20_000)
    assert found.rate == Decimal("0.2000")
    cut = {one.group: one.cut for one in found.cuts}
    assert cut["groceries"] == 0
    # at pain 1 all of both first pieces: 10,000 and 833; at most the second pieces beyond
    assert 10_000 <= cut["restaurants and bars"] <= 20_000
    assert 833 <= cut["clothing"] <= 1_666
    assert sum(cut.values()) == 15_000


def test_a_plan_in_which_one_solution_is_best():
    # needs 500 of cuts: dining's first piece 100 (pain 1), second 100 (2), third 100 (3); then
    # groceries' first piece at 3 ties with dining's third, so ask for all at pain 1 and 2: 200
    spent = {"restaurants and bars": 60_000, "groceries": 30_000}
    found = optimise(100_000, spent, Decimal("0.30"))  # 300 wanted, 100 saved: 200
    assert {one.group: one.cut for one in found.cuts} == {
        "restaurants and bars": 20_000, "groceries": 0,
    }  # fmt: skip


def test_what_cannot_be_reached_is_said():
    found = optimise(100_000, {"restaurants and bars": 60_000, "groceries": 40_000}, Decimal("0.5"))
    # half of 600 and a tenth of 400
    assert (found.feasible, found.needed, found.cut, found.rate) == (
        False, 50_000, 34_000, Decimal("0.3400"),
    )  # fmt: skip
    assert found.reason == "500.00 a month would have to go, and 340.00 can be cut"
    there = optimise(100_000, {"groceries": 40_000}, Decimal("0.5"))
    assert (there.needed, there.cuts[0].cut) == (0, 0)
    assert optimise(100, {}, Decimal(1)).feasible  # all of it is left
    mine = optimise(100, {"groceries": 100}, Decimal("0.5"), {"groceries": Decimal("0.6")})
    assert (mine.feasible, mine.cut) == (True, 50)


@given(
    st.integers(1, 10**12),
    st.dictionaries(groups, st.integers(-(10**6), 10**12), max_size=8),
    st.decimals(0, 1, places=3),
)
def test_a_plan_reaches_its_target_to_the_cent_or_cuts_all_it_may(income, spent, target):
    found = optimise(income, spent, target)
    assert found.cut == sum(one.cut for one in found.cuts)
    for one in found.cuts:
        assert 0 <= one.cut <= max(0, one.now) // 2
        assert one.planned == one.now - one.cut
    if found.feasible:
        assert found.cut == found.needed
        assert found.saved >= target * income
    assert optimise(income, dict(reversed(spent.items())), target) == found


@pytest.mark.parametrize(
    "wrong",
    [
        (0, {}, Decimal(0)),
        (1, {}, Decimal("1.1")),
        (1, {}, Decimal("NaN")),
        (1, {"a": 1}, Decimal(0), {"b": Decimal(0)}),
        (1, {"a": 1}, Decimal(0), {"a": Decimal(2)}),
        (1, {"a": MOST_CENTS + 1}, Decimal(0)),
    ],
)
def test_wrong_plans_are_refused(wrong):
    with pytest.raises(UsageProblem):
        optimise(*wrong)


def test_months_of_an_outlook_are_the_last_24():
    today = date(2023, 4, 15)
    old = [Transaction(add_months(date(2023, 3, 20), -n), 10_000) for n in range(24, 60)]
    new = [Transaction(add_months(date(2023, 3, 20), -n), 100) for n in range(24)]
    since = date(2015, 1, 1)
    assert overspend_outlook(old + new, 100, today, since) == overspend_outlook(
        new, 100, today, since
    )
