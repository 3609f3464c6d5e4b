"""Whether every part of the platform is there, fresh and right.

Every 15 minutes, each part by a task of its own, so that one that is down hides no other:

- **programs**: what `finlake up` runs; skipped in containers, which have checks of their own
- **capture**: connector and task run, and read the source's log
- **topics**: Kafka answers; what each reader has not read yet
- **registry**: the models' registry answers
- **freshness**: tables are as new as their contracts want
- **reconciliation**: source, silver and gold agree, while traffic runs

A task that fails says what to do next in its last line;
`docs/operations/airflow.md` says how to read it.
"""

from datetime import timedelta

from airflow.sdk import Param
from finlake_airflow import dag_of, job

EVERY = timedelta(minutes=15)

FACTOR = Param(
    4,
    type="number",
    minimum=1,
    description="What the stream writes is late when it took so many times as long as it should.",
)

with dag_of(
    __file__,
    __doc__,
    owner="Data platform",
    schedule=EVERY,
    deadline=EVERY,
    retries=1,  # the next run comes soon
    tags=["watch"],
    params={"factor": FACTOR},
):
    job(
        "programs",
        "status",
        embedded=True,
        doc="A program is not healthy: `finlake logs NAME`; the stack starts it again by itself.",
    )
    job(
        "capture",
        *("connectors", "status"),
        doc="`finlake connectors status` names the reason and the way out.",
    )
    job(
        "topics",
        *("topics", "lag"),
        doc="Kafka does not answer: `finlake status`, then `finlake logs kafka`.",
    )
    job("registry", "models", "list", doc="The registry does not answer: `finlake logs mlflow`.")
    job(
        "freshness",
        *("freshness", "--factor", "{{ params.factor }}"),
        doc="A table is older than its contract allows: `finlake observe` shows where it waits.",
    )
    job(
        "reconciliation",
        *("verify", "--watch", "--fail", "--every", "2", "--rounds", "5", "--port", "0"),
        doc="Something differs lastingly: stop the stream, and see `finlake verify`.",
    )
