"""Splits, metrics, thresholds and models against what they say in plain words."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from finlake.cli import root
from finlake.errors import FinlakeError, UsageProblem
from models.features import Events
from models.features.view import DAY
from models.training.handbook import read, weeks
from models.training.learners import KINDS, Recipe, fit
from models.training.matrix import informative
from models.training.metrics import Scored, card_precision, intervals, judge, recall_at_precision
from models.training.split import Protocol, blocked, day_number, split
from models.training.threshold import Costs, calibrate, cheapest

FIRST = date(2018, 4, 1)


def labelled(days, cards, labels):
    """One transaction for each entry, at noon of so many days after FIRST."""
    ts = (day_number(FIRST) + np.array(days)) * DAY + DAY // 2
    columns = {"id": np.arange(len(ts)), "ts": ts, "card": cards, "label": np.array(labels)}
    return Events.of(columns).ordered()


# ── Split ────────────────────────────────────────────────────────────────────────────────────────


def test_a_card_leaves_the_test_when_its_fraud_has_become_known():
    # Card 1: fraud in training. Card 2: fraud on day 8, known from day 16 on. Card 3: in the test.
    days = [0, 1, 8, 14, 14, 15, 16, 16, 15, 3, 14]
    cards = [1, 9, 2, 1, 2, 2, 2, 3, 3, 9, 9]
    labels = [1, 0, 1, 0, 0, 0, 0, 1, 0, -1, -1]
    events = labelled(days, cards, labels)
    found = split(events, FIRST)
    day = events["ts"] // DAY - day_number(FIRST)
    tested = sorted(zip(day[found.test].tolist(), events["card"][found.test].tolist(), strict=True))
    assert tested == [(14, 2), (15, 2), (15, 3), (16, 3)]
    assert sorted(day[found.train].tolist()) == [0, 1]


def test_a_card_comes_back_when_it_was_blocked_for_its_days():
    days = [0, 1, 14, 15, 16, 17, 14, 15, 16, 17]
    cards = [1, 9, 1, 1, 1, 1, 9, 9, 9, 9]
    labels = [1, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    events = labelled(days, cards, labels)
    found = split(events, FIRST, Protocol(7, 7, 7, blocked_days=9))
    day = events["ts"][found.test] // DAY - day_number(FIRST)
    # The fraud of day 0 is known from day 8 on, and blocks through day 16.
    assert day[events["card"][found.test] == 1].tolist() == [17]


rows_of_cards = st.lists(
    st.tuples(st.integers(0, 25), st.integers(-1, 2), st.sampled_from([-1, 0, 1]))
)


@given(
    rows_of_cards, st.integers(0, 9), st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)
)
def test_a_card_is_out_of_use_when_a_plain_loop_says_so(rows, delay, most, since):
    events = labelled(*zip(*rows, strict=True)) if rows else Events.none()
    first = day_number(FIRST)
    from_day = None if since is None else first + since
    found = blocked(events, np.arange(len(events)), delay, most, since=from_day)
    every = list(zip(events["ts"] // DAY - first, events["card"], events["label"], strict=True))
    assert found.tolist() == [
        any(
            other == card
            and label == 1
            and fraud < day - delay
            and (most is None or fraud >= day - delay - most)
            and (since is None or fraud >= since)
            for fraud, other, label in every
        )
        for day, card, _ in every
    ]


def test_a_split_without_frauds_says_which_days_and_why():
    with pytest.raises(FinlakeError, match="training from 2018-04-01 to 2018-04-07: 1 labelled"):
        split(labelled([0, 14, 15], [1, 2, 3], [0, 0, 1]), FIRST)


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 4), st.sampled_from([-1, 0, 1]))))
def test_nothing_unlabelled_or_of_other_days_gets_in(rows):
    fixed = [(0, 90, 1), (1, 91, 0), (14, 92, 1), (15, 93, 0)]
    events = labelled(*zip(*fixed, *rows, strict=True))
    found = split(events, FIRST)
    day = events["ts"] // DAY - day_number(FIRST)
    assert (events["label"][np.concatenate([found.train, found.test])] >= 0).all()
    assert set(day[found.train]) <= set(range(7))
    assert set(day[found.test]) <= set(range(14, 21))


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────


def test_a_card_that_was_found_is_blocked_on_later_days():
    scored = Scored(
        day=np.array([1, 1, 1, 2, 2, 2]),
        card=np.array([10, 11, 12, 10, 11, 12]),
        label=np.array([1, 0, 0, 1, 0, 1]),
        score=np.array([0.9, 0.8, 0.1, 0.9, 0.8, 0.7]),
    )
    # Day 1: cards 10 (found) and 11. Day 2, without 10: cards 11 and 12 (found).
    assert card_precision(scored, top=2) == (0.5 + 0.5) / 2


def test_a_card_counts_by_its_highest_score_and_any_fraud():
    scored = Scored(
        np.array([1, 1, 1]), np.array([1, 1, 2]), np.array([0, 1, 0]), np.array([0.9, 0.1, 0.5])
    )
    assert card_precision(scored, top=1) == 1.0


scores = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 5),
        st.booleans(),
        st.integers(0, 8).map(lambda eighth: eighth / 8),
    ),
    min_size=2,
    max_size=40,
)


def scored_of(rows):
    day, card, label, score = (np.array(column) for column in zip(*rows, strict=True))
    return Scored(day, card, label.astype(np.int64), score)


@given(scores, st.sampled_from([0.5, 0.9, 1.0]))
def test_recall_at_precision_is_the_best_of_all_thresholds(rows, precision):
    scored = scored_of([*rows, (0, 0, True, 0.5)])
    best = 0.0
    for level in set(scored.score.tolist()):
        alarm = scored.score >= level
        if scored.label[alarm].mean() >= precision:
            best = max(best, scored.label[alarm].sum() / scored.label.sum())
    assert recall_at_precision(scored.label, scored.score, precision) == pytest.approx(best)


def test_intervals_hold_the_figure_and_repeat():
    random = np.random.default_rng(1)
    label = random.random(3000) < 0.1
    rows = Scored(
        random.integers(0, 7, 3000),
        random.integers(0, 500, 3000),
        label.astype(np.int64),
        random.random(3000) + 0.5 * label,
    )
    found = intervals(rows, times=50)
    assert found == intervals(rows, times=50)
    for name, figure in judge(rows).items():
        assert found[name][0] < figure < found[name][1], name


# ── Thresholds ───────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=200)
@given(scores, st.integers(0, 20), st.integers(0, 5), st.integers(1, 6))
def test_no_threshold_is_cheaper(rows, missed, false, most):
    scored = scored_of(rows)
    found = cheapest(scored, Costs(missed, false, most))
    costs = {}
    for level in [*set(scored.score.tolist()), np.inf]:
        cost = 0.0
        for day in set(scored.day.tolist()):
            of_day = sorted(
                (-s, place)
                for place, (d, s) in enumerate(zip(scored.day, scored.score, strict=True))
                if d == day and s >= level
            )[:most]
            seen = [place for _, place in of_day]
            frauds = scored.label[seen].sum() if seen else 0
            cost += missed * (scored.label[scored.day == day].sum() - frauds)
            cost += false * (len(seen) - frauds)
        costs[level] = cost / len(set(scored.day.tolist()))
    assert found.cost == pytest.approx(min(costs.values()))
    assert costs[found.score] == pytest.approx(found.cost)


def test_costs_that_make_no_sense_are_refused():
    with pytest.raises(UsageProblem, match="must not be negative"):
        Costs(-1, 1, 10)


def test_probabilities_rise_with_the_score_and_mean_what_they_say():
    random = np.random.default_rng(3)
    score = random.random(20_000)
    label = (random.random(20_000) < score**2).astype(np.int64)
    learnt = calibrate(score[:10_000], label[:10_000])
    probability = learnt.probability(score[10_000:])
    for low, high in pairwise((0.0, 0.2, 0.4, 0.6, 0.8, 1.0)):
        group = (probability >= low) & (probability < high)
        assert probability[group].mean() == pytest.approx(label[10_000:][group].mean(), abs=0.03)
    assert (np.diff(learnt.probability(np.linspace(0, 1, 50))) >= 0).all()


# ── Models ───────────────────────────────────────────────────────────────────────────────────────


def problem(rows=1500, seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, 6)).astype(np.float32)
    values[:, 3] = 7.0
    values[:, 4] = values[:, 0]
    values[random.random(rows) < 0.1, 1] = np.nan
    label = (values[:, 0] + random.normal(size=rows) * 0.3 > 1.8).astype(np.int64)
    return values, label


def test_constant_and_repeated_columns_are_left_out():
    values, _ = problem()
    assert informative(values).tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize("balance", ["none", "weights", "undersampling"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_and_the_same_seed_gives_the_same_model(kind, balance):
    values, label = problem()
    fresh, truth = problem(seed=1)
    recipe = Recipe(kind, balance=balance, seeds=2)
    score = fit(recipe, values, label, seed=4).score(fresh)
    assert np.array_equal(score, fit(recipe, values, label, seed=4).score(fresh))
    assert score.min() >= 0
    assert score.max() <= 1
    assert judge(Scored(np.zeros(1500), np.arange(1500), truth, score))["AUC"] > 0.9


def test_an_unknown_kind_is_refused():
    with pytest.raises(UsageProblem, match="no kind of model magic; choose one of lightgbm"):
        Recipe("magic")


# ── The handbook's benchmark ─────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def transactions(tmp_path_factory):
    """A small world like the handbook's: dear frauds, and terminals that go bad for four weeks."""
    random = np.random.default_rng(9)
    rows = 30_000
    seconds = np.sort(random.integers(0, 50 * 86_400, rows))
    terminal = random.integers(0, 150, rows)
    begins = random.integers(0, 40, 150)
    bad = (terminal % 10 == 0) & (seconds // 86_400 - begins[terminal] < 28)
    bad &= seconds // 86_400 >= begins[terminal]
    amount = random.normal(60, 20, rows).clip(1)
    dear = random.random(rows) < 0.003
    amount[dear] *= 6
    table = pa.table(
        {
            "TRANSACTION_ID": np.arange(rows),
            "TX_DATETIME": np.datetime64("2018-04-01", "ns") + seconds.astype("m8[s]"),
            "CUSTOMER_ID": random.integers(0, 4000, rows),
            "TERMINAL_ID": terminal,
            "TX_AMOUNT": amount.round(2),
            "TX_FRAUD": (bad | dear).astype(np.int64),
        }
    )
    path = tmp_path_factory.mktemp("handbook") / "transactions.parquet"
    pq.write_table(table, path)
    return path


def test_the_protocol_finds_what_is_there_and_gives_the_same_figures_again(transactions):
    events = read(transactions)
    found = list(weeks(events, date(2018, 4, 29), count=2))
    assert [week.first_test_day for week in found] == [date(2018, 5, 13), date(2018, 5, 6)]
    # Bad terminals make far more than nine in a hundred frauds here; chance would give their share.
    assert all(w.metrics["average precision"] > 3 * w.frauds / w.transactions for w in found)
    assert found == list(weeks(events, date(2018, 4, 29), count=2))


def test_a_file_of_another_form_is_refused_in_one_line(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(UsageProblem, match=r"other\.parquet: cannot be read as the handbook's"):
        read(path)
    with pytest.raises(UsageProblem, match="cannot be read"):
        read(tmp_path / "none.parquet")


@pytest.mark.parametrize("start", [date(2018, 5, 1), date(2018, 3, 31)])
def test_days_outside_the_file_are_refused(transactions, start):
    said = rf"START={start}: needs the days .* the file has 2018-04-01 to 2018-05-20; START from"
    with pytest.raises(UsageProblem, match=f"{said} 2018-04-01 to 2018-04-30 fits"):
        next(weeks(read(transactions), start))


def test_a_file_of_too_few_days_says_so():
    with pytest.raises(UsageProblem, match="the file has 2018-04-01 to 2018-04-20; none fits"):
        next(weeks(labelled([0, 19], [1, 2], [0, 1]), FIRST))


def test_a_start_at_the_beginning_is_followed_by_the_weeks_after_it(transactions, monkeypatch):
    from models.training import handbook

    monkeypatch.setattr(handbook, "FEATURES", ("amount", "merchant_fraud_run"))
    events = read(transactions)
    starts = [week.start for week in weeks(events, date(2018, 4, 8), count=4)]
    assert starts == [date(2018, 4, day) for day in (8, 1, 15, 22)]
    starts = [week.start for week in weeks(events, date(2018, 4, 30), count=9)]
    assert starts == [date(2018, 4, day) for day in (30, 23, 16, 9, 2)]


def test_a_week_without_frauds_is_passed_over_unless_it_is_the_one_asked_for(monkeypatch):
    from models.training import handbook

    monkeypatch.setattr(handbook, "FEATURES", ("amount",))
    days = np.repeat(np.arange(42), 40)
    random = np.random.default_rng(1)
    events = labelled(days, random.integers(0, 900, len(days)), (random.random(len(days)) < 0.1))
    quiet = (events["ts"] // DAY - day_number(FIRST)) // 7 == 1  # no fraud in the second week
    label = np.where(quiet, 0, events["label"])
    events = Events({**events.columns, "label": label.astype(np.int8),
                     "cents": random.integers(100, 9000, len(days))})  # fmt: skip
    starts = [week.start for week in weeks(events, date(2018, 4, 15), count=4)]
    assert starts == [date(2018, 4, 15), date(2018, 4, 1), date(2018, 4, 22)]
    with pytest.raises(FinlakeError, match="training from 2018-04-08 to 2018-04-14: 280 labelled"):
        next(weeks(events, date(2018, 4, 8)))


def _written(path, transactions, **columns):
    table = pq.read_table(transactions)
    for name, change in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, change(table.column(name)))
    pq.write_table(table, path)
    return path


def test_other_types_and_numbers_that_come_twice_are_read_as_well(transactions, tmp_path):
    path = _written(
        tmp_path / "other.parquet",
        transactions,
        TRANSACTION_ID=lambda ids: pa.array(np.arange(len(ids)) // 2),
        CUSTOMER_ID=lambda ids: ids.cast(pa.string()),
        TX_FRAUD=lambda label: label.cast(pa.bool_()),
        TX_DATETIME=lambda moment: moment.cast(pa.timestamp("s"), safe=False).cast(pa.string()),
        TX_AMOUNT=lambda amount: amount.cast(pa.float32()),
    )
    first, other = read(transactions), read(path)
    for name in ("ts", "card", "merchant", "cents", "label"):
        assert np.array_equal(first[name], other[name]), name


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"TX_FRAUD": lambda x: pa.array(np.full(len(x), 2))}, "TX_FRAUD is not 0 or 1"),
        ({"TX_AMOUNT": lambda x: pa.array(np.full(len(x), np.nan))}, "TX_AMOUNT is no number"),
        ({"TERMINAL_ID": lambda x: pa.array(["t"] * len(x))}, "a column does not hold"),
        ({"TX_DATETIME": lambda x: pa.array(["May"] * len(x))}, "a column does not hold"),
        ({"CUSTOMER_ID": lambda x: pa.nulls(len(x), pa.int64())}, "CUSTOMER_ID has empty values"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_make_no_sense_are_refused_in_one_line(transactions, tmp_path, columns, said):
    path = _written(tmp_path / "bad.parquet", transactions, **columns)
    with pytest.raises(UsageProblem, match=said) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    pq.write_table(pq.read_table(transactions).slice(0, 0), path)
    with pytest.raises(UsageProblem, match="has no transaction"):
        read(path)


def test_the_benchmark_prints_its_three_figures(transactions):
    done = CliRunner().invoke(
        root, ["bench", "models", "--data", str(transactions), "--start", "2018-04-29"]
    )
    assert done.exit_code == 0, done.output
    for name in ("average precision", "card precision@100", "AUC"):
        assert re.search(rf"^START=2018-04-29  {name}  [01]\.\d{{4}}$", done.output, re.MULTILINE)
        assert re.search(rf"^4 weeks  {name}, mean  [01]\.\d{{4}}$", done.output, re.MULTILINE)
