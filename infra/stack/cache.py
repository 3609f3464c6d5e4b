"""The user's cache of what the stack downloads or builds once for all homes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["cache_dir", "cache_lock"]


def cache_dir() -> Path:
    """``$XDG_CACHE_HOME/finlake``, else ``~/.cache/finlake``; made when it is not there."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    folder = root / "finlake"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def cache_lock(name: str) -> Iterator[None]:
    """Let one process at a time fill that part of the cache; others wait for it."""
    with (cache_dir() / f".{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
