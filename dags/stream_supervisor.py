"""The streaming application: watched every five minutes; started, drained, upgraded on request.

`action` says what a run does:

- **watch**: it is healthy, and its readers are not far behind; what died the stack starts by itself
- **start**: have it run; harmless when it does
- **restart**: stop it after its batch, and start it again
- **drain**: stop it, apply what is still in Kafka, and leave it stopped
- **upgrade**: check the contracts, put the connector in line, stop it, apply what is there by the
  new code, start it, and prove that source, silver and gold agree

Stopping is safe at any moment: a batch that was cut short is given again under the same id. In
containers the application is a service, which Docker starts and stops; there `watch` is of use.
"""

from datetime import timedelta

from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import Param, TaskGroup, chain
from finlake_airflow import Job, dag_of, job

ACTIONS = ["watch", "start", "restart", "drain", "upgrade"]


def chosen(params: dict[str, str]) -> list[str]:
    """The first tasks of the action that was asked for."""
    first = {"watch": ["healthy", "behind"], "upgrade": ["contracts"], "start": ["start"]}
    return [f"{params['action']}.{task}" for task in first.get(params["action"], ["stop"])]


def healthy() -> Job:
    """It runs, and answers."""
    return job(
        "healthy",
        *("status", "stream"),
        embedded=True,
        doc="It is not healthy: `finlake logs stream` says why; a full disk, a bad setting.",
    )


def start() -> Job:
    """Have it run."""
    return job(
        "start",
        *("up", "--with", "stream"),
        timeout=timedelta(minutes=15),
        embedded=True,
        doc="It does not come up: `finlake logs stream`.",
    )


def stop() -> Job:
    """End it after its batch."""
    return job(
        "stop",
        *("down", "stream", "alerts"),
        embedded=True,
        doc="It has not ended: its batch is killed after a minute, and given again at the start.",
    )


def drain() -> Job:
    """Apply what is in Kafka, by the code as it is now."""
    return job(
        "drain",
        *("stream", "--once"),
        timeout=timedelta(hours=2),
        embedded=True,
        doc="What is in Kafka cannot be applied: the message names table, batch and offsets.",
    )


with dag_of(
    __file__,
    __doc__,
    owner="Data platform",
    schedule=timedelta(minutes=5),
    deadline=timedelta(hours=3),
    tags=["stream"],
    params={"action": Param("watch", enum=ACTIONS, description="What the run does.")},
):
    choice = BranchPythonOperator(
        task_id="choice", python_callable=chosen, doc_md="Chooses the tasks by `action`."
    )
    with TaskGroup("watch"):
        behind = job(
            "behind",
            *("topics", "lag"),
            doc="How far each reader is behind; Kafka does not answer: `finlake logs kafka`.",
        )
        chain(choice, [healthy(), behind])
    with TaskGroup("start"):
        chain(choice, start())
    with TaskGroup("restart"):
        chain(choice, stop(), start())
    with TaskGroup("drain"):
        chain(choice, stop(), drain())
    with TaskGroup("upgrade"):
        chain(
            choice,
            job(
                "contracts",
                *("schemas", "check"),
                embedded=True,
                doc="A contract is wrong, or what is rendered is older: `make generate`.",
            ),
            job(
                "connector",
                *("connectors", "apply"),
                embedded=True,
                doc="The connector does not run: its message says what it lacks.",
            ),
            stop(),
            drain(),
            start(),
            job(
                "reconciliation",
                *("verify", "--watch", "--fail", "--every", "2", "--rounds", "5", "--port", "0"),
                embedded=True,
                doc="Something differs lastingly: go back a version, and `finlake verify`.",
            ),
        )
