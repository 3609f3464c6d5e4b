"""A real MySQL as the source: ``mysqld`` on the path, else unpacked from Debian's unstable suite.

Debian's stable suites have none. The unpacked server runs with the libraries it was built for, its
own C library among them, so that nothing of the system is touched.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from typing_extensions import override

from infra.stack.cache import cache_dir, cache_lock
from infra.stack.debian import DebianPackage
from infra.stack.progress import Progress
from infra.stack.source import SourceServer

__all__ = ["MySQL", "check_mysql"]

_DEBIAN = DebianPackage(
    "mysql-server-core",
    "MySQL",
    "put a mysqld on the path, or set FINLAKE_SOURCE_URL to a server",
    suite="unstable",
    whole=True,
)

_CONFIG = """\
[mysqld]
{places}
datadir={data}/data
# inside datadir: a socket's path may not be long
socket=server.sock
pid-file={data}/server.pid
init-file={data}/init.sql
bind-address=127.0.0.1
port={port}
mysqlx=OFF
skip-name-resolve
{tls}
{user}
secure-file-priv=NULL
# a word of warning about the syntax of the heartbeat, every second
log-error-suppression-list=MY-010045
local-infile=ON
character-set-server=utf8mb4
default-time-zone=+00:00
max-allowed-packet=64M
max-connections=100

# what a capture reads: whole rows with column names
server-id=1
log-bin=binlog
binlog-row-image=FULL
binlog-row-metadata=FULL
gtid-mode=ON
enforce-gtid-consistency=ON
max-binlog-size=256M
binlog-expire-logs-seconds=604800
event-scheduler=ON

innodb-buffer-pool-size=128M
innodb-redo-log-capacity=256M
# A commit survives the end of the process; the last second may be lost when the machine dies.
innodb-flush-log-at-trx-commit=2
sync-binlog=0
performance-schema=OFF
"""


class MySQL(SourceServer):
    """MySQL with the users of the source."""

    folder = flavour = "mysql"

    @property
    @override
    def version(self) -> str:
        said = subprocess.run(
            [*self._program, "--version"], capture_output=True, text=True, check=False
        ).stdout.split()
        number = said[said.index("Ver") + 1] if "Ver" in said else "of unknown version"
        return f"MySQL {number}"

    @property
    def _root(self) -> Path:
        return _unpacked()

    @cached_property
    def _program(self) -> list[str]:
        """How ``mysqld`` is called."""
        own = _on_path()
        if own:
            return [own]
        root = self._root
        libraries = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
        (loader,) = libraries.glob("ld-linux*.so.*")
        places = [libraries, libraries / "mysql", root / "usr" / "lib" / "mysql" / "private"]
        return [
            str(loader),
            *("--library-path", ":".join(str(place) for place in places)),
            str(root / "usr" / "sbin" / "mysqld"),
        ]

    @override
    def fetch(self, progress: Progress) -> None:
        if _on_path() or self._root.is_dir():
            return
        with cache_lock("mysql"):
            if not self._root.is_dir():
                with progress("fetching MySQL from Debian's unstable suite", 0):
                    _DEBIAN.unpack(self._root)

    @override
    def prepare(self) -> None:
        super().prepare()
        self.write_users()
        config = self.data / "my.cnf"
        config.write_text(
            _CONFIG.format(
                places="" if _on_path() else self._places(),
                data=self.data,
                port=self.ports["source"],
                tls=self.tls_lines(),
                user="user=root" if os.geteuid() == 0 else "",
            ),
            encoding="utf-8",
        )
        if not (self.data / "installed").exists():
            shutil.rmtree(self.data / "data", ignore_errors=True)  # of an installation cut short
            # without the users' statements: they need the tables that this makes
            bare = self.data / "install.cnf"
            text = config.read_text(encoding="utf-8").replace("init-file=", "# init-file=")
            bare.write_text(text, encoding="utf-8")
            _DEBIAN.run(
                [*self._program, f"--defaults-file={bare}", "--initialize-insecure"], "MySQL"
            )
            (self.data / "installed").touch()

    def _places(self) -> str:
        base = self._root / "usr"
        return "\n".join(
            [
                f"basedir={base}",
                f"lc-messages-dir={base}/share/mysql",
                f"character-sets-dir={base}/share/mysql/charsets",
                f"plugin-dir={base}/lib/mysql/plugin",
            ]
        )

    @override
    def command(self) -> list[str]:
        return [*self._program, f"--defaults-file={self.data / 'my.cnf'}"]


def check_mysql() -> str:
    """Where the server is, or where it would come from.

    Raises:
        ComponentMissing: there is no way to have one.
    """
    found = _on_path()
    if found is None and _unpacked().is_dir():
        found = str(_unpacked())
    if found is None:
        _DEBIAN.need_debian()
        found = f"will be unpacked once from Debian's {_DEBIAN.suite} suite"
    return found


def _unpacked() -> Path:
    return cache_dir() / "mysql-debian"


def _on_path() -> str | None:
    """A ``mysqld`` on the path that is MySQL's, not MariaDB's."""
    found = shutil.which("mysqld")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    return None if "MariaDB" in said else found
