"""The proxy itself: faultless it changes nothing, and each fault is what it says."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest

from tests.chaos.faulty_store import Faults, FaultyStore


class _Store(BaseHTTPRequestHandler):
    """Keeps the last thing that was put, and answers in the way of an object store."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, bytes]

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.kept["host"] = self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("ETag", "e1")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "123")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def kept() -> dict[str, bytes]:
    return {}


@pytest.fixture
def proxy(kept: dict[str, bytes]) -> Iterator[FaultyStore]:
    handler = type("Kept", (_Store,), {"kept": kept})
    store = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    store.daemon_threads, store.block_on_close = True, False
    thread = threading.Thread(target=store.serve_forever, daemon=True)
    thread.start()
    with FaultyStore(f"http://127.0.0.1:{store.server_address[1]}", Random(1)).running() as proxy:
        yield proxy
    store.shutdown()
    thread.join()
    store.server_close()


@pytest.fixture
def client(proxy: FaultyStore) -> Iterator[http.client.HTTPConnection]:
    link = http.client.HTTPConnection("127.0.0.1", proxy.server_address[1], timeout=10)
    yield link
    link.close()


def test_without_faults_it_hands_all_on(
    client: http.client.HTTPConnection, kept: dict[str, bytes]
) -> None:
    for body in (b"first", b"", b"\x00" * 100_000):
        client.request("PUT", "/a/b%20c?x=1", body, {"Host": "signed.example"})
        answer = client.getresponse()
        assert (answer.status, answer.read(), answer.getheader("ETag")) == (200, b"", "e1")
        assert kept["/a/b%20c?x=1"] == body
    assert kept["host"] == b"signed.example"
    client.request("PUT", "/chunks", iter([b"one ", b"two"]), encode_chunked=True)
    assert client.getresponse().read() == b""
    assert kept["/chunks"] == b"one two"
    client.request("HEAD", "/a")
    answer = client.getresponse()
    assert (answer.getheader("Content-Length"), answer.read()) == ("123", b"")


def test_busy_does_nothing(
    proxy: FaultyStore, client: http.client.HTTPConnection, kept: dict[str, bytes]
) -> None:
    proxy.faults = Faults(busy=1.0)
    client.request("PUT", "/a", b"x")
    answer = client.getresponse()
    assert answer.status == 503
    assert b"SlowDown" in answer.read()
    assert kept == {}


def test_lost_is_done_and_not_answered(
    proxy: FaultyStore, client: http.client.HTTPConnection, kept: dict[str, bytes]
) -> None:
    proxy.faults = Faults(lost=1.0)
    client.request("PUT", "/a", b"x")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        client.getresponse()
    assert kept["/a"] == b"x"


def test_faults_come_in_their_shares_and_again_with_the_same_seed(proxy: FaultyStore) -> None:
    proxy.faults = Faults(busy=0.1, slow=0.2, lost=0.05)
    first = [proxy.choose() for _ in range(10_000)]
    again = FaultyStore("http://127.0.0.1:1", Random(1))
    again.faults = proxy.faults
    assert [again.choose() for _ in range(10_000)] == first
    again.server_close()
    assert 900 < proxy.done["busy"] < 1_100
    assert 1_850 < proxy.done["slow"] < 2_150
    assert 430 < proxy.done["lost"] < 570
    assert all((wait > 0) == (what == "slow") for what, wait in first)
