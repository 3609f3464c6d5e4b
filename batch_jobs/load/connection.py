"""A connection to the source database, and its errors as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import ER

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.security import source_ssl
from infra.settings import Settings

__all__ = ["Connection", "connect", "is_lost", "one_writer", "said"]

if TYPE_CHECKING:
    Connection = pymysql.Connection[Any]  # only the stubs know of a parameter
else:
    Connection = pymysql.Connection

_SCHEMES = ("mysql", "mariadb")
_LOST = {2003, 2006, 2013, 2055, 1053, 1927, 0}  # CR_* of the client; shutdown, killed, closed


def connect(settings: Settings) -> Connection:
    """Connect as the application's user; strict, UTC, no autocommit.

    Raises:
        UsageProblem: the source's URL is not set, or not that of a MySQL or MariaDB database.
        ComponentMissing: nobody answers at its address.
        FinlakeError: the server answers and refuses.
    """
    if settings.source_url is None:
        raise UsageProblem("setting FINLAKE_SOURCE_URL: not set; run `finlake up` first, or set it")
    url = urlsplit(settings.source_url.get_secret_value())
    database = url.path.strip("/")
    if url.scheme not in _SCHEMES or not url.hostname or not database:
        raise UsageProblem(
            "setting FINLAKE_SOURCE_URL: this command writes to mysql://user:password@host:port/"
            f"database, not to a {url.scheme or 'nameless'} URL"
        )
    place = f"{url.hostname}:{url.port or 3306}"
    tls = source_ssl(settings)
    try:
        return pymysql.connect(
            host=url.hostname,
            port=url.port or 3306,
            user=unquote(url.username or ""),
            password=unquote(url.password or ""),
            database=database,
            charset="utf8mb4",
            connect_timeout=10,
            local_infile=True,
            max_allowed_packet=2**24,
            **tls,
            init_command="SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'",
        )
    except pymysql.MySQLError as error:
        if is_lost(error):
            raise ComponentMissing(
                f"source database: nobody answers at {place}; `finlake status` shows its state"
            ) from None
        raise FinlakeError(
            f"source database at {place}: {said(error)}; check FINLAKE_SOURCE_URL"
        ) from None


def is_lost(error: BaseException) -> bool:
    """Whether the error means that the connection is gone, not that the server refused."""
    if isinstance(error, pymysql.InterfaceError | ConnectionError | TimeoutError):
        return True
    return isinstance(error, pymysql.OperationalError) and error.args[0] in _LOST


def said(error: BaseException) -> str:
    """What the server said, without any row's value: its number and, where safe, its words."""
    code = error.args[0] if error.args else 0
    if code in (ER.DUP_ENTRY, ER.TRUNCATED_WRONG_VALUE, ER.TRUNCATED_WRONG_VALUE_FOR_FIELD):
        return f"error {code}"
    words = str(error.args[1]) if len(error.args) > 1 else str(error)
    return f"error {code}, {' '.join(words.split())[:200]}"


@contextmanager
def one_writer(connection: Connection, name: str) -> Iterator[None]:
    """Hold a lock of that name in the source, so that two runs cannot mix.

    Raises:
        FinlakeError: another run holds it; the lock ends with that run's connection.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(CONCAT(%s, '@', DATABASE()), 5)", (name,))
        row = cursor.fetchone()
    if row is None or row[0] != 1:
        raise FinlakeError(f"another {name} writes to this source; wait until it has ended")
    try:
        yield
    finally:
        if connection.open:
            try:
                connection.rollback()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT RELEASE_LOCK(CONCAT(%s, '@', DATABASE()))", (name,))
            except pymysql.MySQLError:
                pass  # the lock went with the connection
