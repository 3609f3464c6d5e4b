"""Ask the lake through Trino."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import requests
import trino
from trino.auth import BasicAuthentication
from trino.exceptions import Error as TrinoError
from trino.exceptions import HttpError, NotSupportedError, TrinoQueryError
from typing_extensions import override

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.lake.engine import BATCH_ROWS, Engine, QueryError, one_line
from infra.settings import Settings
from lakehouse_schemas.render.views import CATALOGUE

__all__ = ["Trino"]

_REQUEST_S = 90  # for one answer of the server, which holds an idle request back for seconds
_NEXT = {
    "PERMISSION_DENIED": "; FINLAKE_TRINO_USER says who asks, docs/bi.md who may see what",
    "TABLE_NOT_FOUND": "; `finlake catalogue` makes new tables known",
    "SCHEMA_NOT_FOUND": "; `finlake catalogue` makes new tables known",
    "EXCEEDED_LOCAL_MEMORY_LIMIT": "; ask for less",
}


class Trino(Engine):
    """Trino at ``FINLAKE_TRINO_URL``, asked as ``FINLAKE_TRINO_USER``.

    Args:
        settings: the address and the user.
        user: another user.
        password: their password.

    Raises:
        UsageProblem: when there is no address, or it is none.
    """

    title = "Trino"

    def __init__(
        self, settings: Settings, user: str | None = None, password: str | None = None
    ) -> None:
        if not settings.trino_url:
            raise UsageProblem(
                "setting FINLAKE_TRINO_URL is empty; start Trino with `finlake up --with trino` or"
                " set it to a server"
            )
        place = urlsplit(settings.trino_url)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise UsageProblem("setting FINLAKE_TRINO_URL is no https://host:port; correct it")
        if password is None and settings.trino_password:
            password = settings.trino_password.get_secret_value()
        self._url = settings.trino_url
        self._user = user or settings.trino_user
        self._session = requests.Session()
        if settings.trino_ca:
            self._session.verify = str(settings.trino_ca)
            # else REQUESTS_CA_BUNDLE of the environment comes before this session's authority
            self._session.trust_env = False
        self._options: dict[str, Any] = {
            "host": place.hostname,
            "port": place.port or (443 if place.scheme == "https" else 80),
            "http_scheme": place.scheme,
            "user": self._user,
            "auth": BasicAuthentication(self._user, password) if password else None,
            "source": "finlake",
            "catalog": CATALOGUE,
            "timezone": "UTC",
            "http_session": self._session,
            "request_timeout": _REQUEST_S,
        }

    @override
    def close(self) -> None:
        self._session.close()

    def run(self, sql: str, params: Sequence[object] = ()) -> None:
        """Carry out a statement that has no rows; raises as :meth:`stream` does."""
        for _ in self._rows(sql, params, None):
            pass

    @override
    def _rows(
        self, sql: str, params: Sequence[object], timeout_s: float | None
    ) -> Generator[pa.Schema | pa.RecordBatch]:
        properties = {"query_max_run_time": f"{timeout_s * 1000:.0f}ms"} if timeout_s else {}
        connection = trino.dbapi.Connection(**self._options, session_properties=properties)
        cursor = connection.cursor()
        done = False
        timer = threading.Timer(timeout_s, cursor.cancel) if timeout_s else None
        try:
            with self._translated(timeout_s, timer):
                if timer:
                    timer.start()
                cursor.execute(sql, list(params) or None)
                columns = cursor.description or []
                schema = pa.schema([(column[0], _arrow_type(column[1])) for column in columns])
            yield schema
            while True:
                with self._translated(timeout_s, timer):
                    rows = cursor.fetchmany(BATCH_ROWS)
                done = not rows
                if done:
                    return
                yield _batch(rows, schema)
        finally:
            if timer:
                timer.cancel()
            if not done:
                with suppress(TrinoError, HttpError, requests.RequestException):
                    cursor.cancel()

    @contextmanager
    def _translated(
        self, timeout_s: float | None, timer: threading.Timer | None
    ) -> Generator[None]:
        try:
            yield
        except TrinoQueryError as error:
            if error.error_name == "EXCEEDED_TIME_LIMIT" or (
                error.error_name == "USER_CANCELED" and timer and timer.finished.is_set()
            ):
                raise self._too_slow(timeout_s) from None
            raise self._said(error) from error
        except NotSupportedError as error:  # a value of a kind that it has no literal for
            raise QueryError(f"Trino: {one_line(error)}") from None
        except (TrinoError, HttpError, requests.RequestException, OSError) as error:
            raise self._unreachable(error) from error

    def _said(self, error: TrinoQueryError) -> FinlakeError:
        text = " ".join(str(error.message).split())[:400]
        name = str(error.error_name)
        if error.error_type == "EXTERNAL":  # the lake or its object store
            return ComponentMissing(f"Trino: {text}; see `finlake status`, then try again")
        return QueryError(f"Trino: {text}{_NEXT.get(name, '')}")

    def _unreachable(self, error: Exception) -> FinlakeError:
        if isinstance(error, HttpError) and "error 401" in str(error):
            return UsageProblem(
                f"Trino at {self._url} refuses the user {self._user}; correct FINLAKE_TRINO_USER"
                " and FINLAKE_TRINO_PASSWORD"
            )
        return ComponentMissing(
            f"Trino at {self._url} does not answer ({one_line(error, 200)}); start it with"
            " `finlake up --with trino` or correct FINLAKE_TRINO_URL"
        )


_SIMPLE = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "varbinary": pa.binary(),
    "date": pa.date32(),
    "unknown": pa.null(),
}


def _arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a type of Trino's; what has none, such as a row, is shown as text."""
    decimal = re.fullmatch(r"decimal\((\d+), ?(\d+)\)", name)
    if decimal:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if name.startswith("timestamp"):
        return pa.timestamp("us", tz="UTC" if name.endswith("with time zone") else None)
    return _SIMPLE.get(name, pa.string())


def _batch(rows: list[list[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field, values in zip(schema, zip(*rows, strict=True), strict=True):
        given: list[Any] = list(values)
        if field.type == pa.string():
            given = [v if v is None or isinstance(v, str) else str(v) for v in given]
        columns.append(pa.array(given, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
