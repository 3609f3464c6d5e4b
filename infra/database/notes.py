"""What operators tell each other about a transaction: comments, and who looks into it.

A table of the dashboard's own in the source, so that it is in the source's backups and audit log;
nothing is made of it, so it is not captured (``docs/decisions/0014-*.md``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pymysql
from pymysql.cursors import Cursor

from finlake.errors import FinlakeError, UsageProblem
from infra.database.schema import connect
from infra.settings import Settings

__all__ = ["LONGEST", "NAME", "Note", "assignments", "note", "notes"]

LONGEST: Final = 1000
"""Characters of a comment."""
NAME: Final = 60
"""Characters of a name."""

_ASSIGNED_MOST: Final = 1000
_NO_TABLE: Final = 1146
_TABLE: Final = f"""CREATE TABLE IF NOT EXISTS finlake_notes (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    transaction_id INT NOT NULL,
    at DATETIME(3) NOT NULL,
    author VARCHAR({NAME}) NOT NULL,
    assigned_to VARCHAR({NAME}) NULL,
    comment VARCHAR({LONGEST}) NULL,
    KEY (transaction_id)
)"""


@dataclass(frozen=True)
class Note:
    """One entry: a comment, or that somebody is to look into it from then on (UTC), or both."""

    at: datetime
    author: str
    assigned_to: str | None
    comment: str | None


def notes(settings: Settings, transaction: int) -> list[Note]:
    """What was said of a transaction, oldest first; raises as :func:`note` does."""
    with _asked(settings, transaction) as cursor:
        try:
            cursor.execute(
                "SELECT at, author, assigned_to, comment FROM finlake_notes"
                " WHERE transaction_id = %s ORDER BY id",
                (transaction,),
            )
        except pymysql.MySQLError as error:
            if error.args[0] == _NO_TABLE:
                return []
            raise
        return [Note(at.replace(tzinfo=UTC), *rest) for at, *rest in cursor.fetchall()]


def assignments(settings: Settings) -> dict[int, str]:
    """Who looks into which transaction, of the thousand assigned last; raises as :func:`note`."""
    with _asked(settings) as cursor:
        try:
            cursor.execute(
                "SELECT transaction_id, assigned_to FROM finlake_notes WHERE id IN ("
                "SELECT max(id) FROM finlake_notes WHERE assigned_to IS NOT NULL"
                " GROUP BY transaction_id) ORDER BY id DESC LIMIT %s",
                (_ASSIGNED_MOST,),
            )
        except pymysql.MySQLError as error:
            if error.args[0] == _NO_TABLE:
                return {}
            raise
        return dict(cursor.fetchall())


def note(
    settings: Settings, transaction: int, author: str, *, comment: str = "", assign: str = ""
) -> None:
    """Add an entry; what was said before stays.

    Raises:
        UsageProblem: it says nothing or too much, or no user that may judge is set.
        ComponentMissing: the source cannot be reached.
        FinlakeError: the source refuses it, with its reason.
    """
    texts = {"author": author.strip(), "name": assign.strip(), "comment": comment.strip()}
    if not texts["author"] or not (texts["name"] or texts["comment"]):
        raise UsageProblem("a note wants an author, and a comment or a name")
    for what, most in (("author", NAME), ("name", NAME), ("comment", LONGEST)):
        if len(texts[what]) > most:
            raise UsageProblem(f"the {what} is longer than {most} characters")
    values = (texts["author"], texts["name"] or None, texts["comment"] or None)
    with _asked(settings, transaction) as cursor:
        row = (transaction, datetime.now(UTC).replace(tzinfo=None), *values)
        try:
            _insert(cursor, row)
        except pymysql.MySQLError as error:
            if error.args[0] != _NO_TABLE:
                raise
            cursor.execute(_TABLE)
            _insert(cursor, row)


def _insert(cursor: Cursor, row: tuple[object, ...]) -> None:
    cursor.execute(
        "INSERT INTO finlake_notes (transaction_id, at, author, assigned_to, comment)"
        " VALUES (%s, %s, %s, %s, %s)",
        row,
    )


@contextmanager
def _asked(settings: Settings, transaction: int | None = None) -> Iterator[Cursor]:
    if settings.source_review_url is None:
        raise UsageProblem("setting FINLAKE_SOURCE_REVIEW_URL: not set; run `finlake up` first")
    with connect(settings, settings.source_review_url) as connection:
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        except pymysql.MySQLError as error:
            of = "all transactions" if transaction is None else f"transaction {transaction}"
            raise FinlakeError(
                f"source table finlake_notes: notes of {of} are refused"
                f" ({error.args[-1]}); give the user of FINLAKE_SOURCE_REVIEW_URL the rights"
                " SELECT, INSERT and CREATE on that table"
            ) from None
