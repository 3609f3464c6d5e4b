"""Threads on which questions are answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

__all__ = ["Threads"]


class Threads:
    """So many threads; after an end they are there again when the service starts anew."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    async def run(self, call: Callable[..., Any], **given: Any) -> Any:
        """What the call returns; it waits until a thread is free."""
        with self._lock:
            self._pool = self._pool or ThreadPoolExecutor(self._count, self._name)
            pool = self._pool
        made = partial(copy_context().run, call, **given)  # the request's trace goes with it
        return await asyncio.get_running_loop().run_in_executor(pool, made)

    def stop(self) -> None:
        """Take no more; what is under way ends by itself."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
