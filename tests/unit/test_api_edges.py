"""The edges of the service: sizes, times, headers, logs, figures, and how it fails."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.logs import JsonLines
from finlake.cli import main
from finlake.errors import ComponentMissing
from infra.settings import load_settings
from tests.unit.api_world import OTHER, OWN, ApiWorld, build, serve


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    return build(tmp_path_factory.mktemp("api") / "home", customers=2, api_body_kb=4)


class Broken:
    """A lake that fails as it is told: a mock, for a real one does not on demand."""

    def __init__(self, error: Exception | None = None, slow_s: float = 0) -> None:
        self.error = error
        self.slow_s = slow_s

    def query(self, *_: object) -> pa.Table:
        time.sleep(self.slow_s)
        if self.error is not None:
            raise self.error
        return pa.table({"current_age": pa.array([], pa.int64())})

    def version(self, table: str) -> int:
        if self.error is not None:
            raise self.error
        return 1

    def changed(self, *_: object) -> None:
        return None


def failing(home: Path, error: Exception | None = None, slow_s: float = 0, **options: Any) -> Any:
    app = create_app(load_settings(home=home, **options), Broken(error, slow_s))
    text = app.state.services.store.create("x", "admin")[1]
    client = TestClient(app, raise_server_exceptions=False)
    return client.get(f"/api/v1/insights/trends/{OWN}", headers={"X-API-Key": text})


def test_an_unexpected_error_shows_nothing(tmp_path):
    found = failing(tmp_path, ValueError("secret value"))
    assert found.status_code == 500
    assert found.headers["content-type"] == "application/problem+json"
    assert found.headers["x-content-type-options"] == "nosniff"
    body = found.json()
    assert set(body) == {"type", "title", "status", "detail", "instance", "errors"}
    assert body["instance"] == found.headers["x-request-id"]
    assert "secret" not in found.text
    assert "Traceback" not in found.text


def test_a_missing_lake_is_503_without_its_address(tmp_path):
    found = failing(tmp_path, ComponentMissing("the lake s3://hidden cannot be reached"))
    assert found.status_code == 503
    assert found.headers["retry-after"] == "5"
    assert "hidden" not in found.text


def test_an_answer_that_takes_too_long_is_503(tmp_path):
    found = failing(tmp_path, slow_s=1.0, api_timeout_s=0.2)
    assert found.status_code == 503
    assert found.json()["type"] == "urn:finlake:problem:timeout"


def test_a_body_that_is_too_large_is_refused(world):
    rows = [{"day": "2019-01-01", "amount": "1.00"}] * 200
    found = world.post("/recommendations/habits", {"transactions": rows})
    assert found.status_code == 413
    assert "4,096 bytes" in found.json()["detail"]


def test_a_body_of_unknown_length_is_read_no_further_than_the_limit(world):
    def parts() -> Any:
        for _ in range(100):
            yield b" " * 1000

    found = world.ask("analyst", "POST", "/api/v1/recommendations/habits", content=parts())
    assert found.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("PUT", "/health", 405),
        ("GET", "/api/v1/insights/trends/x", 422),
        ("GET", "/api/v1/insights/trends/-1", 422),
    ],
)
def test_every_error_is_a_problem(world, method, path, status):
    found = world.ask("admin", method, path)
    assert found.status_code == status
    assert found.json()["status"] == status
    assert found.headers["content-type"] == "application/problem+json"


def test_a_wrong_value_is_named_and_not_repeated(world):
    found = world.post("/recommendations/habits", {"user_id": "4929 1234 5678 9012"})
    assert found.status_code == 422
    assert found.json()["errors"][0]["place"] == "body.user_id"
    assert "4929" not in found.text


def test_broken_json_is_a_problem(world):
    found = world.ask(
        "analyst", "POST", "/api/v1/recommendations/habits", content=b"{",
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert found.status_code == 422
    assert found.json()["status"] == 422


def test_headers_of_every_answer(world):
    found = world.client.get("/health/live")
    assert found.headers["x-frame-options"] == "DENY"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in found.headers
    assert "strict-transport-security" not in found.headers


def test_https_is_kept_where_it_is_used(tmp_path):
    client = serve(load_settings(home=tmp_path, api_https=True))
    assert "max-age" in client.get("/health/live").headers["strict-transport-security"]


def test_a_request_keeps_its_number_when_it_is_one(world):
    mine = world.client.get("/health/live", headers={"X-Request-ID": "abcdef-123"})
    assert mine.headers["x-request-id"] == "abcdef-123"
    other = world.client.get("/health/live", headers={"X-Request-ID": 'x" injected'})
    assert "injected" not in other.headers["x-request-id"]


def test_other_pages_may_call_only_when_they_are_named(tmp_path):
    client = serve(load_settings(home=tmp_path, api_cors_origins="https://bank.example"))
    for origin, allowed in (("https://bank.example", True), ("https://evil.example", False)):
        found = client.get("/health/live", headers={"Origin": origin})
        assert ("access-control-allow-origin" in found.headers) == allowed


def test_docs_are_off_by_setting(tmp_path, world):
    assert world.client.get("/docs").status_code == 200
    assert world.client.get("/openapi.json").status_code == 200
    client = serve(load_settings(home=tmp_path, api_docs=False))
    assert [client.get(path).status_code for path in ("/docs", "/openapi.json")] == [404, 404]


def test_health_says_what_is_missing(tmp_path, world):
    assert world.client.get("/health/ready").json()["status"] == "ok"
    bare = serve(load_settings(home=tmp_path))
    found = bare.get("/health/ready")
    assert found.status_code == 503
    assert found.json()["parts"] == {"transactions": "missing", "customers": "missing"}
    assert bare.get("/health/live").status_code == bare.get("/health").status_code == 200
    unreachable = TestClient(
        create_app(load_settings(home=tmp_path), Broken(ComponentMissing("x")))
    )
    assert unreachable.get("/health/ready").status_code == 503


def test_the_log_has_the_request_and_nobody(world, caplog):
    caplog.set_level(logging.INFO, "finlake.api")
    world.ask("admin", "GET", f"/api/v1/insights/trends/{OTHER}?address=12-Rose-Lane")
    (record,) = [one for one in caplog.records if one.getMessage() == "request"]
    line = JsonLines().format(record)
    said = json.loads(line)
    assert said["route"] == "/api/v1/insights/trends/{user_id}"
    assert (said["method"], said["status"]) == ("GET", 200)
    assert said["request_id"]
    assert world.keys["admin"].split("_")[1] == said["key_id"]
    for private in (f"/{OTHER}", "Rose", world.keys["admin"].split("_", 2)[2], "testclient"):
        assert private not in line


def test_the_log_of_an_error_has_its_kind_and_no_value(tmp_path, caplog):
    failing(tmp_path, ValueError("4929123456789012"))
    (record,) = [one for one in caplog.records if one.exc_info]
    line = JsonLines().format(record)
    assert json.loads(line)["error"] == "ValueError"
    assert "test_api_edges.py" in json.loads(line)["place"]
    assert "4929" not in line


def test_figures_have_templates_and_not_paths(world):
    world.ask("admin", "GET", f"/api/v1/insights/trends/{OTHER}")
    world.client.get("/some/unknown/path")
    text = world.client.get("/metrics").text
    assert 'route="/api/v1/insights/trends/{user_id}"' in text
    assert 'finlake_api_seconds_bucket{le="0.05"' in text
    assert f"trends/{OTHER}" not in text
    assert "unknown" not in text


def test_the_description_is_the_committed_one(capsys):
    assert main(["api", "check"]) == 0
    capsys.readouterr()


def test_the_description_declares_every_error_as_a_problem(world):
    description = world.client.get("/openapi.json").json()
    for path, methods in description["paths"].items():
        for operation in methods.values():
            assert {"401", "403", "404", "422", "429", "500"} <= set(operation["responses"]), path
    assert "HTTPValidationError" not in json.dumps(description)
