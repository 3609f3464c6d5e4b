"""Forecasts of series made up here, against what they should say in plain words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forecasting import ALL, DAY, MONTH, Panel, Spending, forecast, prepare
from models.forecasting.averages import average, seasonal_average, seasonal_naive
from models.forecasting.fitted import Task, fit
from models.forecasting.intervals import MISSED, Shape, bounds, needed_stretch
from models.forecasting.metrics import coverage, mase, naive_scale, pinball

LAST = 20_000
PERIODS = pytest.mark.parametrize("period", [DAY, MONTH], ids=lambda p: p.name)


def panel(period, *rows, memory=None):
    """Series of one customer each; a row's history is what is given."""
    memory = memory or max(period.memory, *(len(row) for row in rows))
    values = np.zeros((len(rows), memory))
    for place, row in enumerate(rows):
        values[place, memory - len(row) :] = row
    length = np.array([len(row) for row in rows])
    customers = np.arange(len(rows))
    return Panel(period, LAST, customers, np.full(len(rows), ALL), length, values)


def noise(count, seed=0, full=0.8):
    random = np.random.default_rng(seed)
    return np.round(random.lognormal(3, 1, count) * (random.random(count) < full), 2)


# ── Periods ──────────────────────────────────────────────────────────────────────────────────────


@given(st.dates(date(1970, 2, 1), date(2200, 1, 1)))
def test_days_and_months_are_numbered_without_a_gap(day):
    for period in (DAY, MONTH):
        step = period.step(day)
        assert period.first_day(step) <= day < period.first_day(step + 1)
        after = day + timedelta(days=1)
        assert period.last_whole(day) == (step if period.step(after) > step else step - 1)
        assert period.first_whole(day) == (step if period.first_day(step) == day else step + 1)


# ── Preparation ──────────────────────────────────────────────────────────────────────────────────

spendings = st.lists(
    st.tuples(
        st.integers(0, 4), st.sampled_from([742, 5411, 5812]), st.integers(-3, 45),
        st.integers(-9_999, 99_999),
    ),
    max_size=80,
)  # fmt: skip
firsts = st.lists(st.integers(-2, 50), min_size=4, max_size=4)


@PERIODS
@given(rows=spendings, back=firsts, memory=st.integers(1, 40))
def test_series_have_no_gaps_and_hold_every_cent_of_their_time(period, rows, back, memory):
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
    customers, first = np.arange(4), LAST - np.array(back)
    spending = Spending(columns[:, 0], columns[:, 1], LAST - columns[:, 2], columns[:, 3])
    made = prepare(period, spending, customers, first, LAST, memory)
    assert made.values.shape == (len(made), memory)
    keys = list(zip(made.customer.tolist(), made.category.tolist(), strict=True))
    assert len(set(keys)) == len(keys)
    assert [c for c, category in keys if category == ALL] == [0, 1, 2, 3]
    for place, (customer, category) in enumerate(keys):
        length = min(max(0, back[customer] + 1), memory)
        assert made.length[place] == length
        wanted = np.zeros(memory)
        for who, what, ago, cents in rows:
            if who == customer and category in (ALL, what) and 0 <= ago < length:
                wanted[memory - 1 - ago] += cents
        assert (np.round(made.values[place] * 100) == wanted).all()


@given(rows=spendings, seed=st.randoms())
def test_the_order_of_rows_does_not_matter(rows, seed):
    def made(rows):
        columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
        spending = Spending(columns[:, 0], columns[:, 1], LAST - columns[:, 2], columns[:, 3])
        return prepare(DAY, spending, np.arange(5), np.full(5, LAST - 40), LAST, 50)

    mixed = rows.copy()
    seed.shuffle(mixed)
    one, other = made(rows), made(mixed)
    assert (one.values == other.values).all()
    assert (one.category == other.category).all()


def test_a_category_that_is_seldom_is_no_series_of_its_own():
    often = [(7, 5411, LAST - 30 * n, 100) for n in range(12)]
    seldom = [(7, 5812, LAST - 30 * n, 100) for n in range(11)]
    columns = np.array(often + seldom)
    made = prepare(DAY, Spending(*columns.T), np.array([7]), np.array([LAST - 500]), LAST, 548)
    assert made.category.tolist() == [ALL, 5411]
    assert made.values.sum(axis=1).tolist() == [23.0, 12.0]


# ── Averages ─────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.integers(0, 99), min_size=3, max_size=40), st.integers(1, 20), st.integers(1, 5),
    st.integers(1, 9),
)  # fmt: skip
def test_averages_say_what_loops_say(row, window, season, horizon):
    length = len(row)
    values = np.array([[0] * 7 + row], dtype=float)
    given_ = (values, np.array([length]), [length + 7], horizon)
    assert average(*given_, window)[0, 0] == pytest.approx([np.mean(row[-window:])] * horizon)
    last = [row[length - season + n % season] for n in range(horizon)]
    assert seasonal_naive(*given_, season)[0, 0].tolist() == (
        last if length >= season else [row[-1]] * horizon
    )
    for step in range(horizon):
        same = row[length - season + step % season :: -season][:window] if length >= season else []
        if same:
            found = seasonal_average(*given_, season, window)[0, 0, step]
            assert found == pytest.approx(np.mean(same))


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────


def test_metrics_by_hand():
    values = np.array([[0, 0, 1.0, 2, 4, 8], [5, 5, 5, 5, 5, 5]])
    assert naive_scale(values, np.array([4, 6]), 2)[0] == (3 + 6) / 2
    assert naive_scale(values, np.array([4, 6]), 4)[0] == (1 + 2 + 4) / 3
    assert np.isnan(naive_scale(values, np.array([1, 0]), 2)).all()
    assert mase(np.array([[2.0, -4], [1, 1]]), np.array([2.0, 0])).tolist()[0] == 1.5
    assert np.isnan(mase(np.array([[1.0]]), np.array([0.0]))).all()
    assert coverage(np.array([[1.0, 2, 3, 4]]), np.array([[1.0]]), np.array([[3.0]])) == [0.75]
    assert pinball(np.array([[10.0]]), np.array([[6.0]]), 0.9) == pytest.approx([3.6])
    assert pinball(np.array([[2.0]]), np.array([[6.0]]), 0.9) == pytest.approx([0.4])


# ── Intervals ────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 2**32), st.floats(0.01, 1), st.floats(0, 0.3), st.integers(1, 60))
def test_intervals_hold_their_forecast_and_keep_to_what_is_possible(seed, full, refunds, count):
    random = np.random.default_rng(seed)
    values = noise(60 * 5, seed, full).reshape(5, 60)
    values *= np.where(random.random(values.shape) < refunds, -1, 1)
    shape = Shape.of(values, np.full(5, 60))
    value = np.abs(random.normal(20, 5, (5, 7)))
    errors = values[:, :count] - 20
    low, high = bounds(value, errors, np.abs(errors).mean(axis=1), shape, stretch=1.5)
    assert (low <= value).all()
    assert (value <= high).all()
    assert (low[shape.below == 0] >= 0).all()
    often_zero = 1 - shape.full >= MISSED / 2
    assert (low[often_zero] <= 0).all()


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.5, 0.9, 1.0]))
@settings(max_examples=20)
def test_intervals_hold_their_share_of_values_of_the_same_kind(seed, full):
    values = noise(200 * 220, seed, full).reshape(200, 220)
    past, future = values[:, :180], values[:, 180:]
    mean = past.mean(axis=1, keepdims=True)
    shape = Shape.of(past, np.full(200, 180))
    errors = past - mean
    low, high = bounds(np.repeat(mean, 40, 1), errors, np.abs(errors).mean(axis=1), shape)
    assert coverage(future, low, high).mean() == pytest.approx(1 - MISSED, abs=0.015)


@given(st.integers(0, 2**32), st.floats(1.2, 2.5))
def test_bounds_that_are_too_narrow_are_stretched_until_they_hold(seed, factor):
    actual = np.random.default_rng(seed).normal(0, 1, (40, 50))
    nought = np.zeros_like(actual)
    narrow = np.full_like(actual, 1.96 / factor)
    found = needed_stretch(actual, nought, -narrow, narrow)
    assert 1 <= found <= 3
    held = coverage(actual, -narrow * found, narrow * found).mean()
    assert held >= 1 - MISSED - 1e-9  # a mean of means
    assert found == 1 or held <= 1 - MISSED + 0.001


def test_few_values_and_wide_bounds_stretch_nothing():
    few = np.full((1, 10), 5.0)
    assert needed_stretch(few, few * 0, few * 0 - 1, few * 0 + 1) == 1
    wide = np.full((10, 10), 9.0)
    assert needed_stretch(np.zeros((10, 10)), np.zeros((10, 10)), -wide, wide) == 1


# ── Models that are fitted ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "period", "season", "row"),
    [
        ("holt_winters", "day", 7, np.tile([1.0, 2, 3, 4, 5, 6, 70], 30)),
        ("holt_winters", "month", 12, np.arange(1.0, 40)),
        ("arima", "day", 7, np.tile([1.0, 2, 3, 4, 5, 6, 70], 30)),
    ],
    ids=["week", "rise", "arima"],
)
def test_a_model_goes_on_with_a_pattern_that_is_plain(kind, period, season, row):
    row = row + np.random.default_rng(1).normal(0, 0.01, len(row))
    task = Task(kind, period, season, 5, (10, 5, 0), (row,))
    made = fit(task)[0]
    assert made.shape == (3, 5)
    for origin, back in enumerate(task.backs[:-1]):
        end = len(row) - back
        assert made[origin] == pytest.approx(row[end : end + 5], rel=0.2, abs=0.3)


def test_a_series_that_cannot_be_fitted_leaves_the_others_alone():
    good = noise(100)
    made = fit(Task("arima", "day", 7, 3, (3, 0), (np.full(100, np.nan), good)))
    assert np.isnan(made[0]).all()
    assert np.isfinite(made[1]).all()


# ── The choice ───────────────────────────────────────────────────────────────────────────────────


def odd_series(period):
    """Series of every odd kind, with the method each is answered by; None for a choice."""
    long, short = period.memory, period.least + 2
    gappy = np.zeros(long)
    gappy[:: 40 if period is DAY else 9] = 25.0
    refunds = noise(long, 5) * np.where(np.arange(long) % 5, 1, -1)
    return {
        "empty": (np.empty(0), "none"),
        "one step": (np.array([12.34]), "constant"),
        "zero": (np.zeros(long), "zero"),
        "constant": (np.full(long, 9.99), "constant"),
        "short": (noise(short, 1), "average"),
        "gappy": (gappy, None),
        "refunds": (refunds, None),
        "stopped": (np.where(np.arange(long) < long // 2, noise(long, 6), 0), None),
        "huge": (noise(long, 7) * 1e9, None),
        "long": (noise(long, 8, full=1.0), None),
    }


@PERIODS
def test_every_odd_series_gets_a_clear_answer(period):
    kinds = odd_series(period)
    made = forecast(panel(period, *(row for row, _ in kinds.values())), period.horizon)
    for place, (name, (row, method)) in enumerate(kinds.items()):
        assert made.method[place] == method or method is None, name
        assert made.reason[place], name
        if not len(row):
            assert np.isnan(made.value[place]).all()
            continue
        low, value, high = made.low[place], made.value[place], made.high[place]
        assert np.isfinite([low, value, high]).all(), name
        assert (low <= value).all(), name
        assert (value <= high).all(), name
        assert row.min() < 0 or (low >= 0).all(), name
    names = list(kinds)
    assert made.value[names.index("constant")].tolist() == [9.99] * period.horizon
    assert np.isnan(made.mase[names.index("short")])
    assert np.isfinite(made.mase[names.index("long")])
    assert np.isfinite(made.coverage[names.index("long")])


@PERIODS
def test_every_length_of_history_is_answered(period):
    rows = [noise(n, n) for n in range(period.memory // (20 if period is DAY else 2))]
    made = forecast(panel(period, *rows), 4)
    assert all(made.reason)
    assert np.isfinite(made.value[1:]).all()


@pytest.mark.parametrize(("days", "method"), [(364, "arima"), (366, "holt_winters"), (150, None)])
def test_the_length_of_history_decides_what_is_fitted(days, method):
    asked = []

    def each(function, tasks):
        for task in tasks:
            asked.append(task.kind)
            yield function(task)

    forecast(panel(DAY, noise(days, full=1.0)), 30, each=each)
    assert asked == ([method] if method else [])


def test_sparse_series_are_not_fitted():
    def each(function, tasks):
        raise AssertionError(list(tasks))

    assert forecast(panel(DAY, noise(500, full=0.3)), 30, each=each).value.shape == (1, 30)


@PERIODS
def test_what_repeats_is_forecast_as_it_repeats(period):
    week = np.array([5.0, 0, 80, 0, 0, 3, 40, 2, 9, 11, 60, 7][: period.season])
    row = np.resize(week, period.memory) + noise(period.memory) / 1000
    made = forecast(panel(period, row), period.season)
    again = np.resize(week, period.memory + period.season)[-period.season :]
    assert made.value[0] == pytest.approx(again, abs=1.0)


@pytest.mark.parametrize(
    "method", ["holt_winters", "arima", "average", "seasonal_average", "seasonal_naive"]
)
def test_a_method_that_is_asked_for_is_taken(method):
    made = forecast(panel(DAY, noise(400), noise(100, 1)), 10, method)
    assert made.method.tolist() == [method] * 2
    assert "asked for" in made.reason[0]


@PERIODS
def test_forecasts_are_the_same_again_and_do_not_hang_on_the_order(period):
    rows = [row for row, _ in odd_series(period).values()]
    one = forecast(panel(period, *rows), 5)
    again = forecast(panel(period, *rows), 5)
    turned = forecast(panel(period, *rows[::-1]), 5)
    for name in ("value", "low", "high"):
        assert np.array_equal(getattr(one, name), getattr(again, name), equal_nan=True)
        assert np.allclose(
            getattr(one, name), getattr(turned, name)[::-1], rtol=1e-9, equal_nan=True
        )
    assert one.method.tolist() == turned.method.tolist()[::-1]


def test_the_held_out_window_decides_nothing_about_itself():
    rows = [noise(548, seed) for seed in range(5)]
    one = forecast(panel(DAY, *rows), 30, "average")
    changed = [np.concatenate([row[:-30], row[-30:] + 1000]) for row in rows]
    other = forecast(panel(DAY, *changed), 30, "average")
    # What came is far above what was promised: the promise did not know.
    assert (one.coverage > 0.7).all()
    assert (other.coverage == 0).all()


@PERIODS
def test_coverage_and_accuracy_on_windows_that_were_held_out(period):
    rows = [noise(period.memory, seed, full=0.2 + 0.008 * seed) for seed in range(100)]
    fast = replace(period, dense=2.0)  # nothing is fitted
    made = forecast(panel(fast, *rows), period.horizon)
    assert np.mean(made.coverage) == pytest.approx(0.95, abs=0.03)
    assert np.mean(made.held["mase"]) < np.mean(made.held["naive_mase"])


def test_prophet_can_be_asked_for():
    row = np.tile([1.0, 2, 3, 4, 5, 6, 70], 20) + noise(140) / 100
    made = forecast(panel(DAY, row), 7, "prophet")
    assert made.method.tolist() == ["prophet"]
    assert made.value[0] == pytest.approx([1, 2, 3, 4, 5, 6, 70], abs=3)
