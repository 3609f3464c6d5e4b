"""Traces: a span for each request and statement, on the caller's trace, with nobody's data."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from api.app import create_app
from api.logs import JsonLines
from api.middleware.tracing import provider_of
from infra.lake.query import Query
from infra.settings import load_settings
from tests.unit.api_world import OWN, ApiWorld, build

TRACE, PARENT = "ab" * 16, "cd" * 8


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    return build(tmp_path_factory.mktemp("traced") / "home", customers=2)


@pytest.fixture
def traced(world: ApiWorld) -> Iterator[tuple[Any, InMemorySpanExporter]]:
    """Asks the service, and what it has told of that."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    app = create_app(world.settings, Query(world.settings), provider)
    client = TestClient(app, raise_server_exceptions=False)

    def ask(method: str, path: str, **headers: str) -> Any:
        key = {"X-API-Key": world.keys["analyst"]}
        return client.request(method, path, headers=key | headers)

    yield ask, kept
    provider.shutdown()


def told(kept: InMemorySpanExporter) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """The span of the one request, and those of its statements."""
    (request,) = (one for one in kept.get_finished_spans() if one.kind is SpanKind.SERVER)
    return request, [one for one in kept.get_finished_spans() if one.kind is SpanKind.CLIENT]


def test_a_request_and_its_statements_are_spans_of_the_callers_trace(traced):
    ask, kept = traced
    path = f"/api/v1/insights/trends/{OWN}"
    assert ask("GET", path, traceparent=f"00-{TRACE}-{PARENT}-01").status_code == 200
    request, statements = told(kept)
    assert request.name == "GET /api/v1/insights/trends/{user_id}"
    assert f"{request.context.trace_id:032x}" == TRACE
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == PARENT
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["http.route"] == "/api/v1/insights/trends/{user_id}"
    assert len(statements) >= 3
    for one in statements:
        assert one.parent is not None
        assert one.parent.span_id == request.context.span_id
        assert one.attributes is not None
        assert "gold." in str(one.attributes["db.query.text"])


def test_a_span_says_nothing_of_the_customer(traced):
    ask, kept = traced
    ask("GET", f"/api/v1/customers/{OWN}/transactions?after=71234567", **{"User-Agent": "secret"})
    said = " ".join(one.to_json() for one in kept.get_finished_spans())
    assert "71234567" not in said
    assert f"/customers/{OWN}" not in said
    assert "secret" not in said
    assert "testclient" not in said  # the caller's address


def test_what_goes_wrong_here_is_an_error_and_what_the_caller_does_is_none(traced, monkeypatch):
    ask, kept = traced
    assert ask("GET", "/api/v1/insights/trends/x").status_code == 422
    assert told(kept)[0].status.status_code is StatusCode.UNSET
    kept.clear()

    def broken(*_: object) -> None:
        raise RuntimeError("told to nobody")

    monkeypatch.setattr("api.routes.models.performance_of", broken)
    assert ask("GET", "/api/v1/models/performance").status_code == 500
    request, _ = told(kept)
    assert request.status.status_code is StatusCode.ERROR
    assert request.attributes is not None
    assert request.attributes["error.type"] == "500"
    assert "told to nobody" not in request.to_json()


def test_the_log_names_the_trace(traced, caplog):
    ask, _ = traced
    caplog.set_level(logging.INFO, "finlake.api")
    ask("GET", "/health/live", traceparent=f"00-{TRACE}-{PARENT}-01")
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    assert [one["trace_id"] for one in lines if one["message"] == "request"] == [TRACE]


def test_without_an_address_there_is_nothing_to_send(world):
    assert provider_of(world.settings) is None


def test_spans_reach_a_collector_before_the_service_ends(world):
    """The collector is a stand-in: it takes what OTLP posts, and decodes it."""
    posted: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            posted.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        settings = load_settings(home=world.settings.home, otlp_url=url)
        app = create_app(settings, Query(settings), provider_of(settings))
        with TestClient(app) as client:
            assert client.get("/health/live").status_code == 200
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    (resource,) = posted[0].resource_spans
    names = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert names["service.name"] == "finlake-api"
    assert [one.name for one in resource.scope_spans[0].spans] == ["GET /health/live"]
