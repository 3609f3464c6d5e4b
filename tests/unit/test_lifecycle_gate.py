"""The gate against crafted scores: better, worse, worse somewhere, dear, slow, broken, unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from models.lifecycle.gate import Bounds, Loaded, Side, Window, decide
from models.lifecycle.paired import average_precisions, costs_by_day, draws
from models.training.metrics import Scored
from models.training.threshold import Costs, cheapest

BOUNDS = Bounds(
    costs=Costs(100.0, 5.0, 50),
    confidence=0.95,
    frauds=30,
    segment_frauds=10,
    latency_ms=20.0,
    batch_rows=1000,
)
DAYS, A_DAY = 28, 200
FAST = np.full(50, 5.0)


def window(seed=1, rate=0.04):
    random = np.random.default_rng(seed)
    rows = DAYS * A_DAY
    channel = random.choice(["Chip", "Online", "Swipe"], rows, p=[0.5, 0.48, 0.02])
    return Window(
        day=20_000 + np.arange(rows) // A_DAY,
        label=(random.random(rows) < rate).astype(np.int8),
        segments={"channel": channel},
    )


def side(of, name, skill, seed, where=None):
    """A model that lifts frauds by ``skill`` (elsewhere by 3) out of noise of its own."""
    random = np.random.default_rng(seed)
    lift = np.full(len(of.label), float(skill)) if where is None else np.where(where, skill, 3.0)
    score = 1 / (1 + np.exp(-(random.normal(size=len(of.label)) + lift * of.label - 3)))
    return Side(name, score, 0.5)


def judged(of, champion, challenger, **other):
    words = {"latencies_ms": FAST, "loaded": Loaded(), "bounds": BOUNDS, **other}
    return decide(of, champion, challenger, **words)


def failed(decision):
    return {check.name for check in decision.checks if check.verdict == "failed"}


def test_a_better_challenger_passes_every_check():
    of = window()
    found = judged(of, side(of, "version 1", 1.5, 2), side(of, "version 2", 3.5, 3))
    assert found.promoted
    assert failed(found) == set()
    assert found.reason == "passed 7 checks against version 1"
    assert [c.name for c in found.checks if c.verdict == "not judged"] == ["channel Swipe"]


def test_a_worse_challenger_is_neither_better_nor_cheaper():
    of = window()
    found = judged(of, side(of, "version 1", 3.5, 2), side(of, "version 2", 1.5, 3))
    assert not found.promoted
    assert {"average precision", "cost", "channel Chip", "channel Online"} == failed(found)
    assert "not better" in found.reason


def test_the_same_model_again_is_not_better():
    of = window()
    same = side(of, "version 1", 3.0, 2)
    found = judged(of, same, replace(same, name="version 2"))
    assert failed(found) == {"average precision"}


def test_better_overall_but_worse_in_a_segment_is_refused():
    of = window()
    online = of.segments["channel"] == "Online"
    champion = side(of, "version 1", 1.0, 2, where=~online)
    challenger = side(of, "version 2", 1.0, 3, where=online)
    chip_heavy = Window(
        of.day, np.where(online & (np.arange(len(online)) % 3 > 0), 0, of.label), of.segments
    )
    found = judged(chip_heavy, champion, challenger)
    assert "channel Online" in failed(found)
    assert {"average precision", "channel Chip"} & failed(found) == set()
    assert not found.promoted


def test_a_slow_challenger_is_refused_for_its_slowest_tries():
    of = window()
    sides = side(of, "version 1", 1.5, 2), side(of, "version 2", 3.5, 3)
    slow = np.where(np.arange(50) < 5, 30.0, 5.0)
    found = judged(of, *sides, latencies_ms=slow)
    assert failed(found) == {"latency"}
    assert "p99 30.0 ms" in found.reason


@pytest.mark.parametrize(
    "loaded", [Loaded(problem="model.txt: not the file that was registered"), Loaded(1e-6)]
)
def test_a_challenger_that_does_not_load_or_answers_otherwise_is_refused(loaded):
    of = window()
    sides = side(of, "version 1", 1.5, 2), side(of, "version 2", 3.5, 3)
    found = judged(of, *sides, loaded=loaded)
    assert failed(found) == {"clean load"}
    assert (loaded.problem or "1e-06") in found.reason


@pytest.mark.parametrize(("days", "rate"), [(6, 0.4), (28, 0.004)])
def test_too_few_labels_shut_the_gate_and_judge_nothing_else(days, rate):
    whole = window(rate=rate)
    keep = whole.day < 20_000 + days
    of = Window(whole.day[keep], whole.label[keep], {"channel": whole.segments["channel"][keep]})
    found = judged(of, side(of, "version 1", 1.5, 2), side(of, "version 2", 3.5, 3))
    assert failed(found) == {"labels"}
    assert [check.name for check in found.checks] == ["clean load", "latency", "labels"]


def test_a_threshold_that_floods_the_analysts_fails_by_its_cost_alone():
    of = window()
    champion, challenger = side(of, "version 1", 1.5, 2), side(of, "version 2", 3.5, 3)
    found = judged(of, champion, replace(challenger, threshold=np.inf))
    assert failed(found) == {"cost"}


def test_the_first_model_has_nobody_to_beat_but_chance():
    of = window()
    nobody = Side.nobody(len(of.day))
    assert judged(of, nobody, side(of, "version 1", 2.0, 3)).promoted
    random = np.random.default_rng(5).random(len(of.day))
    blind = judged(of, nobody, Side("version 1", random, 0.5))
    assert {"average precision", "cost"} <= failed(blind)


def test_the_same_seed_decides_the_same():
    of = window()
    sides = side(of, "version 1", 2.0, 2), side(of, "version 2", 2.2, 3)
    assert judged(of, *sides, seed=4) == judged(of, *sides, seed=4)


# ── Paired ───────────────────────────────────────────────────────────────────────────────────────

rows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0])),
    min_size=1,
    max_size=40,
)


@given(rows, st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_average_precision_of_a_draw_is_that_of_its_rows_repeated(given_rows, times):
    day, label, score = map(np.array, zip(*given_rows, strict=True))
    repeated = np.repeat(np.arange(len(day)), np.array(times)[day])
    (found,) = average_precisions(day, label, score, np.array(times)[:, None])
    if label[repeated].sum() == 0:
        assert np.isnan(found)
    else:
        expected = average_precision_score(label[repeated], score[repeated])
        assert found == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 30), st.integers(1, 20), st.integers(0, 5))
def test_a_draw_has_as_many_days_as_there_are(days, times, seed):
    found = draws(days, times, seed)
    assert found.shape == (days, times + 1)
    assert (found.sum(axis=0) == days).all()
    assert (found[:, 0] == 1).all()


@given(rows, st.integers(1, 6))
def test_costs_by_day_are_those_that_the_threshold_was_chosen_by(given_rows, capacity):
    day, label, score = map(np.array, zip(*given_rows, strict=True))
    costs = Costs(7.0, 2.0, capacity)
    _, day = np.unique(day, return_inverse=True)
    chosen = cheapest(Scored(day, day, label, score), costs)
    days = day.max() + 1
    found = costs_by_day(day, label, score, chosen.score, costs, days)
    assert found.mean() == pytest.approx(chosen.cost)
