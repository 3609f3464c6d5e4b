"""The current silver rows of the keys that a batch touches.

Rows lately written are kept in memory; a key above the highest the table has ever had is known to
be new; only what is neither is read from the lake, pruned by key ranges. So traffic that adds and
corrects recent rows reads nothing, whatever the size of the table.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from infra.lake.tables import Lake
from lakehouse_schemas import Contract

__all__ = ["CurrentRows"]

_RANGES = 8  # key ranges that one read is cut into at most
_CHUNKS = 32  # pieces that the memory is kept in at most


class CurrentRows:
    """Rows of one silver table by key, as of the last finished batch.

    Args:
        lake: where the table is.
        contract: its contract; the key is one integer column.
        capacity: rows to keep in memory.
    """

    def __init__(self, lake: Lake, contract: Contract, capacity: int = 200_000) -> None:
        (self._key,) = contract.key
        self._contract = contract
        self._schema = pa.schema([f.with_nullable(True) for f in contract.arrow_schema()])
        self._capacity = capacity
        self._table = lake.ensure(contract)
        self._recent = self._schema.empty_table()
        self._place: dict[int, int] = {}
        self._highest = self._highest_key()

    def of(self, keys: pa.ChunkedArray | pa.Array) -> pa.Table:
        """Rows under these keys, delete markers included; keys without a row are left out."""
        wanted = keys.to_pylist()
        places = [self._place[k] for k in wanted if k in self._place]
        rows = self._recent.take(pa.array(places, pa.int64()))
        away = [k for k in wanted if k <= self._highest and k not in self._place]
        if away:
            rows = pa.concat_tables([rows, self._read(away)])
        return rows

    def live(self) -> pa.Table:
        """Every row that is not deleted, read from the lake; for a truncated source table."""
        self._table.update_incremental()
        where = ~ds.field("_is_deleted")
        return self._table.to_pyarrow_dataset().to_table(filter=where).cast(self._schema)

    def written(self, rows: pa.Table) -> None:
        """Remember rows that a batch has written."""
        if rows.num_rows == 0:
            return
        keys = rows.column(self._key).to_pylist()
        start = self._recent.num_rows
        self._place.update(zip(keys, range(start, start + len(keys)), strict=True))
        self._recent = pa.concat_tables([self._recent, rows.cast(self._schema)])
        self._highest = max(self._highest, *keys)
        crowded = self._recent.num_rows > 2 * self._capacity
        if crowded or self._recent.column(0).num_chunks > _CHUNKS:
            self._tidy()

    def _tidy(self) -> None:
        """Forget overtaken rows and, above the capacity, the oldest; lay the rest in one piece."""
        places = sorted(self._place.values())[-self._capacity :]
        self._recent = self._recent.take(pa.array(places, pa.int64())).combine_chunks()
        keys = self._recent.column(self._key).to_pylist()
        self._place = dict(zip(keys, range(len(keys)), strict=True))

    def _read(self, keys: list[int]) -> pa.Table:
        self._table.update_incremental()
        ordered = np.unique(np.array(keys, dtype=np.int64))
        column = ds.field(self._key)
        where = None
        # Cut where the gaps are widest, so that old and new keys do not span all between them.
        gaps = np.sort(np.argsort(np.diff(ordered))[-(_RANGES - 1) :]) + 1
        for part in np.split(ordered, gaps):
            if part.size:
                span = (column >= int(part[0])) & (column <= int(part[-1]))
                where = span if where is None else where | span
        # The scan's own filter is by range; a set of keys in it would keep files from being pruned.
        found = self._table.to_pyarrow_dataset().to_table(filter=where)
        return found.filter(pc.is_in(found.column(self._key), value_set=pa.array(ordered))).cast(
            self._schema
        )

    def _highest_key(self) -> int:
        if self._table.version() == 0:
            return -(2**63)
        actions = pa.table(self._table.get_add_actions(flatten=True))
        name = f"max.{self._key}"
        if name in actions.column_names and actions.column(name).null_count == 0:
            return pc.max(actions.column(name)).as_py() or -(2**63)
        column = self._table.to_pyarrow_dataset().to_table(columns=[self._key]).column(0)
        return pc.max(column).as_py() or -(2**63)
