"""Cents, months and the table of needs and wants."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_jobs.generate.reference import categories
from finlake.errors import UsageProblem
from models.finance.ledger import (
    MonthFlow,
    Receipt,
    Transaction,
    add_months,
    days_in_month,
    monthly_flows,
    ordered_months,
    steady_income,
    whole_months,
)
from models.finance.money import (
    MOST_CENTS,
    amount,
    checked,
    rounded,
    share_out,
    tenths,
    variation,
)
from models.finance.spending import KINDS, OTHER, by_group, kind_of, kinds

days = st.dates(date(2000, 1, 1), date(2040, 12, 31))


@given(st.integers(0, MOST_CENTS), st.lists(st.integers(0, MOST_CENTS), min_size=1, max_size=20))
def test_shares_add_up_and_none_is_off_by_a_cent_or_more(total, weights):
    parts = share_out(total, weights)
    assert sum(parts) == total
    if whole := sum(weights):
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - Fraction(total * weight, whole)) < 1


def test_shares_by_hand():
    # 1001 by 50/30/20: 500.5, 300.3, 200.2; one cent is left, and 0.5 is the largest remainder.
    assert share_out(1001, (50, 30, 20)) == (501, 300, 200)
    assert share_out(10, (0, 0, 0)) == (4, 3, 3)  # nobody weighs anything: equal parts


@pytest.mark.parametrize(("total", "weights"), [(1, ()), (-1, (1,)), (1, (1, -1))])
def test_what_cannot_be_shared_out_is_refused(total, weights):
    with pytest.raises(UsageProblem, match="cannot be shared out"):
        share_out(total, weights)


@pytest.mark.parametrize("wrong", [1.5, True, MOST_CENTS + 1, -MOST_CENTS - 1, Decimal(1)])
def test_money_is_whole_cents_within_bounds(wrong):
    with pytest.raises(UsageProblem, match="the fee"):
        checked("the fee", wrong)
    assert checked("the fee", MOST_CENTS) == MOST_CENTS


def test_rounding_by_hand():
    assert [rounded(Fraction(n, 2)) for n in (1, 3, -1)] == [0, 2, 0]  # halves to the even one
    assert rounded(Decimal("2.5")) == 2
    assert tenths(Fraction(1, 20)) == Decimal("0.1")  # 0.05: away from zero
    assert [amount(c) for c in (123456, -5, 0)] == ["1,234.56", "-0.05", "0.00"]


def test_variation_by_hand():
    # mean 200, squares 100^2 + 0 + 100^2 = 20,000; / 2 = 10,000; root 100; / 200 = 0.5
    assert variation([100, 200, 300]) == Decimal("0.5")


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=12), st.integers(1, 1000))
def test_twice_the_money_varies_exactly_as_much(values, times):
    assert variation(values) == variation([value * times for value in values])


def test_months_by_hand():
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(date(2024, 1, 31), -2) == date(2023, 11, 30)
    assert [days_in_month(date(y, 2, 5)) for y in (2023, 2024)] == [28, 29]
    assert days_in_month(date(9999, 12, 1)) == 31
    assert whole_months(date(2024, 1, 2), date(2024, 3, 31)) == (date(2024, 2, 1), date(2024, 3, 1))
    assert whole_months(date(2024, 1, 1), date(2024, 1, 30)) == ()
    assert whole_months(date(2024, 2, 1), date(2024, 1, 1)) == ()
    with pytest.raises(UsageProblem, match="outside the calendar"):
        add_months(date(9999, 12, 1), 1)


@given(days, st.integers(-500, 500))
def test_a_month_later_is_the_same_day_or_the_last(day, months):
    there = add_months(day, months)
    assert (there.year * 12 + there.month) - (day.year * 12 + day.month) == months
    assert there.day == min(day.day, days_in_month(there))


rows = st.lists(st.builds(Transaction, days, st.integers(-10_000, 10_000), st.integers(0, 9999)))


@given(rows, days, st.integers(0, 900), st.randoms())
def test_months_hold_each_row_once_in_whatever_order(rows, first, length, random):
    last = first + timedelta(days=length)
    flows = monthly_flows(rows, (), first, last)
    months = {flow.month for flow in flows}
    kept = [row for row in rows if row.day.replace(day=1) in months]
    assert sum(flow.spent for flow in flows) == sum(row.cents for row in kept)
    assert all(first <= row.day <= last for row in kept)
    assert ordered_months(flows) == flows
    random.shuffle(rows)
    assert monthly_flows(rows, (), first, last) == flows


def test_months_by_rows():
    given = [Transaction(date(2024, 1, 5), 1000), Transaction(date(2024, 1, 9), -300)]
    given += [Transaction(date(2024, 3, 1), 50)]
    pay = [Receipt(date(2024, 1, 31), 5000)]
    flows = monthly_flows(given, pay, date(2024, 1, 1), date(2024, 2, 29))
    assert flows == (MonthFlow(date(2024, 1, 1), 5000, 700), MonthFlow(date(2024, 2, 1), 0, 0))
    assert flows[0].saved == 4300


@given(st.integers(0, 10**12), days)
def test_twelve_months_of_a_steady_income_are_the_year_to_the_cent(yearly, day):
    first = day.replace(day=1)
    found = steady_income(yearly, first, add_months(first, 12) - timedelta(days=1))
    assert len(found) == 12
    assert sum(one.cents for one in found) == yearly


def test_wrong_rows_and_months_are_refused():
    with pytest.raises(UsageProblem, match="whole cents"):
        Transaction(date(2024, 1, 1), 12.5)  # type: ignore[arg-type]
    with pytest.raises(UsageProblem, match="the income of 2024-01-01"):
        Receipt(date(2024, 1, 1), -1)
    with pytest.raises(UsageProblem, match="first day"):
        MonthFlow(date(2024, 1, 2), 0, 0)
    one, two = MonthFlow(date(2024, 1, 1), 1, 1), MonthFlow(date(2024, 3, 1), 1, 1)
    with pytest.raises(UsageProblem, match="no month between 2024-01 and 2024-03"):
        ordered_months([two, one])
    with pytest.raises(UsageProblem, match="2024-01 is there twice"):
        ordered_months([one, one])


# ── Needs and wants ──────────────────────────────────────────────────────────────────────────────


def test_every_category_of_the_reference_data_has_a_kind_of_its_own():
    assert [int(mcc) for mcc in categories().mcc if kind_of(int(mcc)) is OTHER] == []


def test_categories_that_the_generator_bills_by_subscription_do_so():
    table = categories()
    billing = {int(m) for m, s in zip(table.mcc, table.subscription, strict=True) if s > 0}
    assert {mcc for mcc in billing if not kind_of(mcc).bills} == set()


def test_kinds_by_hand():
    assert (kind_of(5411).kind, kind_of(5411).group) == ("need", "groceries")
    assert kind_of(5812).kind == "want"
    assert kind_of(3174).group == "travel"  # an airline that the reference data has not
    assert kind_of(6211).kind == "saving"
    assert kind_of(0) is kind_of(-5) is kind_of(1234) is kind_of(99_999) is OTHER


def test_a_group_has_one_kind():
    by_group = {kind_of(mcc).group: kind_of(mcc).kind for mcc in range(10_000)}
    assert by_group == kinds()
    assert set(by_group.values()) == set(KINDS)
    seen = Counter(kind_of(mcc).group for mcc in range(10_000) if kind_of(mcc) is not OTHER)
    for mcc in range(10_000):
        if kind_of(mcc).group in seen:
            assert kind_of(mcc).kind == by_group[kind_of(mcc).group]


@given(rows, st.randoms())
def test_groups_hold_each_row_once_in_whatever_order(rows, random):
    months = whole_months(date(2010, 1, 1), date(2020, 12, 31))
    found = by_group(rows, months)
    inside = sum(row.cents for row in rows if row.day.replace(day=1) in set(months))
    assert sum(map(sum, found.values())) == inside
    assert {len(sums) for sums in found.values()} <= {len(months)}
    random.shuffle(rows)
    assert by_group(rows, months) == found
