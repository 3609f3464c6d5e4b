"""Ask the lake through any server that speaks Arrow Flight SQL."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pyarrow as pa
from adbc_driver_flightsql import DatabaseOptions, StatementOptions, dbapi
from typing_extensions import override

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.lake.engine import Engine, QueryError, one_line
from infra.settings import Settings

__all__ = ["FlightSql"]


class FlightSql(Engine):
    """The server at ``FINLAKE_FLIGHTSQL_URL``.

    Raises:
        UsageProblem: when there is no address, or a file cannot be read.
    """

    title = "Flight SQL"

    def __init__(self, settings: Settings) -> None:
        if not settings.flightsql_url:
            raise UsageProblem(
                "setting FINLAKE_FLIGHTSQL_URL is empty; set it to a server, grpc://host:port or"
                " grpc+tls://host:port"
            )
        self._url = settings.flightsql_url
        options: dict[str, str] = {}
        if settings.flightsql_token:
            token = settings.flightsql_token.get_secret_value()
            options[DatabaseOptions.AUTHORIZATION_HEADER.value] = f"Bearer {token}"
        elif settings.flightsql_user:
            password = settings.flightsql_password
            options["username"] = settings.flightsql_user
            options["password"] = password.get_secret_value() if password else ""
        if settings.flightsql_ca:
            try:
                authority = settings.flightsql_ca.read_text(encoding="ascii")
            except (OSError, ValueError) as error:
                raise UsageProblem(
                    f"setting FINLAKE_FLIGHTSQL_CA: {settings.flightsql_ca} is no readable PEM"
                    f" certificate ({one_line(error)}); correct it"
                ) from None
            options[DatabaseOptions.TLS_ROOT_CERTS.value] = authority
        self._options = options

    @override
    def _rows(
        self, sql: str, params: Sequence[object], timeout_s: float | None
    ) -> Generator[pa.Schema | pa.RecordBatch]:
        limits: dict[str, Any] = {}
        if timeout_s:
            for option in (
                StatementOptions.TIMEOUT_QUERY,
                StatementOptions.TIMEOUT_FETCH,
                StatementOptions.TIMEOUT_UPDATE,
            ):
                limits[option.value] = f"{timeout_s}"
        try:
            with (
                dbapi.connect(self._url, db_kwargs=self._options, autocommit=True) as connection,
                connection.cursor(adbc_stmt_kwargs=limits) as cursor,
            ):
                cursor.execute(sql, tuple(params) or None)
                reader = cursor.fetch_record_batch()
                yield reader.schema
                yield from reader
        except dbapi.Error as error:
            raise self._said(error, timeout_s) from error
        except OSError as error:  # what reading further batches raises
            raise self._said(error, timeout_s) from error

    def _said(self, error: Exception, timeout_s: float | None) -> FinlakeError:
        text = one_line(error)
        status = getattr(getattr(error, "status_code", None), "name", "")
        if status == "TIMEOUT" or "DeadlineExceeded" in text or "deadline exceeded" in text:
            return self._too_slow(timeout_s)
        if status in ("UNAUTHENTICATED", "UNAUTHORIZED"):
            return UsageProblem(
                f"Flight SQL server {self._url} refuses the user ({text}); correct"
                " FINLAKE_FLIGHTSQL_USER and FINLAKE_FLIGHTSQL_PASSWORD, or FINLAKE_FLIGHTSQL_TOKEN"
            )
        if status == "IO" or "Unavailable" in text:
            return ComponentMissing(
                f"Flight SQL server {self._url} does not answer ({text[:200]}); start it or correct"
                " FINLAKE_FLIGHTSQL_URL"
            )
        return QueryError(f"Flight SQL: {text}")
