"""What a component of the stack is: how it is fetched, prepared, started and asked how it does."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from finlake.errors import ComponentMissing
from infra.settings import Settings
from infra.stack.ports import Wish
from infra.stack.progress import Progress

__all__ = [
    "CONF",
    "HOST",
    "Component",
    "answers_http",
    "answers_mysql",
    "answers_tcp",
    "find_java",
    "java",
]

CONF = Path(__file__).parent / "conf"
HOST = "127.0.0.1"


class Component(ABC):
    """One program of the stack, with its data in ``<home>/<folder>``."""

    name: str
    folder: str
    needs: tuple[str, ...] = ()  # healthy before this one starts, where they run here too
    patience_s: float = 30  # from SIGTERM to SIGKILL
    asked_every_s: int = 5  # for its figures, where it has some

    def __init__(self, settings: Settings, ports: Mapping[str, int]) -> None:
        self.settings = settings
        self.ports = ports
        self.data = settings.home / self.folder

    @property
    @abstractmethod
    def version(self) -> str:
        """Its version, to be shown."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it can be reached."""

    @classmethod
    def wishes(cls, settings: Settings, given: set[str]) -> list[Wish]:
        """The ports it wants; ``given`` are the settings that somebody set."""
        return [_wish(cls.name, settings, given)]

    @property
    def figures(self) -> str:
        """Where Prometheus finds its figures; empty where it has none."""
        return ""

    def exports(self) -> dict[str, str]:
        """What other programs must know of it, as ``FINLAKE_*`` settings."""
        return {}

    def fetch(self, progress: Progress) -> None:  # noqa: B027 (most have nothing to add)
        """Put into the user's cache what it is made of.

        Raises:
            ComponentMissing: something cannot be had; the message says what to do.
        """

    def prepare(self) -> None:
        """Make its folder ready; called before every start, and repeatable."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def cwd(self) -> Path:
        """The folder in which it runs."""
        return self.data

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    def env(self) -> dict[str, str]:
        """What its environment has in addition."""
        return {}

    @abstractmethod
    def is_healthy(self) -> bool:
        """Whether it answers now; takes two seconds at most."""


def _wish(name: str, settings: Settings, given: set[str]) -> Wish:
    field = f"port_{name}"
    return Wish(name, getattr(settings, field, 0), field in given)


def answers_tcp(port: int) -> bool:
    """Whether somebody listens on that port."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def answers_http(url: str, trusted: Path | None = None) -> bool:
    """Whether a GET of that address is answered with 200; ``trusted`` is who signed for it."""
    try:
        context = ssl.create_default_context(cafile=trusted) if trusted else None
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 (loopback)
            return bool(answer.status == http.HTTPStatus.OK)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def answers_mysql(
    port: int, user: str, password: str, database: str, trusted: Path | None = None
) -> bool:
    """Whether that user can open the database; ``trusted`` is who signed for the server."""
    import pymysql

    try:
        pymysql.connect(
            host=HOST,
            port=port,
            user=user,
            password=password,
            database=database,
            connect_timeout=2,
            read_timeout=2,
            ssl=ssl.create_default_context(cafile=trusted) if trusted else None,
        ).close()
    except (pymysql.MySQLError, OSError):
        return False
    return True


_JAVA_ADVICE = "install Java 17 (apt-get install openjdk-17-jre-headless) or set JAVA_HOME to one"


@cache
def java() -> str:
    """The ``java`` program, 17 or later.

    Raises:
        ComponentMissing: there is none.
    """
    found, version = find_java()
    if version < 17:
        raise ComponentMissing(f"{found} is older than Java 17; {_JAVA_ADVICE}")
    return found


def find_java() -> tuple[str, int]:
    """The ``java`` of ``JAVA_HOME``, else of the path, and its version; 0 where it does not say.

    Raises:
        ComponentMissing: there is none.
    """
    import os

    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        raise ComponentMissing(f"java is missing; {_JAVA_ADVICE}")
    said = subprocess.run(
        [found, "-version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    ).stderr
    version = re.search(r'version "(\d+)', said)
    return found, int(version[1]) if version else 0
