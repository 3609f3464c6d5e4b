"""Whose rows of a table changed between two of its versions, told from the commits between them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from obstore.exceptions import BaseError

from infra.lake.tables import Lake
from lakehouse_schemas import Contract

__all__ = ["changed_keys"]

_MOST_COMMITS: Final = 200
_MOST_BYTES: Final = 32 << 20
_SIGN: Final = "_sign"


def changed_keys(
    lake: Lake, contract: Contract, key: str, columns: Sequence[str], since: int, until: int
) -> dict[int, int] | None:
    """Each value of a column whose rows changed, and the version of their newest change.

    A commit that only moves rows to other files changes nothing. Rows of files that a commit took
    away are held against those of the files it added.

    Args:
        lake: where the table is.
        contract: the table's.
        key: a column of whole numbers.
        columns: a change of others does not count; a row is told from others by these.
        since: a version whose rows are known.
        until: a later one.

    Returns:
        None when the commits cannot tell any more: they are too many or too large, or their files
        are gone. Everything may have changed then.
    """
    if not since < until <= since + _MOST_COMMITS or since < 0:
        return {} if since == until else None
    store = lake.store(contract)
    wanted = list(dict.fromkeys([key, *columns]))
    found: dict[int, int] = {}
    left = _MOST_BYTES
    try:
        for version in range(since + 1, until + 1):
            body = bytes(obstore.get(store, f"_delta_log/{version:020d}.json").bytes())
            came, went = _files(body)
            left -= sum(size for _, size in (*came, *went))
            if left < 0:
                return None
            parts = [_rows(store, path, wanted, 1) for path, _ in came]
            parts += [_rows(store, path, wanted, -1) for path, _ in went]
            for value in _differing(parts, key, wanted, one_sided=not (came and went)):
                found[value] = version
    except (BaseError, OSError, ValueError, KeyError, pa.ArrowException):
        return None
    return found


def _files(body: bytes) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Names and sizes of the files that a commit added and took away."""
    found: dict[str, list[tuple[str, int]]] = {"add": [], "remove": []}
    for line in body.splitlines():
        for kind, action in json.loads(line).items():
            if kind in found and action.get("dataChange", True):
                found[kind].append((unquote(action["path"]), int(action["size"])))
    return found["add"], found["remove"]


def _rows(store: Any, path: str, columns: list[str], sign: int) -> pa.Table:
    body = obstore.get(store, path).bytes()
    rows = pq.read_table(pa.BufferReader(memoryview(body)), columns=columns, use_threads=False)
    return rows.append_column(_SIGN, pa.repeat(pa.scalar(sign, pa.int8()), rows.num_rows))


def _differing(
    parts: list[pa.Table], key: str, columns: list[str], *, one_sided: bool
) -> list[int]:
    if not parts:
        return []
    rows = pa.concat_tables(parts, promote_options="permissive")
    if not one_sided:
        rows = rows.group_by(columns, use_threads=False).aggregate([(_SIGN, "sum")])
        rows = rows.filter(pc.not_equal(rows.column(f"{_SIGN}_sum"), 0))
    values: list[int] = pc.unique(rows.column(key)).to_pylist()
    return values
