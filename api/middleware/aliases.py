"""The short paths: ``/insights/health-score`` is ``/api/v1/insights/health-score``."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Aliases"]


class Aliases:
    """Puts the version's prefix before paths whose first word is one of its rooms."""

    def __init__(self, app: ASGIApp, prefix: str, paths: Iterable[str]) -> None:
        self._app = app
        self._prefix = prefix
        self._rooms = frozenset(path.split("/")[1] for path in paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] in ("http", "websocket"):
            path: str = scope["path"]
            if path.partition("/")[2].partition("/")[0] in self._rooms:
                scope["path"] = self._prefix + path
                scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)
