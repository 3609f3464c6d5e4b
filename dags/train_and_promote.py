"""New models when they are called for, through the gate: of fraud, of categories, of amounts.

`retrain --if-needed` trains a challenger where drift, decay or age of the champion call for one
(of categories and amounts age alone), and makes it the champion if it passes the gate. One that is
refused is good work of the gate, and no failure. To ask again before there are new days changes
nothing. Then the drift of whoever is champion of fraud is noted; docs/models.md has the rules.
"""

from datetime import timedelta

from airflow.sdk import Param, chain
from finlake_airflow import dag_of, job, within
from finlake_assets import ASSETS, FRESHNESS

LEARNT = ("gold.model_versions", "gold.model_decisions")
HEALTH = ("gold.model_drift", "gold.model_decay")

with dag_of(
    __file__,
    __doc__,
    owner="Fraud operations",
    schedule=within(min(FRESHNESS[table] for table in HEALTH)),
    deadline=timedelta(hours=6),
    tags=["models"],
    params={
        "trials": Param(12, type="integer", minimum=0, description="Recipes that tuning tries."),
        "seed": Param(0, type="integer", minimum=0, description="Seed of the training."),
    },
):
    chain(
        job(
            "fraud",
            *("retrain", "--if-needed", "--trials", "{{ params.trials }}"),
            *("--seed", "{{ params.seed }}"),
            timeout=timedelta(hours=4),
            outlets=[ASSETS[table] for table in LEARNT],
            doc="Too few labels, or a registry that does not answer: the message says which.",
        ),
        job(
            "drift",
            "drift",
            timeout=timedelta(hours=1),
            outlets=[ASSETS[table] for table in HEALTH],
            doc="Nobody is champion, or there is nothing to compare: the message says which.",
        ),
    )
    for what in ("category", "amount"):
        job(
            what,
            *("retrain", what, "--if-needed", "--seed", "{{ params.seed }}"),
            timeout=timedelta(hours=2),
            doc="Too few transactions, or a registry that does not answer: the message says which.",
        )
