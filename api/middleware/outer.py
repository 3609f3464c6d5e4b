"""What surrounds every request: number, log, figures, limits of size and time, headers.

The path of a request may name a customer; logs and figures have the route's template instead.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.figures import IN_FLIGHT, LATENCY, REQUESTS
from api.problems import Problem
from api.refusals import response
from api.services.limits import Limits

__all__ = ["Outer"]

_LOG = logging.getLogger("finlake.api")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_DOCS: Final = ("/docs", "/redoc")
_STRICT: Final = "default-src 'none'; frame-ancestors 'none'"
# The pages of the documentation load their script and style from a public network.
_DOCS_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net;"
    " style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net;"
    " img-src 'self' data: https://fastapi.tiangolo.com; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}


class Outer:
    """The outermost layer of the application.

    Args:
        app: what is inside.
        limits: of requests by address.
        body_bytes: most that a body may have.
        timeout_s: most that an answer may take to begin.
        https: whether the service is reached by https.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, body_bytes: int, timeout_s: float, *, https: bool
    ) -> None:
        self._app = app
        self._limits = limits
        self._body_bytes = body_bytes
        self._timeout_s = timeout_s
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope["request_id"] = request_id
        begun, status = time.perf_counter(), 0

        limit = asyncio.timeout(self._timeout_s)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # It has begun, and may take as long as it wants. Of a problem the time is over.
                with suppress(RuntimeError):
                    limit.reschedule(None)
                self._dress(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        IN_FLIGHT.inc()
        try:
            await self._answer(
                scope, self._bounded(scope, receive), sending, request_id, lambda: status, limit
            )
        finally:
            IN_FLIGHT.dec()
            self._note(scope, status, time.perf_counter() - begun, request_id)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request_id: str,
        status: object,
        limit: asyncio.Timeout,
    ) -> None:
        problem: tuple[int, str, str] | None = None
        headers: dict[str, str] = {}
        try:
            client = scope.get("client")
            await self._limits.take("address", client[0] if client else "")
            async with limit:
                await self._app(scope, receive, send)
        except Problem as error:
            problem, headers = (error.status, error.kind, error.detail), error.headers
        except TimeoutError:
            problem = (503, "timeout", f"there was no answer within {self._timeout_s:g} s")
        except Exception:  # noqa: BLE001 (the last net: callers get no trace)
            _LOG.exception("unexpected error", extra={"request_id": request_id})
            problem = (500, "failed", "the request could not be answered")
        if problem is not None and not status():  # type: ignore[operator]
            await response(request_id, *problem, headers=headers)(scope, receive, send)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body, no further than the limit."""
        length = Headers(scope=scope).get("content-length", "0")
        announced = int(length) if length.isdecimal() else 0
        read = 0
        # Of this kind alone the framework makes no other error while it reads a body.
        too_large = HTTPException(413, f"a body may have {self._body_bytes:,} bytes at most")

        async def reading() -> Message:
            nonlocal read
            if announced > self._body_bytes:
                raise too_large
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._body_bytes:
                raise too_large
            return message

        return reading

    def _dress(self, headers: MutableHeaders, path: str, request_id: str) -> None:
        headers["X-Request-ID"] = request_id
        for name, value in _HEADERS.items():
            headers[name] = value
        policy = _DOCS_POLICY if path in _DOCS else _STRICT
        headers.setdefault("Content-Security-Policy", policy)
        headers.setdefault("Cache-Control", "no-store")
        if self._https:
            headers["Strict-Transport-Security"] = "max-age=31536000"

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = scope.get("finlake_route", "other")
        method = scope["method"] if scope["method"] in ("GET", "POST", "DELETE") else "other"
        REQUESTS.labels(method, route, str(status)).inc()
        LATENCY.labels(route).observe(seconds)
        _LOG.info(
            "request",
            extra={
                "request_id": request_id,
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "key_id": scope.get("finlake_key"),
                "trace_id": scope.get("finlake_trace"),
            },
        )
