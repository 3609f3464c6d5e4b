"""Insights by HTTP: posted rows and gold give one answer, which is that of the pure functions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from models.finance.budget import recommend_budget
from models.finance.goals import Goal, reverse_plan
from models.finance.ledger import Transaction, monthly_flows, steady_income, whole_months
from models.finance.spending import by_group
from tests.unit.api_world import FIRST, LAST, NOBODY, OTHER, OWN, ApiWorld, build, payments


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    return build(tmp_path_factory.mktemp("api") / "home")


def known(user: int) -> tuple[date, date]:
    """First day of a customer, last of all."""
    rows = [row["transaction_ts"].date() for one in range(OWN, OWN + 24) for row in payments(one)]
    return min(row["transaction_ts"].date() for row in payments(user)), max(rows)


def posted(user: int) -> dict[str, Any]:
    """The same customer as a request would post them."""
    first, today = known(user)
    return {
        "transactions": [
            {
                "day": str(row["transaction_ts"].date()),
                "amount": str(row["amount"].quantize(Decimal("0.01"))),
                "mcc": row["mcc"],
                "merchant": str(row["merchant_id"]),
            }
            for row in payments(user)
        ],
        "yearly_income": f"{24_000 + 500 * user}.00",
        "first": str(first),
        "today": str(today),
    }


GOAL = {"target": "3000.00", "saved": "100.00", "start": "2019-09-01"}
BOTH_WAYS: dict[str, dict[str, Any]] = {
    "/insights/health-score": {"liquid": "5000.00", "debt_payment": "120.00"},
    "/insights/trends": {"liquid": "5000.00"},
    "/budget/recommend": {"goals": "250.00"},
    "/budget/alerts": {"budgets": {"groceries": "400.00", "streaming and television": "15.00"}},
    "/budget/leaks": {},
    "/budget/optimize": {"target": "0.9"},
    "/recommendations/habits": {},
    "/recommendations/subscriptions": {},
    "/recommendations/opportunities": {},
    "/recommendations/nudges": {"milestones": [{"goal": "bicycle", "percent": 50}]},
    "/goals/feasibility": {"goal": GOAL, "months": 12},
    "/forecast/cashflow": {"balance": "900.00", "days": 40},
    "/predictions/savings": {"months": 4, "method": "average"},
    "/predictions/expense/advanced": {"months": 4, "method": "average"},
    "/predict/cashflow": {"balance": "-20.00"},
}


@pytest.mark.parametrize("path", BOTH_WAYS)
def test_posted_rows_and_gold_give_one_answer(world, path):
    more = BOTH_WAYS[path]
    stored = world.post(path, {"user_id": OTHER} | more)
    given = world.post(path, posted(OTHER) | more)
    assert stored.status_code == 200, stored.text
    assert stored.json() == given.json()
    other = world.post(path, {"user_id": OTHER + 2} | more)  # it depends on the customer
    assert other.status_code == 200
    if path != "/goals/feasibility":
        assert other.json() != stored.json()


@pytest.mark.parametrize("path", BOTH_WAYS)
def test_a_short_path_is_the_same(world, path):
    body = {"user_id": OTHER} | BOTH_WAYS[path]
    short = world.ask("analyst", "POST", path, json=body)
    assert short.json() == world.post(path, body).json()


def flows(user: int) -> Any:
    first, today = known(user)
    rows = [
        Transaction(row["transaction_ts"].date(), int(row["amount"] * 100), row["mcc"])
        for row in payments(user)
    ]
    income = steady_income((24_000 + 500 * user) * 100, first, today)
    return rows, monthly_flows(rows, income, first, today), whole_months(first, today)


def test_a_budget_is_that_of_the_pure_function_and_adds_up(world):
    rows, months, whole = flows(OTHER)
    income = sum(month.income for month in months) // len(months)
    expected = recommend_budget(income, by_group(rows, whole))
    found = world.post("/budget/recommend", {"user_id": OTHER}).json()
    assert Decimal(found["needs"]) * 100 == expected.needs
    parts = [Decimal(found[name]) for name in ("needs", "wants", "saving")]
    assert sum(parts) == Decimal(found["income"]) == Decimal(income) / 100
    assert found["currency"] == "USD"


def test_money_is_text_and_a_number_is_refused(world):
    found = world.post("/budget/recommend", {"user_id": OTHER}).json()
    assert isinstance(found["income"], str)
    row = {"day": "2019-01-01", "amount": 12.3}
    wrong = world.post("/recommendations/habits", {"transactions": [row]})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["place"] == "body.transactions.0.amount"


@pytest.mark.parametrize(
    "amount", ["1e3", "NaN", "12.345", "12", "", "１２.00", "99999999999999.00"]
)
def test_an_amount_of_another_form_is_refused(world, amount):
    row = {"day": "2019-01-01", "amount": amount}
    assert world.post("/recommendations/habits", {"transactions": [row]}).status_code == 422


def test_a_score_adds_up_and_rises_with_what_is_saved(world):
    scores = []
    for liquid in ("0.00", "2000.00", "9000.00"):
        found = world.post("/insights/health-score", {"user_id": OTHER, "liquid": liquid}).json()
        points = [Decimal(part["points"]) for part in found["parts"] if part["points"] is not None]
        assert sum(points) == Decimal(found["score"])
        scores.append(Decimal(found["score"]))
    assert all(one < other for one, other in pairwise(scores))


def test_trends_of_a_customer_by_path(world):
    by_path = world.ask("analyst", "GET", f"/api/v1/insights/trends/{OTHER}")
    assert by_path.status_code == 200
    assert by_path.json() == world.post("/insights/trends", {"user_id": OTHER}).json()
    assert len(by_path.json()["months"]) >= 4


def test_a_benchmark_shows_a_group_and_nobody(world):
    found = world.ask("analyst", "GET", f"/api/v1/insights/benchmark/{OTHER}").json()
    assert found["people"] in (10, 15, 20)
    assert 0 <= found["percentile"] <= 100
    assert found["low"] <= found["median"] <= found["high"]


def test_a_benchmark_of_too_few_shows_nothing(tmp_path):
    few = build(tmp_path / "home", customers=9)
    found = few.ask("analyst", "GET", f"/api/v1/insights/benchmark/{OTHER}").json()
    assert (found["people"], found["percentile"], found["median"]) == (0, None, None)


def test_subscriptions_are_found_with_their_price(world):
    found = world.post("/recommendations/subscriptions", {"user_id": OWN}).json()
    streaming = [one for one in found["subscriptions"] if one["mcc"] == 4899]
    assert [(one["period"], one["price"]) for one in streaming] == [("monthly", "15.99")]
    assert streaming[0]["next_due"] == "2019-09-12"


def test_what_was_said_is_not_said_again(world):
    body = posted(OWN) | {"today": "2019-08-10", "transactions": [
        row for row in posted(OWN)["transactions"] if row["day"] <= "2019-08-10"
    ]}  # fmt: skip
    first = world.post("/recommendations/nudges", body).json()
    assert first["say"]
    told = [{"kind": n["kind"], "key": n["key"], "day": "2019-08-10"} for n in first["say"]]
    again = world.post("/recommendations/nudges", body | {"sent": told}).json()
    said = {(one["kind"], one["key"]) for one in again["say"]}
    assert not said & {(one["kind"], one["key"]) for one in told}


def test_a_reverse_plan_is_that_of_the_pure_function(world):
    found = world.post("/goals/reverse-plan", GOAL | {"months": 10, "yearly_return": "0.03"}).json()
    goal = Goal(300_000, 10_000, date(2019, 9, 1), Decimal("0.03"))
    assert Decimal(found["monthly"]) * 100 == reverse_plan(goal, 10).monthly
    line = world.post(
        "/goals/calculate-timeline", GOAL | {"yearly_return": "0.03", "monthly": found["monthly"]}
    ).json()
    assert line["months"] == 10
    assert [one["percent"] for one in line["milestones"]] == [25, 50, 75, 100]


def test_alternatives_change_one_thing_each(world):
    found = world.post("/goals/alternatives", GOAL | {"months": 10, "monthly": "100.00"}).json()
    changes = [one["change"] for one in found["alternatives"]]
    assert changes == ["later", "more", "smaller", "deposit"]


def test_a_cash_flow_adds_up_and_knows_what_recurs(world):
    body = {"user_id": OWN, "balance": "1000.00", "days": 40}
    found = world.post("/forecast/cashflow", body).json()
    balance = Decimal("1000.00")
    for day in found["days"]:
        balance += Decimal(day["income"]) - Decimal(day["recurring"]) - Decimal(day["other"])
        assert Decimal(day["balance"]) == balance
        assert Decimal(day["low"]) <= balance <= Decimal(day["high"])
    (streaming,) = [day for day in found["days"] if day["day"] == "2019-09-12"]
    assert Decimal(streaming["recurring"]) >= Decimal("15.99")
    (payday,) = [day for day in found["days"] if day["day"] == "2019-09-01"]
    assert Decimal(payday["income"]) > 0


def test_an_expense_names_its_model_and_why(world):
    body = {"user_id": OWN, "months": 3, "method": "auto", "first": "2019-03-01"}
    found = world.post("/predictions/expense/advanced", body).json()
    assert [month["month"] for month in found["months"]] == [
        "2019-08-01",
        "2019-09-01",
        "2019-10-01",
    ]
    assert found["method"] == "average"
    assert "too short" in found["reason"]


def test_transactions_come_page_by_page_newest_first(world):
    path, found, after = f"/api/v1/customers/{OWN}/transactions", [], None
    for _ in range(100):
        page = world.ask(
            "customer", "GET", path, params={"limit": 7} | ({"after": after} if after else {})
        )
        assert page.status_code == 200
        found += page.json()["items"]
        after = page.json()["next"]
        if after is None:
            break
    expected = sorted((row["transaction_id"] for row in payments(OWN)), reverse=True)
    assert [one["transaction_id"] for one in found] == expected
    assert found[-1]["amount"] == str(payments(OWN)[0]["amount"].quantize(Decimal("0.01")))


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"user_id": NOBODY}, "no such customer"),
        ({}, "values are wrong"),
        ({"user_id": OWN, "transactions": []}, "values are wrong"),
        ({"user_id": OWN, "yearly_income": "1.00"}, "values are wrong"),
        ({"transactions": []}, "give first and today"),
        ({"user_id": OWN, "first": "2019-08-01", "today": "2019-07-01"}, "lies before"),
        ({"user_id": OWN, "surprise": 1}, "values are wrong"),
        ({"transactions": [{"day": "2019-01-01", "amount": "1.00"}]}, "less than 28 days"),
    ],
)
def test_what_cannot_be_answered_says_why(world, body, detail):
    found = world.post("/recommendations/habits", body)
    assert found.status_code in (404, 422)
    assert detail in found.json()["detail"]
    assert found.headers["content-type"] == "application/problem+json"


def test_days_may_be_fewer_than_what_is_known(world):
    whole = world.post("/recommendations/habits", {"user_id": OWN}).json()
    part = world.post(
        "/recommendations/habits", {"user_id": OWN, "first": "2019-03-01", "today": "2019-04-30"}
    ).json()
    assert part["days"] == 61 < whole["days"] <= (LAST - FIRST).days + 1


def test_new_data_change_the_answer_at_once(tmp_path: Path):
    world = build(tmp_path / "home", customers=2)
    body = {"user_id": OWN}
    before = world.post("/recommendations/habits", body).json()
    assert world.post("/recommendations/habits", body).json() == before
    moment = datetime(2019, 8, 19, 9, tzinfo=UTC) - timedelta(days=1)
    new = payments(OWN)[-1] | {
        "transaction_id": 999_999, "transaction_ts": moment, "amount": Decimal("321.00"),
        "date_key": int(f"{moment:%Y%m%d}"),
    }  # fmt: skip
    world.pay([new])
    after = world.post("/recommendations/habits", body).json()
    assert Decimal(after["weekend"]) > Decimal(before["weekend"])


def test_declined_payments_were_not_spent(tmp_path: Path):
    world = build(tmp_path / "home", customers=1)
    before = world.post("/recommendations/habits", {"user_id": OWN}).json()
    new = payments(OWN)[-1] | {"transaction_id": 999_999, "is_declined": True}
    world.pay([new])
    assert world.post("/recommendations/habits", {"user_id": OWN}).json() == before


def test_a_service_that_is_started_anew_answers(world):
    body = {"user_id": OWN, "today": str(LAST)}
    for _ in range(2):
        with world.client:  # which begins and ends the service
            assert world.post("/insights/health-score", body).status_code == 200
