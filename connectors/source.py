"""Conversations with the source database that the connector's life needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pymysql

from connectors.config import HEARTBEAT_TABLE, Source
from finlake.errors import ComponentMissing, FinlakeError
from infra.security import source_ssl
from infra.settings import Settings

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

__all__ = [
    "IDENTITY_TABLE",
    "binlog_files",
    "bytes_after",
    "cursor",
    "ensure_beat",
    "identity",
    "log_end",
    "log_range",
    "position",
]

IDENTITY_TABLE: Final = "finlake_identity"

_CONNECT_S: Final = 10
_LOCK_S: Final = 30
_REFUSED: Final = {1044, 1045, 1698}
_DENIED: Final = {1044, 1142, 1227, 1370, 1419}


@contextmanager
def cursor(source: Source, settings: Settings, *, as_connector: bool) -> Iterator[Cursor]:
    """A cursor of a MySQL or MariaDB source, as the connector's user or as the application's.

    Raises:
        ComponentMissing: nobody answers at the address.
        FinlakeError: the user is refused.
    """
    user, password = source.user, source.password
    setting = "FINLAKE_SOURCE_URL"
    if as_connector:
        user = settings.source_cdc_user
        secret = settings.source_cdc_password
        password = secret.get_secret_value() if secret else ""
        setting = "FINLAKE_SOURCE_CDC_PASSWORD"
    tls = source_ssl(settings)
    try:
        connection = pymysql.connect(
            host=source.host,
            port=source.port,
            user=user,
            password=password,
            database=source.database,
            connect_timeout=_CONNECT_S,
            autocommit=True,
            init_command="SET time_zone = '+00:00'",
            **tls,
        )
    except pymysql.err.OperationalError as error:
        code, said = error.args[0], error.args[-1]
        if code in _REFUSED:
            raise FinlakeError(
                f"source {source.address}: refuses user {user}; create it with `finlake up`"
                f" or correct {setting}"
            ) from None
        if code == pymysql.constants.ER.BAD_DB_ERROR:
            raise FinlakeError(
                f"source {source.address}: has no such database; create it with `finlake up`"
                " or correct FINLAKE_SOURCE_URL"
            ) from None
        raise ComponentMissing(
            f"source {source.address}: does not answer ({said}); start it with `finlake up`"
            " or correct FINLAKE_SOURCE_URL"
        ) from None
    try:
        with connection.cursor() as opened:
            yield opened
    finally:
        connection.close()


def identity(application: Cursor, source: Source) -> str:
    """What stays the same as long as binlog positions of this source can be compared.

    It joins the server's own id and a row that is made with the database: another server, and a
    database made anew, are other sources.

    Raises:
        FinlakeError: the application's user may not create the table of that row.
    """
    try:
        application.execute(
            f"CREATE TABLE IF NOT EXISTS {IDENTITY_TABLE}"
            " (id INT NOT NULL PRIMARY KEY, uuid CHAR(36) NOT NULL)"
        )
        application.execute(f"INSERT IGNORE INTO {IDENTITY_TABLE} VALUES (1, UUID())")
    except pymysql.err.MySQLError as error:
        if error.args[0] not in _DENIED:
            raise
        raise FinlakeError(
            f"source {source.address}: user {source.user} may not create {IDENTITY_TABLE};"
            f" GRANT CREATE, SELECT, INSERT ON {source.database}.* TO it"
        ) from None
    server = "@@server_uuid" if source.flavour == "mysql" else "@@server_id"
    application.execute(f"SELECT {server}, uuid FROM {IDENTITY_TABLE} WHERE id = 1")
    row = application.fetchone()
    if row is None:
        raise FinlakeError(
            f"source {source.address}: {IDENTITY_TABLE} is empty; insert (1, UUID()) into it"
        )
    return f"{source.flavour}:{row[0]}:{row[1]}"


def log_range(connector: Cursor) -> tuple[int, tuple[int, int]]:
    """Number of the oldest binlog file there is, and the position where the newest is written.

    Raises:
        FinlakeError: the server writes no binlog.
    """
    files = binlog_files(connector)
    return position(files[0][0], 0)[0], position(*files[-1])


def log_end(connector: Cursor) -> tuple[str, int]:
    """Binlog file and position that all reads from now on include: what is before is visible.

    A transaction stands in the binlog a moment before others see its rows, so writing is held up
    for that moment, as Debezium does.

    Raises:
        FinlakeError: the server writes no binlog, or somebody keeps a table locked.
    """
    try:
        connector.execute(f"SET SESSION lock_wait_timeout = {_LOCK_S}")
        connector.execute("FLUSH TABLES WITH READ LOCK")
        try:
            return binlog_files(connector)[-1]
        finally:
            connector.execute("UNLOCK TABLES")
    except pymysql.err.MySQLError as error:
        raise FinlakeError(
            f"source server: writing cannot be held up for a moment ({error.args[-1]}); end the "
            "long transactions of others, or grant RELOAD to the connector's user"
        ) from None


def binlog_files(connector: Cursor) -> list[tuple[str, int]]:
    """Names and sizes of the binlog's files, the oldest first; there is one at least.

    Raises:
        FinlakeError: the server writes no binlog.
    """
    connector.execute("SHOW BINARY LOGS")
    files = [(str(name), int(size)) for name, size, *_ in connector.fetchall()]
    if not files:
        raise FinlakeError("source server: has no binlog; start it with log-bin")
    return files


def position(file: str, offset: int) -> tuple[int, int]:
    """A binlog position that can be compared with another of the same source."""
    match = re.search(r"(\d+)$", file)
    return (int(match[1]) if match else 0, offset)


def bytes_after(files: Iterable[tuple[str, int]], place: tuple[int, int]) -> int:
    """How much of the binlog's files (name, size) comes after a :func:`position`."""
    number, offset = place
    return sum(
        max(size - offset, 0) if found == number else size
        for found, size in (position(name, size) for name, size in files)
        if found >= number
    )


def ensure_beat(application: Cursor, source: Source) -> str | None:
    """Let the server itself touch the heartbeat row each second.

    Debezium runs its heartbeat query only when the binlog moves: an idle source would fall silent.
    Returns why there is no such beat, or None when there is one.
    """
    try:
        application.execute(
            f"CREATE EVENT IF NOT EXISTS {source.database}.finlake_beat"
            " ON SCHEDULE EVERY 1 SECOND DO"
            f" INSERT INTO {source.database}.{HEARTBEAT_TABLE} (id, beat_at)"
            " VALUES (1, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE beat_at = VALUES(beat_at)"
        )
    except pymysql.err.MySQLError as error:
        if error.args[0] not in _DENIED:
            raise
        return (
            f"user {source.user} may not create the beat event: an idle source shows no fresh"
            f" heartbeat; GRANT EVENT ON {source.database}.* TO it"
        )
    application.execute("SELECT @@global.event_scheduler")
    row = application.fetchone()
    if row is None or str(row[0]).upper() not in ("ON", "1"):
        return (
            "the event scheduler is off: an idle source shows no fresh heartbeat;"
            " SET GLOBAL event_scheduler = ON and in the server's configuration"
        )
    return None
