"""One Delta table's transaction log, kept in memory by the one process that writes the table.

Reading a table's log anew for every commit is what makes small commits dear. A writer that is the
only one knows the log already: a commit is then one small file of JSON, put where no file of that
version may be yet. The protocol is
https://github.com/delta-io/delta/blob/master/PROTOCOL.md (reader version 1, writer version 2);
creating tables, replaying a log from its checkpoint and writing checkpoints are left to delta-rs.

Should another writer have committed meanwhile, its commit is read and this one goes on top of it,
unless it took away a file that this one is about to replace.
"""

from __future__ import annotations

import contextlib
import io
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from obstore.exceptions import AlreadyExistsError, BaseError

from finlake.errors import ComponentMissing, FinlakeError
from infra.lake.tables import Lake
from lakehouse_schemas import Contract

__all__ = ["Batch", "DataFile", "DeltaLog", "checkpoint"]

Batch = tuple[str, int]
"""Application and its micro-batch."""

_TRIES = 20
_TIME: Final = "date"
_SMALL: Final = 4_096  # rows of a file that is likely to be written again soon
_SCATTERED: Final = "scattered-"  # the name is all of a file that a log keeps for us
_PREFIX: Final = 32  # characters of a text in the statistics
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, eq=False)
class DataFile:
    """A Parquet file of the table.

    ``low`` and ``high`` bound the first key column, ``first`` and ``last`` the column ``date`` of a
    table that has times there; they are ``None`` when the log does not say. ``added`` is when the
    file came into the table, seconds of the monotonic clock.
    """

    path: str
    size: int
    rows: int
    low: Any
    high: Any
    first: datetime | None
    last: datetime | None
    statistics: str
    added: float

    @property
    def scattered(self) -> bool:
        """Whether it was written as one whose keys lie anywhere, see :meth:`DeltaLog.write`."""
        return self.path.startswith(_SCATTERED)


class DeltaLog:
    """Files and versions of one table; not to be shared between threads.

    Args:
        lake: where the table is; it is made when it is not there.
        contract: its contract. Tables are not partitioned.
    """

    def __init__(self, lake: Lake, contract: Contract) -> None:
        self.contract = contract
        self.schema = contract.lake_schema
        self._lake = lake
        self._table = lake.ensure(contract)
        self._store = lake.store(contract)
        # All columns or none: readers by delta-rs take a column that the others' statistics leave
        # out for one without values, and pass over the file. Delta has none for binary columns.
        self._statistics = contract.column_names
        if any(c.type == "binary" for c in contract.columns):
            self._statistics = ()
        self._texts = [c.name for c in contract.columns if c.type == "string"]
        self._pending: list[str] = []
        self.removed: list[tuple[float, str]] = []  # when, and what to delete later
        self._read()

    def _read(self) -> None:
        self.version = self._table.version()
        self._batches: dict[str, int] = {}
        known = getattr(self, "files", {})
        actions = pa.table(self._table.get_add_actions(flatten=True))
        names = set(actions.column_names)
        key = self.contract.key[0] if self.contract.key else ""
        timed = any(c.name == _TIME and c.type == "timestamp" for c in self.contract.columns)
        now = time.monotonic()
        self.files: dict[str, DataFile] = {}
        for row in actions.to_pylist():
            path = row["path"]
            self.files[path] = known.get(path) or DataFile(
                path,
                row["size_bytes"],
                row["num_records"] if row["num_records"] is not None else -1,
                row[f"min.{key}"] if f"min.{key}" in names else None,
                row[f"max.{key}"] if f"max.{key}" in names else None,
                row[f"min.{_TIME}"] if timed and f"min.{_TIME}" in names else None,
                row[f"max.{_TIME}"] if timed and f"max.{_TIME}" in names else None,
                "",
                now,
            )

    def batch(self, app_id: str) -> int:
        """Newest micro-batch of the application that is in the table; -1 when there is none."""
        if app_id not in self._batches:
            try:
                done = self._table.transaction_version(app_id)
            except DeltaError:  # it reads the log only now, whose old entries may be gone by then
                self._table = self._lake.ensure(self.contract)
                done = self._table.transaction_version(app_id)
            self._batches[app_id] = -1 if done is None else done
        return self._batches[app_id]

    def read(self, file: DataFile) -> pa.Table:
        """The file's rows, with the contract's columns; those it does not have are empty.

        Raises:
            ComponentMissing: when the lake cannot be reached, or the file is gone.
        """
        try:
            body = obstore.get(self._store, file.path).bytes()
        except (BaseError, OSError) as error:
            raise self._unreachable(f"reading {file.path}", error) from error
        rows = pq.read_table(pa.BufferReader(memoryview(body)), use_threads=False)
        columns = [
            rows.column(f.name).cast(f.type)
            if f.name in rows.column_names
            else pa.nulls(rows.num_rows, f.type)
            for f in self.schema
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)

    def write(self, rows: pa.Table, *, scattered: bool = False) -> DataFile:
        """Put rows into a new file, which belongs to the table once it is committed.

        Args:
            rows: with the contract's columns.
            scattered: mark the file as one whose keys lie anywhere among those of others.

        Raises:
            ComponentMissing: when the lake cannot be reached, or its disk is full.
        """
        body = io.BytesIO()
        pq.write_table(
            rows,
            body,
            compression="zstd" if rows.num_rows > _SMALL else "snappy",
            store_schema=False,
            store_decimal_as_integer=True,
            # It makes reading text twice as fast and writing half as fast: worth it where only
            # readers come.
            use_dictionary=self._texts if rows.num_rows > _SMALL else False,
            write_statistics=True,
        )
        path = f"{_SCATTERED if scattered else 'part-'}{uuid.uuid4()}.parquet"
        self._pending.append(path)
        size = body.tell()
        body.seek(0)
        try:
            obstore.put(self._store, path, body)
        except (BaseError, OSError) as error:
            self._discard()
            raise self._unreachable(f"writing {path}", error) from error
        low, high, statistics = self._describe(rows)
        key = self.contract.key[0] if self.contract.key else ""
        bounds = (low.get(key), high.get(key), low.get(_TIME), high.get(_TIME))
        return DataFile(path, size, rows.num_rows, *bounds, statistics, time.monotonic())

    def commit(
        self,
        operation: str,
        add: Sequence[DataFile],
        remove: Iterable[DataFile] = (),
        batch: Batch | None = None,
        moved: bool = False,
        also: Sequence[Batch] = (),
    ) -> None:
        """Make one new version of the table: these files come, those go.

        Args:
            operation: what the table's history calls it.
            add: new files.
            remove: files that the new ones stand for; readers of older versions still need them.
            batch: application and micro-batch, written as a transaction of Delta's.
            moved: the rows stay the same, only in other files.
            also: further transactions to note, such as how far a topic was read.

        Raises:
            FinlakeError: when another writer took away a file that is to be replaced.
            ComponentMissing: when the lake cannot be reached, or its disk is full.
        """
        gone = list(remove)
        noted = [*([batch] if batch else []), *also]
        body = self._actions(operation, add, gone, noted, moved)
        self._pending.clear()  # from here on they may be in the table, whatever is answered
        for _ in range(_TRIES):
            version = self.version + 1
            try:
                obstore.put(self._store, f"_delta_log/{version:020d}.json", body, mode="create")
            except (AlreadyExistsError, FileExistsError):
                if not self._is_mine(version, body):
                    if self._catch_up(gone, batch):
                        return
                    continue
            except (BaseError, OSError) as error:
                # The answer may have been lost after the commit was made.
                if not self._is_mine(version, body):
                    raise self._unreachable(f"committing version {version}", error) from error
            break
        else:
            raise FinlakeError(
                f"{self.contract.full_name}: other writers were faster {_TRIES} times; "
                "stop them, the stream is the only one that writes this table"
            )
        self.version = version
        now = time.time()
        for file in gone:
            self.files.pop(file.path, None)
            self.removed.append((now, file.path))
        self.files.update((file.path, file) for file in add)
        self._batches.update(noted)

    def _discard(self) -> None:
        """Delete what was written for a commit that cannot be made, as far as that goes.

        On a full disk it would take the room of the next try.
        """
        paths, self._pending = self._pending, []
        for path in paths:
            with contextlib.suppress(BaseError, OSError):  # the next sweep finds it
                self.delete([path])

    def delete(self, paths: Sequence[str]) -> None:
        """Delete files that no version in use needs; one that is gone already is no fault."""
        try:
            obstore.delete(self._store, list(paths))
        except FileNotFoundError:
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self._store, path)

    def _is_mine(self, version: int, body: bytes) -> bool:
        try:
            found = obstore.get(self._store, f"_delta_log/{version:020d}.json").bytes()
        except (BaseError, OSError):
            return False
        return bytes(found) == body

    def _catch_up(self, gone: Sequence[DataFile], batch: Batch | None) -> bool:
        """Take in what another writer committed; true when that was this very batch."""
        self._table = self._lake.ensure(self.contract)  # its first commits may be gone from the log
        self._read()
        if batch and self.batch(batch[0]) >= batch[1]:
            return True
        lost = [file.path for file in gone if file.path not in self.files]
        if lost:
            raise FinlakeError(
                f"{self.contract.full_name}: another writer replaced {lost[0]} in version "
                f"{self.version}; the stream has to be the only one that writes this table: "
                "stop the other and start the stream again, nothing is lost"
            )
        return False

    def _actions(
        self,
        operation: str,
        add: Sequence[DataFile],
        remove: Sequence[DataFile],
        noted: Sequence[Batch],
        moved: bool,
    ) -> bytes:
        now, change = time.time_ns() // 1_000_000, not moved
        lines: list[dict[str, Any]] = [
            {
                "commitInfo": {
                    "timestamp": now,
                    "operation": operation,
                    "operationParameters": {},
                    "engineInfo": "finlake",
                    "isBlindAppend": change and not remove,
                }
            }
        ]
        lines += [{"txn": {"appId": a, "version": v, "lastUpdated": now}} for a, v in noted]
        lines += [
            {
                "remove": {
                    "path": file.path,
                    "deletionTimestamp": now,
                    "dataChange": change,
                    "extendedFileMetadata": True,
                    "partitionValues": {},
                    "size": file.size,
                }
            }
            for file in remove
        ]
        lines += [
            {
                "add": {
                    "path": file.path,
                    "partitionValues": {},
                    "size": file.size,
                    "modificationTime": now,
                    "dataChange": change,
                    "stats": file.statistics,
                }
            }
            for file in add
        ]
        return b"\n".join(_encode(line) for line in lines) + b"\n"

    def _describe(self, rows: pa.Table) -> tuple[dict[str, Any], dict[str, Any], str]:
        """Bounds of the columns, and the statistics by which readers skip files."""
        low: dict[str, Any] = {}
        high: dict[str, Any] = {}
        nulls: dict[str, int] = {}
        for name in self._statistics or self.contract.key[:1]:
            column = rows.column(name)
            nulls[name] = column.null_count
            if nulls[name] < rows.num_rows:
                span = pc.min_max(column)
                low[name], high[name] = span["min"].as_py(), span["max"].as_py()
        body: dict[str, Any] = {"numRecords": rows.num_rows}
        if self._statistics:
            body["minValues"] = {name: _plain(value) for name, value in low.items()}
            body["maxValues"] = {name: _plain(value, most=True) for name, value in high.items()}
            body["nullCount"] = nulls
        return low, high, _encode(body).decode()

    def _unreachable(self, doing: str, error: Exception) -> ComponentMissing:
        reason = " ".join(str(error).split())[:200]
        return ComponentMissing(
            f"{self.contract.full_name}: {doing} failed ({reason}); see `finlake status` and the "
            "lake's disk, then start the stream again, nothing is lost"
        )


def checkpoint(table: DeltaTable) -> None:
    """Write a checkpoint of the table's newest version and drop log entries that are too old."""
    table.update_incremental()
    table.create_checkpoint()
    table.cleanup_metadata()


def _plain(value: object, *, most: bool = False) -> object:
    """A value as Delta's statistics write it; of a long text what comes before, or after, it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and len(value) > _PREFIX:
        return value[:_PREFIX] + "\U0010ffff" * most
    return value
