"""What every DAG is made of: jobs that exist, limits of time, somebody who answers for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from finlake.cli import root
from lakehouse_schemas import contracts
from tests.airflow.conftest import NAMES, looked_at

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations" / "airflow.md"
OWNERS = {contract.owner for contract in contracts.all()}

each_dag = pytest.mark.parametrize("name", NAMES)


def test_every_file_is_one_dag_of_its_name(looked: dict[str, Any]) -> None:
    assert looked["errors"] == {}
    assert sorted(looked["dags"]) == NAMES
    assert [dag["file"] for dag in looked["dags"].values()] == [f"{name}.py" for name in NAMES]


def test_reading_the_files_touches_nothing(looked: dict[str, Any]) -> None:
    assert looked["outside"] == []


def test_a_file_that_reads_asks_or_breaks_is_found_out(tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "reads.py").write_text(
        "from datetime import timedelta\nfrom finlake_airflow import dag_of, job\n"
        "import pathlib, socket, subprocess\n"
        "pathlib.Path('/etc/hostname').read_text()\n"
        "subprocess.run(['true'])\n"
        "socket.socket().connect_ex(('127.0.0.1', 1))\n"
        "with dag_of(__file__, __doc__, owner='x', deadline=timedelta(hours=1)):\n"
        "    job('one', 'status', doc='Nothing.')\n"
    )
    (folder / "breaks.py").write_text("import airflow\nfrom finlake_airflow import dag\n")
    found = looked_at(folder, tmp_path)
    assert list(found["errors"]) == ["breaks.py"]
    assert list(found["dags"]) == ["reads"]
    kinds = {line.split()[1] for line in found["outside"]}
    assert {"open", "subprocess.Popen", "socket.connect"} <= kinds
    assert {line.partition(":")[0] for line in found["outside"]} == {"reads.py"}


@each_dag
def test_a_dag_says_what_it_does_and_who_answers_for_it(name: str, looked: dict[str, Any]) -> None:
    dag = looked["dags"][name]
    assert dag["doc"].strip().startswith(dag["description"])
    assert len(dag["description"]) > 20
    assert "finlake" in dag["tags"]
    assert {task["owner"] for task in dag["tasks"].values()} <= OWNERS
    assert f"`{name}`" in DOCUMENT.read_text()


@each_dag
def test_a_dag_runs_once_at_a_time_and_is_told_when_late(name: str, looked: dict[str, Any]) -> None:
    dag = looked["dags"][name]
    assert dag["runs_at_once"] == 1
    assert dag["catchup"] is False
    (deadline,) = dag["deadline_s"]
    # A task may be stopped, but no run is called late for one that may still be at work.
    assert deadline >= max(task["timeout_s"] for task in jobs(dag).values())


@each_dag
def test_a_job_has_a_limit_is_tried_again_and_is_told(name: str, looked: dict[str, Any]) -> None:
    dag = looked["dags"][name]
    assert jobs(dag)
    for task in jobs(dag).values():
        assert task["timeout_s"] > 0
        assert task["retries"] >= 1
        assert task["told"] == ["on_failure"]
        assert len(task["doc"]) > 20


def jobs(dag: dict[str, Any]) -> dict[str, Any]:
    """The tasks that run a command; the others only choose between them."""
    return {name: task for name, task in dag["tasks"].items() if task["words"] is not None}


@each_dag
def test_a_job_is_a_command_with_options_that_exist(name: str, looked: dict[str, Any]) -> None:
    for task in jobs(looked["dags"][name]).values():
        assert parsed(task["words"]) == task["words"]


def parsed(words: list[str]) -> list[str]:
    """The words, if finlake takes them; fails as finlake would."""
    context, rest = click.Context(root), list(words)
    command: click.Command = root
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, f"no command {' '.join(words)}"
        command, rest = found, rest[1:]
    command.make_context(words[0], rest, parent=context)
    return words


def test_a_command_that_is_none_is_found_out() -> None:
    for words in (["nothing"], ["verify", "--nothing"], ["verify", "--wait", "soon"]):
        with pytest.raises((click.UsageError, AssertionError)):
            parsed(words)


@each_dag
def test_what_a_dag_makes_is_written_by_batch_jobs(name: str, looked: dict[str, Any]) -> None:
    for task in looked["dags"][name]["tasks"].values():
        for table in task["outlets"]:
            assert contracts.get(table).layer in ("silver", "gold")


def test_assets_are_all_tables_of_the_lake() -> None:
    from lakehouse_schemas.generate import AIRFLOW_ASSETS

    made = (AIRFLOW_ASSETS / "finlake_assets.py").read_text()
    for contract in contracts.lake_tables():
        assert f'Asset("{contract.full_name}", "finlake://lake/' in made
        assert f'"{contract.full_name}": timedelta(seconds={contract.freshness_s:g}),' in made
