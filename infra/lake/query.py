"""Ask the lake in SQL: DuckDB over delta-rs, always at the newest version.

Table names are layer and name, ``gold.agg_minute``. A statement may only read.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from finlake.errors import ComponentMissing, FinlakeError
from infra.lake.tables import LAKE_LAYERS, Lake
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts

__all__ = ["NO_PUSHDOWN", "Query", "QueryError"]

# Files that delta-rs has merged or joined say that their texts are of Arrow's view type, for which
# pyarrow cannot evaluate a filter: DuckDB filters by itself, over the columns it asks for.
NO_PUSHDOWN = "SET disabled_optimizers = 'filter_pushdown,join_filter_pushdown'"

_MENTION = re.compile(rf"\b({'|'.join(LAKE_LAYERS)})\.(\w+)", re.IGNORECASE)


class QueryError(FinlakeError):
    """A statement could not be answered; the message names the engine and the reason."""


class Query:
    """Answers SQL over the lake's tables; safe to share between threads.

    Each table is opened once and moved to its newest version before each statement; what was read
    from its log is kept for as long as the version stays.
    """

    def __init__(self, settings: Settings) -> None:
        self._lake = Lake(settings)
        self._lock = threading.Lock()
        self._tables: dict[str, DeltaTable] = {}
        self._datasets: dict[str, tuple[int, Any]] = {}
        # People's statements may read the lake and nothing else of this machine.
        self._connection = duckdb.connect(config={"threads": 2, "enable_external_access": False})
        self._connection.execute(NO_PUSHDOWN)
        for layer in LAKE_LAYERS:
            self._connection.execute(f"CREATE SCHEMA {layer}")

    def query(
        self, sql: str, params: Sequence[object] = (), timeout_s: float | None = None
    ) -> pa.Table:
        """Answer one ``SELECT`` with ``?`` parameters; a table that is not there yet is empty.

        Raises:
            QueryError: when the statement is wrong, is no query or takes longer than ``timeout_s``.
            ComponentMissing: when the lake cannot be reached.
        """
        cursor = self._connection.cursor()
        timer = threading.Timer(timeout_s, cursor.interrupt) if timeout_s else None
        try:
            cursor.execute("SET TimeZone = 'UTC'")
            self._check_reads_only(sql)
            for contract in _mentioned(sql):
                self._show(cursor, contract)
            if timer:
                timer.start()
            return cursor.sql(sql, params=list(params)).to_arrow_table()
        except duckdb.InterruptException:
            raise QueryError(
                f"DuckDB gave up after {timeout_s} s; ask for less or raise the time-out"
            ) from None
        except duckdb.Error as error:
            raise QueryError(f"DuckDB: {' '.join(str(error).split())[:400]}") from error
        except (DeltaError, OSError) as error:
            # What follows the first line is the engine's own trace.
            reason = str(error).strip().partition("\n")[0][:300]
            names = ", ".join(contract.full_name for contract in _mentioned(sql))
            raise ComponentMissing(
                f"{names}: could not be read ({reason}); see `finlake status`, then try again"
            ) from error
        finally:
            if timer:
                timer.cancel()
            cursor.close()

    def version(self, table: str) -> int:
        """Newest version of a table such as ``gold.agg_minute``; -1 while it is not there."""
        contract = contracts.get(table)
        self._dataset(contract)
        found = self._datasets.get(contract.full_name)
        return found[0] if found else -1

    def _check_reads_only(self, sql: str) -> None:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError("DuckDB: one SELECT at a time; the lake is read here, not written")

    def _show(self, cursor: duckdb.DuckDBPyConnection, contract: Contract) -> None:
        """Make the table's newest version visible to this cursor under its own name."""
        alias = f"{contract.layer}__{contract.name}"
        cursor.register(alias, self._dataset(contract))
        with self._lock:
            cursor.execute(
                f"CREATE VIEW IF NOT EXISTS {contract.full_name} AS SELECT * FROM {alias}"
            )

    def _dataset(self, contract: Contract) -> Any:
        name = contract.full_name
        with self._lock:
            table = self._tables.get(name)
            if table is None:
                table = self._lake.open(contract)
                if table is None:
                    return contract.arrow_schema().empty_table()
                self._tables[name] = table
            else:
                table.update_incremental()
            version = table.version()
            known = self._datasets.get(name)
            if known is None or known[0] != version:
                known = (version, table.to_pyarrow_dataset())
                self._datasets[name] = known
            return known[1]


def _mentioned(sql: str) -> list[Contract]:
    names = {f"{layer}.{table}".lower() for layer, table in _MENTION.findall(sql)}
    return [contract for contract in contracts.all() if contract.full_name in names]
