"""How far each file is in, kept in the source itself.

The row moves in the transaction of the rows it counts, so that a run that was killed anywhere
continues exactly behind the last committed block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pymysql
from pymysql.cursors import Cursor

from batch_jobs.load.connection import Connection, said
from finlake.errors import FinlakeError

__all__ = ["Progress", "ProgressTable"]

_CREATE = """
CREATE TABLE IF NOT EXISTS finlake_load (
  fingerprint CHAR(64) NOT NULL COMMENT 'SHA-256 of what is loaded: a file, or a generated set.',
  table_name VARCHAR(64) NOT NULL COMMENT 'Table it goes to.',
  position BIGINT NOT NULL COMMENT 'Byte of the file, or part of the set, that comes next.',
  line BIGINT NOT NULL COMMENT 'Line, entry or row that comes next.',
  row_count BIGINT NOT NULL COMMENT 'Rows that are in.',
  rejected BIGINT NOT NULL COMMENT 'Rows that the check set aside.',
  finished BOOLEAN NOT NULL COMMENT 'Whether all of it is in.',
  PRIMARY KEY (fingerprint, table_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='How far each load is.'
"""


@dataclass(frozen=True)
class Progress:
    """Where a load of one table stands; see the table's own comments."""

    fingerprint: str
    table: str
    position: int
    line: int
    rows: int = 0
    rejected: int = 0
    finished: bool = False

    def moved(self, position: int, line: int, rows: int, *, finished: bool) -> Progress:
        """The next state, after ``rows`` more rows."""
        return replace(self, position=position, line=line, rows=self.rows + rows, finished=finished)


class ProgressTable:
    """The table ``finlake_load``; made when it is not there.

    Raises:
        FinlakeError: it cannot be made.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute("SHOW TABLES LIKE 'finlake_load'")
            if not cursor.fetchone():
                self._create(cursor)

    def _create(self, cursor: Cursor) -> None:
        try:
            cursor.execute(_CREATE)
        except pymysql.MySQLError as error:
            raise FinlakeError(
                f"table finlake_load, which keeps a load's progress: cannot be made"
                f" ({said(error)}); give the user of FINLAKE_SOURCE_URL the right CREATE"
            ) from None

    def find(self, fingerprint: str, table: str) -> Progress | None:
        """Where that load stands; None when it never began."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT position, line, row_count, rejected, finished FROM finlake_load"
                " WHERE fingerprint = %s AND table_name = %s",
                (fingerprint, table),
            )
            row = cursor.fetchone()
        self._connection.commit()
        if row is None:
            return None
        return Progress(fingerprint, table, row[0], row[1], row[2], row[3], bool(row[4]))

    def save(self, progress: Progress) -> None:
        """Write it into the open transaction."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "REPLACE INTO finlake_load (fingerprint, table_name, position, line, row_count,"
                " rejected, finished) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (
                    progress.fingerprint,
                    progress.table,
                    progress.position,
                    progress.line,
                    progress.rows,
                    progress.rejected,
                    progress.finished,
                ),
            )

    def forget(self, fingerprint: str) -> None:
        """Let the next run begin anew; commits."""
        with self._connection.cursor() as cursor:
            cursor.execute("DELETE FROM finlake_load WHERE fingerprint = %s", (fingerprint,))
        self._connection.commit()
