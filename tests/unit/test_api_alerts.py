"""Live alerts: nothing missed, nothing twice, the slow are told, everybody sees their own."""

from __future__ import annotations

import asyncio
import http.client
import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect

from api.client import Client
from api.problems import Problem
from api.services.alerts import Alert, Alerts, Record, position_of
from finlake.errors import ComponentMissing
from tests.unit.api_world import OTHER, OWN, ApiWorld, build, served


class Log:
    """A topic in memory: a mock, so that every order of events can be had; the integration tests
    read Kafka's."""

    def __init__(self, partitions: int = 2) -> None:
        self.records: dict[int, list[Record]] = {n: [] for n in range(partitions)}
        self.low = dict.fromkeys(range(partitions), 0)
        self.coming: queue.Queue[Record] = queue.Queue()
        self.away = False
        self.opened = 0

    def open(self) -> Log:
        if self.away:
            raise ComponentMissing("Kafka at hidden:9092 does not answer")
        self.opened += 1
        return self

    def put(self, user: int | None, partition: int = 0, value: bytes | None = None) -> None:
        own = self.records[partition]
        body = json.dumps({"alert_id": f"{partition}-{len(own)}", "user_id": user}).encode()
        record = Record(partition, len(own), body if value is None else value)
        own.append(record)
        self.coming.put(record)

    def ends(self) -> dict[int, tuple[int, int]]:
        return {n: (self.low[n], len(own)) for n, own in self.records.items()}

    def seek(self, position: Any) -> None:
        while not self.coming.empty():
            self.coming.get_nowait()

    def read(self) -> list[Record]:
        try:
            return [self.coming.get(timeout=0.05)]
        except queue.Empty:
            return []

    def between(self, begin: Any, end: Any) -> list[Record]:
        return [one for n in begin for one in self.records[n][begin[n] : end[n]]]

    def close(self) -> None:
        pass


def everything(_: Alert) -> bool:
    return True


async def heard(listener: Any, count: int) -> list[Alert]:
    return [await asyncio.wait_for(listener.queue.get(), 30) for _ in range(count)]


def named(alerts: list[Alert]) -> list[str]:
    return [json.loads(one.body)["alert_id"] for one in alerts]


def run(log: Log, test: Any, **options: Any) -> None:
    alerts = Alerts(log.open, **options)
    try:
        asyncio.run(test(alerts))
    finally:
        alerts.stop()


def test_from_any_id_on_nothing_is_missed_and_nothing_comes_twice():
    log = Log()
    for number in range(6):
        log.put(OWN, number % 2)

    async def test(alerts: Alerts) -> None:
        loop = asyncio.get_running_loop()
        first = await asyncio.to_thread(alerts.listen, everything, "", loop)
        assert first.before == []
        assert first.since == "0:3,1:3"
        for number in range(5):
            log.put(OWN, number % 2)
        seen = await heard(first, 5)
        assert named(seen) == ["0-3", "1-3", "0-4", "1-4", "0-5"]
        every = {f"{n}-{k}" for n, own in log.records.items() for k in range(len(own))}
        for place, one in enumerate(seen):
            again = await asyncio.to_thread(alerts.listen, everything, one.id, loop)
            assert set(named(again.before)) == set(named(seen[place + 1 :]))
            assert not again.missed
            alerts.leave(again)
        whole = await asyncio.to_thread(alerts.listen, everything, "0:0,1:0", loop)
        assert set(named(whole.before)) == every
        # Ids of what is read again lead on from there, too.
        middle = whole.before[4].id
        rest = await asyncio.to_thread(alerts.listen, everything, middle, loop)
        assert named(rest.before) == named(whole.before)[5:]
        log.put(OWN)
        assert named(await heard(whole, 1)) == named(await heard(rest, 1)) == ["0-6"]

    run(log, test)


def test_what_is_no_longer_kept_is_told():
    log = Log(1)
    for _ in range(10):
        log.put(OWN)
    log.low[0] = 4

    async def test(alerts: Alerts) -> None:
        loop = asyncio.get_running_loop()
        gone = await asyncio.to_thread(alerts.listen, everything, "0:2", loop)
        assert gone.missed
        assert named(gone.before) == [f"0-{n}" for n in range(4, 10)]
        there = await asyncio.to_thread(alerts.listen, everything, "0:4", loop)
        assert not there.missed
        ahead = await asyncio.to_thread(alerts.listen, everything, "0:99", loop)
        assert (ahead.before, ahead.missed) == ([], False)

    run(log, test)

    async def few(alerts: Alerts) -> None:
        loop = asyncio.get_running_loop()
        found = await asyncio.to_thread(alerts.listen, everything, "0:4", loop)
        assert found.missed
        assert named(found.before) == ["0-8", "0-9"]

    run(log, few, most_again=2)


def test_who_does_not_keep_up_is_let_go_and_the_others_go_on():
    log = Log(1)

    async def test(alerts: Alerts) -> None:
        loop = asyncio.get_running_loop()
        slow = await asyncio.to_thread(alerts.listen, everything, "", loop, 2)
        quick = await asyncio.to_thread(alerts.listen, everything, "", loop, 100)
        for _ in range(8):
            log.put(OWN)
        assert len(await heard(quick, 8)) == 8
        assert await asyncio.wait_for(slow.queue.get(), 30) is None
        assert "keep up" in slow.ended
        assert len(alerts) == 1

    run(log, test)


def test_a_record_that_is_no_alert_is_left_out():
    log = Log(1)

    async def test(alerts: Alerts) -> None:
        loop = asyncio.get_running_loop()
        listener = await asyncio.to_thread(alerts.listen, everything, "", loop)
        log.put(None, value=b"{")
        log.put(None, value=b"[]")
        log.put(OWN)
        (only,) = await heard(listener, 1)
        assert only.id == "0:3"

    run(log, test)


def test_without_kafka_it_is_said_and_tried_again():
    log = Log(1)
    log.away = True
    alerts = Alerts(log.open)

    async def listen() -> Any:
        return alerts.listen(everything, "", asyncio.get_running_loop())

    with pytest.raises(ComponentMissing):
        asyncio.run(listen())
    assert len(alerts) == 0
    log.away = False
    asyncio.run(listen())
    assert len(alerts) == 1
    alerts.stop()


@pytest.mark.parametrize("text", ["x", "0", "0:", "0:1;1:2", "-1:2", "0:1,", "0:" + "9" * 19])
def test_an_id_that_is_none_is_refused(text):
    with pytest.raises(Problem) as found:
        position_of(text)
    assert found.value.status == 422


def test_ids_are_read_as_they_are_written():
    assert position_of("0:15,1:7") == {0: 15, 1: 7}
    assert position_of("") is None


# ── By HTTP ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    return build(tmp_path_factory.mktemp("api") / "home", customers=2, api_heartbeat_seconds=0.2)


@contextmanager
def with_log(world: ApiWorld, log: Log) -> Iterator[Any]:
    """The service with this topic."""
    services = world.client.app.state.services  # type: ignore[attr-defined]
    before = services.alerts
    alerts = Alerts(log.open)
    object.__setattr__(services, "alerts", alerts)
    try:
        yield alerts
    finally:
        alerts.stop()
        object.__setattr__(services, "alerts", before)


class Stream:
    """An event stream that is read block by block."""

    def __init__(self, port: int, key: str, last: str = "") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"X-API-Key": key} | ({"Last-Event-ID": last} if last else {})
        self.connection.request("GET", "/api/v1/alerts/stream", headers=headers)
        self.answer = self.connection.getresponse()

    def block(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            found[name or "comment"] = value
        return found

    def event(self, kind: str = "alert") -> dict[str, str]:
        while (found := self.block()).get("event") != kind:
            assert found
        return found

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def test_the_client_goes_on_where_it_ended(world):
    log = Log(1)
    for user in (OWN, OTHER, OWN):
        log.put(user)
    with with_log(world, log), served(world) as port:
        client = Client(f"http://127.0.0.1:{port}", world.keys["analyst"])
        found = client.alerts(last="0:0")
        ids = [next(found)[0], next(found)[0]]
        found.close()
        log.put(OTHER)
        (last, alert) = next(client.alerts(last=ids[-1]))
    assert (len(set(ids)), alert) == (2, {"alert_id": "0-2", "user_id": OWN})
    assert last not in ids


def test_events_come_with_ids_and_a_sign_of_life(world):
    log = Log()
    with with_log(world, log) as alerts, served(world) as port:
        stream = Stream(port, world.keys["analyst"])
        assert stream.answer.status == 200
        assert stream.answer.getheader("content-type", "").startswith("text/event-stream")
        assert stream.event("hello")["id"] == "0:0,1:0"
        while "comment" not in stream.block():
            pass
        log.put(OTHER, 1)
        log.put(OWN, 0)
        first, second = stream.event(), stream.event()
        assert [first["id"], second["id"]] == ["0:0,1:1", "0:1,1:1"]
        assert json.loads(first["data"])["user_id"] == OTHER
        stream.close()
        log.put(OWN, 1)
        later = Stream(port, world.keys["analyst"], second["id"])
        assert json.loads(later.event()["data"])["alert_id"] == "1-1"
        own = Stream(port, world.keys["customer"], "0:0,1:0")
        mine = [json.loads(own.event()["data"]) for _ in range(2)]
        assert {one["user_id"] for one in mine} == {OWN}
        log.put(OTHER)
        log.put(OWN)
        assert json.loads(own.event()["data"])["user_id"] == OWN
        alerts.stop()
        assert "stops" in own.event("end")["data"]
        own.close()
        later.close()


def test_a_stream_may_last_longer_than_an_answer(world):
    services = world.client.app.state.services
    assert services.settings.api_timeout_s > services.settings.api_heartbeat_seconds
    log = Log(1)
    other = build(world.settings.home.parent / "short", customers=0, api_timeout_s=0.5,
                  api_heartbeat_seconds=0.2)  # fmt: skip
    with with_log(other, log), served(other) as port:
        stream = Stream(port, other.keys["analyst"])
        signs = 0
        while signs < 5:  # a second
            signs += "comment" in stream.block()
        log.put(OWN)
        assert stream.event()["id"] == "0:1"
        stream.close()


def test_who_may_not_listen_is_told_in_an_answer(world):
    log = Log()
    with with_log(world, log):
        path = "/api/v1/alerts/stream"
        for role in ("viewer", "operator"):
            assert world.ask(role, "GET", path).status_code == 403
        bad = world.ask("analyst", "GET", path, headers={"Last-Event-ID": "x"})
        assert bad.status_code == 422
        log.away = True
        gone = world.ask("analyst", "GET", path)
        assert gone.status_code == 503
        assert "hidden" not in gone.text
    assert log.opened == 0


def test_the_socket_says_the_same(world):
    log = Log()
    with with_log(world, log):
        with world.client.websocket_connect("/api/v1/alerts/socket") as socket:
            socket.send_json({"key": world.keys["customer"]})
            assert socket.receive_json() == {"id": "0:0,1:0"}
            log.put(OTHER)
            log.put(OWN)
            found = socket.receive_json()
            while "still" in found:
                found = socket.receive_json()
            assert found["id"] == "0:2,1:0"
            assert found["alert"]["user_id"] == OWN
        with world.client.websocket_connect("/alerts/socket") as socket:
            socket.send_json({"key": world.keys["analyst"], "last": "0:0,1:0"})
            assert [socket.receive_json()["id"] for _ in range(2)] == ["0:1,1:0", "0:2,1:0"]


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"key": "fl_0_0"}, 4401),
        ({"token": "x"}, 4401),
        ({}, 4401),
        ([], 4401),
        ({"key": "viewer"}, 4401),
        ({"key": "analyst", "last": "x"}, 4422),
    ],
)
def test_the_socket_lets_in_by_the_same_rules(world, hello, code):
    if isinstance(hello, dict) and hello.get("key") in world.keys:
        hello = hello | {"key": world.keys[hello["key"]]}
    log = Log()
    with (
        with_log(world, log),
        world.client.websocket_connect("/api/v1/alerts/socket") as socket,
    ):
        socket.send_json(hello)
        with pytest.raises(WebSocketDisconnect) as found:
            socket.receive_json()
    assert found.value.code == code
    assert log.opened == 0


def test_a_token_opens_the_socket(world):
    session = world.ask("analyst", "POST", "/api/v1/session").json()
    with (
        with_log(world, Log(1)),
        world.client.websocket_connect("/api/v1/alerts/socket") as socket,
    ):
        socket.send_json({"token": session["access_token"]})
        assert socket.receive_json() == {"id": "0:0"}


def test_the_page_runs_its_own_script_alone(world):
    page = world.client.get("/live")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    script = world.client.get("/live.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert world.client.get("/live.css").headers["content-type"].startswith("text/css")
    assert (
        world.client.get("/health")
        .headers["content-security-policy"]
        .startswith("default-src 'none'")
    )


def test_no_file_of_the_page_names_another_place() -> None:
    for path in (Path(__file__).parents[2] / "api" / "pages").iterdir():
        assert "://" not in path.read_text(), path
