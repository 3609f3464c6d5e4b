"""Rows of a keyed table's files, in the order of their keys, as they are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from infra.lake.delta_log import DataFile

__all__ = ["Keys", "Leaf", "LeafCache", "array_of", "find", "values_of"]

Keys = np.ndarray[Any, Any]
"""Numbers, or texts as objects."""


class LeafCache:
    """Rows of files lately used, of all keyed tables together.

    Args:
        capacity: bytes to keep.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._lock = threading.Lock()
        self._leaves: OrderedDict[str, Leaf] = OrderedDict()

    def get(self, file: DataFile) -> Leaf | None:
        """The file's rows, if they are here."""
        with self._lock:
            leaf = self._leaves.get(file.path)
            if leaf is not None:
                self._leaves.move_to_end(file.path)
            return leaf

    def put(self, file: DataFile, leaf: Leaf) -> None:
        """Keep a file's rows; the ones that were not used for longest make room."""
        with self._lock:
            self._leaves[file.path] = leaf
            self._held += leaf.bytes
            while self._held > self._capacity and len(self._leaves) > 1:
                _, dropped = self._leaves.popitem(last=False)
                self._held -= dropped.bytes

    def drop(self, file: DataFile) -> None:
        """Forget a file that was replaced."""
        with self._lock:
            leaf = self._leaves.pop(file.path, None)
            if leaf is not None:
                self._held -= leaf.bytes


class Leaf:
    """Rows in the order of their keys."""

    __slots__ = ("bytes", "keys", "rows")

    def __init__(self, rows: pa.Table, key: str) -> None:
        keys = values_of(rows.column(key))
        if len(keys) > 1 and not bool((keys[1:] > keys[:-1]).all()):
            order = np.argsort(keys, kind="stable")
            rows, keys = rows.take(pa.array(order)), keys[order]
        self.rows = rows
        self.keys = keys
        self.bytes = rows.nbytes

    def between(self, low: Any, high: Any) -> pa.Table:
        """Rows whose keys lie between the two, both ends within."""
        first = int(np.searchsorted(self.keys, low, side="left"))
        end = int(np.searchsorted(self.keys, high, side="right"))
        return self.rows.slice(first, end - first)


def find(keys: Keys, wanted: Keys) -> tuple[Keys, Keys]:
    """Positions of the wanted in the sorted keys, and which of them are there at all."""
    if not len(keys):
        nowhere = np.zeros(len(wanted), dtype=np.int64)
        return nowhere, nowhere.astype(bool)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return places, np.asarray(keys[places] == wanted, dtype=bool)


def values_of(column: pa.Array | pa.ChunkedArray) -> Keys:
    """Keys as numbers, or as objects where they are text."""
    if pa.types.is_integer(column.type):
        return np.asarray(column.to_numpy(), dtype=np.int64)
    return array_of(column.to_pylist())


def array_of(values: Sequence[Any]) -> Keys:
    """The values as keys."""
    if values and isinstance(values[0], str):
        found = np.empty(len(values), dtype=object)
        found[:] = values
        return found
    return np.array(values, dtype=np.int64)
