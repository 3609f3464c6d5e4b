"""How long work shows itself: a bar on a terminal, one line elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Progress", "on_stderr", "quiet"]

MEGABYTE = 1_000_000


class Progress(Protocol):
    """Opens a piece of work of ``total`` bytes (0: unknown); yields what counts them."""

    def __call__(self, title: str, total: int, /) -> AbstractContextManager[Callable[[int], None]]:
        """Show ``title`` while the context is open."""
        ...


@contextmanager
def quiet(_title: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Show nothing."""
    yield lambda _: None


@contextmanager
def on_stderr(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A moving bar on a terminal, one line in a log."""
    if not sys.stderr.isatty():
        size = f" ({total / MEGABYTE:.0f} MB)" if total else ""
        sys.stderr.write(f"{title}{size}\n")
        sys.stderr.flush()
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.progress import TimeElapsedColumn as Elapsed

    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), Elapsed()]
    if total:
        columns.insert(3, DownloadColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total or None)
        yield lambda done: bar.advance(task, done)
