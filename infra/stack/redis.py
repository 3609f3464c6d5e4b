"""Redis beside the stack: what the API's workers keep together, in memory and for a while.

The program is the machine's own, or else Debian's, unpacked into the user's cache and run with the
libraries it was built for.
"""

from __future__ import annotations

import platform
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from typing_extensions import override

from infra.settings import secret
from infra.stack.cache import cache_dir, cache_lock
from infra.stack.certificates import authority, certificate, trusted
from infra.stack.component import HOST, Component
from infra.stack.debian import DebianPackage
from infra.stack.progress import Progress

__all__ = ["Redis", "check_redis"]

_DEBIAN = DebianPackage(
    "redis-server",
    "Redis",
    "put a redis-server on the path, or set FINLAKE_REDIS_URL to a server",
    whole=True,
)
_CONFIG = """\
bind {host}
{ports}
requirepass {password}
dir {data}
# A cache: bounded, and nothing is kept over a restart.
save ""
appendonly no
maxmemory 64mb
maxmemory-policy allkeys-lru
"""


class Redis(Component):
    """A cache on loopback, which asks for a password."""

    name = "redis"
    folder = "redis"

    @property
    @override
    def version(self) -> str:
        said = subprocess.run(
            [*_program(), "--version"], capture_output=True, text=True, check=False
        ).stdout
        found = re.search(r"v=(\d+\.\d+\.\d+)", said)
        return f"Redis {found[1] if found else 'of unknown version'}"

    @property
    @override
    def address(self) -> str:
        scheme = "rediss" if self.settings.stack_tls else "redis"
        return f"{scheme}://{HOST}:{self.ports['redis']}"

    @property
    def _password(self) -> str:
        return secret(self.settings.home, "redis_password")

    @override
    def exports(self) -> dict[str, str]:
        place = self.address.replace("://", f"://:{self._password}@")
        exports = {"FINLAKE_REDIS_URL": f"{place}/0"}
        signed = trusted(self.settings)
        return exports if signed is None else {**exports, "FINLAKE_REDIS_CA": str(signed)}

    @override
    def fetch(self, progress: Progress) -> None:
        if check_redis() is None:
            with cache_lock("redis"):
                if check_redis() is None:
                    with progress("fetching Redis from Debian's archive", 0):
                        _DEBIAN.unpack(_unpacked())

    @property
    def _config(self) -> Path:
        return self.data / "redis.conf"

    @override
    def prepare(self) -> None:
        super().prepare()
        self._config.touch(mode=0o600)
        self._config.write_text(
            _CONFIG.format(host=HOST, ports=self._ports(), password=self._password, data=self.data),
            encoding="utf-8",
        )

    def _ports(self) -> str:
        port = self.ports["redis"]
        if not self.settings.stack_tls:
            return f"port {port}"
        own = certificate(self.settings.home, self.name)
        return "\n".join([
            "port 0",
            f"tls-port {port}",
            f"tls-cert-file {own / 'public.crt'}",
            f"tls-key-file {own / 'private.key'}",
            f"tls-ca-cert-file {authority(self.settings.home)}",
            "tls-auth-clients no",
        ])  # fmt: skip

    @override
    def command(self) -> list[str]:
        return [*_program(), str(self._config)]

    @override
    def is_healthy(self) -> bool:
        asked = f"AUTH {self._password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((HOST, self.ports["redis"]), timeout=1) as plain:
                signed = trusted(self.settings)
                if signed is None:
                    return _said(plain, asked)
                context = ssl.create_default_context(cafile=signed)
                with context.wrap_socket(plain, server_hostname=HOST) as wrapped:
                    return _said(wrapped, asked)
        except OSError:
            return False


def _said(connection: socket.socket, asked: bytes) -> bool:
    connection.sendall(asked)
    wanted, said = b"+OK\r\n+PONG\r\n", b""
    while len(said) < len(wanted) and (more := connection.recv(64)):
        said += more
    return said == wanted


def check_redis() -> str | None:
    """Where the program is; ``None`` while nothing has fetched it."""
    found = shutil.which("redis-server")
    if found is None and _unpacked().is_dir():
        found = str(_unpacked() / "usr" / "bin" / "redis-server")
    return found


def _program() -> list[str]:
    """How ``redis-server`` is called."""
    found = check_redis()
    if found is None or not _unpacked().is_dir() or not Path(found).is_relative_to(_unpacked()):
        return [found or "redis-server"]
    folders = [_unpacked() / place for place in ("lib", "usr/lib")]
    places = [folder / f"{platform.machine()}-linux-gnu" for folder in folders]
    loader = next(found for place in places for found in place.glob("ld-linux*.so.*"))
    words = ["--library-path", ":".join(str(place) for place in places)]
    return [str(loader), *words, found]


def _unpacked() -> Path:
    return cache_dir() / "redis-debian"
