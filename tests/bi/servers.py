"""Servers that answer Arrow Flight: ROAPI, which is real, and a stand-in for Dremio's handshake."""

from __future__ import annotations

import base64
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import flight

from infra.stack.component import answers_tcp
from tests.support.stack import wait_for

__all__ = ["DremioStandIn", "free_port", "roapi"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def roapi(tables: dict[str, Path], log: Path) -> Iterator[str]:
    """ROAPI over these Delta tables; gives its Flight SQL address."""
    port, http = free_port(), free_port()
    sources = [f"--table={name}={place},format=delta" for name, place in tables.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "roapi"),
                f"--addr-flight-sql=127.0.0.1:{port}",
                f"--addr-http=127.0.0.1:{http}",
                f"--addr-postgres=127.0.0.1:{free_port()}",
                *sources,
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(
            lambda: process.poll() is not None or answers_tcp(port), f"ROAPI listens; see {log}"
        )
        assert process.poll() is None, log.read_text()
        yield f"grpc://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


class DremioStandIn(flight.FlightServerBase):  # type: ignore[misc]
    """Answers as Dremio's Arrow Flight endpoint does, with DuckDB behind it.

    A stand-in: Dremio itself is in no registry that the tests could take it from. It follows
    https://docs.dremio.com/current/developer/arrow-flight/: basic authentication is answered with a
    bearer token in the header ``authorization``; a session cookie is set with the first answer and
    expected from then on; a statement is a command, its plan names endpoints, each with a ticket.

    ``calls`` has the headers of each call that was let in.
    """

    USER, PASSWORD, TOKEN = "analyst", "s3cret", "a-personal-token"

    def __init__(self, tables: dict[str, pa.Table] | None = None, **tls: Any) -> None:
        self.front = _Front(self)
        super().__init__(
            "grpc+tls://127.0.0.1:0" if tls else "grpc://127.0.0.1:0",
            auth_handler=_Handshake(),
            middleware={"front": self.front},
            **tls,
        )
        self.calls: list[dict[str, list[str]]] = []
        self.bearers = {self.TOKEN}
        self.tables = tables or {}

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def expire(self) -> None:
        """Let every token that was handed out run out."""
        self.bearers = {self.TOKEN}

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        sql = descriptor.command.decode()
        try:
            schema = self._ask(f"SELECT * FROM ({sql}) LIMIT 0").schema
        except duckdb.Error as error:
            raise flight.FlightServerError(f"VALIDATION ERROR: {error}") from None
        endpoints = [flight.FlightEndpoint(sql.encode(), [])]
        return flight.FlightInfo(schema, descriptor, endpoints, -1, -1)

    def do_get(
        self, context: flight.ServerCallContext, ticket: flight.Ticket
    ) -> flight.FlightDataStream:
        sql = ticket.ticket.decode()
        if "slowly" in sql:
            time.sleep(2)
        return flight.RecordBatchStream(self._ask(sql))

    def _ask(self, sql: str) -> pa.Table:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name, rows in self.tables.items():
                connection.register(name, rows)
            return connection.sql(sql).to_arrow_table()


class _Handshake(flight.ServerAuthHandler):  # type: ignore[misc]
    """Lets the handshake through to the headers, which ``_Front`` looks at."""

    def authenticate(self, outgoing: object, incoming: object) -> None:
        pass

    def is_valid(self, token: bytes) -> bytes:
        return b""


class _Front(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Lets in who has a bearer token, and hands one out for the right password."""

    def __init__(self, server: DremioStandIn) -> None:
        super().__init__()
        self._server = server
        self._sessions: set[str] = set()

    def start_call(
        self, info: flight.CallInfo, headers: dict[str, list[str]]
    ) -> flight.ServerMiddleware:
        given = headers.get("authorization", [""])[0]
        kind, _, value = given.partition(" ")
        bearer = None
        if kind.lower() == "basic":
            user, _, password = base64.b64decode(value).decode().partition(":")
            if (user, password) != (self._server.USER, self._server.PASSWORD):
                raise flight.FlightUnauthenticatedError("Unable to authenticate user")
            bearer = secrets.token_hex(8)
            self._server.bearers.add(bearer)
        elif value not in self._server.bearers:
            raise flight.FlightUnauthenticatedError("token is not known")
        self._server.calls.append(headers)
        cookie = headers.get("cookie", [""])[0].removeprefix("arrow_flight_session_id=")
        if cookie in self._sessions:
            return _Answered({}, bearer)
        session = secrets.token_hex(4)
        self._sessions.add(session)
        return _Answered({"set-cookie": f"arrow_flight_session_id={session}; Path=/"}, bearer)


class _Answered(flight.ServerMiddleware):  # type: ignore[misc]
    def __init__(self, headers: dict[str, str], bearer: str | None) -> None:
        super().__init__()
        self._headers = headers | ({"authorization": f"Bearer {bearer}"} if bearer else {})

    def sending_headers(self) -> dict[str, str]:
        return self._headers
