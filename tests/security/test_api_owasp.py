"""OWASP's ten of API security, 2023 edition, one test or more for each.

What is tested closer elsewhere is named: objects and roles in tests/unit/test_api_access.py, sizes,
times and logs in test_api_edges.py, any request at all in test_api_requests.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from api.access import PREFIX
from api.services.tokens import AUDIENCE, ISSUER
from api.table import PUBLIC, ROUTES
from models.serving import load_served
from tests.unit.api_world import OTHER, OWN, ApiWorld, build
from tests.unit.model_world import saved
from tests.unit.prediction_world import serve_models

ROW = {"at": "2019-08-20T12:00:00Z", "amount": "10.00"}
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    return build(tmp_path_factory.mktemp("api") / "home", customers=2)


def test_api1_broken_object_level_authorization(world):
    """Somebody else's number opens nothing, wherever it stands."""
    home = world.settings.home
    serve_models(home, {"fraud": (1, saved(home / "made", "lightgbm"))})
    bodies = [
        ("/predict/anomaly", ROW | {"user_id": OTHER}),
        ("/predict/batch", {"what": "anomaly", "rows": [ROW, ROW | {"user_id": OTHER}]}),
        ("/predict/validate", {"what": "anomaly", "rows": [ROW | {"user_id": OTHER}]}),
        ("/budget/recommend", {"user_id": OTHER}),
    ]
    for path, body in bodies:
        assert world.post(path, body, "customer").status_code == 403, path
        own = json.loads(json.dumps(body).replace(f": {OTHER}", f": {OWN}"))
        assert world.post(path, own, "customer").status_code == 200, path


def test_api2_broken_authentication(tmp_path):
    """Tokens of another key, algorithm, issuer or audience, and guessing, lead nowhere."""
    world = build(tmp_path / "home", customers=1, api_rate_failures="5/minute")
    session = world.ask("analyst", "POST", "/api/v1/session").json()["access_token"]
    claims: dict[str, Any] = jwt.decode(session, options={"verify_signature": False})
    assert claims["iss"] == ISSUER
    own = world.settings.home / "secrets" / "api_token_key"
    key = own.read_text().strip() if own.exists() else "x" * 32
    forged = [
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, "y" * 32, algorithm="HS256"),
        jwt.encode(claims | {"iss": "other"}, key, algorithm="HS256"),
        jwt.encode(claims | {"aud": f"{AUDIENCE}-2"}, key, algorithm="HS256"),
    ]
    for token in forged:
        headers = {"Authorization": f"Bearer {token}"}
        assert world.client.get("/api/v1/session", headers=headers).status_code == 401
    codes = [
        world.client.get("/api/v1/session", headers={"X-API-Key": f"fl_0_{n}"}).status_code
        for n in range(3)
    ]
    assert codes[-1] == 429
    good = world.ask("analyst", "GET", "/api/v1/session")
    assert good.status_code == 429  # from that address nobody goes on guessing
    assert int(good.headers["retry-after"]) >= 1


def test_api3_broken_object_property_level_authorization(world):
    """What a body holds beyond its fields is refused, and no answer holds a secret's hash."""
    sneaky = {"name": "n", "role": "viewer", "hash": "00", "revoked": None}
    assert world.post("/keys", sneaky, "admin").status_code == 422
    assert world.post("/budget/recommend", {"user_id": OWN, "role": "admin"}).status_code == 422
    made = world.post("/keys", {"name": "n", "role": "viewer"}, "admin").json()
    listed = world.ask("admin", "GET", "/api/v1/keys").text
    assert made["secret"] not in listed
    assert "hash" not in listed


def test_api4_unrestricted_resource_consumption(tmp_path):
    """Bodies, rows, pages and requests are counted."""
    world = build(tmp_path / "home", customers=1, api_body_kb=64, api_rate_key="8/minute")
    assert (
        world.post("/predict/batch", {"what": "anomaly", "rows": [ROW] * 2000}).status_code == 413
    )
    many = {"what": "anomaly", "rows": [{}] * 10_001}
    assert world.post("/predict/batch", many).status_code == 422
    path = f"/api/v1/customers/{OWN}/transactions?limit="
    assert world.ask("analyst", "GET", path + "501").status_code == 422
    codes = [world.ask("analyst", "GET", path + "1").status_code for _ in range(10)]
    assert codes[0] == 200
    assert codes[-1] == 429


def test_api5_broken_function_level_authorization(world):
    """What is for operators and administrators is closed, however the method is dressed up."""
    closed = [
        ("POST", "/models/reload-all"), ("POST", "/ml/train"), ("GET", "/keys"), ("POST", "/keys"),
    ]  # fmt: skip
    for method, path in closed:
        for role in ("customer", "viewer"):
            found = world.ask(role, method, PREFIX + path, json={"name": "n", "role": "admin"})
            assert found.status_code == 403, (role, path)
    dressed = {"X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/api/v1/keys"}
    found = world.ask("viewer", "GET", "/api/v1/session", headers=dressed)
    assert found.json()["role"] == "viewer"


def test_api6_unrestricted_access_to_sensitive_business_flows(world):
    """Costly things are done once: the same write again is the first one."""
    headers = {"Idempotency-Key": "owasp"}
    body = {"name": "once", "role": "viewer"}
    made = [world.post("/keys", body, "admin", headers=headers).json() for _ in range(3)]
    assert made[0] == made[1] == made[2]
    names = [one["name"] for one in world.ask("admin", "GET", "/api/v1/keys").json()["items"]]
    assert names.count("once") == 1


def test_api7_server_side_request_forgery(world):
    """No question takes an address that the service would go to."""

    def fields(schema: Any, name: str = "") -> Iterator[tuple[str, Any]]:
        if isinstance(schema, dict):
            yield name, schema.get("format")
            for key, value in schema.items():
                yield from fields(value, key)
        elif isinstance(schema, list):
            for value in schema:
                yield from fields(value, name)

    asked = [
        (name, kind)
        for title, schema in world.client.get("/openapi.json")
        .json()["components"]["schemas"]
        .items()
        if title.startswith("Ask")
        for name, kind in fields(schema, title)
    ]
    assert len(asked) > 100
    wrong = re.compile(r"url|uri|host|address|callback|webhook|path|file", re.IGNORECASE)
    assert [one for one in asked if wrong.search(one[0]) or one[1] in ("uri", "hostname")] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health", 200), ("GET", "/nowhere", 404), ("GET", "/api/v1/session", 401)],
)
def test_api8_security_misconfiguration(world, method, path, status):
    """Every answer has the headers, names no program, and lets no other page in."""
    found = world.client.request(method, path, headers={"Origin": "https://elsewhere.example"})
    assert found.status_code == status
    for name, value in _HEADERS.items():
        assert found.headers[name] == value
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert "access-control-allow-origin" not in found.headers
    assert "server" not in found.headers
    assert world.client.request("TRACE", path).status_code == 405 or status == 404


def test_api9_improper_inventory_management(world):
    """What is served is described, in the committed file and in words; there is one version."""
    described = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
    served = {route.path for route in PUBLIC} | {PREFIX + route.path for route in ROUTES}
    assert set(described["paths"]) == served
    words = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    for path in (route.path for route in (*PUBLIC, *ROUTES) if "." not in route.path):
        last = path.rpartition("/")[2] if path.count("/") > 1 else path
        assert f"{last}`" in words or f"{path}`" in words or last.startswith("{"), path
    assert world.client.get("/api/v0/session").status_code == 404


def test_api10_unsafe_consumption_of_apis(tmp_path):
    """What the registry hands over is loaded when its digest is the one noted, and else not."""
    home = tmp_path / "home"
    serve_models(home, {"fraud": (1, saved(home / "made", "lightgbm"))})
    found = load_served(home)
    assert found.fraud is not None
    folder = home / "models" / found.digests["fraud"]
    with (folder / "model.json").open("a") as file:
        file.write(" ")
    changed = load_served(home)
    assert changed.fraud is None
    assert "digest" in changed.problems["fraud"]
