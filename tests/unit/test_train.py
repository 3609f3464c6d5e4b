"""``finlake train`` over a small lake and MLflow's own database: what is learnt, kept and said."""

from __future__ import annotations

import json
import shutil
import socket
from datetime import date

import numpy as np
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from hypothesis import given, reject
from hypothesis import strategies as st

from batch_jobs.bench.lake import make_lake
from batch_jobs.train.reading import TABLES, read
from finlake.cli import main, root
from finlake.errors import FinlakeError
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from models.artifact import digest
from models.features import Events
from models.features.view import DAY
from models.registry import CHALLENGER, CHAMPION, Registry
from models.training.anomaly import ANOMALY, anomaly
from models.training.learners import Recipe
from models.training.metrics import METRICS
from models.training.prequential import DELAY_DAYS, Plan, candidates, labelled_days, prepare
from models.training.split import day_number
from models.training.threshold import Costs, cheapest, spent
from tests.unit.model_world import quick_learners
from tests.unit.test_training import labelled, scored_of, scores

WORDS = ("train", "--test-days", "600", "--trials", "1", "--seed", "5", "--json")


# ── Which days are for what ──────────────────────────────────────────────────────────────────────


@given(st.integers(60, 4000), st.integers(0, 60))
def test_no_window_learns_from_what_it_could_not_have_known(days, chosen):
    first = date(2015, 1, 1)
    last = date.fromordinal(first.toordinal() + days - 1)
    try:
        plan = Plan.of(first, last, chosen or None)
    except FinlakeError:
        reject()
    spans = []
    for back in range(plan.folds + 1):
        protocol = plan.protocol(back)
        begins = protocol.train_days + protocol.delay_days
        spans.append((protocol.train_days, begins, begins + protocol.test_days))
    learnt, begins, ends = spans[0]
    assert ends == days  # the test is at the end
    assert begins - learnt == DELAY_DAYS
    # The validation's windows follow one another, and the last ends where the model's days do.
    assert [end for _, _, end in spans[1:]] == [learnt, *(begin for _, begin, _ in spans[1:-1])]
    assert all(begin - train == DELAY_DAYS for train, begin, _ in spans)
    assert spans[-1][0] >= plan.test_days


def test_too_few_days_are_refused_with_the_number_that_is_needed():
    with pytest.raises(FinlakeError, match=r"30 days, and a test of 7 days needs 49; load more"):
        Plan.of(date(2020, 1, 1), date(2020, 1, 30))
    Plan.of(date(2020, 1, 1), date(2020, 2, 18))  # 49


def test_days_are_those_that_have_labels():
    events = labelled([0, 3, 9, 12], [1, 1, 1, 1], [-1, 0, 1, -1])
    assert labelled_days(events, None, None) == (date(2018, 4, 4), date(2018, 4, 10))
    assert labelled_days(events, date(2018, 4, 5), None)[0] == date(2018, 4, 10)
    with pytest.raises(FinlakeError, match=r"silver\.fraud_labels: no transaction .*has a label"):
        labelled_days(events, None, date(2018, 4, 2))


def test_genuine_rows_are_thinned_in_training_alone():
    random = np.random.default_rng(0)
    rows = 6000
    events = Events.of(
        {
            "id": np.arange(rows),
            "ts": day_number(date(2018, 4, 1)) * DAY + np.sort(random.integers(0, 60 * DAY, rows)),
            "card": random.integers(0, 2000, rows),
            "cents": random.integers(100, 9000, rows),
            "label": (random.random(rows) < 0.05).astype(np.int8),
        }
    )
    plan = Plan.of(date(2018, 4, 1), date(2018, 5, 30))
    whole, thin = (prepare(events, plan, 3, most, ["amount"]) for most in (10**6, 300))
    for full, part in zip((*whole.folds, whole.final), (*thin.folds, thin.final), strict=True):
        assert (thin.label[part.train] == 0).sum() == 300
        assert (thin.label[part.train] == 1).sum() == (whole.label[full.train] == 1).sum()
        assert len(part.test) == len(full.test)
        assert np.array_equal(whole.values[full.test], thin.values[part.test])


def test_the_same_seed_tries_the_same_recipes():
    first, again, other = (candidates(Recipe("xgboost"), seed) for seed in (1, 1, 2))
    tried = [next(first) for _ in range(5)]
    assert tried == [next(again) for _ in range(5)]
    assert tried != [next(other) for _ in range(5)]


@given(scores, st.integers(1, 20), st.integers(1, 5), st.integers(1, 6))
def test_a_threshold_costs_what_was_said_of_it(rows, missed, false, most):
    scored, costs = scored_of(rows), Costs(missed, false, most)
    found = cheapest(scored, costs)
    assert spent(scored, found.score, costs) == found
    assert spent(scored, 2.0, costs).alarms == 0


@pytest.mark.parametrize("kind", ANOMALY)
def test_what_is_unlike_everything_seen_stands_out_and_does_so_again(kind):
    random = np.random.default_rng(3)
    usual = random.normal(size=(1500, 2)).astype(np.float32)
    train = np.column_stack([usual, usual[:, :1] + usual[:, 1:], usual[:, :1] - usual[:, 1:]])
    odd = np.array([[2.0, 2.0, -4.0, 4.0], [-2.0, 2.0, 3.0, 3.0]], dtype=np.float32)
    score = anomaly(kind, train, np.concatenate([train[:500], odd]), seed=1)
    assert np.array_equal(score, anomaly(kind, train, np.concatenate([train[:500], odd]), seed=1))
    assert (score[500:] > np.quantile(score[:500], 0.95)).all()


# ── From the lake to the registry ────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def quick():
    """What is shown of a whole training here does not hang on how many trees it grows."""
    with pytest.MonkeyPatch.context() as patch:
        quick_learners(patch)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory, quick):
    """A home with a lake of ten years, and what the command said of a model trained on it."""
    home = tmp_path_factory.mktemp("home")
    make_lake(load_settings(home=home), 40_000, seed=4)
    done = CliRunner().invoke(
        root, [*WORDS, "--alias", "champion"], env={"FINLAKE_HOME": str(home)}
    )
    assert done.exit_code == 0, done.output
    return load_settings(home=home), json.loads(done.stdout)


@pytest.mark.slow
def test_the_model_that_was_trained_is_the_champion(trained):
    settings, said = trained
    registry = Registry(settings)
    assert registry.version(CHAMPION) == said["version"] == 1
    model = registry.load(CHAMPION)
    assert digest(registry.fetch(CHAMPION).folder) == said["sha256"]
    assert model.facts["trained"] == said["trained"]
    assert model.facts["recipe"] == said["recipe"]
    assert model.facts["contracts"] == contracts.fingerprint(TABLES)
    assert set(model.facts["tables"]) == set(TABLES)
    probability = model.probability(np.zeros((3, len(model.features))))
    assert ((probability >= 0) & (probability <= 1)).all()


@pytest.mark.slow
def test_it_is_compared_with_all_others_over_the_same_test(trained):
    _, said = trained
    kind = said["recipe"].split(" ")[0]
    assert {name.split(",")[0] for name in said["test"]} == {
        "lightgbm", "xgboost", "forest", "logistic", "isolation forest", "autoencoder",
    }  # fmt: skip
    assert f"{kind}, raw columns" in said["test"]
    for facts in said["test"].values():
        assert list(facts["metrics"]) == list(METRICS)
        assert all(low <= high for low, high in facts["low and high"].values())
    tried = " ".join(said["validation"])
    assert "weights" in tried
    assert "undersampling" in tried
    assert len(said["validation"]) == 5  # two kinds, two balances, one of tuning
    # It tells frauds at all: far better than chance.
    share = 0.0015
    assert said["test"][kind]["metrics"]["average precision"] > 10 * share
    assert said["tested"][1] >= said["tested"][0] > said["trained"][1] > said["trained"][0]


@pytest.mark.slow
def test_the_run_holds_what_people_look_for(trained):
    settings, said = trained
    client = Registry(settings).client
    run = client.get_run(said["run"])
    lake = Lake(settings)
    for name in TABLES:
        table = lake.open(contracts.get(name))
        assert table is not None
        assert run.data.params[f"delta.{name}"] == str(table.version())
    assert run.data.tags["contracts"] == contracts.fingerprint(TABLES)
    assert "commit" in run.data.tags
    kind = said["recipe"].split(" ")[0]
    shown = said["test"][kind]
    assert run.data.metrics["average_precision"] == shown["metrics"]["average precision"]
    assert run.data.metrics["auc_low"] == shown["low and high"]["AUC"][0]
    assert run.info.status == "FINISHED"
    files = {item.path for item in client.list_artifacts(said["run"])}
    assert files == {"comparison.json", "features.json", "model", "plots"}
    pictures = {item.path: item.file_size for item in client.list_artifacts(said["run"], "plots")}
    assert set(pictures) == {
        f"plots/{name}.png"
        for name in ("calibration", "importance", "precision_recall", "shap_summary")
    }
    assert min(size for size in pictures.values() if size) > 10_000
    (row,) = Query(settings).query("SELECT * FROM gold.model_versions").to_pylist()
    assert (row["role"], row["rows_trained"]) == ("champion", int(run.data.params["rows_trained"]))
    served = next(iter(said["test"].values()))
    assert json.loads(row["metrics"]) == {
        name: {"value": value, "low": low, "high": high}
        for name, value in served["metrics"].items()
        for low, high in [served["low and high"][name]]
    }
    below = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{said['run']}'"
    )
    assert len(below) == len(said["validation"])


@pytest.mark.slow
def test_the_same_data_and_seed_give_the_same_model(trained, monkeypatch, capsys):
    settings, said = trained
    monkeypatch.setenv("FINLAKE_HOME", str(settings.home))
    words = [word for word in WORDS if word != "--json"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert f"finlake-fraud 2 as challenger, sha256 {said['sha256'][:12]}" in shown
    registry = Registry(settings)
    assert (registry.version(CHAMPION), registry.version(CHALLENGER)) == (1, 2)
    assert digest(registry.fetch(CHALLENGER).folder) == said["sha256"]


@pytest.mark.slow
def test_another_seed_gives_another_model(trained):
    settings, said = trained
    env = {"FINLAKE_HOME": str(settings.home)}
    words = ["6" if word == "5" else word for word in WORDS]
    done = CliRunner().invoke(
        root, [*words, "--trials", "0", "--kind", "xgboost", "--alias", "none"], env=env
    )
    assert done.exit_code == 0, done.output
    other = json.loads(done.stdout)
    assert other["sha256"] != said["sha256"]
    assert other["recipe"].startswith("xgboost")
    assert Registry(settings).load(other["version"]).facts["kind"] == "xgboost"


# ── What is said when it cannot be done ──────────────────────────────────────────────────────────


def test_a_lake_that_is_not_there_yet_says_what_to_do(home, capsys):
    assert main(["train"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "finlake train: silver.transactions: is not there yet, so there is nothing to learn from;"
        " load data with `finlake load` or `finlake generate` and run `finlake stream`"
    ]


def test_days_without_data_labels_or_frauds_are_told_apart(trained, tmp_path, monkeypatch, capsys):
    settings, _ = trained
    monkeypatch.setenv("FINLAKE_HOME", str(settings.home))
    assert main(["train", "--from", "2031-01-01"]) == 1
    assert "silver.transactions: has no transaction of these days" in capsys.readouterr().err
    assert main(["train", "--until", "2010-06-30"]) == 1
    assert "and a model needs 20; load more history" in capsys.readouterr().err
    assert main(["train", "--test-days", "900"]) == 1
    assert "and a test of 900 days needs 4514" in capsys.readouterr().err
    bare = tmp_path / "bare"
    shutil.copytree(settings.home / "lake", bare)
    DeltaTable(str(bare / "silver" / "fraud_labels")).delete()
    monkeypatch.setenv("FINLAKE_LAKE", f"file:{bare}")
    assert main(["train"]) == 1
    said = capsys.readouterr().err
    assert "silver.fraud_labels: no transaction of these days has a label; load labels" in said


def test_a_registry_that_is_down_is_told_before_the_work(trained, monkeypatch, capsys):
    settings, _ = trained
    monkeypatch.setenv("FINLAKE_HOME", str(settings.home))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FINLAKE_MLFLOW_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert main(["train"]) == 3
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "does not answer" in said[0]


def test_history_before_the_days_is_read_and_what_is_older_is_not(trained):
    settings, _ = trained
    whole = read(settings).events
    part = read(settings, date(2015, 1, 1), date(2015, 12, 31)).events
    day = whole["ts"] // DAY
    inside = (day >= day_number(date(2015, 1, 1))) & (day <= day_number(date(2015, 12, 31)))
    assert np.isin(whole["id"][inside], part["id"]).all()
    assert part["ts"].max() == whole["ts"][inside].max()
    assert 0 < (day_number(date(2015, 1, 1)) - part["ts"].min() // DAY) < 400
