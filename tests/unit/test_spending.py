"""Categories and amounts: what the models look at, what they say, how they are kept and loaded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_jobs.bench.lake import make_lake
from batch_jobs.promotion import promote, roll_back
from batch_jobs.promotion.job import CHECKS
from batch_jobs.retrain import retrain_spending
from batch_jobs.train.reading import read
from batch_jobs.train.spending import Asked
from finlake.cli import main, root
from finlake.errors import FinlakeError
from infra.settings import load_settings
from models.artifact import digest, load
from models.features import NAMES as OF_FRAUD
from models.features import Events, compute
from models.features.catalogue import EVERY, HABITS
from models.features.marks import marked
from models.features.needs import known_without
from models.features.single import history_of
from models.features.view import DAY
from models.lifecycle.card import FILE
from models.registry import (
    AMOUNT,
    CATEGORY,
    CHALLENGER,
    CHAMPION,
    NAMES,
    PREVIOUS,
    Registry,
    load_amount,
    load_category,
)
from models.spending.amount import LEVELS, Amount, without_category
from models.spending.amount import NAMES as OF_AMOUNT
from models.spending.category import EVIDENCE, Category
from models.spending.evidence import HIDDEN as NO_CATEGORY
from models.spending.judging import pinball, ranges_before
from models.spending.learning import learn_amount, learn_category
from models.spending.plan import Plan, draw
from models.training.split import day_number
from tests.unit.feature_world import START, event, events
from tests.unit.model_world import ORIGIN

worlds = st.lists(event, min_size=2, max_size=30).map(
    lambda rows: {100 - place: row for place, row in enumerate(rows)}
)
FIRST, LAST = date(2018, 1, 1), date(2018, 5, 30)
MCC = np.array([5411, 5541, 5812, 4829])
TYPICAL = np.array([60.0, 35.0, 18.0, 400.0])


def world(rows: int = 9000, seed: int = 4) -> Events:
    """Sixty customers with a favourite category each, who pay what is usual in it."""
    random = np.random.default_rng(seed)
    ts = day_number(FIRST) * DAY + np.sort(random.integers(0, 150 * DAY, rows))
    card = random.integers(0, 60, rows)
    kind = np.where(random.random(rows) < 0.6, card % 4, random.integers(0, 4, rows))
    merchant = kind * 50 + random.integers(0, 50, rows)
    price = 0.5 + (merchant % 50) / 50
    dollars = TYPICAL[kind] * price * np.exp(random.normal(0, 0.3, rows))
    dollars[random.random(rows) < 0.05] *= -1
    columns = {
        "id": np.arange(rows),
        "ts": ts,
        "card": card,
        "customer": card,
        "merchant": merchant,
        "mcc": MCC[kind],
        "cents": np.round(dollars * 100).astype(np.int64),
        "channel": random.integers(0, 3, rows),
    }
    return Events.of(columns).ordered()


@pytest.fixture(scope="module")
def learnt():
    """The world, its plan, and both models with their test's rows."""
    found = world()
    plan = Plan.of(found, None, None, 20)
    return found, plan, learn_category(found, plan, 1), learn_amount(found, plan, 1)


# ── What they look at ────────────────────────────────────────────────────────────────────────────


def test_features_that_need_the_amount_or_the_category_are_told_from_the_others():
    assert {"hour", "mcc", "card_mean_30d", "card_mcc_last", "merchant_count_7d"} <= set(OF_AMOUNT)
    assert not {"amount", "is_unusual", "card_ratio_30d", "card_same_amount"} & set(OF_AMOUNT)
    assert not {"is_declined", "error_balance"} & set(OF_AMOUNT)
    without = known_without(NO_CATEGORY, list(EVERY))
    assert {"amount", "hour", "card_merchant_last"} <= set(without)
    assert not {"mcc", "mcc_word", "card_mcc_seen", "customer_mcc_mean_90d"} & set(without)
    with pytest.raises(KeyError):
        compute(Events.none(), Events.none().without(["cents"]), names=["amount"])


@settings(max_examples=60)
@given(worlds, st.integers(-(10**6), 10**6), st.integers(0, 127))
def test_the_amount_of_a_row_changes_nothing_that_its_model_sees(rows, cents, errors):
    history = marked(events(rows))
    last = history.take(slice(len(history) - 1, len(history)))
    other = {**last.columns, "cents": np.array([cents]), "errors": np.array([errors])}
    changed = Events.of({n: v for n, v in other.items() if n != "band"})
    before, after = (compute(history, row, names=OF_AMOUNT) for row in (last, changed))
    assert all(before[name].tobytes() == after[name].tobytes() for name in OF_AMOUNT)


@settings(max_examples=60)
@given(worlds)
def test_habits_say_what_plain_loops_say(rows):
    history = marked(events(rows))
    found = compute(history, history, names=[one.name for one in HABITS])
    columns = ("id", "ts", "card", "customer", "merchant", "mcc", "cents")
    plain = [{n: history[n][place].item() for n in columns} for place in range(len(history))]
    for place, row in enumerate(plain):
        seen = [
            other
            for other in plain
            if (other["ts"], other["id"]) < (row["ts"], row["id"])
            and other["ts"] >= row["ts"] - 90 * DAY
        ]

        def like(*names, seen=seen, row=row):
            return [other for other in seen if all(other[n] == row[n] for n in names)]

        assert found["customer_mcc_seen"][place] == len(like("customer", "mcc"))
        assert found["merchant_mcc_seen"][place] == len(like("merchant", "mcc"))
        for name, who in (
            ("card_mcc", ("card", "mcc")),
            ("customer_mcc", ("customer", "mcc")),
            ("card_merchant", ("card", "merchant")),
            ("merchant_any", ("merchant",)),
            ("card", ("card",)),
        ):
            last = like(*who)[-1]["cents"] / 100 if like(*who) else np.nan
            assert found[f"{name}_last"][place] == pytest.approx(last, nan_ok=True)


@settings(max_examples=40)
@given(worlds)
def test_a_lookup_finds_what_habits_look_at(rows):
    history = marked(events(rows))
    asked = history.take(slice(len(history) // 2, len(history)))

    def lookup(column, key, since, until):
        there = (history[column] == key) & (history["ts"] >= since) & (history["ts"] <= until)
        return history.take(there)

    names = [one.name for one in HABITS]
    gathered = history_of(asked, lookup, features=HABITS)
    whole, part = (compute(seen, asked, names=names) for seen in (history, gathered))
    assert all(whole[name].tobytes() == part[name].tobytes() for name in names)


# ── Which days ───────────────────────────────────────────────────────────────────────────────────


@given(st.integers(28, 3000), st.integers(0, 40))
def test_days_follow_one_another_and_the_test_is_last(days, chosen):
    ts = np.array([0, (days - 1) * DAY]) + START
    found = Events.of({"id": np.arange(2), "ts": ts})
    if chosen and days < 4 * chosen:
        with pytest.raises(FinlakeError, match="load more history"):
            Plan.of(found, None, None, chosen)
        return
    plan = Plan.of(found, None, None, chosen or None)
    assert plan.tested[1] == plan.last
    assert (plan.tested[1] - plan.tested[0]).days + 1 == plan.test_days
    assert (plan.tested[0] - plan.validated[1]).days == 1
    assert (plan.validated[0] - plan.learnt[1]).days == 1
    assert plan.learnt[0] == plan.trained[0] == plan.first
    assert plan.trained[1] == plan.validated[1]


def test_rows_are_drawn_from_their_days_and_again_the_same():
    found = world(2000)
    days = (date(2018, 2, 1), date(2018, 2, 28))
    rows = draw(found, days, 100, 3, found["cents"] > 0)
    assert len(rows) == 100
    assert (np.diff(rows) > 0).all()
    assert (found["cents"][rows] > 0).all()
    assert set(found["ts"][rows] // DAY) <= set(range(day_number(days[0]), day_number(days[1]) + 1))
    assert np.array_equal(rows, draw(found, days, 100, 3, found["cents"] > 0))
    assert not np.array_equal(rows, draw(found, days, 100, 4, found["cents"] > 0))


# ── Categories ───────────────────────────────────────────────────────────────────────────────────


def test_the_merchants_past_tells_the_category_and_habits_tell_it_without(learnt):
    _, _, (model, rows), _ = learnt
    known = model.best(model.probabilities(rows.seen, rows.situation), 3)
    assert (known.category[:, 0] == rows.mcc).mean() > 0.97
    blind = model.best(model.probabilities(rows.seen, np.full(len(rows.mcc), 2)), 3)
    customer = model.classes[rows.seen.counts[1].argmax(axis=1)]
    right = (blind.category[:, 0] == rows.mcc).mean()
    assert right > (customer == rows.mcc).mean()
    assert ((blind.probability >= 0) & (blind.probability <= 1)).all()
    assert (np.diff(blind.probability, axis=1) <= 0).all()


def test_a_row_is_told_alone_as_among_ten_thousand(learnt):
    found, _, (model, rows), _ = learnt
    history, asked = marked(found), found.take(rows.position)
    every = model.predict(history, asked, most=4)
    assert np.allclose(every.probability.sum(axis=1), 1.0)
    for place in (0, 7, len(asked) - 1):
        one = model.predict(history, asked.take(slice(place, place + 1)), most=4)
        assert np.array_equal(one.category[0], every.category[place])
        assert one.probability[0] == pytest.approx(every.probability[place], rel=1e-12)
    many = Events.join([asked] * (10_000 // len(asked) + 1)).take(slice(0, 10_000))
    assert model.predict(history, many).category.shape == (10_000, 3)
    assert model.predict(history, asked.take(slice(0, 0))).category.shape == (0, 3)


def test_its_own_category_is_not_looked_at(learnt):
    found, _, (model, rows), _ = learnt
    history, asked = marked(found), found.take(rows.position[:50])
    other = Events({**asked.columns, "mcc": np.full(50, -1), "mcc_word": np.full(50, 3)})
    same = [model.predict(history, one) for one in (asked, other)]
    assert np.array_equal(same[0].category, same[1].category)
    assert np.array_equal(same[0].probability, same[1].probability)


def test_reasons_add_up_to_how_much_likelier_the_first_guess_is(learnt):
    found, _, (model, rows), _ = learnt
    history, asked = marked(found), found.take(rows.position[:20])
    guess = model.predict(history, asked, most=2)
    odds = np.log(guess.probability[:, 0] / guess.probability[:, 1])
    for reasons, expected in zip(model.explain(history, asked), odds, strict=True):
        assert sum(one.log_odds for one in reasons) == pytest.approx(expected, abs=1e-6)
        sizes = [abs(one.log_odds) for one in reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert {one.evidence for one in reasons} <= set(EVIDENCE)


@pytest.mark.parametrize(
    "unknown",
    [
        {"merchant": -1},
        {"merchant": 10**6},
        {"customer": -1, "card": -1},
        {"customer": 10**6, "card": 10**6},
        {"cents": 10**12},
        {"cents": -(10**12)},
        {"channel": -1},
        {"ts": 0},
        {"ts": 2**60},
    ],
    ids=str,
)
def test_what_nobody_knows_still_has_a_category_and_an_amount(learnt, unknown):
    found, _, (model, rows), (amounts, _) = learnt
    history, asked = marked(found), found.take(rows.position[:30])
    columns = asked.columns | {n: np.full(30, v, asked[n].dtype) for n, v in unknown.items()}
    odd = Events.of({n: v for n, v in columns.items() if n != "band"})
    guess = model.predict(history, odd, most=4)
    assert np.isfinite(guess.probability).all()
    assert np.allclose(guess.probability.sum(axis=1), 1.0)
    if {"merchant", "customer"} & set(unknown):
        sure = model.predict(history, asked).probability[:, 0]
        assert guess.probability[:, 0].mean() <= sure.mean() + 1e-9
    told = amounts.predict(history, odd)
    assert all(np.isfinite(part).all() for part in told)
    assert (told.low <= told.middle).all()
    assert (told.middle <= told.high).all()


def test_one_category_alone_is_refused():
    found = world(2000)
    same = Events({**found.columns, "mcc": np.full(len(found), 5411)})
    with pytest.raises(FinlakeError, match="all of the same; load more history"):
        learn_category(same, Plan.of(same, None, None, 20), 0)


def test_few_transactions_are_refused():
    found = world(300)
    plan = Plan.of(found, None, None, 20)
    with pytest.raises(FinlakeError, match=r"silver\.transactions: \d+ transactions from .* 200"):
        learn_category(found, plan, 0)
    with pytest.raises(FinlakeError, match=r"silver\.transactions: \d+ purchases from .* 200"):
        learn_amount(found, plan, 0)


# ── Amounts ──────────────────────────────────────────────────────────────────────────────────────


def test_amounts_are_nearer_than_the_medians_and_the_interval_holds(learnt):
    found, plan, _, (model, rows) = learnt
    told = model.ranges(rows.of(model.features))
    before = found.take(draw(found, plan.trained, 10**6, 0, found["cents"] > 0))
    simple = ranges_before(before, found.take(rows.position), ("card", "mcc"))
    assert np.abs(rows.dollars - told.middle).mean() < np.abs(rows.dollars - simple.middle).mean()
    inside = ((rows.dollars >= told.low) & (rows.dollars <= told.high)).mean()
    assert 0.85 < inside < 0.95
    assert (told.low <= told.middle).all()
    assert (told.middle <= told.high).all()
    assert (found["cents"][rows.position] > 0).all()


def test_an_amount_without_a_category_has_an_interval_that_holds(learnt):
    found, _, _, (model, rows) = learnt
    values = rows.of(model.features)
    unknown = model.ranges(without_category(model.features, values))
    inside = ((rows.dollars >= unknown.low) & (rows.dollars <= unknown.high)).mean()
    assert 0.8 < inside < 0.97
    history, asked = marked(found), found.take(rows.position)
    bare = Events({**asked.columns, "mcc": np.full(len(asked), -1)})
    assert np.array_equal(model.predict(history, bare).middle, unknown.middle)


def test_an_amount_is_told_alone_as_among_others_and_from_features_as_in_training(learnt):
    found, _, _, (model, rows) = learnt
    history, asked = marked(found), found.take(rows.position)
    every = model.predict(history, asked)
    assert np.array_equal(every.middle, model.ranges(rows.of(model.features)).middle)
    one = model.predict(history, asked.take(slice(3, 4)))
    assert [part[0] for part in one] == [part[3] for part in every]
    assert model.predict(history, asked.take(slice(0, 0))).low.shape == (0,)
    assert model.explain(history, asked.take(slice(0, 0))) == []


def test_what_moves_an_amount_is_named(learnt):
    found, _, _, (model, rows) = learnt
    pushes = model.explain(marked(found), found.take(rows.position[:10]), most=3)
    assert [len(one) for one in pushes] == [3] * 10
    assert {push.feature for one in pushes for push in one} <= set(model.features)
    assert all(push.factor > 0 for one in pushes for push in one)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30), st.sampled_from(LEVELS))
def test_pinball_loss_is_least_at_the_quantile(values, level):
    truth = np.array(values, float)
    at = np.quantile(truth, level, method="inverted_cdf")
    best = pinball(truth, np.full(len(truth), at), level).mean()
    for other in (at - 3.0, at + 3.0, 0.0):
        assert best <= pinball(truth, np.full(len(truth), other), level).mean() + 1e-9


def test_quantiles_of_few_purchases_are_those_of_the_wider_kind():
    card = np.repeat([1, 2], [40, 5])
    cents = np.concatenate([np.arange(40) * 100 + 100, np.full(5, 99_900)])
    past = Events.of({"id": np.arange(45), "card": card, "mcc": np.full(45, 7), "cents": cents})
    asked = Events.of({"id": np.arange(3), "card": np.array([1, 2, 2]), "mcc": np.array([7, 7, 9])})
    told = ranges_before(past, asked, ("card", "mcc"))
    assert told.middle[0] == 21.0  # half of card 1's own
    assert told.middle[1] == 23.0  # of the category's
    assert told.middle[2] == np.median(cents) / 100  # of all


# ── Kept and loaded ──────────────────────────────────────────────────────────────────────────────


def test_a_saved_model_says_the_same_and_the_same_training_has_the_same_bytes(learnt, tmp_path):
    found, plan, (category, rows), (amount, bought) = learnt
    first = category.save(tmp_path / "a", ORIGIN), amount.save(tmp_path / "b", ORIGIN)
    again = (
        learn_category(found, plan, 1)[0].save(tmp_path / "c", ORIGIN),
        learn_amount(found, plan, 1)[0].save(tmp_path / "d", ORIGIN),
    )
    assert first == again
    other = learn_amount(found, plan, 2)[0].save(tmp_path / "e", ORIGIN)
    assert other != first[1]
    loaded, prices = Category.load(tmp_path / "a", first[0]), Amount.load(tmp_path / "b", first[1])
    assert np.array_equal(
        loaded.probabilities(rows.seen, rows.situation),
        category.probabilities(rows.seen, rows.situation),
    )
    values = bought.of(amount.features)
    assert np.array_equal(prices.ranges(values).high, amount.ranges(values).high)
    assert prices.features == amount.features
    assert digest(tmp_path / "a") == first[0]


def test_a_changed_or_broken_file_is_refused(learnt, tmp_path):
    _, _, (category, _), (amount, _) = learnt
    for model, kind in ((category, Category), (amount, Amount)):
        folder = tmp_path / kind.__name__
        sha256 = model.save(folder, ORIGIN)
        facts = json.loads((folder / "model.json").read_text())
        with pytest.raises(FinlakeError, match="does not load"):
            load(folder)  # as a model of fraud
        other = Amount if kind is Category else Category
        with pytest.raises(FinlakeError, match="does not load"):
            other.load(folder)
        (folder / "model.json").write_text(json.dumps(facts | {"seed": 99}))
        kind.load(folder)
        with pytest.raises(FinlakeError, match="so it was changed after it was registered"):
            kind.load(folder, sha256)
        (folder / "model.json").write_text((folder / "model.json").read_text()[:300])
        with pytest.raises(FinlakeError, match="does not load"):
            kind.load(folder)
    broken = tmp_path / "broken"
    amount.save(broken, ORIGIN)
    (broken / "member-1.txt").write_text("tree")
    with pytest.raises(FinlakeError, match=r"member-1\.txt is not what model\.json says"):
        Amount.load(broken)


@pytest.mark.parametrize(
    ("name", "value"),
    [("weights", {}), ("classes", [2, 1]), ("classes", [5]), ("share", [0.1]), ("edges", [3, 2])],
)
def test_facts_that_do_not_fit_are_refused(learnt, tmp_path, name, value):
    _, _, (category, _), _ = learnt
    category.save(tmp_path, ORIGIN)
    facts = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(facts | {name: value}))
    with pytest.raises(FinlakeError, match="does not load"):
        Category.load(tmp_path)


def test_habits_are_no_features_of_fraud():
    assert not {one.name for one in HABITS} & set(OF_FRAUD)


# ── From the lake to the registry ────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home with a lake, and what the command said of both models."""
    home = tmp_path_factory.mktemp("home")
    make_lake(load_settings(home=home), 20_000, seed=4)
    said = {}
    for what in ("category", "amount"):
        words = ["train", what, "--test-days", "400", "--alias", "champion", "--json"]
        done = CliRunner().invoke(root, words, env={"FINLAKE_HOME": str(home)})
        assert done.exit_code == 0, done.output
        said[what] = json.loads(done.stdout)
    return load_settings(home=home), said


@pytest.mark.slow
def test_both_are_champions_of_their_own_names_and_predict(trained):
    settings, said = trained
    category, amount = load_category(settings), load_amount(settings)
    assert (category.name, category.version) == (CATEGORY, 1)
    assert (amount.name, amount.version) == (AMOUNT, 1)
    assert Registry(settings).versions() == []  # none of fraud
    history = marked(read(settings).events)
    asked = history.take(slice(len(history) - 500, len(history)))
    guess = category.predict(history, asked)
    assert (guess.category[:, 0] == asked["mcc"]).mean() > 0.3
    told = amount.predict(history, asked)
    bought = asked["cents"] > 0
    inside = (asked["cents"] / 100 >= told.low) & (asked["cents"] / 100 <= told.high)
    assert inside[bought].mean() > 0.8
    for what, model in (("category", category), ("amount", amount)):
        assert model.facts["trained"] == said[what]["trained"]
        assert said[what]["sha256"] == digest(Registry(settings, said[what]["name"]).fetch(1)[1])


@pytest.mark.slow
def test_their_runs_hold_figures_and_pictures(trained):
    settings, said = trained
    pictures = {
        "category": {"accuracy", "calibration", "confusion", "evidence"},
        "amount": {"coverage", "intervals", "shap_summary"},
    }
    for what, one in said.items():
        client = Registry(settings).client
        run = client.get_run(one["run"])
        assert run.info.status == "FINISHED"
        assert run.data.tags["kind"] == what
        assert "delta.silver.transactions" in run.data.params
        first = one["test"][0]["metrics"]
        name = "accuracy" if what == "category" else "coverage"
        assert run.data.metrics[name] == first[name]
        files = {item.path: item.file_size for item in client.list_artifacts(one["run"], "plots")}
        assert set(files) == {f"plots/{name}.png" for name in pictures[what]}
        assert min(size for size in files.values() if size) > 10_000
    named = {(one["rows"], one["name"]) for one in said["category"]["test"]}
    assert ("all", "commonest of the merchant") in named
    assert ("no merchant", "commonest of the customer") in named
    named = {(one["rows"], one["name"]) for one in said["amount"]["test"]}
    assert ("all", "median of card and category") in named


@pytest.mark.slow
def test_the_command_shows_a_table_and_makes_the_same_model(trained, monkeypatch, capsys):
    settings, said = trained
    monkeypatch.setenv("FINLAKE_HOME", str(settings.home))
    assert main(["train", "category", "--test-days", "400"]) == 0
    shown = capsys.readouterr().out
    sha256 = said["category"]["sha256"]
    assert f"finlake-category 2 as challenger, sha256 {sha256[:12]}" in shown
    assert "commonest of the customer" in shown


@pytest.mark.slow
def test_what_cannot_be_done_is_said_in_one_line(trained, monkeypatch, capsys):
    settings, _ = trained
    monkeypatch.setenv("FINLAKE_HOME", str(settings.home))
    assert main(["train", "amount", "--kind", "xgboost"]) == 2
    assert "--kind is for fraud alone" in capsys.readouterr().err
    assert main(["train", "category", "--test-days", "2000"]) == 1
    assert "and a test of 2000 days needs 8000" in capsys.readouterr().err
    assert main(["train", "amount", "--from", "2019-10-01"]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "load more history" in said
    with pytest.raises(FinlakeError, match="`finlake train amount --alias challenger` makes one"):
        load_amount(settings, "challenger")


# ── The gate ─────────────────────────────────────────────────────────────────────────────────────

GATE = {"gate_days": 400, "gate_latency_ms": 5000}


def quiet(_):
    """Progress that nobody reads."""


@pytest.fixture
def gate(trained, monkeypatch):
    """Settings whose gate a small lake can pass, without a champion or challenger of any name."""
    monkeypatch.setattr(import_module("batch_jobs.promotion.contest"), "_TRIES", 3)
    settings = load_settings(home=trained[0].home, **GATE)
    for name in (CATEGORY, AMOUNT):
        registry = Registry(settings, name)
        for alias in (CHAMPION, CHALLENGER, PREVIOUS):
            if registry.version(alias):
                registry.set_alias(alias, 0)
    return settings


@pytest.mark.slow
@pytest.mark.parametrize("what", ["category", "amount"])
def test_a_model_that_knows_something_passes_the_gate_and_the_same_again_does_not(gate, what):
    registry = Registry(gate, NAMES[what])
    taken = promote(gate, quiet, 1, what=what)
    assert (taken.promoted, registry.version(CHAMPION)) == (True, 1), taken.reason
    names = {check.name for check in taken.checks}
    assert {"clean load", "latency", "transactions", "loss", "channel Online"} <= names
    assert ("coverage" in names) == (what == "amount")
    assert ("merchant known merchant" in names) == (what == "category")
    again = registry.register(registry.fetch(1).folder)
    refused = promote(gate, quiet, again, what=what)
    assert (refused.promoted, registry.version(CHAMPION)) == (False, 1)
    assert [c.name for c in refused.checks if c.verdict == "failed"] == ["loss"]
    tags = {one.number: one.tags for one in registry.versions()}
    assert tags[1]["decision"] == "promote: promoted"
    assert (tags[again]["decision"], tags[again]["reason"]) == ("promote: refused", refused.reason)
    card, kept = registry.text(again, FILE), registry.text(again, CHECKS)
    assert card
    assert kept
    assert card.startswith(f"# Model card: {NAMES[what]} {again}\n")
    assert "## At the gate, against version 1" in card
    assert all(f"| {check.name} |" in card for check in refused.checks)
    assert all(f"`{name}`" in card for name in registry.open(again).features)
    assert ("no refund" in card) == (what == "amount")
    assert [check["name"] for check in json.loads(kept)] == [check.name for check in refused.checks]


@pytest.mark.slow
def test_one_that_guesses_worse_or_does_not_load_is_refused_and_the_way_back_is_open(
    gate, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("FINLAKE_HOME", str(gate.home))
    good = load_amount(gate, 1)
    first, last = map(date.fromisoformat, good.facts["trained"])
    origin = replace(ORIGIN, trained=(first, last))
    off = Amount(good.features, good.members, tuple(s + 1.0 for s in good.shifts), {})
    off.save(tmp_path / "off", origin)
    registry = Registry(gate, AMOUNT)
    worse = registry.register(tmp_path / "off")
    registry.set_alias(CHAMPION, 1)
    refused = promote(gate, quiet, worse, what="amount")
    failed = {check.name for check in refused.checks if check.verdict == "failed"}
    assert {"loss", "coverage", "channel Online"} <= failed
    capsys.readouterr()
    assert main(["models", "card", str(worse), "--of", "amount"]) == 0
    assert capsys.readouterr().out.startswith(f"# Model card: finlake-amount {worse}\n")
    unseen = registry.register(tmp_path / "off")
    assert main(["models", "card", str(unseen), "--of", "amount"]) == 1
    assert "has no card yet" in capsys.readouterr().err
    assert main(["promote", "amount", "--version", str(worse), "--force", "a drill"]) == 0
    assert registry.version(CHAMPION) == worse
    assert main(["promote", "amount", "--rollback"]) == 0
    assert registry.version(CHAMPION) == 1
    assert Registry(gate).versions() == []  # nothing was done to the model of fraud
    source = str(registry.client.get_model_version(AMOUNT, str(worse)).source)
    (Path(urlsplit(source).path) / "model.json").write_text("{}")
    shutil.rmtree(registry.fetch(worse).folder)
    broken = promote(gate, quiet, worse, what="amount")
    assert [check.name for check in broken.checks] == ["clean load"]
    assert "they were changed and are not loaded" in broken.reason
    capsys.readouterr()
    assert main(["models", "list", "--of", "amount"]) == 0
    assert "promote: refused" in capsys.readouterr().out
    assert main(["models", "show", "1", "--of", "amount"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "amount by quantiles"


@pytest.mark.slow
def test_there_has_to_be_a_challenger_and_something_to_judge_it_by(gate):
    with pytest.raises(FinlakeError, match="no challenger; `finlake train category` makes one"):
        promote(gate, quiet, what="category")
    with pytest.raises(FinlakeError, match="there is no previous champion to go back to"):
        roll_back(gate, quiet, "amount")
    few = gate.model_copy(update={"gate_days": 7})
    refused = promote(few, quiet, 1, what="amount")
    assert [c.name for c in refused.checks if c.verdict == "failed"] == ["transactions"]


@pytest.mark.slow
def test_age_alone_calls_for_a_new_model_and_only_once_for_the_same_days(gate, tmp_path):
    asked = Asked("category", test_days=400)
    registry = Registry(gate, CATEGORY)
    registry.set_alias(CHAMPION, 1)
    young = retrain_spending(gate, asked, quiet, if_needed=True)
    assert str(young) == "not trained: nothing calls for it"
    year = date(2017, 1, 1), date(2017, 12, 31)
    origin = replace(ORIGIN, trained=(date(2010, 1, 1), date(2016, 12, 31)), tested=year)
    load_category(gate, 1).save(tmp_path / "old", origin)
    old = registry.register(tmp_path / "old")
    registry.set_alias(CHAMPION, old)
    made = retrain_spending(gate, asked, quiet, if_needed=True)
    assert made.reason.startswith(f"because transactions are 669 days newer than version {old}, ")
    assert made.outcome
    assert (made.outcome.action, made.outcome.version) == ("retrain", old + 1)
    registry.set_alias(CHAMPION, 0)
    again = retrain_spending(gate, asked, quiet, if_needed=True)
    assert str(again) == (
        f"not trained: there is no champion; but version {old + 1} has seen all days"
    )
    assert len(registry.versions()) == old + 1
