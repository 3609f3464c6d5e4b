"""``finlake stream``, ``finlake alerts`` and ``finlake score``."""

from __future__ import annotations

import logging
from collections.abc import Callable

import click

from finlake.commands.leaving import run_and_leave

__all__ = ["alerts", "score", "stream"]


@click.command()
@click.option("--once", is_flag=True, help="Apply what is there, then stop.")
@click.option(
    "--resume",
    multiple=True,
    metavar="TABLE",
    help="Let a stopped table flow again; what was set aside of it is applied first.",
)
def stream(once: bool, resume: tuple[str, ...]) -> None:
    """Run the streaming job: Kafka to bronze, silver, gold and alerts, until it is stopped.

    \b
    Example:
      finlake stream --once
      finlake stream --resume transactions
    """
    from infra.settings import load_settings
    from stream_jobs.job import run

    logging.getLogger("py4j").setLevel(logging.WARNING)
    _run("stream", lambda: run(load_settings(), once, resume))


@click.command()
def alerts() -> None:
    """Publish alerts on the topic finance.alerts as the changes come, until it is stopped.

    Runs beside `finlake stream`, which writes the same alerts to gold.fraud_alerts a batch later.

    \b
    Example:
      finlake alerts
    """
    from infra.settings import load_settings
    from stream_jobs.live.service import run

    _run("alerts", lambda: run(load_settings()))


@click.command()
def score() -> None:
    """Score transactions as they come, into gold.fraud_scores and as alerts, until it is stopped.

    The models are the registry's champion and challenger; a new one is taken up while it runs.

    \b
    Example:
      finlake score
    """
    from infra.settings import load_settings
    from stream_jobs.scoring.service import run

    _run("score", lambda: run(load_settings()))


def _run(name: str, job: Callable[[], None]) -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    run_and_leave(name, job)
