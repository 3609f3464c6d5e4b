"""Says what the DAGs of a folder are made of, as one JSON object; run by Airflow's own Python.

``look.py FOLDER``: ``errors`` by file, ``outside`` has what a file did outside of its own process
while it was read, ``dags`` has the rest.
"""

import importlib.util
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import finlake_airflow
import finlake_assets
from airflow.dag_processing.dagbag import DagBag

FOLDER = Path(sys.argv[1]).resolve()
outside: list[str] = []


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Note files, sockets, processes and databases that a file of the folder asks for."""
    if not event.startswith(("open", "socket.", "subprocess.", "os.", "shutil.", "sqlite3.")):
        return
    if event == "open" and str(arguments[0]).endswith((".py", ".pyc")):  # an import
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):  # finding a module lists folders
            return
        if Path(name).parent == FOLDER:
            outside.append(f"{Path(name).name}:{frame.f_lineno}: {event} {arguments[:1]}")
            return
        frame = frame.f_back


def described(dag: Any) -> dict[str, Any]:
    params = dag.params.dump()
    return {
        "file": Path(dag.fileloc).name,
        "description": dag.description,
        "doc": dag.doc_md,
        "schedule": dag.timetable.__class__.__name__,
        "catchup": dag.catchup,
        "runs_at_once": dag.max_active_runs,
        "paused": dag.is_paused_upon_creation,
        "tags": sorted(dag.tags),
        "deadline_s": [one.interval.total_seconds() for one in dag.deadline],
        "params": params,
        "tasks": {task.task_id: task_of(task, params) for task in dag.tasks},
    }


def task_of(task: Any, params: dict[str, Any]) -> dict[str, Any]:
    words = getattr(task, "words", None)
    if words is not None:
        environment = task.get_template_env()
        words = [rendered(environment, word, params) for word in words]
    return {
        "kind": type(task).__name__,
        "words": words,
        "owner": task.owner,
        "doc": task.doc_md,
        "retries": task.retries,
        "timeout_s": task.execution_timeout and task.execution_timeout.total_seconds(),
        "told": [told.__name__ for told in task.on_failure_callback or []],
        "after": sorted(task.upstream_task_ids),
        "outlets": [asset.name for asset in task.outlets],
    }


def rendered(environment: Any, word: str, params: dict[str, Any]) -> str:
    """The word of a run on request, with the default parameters."""
    from airflow.sdk.execution_time import macros

    run = type("Run", (), {"run_after": datetime(2026, 3, 2, tzinfo=UTC), "run_id": "a run"})
    return str(environment.from_string(word).render(params=params, dag_run=run, macros=macros))


assert importlib.util.find_spec("finlake") is None, "this project is not for Airflow's environment"
assert finlake_airflow.dag_of
assert finlake_assets.ASSETS
sys.addaudithook(watch)
bag = DagBag(dag_folder=str(FOLDER), load_op_links=False)
answer = {
    "errors": {Path(file).name: text for file, text in bag.import_errors.items()},
    "outside": outside,
    "dags": {name: described(dag) for name, dag in sorted(bag.dags.items())},
}
sys.stdout.write(json.dumps(answer) + "\n")
