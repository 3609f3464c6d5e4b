"""The users of the source database and what each of them may do: no more than its work needs."""

from __future__ import annotations

from typing import Literal

__all__ = ["APP", "CDC", "DATABASE", "READ", "REVIEW", "user_statements"]

DATABASE = "finance"
APP, CDC, READ, REVIEW = "finlake_app", "finlake_cdc", "finlake_read", "finlake_review"

_APP_RIGHTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, TRIGGER, EVENT,"
    " CREATE TEMPORARY TABLES, LOCK TABLES, CREATE VIEW, SHOW VIEW"
)
# RELOAD takes the short global lock of a snapshot; the rest is reading the binary log.
_CDC_RIGHTS = {
    "mariadb": "RELOAD, SHOW DATABASES, REPLICATION SLAVE, BINLOG MONITOR, REPLICATION SLAVE ADMIN",
    "mysql": "RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT",
}


def user_statements(
    flavour: Literal["mariadb", "mysql"],
    passwords: dict[str, str],
    host: str = "127.0.0.1",
    database: str = DATABASE,
    *,
    tls: bool = False,
) -> list[str]:
    """Statements that make the database and its users, or bring them to this state again.

    ``passwords`` by user: ``finlake_app`` writes and changes tables, ``finlake_cdc`` captures
    changes, ``finlake_read`` reads, ``finlake_review`` says of transactions whether they were
    fraud, and adds notes. With ``tls`` none of them gets in without it.
    """
    requires = "REQUIRE SSL" if tls else "REQUIRE NONE"
    statements = [f"CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4"]
    for user in (APP, CDC, READ, REVIEW):
        password = _quoted(passwords[user])
        statements += [
            f"CREATE USER IF NOT EXISTS '{user}'@'{host}' IDENTIFIED BY {password}",
            f"ALTER USER '{user}'@'{host}' IDENTIFIED BY {password} {requires}",
        ]
    cdc = f"'{CDC}'@'{host}'"
    return [
        *statements,
        f"GRANT {_APP_RIGHTS} ON `{database}`.* TO '{APP}'@'{host}'",
        f"GRANT {_CDC_RIGHTS[flavour]} ON *.* TO {cdc}",
        # INSERT and DELETE mark the windows of a repeated snapshot, UPDATE moves the heartbeat; a
        # right on a table may be given before the table exists only together with CREATE.
        f"GRANT SELECT, LOCK TABLES ON `{database}`.* TO {cdc}",
        f"GRANT SELECT, INSERT, DELETE, CREATE ON `{database}`.finlake_signal TO {cdc}",
        f"GRANT SELECT, INSERT, UPDATE, CREATE ON `{database}`.finlake_heartbeat TO {cdc}",
        f"GRANT SELECT ON `{database}`.* TO '{READ}'@'{host}'",
        f"GRANT SELECT, INSERT, UPDATE, CREATE ON `{database}`.fraud_labels TO '{REVIEW}'@'{host}'",
        f"GRANT SELECT, INSERT, CREATE ON `{database}`.finlake_notes TO '{REVIEW}'@'{host}'",
    ]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
