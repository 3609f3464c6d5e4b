"""Answers that are kept: given again while gold stays, never to the wrong person, never too old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.services.answers import Answers
from api.services.customers import Customers
from tests.unit.api_world import OTHER, OWN, ApiWorld, build, payments
from tests.unit.test_api_insights import BOTH_WAYS


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

    customers = Customers(Growing(), 0.05, lambda: now[0])  # type: ignore[arg-type]
    assert customers.version_now() is None
    first = customers.version()
    now[0] = 0.049
    assert customers.version() == customers.version_now() == first
    now[0] = 0.05
    assert customers.version_now() is None
    assert customers.version() != first
