"""The application: the table of routes, made into one that a server can run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.abc import MetaPathFinder
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from fastapi.security import APIKeyHeader, HTTPBearer
from typing_extensions import override

from api import problems, refusals
from api.access import PREFIX, Route
from api.middleware.aliases import Aliases
from api.middleware.outer import Outer
from api.middleware.tracing import Spans, TracedLake, provider_of
from api.services.all import Services
from api.services.customers import Lake
from api.table import PUBLIC, ROUTES, SOCKETS
from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["create_app", "openapi_text", "served"]

_ABOUT = """Insights into a customer's money, and what models say of transactions, over the
lakehouse's gold layer.

Money is US dollars as a text with two decimals. Days are ISO 8601, UTC. Errors are
`application/problem+json`. Every path below `/api/v1` answers without that prefix as well.
"""
_KEY = APIKeyHeader(name="X-API-Key", auto_error=False)
_BEARER = HTTPBearer(auto_error=False)


def create_app(settings: Settings, lake: Lake, tracing: TracerProvider | None = None) -> FastAPI:
    """The service of these settings over a lake; ``tracing`` is what takes its spans.

    Raises:
        UsageProblem: a setting is wrong.
        ComponentMissing: the file of keys cannot be opened.
    """
    if tracing is not None:
        lake = TracedLake(lake, tracing)
    services = Services.make(settings, lake)
    app = _bare(settings, services, tracing)
    app.state.services = services
    origins = [one.strip() for one in settings.api_cors_origins.split(",") if one.strip()]
    app.add_middleware(Aliases, prefix=PREFIX, paths=[route.path for route in ROUTES])
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-API-Key"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(
        Outer,
        limits=services.limits,
        body_bytes=settings.api_body_kb * 1024,
        timeout_s=settings.api_timeout_s,
        https=settings.api_https,
    )
    if tracing is not None:
        app.add_middleware(Spans, provider=tracing)
    return app


def served() -> FastAPI:
    """The service of the settings of this process, for a server's worker."""
    _leave_out("pandas")
    from api.logs import log_as_json
    from infra.lake.query import Query
    from stream_jobs.memory import look_seldom_for_garbage

    log_as_json()
    settings = load_settings()
    app = create_app(settings, Query(settings), provider_of(settings))
    services: Services = app.state.services
    services.start()
    look_seldom_for_garbage()  # a look through all that is known holds every request up
    return app


def _leave_out(package: str) -> None:
    """Have a package count as not installed in this process.

    pyarrow loads pandas as soon as it is given a list, to see whether that is one of pandas' own: a
    tenth of a worker's memory, for what the service never uses.
    """

    class LeftOut(MetaPathFinder):
        @override
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:
            if fullname == package:
                raise ModuleNotFoundError(f"{package} is left out of this process", name=package)

    sys.meta_path.insert(0, LeftOut())


def openapi_text() -> str:
    """The description of all routes, as docs/openapi.json has it."""
    return json.dumps(_bare(None).openapi(), indent=1, sort_keys=True) + "\n"


class _Events(StreamingResponse):
    media_type = "text/event-stream"


_KINDS = {
    "PlainTextResponse": PlainTextResponse,
    "HTMLResponse": HTMLResponse,
    "Response": Response,
    "StreamingResponse": _Events,
}
"""What answers that are no JSON are made of, by the name in the handler's annotation."""


def _bare(
    settings: Settings | None,
    services: Services | None = None,
    tracing: TracerProvider | None = None,
) -> FastAPI:
    """The application without services and layers around it."""
    docs = settings is None or settings.api_docs

    @asynccontextmanager
    async def ending(_: FastAPI) -> AsyncIterator[None]:
        yield
        if services is not None:
            services.stop()
            if services.shared is not None:
                await services.shared.close()
        if tracing is not None:
            tracing.shutdown()  # what waits is sent first

    app = FastAPI(
        title="FinLake",
        version=version("finlake"),
        description=_ABOUT,
        docs_url="/docs" if docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if docs else None,
        responses=problems.RESPONSES,
        lifespan=ending,
    )
    refusals.install(app)
    for routes, prefix in ((PUBLIC, ""), (ROUTES, PREFIX)):
        router = APIRouter(prefix=prefix)
        for route in routes:
            _add(router, route, prefix)
        app.include_router(router)
    for one in SOCKETS:
        app.add_api_websocket_route(PREFIX + one.path, one.answer)
    described = app.openapi

    def openapi() -> dict[str, Any]:
        made = described()
        made["components"]["schemas"]["ProblemBody"] = problems.ProblemBody.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
        inner = made["components"]["schemas"]["ProblemBody"].pop("$defs", {})
        made["components"]["schemas"].update(inner)
        return made

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _add(router: APIRouter, route: Route, prefix: str) -> None:
    summary = (route.answer.__doc__ or route.path).partition("\n")[0]
    returned = route.answer.__annotations__["return"]
    kind = _KINDS.get(returned, JSONResponse)
    router.add_api_route(
        route.path,
        route.answer,
        methods=[route.method],
        status_code=route.status,
        dependencies=[Depends(_rule(route, prefix + route.path))]
        + ([Depends(_KEY), Depends(_BEARER)] if route.roles is not None else []),
        summary=summary.rstrip("."),
        description=_who_may(route),
        operation_id=re.sub(r"\W+", "_", route.method.lower() + route.path).strip("_"),
        response_class=kind,
        tags=[route.path.split("/")[1] or "service"] if prefix else ["service"],
    )


def _rule(route: Route, path: str) -> Callable[[Request], Awaitable[None]]:
    async def rule(request: Request) -> None:
        request.scope["finlake_route"] = path
        if route.roles is None:
            return
        services: Services = request.app.state.services
        who = await services.gate.enter(request, route)
        request.state.principal = who
        request.scope["finlake_key"] = who.key_id

    return rule


def _who_may(route: Route) -> str:
    if route.roles is None:
        return "Open to everybody."
    roles = ", ".join(sorted(route.roles))
    scope = f" Scope: {route.scope}." if route.scope else ""
    return f"Roles: {roles}.{scope}"
