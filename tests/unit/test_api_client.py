"""The client: typed answers, and errors that say what to do, from a service on a real port."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from api.client import Client, Refused
from api.schemas.budget import AskAlerts, AskBudget
from api.schemas.forecasts import AskCashFlow, AskMonths
from api.schemas.goals import AskFeasibility, AskReverse
from api.schemas.insights import AskHealth
from api.schemas.money import AboutMoney
from api.schemas.predictions import AskTransaction
from api.schemas.recommendations import AskSubscriptions
from api.schemas.session import AskKey
from finlake.cli import main
from finlake.errors import ComponentMissing
from tests.unit.api_world import OWN, build, served
from tests.unit.prediction_world import LATER, made

HEAVY = ["api.app", "api.services", "duckdb", "fastapi", "lightgbm", "pyarrow", "scipy", "xgboost"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    api = build(tmp_path_factory.mktemp("client") / "home", customers=2)
    with served(api) as port:
        yield api, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    world = made(tmp_path_factory.mktemp("client") / "home")
    with served(world.api) as port:
        yield world, f"http://127.0.0.1:{port}"


@pytest.fixture
def client(world):
    api, url = world
    with Client(url, api.keys["analyst"]) as client:
        yield client


def test_answers_are_what_the_service_says(world, client):
    api, _ = world
    asked = {"user_id": OWN}
    health = client.health_score(AskHealth.model_validate(asked))
    assert health.model_dump(mode="json") == api.post("/insights/health-score", asked).json()
    budget = client.budget(AskBudget.model_validate(asked))
    assert budget.model_dump(mode="json") == api.post("/budget/recommend", asked).json()


def test_a_transaction_is_judged(predicted):
    world, url = predicted
    row = world.row(world.gold.facts.num_rows - LATER - 10)
    with Client(url, world.api.keys["analyst"]) as client:
        found = client.anomaly(AskTransaction.model_validate(row))
        assert "finlake-fraud" in client.models().model_dump_json()
    assert found.model_dump(mode="json") == world.api.post("/predict/anomaly", row).json()


def test_a_refusal_says_what_is_wrong(world, client):
    with pytest.raises(Refused, match=r"^422 .*user_id") as found:
        client.ask("POST", "/insights/health-score", {"user_id": "seven"})
    assert found.value.problem.status == 422
    with pytest.raises(Refused, match=r"^401 "):
        Client(world[1], "fl_nobody").ask("GET", "/models/status")


def test_an_idle_connection_is_opened_again(world, client):
    client.ask("GET", "/models/status")
    client._connection.sock.shutdown(2)  # as a service does that waited long enough
    assert "models" in client.ask("GET", "/models/status")


def test_an_application_that_asks_loads_nothing_of_the_service():
    code = f"import sys, api.client; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_service_that_is_away_is_told():
    with pytest.raises(
        ComponentMissing, match=r"127\.0\.0\.1:9 does not answer .*finlake api serve"
    ):
        Client("http://127.0.0.1:9", "fl_key").ask("GET", "/models/status")


def test_the_command_line_asks_too(world, predicted, monkeypatch, capsys):
    api, url = world
    monkeypatch.setenv("FINLAKE_API_KEY", api.keys["analyst"])
    asked = {"user_id": OWN}
    words = ["ask", "POST", "/budget/recommend", json.dumps(asked)]
    assert main(["client", "--url", url, *words]) == 0
    assert json.loads(capsys.readouterr().out) == api.post("/budget/recommend", asked).json()
    models, url = predicted
    monkeypatch.setenv("FINLAKE_API_KEY", models.api.keys["analyst"])
    words = [
        "anomaly",
        "--card",
        str(models.row(0)["card_id"]),
        "--amount",
        "12.50",
        "--mcc",
        "5411",
    ]
    assert main(["client", "--url", url, *words]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["probability"] <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ask", "GET", "models"], "a path begins with /"),
        (["ask", "POST", "/budget/recommend", "{"], "the body is no JSON"),
        (["anomaly", "--card", "-4", "--amount", "1"], "card_id"),
        (["anomaly", "--card", "4", "--amount", "much"], "amount"),
    ],
)
def test_wrong_words_are_told(words, said, monkeypatch, capsys):
    monkeypatch.setenv("FINLAKE_API_KEY", "fl_key")
    assert main(["client", "--url", "http://127.0.0.1:9", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_key_is_asked_for(monkeypatch, capsys):
    monkeypatch.delenv("FINLAKE_API_KEY", raising=False)
    assert main(["client", "ask", "GET", "/models/status"]) == 2
    assert "finlake api keys create" in capsys.readouterr().err


def test_every_typed_answer_can_be_read(world, client):
    found = client.subscriptions(AskSubscriptions(user_id=OWN)).subscriptions
    assert 1599 in [one.price for one in found]
    assert client.trends(AskHealth(user_id=OWN)).months
    assert client.opportunities(AboutMoney(user_id=OWN)).currency == "USD"
    assert client.budget_alerts(AskAlerts(user_id=OWN)).outlooks
    assert len(client.savings(AskMonths(user_id=OWN, months=3, method="average")).months) == 3
    flow = {"user_id": OWN, "balance": "900.00", "days": 5}
    assert len(client.cash_flow(AskCashFlow.model_validate(flow)).days) == 5
    goal = {"target": "1200.00", "start": "2019-09-01"}
    plan = client.reverse_plan(AskReverse.model_validate(goal | {"months": 12}))
    assert plan.monthly == 10_000
    asked = {"user_id": OWN, "goal": goal, "months": 12}
    assert client.feasibility(AskFeasibility.model_validate(asked)).verdict != "unknown"


def test_keys_are_made_once_rotated_listed_and_revoked(world):
    api, url = world
    with Client(url, api.keys["admin"]) as admin:
        asked = AskKey(name="anna", role="viewer")
        made = admin.create_key(asked, "the-same")
        assert admin.create_key(asked, "the-same") == made
        assert [key.id for key in admin.every_key()].count(made.key.id) == 1
        assert admin.rotate_key(made.key.id).secret != made.secret
        assert admin.revoke_key(made.key.id).revoked is not None
        for number in range(120):  # more than a page
            api.store.create(f"one of many {number}", "viewer")
        assert len(list(admin.every_key())) > 120
