"""Topics and connector as the contracts want them.

On request, and harmless to repeat: topics that are missing are made, settings that differ are told,
the connector is put in place, and the run ends when it reads.
"""

from datetime import timedelta

from airflow.sdk import chain
from finlake_airflow import dag_of, job

with dag_of(
    __file__, __doc__, owner="Data platform", deadline=timedelta(minutes=30), tags=["capture"]
):
    chain(
        job(
            "topics",
            *("topics", "create"),
            doc="A topic cannot be made: `finlake logs kafka`.",
        ),
        job(
            "connector",
            *("connectors", "apply"),
            doc="The connector does not run: its message names the right or setting it lacks.",
        ),
        job(
            "reads",
            *("connectors", "status"),
            doc="`finlake connectors status` names the reason and the way out.",
        ),
    )
