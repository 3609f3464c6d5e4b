"""Whether the data is right: contracts, every row against the source, every sum against its rows.

Once a day. `platform_health` proves what has just changed, every quarter of an hour; this proves
all of it, for which the stream has to catch up for a moment: while much traffic runs a difference
may be one of time. Then stop the traffic, and run it again.
"""

from datetime import timedelta

from airflow.sdk import DeltaTriggerTimetable
from finlake_airflow import dag_of, job

with dag_of(
    __file__,
    __doc__,
    owner="Data platform",
    schedule=DeltaTriggerTimetable(timedelta(days=1)),
    deadline=timedelta(hours=3),
    tags=["quality"],
):
    job(
        "contracts",
        *("schemas", "check"),
        doc="A contract is wrong, or what is rendered is older: `make generate`.",
    )
    job(
        "reconciliation",
        *("verify", "--wait", "120"),
        timeout=timedelta(hours=2),
        doc="Stop the traffic, let `finlake stream --once` drain, and `finlake verify` again.",
    )
