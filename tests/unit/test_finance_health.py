"""The health score, its parts and trends, and peers."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlake.errors import UsageProblem
from models.finance.health import (
    WEIGHTS,
    GoalState,
    HealthInput,
    health_score,
    health_trends,
)
from models.finance.ledger import MonthFlow, add_months
from models.finance.money import MOST_CENTS
from models.finance.peers import Person, benchmark

START = date(2023, 1, 1)


def months(*flows):
    return [
        MonthFlow(add_months(START, n), income, spent) for n, (income, spent) in enumerate(flows)
    ]


# 4,000.00 came in each month; 3,000, 3,600 and 3,900 dollars went out: 10,500.
GOLDEN = HealthInput(
    months((400_000, 300_000), (400_000, 360_000), (400_000, 390_000)),
    liquid=700_000,
    debt_payment=100_000,
    goals=[GoalState(50_000, 100_000), GoalState(90_000, 60_000)],
)


def test_a_score_by_hand():
    found = health_score(GOLDEN)
    # savings rate: (12,000 - 10,500) / 12,000 = 12.5 %; / 20 % = 0.625; * 30 = 18.75
    # consistency: mean 3,500, between 3,200 and 4,000; beyond it 100 and 400: 500 / 12,000 =
    #   4.1667 %; / 20 % = 0.208333; * 25 = 5.208 are lost: 19.7917
    # emergency fund: 7,000 / 3,500 = 2 months; / 6 = 0.3333; * 20 = 6.6667
    # debts: 1,000 / 4,000 = 25 %; (43 - 25) / (43 - 15) = 18 / 28 = 0.642857; * 15 = 9.6429
    # goals: 50 % and 100 % (cut off): 75 %; * 10 = 7.5
    # sum 62.3512 -> 62.4; rounded down 18.7, 19.7, 6.6, 9.6, 7.5 are 62.1: three tenths go to the
    #   largest rests: 0.0917, 0.0667, 0.05 (the fourth 0.0429)
    assert [str(part.points) for part in found.parts] == ["18.8", "19.8", "6.7", "9.6", "7.5"]
    assert found.score == Decimal("62.4")
    assert [part.value for part in found.parts] == [
        Decimal(value) for value in ("0.1250", "0.0417", "2.0000", "0.2500", "0.7500")
    ]  # fmt: skip
    # most to gain: fund 13.3, savings rate 11.2, debts 5.4, consistency 5.2, goals 2.5
    assert [a.part for a in found.advice] == [
        "emergency_fund", "savings_rate", "debt_to_income", "expense_consistency", "goal_progress",
    ]  # fmt: skip
    # a fifth of 12,000 is 2,400, 1,500 are saved: 900 in three months; six times 3,500 less 7,000
    assert "300.00 a month" in found.advice[1].text
    assert "14,000.00" in found.advice[0].text


def test_parts_that_are_not_known_leave_their_weight_to_the_others():
    found = health_score(HealthInput(GOLDEN.months))
    # 30 and 25 of 55: 54.54.. and 45.45.. -> 54.5 and 45.5 by the largest remainder
    # 54.5 * 0.625 = 34.0625, 45.5 * 0.791667 = 36.0208: 70.0833 -> 70.1
    assert [part.weight for part in found.parts[:2]] == [Decimal("54.5"), Decimal("45.5")]
    assert found.score == Decimal("70.1")
    assert [part.points for part in found.parts[2:]] == [None] * 3


def test_the_best_and_the_worst():
    best = HealthInput(months(*[(100, 10)] * 6), 10_000, 0, [GoalState(9, 1)])
    assert health_score(best).score == 100
    assert health_score(best).advice == ()
    worst = HealthInput(months(*[(100, 1), (100, 9_999)] * 3), -5, 9_999, [GoalState(0, 1)])
    assert health_score(worst).score == 0


def test_little_history_gives_clear_answers():
    nothing = health_score(HealthInput(()))
    assert (nothing.score, nothing.months, nothing.advice) == (None, 0, ())
    assert nothing.parts[0].reason == "no whole month is known"
    one = health_score(HealthInput(months((100_000, 90_000)), 1, 1))
    assert one.parts[1].reason == "1 whole months are known; 3 are needed"
    assert one.parts[0].points is not None
    idle = health_score(HealthInput(months(*[(0, 0)] * 4), 100))
    assert idle.score is None
    drawn = health_score(HealthInput(months(*[(0, 500)] * 3), 0, 10))
    assert [part.points for part in drawn.parts[:4]] == [0, 0, 0, 0]
    assert drawn.score == 0
    refunded = health_score(HealthInput(months(*[(0, -500)] * 3), 100))
    assert refunded.score is None
    only_debts = health_score(HealthInput((), debt_payment=5))
    assert only_debts.parts[3].reason == "no whole month is known"


def test_only_the_last_six_months_count():
    old = months(*[(100_000, 99_999)] * 3, *[(100_000, 80_000)] * 6)
    assert health_score(HealthInput(old)) == health_score(HealthInput(old[3:]))


cents = st.integers(0, 10**9)
flows = st.lists(st.tuples(cents, st.integers(-(10**6), 10**9)), max_size=9)
inputs = st.builds(
    lambda flows, liquid, debt, goals: HealthInput(months(*flows), liquid, debt, goals),
    flows,
    st.none() | st.integers(-MOST_CENTS, MOST_CENTS),
    st.none() | st.integers(0, MOST_CENTS),
    st.lists(st.builds(GoalState, cents, st.integers(1, 10**9)), max_size=3),
)


@given(inputs, st.randoms())
def test_a_score_lies_within_0_and_100_and_is_the_sum_of_its_parts(given, random):
    found = health_score(given)
    points = [part.points for part in found.parts if part.points is not None]
    if found.score is None:
        assert points == []
        return
    assert 0 <= found.score <= 100
    assert found.score == sum(points)
    assert sum(part.weight for part in found.parts) == 100
    assert all(0 <= p.points <= p.weight for p in found.parts if p.points is not None)
    shuffled = list(given.months)
    random.shuffle(shuffled)
    assert health_score(replace(given, months=shuffled)) == found


def score(given):
    return health_score(given).score


@given(inputs, st.integers(0, 10**9), st.integers(0, 8), st.sampled_from(range(7)))
def test_the_score_rises_with_savings_in_every_form(given, more, place, what):
    old = score(given)
    flows = list(given.months)
    if flows:
        month = flows[place % len(flows)]
        flows[place % len(flows)] = replace(
            month,
            income=month.income + (more if what == 0 else 0),
            spent=month.spent - (more if what == 1 else 0),
        )
    richer = replace(given, months=flows)
    if what == 2:
        richer = replace(given, months=[replace(m, income=m.income + more) for m in given.months])
    if what == 3 and given.liquid is not None:
        richer = replace(given, liquid=min(MOST_CENTS, given.liquid + more))
    if what == 4 and given.debt_payment is not None:
        richer = replace(given, debt_payment=max(0, given.debt_payment - more))
    if what == 5:
        richer = replace(given, goals=[replace(g, saved=g.saved + more) for g in given.goals])
    if what == 6:
        richer = replace(given, months=[replace(m, spent=m.spent - more) for m in given.months])
    new = score(richer)
    # Without income and spending there is no score to compare with.
    assert old is None or new is None or new >= old


def test_a_month_of_less_spending_does_not_look_irregular():
    even = HealthInput(months(*[(100_000, 90_000)] * 6))
    thrifty = HealthInput(months(*[(100_000, 90_000)] * 5, (100_000, 10_000)))
    assert score(thrifty) > score(even)
    erratic = HealthInput(months(*[(100_000, 60_000), (100_000, 120_000)] * 3))
    assert score(erratic) < score(even)  # the same spending in all


def test_wrong_input_is_refused():
    with pytest.raises(UsageProblem, match="no month between"):
        health_score(HealthInput([GOLDEN.months[0], GOLDEN.months[2]]))
    with pytest.raises(UsageProblem, match="payment for debts"):
        HealthInput((), debt_payment=-1)
    with pytest.raises(UsageProblem, match="by now"):
        GoalState(1, 0)


# ── Trends ───────────────────────────────────────────────────────────────────────────────────────


def test_trends_by_hand():
    # Five months of 1,000 income; the spending is the same each month, so the months do not differ
    # until April: 900, 900, 900, 900, 800 dollars.
    flows = [(100_000, 90_000)] * 4 + [(100_000, 80_000)]
    found = health_trends(HealthInput(months(*flows)))
    # March: rate 10 %, half of 54.5 = 27.25; months do not differ: 45.5; 72.75 -> 72.8. April too.
    # May: rate 600 / 5,000 = 12 %, 0.6 * 54.5 = 32.7; mean 880, four months 20 beyond: 80 / 5,000 =
    #   1.6 %, / 20 % = 0.08, 0.92 * 45.5 = 41.86; 74.56 -> 74.6
    assert [(m.first.month, str(m.score)) for m in found.months] == [
        (3, "72.8"), (4, "72.8"), (5, "74.6"),
    ]  # fmt: skip
    assert [m.change for m in found.months] == [None, Decimal("0.0"), Decimal("1.8")]
    assert found.quarters == ()  # of the first quarter only March has a score
    assert found.direction == "steady"


def test_a_quarter_is_the_mean_of_its_months_and_only_whole():
    flows = [(100_000, 90_000)] * 6 + [(100_000, 50_000)] * 4
    found = health_trends(HealthInput(months(*flows)))
    by_month = {m.first.month: m.score for m in found.months}
    assert [q.first.month for q in found.quarters] == [4, 7]
    for quarter in found.quarters:
        of = [by_month[quarter.first.month + n] for n in range(3)]
        assert abs(quarter.score - sum(of, Decimal(0)) / 3) <= Decimal("0.05")
    assert found.quarters[1].change == found.quarters[1].score - found.quarters[0].score
    assert (
        health_trends(HealthInput(months(*flows[:3] + [(100_000, 20_000)] * 3))).direction == "up"
    )
    assert (
        health_trends(HealthInput(months(*flows[:3] + [(1_000, 90_000)] * 3))).direction == "down"
    )


def test_liquid_money_is_rolled_back():
    given = HealthInput(months(*[(100_000, 90_000)] * 4), liquid=90_000)
    # 100.00 were saved in April: 800.00 were there at the end of March, 0.8889 months of 900.
    # weights 30, 25, 20 of 75: 40, 33.3, 26.7 (33.333 and 26.666: the tenth goes to 26.7)
    # March: 20 + 33.3 + 26.7 * 0.888889 / 6 = 3.9556: 57.2556; April: 26.7 / 6 = 4.45: 57.75
    assert [str(m.score) for m in health_trends(given).months] == ["57.3", "57.8"]


def test_short_histories_have_no_trend():
    for count in (0, 1, 2):
        found = health_trends(HealthInput(months(*[(1000, 900)] * count)))
        assert (found.months, found.quarters, found.direction) == ((), (), None)


@given(inputs)
def test_trends_of_anything_are_scores(given):
    found = health_trends(given)
    assert all(0 <= one.score <= 100 for one in (*found.months, *found.quarters))


# ── Peers ────────────────────────────────────────────────────────────────────────────────────────


def people(count, age=30, income=4_000_000, start=0):
    return [Person(age, income, Decimal(start + n)) for n in range(count)]


def test_a_benchmark_by_hand():
    # scores 0 to 10: 4 lie below 4, one is equal: (4 + 0.5) / 11 = 40.9 % -> 41
    # quartiles of 11: at places 2.5, 5, 7.5 -> 2.5, 5, 7.5 -> 2, 5, 8 (halves to the even one)
    found = benchmark(Person(34, 3_000_000, Decimal(4)), people(11))
    assert found.group == "age 25 to below 35, income $30,000 to below $60,000"
    assert (found.percentile, found.low, found.median, found.high) == (41, 2, 5, 8)
    assert found.people == 10  # 11, shown in fives


def test_small_groups_are_widened_and_the_smallest_refused():
    own = Person(30, 4_000_000, Decimal(50))
    nine = people(9)
    assert benchmark(own, nine + people(1, income=9_999_999)).group == "age 25 to below 35"
    assert benchmark(own, nine + people(1, age=70)).group == "income $30,000 to below $60,000"
    assert benchmark(own, nine + people(1, age=70, income=0)).group == "everybody"
    refused = benchmark(own, nine)
    assert (refused.percentile, refused.low, refused.median, refused.high) == (None,) * 4
    assert refused.people == 0
    assert benchmark(own, []) == refused
    with pytest.raises(UsageProblem, match="10 or more"):
        benchmark(own, people(20), fewest=9)
    assert benchmark(own, people(20), fewest=21).people == 0


def test_bands_are_named_at_both_ends():
    assert benchmark(Person(20, 0, Decimal(1)), people(10, 20, 0)).group == (
        "age below 25, income below $30,000"
    )
    rich = Person(70, 10_000_000, Decimal(1))
    assert benchmark(rich, people(10, 99, 10**12)).group == (
        "age 65 and above, income $100,000 and above"
    )


persons = st.builds(
    Person, st.integers(18, 90), st.integers(0, 20_000_000), st.decimals(0, 100, places=1)
)


@given(persons, st.lists(persons, max_size=60), st.randoms())
def test_no_figure_is_made_of_fewer_than_ten(own, peers, random):
    found: Any = benchmark(own, peers)
    shuffled = list(peers)
    random.shuffle(shuffled)
    assert benchmark(own, shuffled) == found
    assert (found.percentile is None) == (len(peers) < 10)
    if found.percentile is not None:
        assert 10 <= found.people <= len(peers)
        assert 0 <= found.percentile <= 100
        assert found.low <= found.median <= found.high


@given(persons, st.lists(persons, min_size=10, max_size=40), st.decimals(0, 50, places=1))
def test_a_higher_score_never_stands_lower(own, peers, more):
    higher = replace(own, score=own.score + more)
    new: Any = benchmark(higher, peers)
    old: Any = benchmark(own, peers)
    assert new.percentile >= old.percentile


def test_wrong_people_are_refused():
    for wrong in ({"age": -1}, {"yearly_income": -1}, {"score": Decimal("NaN")}):
        with pytest.raises(UsageProblem):
            replace(Person(30, 1, Decimal(1)), **wrong)


def test_weights_are_of_one_hundred():
    assert sum(WEIGHTS.values()) == 100
