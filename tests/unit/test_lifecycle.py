"""From the gate to retirement over a real lake, real models and MLflow's own database."""

from __future__ import annotations

import json
import shutil
from datetime import date
from importlib import import_module
from math import isfinite
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from prometheus_client import generate_latest

from batch_jobs.drift import health, note_health
from batch_jobs.drift.gauges import Gauges
from batch_jobs.history import History
from batch_jobs.promotion import describe, promote, roll_back
from batch_jobs.retrain import retrain
from batch_jobs.roles import NOBODY, note_roles
from batch_jobs.train import Asked
from batch_jobs.train.reading import read
from finlake.cli import main
from finlake.errors import FinlakeError, UsageProblem
from infra.lake.query import Query
from infra.settings import load_settings
from models.artifact import digest, load
from models.features.view import DAY
from models.lifecycle.card import FILE
from models.lifecycle.clean import load_cleanly
from models.lifecycle.drift import LEVELS, SCORE
from models.registry import CHALLENGER, CHAMPION, FRAUD, PREVIOUS, Registry
from models.training.prequential import BLOCKED_DAYS, DELAY_DAYS
from models.training.split import Protocol, split
from tests.unit.lifecycle_world import BOUNDS, TRAINED, blind, fill, good
from tests.unit.model_world import quick_learners


def quiet(_):
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Settings of a home with a lake, and its versions: 1 is good, 2 and 3 are blind."""
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(home=home, **BOUNDS)
    fill(settings)
    made = home / "made"
    assert good(settings, made / "good") == 1
    assert [blind(settings, made / f"blind-{seed}", seed) for seed in (3, 4)] == [2, 3]
    return settings


@pytest.fixture
def world(first, monkeypatch):
    """Those settings, with no alias given and no decision noted."""
    monkeypatch.setattr(
        import_module("batch_jobs.promotion.contest"), "_TRIES", 3
    )  # how fast it is, is not asked
    registry = Registry(first)
    for alias in (CHAMPION, CHALLENGER, PREVIOUS):
        if registry.version(alias):
            registry.set_alias(alias, 0)
    for table in ("model_decisions", "model_drift", "model_decay", "model_versions"):
        shutil.rmtree(first.home / "lake" / "gold" / table, ignore_errors=True)
    return first


def noted(settings, table, order):
    sql = f"SELECT * FROM gold.{table} ORDER BY {order}"
    return Query(settings).query(sql).to_pylist()


def serving(settings):
    return Registry(settings).version(CHAMPION)


# ── The gate ─────────────────────────────────────────────────────────────────────────────────────


def test_the_first_champion_has_to_be_better_than_chance_and_gets_a_card(world):
    refused = promote(world, quiet, 2)
    assert (refused.promoted, serving(world)) == (False, None)
    taken = promote(world, quiet, 1)
    assert (taken.promoted, serving(world)) == (True, 1)
    registry = Registry(world)
    run = str(registry.client.get_model_version(registry.name, "1").run_id)
    card = Path(registry.client.download_artifacts(run, FILE))
    assert card.read_text().startswith("# Model card: finlake-fraud 1\n")


def test_a_better_challenger_takes_over_and_a_worse_one_does_not(world):
    registry = Registry(world)
    registry.set_alias(CHAMPION, 2)
    registry.set_alias(CHALLENGER, 1)
    taken = promote(world, quiet)
    assert (taken.promoted, taken.champion, serving(world)) == (True, 2, 1)
    assert {check.name for check in taken.checks} >= {
        "clean load", "latency", "labels", "average precision", "cost", "channel Online",
    }  # fmt: skip
    refused = promote(world, quiet, 2)
    assert (refused.promoted, serving(world)) == (False, 1)
    assert "average precision" in refused.reason
    rows = noted(world, "model_decisions", "decided_at")
    assert [(r["model_version"], r["champion_version"], r["promoted"]) for r in rows] == [
        (1, 2, True),
        (2, 1, False),
    ]
    checks = json.loads(rows[1]["checks"])
    assert [check["name"] for check in checks] == [check.name for check in refused.checks]
    tags = {one.number: one.tags for one in registry.versions()}
    assert tags[1]["decision"] == "promote: promoted"
    assert (tags[2]["decision"], tags[2]["reason"]) == ("promote: refused", refused.reason)


def test_a_role_is_noted_when_it_changes_and_never_again(world):
    registry = Registry(world)
    registry.set_alias(CHAMPION, 1)
    registry.set_alias(CHALLENGER, 2)
    assert note_roles(world) == 2
    assert note_roles(world) == 0
    promote(world, quiet, force="a drill")
    rows = noted(world, "model_versions", "measured_at, model_version")
    assert [(r["model_version"], r["role"]) for r in rows] == [
        (1, CHAMPION),
        (2, CHALLENGER),
        (1, PREVIOUS),
        (2, CHAMPION),
    ]
    first = registry.load(1)
    assert (rows[2]["trained_from"], rows[2]["trained_until"]) == TRAINED
    assert (rows[2]["threshold"], rows[2]["features"]) == (first.threshold, len(first.features))
    assert json.loads(rows[2]["metrics"])["average precision"] == {"value": 0.5}
    registry.set_alias(PREVIOUS, 0)  # by hand
    assert note_roles(world) == 1
    assert noted(world, "model_versions", "measured_at")[-1]["role"] == NOBODY


def test_a_role_of_a_model_that_does_not_load_says_why(world):
    registry = Registry(world)
    registry.client.create_model_version(registry.name, "file:/nowhere", None)
    (*_, last) = registry.versions()
    try:
        registry.set_alias(CHALLENGER, last.number)
        assert note_roles(world) == 1
    finally:
        registry.set_alias(CHALLENGER, 0)
        registry.client.delete_model_version(registry.name, str(last.number))
    (row,) = noted(world, "model_versions", "measured_at")
    assert (row["role"], row["kind"], row["threshold"]) == (CHALLENGER, None, None)
    assert "has no digest" in row["note"]


def test_one_command_goes_back_and_needs_no_lake(world, monkeypatch, capsys):
    monkeypatch.setenv("FINLAKE_HOME", str(world.home))
    registry = Registry(world)
    registry.set_alias(CHAMPION, 1)
    assert main(["promote", "--version", "2", "--force", "a drill"]) == 0
    assert serving(world) == 2
    lake = world.home / "lake"
    lake.rename(world.home / "away")
    lake.touch()  # nothing can be made here
    try:
        assert main(["promote", "--rollback"]) == 0
    finally:
        lake.unlink()
        (world.home / "away").rename(lake)
    assert serving(world) == 1
    said = capsys.readouterr()
    assert "champion is version 1, before it version 2" in said.out
    assert "not in gold.model_decisions" in said.err
    assert roll_back(world, quiet).version == 2  # and forth again
    assert [row["action"] for row in noted(world, "model_decisions", "decided_at")] == [
        "force",
        "rollback",
    ]


def test_what_cannot_be_promoted_is_said_in_one_line(world, monkeypatch, capsys):
    monkeypatch.setenv("FINLAKE_HOME", str(world.home))
    with pytest.raises(FinlakeError, match="there is no challenger; `finlake train` makes one"):
        promote(world, quiet)
    with pytest.raises(FinlakeError, match="there is no previous champion"):
        roll_back(world, quiet)
    Registry(world).set_alias(CHAMPION, 1)
    with pytest.raises(UsageProblem, match="finlake-fraud 1: is the champion already"):
        promote(world, quiet, 1)
    late = world.model_copy(update={"gate_frauds": 10_000})
    refused = promote(late, quiet, 2)
    assert [c.name for c in refused.checks if c.verdict == "failed"] == ["labels"]
    assert main(["promote", "--version", "9"]) == 1
    assert main(["promote", "--rollback", "--version", "9"]) == 2
    assert "there is no such version" in capsys.readouterr().err


def test_a_model_whose_files_were_changed_is_refused(world):
    registry = Registry(world)
    version = blind(world, world.home / "made" / "broken", seed=5)
    source = str(registry.client.get_model_version(registry.name, str(version)).source)
    kept = Path(urlsplit(source).path)
    (kept / "model.json").write_text("{}")
    refused = promote(world, quiet, version)
    assert not refused.promoted
    assert [check.name for check in refused.checks] == ["clean load"]
    assert "they were changed and are not loaded" in refused.reason


def test_another_process_loads_by_the_digest_and_answers_the_same(first):
    folder = Registry(first).fetch(1).folder
    model = load(folder)
    values = np.random.default_rng(1).normal(size=(50, len(model.features)))
    expected = model.probability(values)
    own = FRAUD, folder, digest(folder)
    assert load_cleanly(*own, values, expected).difference == 0
    assert load_cleanly(*own, values, expected + 0.25).difference == 0.25
    assert "its digest is" in load_cleanly(FRAUD, folder, "0" * 64, values, expected).problem


# ── The card ─────────────────────────────────────────────────────────────────────────────────────


def test_a_card_says_what_its_model_is_and_does(world):
    text = describe(world, 1)
    model = Registry(world).load(1)
    seen = History(world).labelled((date(2019, 7, 23), date(2019, 12, 31)), model.features)
    assert f"{len(seen.label):,} labelled transactions, {int(seen.label.sum()):,} frauds" in text
    assert f"at a probability of {model.threshold:.4f}" in text
    for name in ("2019-01-15 to 2019-07-15", "silver.transactions | 7", "| channel | Online |"):
        assert name in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## What it is",
        "## Intended use",
        "## Data",
        "## Features",
        "## Metrics on the test of its training",
        "## Metrics from 2019-07-23 to 2019-12-31",
        "## By segment",
        "## Threshold and costs",
        "## Limits",
    ]
    assert all(f"`{name}`" in text for name in model.features)


def test_segments_cover_each_transaction_once_for_each_division(world):
    seen = History(world).labelled((date(2019, 10, 1), date(2019, 12, 31)), ["amount"])
    amount = seen.of(["amount"])[:, 0]
    assert set(seen.segments) == {"channel", "card brand", "card type", "amount", "place"}
    assert {len(parts) for parts in seen.segments.values()} == {len(seen.label)}
    assert ((seen.segments["amount"] == "10 to 50") == ((amount >= 10) & (amount < 50))).all()
    online = seen.segments["channel"] == "Online"
    assert (online == (seen.segments["place"] == "online")).all()
    assert 0 < online.sum() < len(online)


def test_the_same_transactions_are_judged_as_in_training(world):
    events = read(world).events
    part = split(events, TRAINED[0], Protocol(182, DELAY_DAYS, 60, BLOCKED_DAYS))
    seen = History(world).labelled((date(2019, 7, 23), date(2019, 9, 20)), ["amount"])
    assert np.array_equal(seen.card, events["card"][part.test])
    assert np.array_equal(seen.label, events["label"][part.test])
    labelled = (events["label"] >= 0) & np.isin(events["ts"] // DAY, np.unique(seen.day))
    assert len(seen.label) < labelled.sum()  # some cards were left out


# ── Drift, and a new training ────────────────────────────────────────────────────────────────────


def test_drift_is_noted_once_and_shown_to_prometheus(world):
    registry = Registry(world)
    registry.set_alias(CHAMPION, 1)
    found = health(world, quiet)
    model = registry.load(1)
    assert [one.name for one in found.drifts] == [*model.features, SCORE]
    assert all(isfinite(one.psi) and isfinite(one.ks) for one in found.drifts)
    assert found.window == (date(2019, 12, 3), date(2019, 12, 30))
    assert sum(week.transactions for week in found.decays)
    assert note_health(world, found) == len(found.drifts) + len(found.decays)
    assert note_health(world, health(world, quiet)) == 0
    rows = noted(world, "model_drift", "feature")
    assert {row["level"] for row in rows} <= set(LEVELS)
    assert {row["feature"]: row["psi"] for row in rows} == {d.name: d.psi for d in found.drifts}
    gauges = Gauges()
    gauges.take(found)
    shown = generate_latest(gauges.registry).decode()
    (score,) = (one for one in found.drifts if one.name == SCORE)
    assert f'finlake_model_drift_psi{{feature="score"}} {score.psi}' in shown
    assert f"finlake_model_retraining_due {float(bool(found.due))}" in shown
    assert f"finlake_model_behind_days {float(found.behind)}" in shown


@pytest.mark.slow
def test_retraining_goes_through_the_gate_once_for_the_same_labels(world, monkeypatch, capsys):
    quick_learners(monkeypatch)
    registry = Registry(world)
    registry.set_alias(CHAMPION, 2)
    settings = world.model_copy(update={"retrain_days": 30})
    made = retrain(settings, Asked(trials=0, test_days=60), quiet, if_needed=True)
    assert made.outcome
    assert made.outcome.action == "retrain"
    assert "because of version 2: labels are 131 days newer than its training" in made.reason
    assert registry.load(made.outcome.version).facts["tested"][1] == "2019-12-31"
    before = len(registry.versions())
    again = retrain(settings, Asked(trials=0, test_days=60), quiet, if_needed=True)
    assert again.outcome is None
    assert str(again).startswith("not trained: ")
    assert len(registry.versions()) == before
