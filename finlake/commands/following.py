"""Commands that stay, and look again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import click

from finlake.commands.stack import on_signals
from finlake.errors import FinlakeError

__all__ = ["follow"]


def follow(look: Callable[[], object], mark: Path, every: float) -> None:
    """Look until a signal; what fails is said once, and tried again at the next look.

    Args:
        look: one look.
        mark: file that is touched after each look that went well, by which a health check sees it.
        every: seconds between two looks.
    """
    stop = threading.Event()
    mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    said = ""
    with on_signals(lambda *_: stop.set()):
        while not stop.is_set():
            try:
                look()
                mark.touch()
                said = ""
            except FinlakeError as error:
                if str(error) != said:
                    said = str(error)
                    click.echo(said, err=True)
            stop.wait(every)
