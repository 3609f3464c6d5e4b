"""Ask the lake through Dremio, by its Arrow Flight endpoint.

A user's password is given once, as basic authentication, for which the server hands back a bearer
token; a personal access token is such a one from the start. Cookies carry the session, and headers
of the first call say how the session's queries are routed:
https://docs.dremio.com/current/developer/arrow-flight/
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from http.cookies import SimpleCookie
from typing import Any

import pyarrow as pa
from pyarrow import flight
from typing_extensions import override

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.lake.engine import Engine, QueryError, one_line
from infra.settings import Settings
from lakehouse_schemas.render.sql import literal

__all__ = ["Dremio", "bind"]

_Header = tuple[bytes, bytes]


class Dremio(Engine):
    """Dremio at ``FINLAKE_DREMIO_URL``, with a password or a token.

    Raises:
        UsageProblem: when there is no address or no user, or a file cannot be read.
    """

    title = "Dremio"

    def __init__(self, settings: Settings) -> None:
        if not settings.dremio_url:
            raise UsageProblem(
                "setting FINLAKE_DREMIO_URL is empty; set it to Dremio's Arrow Flight endpoint,"
                " grpc://host:32010 or grpc+tls://host:32010"
            )
        if not settings.dremio_token and not (settings.dremio_user and settings.dremio_password):
            raise UsageProblem(
                "setting FINLAKE_DREMIO_TOKEN is empty, and so is FINLAKE_DREMIO_USER or"
                " FINLAKE_DREMIO_PASSWORD; set the one or the others"
            )
        self._settings = settings
        self._url = settings.dremio_url
        options: dict[str, Any] = {}
        if settings.dremio_ca:
            try:
                options["tls_root_certs"] = settings.dremio_ca.read_bytes()
            except OSError as error:
                raise UsageProblem(
                    f"setting FINLAKE_DREMIO_CA: {settings.dremio_ca} is no readable PEM"
                    f" certificate ({error.strerror}); correct it"
                ) from None
        try:
            self._client = flight.FlightClient(self._url, middleware=[_Cookies()], **options)
        except (pa.ArrowException, ValueError) as error:
            raise UsageProblem(
                f"setting FINLAKE_DREMIO_URL: {one_line(error)}; it is grpc://host:port or"
                " grpc+tls://host:port"
            ) from None
        self._lock = threading.Lock()
        self._bearer: _Header | None = None

    @override
    def close(self) -> None:
        self._client.close()

    @override
    def _rows(
        self, sql: str, params: Sequence[object], timeout_s: float | None
    ) -> Generator[pa.Schema | pa.RecordBatch]:
        bound = bind(sql, params)
        try:
            command = flight.FlightDescriptor.for_command(bound.encode())
            try:
                options = self._options(timeout_s)
                info = self._client.get_flight_info(command, options)
            except flight.FlightUnauthenticatedError:
                if self._settings.dremio_token:
                    raise
                self._bearer = None  # the token has run out: prove who asks once more
                options = self._options(timeout_s)
                info = self._client.get_flight_info(command, options)
            started = False
            for endpoint in info.endpoints:
                reader = self._client.do_get(endpoint.ticket, options)
                try:
                    if not started:
                        started = True
                        yield reader.schema
                    for chunk in reader:
                        yield chunk.data
                finally:
                    reader.cancel()
            if not started:
                yield info.schema
        except (flight.FlightError, pa.ArrowException, OSError) as error:
            raise self._said(error, timeout_s) from error

    def _options(self, timeout_s: float | None) -> flight.FlightCallOptions:
        with self._lock:
            if self._bearer is None:
                self._bearer = self._proof()
            return flight.FlightCallOptions(
                timeout=timeout_s, headers=[self._bearer, *self._routing()]
            )

    def _proof(self) -> _Header:
        token = self._settings.dremio_token
        if token:
            return b"authorization", f"Bearer {token.get_secret_value()}".encode()
        password = self._settings.dremio_password
        routing = flight.FlightCallOptions(headers=list(self._routing()))
        found: _Header = self._client.authenticate_basic_token(
            self._settings.dremio_user,
            password.get_secret_value() if password else "",
            routing,
        )
        return found

    def _routing(self) -> Iterator[_Header]:
        if self._settings.dremio_routing_tag:
            yield b"routing_tag", self._settings.dremio_routing_tag.encode()
        if self._settings.dremio_routing_queue:
            yield b"routing_queue", self._settings.dremio_routing_queue.encode()

    def _said(self, error: Exception, timeout_s: float | None) -> FinlakeError:
        text = one_line(error)
        if isinstance(error, flight.FlightTimedOutError):
            return self._too_slow(timeout_s)
        if isinstance(error, (flight.FlightUnauthenticatedError, flight.FlightUnauthorizedError)):
            return UsageProblem(
                f"Dremio at {self._url} refuses the user ({text[:200]}); correct"
                " FINLAKE_DREMIO_USER and FINLAKE_DREMIO_PASSWORD, or FINLAKE_DREMIO_TOKEN"
            )
        if isinstance(error, flight.FlightUnavailableError):
            return ComponentMissing(
                f"Dremio at {self._url} does not answer ({text[:200]}); start it or correct"
                " FINLAKE_DREMIO_URL"
            )
        return QueryError(f"Dremio: {text}")


class _Cookies(flight.ClientMiddlewareFactory):  # type: ignore[misc]
    """Sends back the cookies that the server set, as its sessions want."""

    def __init__(self) -> None:
        super().__init__()
        self.jar: dict[str, str] = {}

    def start_call(self, info: object) -> flight.ClientMiddleware:
        return _CookiesOfCall(self.jar)


class _CookiesOfCall(flight.ClientMiddleware):  # type: ignore[misc]
    def __init__(self, jar: dict[str, str]) -> None:
        super().__init__()
        self._jar = jar

    def sending_headers(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{k}={v}" for k, v in self._jar.items())} if self._jar else {}

    def received_headers(self, headers: dict[str, list[str]]) -> None:
        for name, values in headers.items():
            if name.lower() == "set-cookie":
                for value in values:
                    found = SimpleCookie(value)
                    self._jar.update({key: morsel.value for key, morsel in found.items()})


def bind(sql: str, params: Sequence[object]) -> str:
    """The statement with its ``?`` replaced by literals, since plain Flight binds nothing.

    A ``?`` within a text, a quoted name or a comment stays.

    Raises:
        QueryError: when there are more or fewer values, or one has no literal.
    """
    parts = list(_parts(sql))
    holes = sum(part == "?" for part in parts)
    if holes != len(params):
        raise QueryError(f"Dremio: the statement has {holes} ? but {len(params)} values came")
    left = iter(params)
    return "".join(_literal(next(left)) if part == "?" else part for part in parts)


_ENDS = {"'": "'", '"': '"', "--": "\n", "/*": "*/"}


def _parts(sql: str) -> Iterator[str]:
    """The statement cut into ``?`` and what is between them."""
    start = place = 0
    while place < len(sql):
        opened = next((mark for mark in _ENDS if sql.startswith(mark, place)), None)
        if opened:
            end = sql.find(_ENDS[opened], place + len(opened))
            place = len(sql) if end < 0 else end + len(_ENDS[opened])
        elif sql[place] == "?":
            yield sql[start:place]
            yield "?"
            place += 1
            start = place
        else:
            place += 1
    yield sql[start:]


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):  # Dremio's times have milliseconds and are UTC
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"TIMESTAMP '{moment.isoformat(' ', 'milliseconds')}'"
    if isinstance(value, (str, int, float, Decimal, date)):
        return literal(value, "dremio")
    raise QueryError(f"Dremio: {type(value).__name__} has no literal; give a text or a number")
