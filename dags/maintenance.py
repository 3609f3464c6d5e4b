"""Every night: the tables that batch jobs write are kept small, and old things go.

The stream and the scoring keep their own tables in order between two batches. `finlake maintain`
does it for the others: what is older than its contract keeps it goes, small files are joined, logs
get a checkpoint, and files that no reader can need any more are deleted; so are old logs of tasks.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable
from finlake_airflow import dag_of, job

with dag_of(
    __file__,
    __doc__,
    owner="Data platform",
    schedule=CronTriggerTimetable("30 3 * * *", timezone="UTC"),
    deadline=timedelta(hours=3),
    tags=["lake"],
):
    job(
        "maintain",
        "maintain",
        timeout=timedelta(hours=2),
        doc="A table cannot be tidied: another job wrote meanwhile; the next night does it.",
    )
