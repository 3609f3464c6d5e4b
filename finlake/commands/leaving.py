"""Leaving at once, without the interpreter's ordinary end."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

import click

from finlake.errors import FinlakeError

__all__ = ["run_and_leave"]


def run_and_leave(name: str, job: Callable[[], None]) -> None:
    """Run a command's work, and leave with its exit code; what it writes must be closed by then.

    Threads of the Java gateway outlive the interpreter's end, and native libraries complain of it
    at length.
    """
    code = 0
    try:
        job()
    except FinlakeError as error:
        click.echo(f"finlake {name}: {error}", err=True)
        code = error.exit_code
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
