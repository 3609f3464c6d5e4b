"""The source's tables, made from their contracts."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pymysql
from pydantic import SecretStr

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.security import source_ssl
from infra.settings import Settings
from lakehouse_schemas import contracts
from lakehouse_schemas.render.mysql import create_table_sql

__all__ = ["apply_schema", "connect"]


def connect(
    settings: Settings, address: SecretStr | None = None
) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """A connection to the source as the application's user, or as the user of another address.

    Raises:
        UsageProblem: no source is set.
        ComponentMissing: it cannot be reached.
    """
    address = address or settings.source_url
    if address is None:
        raise UsageProblem("setting FINLAKE_SOURCE_URL: not set; run `finlake up` first")
    url = urlsplit(address.get_secret_value())
    tls = source_ssl(settings, address)
    try:
        return pymysql.connect(
            host=url.hostname or "127.0.0.1",
            port=url.port or 3306,
            user=unquote(url.username or ""),
            password=unquote(url.password or ""),
            database=url.path.strip("/"),
            charset="utf8mb4",
            connect_timeout=5,
            init_command="SET time_zone = '+00:00'",
            **tls,
        )
    except pymysql.MySQLError as error:
        reason = str(error.args[-1])
        raise ComponentMissing(
            f"source {url.hostname}:{url.port}: cannot connect ({reason}); see `finlake status`"
        ) from None


def apply_schema(settings: Settings) -> None:
    """Make the source tables that are not there yet; tables that are there stay as they are.

    Raises:
        FinlakeError: the database refuses a table, with its reason.
    """
    with connect(settings) as connection, connection.cursor() as cursor:
        for contract in contracts.layer("source"):
            try:
                # SHOW first: IF NOT EXISTS alone writes to the binary log and warns each time.
                if not cursor.execute("SHOW TABLES LIKE %s", (contract.name,)):
                    cursor.execute(create_table_sql(contract))
            except pymysql.MySQLError as error:
                raise FinlakeError(
                    f"source table {contract.name}: cannot be made ({error.args[-1]}); give the"
                    " user of FINLAKE_SOURCE_URL the right CREATE, or make the table yourself"
                ) from None
