"""``finlake alerts``."""

from __future__ import annotations

import logging
import os
import sys

import click

from finlake.errors import FinlakeError

__all__ = ["alerts", "commands"]


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

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    code = 0
    try:
        run(load_settings())
    except FinlakeError as error:
        click.echo(f"finlake alerts: {error}", err=True)
        code = error.exit_code
    # All is closed here; at the interpreter's own end native libraries complain at length.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


commands = [alerts]
