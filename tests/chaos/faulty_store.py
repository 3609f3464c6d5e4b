"""A proxy before an object store that answers 503, dawdles, or loses the answer of what it did.

It hands requests on byte for byte with the ``Host`` that the client has signed, so the store takes
the signatures as they are.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from urllib.parse import urlsplit

__all__ = ["Faults", "FaultyStore"]

_BUSY = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)
_OWN = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


@dataclass(frozen=True)
class Faults:
    """Shares of requests that are hit, each 0 to 1, and the longest delay in seconds."""

    busy: float = 0.0  # 503, and nothing was done
    slow: float = 0.0
    lost: float = 0.0  # done, but the connection ends without an answer
    longest_s: float = 2.0


class FaultyStore(ThreadingHTTPServer):
    """The proxy on a free port of loopback; faultless until ``faults`` is set.

    Args:
        upstream: address of the store, http://host:port.
        random: decides which request is hit.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, upstream: str, random: Random) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.faults = Faults()
        self.done: Counter[str] = Counter()
        self._random = random
        self._lock = threading.Lock()

    def choose(self) -> tuple[str, float]:
        """What happens to the next request, and for how many seconds it waits."""
        faults = self.faults
        with self._lock:
            number = self._random.random()
            wait = self._random.uniform(0, faults.longest_s)
            for what in ("busy", "slow", "lost"):
                number -= getattr(faults, what)
                if number < 0:
                    break
            else:
                what = "passed"
            self.done[what] += 1
        return what, wait if what == "slow" else 0.0

    @contextmanager
    def running(self) -> Iterator[FaultyStore]:
        """Serve for the length of the block."""
        thread = threading.Thread(target=self.serve_forever, name="faulty store", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyStore

    def setup(self) -> None:
        super().setup()
        self._store = http.client.HTTPConnection(self.server.upstream, timeout=60)

    def finish(self) -> None:
        self._store.close()
        super().finish()

    def _serve(self) -> None:
        body = self._body()
        what, wait = self.server.choose()
        if what == "busy":
            self._answer(503, "Slow Down", [("Content-Type", "application/xml")], _BUSY)
            return
        time.sleep(wait)
        try:
            answer, content = self._hand_on(body)
        except (OSError, http.client.HTTPException):  # the store itself is away
            self._store.close()
            self.close_connection = True
            return
        if what == "lost":
            self.close_connection = True
            return
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OWN]
        # a HEAD is answered with the length of what it does not send
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self._answer(answer.status, answer.reason, headers, content, length)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _hand_on(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        store = self._store
        store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _OWN:
                store.putheader(name, value)
        store.putheader("Content-Length", str(len(body)))
        store.endheaders(body)
        answer = store.getresponse()
        return answer, answer.read()

    def _answer(
        self,
        status: int,
        reason: str,
        headers: list[tuple[str, str]],
        content: bytes,
        length: str | None = None,
    ) -> None:
        self.send_response_only(status, reason)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815
