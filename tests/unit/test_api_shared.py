"""What workers keep together in a real Redis: answers and limits; and how they do without."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.client import Client, Refused
from api.problems import Problem
from api.schemas.recommendations import AskSubscriptions
from api.services.limits import Limits
from api.services.shared import Shared
from infra.settings import Settings, load_settings
from infra.stack import plan
from infra.stack.process import spawn
from infra.stack.progress import quiet
from infra.stack.redis import Redis
from tests.unit.api_world import OWN, ApiWorld, build, payments, serve

PATIENCE_S = 60.0  # a busy machine is no error


@dataclass
class Server:
    """A Redis that can be stopped and started."""

    component: Redis
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.component.exports()["FINLAKE_REDIS_URL"]

    def start(self) -> None:
        self.component.prepare()
        command = self.component.command()
        self.process = spawn(command, {}, self.component.data, self.log)
        while not self.component.is_healthy():
            assert self.process.poll() is None, self.log.read_text()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


def a_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def made(settings: Settings, folder: Path) -> Server:
    component = Redis(settings, {"redis": a_port()})
    component.fetch(quiet)
    return Server(component, folder / "redis.log")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("redis")
    server = made(load_settings(home=folder / "home"), folder)
    server.start()
    yield server
    server.stop()


def in_one_loop(shared: Shared, *calls: Callable[[], Awaitable[Any]]) -> list[Any]:
    """What the calls give; a connection belongs to the loop that opened it."""
    shared.patience_s = PATIENCE_S

    async def run() -> list[Any]:
        found = [await call() for call in calls]
        await shared.close()
        return found

    return asyncio.run(run())


@contextmanager
def asked(world: ApiWorld) -> Iterator[Client]:
    """The service on a port, asked by an analyst; in one loop from its start to its end."""
    services = world.client.app.state.services  # type: ignore[attr-defined]
    services.shared.patience_s = PATIENCE_S
    config = uvicorn.Config(world.client.app, port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with Client(f"http://127.0.0.1:{port}", world.keys["analyst"]) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


def test_one_worker_gives_what_another_has_made_until_gold_changes(redis, tmp_path):
    first = build(tmp_path / "home", customers=2, redis_url=redis.url)
    second = ApiWorld(first.settings, serve(first.settings), first.keys)
    makers: list[str] = []
    for world in (first, second):
        services = world.client.app.state.services  # type: ignore[attr-defined]
        object.__setattr__(services, "insights", _Counted(services.insights, makers))
    question = AskSubscriptions(user_id=OWN)
    with asked(first) as one, asked(second) as other:
        found = one.subscriptions(question)
        assert other.subscriptions(question) == found
        assert makers == ["subscriptions"]
        rows = payments(OWN)[-3:]
        for number, row in enumerate(rows):
            row["transaction_id"] += 50_000 + number
        first.pay(rows)
        other.subscriptions(question)
        assert makers == ["subscriptions"] * 2


class _Counted:
    def __init__(self, inner: Any, makers: list[str]) -> None:
        self._inner = inner
        self._makers = makers

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def counted(*given: Any) -> Any:
            self._makers.append(name)
            return method(*given)

        return counted


def test_another_lake_or_program_has_other_answers(redis):
    one, other = Shared(redis.url, None, b"one"), Shared(redis.url, None, b"other")
    found = in_one_loop(
        one, lambda: one.put(b"k", b"mine"), lambda: one.get(b"k"), lambda: one.get(b"none")
    )
    assert found == [None, b"mine", None]
    assert in_one_loop(other, lambda: other.get(b"k")) == [None]
    assert other.there


# ── limits ───────────────────────────────────────────────────────────────────────────────────────


def taken(shared: Shared | None, times: int) -> int:
    """How many of so many requests a worker lets through."""

    async def run() -> int:
        limits = Limits({"key": "5/hour"}, shared)
        found, waits = 0, list[int]()
        for _ in range(times):
            try:
                await limits.take("key", "k1")
                found += 1
            except Problem as problem:
                waits.append(int(problem.headers["Retry-After"]))
        assert all(waits)
        if shared is not None:
            await shared.close()
        return found

    if shared is not None:
        shared.patience_s = PATIENCE_S
    return asyncio.run(run())


def test_workers_count_together_in_redis_and_apart_without(redis):
    assert taken(Shared(redis.url, None), 3) == 3
    assert taken(Shared(redis.url, None), 4) == 2
    assert taken(None, 4) == 4


# ── without ──────────────────────────────────────────────────────────────────────────────────────


def test_while_redis_is_away_each_worker_goes_by_its_own(tmp_path, caplog):
    server = made(load_settings(home=tmp_path / "home"), tmp_path)
    world = build(tmp_path / "api", customers=2, redis_url=server.url, api_rate_key="4/hour")
    services = world.client.app.state.services  # type: ignore[attr-defined]
    now = [0.0]
    services.shared._clock = lambda: now[0]
    question = AskSubscriptions(user_id=OWN)
    with asked(world) as c:
        found = c.subscriptions(question)
        assert not services.shared.there
        health = c.ask("GET", "/session")
        assert health["role"] == "analyst"
        server.start()
        try:
            now[0] = 10.0
            assert services.shared.there
            for _ in range(4):
                assert c.subscriptions(question) == found
            assert services.shared.there
            with pytest.raises(Refused, match=r"^429 "):
                c.subscriptions(question)
        finally:
            server.stop()
    said = [record for record in caplog.records if record.message == "redis is away"]
    assert len(said) == 1
    assert server.url.rpartition("@")[0] not in caplog.text


def test_health_says_whether_redis_is_there(redis, tmp_path):
    world = build(tmp_path / "home", customers=1, redis_url="redis://:x@127.0.0.1:9/0")
    assert world.client.get("/health/ready").json() == {
        "status": "ok", "parts": {"transactions": "ok", "customers": "ok", "redis": "missing"},
    }  # fmt: skip


# ── the server of the stack ──────────────────────────────────────────────────────────────────────


def test_the_server_wants_its_password_and_keeps_nothing(redis):
    component = redis.component
    with socket.create_connection(("127.0.0.1", component.ports["redis"])) as plain:
        plain.sendall(b"GET k\r\n")
        assert plain.recv(64).startswith(b"-NOAUTH")
    assert component._config.stat().st_mode & 0o077 == 0
    text = component._config.read_text()
    assert 'save ""' in text
    assert "bind 127.0.0.1" in text
    assert component.version.startswith("Redis ")
    assert all("requirepass" not in word for word in component.command())


def test_with_tls_the_server_shows_the_stacks_own_certificate(tmp_path, monkeypatch):
    from infra.stack.certificates import make_certificates

    monkeypatch.setenv("FINLAKE_STACK_TLS", "true")
    settings = load_settings(home=tmp_path / "home")
    settings.home.mkdir()
    make_certificates(settings.home)
    server = made(settings, tmp_path)
    server.start()
    try:
        exports = server.component.exports()
        assert exports["FINLAKE_REDIS_URL"].startswith("rediss://")
        shared = Shared(exports["FINLAKE_REDIS_URL"], Path(exports["FINLAKE_REDIS_CA"]))
        found = in_one_loop(shared, lambda: shared.put(b"k", b"v"), lambda: shared.get(b"k"))
        assert found == [None, b"v"]
        stranger = Shared(exports["FINLAKE_REDIS_URL"], None)
        assert in_one_loop(stranger, lambda: stranger.get(b"k")) == [None]
        assert not stranger.there
    finally:
        server.stop()


def test_redis_is_a_component_unless_it_runs_elsewhere(home, monkeypatch):
    assert "redis" in plan.wanted(load_settings(), ["api", "redis"])
    monkeypatch.setenv("FINLAKE_REDIS_URL", "redis://elsewhere:6379/0")
    assert "redis" not in plan.wanted(load_settings(), ["api", "redis"])


@pytest.mark.parametrize("url", ["memcached://a:1", "elsewhere:6379"])
def test_another_address_is_refused(url, home, monkeypatch):
    from finlake.errors import UsageProblem

    monkeypatch.setenv("FINLAKE_REDIS_URL", url)
    with pytest.raises(UsageProblem, match=r"FINLAKE_REDIS_URL: .*redis://"):
        load_settings()
