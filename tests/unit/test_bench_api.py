"""The load harness: when requests are due, what is charged, what counts as an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from batch_jobs.bench.api import _mix, rise
from batch_jobs.bench.load import Asked, closed_loop, open_loop
from tests.unit.api_world import OWN

GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def answering(
    answer: Callable[[int], tuple[float, bytes]],
) -> Iterator[tuple[tuple[str, int], list]]:  # type: ignore[type-arg]
    """A server that waits and answers as it is told by the number of the request."""
    heads: list[bytes] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    place: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                writer.close()
                return
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            heads.append(head + body)
            wait, said = answer(len(heads))
            await asyncio.sleep(wait)
            writer.write(said)
            if not said:
                writer.close()
                return

    async def serve() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        place.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await server.serve_forever()

    def run() -> None:
        asyncio.set_event_loop(loop)
        task = loop.create_task(serve())
        stopping.append(task)
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)

    stopping: list[asyncio.Task[None]] = []
    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield ("127.0.0.1", place[0]), heads
    finally:
        loop.call_soon_threadsafe(stopping[0].cancel)
        thread.join()
        loop.close()


def test_as_many_requests_are_asked_as_are_due():
    asked = [Asked("one", "/one"), Asked("two", "/two", {"a": 1})]
    with answering(lambda _: (0, GOOD)) as (place, heads):
        found = open_loop(place, ["k1", "k2"], asked, 20, 0.5)
    assert found.answered == 10
    assert found.failed == 0
    assert sum(b"GET /one" in head for head in heads) == len(found.took["one"])
    assert sum(head.endswith(b'{"a": 1}') for head in heads) == len(found.took["two"])
    assert {key for head in heads for key in (b"k1", b"k2") if key in head} == {b"k1", b"k2"}


def test_who_waits_behind_a_slow_answer_is_charged_for_it():
    # The first answer takes as long as five requests of the only user are apart.
    with answering(lambda n: (0.5 if n == 1 else 0, GOOD)) as (place, _):
        found = open_loop(place, ["k"], [Asked("one", "/")], 10, 1.0)
    took = found.took["one"]
    assert len(took) == 10
    late = [one for one in took if one > 50]
    assert len(late) >= 4
    assert late == sorted(late, reverse=True)


def test_what_is_no_good_answer_is_an_error():
    bad = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
    with answering(lambda n: (0, (GOOD, bad, b"")[n % 3])) as (place, _):
        found = closed_loop(place, ["k"], [Asked("one", "/")], 0.2)
    assert found.answered > 0
    assert {"one 503", "one 0"} == set(found.errors)
    assert found.failed == sum(found.errors.values())


def test_the_mix_is_mostly_single_predictions():
    row = {"at": "2019-01-01T00:00:00Z", "amount": "1.00", "mcc": 5411, "errors": []}
    mix = _mix([row] * 20, [OWN])
    single = [one for one in mix if one.name in ("anomaly", "category", "amount")]
    assert 0.5 <= len(single) / len(mix) <= 0.6
    assert len({one.name for one in mix}) >= 10
    assert all("mcc" not in one.body for one in mix if one.name == "category")
    assert all("amount" not in one.body for one in mix if one.name == "amount")


@pytest.mark.parametrize(
    ("minutes", "risen"),
    [([300, 400, 410, 412, 414, 416], 2), ([300, 400, 400, 400], 0), ([9], 0), ([], 0)],
)
def test_memory_rises_by_what_its_latter_half_does(minutes, risen):
    assert rise(minutes) == pytest.approx(risen)
