"""``finlake stream`` and ``finlake alerts``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

import click

from finlake.errors import FinlakeError

__all__ = ["alerts", "stream"]


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


def _run(name: str, job: Callable[[], None]) -> None:
    """Run a job that logs until it ends, and leave with its exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    code = 0
    try:
        job()
    except FinlakeError as error:
        click.echo(f"finlake {name}: {error}", err=True)
        code = error.exit_code
    # Threads of the Java gateway outlive the interpreter's end, and native libraries complain of
    # it at length; everything is written and closed here, so leave without that end.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
