"""Runs DAGs by `airflow dags test`, one after the other in one process; run by Airflow's Python.

``run.py ANSWER RUNS``: RUNS is a JSON list of DAG and parameters; the file ANSWER gets, for each,
whether the command ended well, and the state and the tries of every task. One process, since most
of what the command takes is to import Airflow.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from airflow.__main__ import main
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select


def test(dag: str, params: dict[str, Any]) -> dict[str, Any]:
    sys.argv = ["airflow", "dags", "test", dag, "--conf", json.dumps(params)]
    try:
        main()
        good = True
    except SystemExit as error:
        good = error.code in (None, 0)
    except Exception:  # noqa: BLE001 (as the command line itself would end)
        traceback.print_exc()
        good = False
    with create_session() as session:
        newest = select(TaskInstance).where(TaskInstance.dag_id == dag)
        found = session.scalars(newest.order_by(TaskInstance.id)).all()
        last = max((one.dag_run.id, one.run_id) for one in found)[1]
        tasks = {
            one.task_id: {"state": str(one.state), "tries": one.try_number}
            for one in found
            if one.run_id == last
        }
    return {"dag": dag, "good": good, "tasks": tasks}


ANSWER, RUNS = sys.argv[1:]
answers = [test(dag, params) for dag, params in json.loads(RUNS)]
Path(ANSWER).write_text(json.dumps(answers))
