"""What others on the machine can see of a stack: its sockets, processes, pages and files."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil

__all__ = [
    "Seen",
    "arguments_and_environments",
    "listeners",
    "open_to_others",
    "secrets_of",
    "shown_by",
    "stack_processes",
]

Seen = Iterator[tuple[str, bytes]]
"""A place, and what can be read there."""


def secrets_of(home: Path) -> dict[str, bytes]:
    """Every secret of a home by its name, also what the stack hands on in ``stack.env``."""
    found = {}
    for path in sorted((home / "secrets").rglob("*")):
        if path.is_file():
            found[str(path.relative_to(home))] = path.read_bytes().strip()
    assert all(len(secret) >= 16 for secret in found.values()), "too short to be looked for"
    return found


def shown_by(places: Iterable[tuple[str, bytes]], secrets: Mapping[str, bytes]) -> list[str]:
    """Which place shows which secret."""
    return [
        f"{place} shows {name}"
        for place, text in places
        for name, secret in secrets.items()
        if secret in text
    ]


def stack_processes(home: Path) -> list[psutil.Process]:
    """The supervisor of a home and all that it has started."""
    number = json.loads((home / "run" / "supervisor.pid").read_text())["pid"]
    supervisor = psutil.Process(number)
    return [supervisor, *supervisor.children(recursive=True)]


def arguments_and_environments(processes: Iterable[psutil.Process]) -> Seen:
    """What ``ps`` shows to everybody, and the environment, which the user's other programs see."""
    for process in processes:
        try:
            name = f"{process.name()} {process.pid}"
            yield f"arguments of {name}", "\0".join(process.cmdline()).encode()
            yield f"environment of {name}", json.dumps(process.environ()).encode()
        except psutil.NoSuchProcess:
            continue


def listeners(processes: Iterable[psutil.Process]) -> set[tuple[int, str]]:
    """Ports and addresses on which somebody waits for others."""
    found: set[tuple[int, str]] = set()
    for process in processes:
        try:
            connections = process.net_connections(kind="inet")
        except psutil.NoSuchProcess:
            continue
        for one in connections:
            waits = one.type == socket.SOCK_DGRAM and not one.raddr
            if one.status == psutil.CONN_LISTEN or waits:
                address, port = one.laddr
                found.add((port, address))
    return found


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches that address."""
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def open_to_others(processes: Iterable[psutil.Process]) -> set[tuple[int, str]]:
    """Those of them on which not only this machine is heard."""
    return {(port, address) for port, address in listeners(processes) if not is_loopback(address)}
