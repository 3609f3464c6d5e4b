"""``finlake stream``."""

from __future__ import annotations

import logging
import os
import sys

import click

from finlake.errors import FinlakeError

__all__ = ["commands", "stream"]


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

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("py4j").setLevel(logging.WARNING)
    code = 0
    try:
        run(load_settings(), once, resume)
    except FinlakeError as error:
        click.echo(f"finlake stream: {error}", err=True)
        code = error.exit_code
    # Threads of the Java gateway outlive the interpreter's end, and native libraries complain of
    # it at length; everything is written and closed here, so leave without that end.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


commands = [stream]
