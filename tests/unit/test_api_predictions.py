"""Predictions by HTTP: features and models as elsewhere, rows explained, models exchanged."""

from __future__ import annotations

import json
import shutil
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from api.services.memory import Memory
from api.services.models import Models, ask_registry
from api.services.predictions import _values
from batch_jobs.bench.api import asked_of
from finlake.errors import ComponentMissing
from infra.settings import load_settings
from models.artifact import load
from models.serving import load_served, noted, path_of
from models.spending.amount import Amount
from models.spending.category import Category
from tests.unit.api_world import NOBODY, OWN, STAFF
from tests.unit.model_world import saved
from tests.unit.prediction_world import LATER, Predicted, made, put, serve_models

ABOUT_A_ROW = {"/predict/anomaly", "/anomaly/detect", "/predict/category", "/predict/amount"}
NOT_OF_CATEGORY = {"mcc"}
NOT_OF_AMOUNT = {"amount", "errors"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Predicted:
    return made(tmp_path_factory.mktemp("api") / "home")


def without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def places(world: Predicted, count: int, seed: int = 1) -> list[int]:
    """Some of the newest rows that are in the lake from the start, so that the past is kept."""
    last = world.gold.facts.num_rows - LATER
    random = np.random.default_rng(seed)
    found: list[int] = random.choice(np.arange(last - 150, last), count, replace=False).tolist()
    return found


def in_events(world: Predicted, row: dict[str, Any]) -> Any:
    place = np.flatnonzero(world.events["id"] == row["transaction_id"])
    return world.events.take(place)


def early(world: Predicted) -> Any:
    """The events that the lake has from the start."""
    last = world.gold.facts["transaction_id"][-LATER - 1].as_py()
    return world.events.take(world.events["id"] <= last)


# ── The same answers as elsewhere ────────────────────────────────────────────────────────────────


def test_an_anomaly_is_what_the_batch_executor_and_the_model_say(world):
    model = load(
        world.api.settings.home / "models" / noted(world.api.settings.home)["fraud"].sha256
    )
    history = early(world)
    seen = set()
    for place in places(world, 30):
        row = world.row(place)
        found = world.api.post("/predict/anomaly", row).json()
        values = _values(history, in_events(world, row), model.features)
        (probability,) = model.probability(values)
        assert found["probability"] == probability
        assert found["band"] == model.band(probability)
        assert found["is_alert"] == (probability >= model.threshold)
        pushed = dict(zip(model.features, model.contributions(values)[0].tolist(), strict=True))
        assert [one["log_odds"] for one in found["reasons"]] == sorted(
            (one for one in pushed.values() if one > 0), reverse=True
        )[: len(found["reasons"])]
        for one in found["reasons"]:
            assert one["log_odds"] == pushed[one["feature"]]
            assert one["meaning"]
        assert found["model"] == {"name": "finlake-fraud", "version": 1}
        assert world.api.post("/anomaly/detect", row).json() == found
        seen.add(probability)
    assert len(seen) > 3  # it depends on the row


def test_a_category_is_what_the_model_says(world):
    home = world.api.settings.home
    model = Category.load(home / "models" / noted(home)["category"].sha256)
    history = early(world)
    for place in places(world, 10):
        row = world.row(place)
        found = world.api.post("/predict/category", without(row, NOT_OF_CATEGORY)).json()
        (told,) = (in_events(world, row),)
        best = model.predict(history, told, 3)
        assert [one["mcc"] for one in found["guesses"]] == best.category[0].tolist()
        assert [one["probability"] for one in found["guesses"]] == best.probability[0].tolist()
        assert found["guesses"][0]["description"]
        assert [(one["evidence"], one["log_odds"]) for one in found["reasons"]] == list(
            map(tuple, model.explain(history, told)[0])
        )


def test_an_amount_is_what_the_model_says(world):
    home = world.api.settings.home
    model = Amount.load(home / "models" / noted(home)["amount"].sha256)
    history = early(world)
    for place in places(world, 10):
        row = world.row(place)
        found = world.api.post("/predict/amount", without(row, NOT_OF_AMOUNT)).json()
        told = model.predict(history, in_events(world, row))
        cents = [round(float(one[0]) * 100) for one in told]
        assert [found[name] for name in ("low", "middle", "high")] == [
            f"{one // 100}.{one % 100:02d}" for one in cents
        ]
        assert found["currency"] == "USD"
        assert all(one["factor"] > 0 for one in found["reasons"])


def test_what_is_not_told_is_not_known(world):
    row = world.row(places(world, 1)[0])
    least = {"at": row["at"], "amount": "12.00"}
    found = world.api.post("/predict/anomaly", least, "viewer")
    assert found.status_code == 200, found.text
    assert found.json()["looked"]["transactions"] == 0
    of_card = least | {"card_id": row["card_id"]}
    assert world.api.post("/predict/anomaly", of_card).json()["looked"]["transactions"] > 0
    least.pop("amount")
    assert world.api.post("/predict/amount", least, "viewer").status_code == 200


@pytest.mark.parametrize("what", ["anomaly", "category", "amount"])
def test_a_batch_says_what_single_questions_say(world, what):
    less = {"anomaly": set(), "category": NOT_OF_CATEGORY, "amount": NOT_OF_AMOUNT}[what]
    rows = [without(world.row(place), less) for place in places(world, 40)]
    found = world.api.post("/predict/batch", {"what": what, "rows": rows}).json()
    assert (found["answered"], found["refused"]) == (40, 0)
    for row, one in zip(rows, found["rows"], strict=True):
        single = world.api.post(f"/predict/{what}", row).json()
        for name, value in one[what].items():
            if name == "reasons" and not (what == "anomaly" and single["is_alert"]):
                assert value == []
            else:
                assert value == single[name], name


def test_a_batch_answers_good_rows_and_explains_the_others(world):
    good = world.row(places(world, 1)[0])
    rows = [good, good | {"amount": 12.5}, {}, good | {"at": "2001-01-01T00:00:00Z"}, good]
    found = world.api.post("/predict/batch", {"what": "anomaly", "rows": rows}).json()
    assert (found["answered"], found["refused"]) == (2, 3)
    fine = [one["anomaly"] is not None for one in found["rows"]]
    assert fine == [True, False, False, False, True]
    assert found["rows"][0]["anomaly"] == found["rows"][4]["anomaly"]
    assert [one["place"] for one in found["rows"][1]["problems"]] == ["amount"]
    assert {one["place"] for one in found["rows"][2]["problems"]} == {"at", "amount"}
    nothing = world.api.post("/predict/batch", {"what": "anomaly", "rows": [{}]}).json()
    assert (nothing["answered"], nothing["refused"]) == (0, 1)
    most = {"what": "anomaly", "rows": [{}] * 10_001}
    assert world.api.post("/predict/batch", most).status_code == 422


# ── What is wrong with a row ─────────────────────────────────────────────────────────────────────

WRONG = [
    ({"at": "2018-06-09T10:00:00"}, "error", "at", "timezone"),
    ({"at": "2016-01-01T00:00:00Z"}, "error", "at", "kept no longer"),
    ({"amount": "1.5"}, "error", "amount", "two decimals"),
    ({"channel": "Telex"}, "error", "channel", "Swipe"),
    ({"merchant": 1}, "error", "merchant", "Extra"),
    ({"mcc": 12345}, "error", "mcc", "9999"),
    ({"user_id": 4711}, "error", "user_id", "another customer's"),
    ({"at": "2150-01-01T00:00:00Z"}, "warning", "at", "future"),
    ({"card_id": 999_999, "user_id": None}, "warning", "card_id", "not known"),
    ({"merchant_id": 1_999_999_999}, "warning", "merchant_id", "lately"),
    ({"mcc": 1}, "warning", "mcc", "no such category"),
    ({"channel": "Chip", "merchant_city": "X", "merchant_state": "ZZ"}, "warning",
     "merchant_state", "no such US state"),
    ({"channel": "Online", "merchant_city": "Paris"}, "warning", "merchant_city", "no place"),
    ({"channel": "Chip", "merchant_city": ""}, "warning", "merchant_city", "not given"),
    ({"amount": "0.00"}, "warning", "amount", "nought"),
    ({"amount": "90000.00"}, "warning", "amount", "50,000"),
    ({"errors": ["Bad Mood"]}, "warning", "errors", "not one of the known"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "severity", "place", "reason"), WRONG)
def test_each_problem_of_a_row_is_explained(world, change, severity, place, reason):
    row = world.row(places(world, 1)[0])
    body = {"what": "anomaly", "rows": [row, row | change]}
    found = world.api.post("/predict/validate", body).json()
    assert found["rows"][0] == {"row": 0, "fine": True, "problems": []}
    (problem,) = [one for one in found["rows"][1]["problems"] if one["place"] == place]
    assert problem["severity"] == severity
    assert reason in problem["reason"]
    assert problem["advice"]
    assert found["rows"][1]["fine"] == (severity == "warning")
    assert found["refused"] == (severity == "error")
    single = world.api.post("/predict/anomaly", row | change)
    assert single.status_code == (422 if severity == "error" else 200)


def test_a_wrong_value_is_not_repeated(world):
    body = {"what": "anomaly", "rows": [{"card_id": "4929123456789012", "at": "4929"}]}
    found = world.api.post("/predict/validate", body)
    assert found.status_code == 200
    assert "4929" not in found.text


# ── Whose ────────────────────────────────────────────────────────────────────────────────────────


def test_roles_and_rows_of_customers(world):
    row = world.row(places(world, 1)[0])
    own = world.api.key("customer", user_id=row["user_id"])
    other = world.api.key("customer", user_id=NOBODY)
    keys = [own, other, *(world.api.keys[role] for role in STAFF)]
    nameless = without(row, {"user_id", "card_id"})
    cases = {  # the row: what the owner, another customer and the staff get
        "whole": (row, [200, 403, 403, 200, 403, 200]),
        "card": (without(row, {"user_id"}), [200, 403, 403, 200, 403, 200]),
        "user": (without(row, {"card_id"}), [200, 403, 403, 200, 403, 200]),
        "unknown card": (nameless | {"card_id": 999_999}, [403, 403, 403, 200, 403, 200]),
        "nameless": (nameless, [200] * 6),
    }
    for name, (given, expected) in cases.items():
        for path in sorted(ABOUT_A_ROW):
            less = {"/predict/category": NOT_OF_CATEGORY, "/predict/amount": NOT_OF_AMOUNT}
            body = without(given, less.get(path, set()))
            got = [
                world.api.client.post(path, json=body, headers={"X-API-Key": key}).status_code
                for key in keys
            ]
            assert got == expected, (name, path)
        for path in ("/predict/batch", "/predict/validate"):
            body = {"what": "anomaly", "rows": [nameless, given]}
            got = [
                world.api.client.post(path, json=body, headers={"X-API-Key": key}).status_code
                for key in keys
            ]
            assert got == expected, (name, path)


# ── What comes later ─────────────────────────────────────────────────────────────────────────────


def test_new_transactions_count_at_once_and_as_if_they_had_always_been_there(tmp_path):
    world = made(tmp_path / "home")
    home = world.api.settings.home
    model = load(home / "models" / noted(home)["fraud"].sha256)
    memory: Memory = world.services.memory
    before = memory.known()
    assert memory.refresh() is before  # nothing has changed
    facts = world.gold.facts
    first = facts.num_rows - LATER
    for begin, end in ((first, first + 250), (first + 250, facts.num_rows)):
        put(world.api.settings, "fact_transactions", facts.slice(begin, end - begin))
        now = memory.refresh()
        assert len(now.new) == end - first
        assert now.base is before.base
    for place in range(first, facts.num_rows, 13):
        row = asked_of(facts.slice(place, 1).to_pylist()[0])
        found = world.api.post("/predict/anomaly", row).json()
        values = _values(world.events, in_events(world, row), model.features)
        assert found["probability"] == model.probability(values)[0]
    later = world.gold.facts["transaction_ts"][-1].as_py() + timedelta(minutes=1)
    row = without(world.row(facts.num_rows - 1), {"transaction_id"}) | {"at": later.isoformat()}
    looked = world.api.post("/predict/anomaly", row).json()["looked"]
    assert datetime.fromisoformat(looked["known_until"]) == later - timedelta(minutes=1)
    # Changes of the past are found when a table of people changes, or after a while.
    put(world.api.settings, "dim_mcc", pa.table({"mcc": [9999], "description": ["New things"]}))
    assert memory.refresh().base is not before.base
    assert memory.known().categories[9999] == "New things"
    assert len(memory.known().new) == 0


class Away:
    """A lake that can be switched off: a mock, for a real one is not on demand."""

    def __init__(self, lake: Any) -> None:
        self.lake = lake
        self.away = False
        self.asked_by: set[str] = set()  # names of threads

    def query(self, *given: Any) -> pa.Table:
        return self._it().query(*given)

    def version(self, table: str) -> int:
        return int(self._it().version(table))

    def changed(self, *given: Any) -> dict[int, int] | None:
        found: dict[int, int] | None = self._it().changed(*given)
        return found

    def _it(self) -> Any:
        self.asked_by.add(threading.current_thread().name)
        if self.away:
            raise ComponentMissing("the lake is away")
        return self.lake


def test_without_the_lake_what_is_known_stays(world):
    lake = Away(world.services.lake)
    lake.away = True
    now = 0.0
    memory = Memory(lake, lambda: now)
    with pytest.raises(ComponentMissing):
        memory.known()
    lake.away = False
    known = memory.known()
    lake.away = True
    now = 5.0
    assert memory.known() is known
    for thread in threading.enumerate():
        if thread.name == "memory":
            thread.join()
    assert memory.problem == "the lake is away"
    lake.away = False
    now = 10.0
    assert memory.known() is known
    for thread in threading.enumerate():
        if thread.name == "memory":
            thread.join()
    assert memory.problem == ""
    assert lake.asked_by == {threading.current_thread().name, "memory"}
    # Who comes after a long rest is told what is known now, not what was.
    now = 60.0
    lake.asked_by.clear()
    memory.known()
    assert lake.asked_by == {threading.current_thread().name}


# ── Models ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def served(world):
    """The world, whose models are afterwards what they were."""
    path = path_of(world.api.settings.home)
    before = path.read_bytes()
    yield world
    path.write_bytes(before)
    world.services.models.load()


def test_models_change_while_requests_are_under_way(served, tmp_path):
    home = served.api.settings.home
    own = noted(home)
    kept = {role: (one.version, home / "models" / one.sha256) for role, one in own.items()}
    saved(tmp_path / "other", "xgboost", seed=4)
    shutil.copytree(tmp_path / "other", home / "other")
    row = served.row(places(served, 1)[0])
    found: list[tuple[int, int]] = []
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            got = served.api.post("/predict/anomaly", row)
            version = got.json()["model"]["version"] if got.status_code == 200 else 0
            found.append((got.status_code, version))

    threads = [threading.Thread(target=go_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    serve_models(home, kept | {"fraud": (2, home / "other")})
    second = noted(home)["fraud"].sha256
    status = served.api.ask("operator", "POST", "/api/v1/models/reload-all").json()
    assert {one["role"]: one["version"] for one in status["models"]}["fraud"] == 2
    last = len(found)
    while len(found) < last + 20:
        time.sleep(0.001)  # the loop's end is a count, not a time
    for version, folder in ((3, kept["fraud"][1]), (4, home / "models" / second)) * 3:
        serve_models(home, kept | {"fraud": (version, folder)})
        served.services.models.load()
    stop.set()
    for thread in threads:
        thread.join()
    assert {code for code, _ in found} == {200}
    assert {1, 2} <= {version for _, version in found}


def test_status_and_health_say_what_serves(served):
    home = served.api.settings.home
    served.services.models.load()
    found = served.api.ask("viewer", "GET", "/api/v1/models/status").json()
    own = noted(home)
    assert {one["role"]: one["sha256"] for one in found["models"]} == {
        role: one.sha256 for role, one in own.items()
    }
    assert found["missing"] == ["challenger"]
    health = served.api.ask("viewer", "GET", "/api/v1/models/health").json()
    assert health["status"] == "ok"
    path = path_of(home)
    facts = json.loads(path.read_bytes())
    # One is gone, and one has been changed since it was registered.
    facts["category"] |= {"version": 0, "sha256": "", "problem": "no version has the alias"}
    broken = home / "models" / ("0" * 64)
    shutil.copytree(home / "models" / facts["fraud"]["sha256"], broken)
    facts["fraud"] |= {"version": 9, "sha256": "0" * 64}
    path.write_text(json.dumps(facts))
    served.services.models.load()
    health = served.api.ask("viewer", "GET", "/api/v1/models/health").json()
    assert health["status"] == "degraded"
    problems = {one["role"]: one["problem"] for one in health["problems"]}
    assert "digest" in problems["fraud"]
    assert problems["category"] == "no version has the alias"
    row = served.row(places(served, 1)[0])
    still = served.api.post("/predict/anomaly", row)
    assert still.json()["model"]["version"] == 1  # the one before goes on
    gone = served.api.post("/predict/category", without(row, NOT_OF_CATEGORY))
    assert gone.status_code == 503
    assert gone.json()["type"] == "urn:finlake:problem:model-missing"
    assert "finlake train category" in gone.json()["detail"]


def test_without_the_registry_models_go_on(world):
    services = world.services

    def away(_: Any) -> None:
        raise ComponentMissing("MLflow at http://hidden does not answer")

    services.models.ask, before = away, services.models.ask
    try:
        found = world.api.ask("admin", "POST", "/api/v1/models/reload-all")
    finally:
        services.models.ask = before
    assert found.status_code == 503
    assert "hidden" not in found.text
    assert world.api.post("/predict/anomaly", world.row(places(world, 1)[0])).status_code == 200


def test_a_file_that_is_none_serves_nothing(tmp_path):
    path = path_of(tmp_path)
    path.parent.mkdir(parents=True)
    for text in ("{", "[]", '{"fraud": {"x": 1}}'):
        path.write_text(text)
        found = load_served(tmp_path)
        assert found.fraud is None
        assert found.problems["fraud"] == "nobody has asked the registry yet"


def test_a_failed_command_is_said_in_a_line(tmp_path):
    (tmp_path / "mlflow").write_text("a file where the registry's folder should be")
    with pytest.raises(ComponentMissing, match=r"MLflow|mlflow"):
        ask_registry(load_settings(home=tmp_path))


def test_workers_ask_the_registry_one_at_a_time(tmp_path):
    settings = load_settings(home=tmp_path)
    asking, most, lock = [0], [0], threading.Lock()

    def ask(_: Any) -> None:
        with lock:
            asking[0] += 1
            most[0] = max(most[0], asking[0])
        time.sleep(0.05)
        with lock:
            asking[0] -= 1

    class Nothing:
        def version(self, table: str) -> int:
            return 1

    workers = [Models(settings, Nothing(), ask) for _ in range(3)]  # type: ignore[arg-type]
    threads = [threading.Thread(target=worker.reload) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_features_that_are_given_are_scored(world):
    home = world.api.settings.home
    model = load(home / "models" / noted(home)["fraud"].sha256)
    first, second = model.features[:2]
    body = {"model": "fraud", "features": {first: 3.0, second: None}}
    found = world.api.ask("viewer", "POST", "/api/v1/ml/predict", json=body).json()
    values = np.full((1, len(model.features)), np.nan)
    values[0, 0] = 3.0
    assert found["probability"] == model.probability(values)[0]
    assert found["band"] == model.band(found["probability"])
    amount = {"model": "amount", "features": {}}
    told = world.api.ask("viewer", "POST", "/api/v1/ml/predict", json=amount).json()
    assert 0 < told["low"] <= told["middle"] <= told["high"]
    unknown = {"model": "fraud", "features": {"colour": 1.0}}
    assert world.api.ask("viewer", "POST", "/api/v1/ml/predict", json=unknown).status_code == 422


def test_performance_is_what_came_true(world):
    facts = world.gold.facts.slice(0, 8)
    labels = [None if one is None else bool(one) for one in facts["is_fraud"].to_pylist()]
    alerts = [True, True, False, False, True, False, False, False]
    rows = pa.table(
        {
            "transaction_id": facts["transaction_id"],
            "transaction_ts": facts["transaction_ts"],
            "score": [0.9 if one else 0.1 for one in alerts],
            "is_alert": alerts,
            "model": ["finlake-fraud"] * 8,
            "model_version": pa.array([7] * 8, pa.int32()),
        }
    )
    put(world.api.settings, "fraud_scores", rows)
    found = world.api.ask("viewer", "GET", "/api/v1/models/performance").json()
    (month,) = found["outcomes"]
    known = [(one, alarm) for one, alarm in zip(labels, alerts, strict=True) if one is not None]
    frauds = sum(one for one, _ in known)
    caught = sum(one and alarm for one, alarm in known)
    told = sum(alarm for _, alarm in known)
    assert (month["scored"], month["alerts"], month["version"]) == (8, 3, 7)
    assert (month["labelled"], month["frauds"], month["caught"]) == (len(known), frauds, caught)
    assert month["precision"] == (caught / told if told else None)
    assert month["recall"] == (caught / frauds if frauds else None)
    assert {one["role"] for one in found["tests"]} >= {"fraud", "category", "amount"}


# ── Trainings ────────────────────────────────────────────────────────────────────────────────────


def training(world: Predicted, number: str) -> dict[str, Any]:
    found: dict[str, Any] = world.api.ask("operator", "GET", f"/api/v1/ml/train/{number}").json()
    return found


def ended(world: Predicted, number: str) -> dict[str, Any]:
    for thread in threading.enumerate():
        if thread.name == "training":
            thread.join()
    return training(world, number)


def test_trainings_run_one_at_a_time_and_tell_how_they_are(world, tmp_path):
    python = world.services.trainings.program[0]
    wait = tmp_path / "wait"
    script = (
        f"import pathlib, sys, time\nwhile pathlib.Path({str(wait)!r}).exists():\n"
        " time.sleep(0.01)\nprint('trained', sys.argv[1:])"
    )
    wait.touch()
    world.services.trainings.program = (python, "-c", script)
    ask = {"what": "amount", "seed": 3}
    headers = {"Idempotency-Key": "t1"}
    found = world.api.ask("operator", "POST", "/api/v1/ml/train", json=ask, headers=headers)
    assert found.status_code == 202
    began = found.json()
    again = world.api.ask("operator", "POST", "/api/v1/ml/train", json=ask, headers=headers)
    assert again.json() == began
    assert training(world, began["id"])["state"] == "running"
    other = world.api.ask("operator", "POST", "/api/v1/ml/train", json={})
    assert other.status_code == 409
    wait.unlink()
    done = ended(world, began["id"])
    assert done["state"] == "done"
    assert done["said"] == "trained ['train', 'amount', '--seed', '3', '--alias', 'champion']"
    world.services.trainings.program = (python, "-c", "import sys; sys.exit('no data')")
    bad = world.api.ask("operator", "POST", "/api/v1/ml/train", json={}).json()
    failed = ended(world, bad["id"])
    assert (failed["state"], failed["said"]) == ("failed", "no data")
    assert world.api.ask("admin", "GET", "/api/v1/ml/train/" + "0" * 12).status_code == 404


def test_a_training_ends_with_the_worker(world):
    python = world.services.trainings.program[0]
    world.services.trainings.program = (python, "-c", "import time; time.sleep(600)")
    began = world.api.ask("operator", "POST", "/api/v1/ml/train", json={}).json()
    world.services.trainings.stop()
    assert ended(world, began["id"])["state"] == "failed"


def test_a_customer_of_the_plain_world_has_a_row(world):
    """The own customer's key of the matrix of roles opens rows of that customer alone."""
    row = {"at": world.row(places(world, 1)[0])["at"], "amount": "1.00", "user_id": OWN}
    assert world.api.post("/predict/anomaly", row, "customer").status_code == 200
    assert world.api.post("/predict/anomaly", row | {"user_id": 9}, "customer").status_code == 403


def test_the_first_look_does_not_need_the_file(tmp_path: Path) -> None:
    assert load_served(tmp_path).fraud is None
