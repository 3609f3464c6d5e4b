"""Typed rows into a table of the source, fast, and safely over rows that are there already.

LOAD DATA is the fast road, but it keeps existing rows as they are. So when fewer rows went in than
were sent, the block is sent again as an upsert, which also is the road where the server does not
take local files. MySQL and MariaDB log no change for an upsert that changes nothing.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pymysql

from batch_jobs.load.connection import Connection, said
from batch_jobs.transforms.text import edges, joined
from finlake.errors import FinlakeError
from lakehouse_schemas.model import Column, Contract

__all__ = ["Writer"]

_STATEMENT_BYTES = 64 * 1024  # larger statements were no faster


class Writer:
    """Writes into the open transaction; the caller commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@local_infile")
            row = cursor.fetchone()
        self._local_files = bool(row and row[0])

    def write(self, contract: Contract, rows: pa.Table) -> None:
        """Insert the rows, or change the existing ones of the same key to them.

        Raises:
            FinlakeError: the server refused; nothing of this transaction is in.
        """
        if not rows.num_rows:
            return
        rows = rows.combine_chunks()
        try:
            if not self._local_files or self._load(contract, rows) < rows.num_rows:
                self._upsert(contract, rows)
        except (pymysql.DataError, pymysql.IntegrityError, pymysql.ProgrammingError) as error:
            self._connection.rollback()
            raise FinlakeError(f"table {contract.name}: the source said {said(error)}") from None

    def _load(self, contract: Contract, rows: pa.Table) -> int:
        """Rows that were new; a file in memory, because card numbers must not lie on the disk."""
        text = _TAB.text(contract, rows)
        columns = ", ".join(f"`{name}`" for name in rows.column_names)
        handle = os.memfd_create("finlake-rows")
        try:
            with open(handle, "wb", closefd=False) as file:
                file.write(joined(text))
            with self._connection.cursor() as cursor:
                new: int = cursor.execute(
                    f"LOAD DATA LOCAL INFILE '/proc/self/fd/{handle}' INTO TABLE `{contract.name}`"
                    " CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\'"
                    f" LINES TERMINATED BY '\\n' ({columns})"
                )
                # Without LOCAL these would be errors; every value was checked, so there are none.
                if new == rows.num_rows and cursor.warning_count:
                    raise pymysql.DataError(0, f"{cursor.warning_count} values do not fit")
            return new
        finally:
            os.close(handle)

    def _upsert(self, contract: Contract, rows: pa.Table) -> None:
        columns = ", ".join(f"`{name}`" for name in rows.column_names)
        changes = ", ".join(
            f"`{name}` = VALUES(`{name}`)" for name in rows.column_names if name not in contract.key
        )
        head = f"INSERT INTO `{contract.name}` ({columns}) VALUES (".encode()
        tail = f") ON DUPLICATE KEY UPDATE {changes}".encode()
        text = _SQL.text(contract, rows)
        data, ends = joined(text), edges(text)
        first = 0
        for row in range(1, len(ends)):
            if ends[row] - ends[first] >= _STATEMENT_BYTES or row == len(ends) - 1:
                values = data[ends[first] - ends[0] : ends[row] - ends[0] - len(_SQL.end)]
                # Bytes: the text is UTF-8 already, and the driver only encodes what is a str.
                self._connection.query(b"".join((head, values, tail)))
                first = row


@dataclass(frozen=True)
class _Dialect:
    """How a row is written down; ``escapes`` are pairs of a character and what stands for it."""

    between: str
    end: str
    null: str
    quote: str
    escapes: tuple[tuple[str, str], ...]

    def text(self, contract: Contract, rows: pa.Table) -> pa.Array:
        """One string for each row."""
        cells = [
            self._cell(contract.column(n), rows[n].combine_chunks()) for n in rows.schema.names
        ]
        cells[-1] = pc.binary_join_element_wise(cells[-1], self.end, "")
        return pc.binary_join_element_wise(*cells, self.between)

    def _cell(self, column: Column, values: pa.Array) -> pa.Array:
        if column.type == "timestamp":
            values = values.cast(pa.timestamp("us"))
        text = values.cast(pa.string())
        if column.type == "string":
            special = "[" + "".join(re.escape(plain) for plain, _ in self.escapes) + "]"
            if pc.any(pc.match_substring_regex(text, special)).as_py():
                for plain, escaped in self.escapes:
                    text = pc.replace_substring(text, plain, escaped)
        if self.quote and column.type in ("string", "timestamp"):
            text = pc.binary_join_element_wise(self.quote, text, self.quote, "")
        return pc.fill_null(text, self.null)


_TAB = _Dialect(
    between="\t",
    end="\n",
    null="\\N",
    quote="",
    escapes=(("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\0", "\\0")),
)
_SQL = _Dialect(
    between=",",
    end="),(",
    null="NULL",
    quote="'",
    escapes=(("\\", "\\\\"), ("'", "\\'"), ("\0", "\\0")),
)
