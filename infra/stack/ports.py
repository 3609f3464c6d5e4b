"""Ports on loopback: set by a setting, else the one used last time, else a free one."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finlake.errors import ComponentMissing, UsageProblem

__all__ = ["Wish", "choose_ports", "is_free"]

# Below the range from which the system takes the near ends of outgoing connections: a remembered
# port there may be taken by any connection of any program.
_RANGE = (20000, 32000)


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
        return port not in chosen.values() and is_free(port)

    for wish in wishes:
        if wish.name in chosen:
            continue
        if wish.explicit and wish.preferred:
            if not usable(wish.preferred):
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


def _read(memory: Path) -> dict[str, int]:
    try:
        return {str(k): int(v) for k, v in json.loads(memory.read_text(encoding="utf-8")).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}
