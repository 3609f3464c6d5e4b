"""Ports on loopback: set by a setting, else the one used last time, else a free one.

Between the choice of a port and the moment at which its server listens lie seconds, in which
another stack that starts would find it free too. So each choice is a lock on one byte of a file of
the user's cache, the port's number its place, which the system gives back when the process that
chose ends: `finlake up` does when its components are healthy.
"""

from __future__ import annotations

import fcntl
import json
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from finlake.errors import ComponentMissing, UsageProblem
from infra.stack.cache import cache_dir

__all__ = ["Wish", "choose_ports", "is_free"]

# Below the range from which the system takes the near ends of outgoing connections: a remembered
# port there may be taken by any connection of any program.
_RANGE = (20000, 32000)

_promised: dict[int, Path] = {}  # by this process: to which memory


@dataclass(frozen=True)
class Wish:
    """What is asked for one port.

    ``preferred`` 0 means any. ``explicit``: somebody set it, so that no other will do.
    """

    name: str
    preferred: int = 0
    explicit: bool = False


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_ports(wishes: Iterable[Wish], memory: Path, ours: Iterable[str] = ()) -> dict[str, int]:
    """A port for every wish; remembered in the file ``memory`` for the next time.

    ``ours`` names the ports on which this stack listens now: they stay as they are.

    Raises:
        UsageProblem: a port that somebody set is taken.
        ComponentMissing: no free port was found.
    """
    remembered = _read(memory)
    chosen = {name: remembered[name] for name in ours if name in remembered}

    def usable(port: int) -> bool:
        return port not in chosen.values() and _promise(port, memory) and is_free(port)

    for wish in wishes:
        if wish.name in chosen:
            continue
        if wish.explicit and wish.preferred:
            _promise(wish.preferred, memory)  # to others; who set it wants it in any case
            if wish.preferred in chosen.values() or not is_free(wish.preferred):
                raise UsageProblem(
                    f"setting FINLAKE_PORT_{wish.name.upper()}: port {wish.preferred} is taken by"
                    " another program; set another one, or 0 for any free one"
                )
            chosen[wish.name] = wish.preferred
            continue
        last = remembered.get(wish.name, 0)
        candidates = [last] if last else []
        if wish.preferred:
            candidates += range(wish.preferred, min(wish.preferred + 100, 65536))
        candidates += random.sample(range(*_RANGE), 200)
        found = next((port for port in candidates if usable(port)), None)
        if found is None:
            raise ComponentMissing(f"no free port for {wish.name}; close other programs")
        chosen[wish.name] = found
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({**remembered, **chosen}, indent=1), encoding="utf-8")
    return chosen


@cache
def _promises() -> IO[bytes]:
    """Open as long as the process lives: closing it would give back every lock."""
    return (cache_dir() / ".ports.lock").open("wb")


def _promise(port: int, memory: Path) -> bool:
    """Keep the port from others until this process ends; False when one of them was first."""
    if _promised.setdefault(port, memory) != memory:
        return False
    try:
        fcntl.lockf(_promises(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        del _promised[port]
        return False
    return True


def _read(memory: Path) -> dict[str, int]:
    try:
        return {str(k): int(v) for k, v in json.loads(memory.read_text(encoding="utf-8")).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}
