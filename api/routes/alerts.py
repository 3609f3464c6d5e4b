"""Alerts while they are raised: server-sent events, a WebSocket, and a page that shows them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import Header, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.access import CUSTOMER_DATA, Principal, Route
from api.problems import Problem
from api.routes.given import ServicesOf, Who
from api.services.alerts import Alert, Listener
from api.services.all import Services
from finlake.errors import FinlakeError

__all__ = ["SOCKET", "page", "script", "socket", "stream", "style"]

_PAGES: Final = Path(__file__).parents[1] / "pages"
_HELLO_S: Final = 10.0
_DENIED, _BUSY, _MISSING, _SLOW = 4401, 4429, 4503, 4408


async def stream(
    who: Who,
    services: ServicesOf,
    last_event_id: Annotated[str, Header(max_length=2000)] = "",
) -> StreamingResponse:
    """Send alerts as they are raised (text/event-stream); customers get their own alone.

    With Last-Event-ID, those that came since then first.
    """
    listener = await _listen(services, who, last_event_id)
    return StreamingResponse(
        _events(services, listener),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _listen(services: Services, who: Principal, last: str) -> Listener:
    loop = asyncio.get_running_loop()
    return await run_in_threadpool(services.alerts.listen, _wanted(who), last, loop)


def _wanted(who: Principal) -> Callable[[Alert], bool]:
    if who.role == "customer":
        return lambda alert: alert.user_id == who.user_id
    return lambda _: True


async def _events(services: Services, listener: Listener) -> AsyncIterator[str]:
    pause = services.settings.api_heartbeat_seconds
    try:
        yield (
            f"retry: 2000\nid: {listener.since}\nevent: hello\ndata: {{}}\n\n"
            if not (listener.before or listener.missed)
            else "retry: 2000\n\n"
        )
        if listener.missed:
            yield "event: missed\ndata: {}\n\n"
        for alert in listener.before:
            yield _event(alert)
        listener.before.clear()
        while True:
            try:
                async with asyncio.timeout(pause):
                    alert_or_end = await listener.queue.get()
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if alert_or_end is None:
                yield f"event: end\ndata: {json.dumps({'reason': listener.ended})}\n\n"
                return
            yield _event(alert_or_end)
    finally:
        services.alerts.leave(listener)


def _event(alert: Alert) -> str:
    return f"id: {alert.id}\nevent: alert\ndata: {alert.body}\n\n"


async def socket(connection: WebSocket) -> None:
    """The same by WebSocket.

    The first message says who calls, and from where on:
    ``{"key": "fl_...", "last": "0:15"}``, or a ``token``. Then come ``{"id", "alert"}``, and
    ``{"missed": true}``, ``{"still": "here"}`` or ``{"end": reason}``.
    """
    services: Services = connection.app.state.services
    await connection.accept()
    try:
        async with asyncio.timeout(_HELLO_S):
            said = await connection.receive_json()
        who = await services.gate.admit(
            connection, SOCKET, said.get("key") and str(said["key"]), str(said.get("token") or "")
        )
        listener = await _listen(services, who, str(said.get("last") or ""))
    except Problem as problem:
        code = {401: _DENIED, 403: _DENIED, 429: _BUSY}.get(problem.status, _MISSING)
        await connection.close(4422 if problem.status == 422 else code, problem.detail[:120])
        return
    except FinlakeError:
        await connection.close(_MISSING, "alerts are not there")
        return
    except (TimeoutError, ValueError, AttributeError, KeyError):
        await connection.close(_DENIED, "say who you are first")
        return
    except WebSocketDisconnect:
        return
    await _talk(services, connection, listener)


async def _talk(services: Services, connection: WebSocket, listener: Listener) -> None:
    """Send until either side ends; what the other says is not listened to."""

    async def send() -> None:
        if listener.missed:
            await connection.send_json({"missed": True})
        elif not listener.before:
            await connection.send_json({"id": listener.since})
        for alert in listener.before:
            await connection.send_text(_message(alert))
        while True:
            try:
                async with asyncio.timeout(services.settings.api_heartbeat_seconds):
                    alert_or_end = await listener.queue.get()
            except TimeoutError:
                await connection.send_json({"still": "here"})
                continue
            if alert_or_end is None:
                await connection.send_json({"end": listener.ended})
                await connection.close(_SLOW, listener.ended)
                return
            await connection.send_text(_message(alert_or_end))

    try:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send())
            # Ends when the other side does, or when sending has ended with a close.
            while (await connection.receive())["type"] != "websocket.disconnect":
                pass
            sending.cancel()
    except* (WebSocketDisconnect, RuntimeError):  # it went while something was sent
        pass
    finally:
        services.alerts.leave(listener)


def _message(alert: Alert) -> str:
    return f'{{"id":"{alert.id}","alert":{alert.body}}}'


SOCKET: Final = Route("GET", "/alerts/socket", socket, CUSTOMER_DATA, "alerts")
"""Who may open the WebSocket; it is no HTTP route, so it stands beside the table."""


def page() -> HTMLResponse:
    """Show alerts as they come; the page asks for a key."""
    return HTMLResponse(_file("live.html"), headers=_FOR_PAGE)


def script() -> Response:
    """The page's script."""
    return Response(_file("live.js"), media_type="text/javascript", headers=_FOR_PAGE)


def style() -> Response:
    """The page's looks."""
    return Response(_file("live.css"), media_type="text/css", headers=_FOR_PAGE)


_FOR_PAGE: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
}


@cache
def _file(name: str) -> str:
    return (_PAGES / name).read_text(encoding="utf-8")
