"""Subscriptions, habits, opportunities and nudges."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_jobs.bench.finance import customers, disturbed, judge
from batch_jobs.generate.plan import Plan
from finlake.errors import UsageProblem
from models.finance.habits import spending_habits
from models.finance.ledger import Transaction, add_months
from models.finance.merchants import canonical
from models.finance.nudges import COOL_DOWN, Nudge, Sent, choose, suggestions
from models.finance.opportunities import find_opportunities
from models.finance.overspend import Outlook
from models.finance.subscriptions import find_subscriptions, occurrences

TODAY = date(2024, 6, 30)


def paid(days, cents, merchant="FLIX", mcc=4899):
    prices = cents if isinstance(cents, list) else [cents] * len(days)
    return [Transaction(day, price, mcc, merchant) for day, price in zip(days, prices, strict=True)]


def monthly(count, day=31):
    """So many months up to June 2024, on a day or the last."""
    return [add_months(date(2023, 1, day), n) for n in range(18 - count, 18)]


# ── Subscriptions ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", [21, 22])
def test_subscriptions_of_a_generated_set_are_found(seed):
    plan = Plan(60_000, seed, date(2017, 11, 1), date(2019, 10, 31))
    random = plan.random("disturbed")
    world = customers(plan)
    for people in (world, [disturbed(customer, random) for customer in world]):
        said = [
            what
            for customer in people
            for _, what in judge(
                find_subscriptions(customer.transactions, plan.end), customer.orders
            )
        ]
        hits, missed, wrong = (said.count(what) for what in ("hit", "missed", "wrong"))
        assert hits + missed > 150
        assert hits / (hits + wrong) >= 0.95, f"precision of {hits} with {wrong} wrong"
        assert hits / (hits + missed) >= 0.95, f"recall of {hits} with {missed} missed"


def test_a_subscription_by_hand():
    days = monthly(4)  # 31 March, 30 April, 31 May, 30 June
    assert days[0] == date(2024, 3, 31)
    (found,) = find_subscriptions(paid(days, [999, 999, 1_099, 1_099]), TODAY)
    assert (found.merchant, found.period, found.cents, found.yearly_cents) == (
        "FLIX", "monthly", 1_099, 13_188,
    )  # fmt: skip
    assert [(c.day, c.before, c.after) for c in found.changes] == [(date(2024, 5, 31), 999, 1_099)]
    assert (found.status, found.missed, found.next_due) == ("active", 0, date(2024, 7, 31))
    assert occurrences(found, TODAY, date(2024, 9, 30)) == (
        date(2024, 7, 31), date(2024, 8, 31), date(2024, 9, 30),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("period", "days", "due"),
    [
        ("weekly", [date(2024, 5, 30) + timedelta(days=7 * n) for n in range(5)], date(2024, 7, 4)),
        (
            "fortnightly",
            [date(2024, 5, 4) + timedelta(days=14 * n) for n in range(5)], date(2024, 7, 13),
        ),
        (
            "quarterly", [add_months(date(2023, 9, 5), 3 * n) for n in range(4)], date(2024, 9, 5),
        ),
        ("yearly", [date(2022, 2, 9), date(2023, 2, 9), date(2024, 2, 9)], date(2025, 2, 9)),
    ],
)  # fmt: skip
def test_rhythms_by_hand(period, days, due):
    (found,) = find_subscriptions(paid(days, 2_500), TODAY)
    assert (found.period, found.next_due, found.days) == (period, due, tuple(days))


def test_missed_and_cancelled_by_hand():
    days = [date(2023, month, 10) for month in (1, 2, 3, 4, 6, 7)]  # May was left out
    rows = paid(days, 2_500)

    def at(*day):
        (found,) = find_subscriptions(rows, date(*day))
        return found.missed, found.status, found.next_due

    # the next is due on 10 August, and late from the 18th on; the one after from 18 September on
    assert at(2023, 8, 17) == (1, "active", date(2023, 8, 10))
    assert at(2023, 8, 18) == (1, "missed", date(2023, 9, 10))
    assert at(2023, 9, 18) == (1, "cancelled", None)
    (gone,) = find_subscriptions(rows, date(2024, 1, 1))
    assert occurrences(gone, date(2024, 1, 1), date(2025, 1, 1)) == ()


def test_two_subscriptions_at_one_merchant_and_what_is_none():
    days = monthly(8, 5)
    rows = paid(days, 999) + paid([day + timedelta(days=11) for day in days], 4_999)
    assert sorted(one.cents for one in find_subscriptions(rows, TODAY)) == [999, 4_999]
    assert find_subscriptions([], TODAY) == ()
    assert find_subscriptions(paid([TODAY], 999), TODAY) == ()
    assert find_subscriptions(paid(days, -999), TODAY) == ()  # refunds
    assert find_subscriptions(paid(days, 999, ""), TODAY) == ()  # nobody knows whose
    assert find_subscriptions(paid(days, 999), days[0] - timedelta(days=1)) == ()
    daily = [TODAY - timedelta(days=n) for n in range(200)]
    assert find_subscriptions(paid(daily, 275, "BUS", 4111), TODAY) == ()


def test_aliases_are_one_merchant():
    names = ["PAYPAL *FLIX", "FLIX.COM/BILL 866-579-7172 CA", "Flix Inc #4411", "FLX EUROPE"]
    rows = [
        replace(row, merchant=name) for row, name in zip(paid(monthly(4), 999), names, strict=True)
    ]
    assert {canonical(name) for name in names[:3]} == {"FLIX"}
    (three,) = find_subscriptions(rows, TODAY)
    assert len(three.days) == 3
    (four,) = find_subscriptions(rows, TODAY, {"FLX EUROPE": "FLIX"})
    assert (len(four.days), set(four.names)) == (4, set(names))


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("48628", "48628"), ("SQ *BLUE BOTTLE 0412 OAKLAND CA", "BLUE BOTTLE OAKLAND"),
        ("www.Gym-World.de", "GYM WORLD"), ("INC", "INC"), ("", ""), ("***", "***"),
        ("AT&T 12/03 RECURRING PAYMENT", "AT&T"), ("CA", "CA"),
    ],
)  # fmt: skip
def test_plain_names_by_hand(name, plain):
    assert canonical(name) == plain


@given(st.text(max_size=40))
def test_a_plain_name_is_plain(name):
    plain = canonical(name)
    assert plain == " ".join(plain.split())
    assert canonical(f"  {name} ") == plain


transactions = st.lists(
    st.builds(
        lambda back, cents, mcc, shop: Transaction(TODAY - timedelta(days=back), cents, mcc, shop),
        st.integers(-10, 400),
        st.sampled_from([999, 1_000, 5_000]) | st.integers(-(10**15), 10**15),
        st.sampled_from([4899, 5411, 5812, 0]),
        st.sampled_from(["A", "B", "7"]),
    ),
    max_size=40,
)


@given(transactions, st.randoms())
@settings(max_examples=60)
def test_the_order_of_rows_changes_nothing(rows, random):
    found = find_subscriptions(rows, TODAY)
    habits = spending_habits(rows, TODAY - timedelta(days=99), TODAY)
    chances = find_opportunities(rows, found, TODAY - timedelta(days=99), TODAY)
    random.shuffle(rows)
    assert find_subscriptions(rows, TODAY) == found
    assert spending_habits(rows, TODAY - timedelta(days=99), TODAY) == habits
    assert find_opportunities(rows, found, TODAY - timedelta(days=99), TODAY) == chances
    for one in found:
        assert list(one.days) == sorted(set(one.days))
        assert len(one.days) == len(one.prices) >= 2
        assert one.days[-1] <= TODAY
        assert one.next_due is None or one.next_due > one.days[-1]
    assert all(chance.yearly >= 0 for chance in chances)


# ── Habits ───────────────────────────────────────────────────────────────────────────────────────


def test_habits_by_hand():
    first = date(2024, 1, 1)  # a Monday; four weeks
    rows = []
    for week in range(4):
        saturday = first + timedelta(days=7 * week + 5)
        rows += [Transaction(saturday, 7_000 + 100 * week, 5812, "BAR 7")]
        rows += [Transaction(saturday - timedelta(days=1), 500, 5814, "SNACK")]
    found = spending_habits(rows, first, first + timedelta(days=27))
    # Saturdays: 70 + 71 + 72 + 73 = 286.00, / 4 = 71.50; Fridays 5.00
    assert found.by_weekday == (0, 0, 0, 0, 500, 7_150, 0)
    # 20 working days hold 20.00: 1.00; 8 days of weekends 286.00: 35.75
    assert (found.weekday, found.weekend) == (100, 3_575)
    # 8 of 28 days had a purchase; five days lie between a Saturday and the next Friday
    assert (found.no_spend_days, found.no_spend_run) == (20, 5)
    # up to the 10th: 5 + 70 of 306.00: 24.51 %
    assert found.early_share == Decimal("0.2451")
    assert (found.small_count, found.small_cents) == (4, 2_000)
    assert [(place.merchant, place.visits, place.cents) for place in found.places] == [
        ("BAR 7", 4, 28_600), ("SNACK", 4, 2_000),
    ]  # fmt: skip
    # t = (3,575 - 100) / sqrt(var / n): weekend 4 of about 7,150 and 4 zeros: s^2 = 14.61 million,
    # / 8 = 1.826 million; working days 4 of 500 and 16 zeros: 42,105 / 20 = 2,105; t = 2.57
    assert found.notable == ()


def test_what_stands_out_is_said():
    first = date(2024, 1, 1)
    rows = [
        Transaction(day, 10_000 if day.weekday() >= 5 else 1_000 + day.day, 5812, "BAR")
        for day in (first + timedelta(days=n) for n in range(56))
    ]
    found = spending_habits(rows, first, first + timedelta(days=55))
    assert "clearly more" in found.notable[0]
    assert "only 0 of 56 days" in found.notable[1]
    early = [Transaction(date(2024, 1, 2), 100_000), Transaction(date(2024, 2, 20), 10)]
    assert "first ten days" in spending_habits(early, first, date(2024, 2, 28)).notable[0]


def test_empty_and_short_histories_of_habits():
    empty = spending_habits([], date(2024, 1, 1), date(2024, 1, 28))
    assert (empty.no_spend_days, empty.no_spend_run, empty.early_share) == (28, 28, None)
    assert (empty.places, empty.notable) == ((), ())
    for ask in (spending_habits, lambda rows, *days: find_opportunities(rows, (), *days)):
        with pytest.raises(UsageProblem, match="28 days"):
            ask([], date(2024, 1, 1), date(2024, 1, 27))


# ── Opportunities ────────────────────────────────────────────────────────────────────────────────


def test_opportunities_by_hand():
    first = TODAY - timedelta(days=364)  # a year of 365 days
    rows = [
        Transaction(date(2024, 3, 1), 3_500, 6012, "BANK", "OVERDRAFT FEE"),
        Transaction(date(2024, 4, 1), 300, 6011, "ATM"),
        Transaction(date(2024, 4, 1), 20_000, 6011, "ATM"),  # money drawn, no fee
        Transaction(date(2024, 4, 1), 900, 5812, "COFFEE SHOP"),  # no fee
    ]
    # four wants on 5 May: the third and fourth are the two smallest, 10.00 and 20.00; half of 30.00
    rows += [Transaction(date(2024, 5, 5), c, 5651, f"S{c}") for c in (1_000, 2_000, 5_000, 9_000)]
    flix = paid(monthly(8, 5), [999] * 4 + [1_299] * 4)
    tube = paid(monthly(8, 9), 500, "TUBE")
    found = find_subscriptions(rows + flix + tube, TODAY)
    assert len(found) == 2
    got = {one.kind: one for one in find_opportunities(rows + flix + tube, found, first, TODAY)}
    assert got["fee"].yearly == 3_800
    assert got["price_rise"].yearly == 12 * 300
    assert got["price_rise"].key == "FLIX monthly"
    assert got["double_subscription"].yearly == 12 * 500
    assert got["impulse"].yearly == 1_500
    assert [one.yearly for one in find_opportunities(rows + flix + tube, found, first, TODAY)] == [
        6_000, 3_800, 3_600, 1_500,
    ]  # fmt: skip
    assert find_opportunities([], (), first, TODAY) == ()


# ── Nudges ───────────────────────────────────────────────────────────────────────────────────────


def nudge(kind="opportunity", key="a", worth=1):
    return Nudge(kind, key, worth, "text", "reason")


def test_what_is_said_first_by_hand():
    given = [
        nudge(key="a", worth=5),
        nudge(key="b", worth=9),
        nudge("overspend", "c"),
        nudge(key="d"),
    ]
    found = choose(given, [], TODAY)
    assert [one.key for one in found.say] == ["c", "b", "a"]
    assert [(held.nudge.key, held.until) for held in found.held] == [
        ("d", TODAY + timedelta(days=7))
    ]
    assert found.held[0].reason == "3 a week are enough"
    assert choose([], [], TODAY).say == ()
    assert choose(given, [], TODAY, most=0).say == ()
    with pytest.raises(UsageProblem):
        choose([], [], TODAY, most=-1)


def test_cool_downs_by_hand():
    def held(*sent):
        found = choose([nudge()], list(sent), TODAY)
        return found.held[0].until if found.held else None

    def said(back, heeded=False):
        return Sent("opportunity", "a", TODAY - timedelta(days=back), heeded)

    assert held(said(29)) == TODAY + timedelta(days=1)  # 30 days
    assert held(said(30)) is None
    # nothing came of two in a row: 60 days; of three: 120; a heeded one begins anew
    assert held(said(59), said(100)) == TODAY + timedelta(days=1)
    assert held(said(60), said(100)) is None
    assert held(said(119), said(200), said(300)) == TODAY + timedelta(days=1)
    assert held(said(30), said(100, heeded=True), said(200)) is None
    assert held(said(300), *[said(300 + n) for n in range(1, 40)]) == TODAY + timedelta(days=65)
    assert held(said(-1)) is None  # not yet said
    other = choose([nudge(key="b")], [said(1)], TODAY)
    assert len(other.say) == 1
    twice = choose([nudge(), nudge(worth=2)], [], TODAY)
    assert (len(twice.say), twice.held[0].reason) == (1, "said today in other words")


nudges = st.builds(
    nudge, st.sampled_from(list(COOL_DOWN)), st.sampled_from("abc"), st.integers(0, 10**9)
)
sent = st.builds(
    Sent, st.sampled_from(list(COOL_DOWN)), st.sampled_from("abc"),
    st.integers(0, 100).map(lambda back: TODAY - timedelta(days=back)), st.booleans(),
)  # fmt: skip


@given(st.lists(nudges), st.lists(sent, max_size=12), st.integers(0, 5), st.randoms())
def test_nobody_is_told_too_much_or_the_same_too_soon(given, past, most, random):
    found = choose(given, past, TODAY, most)
    week = sum(one.day > TODAY - timedelta(days=7) for one in past)
    assert len(found.say) <= max(0, most - week)
    assert {*found.say, *(held.nudge for held in found.held)} == set(given)
    for one in found.say:
        told = [old.day for old in past if (old.kind, old.key) == (one.kind, one.key)]
        assert not told or max(told) + timedelta(days=COOL_DOWN[one.kind]) <= TODAY
    assert all(held.until > TODAY and held.reason for held in found.held)
    random.shuffle(given)
    random.shuffle(past)
    assert choose(given, past, TODAY, most) == found


def test_suggestions_by_hand():
    over = Outlook(1_000, 1_500, 1_700, None, None, 1.0, "over", "5.00 above the budget already")
    flix = find_subscriptions(paid(monthly(6, 3), 999), TODAY)  # due on 3 July
    late = find_subscriptions(paid([date(2024, n, 10) for n in range(1, 6)], 700, "GYM"), TODAY)
    rises = paid(monthly(8, 20), [999] * 4 + [1_299] * 4, "TUBE")
    chances = find_opportunities(
        rises, find_subscriptions(rises, TODAY), TODAY - timedelta(days=364), TODAY
    )
    found = suggestions(
        TODAY, [("dining", over), ("rent", replace(over, level="fine"))], flix + late, chances,
        [("holiday", 50)],
    )  # fmt: skip
    assert [(one.kind, one.key, one.worth) for one in found] == [
        ("overspend", "dining", 700), ("upcoming_payment", "FLIX monthly", 999),
        ("missed_payment", "GYM monthly", 700),
        ("opportunity", "price_rise TUBE monthly", 3_600), ("milestone", "holiday 50", 0),
    ]  # fmt: skip
