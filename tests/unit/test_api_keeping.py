"""Answers that are kept: given again while gold stays, never to the wrong person, never too old."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from api.services.answers import Answers
from api.services.customers import Customers
from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from tests.unit.api_world import LAST, OTHER, OWN, ApiWorld, build, payments, serve
from tests.unit.test_api_insights import BOTH_WAYS

JULY = datetime(2019, 7, 15, 12, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> ApiWorld:
    return build(tmp_path / "home", customers=12)


class Counting:
    """The service's answers, counted when they are made."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.made = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def counted(*given: Any) -> Any:
            self.made += 1
            return method(*given)

        return counted


def counted(world: ApiWorld) -> tuple[Counting, Counting]:
    services = world.client.app.state.services  # type: ignore[attr-defined]
    found = Counting(services.insights), Counting(services.forecasts)
    object.__setattr__(services, "insights", found[0])
    object.__setattr__(services, "forecasts", found[1])
    return found


def test_what_was_answered_is_answered_again_until_gold_changes(world):
    makers = counted(world)
    first = {
        path: world.post(path, {"user_id": OWN} | more).json() for path, more in BOTH_WAYS.items()
    }
    made = sum(one.made for one in makers)
    assert made == len(BOTH_WAYS)
    again = {
        path: world.post(path, {"user_id": OWN} | more).json() for path, more in BOTH_WAYS.items()
    }
    assert again == first
    assert sum(one.made for one in makers) == made
    rows = payments(OWN)[-3:]
    for number, row in enumerate(rows):
        row["transaction_id"] += 50_000 + number
    world.pay(rows)
    path = "/recommendations/habits"
    assert world.post(path, {"user_id": OWN}).json() != first[path]
    assert sum(one.made for one in makers) == made + 1


def test_other_questions_have_other_answers(world):
    makers = counted(world)
    path = "/budget/recommend"
    bodies = [
        {"user_id": OWN},
        {"user_id": OTHER},
        {"user_id": OWN, "goals": "900.00"},
        {"user_id": OWN, "today": "2019-05-31"},
    ]
    answers = [world.post(path, body).text for body in bodies]
    assert len(set(answers)) == len(bodies)
    assert [world.post(path, body).text for body in bodies] == answers
    assert makers[0].made == len(bodies)
    trend = world.ask("analyst", "GET", f"/api/v1/insights/trends/{OWN}")
    assert trend.text not in answers


def test_a_kept_answer_is_not_for_others(world):
    path = f"/api/v1/insights/trends/{OTHER}"
    assert world.ask("analyst", "GET", path).status_code == 200
    for role in ("viewer", "operator", "customer"):
        assert world.ask(role, "GET", path).status_code == 403
        assert world.post("/budget/recommend", {"user_id": OTHER}, role).status_code == 403


def test_what_is_posted_is_not_kept(world):
    answers = world.client.app.state.services.answers
    rows = [{"day": f"2019-0{month}-15", "amount": "10.00"} for month in (1, 2, 3)]
    assert world.post("/recommendations/habits", {"transactions": rows}).status_code == 200
    assert not answers._bodies
    assert world.post("/budget/recommend", {"user_id": 4711}).status_code == 404
    assert not answers._bodies


def test_what_was_asked_for_longest_ago_goes_first():
    answers = Answers(10)
    for name in (b"a", b"b"):
        answers.put(name, b"12345")
    assert answers.get(b"a") == b"12345"
    answers.put(b"c", b"12345")
    assert answers.get(b"b") is None
    assert answers.get(b"a") is not None
    answers.put(b"a", b"1")
    answers.put(b"d", b"1234")  # there is room since a became shorter
    assert answers.get(b"c") == b"12345"
    answers.put(b"e", b"x" * 11)
    assert answers.get(b"e") is None
    assert answers.get(b"d") == b"1234"


def test_a_version_counts_as_the_newest_for_so_long_and_no_longer():
    now, looks = [0.0], [0]

    class Growing:
        def version(self, table: str) -> int:
            looks[0] += 1
            return looks[0]

        def query(self, *_: object) -> pa.Table:
            return pa.table({"day": [LAST]})

        def changed(self, *_: object) -> None:
            return None

    customers = Customers(Growing(), 0.05, lambda: now[0])
    assert customers.state_now(OWN) is None
    first = customers.state(OWN)
    now[0] = 0.049
    assert customers.state(OWN) == customers.state_now(OWN) == first
    now[0] = 0.05
    assert customers.state_now(OWN) is None
    assert customers.state(OWN) != first


def test_a_commit_makes_new_answers_for_its_own_customers_alone(world):
    makers = counted(world)
    path = "/recommendations/habits"
    first = {user: world.post(path, {"user_id": user}).json() for user in (OWN, OTHER)}
    rows = payments(OWN)[-3:]
    for number, row in enumerate(rows):
        row["transaction_id"] += 50_000 + number
    world.pay(rows)
    world.pay([])  # a commit that changes nobody
    assert world.post(path, {"user_id": OTHER}).json() == first[OTHER]
    assert makers[0].made == 2
    assert world.post(path, {"user_id": OWN}).json() != first[OWN]
    assert makers[0].made == 3


def test_what_is_changed_or_deleted_in_gold_is_answered_anew(world):
    path = "/recommendations/subscriptions"
    first = world.post(path, {"user_id": OWN}).json()
    facts = Lake(world.settings).ensure(contracts.get("gold.fact_transactions"))
    facts.update(updates={"amount": "amount + 1"}, predicate=f"user_id = {OWN} AND mcc = 4899")
    dearer = world.post(path, {"user_id": OWN}).json()
    assert dearer != first
    assert world.post(path, {"user_id": OTHER}).status_code == 200
    facts.delete(f"user_id = {OWN} AND mcc = 4899")
    assert world.post(path, {"user_id": OWN}).json() not in (first, dearer)


def test_a_profile_that_changes_is_answered_anew(world):
    path = "/budget/recommend"
    first = world.post(path, {"user_id": OWN}).json()
    people = Lake(world.settings).ensure(contracts.get("gold.dim_user"))
    people.update(updates={"yearly_income": "yearly_income * 2"}, predicate=f"user_id = {OWN}")
    assert world.post(path, {"user_id": OWN}).json()["income"] != first["income"]


def test_peers_are_scored_anew_when_their_money_changes(world, monkeypatch):
    path = f"/api/v1/insights/benchmark/{OTHER}"
    services = world.client.app.state.services
    asked: list[Any] = []
    of_all = services.customers.of_all

    def noted(*given: Any) -> Any:
        asked.append(given[2])
        return of_all(*given)

    monkeypatch.setattr(services.customers, "of_all", noted)
    first = world.ask("analyst", "GET", path).json()
    rows = payments(OTHER + 4)[-1:]
    rows[0] |= {"amount": Decimal(9_000), "transaction_id": 1, "transaction_ts": JULY,
                "date_key": 20190715}  # fmt: skip
    world.pay(rows)
    second = world.ask("analyst", "GET", path).json()
    assert asked == [None, {OTHER + 4}]
    whole = serve(world.settings).get(path, headers={"X-API-Key": world.keys["analyst"]}).json()
    assert second == whole
    assert first != second
