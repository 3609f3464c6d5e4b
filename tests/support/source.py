"""A source database for a test, without the rest of the stack."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql

from infra.settings import load_settings, secret
from infra.stack.mariadb import MariaDB
from infra.stack.mysql import MySQL
from infra.stack.progress import quiet

__all__ = ["Server"]


class Server:
    """A server of the embedded stack, alone, that can be killed and started again."""

    def __init__(self, home: Path, kind: type[MariaDB | MySQL] = MariaDB) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.component = kind(load_settings(home=home), {"source": self.port})
        self.component.fetch(quiet)
        self.process: subprocess.Popen[bytes] | None = None
        self.home = home

    def start(self) -> None:
        self.component.prepare()
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.component.command(),
                env={**os.environ, **self.component.env()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        while not self.component.is_healthy():
            assert self.process.poll() is None, (self.home / "server.log").read_text()
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    @property
    def url(self) -> str:
        return self.component.exports()["FINLAKE_SOURCE_URL"]

    def empty(self) -> None:
        """Make the database anew."""
        with self.root() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS finance")
            cursor.execute("CREATE DATABASE finance CHARACTER SET utf8mb4")

    @contextmanager
    def root(self) -> Iterator[pymysql.cursors.Cursor]:
        socket_path = self.component.data / "data" / "server.sock"
        password = secret(self.home, "source_root_password")
        with closing(
            pymysql.connect(unix_socket=str(socket_path), user="root", password=password)
        ) as connection:
            yield connection.cursor()
