"""A source table against silver, row for row.

Both sides are cut into buckets of keys; only buckets whose digests differ are looked into, so an
equal table costs one pass on each side and the memory of the buckets.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from batch_jobs.verify.digests import compared, lake_digest, lake_texts
from batch_jobs.verify.engine import Engine
from batch_jobs.verify.report import Difference, SourceCheck
from batch_jobs.verify.source import Source
from lakehouse_schemas import Contract

__all__ = ["FIRST", "compare"]

FIRST = 5  # differing keys that are named
_BUCKETS = 4096
_ROWS = 250_000  # rows whose digests are held at once, on each side
Range = tuple[int, int]


def compare(table: Contract, source: Source, engine: Engine, silver: str) -> SourceCheck:
    """Compare a source table with the live rows of silver.

    Args:
        table: the source table's contract.
        source: the source.
        engine: has the silver table.
        silver: its name there.
    """
    return _Comparison(table, source, engine, silver).run()


class _Comparison:
    def __init__(self, table: Contract, source: Source, engine: Engine, silver: str) -> None:
        self._table = table
        self._source = source
        self._engine = engine
        (self._key,) = table.key
        self._columns = compared(table)
        self._live = f"{silver} WHERE NOT _is_deleted"
        self._digest = lake_digest(self._columns)

    def run(self) -> SourceCheck:
        spans = [span for span in (self._source.span(self._table), self._span()) if span]
        if not spans:
            return SourceCheck(self._table.name, 0, 0, 0)
        low, high = min(s[0] for s in spans), max(s[1] for s in spans) + 1
        rows = [0, 0]
        different, first = 0, list[Difference]()
        for part in self._unequal(low, high, rows):
            wrong = self._look_into(*part)
            different += len(wrong)
            first += wrong[: FIRST - len(first)]
        return SourceCheck(self._table.name, rows[0], rows[1], different, self._named(first))

    def _span(self) -> Range | None:
        low, high = self._engine.row(
            f'SELECT min("{self._key}"), max("{self._key}") FROM {self._live}'
        )
        return None if low is None else (low, high)

    def _unequal(self, low: int, high: int, rows: list[int] | None) -> Iterator[Range]:
        """Ranges of keys that differ, each small enough to be held; counts all ``rows``."""
        width = -(-(high - low) // _BUCKETS)
        there = {b: (n, d) for b, n, d in self._source.buckets(self._table, low, high, width)}
        here = {b: (n, d) for b, n, d in self._buckets(low, high, width)}
        if rows is not None:
            rows[0] += sum(n for n, _ in there.values())
            rows[1] += sum(n for n, _ in here.values())
        start, end, held, between = low, low, 0, 0
        for bucket in sorted(there.keys() | here.keys()):
            ours, theirs = here.get(bucket, (0, 0)), there.get(bucket, (0, 0))
            size = max(ours[0], theirs[0])
            if ours == theirs:
                between += size
                continue
            if held and (held + between + size > _ROWS):
                yield start, end
                held = 0
            if size > _ROWS and width > 1:
                yield from self._unequal(bucket, min(bucket + width, high), None)
                continue
            start = start if held else bucket
            held += size + (between if held else 0)
            end, between = min(bucket + width, high), 0
        if held:
            yield start, end

    def _buckets(self, low: int, high: int, width: int) -> list[tuple[int, int, int]]:
        found = self._engine.rows(
            f"""SELECT (CAST("{self._key}" AS HUGEINT) - {low}) // {width} AS bucket, count(*),
                sum({self._digest})
            FROM {self._live} AND "{self._key}" >= {low} AND "{self._key}" < {high}
            GROUP BY bucket"""
        )
        return [(low + int(number) * width, rows, int(digest)) for number, rows, digest in found]

    def _look_into(self, low: int, high: int) -> list[Difference]:
        """Every key in the range that differs, with the kind of difference."""
        rows = self._source.digests(self._table, low, high)
        keys = pa.array([key for key, _ in rows], pa.int64())
        digests = pa.array([digest for _, digest in rows], pa.uint64())
        self._engine.show("there", pa.table({"key": keys, "digest": digests}))
        found = self._engine.rows(
            f"""SELECT key, CAST(sum(side) AS INTEGER) AS more, count(*) AS sides
            FROM (SELECT key, digest, -1 AS side FROM there
                UNION ALL SELECT "{self._key}", {self._digest}, 1 FROM {self._live}
                AND "{self._key}" >= {low} AND "{self._key}" < {high})
            GROUP BY key
            HAVING sum(side) <> 0 OR sum(side * CAST(digest AS HUGEINT)) <> 0
            ORDER BY key"""
        )
        return [Difference(key, _kind(more, sides)) for key, more, sides in found]

    def _named(self, first: list[Difference]) -> tuple[Difference, ...]:
        """The differences with the names of the columns that differ."""
        keys = [d.key for d in first if isinstance(d.key, int) and not d.how]
        if not keys:
            return tuple(first)
        there = self._source.texts(self._table, keys)
        texts = ", ".join(lake_texts(self._columns))
        numbers = ", ".join(map(str, keys))
        here = self._engine.rows(
            f'SELECT "{self._key}", {texts} FROM {self._live} AND "{self._key}" IN ({numbers})'
        )
        columns = {}
        for key, *row in here:
            pairs = zip(self._columns, row, there[key], strict=True)
            columns[key] = ", ".join(c.name for c, ours, theirs in pairs if ours != theirs)
        return tuple(Difference(d.key, d.how or f"{columns[d.key]} differs") for d in first)


def _kind(more: int, sides: int) -> str:
    """What the counts say; empty when the row is on both sides once."""
    if more == 0:
        return ""
    if more < 0:
        return "not in silver"
    return "not in the source" if more == sides else f"{more + 1} times in silver"
