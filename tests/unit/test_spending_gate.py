"""The gate of categories and amounts against crafted losses."""

from __future__ import annotations

import numpy as np
import pytest

from models.lifecycle.gate import Bounds, Loaded
from models.lifecycle.spending import Guesser, Stretch, decide
from models.training.threshold import Costs

BOUNDS = Bounds(Costs(1, 1, 1), 0.95, 1, 1, latency_ms=20.0, batch_rows=1000)
DAYS, A_DAY = 14, 100
CHANNEL = np.random.default_rng(1).choice(
    ["Chip", "Online", "Swipe"], DAYS * A_DAY, p=[0.6, 0.37, 0.03]
)
ONLINE = CHANNEL == "Online"
STRETCH = Stretch(20_000 + np.arange(DAYS * A_DAY) // A_DAY, {"channel": CHANNEL})


def guesser(name, mean, seed, inside=None):
    """A model whose losses are about ``mean``, a number or one for each row."""
    random = np.random.default_rng(seed)
    return Guesser(name, mean + random.gamma(2.0, 0.2, len(CHANNEL)), inside)


def covered(share, seed=5):
    return np.random.default_rng(seed).random(len(CHANNEL)) < share


def judged(champion, challenger, of=STRETCH, **other):
    words = {"latencies_ms": np.full(50, 5.0), "loaded": Loaded(), "bounds": BOUNDS, **other}
    return decide(of, champion, challenger, **words)


def failed(decision):
    return {check.name for check in decision.checks if check.verdict == "failed"}


def test_one_that_loses_less_passes_and_small_segments_are_not_judged():
    found = judged(guesser("version 1", 1.0, 2), guesser("version 2", 0.9, 3))
    assert found.promoted
    assert found.reason == "passed 6 checks against version 1"
    assert [c.name for c in found.checks if c.verdict == "not judged"] == ["channel Swipe"]


def test_the_same_again_and_a_worse_one_are_refused():
    first = guesser("version 1", 1.0, 2)
    assert failed(judged(first, first)) == {"loss"}
    worse = judged(first, guesser("version 2", 1.2, 3))
    assert failed(worse) == {"loss", "channel Chip", "channel Online"}


def test_better_overall_but_worse_in_a_segment_is_refused():
    found = judged(guesser("version 1", 1.0, 2), guesser("version 2", 0.7 + 0.5 * ONLINE, 3))
    assert failed(found) == {"channel Online"}


@pytest.mark.parametrize(
    ("share", "refused"), [(0.80, True), (0.86, False), (0.90, False), (0.99, True)]
)
def test_an_interval_that_surely_does_not_hold_is_refused(share, refused):
    better = guesser("version 2", 0.9, 3, covered(share))
    found = judged(guesser("version 1", 1.0, 2, covered(0.9)), better)
    assert failed(found) == ({"coverage"} if refused else set())


@pytest.mark.parametrize(("days", "rows"), [(6, DAYS * A_DAY), (DAYS, 400)])
def test_too_little_to_judge_by_shuts_the_gate(days, rows):
    keep = (STRETCH.day < 20_000 + days) & (
        np.random.default_rng(1).permutation(len(ONLINE)) < rows
    )
    of = Stretch(STRETCH.day[keep], {"channel": CHANNEL[keep]})
    first, second = (Guesser(str(n), np.full(keep.sum(), 1.0 - n)) for n in (0, 1))
    found = judged(first, second, of)
    assert failed(found) == {"transactions"}
    assert [check.name for check in found.checks] == ["clean load", "latency", "transactions"]


def test_one_that_is_slow_or_answers_otherwise_elsewhere_is_refused():
    sides = guesser("version 1", 1.0, 2), guesser("version 2", 0.9, 3)
    assert failed(judged(*sides, latencies_ms=np.full(50, 30.0))) == {"latency"}
    assert failed(judged(*sides, loaded=Loaded(difference=1e-9))) == {"clean load"}


def test_the_same_seed_decides_the_same():
    sides = guesser("version 1", 1.0, 2), guesser("version 2", 0.99, 3)
    assert judged(*sides, seed=4) == judged(*sides, seed=4)
