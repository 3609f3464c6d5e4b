"""Answers about stored customers, kept for as long as their rows in gold stay what they were.

A key holds the versions in which those changed last, so that nothing has to be thrown away when
gold changes: what is old is no longer asked for, and goes when there is no room.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final

__all__ = ["Answers"]

_MOST_BYTES: Final = 32 << 20


class Answers:
    """Bodies by what was asked; those that were not asked for longest go first."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._bodies: OrderedDict[bytes, bytes] = OrderedDict()

    @staticmethod
    def key(path: str, asked: str, state: tuple[int, ...]) -> bytes:
        """What an answer is found by: the route, what was asked, and of which versions."""
        return hashlib.sha256(f"{path}\n{state}\n{asked}".encode()).digest()

    def get(self, key: bytes) -> bytes | None:
        """The answer, if it is still there."""
        with self._lock:
            found = self._bodies.get(key)
            if found is not None:
                self._bodies.move_to_end(key)
            return found

    def put(self, key: bytes, body: bytes) -> None:
        """Keep an answer."""
        if len(body) > self._most:
            return
        with self._lock:
            self._held += len(body) - len(self._bodies.pop(key, b""))
            self._bodies[key] = body
            while self._held > self._most:
                self._held -= len(self._bodies.popitem(last=False)[1])
