"""Writes to Delta tables, each exactly once per micro-batch.

A small write goes through delta-rs (some milliseconds), a large one through Spark's distributed
writer. Both put the same transaction (application id, batch id) into the table's log, and a batch
that is in the log already is not written again.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from infra.lake.tables import Lake
from lakehouse_schemas import Contract
from stream_jobs.shapes import Patch

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["DeltaRsWriter", "SizedWriter", "SparkWriter", "Writer"]

_ACTION = "__action"
_log = logging.getLogger(__name__)


class Writer(Protocol):
    """Writes rows or a patch for one micro-batch; the second writing of a batch does nothing."""

    def append(self, contract: Contract, rows: pa.Table, batch_id: int) -> None:
        """Add the rows."""

    def merge(self, contract: Contract, patch: Patch, batch_id: int) -> None:
        """Apply the patch in one commit."""


def _source(patch: Patch) -> pa.Table:
    """The patch as one table with an action column: i insert, u update, d delete.

    It has all of the table's columns even where it only deletes.
    """
    parts = []
    for action, rows in (("i", patch.inserts), ("u", patch.updates), ("d", patch.deletes)):
        mark = pa.array([action] * rows.num_rows, pa.string())
        parts.append(rows.append_column(_ACTION, mark))
    return pa.concat_tables(parts, promote_options="default")


def _bounds(contract: Contract, patch: Patch) -> tuple[str, str]:
    """Key column, and the condition that keeps a merge to the files it can touch."""
    (key,) = contract.key
    keys = pa.concat_tables([patch.updates.select([key]), patch.deletes.select([key])]).column(key)
    span = pc.min_max(keys)
    low, high = span["min"].as_py(), span["max"].as_py()
    if isinstance(low, str):
        low, high = (f"'{text.replace(chr(39), chr(39) * 2)}'" for text in (low, high))
    return key, f"t.`{key}` = s.`{key}` AND t.`{key}` >= {low} AND t.`{key}` <= {high}"


def _check(contract: Contract, patch: Patch, merged: dict[str, Any], batch_id: int) -> None:
    """Say so when the table did not hold what this process believed: a second writer, a fault."""
    wanted = [rows.num_rows for rows in (patch.inserts, patch.updates, patch.deletes)]
    done = [merged[f"num_target_rows_{what}"] for what in ("inserted", "updated", "deleted")]
    if wanted != done:
        _log.error(
            "%s, batch %d: inserted, updated, deleted are %s instead of %s; stop the stream and "
            "prove the tables with `finlake verify`",
            contract.full_name,
            batch_id,
            done,
            wanted,
        )


class DeltaRsWriter:
    """Writes from this process with delta-rs; the one writer of its tables."""

    def __init__(self, lake: Lake, app_id: str) -> None:
        self._lake = lake
        self._app_id = app_id
        self._tables: dict[str, DeltaTable] = {}
        self._done: dict[str, int] = {}

    def append(self, contract: Contract, rows: pa.Table, batch_id: int) -> None:
        """Add the rows, unless the table has this batch."""
        table = self._open(contract)
        if rows.num_rows and not self._has(contract, batch_id):
            write_deltalake(
                table, rows, mode="append", commit_properties=self._properties(batch_id)
            )
            self._done[contract.full_name] = batch_id

    def merge(self, contract: Contract, patch: Patch, batch_id: int) -> None:
        """Apply the patch, unless the table has this batch; rows that are all new are appended."""
        if patch.updates.num_rows + patch.deletes.num_rows == 0:
            self.append(contract, patch.inserts, batch_id)
            return
        table = self._open(contract)
        if self._has(contract, batch_id):
            return
        _, condition = _bounds(contract, patch)
        values = {f"`{name}`": f"s.`{name}`" for name in contract.column_names}
        merged = (
            table.merge(
                _source(patch),
                predicate=condition,
                source_alias="s",
                target_alias="t",
                commit_properties=self._properties(batch_id),
            )
            .when_matched_delete(predicate=f"s.{_ACTION} = 'd'")
            .when_matched_update(updates=values, predicate=f"s.{_ACTION} = 'u'")
            .when_not_matched_insert(updates=values, predicate=f"s.{_ACTION} = 'i'")
            .execute()
        )
        _check(contract, patch, merged, batch_id)
        self._done[contract.full_name] = batch_id

    def refresh(self, contract: Contract) -> None:
        """Take note of a commit that another writer made."""
        self._tables.pop(contract.full_name, None)
        self._done.pop(contract.full_name, None)

    def table(self, contract: Contract) -> DeltaTable:
        """The table as this writer last left it."""
        return self._open(contract)

    def _open(self, contract: Contract) -> DeltaTable:
        name = contract.full_name
        if name not in self._tables:
            table = self._lake.ensure(contract)
            self._tables[name] = table
            version = table.transaction_version(self._app_id)
            self._done[name] = -1 if version is None else version
        return self._tables[name]

    def _has(self, contract: Contract, batch_id: int) -> bool:
        if self._done[contract.full_name] < batch_id:
            return False
        _log.info("%s has batch %d already", contract.full_name, batch_id)
        return True

    def _properties(self, batch_id: int) -> CommitProperties:
        return CommitProperties(app_transactions=[Transaction(self._app_id, batch_id)])


class SparkWriter:
    """Writes with Spark's Delta writer, on all its executors."""

    def __init__(self, spark: SparkSession, lake: Lake, app_id: str) -> None:
        self._spark = spark
        self._lake = lake
        self._app_id = app_id
        self._session_settings = threading.Lock()

    def append(self, contract: Contract, rows: pa.Table, batch_id: int) -> None:
        """Add the rows, unless the table has this batch."""
        if rows.num_rows:
            (
                self._frame(rows)
                .write.format("delta")
                .mode("append")
                .option("txnAppId", self._app_id)
                .option("txnVersion", batch_id)
                .save(self._lake.spark_uri(contract))
            )

    def merge(self, contract: Contract, patch: Patch, batch_id: int) -> None:
        """Apply the patch, unless the table has this batch."""
        from delta.tables import DeltaTable as SparkDeltaTable

        if patch.updates.num_rows + patch.deletes.num_rows == 0:
            self.append(contract, patch.inserts, batch_id)
            return
        _, condition = _bounds(contract, patch)
        values: dict[str, object] = {f"`{name}`": f"s.`{name}`" for name in contract.column_names}
        merge = (
            SparkDeltaTable.forPath(self._spark, self._lake.spark_uri(contract))
            .alias("t")
            .merge(self._frame(_source(patch)).alias("s"), condition)
            .whenMatchedDelete(f"s.{_ACTION} = 'd'")
            .whenMatchedUpdate(f"s.{_ACTION} = 'u'", values)  # type: ignore[arg-type]
            .whenNotMatchedInsert(f"s.{_ACTION} = 'i'", values)  # type: ignore[arg-type]
        )
        # A merge takes its transaction from the session, where it would stay for the next write.
        conf = self._spark.conf
        with self._session_settings:
            conf.set("spark.databricks.delta.write.txnAppId", self._app_id)
            conf.set("spark.databricks.delta.write.txnVersion", str(batch_id))
            try:
                merge.execute()
            finally:
                conf.unset("spark.databricks.delta.write.txnAppId")
                conf.unset("spark.databricks.delta.write.txnVersion")

    def _frame(self, rows: pa.Table) -> DataFrame:
        # In one piece: Spark 4.2 silently drops what comes after an empty chunk of an Arrow table.
        return self._spark.createDataFrame(rows.combine_chunks())


class SizedWriter:
    """Chooses the writer by the number of rows."""

    def __init__(self, small: DeltaRsWriter, large: Writer, most_rows: int) -> None:
        self._small = small
        self._large = large
        self._most = most_rows

    def append(self, contract: Contract, rows: pa.Table, batch_id: int) -> None:
        """Add the rows by delta-rs up to the limit, by Spark above it."""
        if rows.num_rows <= self._most:
            self._small.append(contract, rows, batch_id)
        else:
            self._small.table(contract)  # makes the table with its comments and properties
            self._large.append(contract, rows, batch_id)
            self._small.refresh(contract)

    def merge(self, contract: Contract, patch: Patch, batch_id: int) -> None:
        """Apply the patch by delta-rs up to the limit, by Spark above it."""
        if patch.num_rows <= self._most:
            self._small.merge(contract, patch, batch_id)
        else:
            self._small.table(contract)
            self._large.merge(contract, patch, batch_id)
            self._small.refresh(contract)
