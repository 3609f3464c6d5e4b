"""Requests by HTTP at times that are set beforehand, whether the answers keep up or not.

A request's time counts from when it was due (open loop), so that a service that stalls is charged
for all that waited meanwhile, and not for one request alone.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Asked", "Outcome", "closed_loop", "open_loop"]

_PATIENCE_S: Final = 30.0


@dataclass(frozen=True)
class Asked:
    """A request under a name that outcomes are gathered by; ``body`` None for GET."""

    name: str
    path: str
    body: Any = None

    def encoded(self, key: str) -> bytes:
        """The request as it goes over the wire."""
        content = b"" if self.body is None else json.dumps(self.body).encode()
        method = "GET" if self.body is None else "POST"
        return (
            f"{method} {self.path} HTTP/1.1\r\nHost: api\r\nX-API-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        ).encode() + content


@dataclass
class Outcome:
    """Milliseconds by name of a request, and what went wrong."""

    took: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def answered(self) -> int:
        """How many requests were answered well."""
        return sum(map(len, self.took.values()))

    @property
    def failed(self) -> int:
        """How many were not."""
        return sum(self.errors.values())

    def of(self, chosen: Callable[[str], bool]) -> list[float]:
        """Milliseconds of the requests of some names."""
        return [one for name, took in self.took.items() if chosen(name) for one in took]

    def note(self, name: str, status: int, seconds: float) -> None:
        """Count a request; status nought is one that was not answered."""
        if 200 <= status < 300:
            self.took.setdefault(name, []).append(seconds * 1000)
        else:
            self.errors[f"{name} {status}"] = self.errors.get(f"{name} {status}", 0) + 1


class _Connection:
    """One connection that asks one thing at a time, opened again when it breaks."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """The answer's status; nought when there was none."""
        try:
            return await asyncio.wait_for(self._ask(request), _PATIENCE_S)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            self.close()
            return 0

    async def _ask(self, request: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place, limit=1 << 24)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        (length,) = (int(one[15:]) for one in lines if one.startswith(b"content-length:"))
        await reader.readexactly(length)
        return int(lines[0].split(b" ", 2)[1])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def open_loop(
    place: tuple[str, int],
    keys: Sequence[str],
    asked: Sequence[Asked],
    rate: float,
    seconds: float,
) -> Outcome:
    """Ask so many times a second in all, evenly over one connection for each key.

    Each connection asks at its own steady times; requests are taken in turn, each connection from
    another one on.
    """
    return asyncio.run(_open(place, keys, asked, rate, seconds))


async def _open(
    place: tuple[str, int],
    keys: Sequence[str],
    asked: Sequence[Asked],
    rate: float,
    seconds: float,
) -> Outcome:
    outcome = Outcome()
    every = len(keys) / rate
    begin = time.perf_counter() + 0.5

    async def user(number: int) -> None:
        connection = _Connection(*place)
        turn = number * 7919
        step = 0
        while (after := every * (number / len(keys) + step)) < seconds - every / 1000:
            due = begin + after
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            one = asked[turn % len(asked)]
            status = await connection.ask(one.encoded(keys[number]))
            outcome.note(one.name, status, time.perf_counter() - due)
            turn += 1
            step += 1
        connection.close()

    await asyncio.gather(*(user(number) for number in range(len(keys))))
    outcome.seconds = time.perf_counter() - begin
    return outcome


def closed_loop(
    place: tuple[str, int],
    keys: Sequence[str],
    asked: Sequence[Asked],
    seconds: float,
) -> Outcome:
    """Ask again as soon as there is an answer, over one connection for each key."""

    async def run() -> Outcome:
        outcome = Outcome()
        begin = time.perf_counter()

        async def user(number: int) -> None:
            connection = _Connection(*place)
            turn = number
            while (now := time.perf_counter()) < begin + seconds:
                one = asked[turn % len(asked)]
                status = await connection.ask(one.encoded(keys[number]))
                outcome.note(one.name, status, time.perf_counter() - now)
                turn += 1
            connection.close()

        await asyncio.gather(*(user(number) for number in range(len(keys))))
        outcome.seconds = time.perf_counter() - begin
        return outcome

    return asyncio.run(run())
