"""SQL over the lake's tables in bounded memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from infra.lake.query import NO_PUSHDOWN
from infra.lake.tables import Lake
from lakehouse_schemas import contracts

__all__ = ["MEMORY", "Engine", "dataset", "open_engine", "pinned"]

MEMORY = "512MB"  # what is above it goes to files in the home


class _Frugal(ds.FileSystemDataset):  # type: ignore[misc]
    """A dataset that reads little ahead: else as much again is held as the engine itself may."""

    def scanner(self, **options: Any) -> ds.Scanner:
        return super().scanner(batch_readahead=2, fragment_readahead=1, **options)


class Engine:
    """Answers SQL; each table stays at the version at which it was first shown."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def show(self, name: str, table: pa.Table | ds.Dataset) -> None:
        """Make a table or dataset visible under that name."""
        self._connection.register(name, table)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of the answer."""
        return self._connection.execute(sql).fetchall()

    def row(self, sql: str) -> tuple[Any, ...]:
        """The only row of the answer."""
        (row,) = self.rows(sql)
        return row

    def table(self, sql: str) -> pa.Table:
        """The answer as one Arrow table."""
        return self._connection.sql(sql).to_arrow_table()

    def batches(self, sql: str, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """The answer in pieces, made while they are taken."""
        return iter(self._connection.sql(sql).to_arrow_reader(rows))

    def run(self, sql: str) -> None:
        """Run a statement that answers nothing."""
        self._connection.execute(sql)


def dataset(lake: Lake, full_name: str) -> pa.Table | ds.Dataset:
    """The newest version of a table; empty while nothing has made it."""
    contract = contracts.get(full_name)
    table = lake.open(contract)
    if table is None:
        return contract.arrow_schema().empty_table()
    return pinned(table)


def pinned(table: DeltaTable) -> ds.Dataset:
    """A table at the version at which it was opened."""
    found = table.to_pyarrow_dataset()
    if not isinstance(found, ds.FileSystemDataset):
        return found
    return _Frugal(list(found.get_fragments()), found.schema, found.format, found.filesystem)


@contextmanager
def open_engine(home: Path, tables: Mapping[str, pa.Table | ds.Dataset]) -> Iterator[Engine]:
    """An engine with these tables; what it spills is in the home and gone at the end."""
    home.mkdir(parents=True, exist_ok=True)
    spill = tempfile.mkdtemp(prefix="verify-", dir=home)
    connection = duckdb.connect(
        config={"threads": 2, "memory_limit": MEMORY, "temp_directory": spill}
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = false")
        # It goes to standard output, where the answer is.
        connection.execute("SET enable_progress_bar = false")
        connection.execute(NO_PUSHDOWN)
        engine = Engine(connection)
        for name, table in tables.items():
            engine.show(name, table)
        yield engine
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)
