"""Ask the lake in SQL: DuckDB over the files that delta-rs names, always at the newest version.

Table names are layer and name, ``gold.agg_minute``. The wide views, ``gold.wide_transactions``, are
tables to whoever asks. A statement may only read.

Tables in a folder are read by DuckDB itself, which skips what a filter leaves out; others, and
those of a form that it does not know, through a pyarrow dataset (``docs/decisions/0005-*.md``).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType, Schema
from typing_extensions import override

from finlake.errors import ComponentMissing
from infra.lake.changes import changed_keys
from infra.lake.engine import BATCH_ROWS, Engine, QueryError, one_line
from infra.lake.tables import LAKE_LAYERS, Lake
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts
from lakehouse_schemas.render.views import select_wide_sql
from lakehouse_schemas.wide import VIEWS, Wide

__all__ = ["NO_PUSHDOWN", "Query", "QueryError"]

# Files that delta-rs has merged or joined say that their texts are of Arrow's view type, for which
# pyarrow cannot evaluate a filter: DuckDB filters by itself, over the columns it asks for.
NO_PUSHDOWN = "SET disabled_optimizers = 'filter_pushdown,join_filter_pushdown'"

_MEMORY = "1GB"  # what is above it goes to files
_MENTION = re.compile(rf"\b({'|'.join(LAKE_LAYERS)})\.(\w+)", re.IGNORECASE)


class Query(Engine):
    """Answers SQL inside this process; a table that is not there yet is empty.

    Each table is opened once and moved to its newest version before each statement; what was read
    from its log is kept for as long as the version stays.
    """

    title = "DuckDB"

    def __init__(self, settings: Settings) -> None:
        self._lake = Lake(settings)
        self._lock = threading.Lock()
        self._tables: dict[str, DeltaTable] = {}
        self._datasets: dict[str, tuple[int, Any]] = {}
        self._shown: dict[str, tuple[int, bool]] = {}  # version, and whether DuckDB reads the files
        self._wide: dict[str, list[int]] = {}  # the versions of a view's tables
        # The limit also bounds what is remembered of files that are no longer there.
        self._connection = duckdb.connect(config={"threads": 2, "memory_limit": _MEMORY})
        self._connection.execute("SET parquet_metadata_cache = true")
        # People's statements may read the lake and nothing else of this machine.
        if self._lake.storage_options is None:
            folder = _literal(self._lake.spark_root.removeprefix("file:") + "/")
            self._connection.execute(f"SET allowed_directories = [{folder}]")
        else:
            self._connection.execute(NO_PUSHDOWN)
        self._connection.execute("SET enable_external_access = false")
        for layer in LAKE_LAYERS:
            self._connection.execute(f"CREATE SCHEMA {layer}")

    @override
    def query(
        self, sql: str, params: Sequence[object] = (), timeout_s: float | None = None
    ) -> pa.Table:
        with self._asked(sql, params, timeout_s) as relation:
            return relation.to_arrow_table()

    @override
    def _rows(
        self, sql: str, params: Sequence[object], timeout_s: float | None
    ) -> Generator[pa.Schema | pa.RecordBatch]:
        with self._asked(sql, params, timeout_s) as relation:
            reader = relation.to_arrow_reader(BATCH_ROWS)
            yield reader.schema
            yield from reader

    @override
    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _asked(
        self, sql: str, params: Sequence[object], timeout_s: float | None
    ) -> Iterator[duckdb.DuckDBPyRelation]:
        """The statement, bound to the newest version of its tables and ready to be read."""
        cursor = self._connection.cursor()
        timer = threading.Timer(timeout_s, cursor.interrupt) if timeout_s else None
        try:
            cursor.execute("SET TimeZone = 'UTC'")
            self._check_reads_only(sql)
            for contract in _mentioned(sql):
                self._show(cursor, contract)
            for view in _views(sql):
                self._show_wide(cursor, view)
            if timer:
                timer.start()
            yield cursor.sql(sql, params=list(params))
        except duckdb.InterruptException:
            raise self._too_slow(timeout_s) from None
        except (duckdb.IOException, DeltaError, OSError) as error:
            # What follows the first line is the engine's own trace.
            reason = str(error).strip().partition("\n")[0][:300]
            names = ", ".join(contract.full_name for contract in _mentioned(sql))
            raise ComponentMissing(
                f"{names}: could not be read ({reason}); see `finlake status`, then try again"
            ) from error
        except duckdb.Error as error:
            raise QueryError(f"DuckDB: {one_line(error)}") from error
        finally:
            if timer:
                timer.cancel()
            cursor.close()

    def version(self, table: str) -> int:
        """Newest version of a table such as ``gold.agg_minute``; -1 while it is not there."""
        with self._lock:
            return self._renew(contracts.get(table))

    def changed(
        self, table: str, key: str, columns: Sequence[str], since: int, until: int
    ) -> dict[int, int] | None:
        """Whose rows of a table changed; see :func:`infra.lake.changes.changed_keys`."""
        return changed_keys(self._lake, contracts.get(table), key, columns, since, until)

    def _check_reads_only(self, sql: str) -> None:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError("DuckDB: one SELECT at a time; the lake is read here, not written")

    def _show(self, cursor: duckdb.DuckDBPyConnection, contract: Contract) -> None:
        """Make the table's newest version visible to this cursor under its own name."""
        name = contract.full_name
        alias = f"{contract.layer}__{contract.name}"
        with self._lock:
            version = self._renew(contract)
            shown = self._shown.get(name)
            if shown is None or shown[0] != version:
                files = self._files(contract)
                select = files or f"SELECT * FROM {alias}"
                if files or shown is None or shown[1]:
                    if not files:  # the view needs something to look at
                        self._register(cursor, contract, alias)
                    cursor.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")
                shown = self._shown[name] = (version, bool(files))
            if not shown[1]:
                self._register(cursor, contract, alias)

    def _show_wide(self, cursor: duckdb.DuckDBPyConnection, view: Wide) -> None:
        """Join a view's tables, which are shown already; again when one of them is another."""
        with self._lock:
            versions = [self._shown[contract.full_name][0] for contract in view.tables]
            if self._wide.get(view.name) != versions:
                select = select_wide_sql(view, "admin", "duckdb", catalogue="")
                cursor.execute(f"CREATE OR REPLACE VIEW {view.full_name} AS {select}")
                self._wide[view.name] = versions

    def _register(self, cursor: duckdb.DuckDBPyConnection, contract: Contract, alias: str) -> None:
        cursor.execute(NO_PUSHDOWN)
        cursor.register(alias, self._dataset(contract))

    def _files(self, contract: Contract) -> str | None:
        """The table as a statement over its files; ``None`` when only a dataset can read it."""
        if self._lake.storage_options is not None:
            return None
        table = self._tables.get(contract.full_name)
        schema = table.schema() if table else Schema.from_arrow(contract.arrow_schema())
        types = [(field.name, _sql_type(field.type)) for field in schema.fields]
        if not all(kind for _, kind in types) or (table and table.metadata().partition_columns):
            return None
        root = self._lake.uri(contract)
        paths = [f"{root}/{unquote(name)}" for name in _newest_first(table, contract)]
        if not paths:
            nothing = ", ".join(f"CAST(NULL AS {kind}) AS {_name(n)}" for n, kind in types)
            return f"SELECT {nothing} WHERE false"
        listed = ", ".join(map(_literal, paths))
        columns = ", ".join(f"CAST({_name(n)} AS {kind}) AS {_name(n)}" for n, kind in types)
        return f"SELECT {columns} FROM read_parquet([{listed}], union_by_name = true)"

    def _renew(self, contract: Contract) -> int:
        """Move the table to its newest version and say which; -1 while it is not there."""
        name = contract.full_name
        table = self._tables.get(name)
        if table is not None:
            table.update_incremental()
            return int(table.version())
        table = self._lake.open(contract)
        if table is None:
            return -1
        self._tables[name] = table
        return int(table.version())

    def _dataset(self, contract: Contract) -> Any:
        """The table at the version that it was moved to."""
        name = contract.full_name
        table = self._tables.get(name)
        if table is None:
            return contract.arrow_schema().empty_table()
        known = self._datasets.get(name)
        if known is None or known[0] != table.version():
            known = (table.version(), table.to_pyarrow_dataset())
            self._datasets[name] = known
        return known[1]


def _newest_first(table: DeltaTable | None, contract: Contract) -> list[str]:
    """Names of the files, highest keys first: who asks for the newest rows is soon done."""
    if table is None:
        return []
    actions = pa.table(table.get_add_actions(flatten=True))
    low = f"min.{contract.key[0]}" if contract.key else ""
    if low in actions.column_names:
        actions = actions.sort_by([(low, "descending")])
    names: list[str] = actions["path"].to_pylist()
    return names


def _names(sql: str) -> set[str]:
    return {f"{layer}.{table}".lower() for layer, table in _MENTION.findall(sql)}


def _views(sql: str) -> list[Wide]:
    names = _names(sql)
    return [view for view in VIEWS if view.full_name in names]


def _mentioned(sql: str) -> list[Contract]:
    """The tables that a statement names, and those of the wide views that it names."""
    names = _names(sql) | {c.full_name for view in _views(sql) for c in view.tables}
    return [contract for contract in contracts.all() if contract.full_name in names]


_SIMPLE = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "integer": "INTEGER",
    "short": "SMALLINT",
    "byte": "TINYINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "timestamp_ntz": "TIMESTAMP",
}


def _sql_type(kind: object) -> str | None:
    """DuckDB's name for a type of Delta's; ``None`` for a nested one."""
    if not isinstance(kind, PrimitiveType):
        return None
    name = kind.type
    return name.upper() if name.startswith("decimal(") else _SIMPLE.get(name)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
