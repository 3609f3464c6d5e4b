"""Each DAG on a real stack, and what becomes of one when a part of the platform is down."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from infra.lake.query import Query
from infra.settings import load_settings
from infra.stack.airflow import airflow_password
from models.registry import NAMES as MODELS
from models.registry import Registry
from tests.airflow.conftest import NAMES, TRANSACTIONS, Ran, World
from tests.support.stack import run, status_of, wait_for

pytestmark = pytest.mark.timeout(2400)  # the runs of all DAGs are one fixture

# A busy machine is no fault of the platform: what took how long is not judged here.
PATIENT = {"factor": 1000}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "topics": ("topic_init", {}),
    "backfill": ("backfill_once", {"folder": "data"}),
    "gold": ("gold_refresh", {"day": "2019-06-30"}),
    "models": ("train_and_promote", {"trials": 0}),
    "health": ("platform_health", PATIENT),
    "maintenance": ("maintenance", {}),
    "quality": ("quality", {}),
    "watch": ("stream_supervisor", {}),
    "restart": ("stream_supervisor", {"action": "restart"}),
    "drain": ("stream_supervisor", {"action": "drain"}),
    "start": ("stream_supervisor", {"action": "start"}),
    "upgrade": ("stream_supervisor", {"action": "upgrade"}),
}


@pytest.fixture(scope="module")
def ran(world: World) -> dict[str, Ran]:
    """A run of each DAG, one after the other, on a platform that does well."""
    return dict(zip(RUNS, world.test(*RUNS.values()), strict=True))


def test_every_dag_is_run_here() -> None:
    assert {dag for dag, _ in RUNS.values()} == set(NAMES)


@pytest.mark.parametrize("name", RUNS)
def test_every_dag_runs_well_on_a_platform_that_does(name: str, ran: dict[str, Ran]) -> None:
    found = ran[name]
    assert found.good, found.printed
    done = {task for task, state in found.states.items() if state == "success"}
    if RUNS[name][0] == "stream_supervisor":  # of which an action is one part
        group = RUNS[name][1].get("action", "watch")
        assert done == {
            task for task in found.states if task in ("choice",) or task.startswith(f"{group}.")
        }
    else:
        assert done == set(found.states)
    assert {found.tries[task] for task in done} == {1}


def test_the_runs_have_made_what_they_say(world: World, ran: dict[str, Ran]) -> None:
    settings = load_settings(home=world.home)

    def rows(table: str) -> int:
        return int(Query(settings).query(f"SELECT count(*) AS n FROM {table}")["n"][0].as_py())

    assert rows("gold.fact_transactions") == TRANSACTIONS
    made = ("customer_analytics", "customer_cohorts", "forecasts", "report_editions")
    noted = ("model_decisions", "model_versions", "model_drift")
    assert [table for table in (*made, *noted) if not rows(f"gold.{table}")] == []
    assert all(Registry(settings, name).versions() for name in MODELS.values())


def test_nobody_is_told_of_what_went_well(world: World, ran: dict[str, Ran]) -> None:
    assert world.told == []


@pytest.fixture
def hung(world: World) -> Iterator[int]:
    """Kafka Connect that does not answer any more, though its process is there."""
    pid = status_of(world.home)["connect"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: status_of(world.home)["connect"]["state"] == "unhealthy", "it is noticed")
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: status_of(world.home)["connect"]["state"] == "healthy", "it is back")


def test_a_part_that_is_down_is_tried_again_told_and_hides_no_other(
    world: World, hung: int
) -> None:
    (found,) = world.test(("platform_health", PATIENT))
    told, world.told = world.told, []
    assert not found.good
    assert {name for name, state in found.states.items() if state == "failed"} == {
        "programs",
        "capture",
    }
    assert found.states["topics"] == found.states["reconciliation"] == "success"
    assert found.tries["programs"] == found.tries["capture"] == 2
    assert found.tries["topics"] == 1
    by_task = {one["task"]: one for one in told}
    assert sorted(by_task) == ["capture", "programs"]
    programs = by_task["programs"]
    assert programs["dag"] == "platform_health"
    assert "connect not healthy" in programs["error"]
    assert programs["text"].startswith("platform_health.programs failed: finlake status: connect")
    assert (programs["tries"], programs["owner"]) == (2, "Data platform")
    assert "finlake logs" in programs["next"]


def test_airflow_runs_as_part_of_the_stack(world: World) -> None:
    told = run(world.home, "up", "--with", "airflow", "--no-connector")
    assert "dags       healthy" in told
    api = status_of(world.home)["airflow"]["address"]
    login = {"username": "admin", "password": airflow_password(world.home)}
    token = requests.post(f"{api}/auth/token", json=login, timeout=30).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    dag = f"{api}/api/v2/dags/topic_init"
    assert requests.get(dag, timeout=30).status_code == 401

    def known() -> bool:
        return requests.get(dag, headers=headers, timeout=30).status_code == 200

    def state() -> str:
        runs = requests.get(f"{dag}/dagRuns", headers=headers, timeout=30).json()["dag_runs"]
        return str(runs[0]["state"])

    wait_for(known, "the DAG processor has read the file", 300)
    run(world.home, "airflow", "dags", "trigger", "topic_init")
    wait_for(lambda: state() in ("success", "failed"), "the scheduler has run it", 300)
    assert state() == "success"
    assert "platform_health" in run(world.home, "airflow", "dags", "list")
