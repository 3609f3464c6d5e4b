"""PSI, KS and decay: what they must say of equal, shifted, sparse, constant and empty columns."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from models.lifecycle.decay import Decay, Tolerance, weeks
from models.lifecycle.drift import SCORE, Bins, Drift, Limits, drifts, ks, psi
from models.lifecycle.due import due

LIMITS = Limits(psi_warn=0.1, psi_alarm=0.25, ks_warn=0.1, ks_alarm=0.2)

numbers = st.one_of(
    st.just(float("nan")),
    st.integers(-3, 3).map(float),
    st.floats(-1e6, 1e6, allow_nan=False),
)
columns = st.lists(numbers, min_size=1, max_size=60).map(np.array)


def both(reference, current):
    bins = Bins.of(reference)
    return psi(bins.counts(reference), bins.counts(current)), ks(reference, current)


@given(columns, st.integers(1, 4), st.randoms())
def test_equal_distributions_do_not_drift_whatever_their_size_and_order(values, times, random):
    again = np.repeat(values, times).tolist()
    random.shuffle(again)
    assert both(values, np.array(again)) == (pytest.approx(0, abs=1e-12),) * 2


@given(columns, columns)
def test_both_measures_are_finite_and_none_is_negative(reference, current):
    index, distance = both(reference, current)
    assert 0 <= index < np.inf
    assert 0 <= distance <= 1


@given(columns, columns)
def test_both_measures_are_symmetric_over_the_same_bins(reference, current):
    bins = Bins.of(reference)
    counts = bins.counts(reference), bins.counts(current)
    assert psi(*counts) == pytest.approx(psi(*counts[::-1]))
    assert ks(reference, current) == ks(current, reference)


@given(columns)
def test_every_value_is_in_one_bin(values):
    bins = Bins.of(values)
    assert bins.counts(values).sum() == len(values)
    assert len(bins) <= 12
    assert all(low < high for low, high in pairwise(bins.edges.tolist()))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.5, 1.0]))
def test_both_measures_grow_with_the_shift(seed, step):
    values = np.random.default_rng(seed).normal(size=400)
    found = [both(values, values + step * times) for times in range(4)]
    for (index, distance), (further_index, further_distance) in pairwise(found):
        assert further_index > index
        assert further_distance > distance


@given(columns, columns)
def test_ks_is_that_of_others(reference, current):
    known = [values[~np.isnan(values)] for values in (reference, current)]
    assume(all(len(values) for values in known))
    with warnings.catch_warnings(action="ignore"):  # of its p-value
        expected = ks_2samp(*known).statistic
    assert ks(*known) == pytest.approx(expected)


def test_psi_of_two_bins_is_what_its_formula_says():
    found = psi(np.array([5, 5]), np.array([25, 75]))
    assert found == pytest.approx(-0.25 * np.log(0.5) + 0.25 * np.log(1.5))


def level(reference, current):
    return next(drifts(["x"], reference[:, None], current[:, None], LIMITS)).level


def test_levels_of_what_moved_and_what_did_not():
    random = np.random.default_rng(0)
    values, others = random.normal(size=(2, 5000))
    nothing = np.full(5000, np.nan)
    assert level(values, others) == "ok"
    assert level(values, others + 0.35) == "warn"
    assert level(values, others + 1) == "alarm"
    assert level(np.ones(5000), np.ones(5000)) == "ok"
    assert level(np.ones(5000), np.zeros(5000)) == "alarm"
    assert level(values, np.where(random.random(5000) < 0.3, np.nan, others)) == "alarm"
    assert level(nothing, nothing) == "ok"
    assert level(nothing, values) == "alarm"


def test_a_flag_that_is_seldom_set_drifts_when_it_is_set_often():
    random = np.random.default_rng(0)
    seldom, again, often = ((random.random(20_000) < share) * 1.0 for share in (0.01, 0.01, 0.2))
    assert level(seldom, again) == "ok"
    assert level(seldom, often) == "alarm"


@pytest.mark.parametrize(("reference", "current"), [(40, 40), (2000, 100), (2000, 2000)])
def test_chance_alone_seldom_warns_however_few_rows_there_are(reference, current):
    random = np.random.default_rng(0)
    names = [str(number) for number in range(600)]
    both = (random.normal(size=(rows, len(names))) for rows in (reference, current))
    found = [drift.level for drift in drifts(names, next(both), next(both), LIMITS)]
    assert sum(level != "ok" for level in found) < 0.01 * len(found)


# ── Decay ────────────────────────────────────────────────────────────────────────────────────────

TOLERANCE = Tolerance(warn=0.1, alarm=0.25, calibration=1.5, frauds=10)


def scored(days, skill, seed=0, times=1.0):
    """Frauds that happen as often as their probability says; ``times`` is how often too many."""
    random = np.random.default_rng(seed)
    day = np.repeat(20_000 + np.arange(days), 300)
    probability = random.beta(0.05, 0.05 * 20, len(day))
    label = (random.random(len(day)) < np.minimum(1, probability * times)).astype(np.int8)
    blurred = probability if skill else random.permutation(probability)
    return day, label, blurred


def test_a_model_as_good_as_it_was_does_not_decay():
    day, label, probability = scored(21, skill=True)
    (first, *_) = found = list(weeks(day, label, probability, 0.5, TOLERANCE))
    assert [week.first_day for week in found] == [20_000, 20_007, 20_014]
    assert {week.level for week in found} == {"ok"}
    assert first.low <= first.average_precision <= first.high
    assert sum(week.transactions for week in found) == len(day)
    assert sum(week.frauds for week in found) == label.sum()


def test_a_model_that_lost_its_eyes_alarms():
    day, label, probability = scored(14, skill=False)
    found = list(weeks(day, label, probability, 0.5, TOLERANCE))
    assert {week.level for week in found} == {"alarm"}


def test_twice_as_many_frauds_as_foretold_are_noticed_though_their_order_is_right():
    day, label, probability = scored(7, skill=True, times=2.0)
    (week,) = weeks(day, label, probability, 0.1, TOLERANCE)
    assert week.frauds > 1.5 * week.foretold
    assert week.level == "warn"


def test_a_week_with_few_frauds_is_told_but_not_judged():
    day, _, probability = scored(7, skill=True)
    (week,) = weeks(day, np.zeros(len(day)), probability, 0.9, TOLERANCE)
    assert (week.frauds, week.level) == (0, "ok")
    assert np.isnan(week.average_precision)


@given(st.integers(0, 40), st.integers(0, 5))
def test_whole_weeks_end_with_the_last_day(days, seed):
    day = np.random.default_rng(seed).permutation(np.repeat(np.arange(days) + 100, 3))
    found = list(weeks(day, np.zeros(len(day)), np.zeros(len(day)), 0.5, TOLERANCE))
    assert len(found) == days // 7
    assert not found or found[-1].first_day == 100 + days - 7


# ── What calls for a new training ────────────────────────────────────────────────────────────────


def called_for(behind=0, score="ok", alarmed=0, decay="ok", judged=True):
    drifted = [Drift(SCORE, 0.5, 0.3, score)]
    drifted += [Drift(f"f{n}", 0.1 * n, 0.3, "alarm" if n < alarmed else "warn") for n in range(10)]
    precision = 0.3 if judged else float("nan")
    weeks_ = [Decay(7, 100, 20, 5.0, 0.2, 0.1, 0.3, "alarm")] if judged else []
    weeks_.append(Decay(14, 100, 20, 5.0, precision, 0.1, 0.3, decay))
    return due(behind, drifted, weeks_, most_days=30, most_features=0.2)


def test_nothing_calls_for_a_training_below_the_bounds():
    assert called_for(behind=29, score="warn", alarmed=1, decay="warn") == ""
    assert called_for(judged=False, decay="alarm") == ""


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ({"behind": 30}, "30 days newer"),
        ({"score": "alarm"}, "its score drifts (PSI 0.50, KS 0.30)"),
        ({"alarmed": 2}, "2 of 10 features drift (most: f1, f0)"),
        (
            {"decay": "alarm"},
            "it decays (average precision 0.300, 20 frauds where 5 were foretold)",
        ),
    ],
)
def test_each_bound_that_is_crossed_is_named(found, word):
    assert word in called_for(**found)
    assert ";" not in called_for(**found)


def test_all_reasons_are_told():
    assert called_for(behind=40, score="alarm", alarmed=9, decay="alarm").count(";") == 3
