"""The source's side: its rows as digests, computed by the source itself.

The database digests a million rows in under two seconds; to carry them here first would take five
times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pymysql
from pymysql.constants import ER

from batch_jobs.load.connection import Connection, connect, is_lost, said
from batch_jobs.verify.digests import compared, source_digest, source_texts
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from lakehouse_schemas import Contract

__all__ = ["MySQLSource", "Source"]

# (first key of the bucket, rows, sum of the rows' digests)
Bucket = tuple[int, int, int]


class Source(Protocol):
    """A consistent view of the source tables, whose key is one integer column each."""

    def span(self, table: Contract) -> tuple[int, int] | None:
        """Lowest and highest key; ``None`` for an empty table."""

    def buckets(self, table: Contract, low: int, high: int, width: int) -> list[Bucket]:
        """Digests of the keys from ``low`` up to ``high``, in buckets of ``width`` keys."""

    def digests(self, table: Contract, low: int, high: int) -> list[tuple[int, int]]:
        """Key and digest of each row from ``low`` up to ``high``."""

    def digests_of(self, table: Contract, keys: Sequence[int]) -> list[tuple[int, int]]:
        """Key and digest of each of these rows that is there."""

    def now(self) -> float:
        """The source's clock, seconds since 1970."""

    def texts(self, table: Contract, keys: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The columns' texts of these keys."""


class MySQLSource:
    """MySQL or MariaDB, read in one consistent snapshot.

    Raises:
        ComponentMissing: when it cannot be reached or has no such table.
        FinlakeError: when it refuses.
    """

    def __init__(self, settings: Settings) -> None:
        self._connection: Connection = connect(settings)
        self._ask("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        self.renew()

    def renew(self) -> None:
        """End the snapshot and begin one of now."""
        self._ask("START TRANSACTION WITH CONSISTENT SNAPSHOT")

    def close(self) -> None:
        """End the snapshot."""
        self._connection.close()

    def span(self, table: Contract) -> tuple[int, int] | None:
        """Lowest and highest key; ``None`` for an empty table."""
        key = _key(table)
        ((low, high),) = self._ask(f"SELECT MIN({key}), MAX({key}) FROM `{table.name}`", table)
        return None if low is None else (int(low), int(high))

    def buckets(self, table: Contract, low: int, high: int, width: int) -> list[Bucket]:
        """Digests of the keys from ``low`` up to ``high``, in buckets of ``width`` keys."""
        key = _key(table)
        found = self._ask(
            f"SELECT (CAST({key} AS DECIMAL(20)) - {low}) DIV {width} AS bucket, COUNT(*),"
            f" SUM({source_digest(compared(table))})"
            f" FROM `{table.name}` WHERE {key} >= {low} AND {key} < {high} GROUP BY bucket",
            table,
        )
        return [(low + int(n) * width, int(rows), int(digest)) for n, rows, digest in found]

    def digests(self, table: Contract, low: int, high: int) -> list[tuple[int, int]]:
        """Key and digest of each row from ``low`` up to ``high``."""
        key = _key(table)
        return self._ask(
            f"SELECT {key}, {source_digest(compared(table))} FROM `{table.name}`"
            f" WHERE {key} >= {low} AND {key} < {high}",
            table,
        )

    def digests_of(self, table: Contract, keys: Sequence[int]) -> list[tuple[int, int]]:
        """Key and digest of each of these rows that is there."""
        if not keys:
            return []
        key, numbers = _key(table), ", ".join(str(int(number)) for number in keys)
        return self._ask(
            f"SELECT {key}, {source_digest(compared(table))} FROM `{table.name}`"
            f" WHERE {key} IN ({numbers})",
            table,
        )

    def now(self) -> float:
        """The source's clock, seconds since 1970."""
        ((micros,),) = self._ask(
            "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
        )
        return int(micros) / 1e6

    def texts(self, table: Contract, keys: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The columns' texts of these keys."""
        key, texts = _key(table), ", ".join(source_texts(compared(table)))
        numbers = ", ".join(str(int(number)) for number in keys)
        found = self._ask(
            f"SELECT {key}, {texts} FROM `{table.name}` WHERE {key} IN ({numbers})", table
        )
        return {number: tuple(str(text) for text in row) for number, *row in found}

    def _ask(self, sql: str, table: Contract | None = None) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            name = table.name if table else "source database"
            if is_lost(error):
                raise ComponentMissing(
                    f"{name}: the source database went away; `finlake status` shows its state"
                ) from None
            if error.args and error.args[0] == ER.NO_SUCH_TABLE:
                raise ComponentMissing(
                    f"{name}: the source has no such table; make it with `finlake load` or"
                    " `finlake generate`"
                ) from None
            raise FinlakeError(
                f"{name}: {said(error)}; bring the source in line with the table's contract"
            ) from None


def _key(table: Contract) -> str:
    (key,) = table.key
    return f"`{key}`"
