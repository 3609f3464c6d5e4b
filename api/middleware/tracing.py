"""Spans of requests, and of what they ask the lake, for a collector of OpenTelemetry.

An option: without ``FINLAKE_OTLP_URL`` nothing of it is loaded. Names of attributes are those of
OpenTelemetry's semantic conventions for HTTP servers and databases. No span holds a path, an
address, a value or a key: a path may name a customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finlake.errors import UsageProblem

if TYPE_CHECKING:
    import pyarrow as pa
    from opentelemetry.sdk.trace import TracerProvider

    from api.services.customers import Lake
    from infra.settings import Settings

__all__ = ["Spans", "TracedLake", "provider_of"]

_SERVICE: Final = "finlake-api"


def provider_of(settings: Settings) -> TracerProvider | None:
    """What sends spans to the collector of the settings; None where they name none.

    Raises:
        UsageProblem: the packages of the extra ``tracing`` are missing.
    """
    if not settings.otlp_url:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ModuleNotFoundError as error:
        raise UsageProblem(
            f"setting FINLAKE_OTLP_URL: the package of {error.name} is missing; install"
            " finlake[tracing]"
        ) from None
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.otlp_share)),
        resource=Resource.create({"service.name": _SERVICE, "service.version": version("finlake")}),
        shutdown_on_exit=False,  # the service ends it, after its last request
    )
    exporter = OTLPSpanExporter(endpoint=settings.otlp_url.rstrip("/") + "/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Spans:
    """One span for each request, around everything; it goes on with the caller's trace."""

    def __init__(self, app: ASGIApp, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app = app
        self._tracer = provider.get_tracer(_SERVICE)
        self._caller = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        from opentelemetry.trace import SpanKind, StatusCode

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        headers = Headers(scope=scope)
        given = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        method = scope["method"] if scope["method"] in ("GET", "POST", "DELETE") else "_OTHER"
        with self._tracer.start_as_current_span(
            method, self._caller.extract(given), SpanKind.SERVER
        ) as span:
            scope["finlake_trace"] = f"{span.get_span_context().trace_id:032x}"
            try:
                await self._app(scope, receive, sending)
            finally:
                route = scope.get("finlake_route", "")
                span.update_name(f"{method} {route}".strip())
                found: dict[str, Any] = {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": status,
                    "url.scheme": scope.get("scheme", "http"),
                    "finlake.request_id": scope.get("request_id", ""),
                }
                if status >= 500 or not status:
                    found["error.type"] = str(status) if status else "disconnected"
                    span.set_status(StatusCode.ERROR)
                span.set_attributes(found)


class TracedLake:
    """The lake, each of whose statements is a span; the text is ours and has no values."""

    def __init__(self, lake: Lake, provider: TracerProvider) -> None:
        self._lake = lake
        self._tracer = provider.get_tracer(_SERVICE)

    def query(
        self, sql: str, params: Sequence[object] = (), timeout_s: float | None = None
    ) -> pa.Table:
        """The rows of one SELECT."""
        from opentelemetry.trace import SpanKind

        about = {"db.system.name": "duckdb", "db.query.text": " ".join(sql.split())}
        with self._tracer.start_as_current_span(
            "SELECT", kind=SpanKind.CLIENT, attributes=about, record_exception=False
        ) as span:
            found = self._lake.query(sql, params, timeout_s)
            span.set_attribute("db.response.returned_rows", found.num_rows)
            return found

    def version(self, table: str) -> int:
        """The newest version of a table; -1 while it is not there."""
        return self._lake.version(table)

    def changed(
        self, table: str, key: str, columns: Sequence[str], since: int, until: int
    ) -> dict[int, int] | None:
        """Whose rows of a table changed between two versions."""
        return self._lake.changed(table, key, columns, since, until)
