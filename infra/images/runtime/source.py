"""Make the source's users and tables, or bring the users to the passwords of the settings again.

The embedded stack does the same to its own database. Here the rights come from root, whose password
is in SOURCE_ROOT_PASSWORD; that of the reading user is in SOURCE_READ_PASSWORD.
"""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

import pymysql

from finlake.errors import UsageProblem
from infra.database.schema import apply_schema
from infra.database.users import APP, CDC, READ, REVIEW, user_statements
from infra.settings import Settings, load_settings

__all__ = ["apply_users"]


def apply_users(settings: Settings, root_password: str, read_password: str) -> None:
    """Run the statements that make the users, as root, from any host of the stack's network.

    Raises:
        UsageProblem: the source, who judges alerts in it or the connector's password is not set.
    """
    review_url, cdc_password = settings.source_review_url, settings.source_cdc_password
    if settings.source_url is None or review_url is None or cdc_password is None:
        raise UsageProblem(
            "settings FINLAKE_SOURCE_URL, FINLAKE_SOURCE_REVIEW_URL and"
            " FINLAKE_SOURCE_CDC_PASSWORD: not set"
        )
    url = urlsplit(settings.source_url.get_secret_value())
    passwords = {
        APP: unquote(url.password or ""),
        CDC: cdc_password.get_secret_value(),
        READ: read_password,
        REVIEW: unquote(urlsplit(review_url.get_secret_value()).password or ""),
    }
    connection = pymysql.connect(
        host=url.hostname or "", port=url.port or 3306, user="root", password=root_password
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")  # no business of those who read the binary log
        for statement in user_statements("mysql", passwords, "%", url.path.strip("/")):
            cursor.execute(statement)


if __name__ == "__main__":
    found = load_settings()
    apply_users(found, os.environ["SOURCE_ROOT_PASSWORD"], os.environ["SOURCE_READ_PASSWORD"])
    apply_schema(found)
