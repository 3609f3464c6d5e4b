"""A history, once: files into the source, the source into the lake by the bulk road, and proof.

On request, with the folder of the files. The stream rests while the lake has another writer, and
goes on afterwards whatever became of that. Files that are in are not loaded again, and the reading
may be stopped and done again at any time. A good run tells `gold_refresh` that there is a new
history.
"""

from datetime import timedelta

from airflow.sdk import Param, chain
from finlake_airflow import dag_of, job
from finlake_assets import ASSETS

with dag_of(
    __file__,
    __doc__,
    owner="Data platform",
    deadline=timedelta(hours=8),
    tags=["data"],
    params={"folder": Param("data", type="string", description="Folder of the Kaggle files.")},
):
    load = job(
        "load",
        *("load", "{{ params.folder }}"),
        timeout=timedelta(hours=3),
        doc="A file or line cannot be read: the message names both.",
    )
    rest = job(
        "rest",
        *("down", "stream", "alerts"),
        embedded=True,
        doc="The stream has not ended: `finlake logs stream`.",
    )
    snapshot = job(
        "snapshot",
        "snapshot",
        timeout=timedelta(hours=3),
        embedded=True,
        doc="`finlake snapshot` again, while the stream does not run; docs/operations/capture.md.",
    )
    stream = job(
        "stream",
        *("up", "--with", "stream"),
        timeout=timedelta(minutes=15),
        embedded=True,
        doc="The stream does not come up: `finlake logs stream`.",
    )
    proof = job(
        "proof",
        *("verify", "--wait", "300"),
        timeout=timedelta(hours=1),
        trigger_rule="none_failed",
        outlets=[ASSETS["gold.fact_transactions"]],
        doc="Source, silver and gold differ, or traffic runs: stop it, and `finlake verify`.",
    )
    chain(load, rest, snapshot, stream.as_teardown(setups=rest, on_failure_fail_dagrun=True))
    chain(snapshot, proof)
    chain(stream, proof)
