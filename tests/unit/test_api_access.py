"""Who may do what: every route has a rule, keys open what they should, no object leaks."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.routing import WebSocketRoute

from api.access import CUSTOMER_DATA, PREFIX, ROLES
from api.services.access_store import AccessStore
from api.services.tokens import ALGORITHM, AUDIENCE, ISSUER, Claims, Tokens
from api.table import PUBLIC, ROUTES, SOCKETS
from finlake.cli import main
from finlake.errors import UsageProblem
from tests.unit.api_world import NOBODY, OTHER, OWN, ApiWorld, build
from tests.unit.test_api_insights import BOTH_WAYS, GOAL
from tests.unit.test_api_predictions import ABOUT_A_ROW

SERVED_BY_THE_FRAMEWORK = {
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/oauth2-redirect"),
}
OPEN = {*[(route.method, route.path) for route in PUBLIC], ("POST", f"{PREFIX}/session/refresh")}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    return build(tmp_path_factory.mktemp("api") / "home")


def declared() -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {(r.method, r.path): r for r in PUBLIC}
    return found | {(r.method, PREFIX + r.path): r for r in ROUTES}


def flattened(routes: Any, prefix: str = "") -> set[tuple[str, str]]:
    """Every method and path that the application answers, as the framework has them."""
    found: set[tuple[str, str]] = set()
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            found |= flattened(inner.routes, prefix)
        elif isinstance(route, WebSocketRoute):
            found.add(("SOCKET", prefix + route.path))
        else:
            found |= {(method, prefix + route.path) for method in route.methods - {"HEAD"}}
    return found


def test_every_route_declares_its_role(world):
    served = flattened(world.client.app.routes)
    sockets = {("SOCKET", PREFIX + route.path) for route in SOCKETS}
    assert served - SERVED_BY_THE_FRAMEWORK == set(declared()) | sockets
    assert all(route.roles and route.roles <= set(ROLES) for route in SOCKETS)
    for (method, path), route in declared().items():
        if (method, path) in OPEN:
            assert route.roles is None, path
        else:
            assert route.roles, path
            assert route.roles <= set(ROLES)


def filled(path: str, user: int) -> str:
    return (
        path.replace("{user_id}", str(user))
        .replace("{key_id}", "0" * 12)
        .replace("{training_id}", "0" * 12)
    )


def body_for(path: str, user: int) -> Any:
    short = path.removeprefix(PREFIX)
    if short in BOTH_WAYS:
        return {"user_id": user} | BOTH_WAYS[short]
    return {
        "/goals/calculate-timeline": GOAL | {"monthly": "100.00"},
        "/goals/reverse-plan": GOAL | {"months": 12},
        "/goals/alternatives": GOAL | {"months": 12, "monthly": "1.00"},
        "/keys": {"name": "made", "role": "viewer"},
        "/session/refresh": {"refresh_token": "fr_0_0"},
    }.get(short)


CLOSED = [(method, path) for method, path in declared() if (method, path) not in OPEN]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_nobody_comes_in_without_a_key(world, method, path):
    for headers in ({}, {"X-API-Key": "fl_0_0"}, {"Authorization": "Bearer x"}, {"X-API-Key": ""}):
        found = world.client.request(
            method, filled(path, OWN), json=body_for(path, OWN), headers=headers
        )
        assert found.status_code == 401, found.text
        assert found.headers["www-authenticate"].startswith("Bearer")
        assert found.json()["type"] == "urn:finlake:problem:unauthorized"


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize("role", ROLES)
def test_a_route_is_for_its_roles(world, method, path, role):
    route = declared()[method, path]
    found = world.ask(role, method, filled(path, OWN), json=body_for(path, OWN))
    if role not in route.roles:
        assert found.status_code == 403, found.text
    elif path.removeprefix(PREFIX) in BOTH_WAYS and role not in CUSTOMER_DATA:
        assert found.status_code == 403
    else:
        assert found.status_code not in (401, 403, 500), found.text


WITH_OBJECT = [(m, p) for m, p in CLOSED if "{user_id}" in p or p.removeprefix(PREFIX) in BOTH_WAYS]
SEES = {  # role: whether it sees the own customer, another, one that is not there
    "viewer": (403, 403, 403),
    "operator": (403, 403, 403),
    "analyst": (200, 200, 404),
    "admin": (200, 200, 404),
    "customer": (200, 403, 403),
}


@pytest.mark.parametrize(("method", "path"), WITH_OBJECT)
@pytest.mark.parametrize("role", ROLES)
def test_roles_and_objects(world, method, path, role):
    found = tuple(
        world.ask(role, method, filled(path, user), json=body_for(path, user)).status_code
        for user in (OWN, OTHER, NOBODY)
    )
    assert found == SEES[role]


def test_the_matrix_has_every_route_that_takes_a_customer(world):
    description = world.client.get("/openapi.json").json()
    schemas = description["components"]["schemas"]
    taking = set()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            name = (
                content.get("application/json", {})
                .get("schema", {})
                .get("$ref", "/")
                .split("/")[-1]
            )
            in_body = "user_id" in schemas.get(name, {}).get("properties", {})
            if "{user_id}" in path or (in_body and name != "AskKey"):
                taking.add((method.upper(), path))
    assert taking == set(WITH_OBJECT) | {("POST", PREFIX + path) for path in ABOUT_A_ROW}


def test_a_viewer_may_ask_about_posted_rows(world):
    rows = [{"day": f"2019-0{month}-15", "amount": "10.00"} for month in (1, 2, 3)]
    assert (
        world.post("/recommendations/habits", {"transactions": rows}, "viewer").status_code == 200
    )


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_is_nowhere_in_the_file(world):
    secret = world.key("admin")
    world.store._db.execute("PRAGMA wal_checkpoint(FULL)")
    folder = world.settings.home / "api"
    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    key_id, hidden = secret.split("_", 2)[1:]
    assert key_id.encode() in kept
    assert hidden.encode() not in kept
    assert (folder / "access.sqlite").stat().st_mode & 0o077 == 0


def test_a_key_without_the_scope_is_refused(world):
    text = world.key("admin", ("insights",))
    headers = {"X-API-Key": text}
    assert world.client.get("/api/v1/keys", headers=headers).status_code == 403
    assert "scope keys" in world.client.get("/api/v1/keys", headers=headers).json()["detail"]
    assert world.client.get(f"/api/v1/insights/trends/{OWN}", headers=headers).status_code == 200


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_rotated_key_opens_for_a_day_longer(tmp_path):
    clock = Clock()
    store = AccessStore(tmp_path / "access.sqlite", clock)
    key, old = store.create("one", "viewer")
    _, new = store.rotate(key.id)
    assert store.opened_by(old) == store.opened_by(new) == store.key(key.id)
    clock.now += 86_401
    assert store.opened_by(old) is None
    assert store.opened_by(new)


def test_a_key_expires_and_is_revoked_for_good(tmp_path):
    clock = Clock()
    store = AccessStore(tmp_path / "access.sqlite", clock)
    short = store.create("short", "viewer", days=1)[1]
    key, text = store.create("long", "viewer")
    clock.now += 86_400
    assert store.opened_by(short) is None
    assert store.opened_by(text)
    store.revoke(key.id)
    assert store.opened_by(text) is None
    with pytest.raises(UsageProblem, match="revoked"):
        store.rotate(key.id)


@pytest.mark.parametrize("text", ["", "fl", "fl__", "fl_1", "xx_1_2", "fl_' OR 1=1 --_x", "fl_0_é"])
def test_a_text_that_is_no_key_opens_nothing(tmp_path, text):
    store = AccessStore(tmp_path / "access.sqlite")
    store.create("one", "viewer")
    assert store.opened_by(text) is None


@pytest.mark.parametrize(("role", "user"), [("customer", None), ("viewer", 3)])
def test_a_customers_key_names_the_customer(world, role, user):
    with pytest.raises(UsageProblem, match="names its customer"):
        world.store.create("x", role, user_id=user)
    body = {"name": "x", "role": role, "user_id": user}
    assert world.post("/keys", body, "admin").status_code == 422


def test_keys_by_http(world):
    made = world.post("/keys", {"name": "phone", "role": "customer", "user_id": OWN}, "admin")
    assert made.status_code == 201
    key_id, secret = made.json()["key"]["id"], made.json()["secret"]
    mine = {"X-API-Key": secret}
    assert world.client.get("/api/v1/session", headers=mine).json()["user_id"] == OWN
    turned = world.ask("admin", "POST", f"/api/v1/keys/{key_id}/rotate").json()["secret"]
    assert turned != secret
    assert world.client.get("/api/v1/session", headers={"X-API-Key": turned}).status_code == 200
    gone = world.ask("admin", "DELETE", f"/api/v1/keys/{key_id}")
    assert gone.json()["revoked"]
    assert world.client.get("/api/v1/session", headers={"X-API-Key": turned}).status_code == 401


def test_keys_are_listed_page_by_page_without_secrets(world):
    found, after = [], ""
    while True:
        page = world.ask("admin", "GET", "/api/v1/keys", params={"limit": 2, "after": after}).json()
        found += page["items"]
        if page["next"] is None:
            break
        after = page["next"]
    assert [one["id"] for one in found] == [key.id for key in world.store.listed()]
    assert not any("hash" in name or "secret" in name for one in found for name in one)


# ── A write that is done once ────────────────────────────────────────────────────────────────────


def test_a_repeated_write_is_done_once(world):
    body, headers = {"name": "once", "role": "viewer"}, {"Idempotency-Key": "abc-1"}
    first = world.post("/keys", body, "admin", headers=headers)
    before = len(world.store.listed())
    again = world.post("/keys", body, "admin", headers=headers)
    assert again.json() == first.json()
    assert len(world.store.listed()) == before
    other = world.post("/keys", body | {"name": "other"}, "admin", headers=headers)
    assert other.status_code == 422
    assert len(world.store.listed()) == before


def test_a_write_that_failed_may_be_tried_again_under_its_key(world):
    headers = {"Idempotency-Key": "abc-2"}
    wrong = {"name": "x", "role": "customer"}
    for _ in range(2):
        assert world.post("/keys", wrong, "admin", headers=headers).status_code == 422
    good = {"name": "x", "role": "customer", "user_id": OWN}
    assert world.post("/keys", good, "admin", headers=headers).status_code == 201


def test_the_same_write_at_the_same_time_is_a_conflict(world):
    store, who = world.store, world.store.opened_by(world.keys["admin"])
    world.post(
        "/keys", {"name": "a", "role": "viewer"}, "admin", headers={"Idempotency-Key": "abc-3"}
    )
    store._db.execute("UPDATE answers SET body = NULL WHERE name = 'abc-3'")
    assert who is not None
    again = world.post(
        "/keys", {"name": "a", "role": "viewer"}, "admin", headers={"Idempotency-Key": "abc-3"}
    )
    assert again.status_code == 409


# ── Sessions and tokens ──────────────────────────────────────────────────────────────────────────


def bearer(world: ApiWorld, token: str) -> int:
    found = world.client.get("/api/v1/session", headers={"Authorization": f"Bearer {token}"})
    return int(found.status_code)


def opened(world: ApiWorld, role: str = "analyst") -> dict[str, Any]:
    found: dict[str, Any] = world.ask(role, "POST", "/api/v1/session").json()
    return found


def test_a_token_stands_for_the_key(world):
    session = opened(world, "customer")
    assert session["expires_in"] == 900
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    me = world.client.get("/api/v1/session", headers=headers).json()
    assert (me["role"], me["user_id"]) == ("customer", OWN)
    path = f"/api/v1/insights/trends/{OTHER}"
    assert world.client.get(path, headers=headers).status_code == 403


def test_a_refresh_token_works_once_and_ends_the_session_when_it_comes_again(world):
    session = opened(world)
    turned = world.client.post(
        "/api/v1/session/refresh", json={"refresh_token": session["refresh_token"]}
    ).json()
    assert bearer(world, turned["access_token"]) == 200
    for token in (session["refresh_token"], turned["refresh_token"]):
        again = world.client.post("/api/v1/session/refresh", json={"refresh_token": token})
        assert again.status_code == 401
    assert bearer(world, turned["access_token"]) == bearer(world, session["access_token"]) == 401


def test_a_session_ends(world):
    token = opened(world)["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert world.client.delete("/api/v1/session", headers=headers).status_code == 204
    assert bearer(world, token) == 401
    assert world.ask("viewer", "DELETE", "/api/v1/session").status_code == 422


def test_a_revoked_key_ends_its_sessions(world):
    text = world.key("viewer")
    session = world.client.post("/api/v1/session", headers={"X-API-Key": text}).json()
    world.store.revoke(text.split("_")[1])
    assert bearer(world, session["access_token"]) == 401
    again = {"refresh_token": session["refresh_token"]}
    assert world.client.post("/api/v1/session/refresh", json=again).status_code == 401


def forged(
    world: ApiWorld, key: str | None = None, algorithm: str = ALGORITHM, **claims: Any
) -> str:
    token = opened(world)["access_token"]
    body = jwt.decode(token, options={"verify_signature": False}) | claims
    body = {name: value for name, value in body.items() if value is not None}
    own = (world.settings.home / "secrets" / "api_token_key").read_text()
    return jwt.encode(body, own if key is None else key, algorithm=algorithm)


def test_what_is_signed_as_it_should_be_opens(world):
    assert bearer(world, forged(world)) == 200


@pytest.mark.parametrize(
    "change",
    [
        {"key": "another key of more than thirty-two characters"},
        {"key": "", "algorithm": "none"},
        {"algorithm": "HS512"},
        {"iss": "somebody"},
        {"aud": "another-service"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "never"},
        {"iat": 4_000_000_000},
        {"sid": "0"},
        {"sub": "0"},
        {"jti": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_as_it_should_be_opens_nothing(world, change):
    assert bearer(world, forged(world, **change)) == 401


def test_a_token_is_short_lived():
    clock = Clock()
    tokens = Tokens(b"k" * 32, 15, clock)
    text = tokens.sign(Claims("k1", "s1"))
    assert tokens.read(text) == Claims("k1", "s1")
    clock.now += 900
    assert tokens.read(text) is None
    assert (ISSUER, AUDIENCE) == ("finlake", "finlake-api")


# ── How often ────────────────────────────────────────────────────────────────────────────────────


def test_a_key_may_ask_so_often(tmp_path: Path):
    world = build(tmp_path / "home", customers=1, api_rate_key="5/hour")
    found = [world.ask("viewer", "GET", "/api/v1/session") for _ in range(7)]
    assert [one.status_code for one in found] == [200] * 5 + [429] * 2
    assert int(found[-1].headers["retry-after"]) > 0
    assert world.ask("analyst", "GET", "/api/v1/session").status_code == 200  # it is its own


def test_an_address_may_ask_so_often(tmp_path: Path):
    world = build(tmp_path / "home", customers=1, api_rate_address="4/hour")
    found = [world.client.get("/health/live").status_code for _ in range(6)]
    assert found == [200] * 4 + [429] * 2


def test_keys_cannot_be_guessed_for_long(tmp_path: Path):
    world = build(tmp_path / "home", customers=1, api_rate_failures="3/hour")
    wrong = {"X-API-Key": "fl_000000000000_x"}
    codes = [world.client.get("/api/v1/session", headers=wrong).status_code for _ in range(5)]
    assert codes == [401] * 3 + [429] * 2


def test_a_rate_that_is_none_is_said(tmp_path: Path):
    with pytest.raises(UsageProblem, match="FINLAKE_API_RATE_KEY"):
        build(tmp_path / "home", customers=1, api_rate_key="many")


# ── The command line ─────────────────────────────────────────────────────────────────────────────


def test_keys_by_command_line(home, capsys):
    assert main(["api", "keys", "create", "--name", "me", "--role", "analyst"]) == 0
    text = capsys.readouterr().out.strip()
    store = AccessStore(home / "api" / "access.sqlite")
    assert store.opened_by(text)
    key_id = text.split("_")[1]
    assert main(["api", "keys", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == key_id
    assert main(["api", "keys", "rotate", key_id]) == 0
    turned = capsys.readouterr().out.strip()
    assert main(["api", "keys", "list"]) == 0
    assert key_id in capsys.readouterr().out
    assert main(["api", "keys", "revoke", key_id]) == 0
    assert store.opened_by(turned) is None
    assert main(["api", "keys", "revoke", "000000000000"]) == 2
    assert "no key" in capsys.readouterr().err


def test_two_processes_may_share_the_file(tmp_path):
    one, other = (AccessStore(tmp_path / "access.sqlite") for _ in range(2))
    key, text = one.create("x", "viewer")
    assert other.opened_by(text)
    other.revoke(key.id)
    assert one.opened_by(text) is None
    assert sqlite3.connect(tmp_path / "access.sqlite").execute(
        "PRAGMA journal_mode"
    ).fetchone() == ("wal",)
