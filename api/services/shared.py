"""What workers keep together in Redis: answers, and the counts of limits.

Without Redis, or while it is away, each worker goes by what it keeps itself: nothing is refused for
want of a cache.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from finlake.errors import UsageProblem
from infra.settings import Settings

if TYPE_CHECKING:
    from limits.aio.storage import Storage

__all__ = ["Away", "Shared"]

_LOG = logging.getLogger("finlake.api")
_PATIENCE_S: Final = 0.25
_PAUSE_S: Final = 5.0
_KEPT_S: Final = 86_400
_NAMES: Final = "finlake"
T = TypeVar("T")


class Away(Exception):
    """Redis does not answer; it will not be asked for some seconds."""


class Shared:
    """A connection to Redis, for the one event loop of a worker.

    Args:
        url: ``redis://`` or ``rediss://``, with password.
        ca: authority of its certificate; the system's if None.
        salt: names the lake and the program; answers of others are never given.
        clock: seconds.
        patience_s: how long an answer of Redis may take.
    """

    def __init__(
        self,
        url: str,
        ca: Path | None,
        salt: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        try:
            import redis.asyncio
        except ModuleNotFoundError:
            raise UsageProblem(
                "setting FINLAKE_REDIS_URL: the package redis is missing; install finlake[api]"
            ) from None
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self._url = url
        options: dict[str, Any] = {} if ca is None else {"ssl_ca_certs": str(ca)}
        # Once again at once, on a new connection: the server may have been started anew.
        options["retry"] = Retry(NoBackoff(), 1)
        self._client = redis.asyncio.Redis.from_url(url, **options)
        self._errors = (RedisError, OSError, TimeoutError)
        self._salt = salt
        self._clock = clock
        self.patience_s = patience_s
        self._until = float("-inf")

    @classmethod
    def of(cls, settings: Settings) -> Shared | None:
        """That of the settings; None where they name no Redis."""
        if settings.redis_url is None:
            return None
        salt = hashlib.sha256(f"{settings.lake}\n{_program()}".encode()).digest()
        return cls(settings.redis_url.get_secret_value(), settings.redis_ca, salt)

    @property
    def there(self) -> bool:
        """Whether it answered when it was last asked."""
        return self._clock() >= self._until

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call to Redis gives.

        Raises:
            Away: it does not answer, or did not a moment ago.
        """
        if not self.there:
            raise Away
        try:
            async with asyncio.timeout(self.patience_s):
                return await call()
        except self._errors as error:
            kind = type(error).__name__  # its text may hold the address with the password
            _LOG.warning("redis is away", extra={"reason": kind})
            self._until = self._clock() + _PAUSE_S
            raise Away from None

    async def get(self, key: bytes) -> bytes | None:
        """An answer that one of the workers has made; None when there is none."""
        try:
            found: Any = await self.ask(lambda: self._client.get(self._name(key)))
        except Away:
            return None
        return None if found is None else bytes(found)

    async def put(self, key: bytes, body: bytes) -> None:
        """Keep an answer for all workers, for a day."""
        try:
            await self.ask(lambda: self._client.set(self._name(key), body, ex=_KEPT_S))
        except Away:
            return

    async def close(self) -> None:
        """Give its connections back."""
        await self._client.aclose(close_connection_pool=True)

    def counts(self) -> Storage:
        """Where the limits count."""
        from limits.aio.storage import Storage
        from limits.storage import storage_from_string

        own: dict[str, Any] = {
            "implementation": "redispy",
            "key_prefix": f"{_NAMES}:limits",
            "connection_pool": self._client.connection_pool,
        }
        found = storage_from_string(f"async+{self._url}", **own)
        assert isinstance(found, Storage)  # noqa: S101 (what the prefix async+ makes)
        return found

    def _name(self, key: bytes) -> bytes:
        return f"{_NAMES}:answer:".encode() + hashlib.sha256(self._salt + key).digest()


@cache
def _program() -> str:
    """Stands for the code that makes answers: another program has others."""
    root = Path(__file__).parents[2]
    found = hashlib.sha256()
    for room in ("api", "models"):
        for path in sorted((root / room).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()
