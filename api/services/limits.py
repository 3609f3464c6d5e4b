"""How many requests somebody may make: sliding windows by address and by key."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from limits import RateLimitItem, parse
from limits.aio.storage import Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.storage import storage_from_string

from api.problems import Problem
from api.services.shared import Away, Shared
from finlake.errors import UsageProblem

__all__ = ["Limits"]

T = TypeVar("T")


class Limits:
    """Counts by name of a limit and identity; in this process, or in Redis for all workers.

    ``rates`` are texts such as ``600/minute``, each from the setting ``FINLAKE_API_RATE_`` and its
    name. While Redis is away each worker counts for itself.
    """

    def __init__(self, rates: dict[str, str], shared: Shared | None = None) -> None:
        self._items: dict[str, RateLimitItem] = {}
        for name, text in rates.items():
            try:
                self._items[name] = parse(text)
            except ValueError:
                raise UsageProblem(
                    f"setting FINLAKE_API_RATE_{name.upper()}: {text!r} is no rate;"
                    " write it as 600/minute"
                ) from None
        storage = storage_from_string("async+memory://")
        assert isinstance(storage, Storage)  # noqa: S101 (what the prefix async+ makes)
        self._own = SlidingWindowCounterRateLimiter(storage)
        self._shared = shared
        self._windows = SlidingWindowCounterRateLimiter(shared.counts()) if shared else self._own

    async def take(self, name: str, identity: str) -> None:
        """Count a request.

        Raises:
            Problem: 429 with Retry-After, when there were too many.
        """
        item = self._items[name]
        if not await self._ask(lambda windows: windows.hit(item, name, identity)):
            raise await self._refused(item, name, identity)

    async def check(self, name: str, identity: str) -> None:
        """Refuse like :meth:`take`, without counting."""
        item = self._items[name]
        if not await self._ask(lambda windows: windows.test(item, name, identity)):
            raise await self._refused(item, name, identity)

    async def _ask(self, what: Callable[[SlidingWindowCounterRateLimiter], Awaitable[T]]) -> T:
        if self._shared is not None:
            try:
                return await self._shared.ask(lambda: what(self._windows))
            except Away:
                pass
        return await what(self._own)

    async def _refused(self, item: RateLimitItem, name: str, identity: str) -> Problem:
        stats = await self._ask(lambda windows: windows.get_window_stats(item, name, identity))
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        return Problem(
            429,
            "too-many-requests",
            f"more than {item} for one {name}; try again in {wait} s",
            {"Retry-After": str(wait)},
        )
