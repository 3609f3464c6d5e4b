"""The proof again and again, while traffic runs and the stream is always a little behind.

A round looks at what has changed since the last one and at one slice of all the rest, so it costs
what the traffic costs and not what the tables hold:

- rows of silver that have changed, and the next slice of each table's keys, against the source;
- the sums of each gold table against those of the table above it (:mod:`batch_jobs.verify.parts`),
  all tables as the same batch has left them.

Source and silver are never read at the same moment. A row that differs is therefore only under way
at first; it counts as different when it has stayed the same on both sides for some rounds, and the
stream has meanwhile brought a heartbeat that the source wrote clearly later.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import psutil

from batch_jobs.verify.digests import compared, lake_digest, lake_texts
from batch_jobs.verify.engine import MEMORY, Engine, dataset
from batch_jobs.verify.gold import ADDITIVE, VIEWS, compare_additive, compare_keyed
from batch_jobs.verify.parts import CHECKS, Check, Table, at_cut
from batch_jobs.verify.report import Difference
from batch_jobs.verify.silver import FIRST
from batch_jobs.verify.source import MySQLSource, Source
from finlake.errors import ComponentMissing, FinlakeError
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts

__all__ = ["Found", "Round", "Watcher"]

_ROUNDS = 3  # that a difference has to outlast
_MARGIN_S = 2.0  # a heartbeat may overtake rows of another partition by less than this
_MOST_CHANGED = 2_000  # changed keys of a table looked at in a round; the slices find the rest
_MOST_DOUBTS = 2_000
_SLICE = 8_000  # rows of a table
_BUCKETS = 64  # of a slice

_BEATS = """SELECT max(epoch(measured_at) - max_ms / 1000) FROM {rows}
WHERE table_name = 'finlake_heartbeat' AND hop = 'silver' AND events > 0"""


@dataclass(frozen=True)
class Found:
    """A table that differs: in how many keys (at least), and the first of them."""

    table: str
    keys: int
    first: tuple[Difference, ...]

    def __str__(self) -> str:
        first = f" (first {self.first[0].key}: {self.first[0].how})" if self.first else ""
        return f"{self.table}: {self.keys:,} keys differ{first}"


@dataclass(frozen=True)
class Round:
    """What one round has looked at and found; times in seconds, since 1970 or lengths."""

    at: float
    seen: float | None
    """Up to when silver has the source's changes; ``None`` before the first heartbeat."""
    changed: int
    sliced: int
    under_way: int
    differences: tuple[Found, ...]
    cpu: float
    """Processor time of this process."""
    source: float
    """Time that the source took to answer: what it cost there at most."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs, of what both sides have seen."""
        return not self.differences

    @property
    def lag(self) -> float:
        """Seconds that silver is behind the source; infinite before the first heartbeat."""
        return math.inf if self.seen is None else max(0.0, self.at - self.seen)


@dataclass
class _Doubt:
    """A key whose row differs: both digests, since when and how often it was seen like this."""

    sides: tuple[int | None, int | None]
    since: float
    rounds: int = 1


class Watcher:
    """Compares in rounds; keeps what it has learnt of the tables' files between them.

    Args:
        settings: where source and lake are.
        source: opens a consistent view of the source, which is renewed for each round.

    Raises:
        ComponentMissing: when the stream has never written to this lake.
    """

    def __init__(self, settings: Settings, source: Callable[[Settings], Any] = MySQLSource) -> None:
        self._settings = settings
        self._lake = Lake(settings)
        self._open = source
        self._source: Any = None
        batches = contracts.get("gold.pipeline_batches")
        if self._lake.open(batches) is None:
            raise ComponentMissing(
                f"the lake {self._lake.spark_root} has no tables yet; fill it with "
                "`finlake stream --once`"
            )
        self._connection = duckdb.connect(config={"threads": 1, "memory_limit": MEMORY})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET parquet_metadata_cache = true")
        self._batches = self._table("gold.pipeline_batches")
        self._beats = self._table("gold.pipeline_freshness")
        self._tables = {
            name: self._table(name)
            for name in (
                *(f"silver.{c.name}" for c in contracts.source_tables()),
                *(check.table for check in CHECKS),
            )
        }
        self._beats_read: set[str] = set()
        self._seen: float | None = None
        self._doubts: dict[str, dict[int, _Doubt]] = {c.name: {} for c in contracts.source_tables()}
        self._next: dict[str, int] = {}  # first key of each table's next slice
        self._width: dict[str, int] = {}  # of one of its buckets, in keys
        self._unequal: dict[str, tuple[int, int]] = {}  # gold: rounds, difference of the sums
        self._named: dict[str, tuple[int, Found]] = {}
        self._since: int | None = None
        self._number = 0

    def close(self) -> None:
        """Let go of the source and of what it has learnt."""
        self._leave_source()
        self._connection.close()

    def _leave_source(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None

    def _table(self, name: str) -> Table:
        return Table(self._lake, contracts.get(name), self._connection)

    def round(self) -> Round:
        """Compare once.

        Raises:
            ComponentMissing: when the source or the lake went away.
            FinlakeError: when the source refuses.
        """
        spent = sum(psutil.Process().cpu_times()[:2])
        self._number += 1
        self._batches.advance()
        cut = self._batches.batch
        for table in self._tables.values():
            table.advance(cut)
        self._beats.advance(cut)
        self._see_beats()
        try:
            if self._source is None:
                self._source = self._open(self._settings)
            else:
                self._source.renew()
            now, changed, sliced, found, taken = self._against_source()
        except FinlakeError:
            self._leave_source()  # the next round begins anew
            raise
        for check in CHECKS:
            self._tables[check.table].read()
        under_way = sum(map(len, self._doubts.values())) - sum(one.keys for one in found if one)
        found += [self._sums(check) for check in CHECKS]
        self._since = cut[1] if cut else None
        return Round(
            now,
            self._seen,
            changed,
            sliced,
            under_way,
            tuple(f for f in found if f),
            sum(psutil.Process().cpu_times()[:2]) - spent,
            taken,
        )

    def _against_source(self) -> tuple[float, int, int, list[Found | None], float]:
        """The source's clock, changed keys, others, what differs, and how long it answered."""
        source, tables = _Timed(self._source), contracts.source_tables()
        now = source.now()
        looked = [self._compare(contract, source, now) for contract in tables]
        found = [self._doubted(contract, source, now) for contract in tables]
        changed, sliced = (sum(counts) for counts in zip(*looked, strict=True))
        return now, changed, sliced, found, source.seconds

    def _see_beats(self) -> None:
        """Note the newest heartbeat that silver is not behind."""
        fresh = self._beats.files - self._beats_read
        self._beats_read = set(self._beats.files)
        for (newest,) in self._beats.rows(_BEATS, fresh):
            if newest is not None:
                self._seen = max(float(newest), self._seen or 0.0)

    # ── The source against silver ────────────────────────────────────────────────────────────

    def _compare(self, contract: Contract, source: Source, now: float) -> tuple[int, int]:
        """Look at changed keys, at a slice and again at the doubtful; how many of the first two."""
        table = self._tables[f"silver.{contract.name}"]
        fresh = table.read()
        changed = self._changed(contract, table, fresh)
        sliced, suspected = self._slice(contract, table, source)
        doubts = self._doubts[contract.name]
        again = sorted(doubts, key=lambda key: doubts[key].since)[:_MOST_DOUBTS]
        keys = sorted({*changed, *suspected, *again})
        ours = self._digests(contract, table, keys)
        theirs = dict(source.digests_of(contract, keys))
        for key in keys:
            sides = (theirs.get(key), ours.get(key))
            if sides[0] == sides[1]:
                doubts.pop(key, None)
            elif key not in doubts or doubts[key].sides != sides:
                doubts[key] = _Doubt(sides, now)
            else:
                doubts[key].rounds += 1
        return len(changed), sliced

    def _changed(self, contract: Contract, table: Table, fresh: list[str]) -> list[int]:
        """Keys that batches since the last round have written; a sample when there are many."""
        if self._since is None:
            return []
        (key,) = contract.key
        found = table.rows(
            f"SELECT DISTINCT {key} FROM {{rows}} WHERE _batch_id > {self._since} "
            f"ORDER BY hash({key} + {self._number}) LIMIT {_MOST_CHANGED}",
            fresh,
        )
        return [int(row[0]) for row in found]

    def _slice(self, contract: Contract, table: Table, source: Source) -> tuple[int, list[int]]:
        """Compare the next slice of keys; its rows, and the keys that differ."""
        spans = [span for span in (source.span(contract), table.span()) if span]
        if not spans:
            return 0, []
        low, high = min(s[0] for s in spans), max(s[1] for s in spans) + 1
        width = self._width.get(contract.name, _SLICE // _BUCKETS)
        begin = self._next.get(contract.name, low)
        begin = begin if low <= begin < high else low
        end = min(high, begin + width * _BUCKETS)
        self._next[contract.name] = end
        (key,) = contract.key
        there = {b: (n, d) for b, n, d in source.buckets(contract, begin, end, width)}
        live = f"""{{rows}} WHERE NOT _is_deleted AND {key} >= {begin} AND {key} < {end}"""
        digest = lake_digest(compared(contract))
        here = {
            begin + int(n) * width: (int(count), int(total))
            for n, count, total in table.rows(
                f"""SELECT (CAST({key} AS HUGEINT) - {begin}) // {width} AS bucket, count(*),
                sum({digest}) FROM {live} GROUP BY bucket""",
                table.between(begin, end),
            )
        }
        rows = sum(count for count, _ in there.values())
        # Keys may lie far apart: the next slice is as wide as this one's rows suggest.
        factor = min(8.0, max(1 / 8, _SLICE / max(1, rows)))
        self._width[contract.name] = min(high - low, max(1, round(width * factor)))
        suspected: list[int] = []
        for bucket in sorted(there.keys() | here.keys()):
            if there.get(bucket) != here.get(bucket):
                suspected += self._suspected(contract, table, source, bucket, bucket + width)
                if len(suspected) > _MOST_DOUBTS:
                    break
        return rows, suspected[:_MOST_DOUBTS]

    def _suspected(
        self, contract: Contract, table: Table, source: Source, low: int, high: int
    ) -> list[int]:
        """Keys of a range that differ."""
        (key,) = contract.key
        theirs = set(source.digests(contract, low, high))
        found = table.rows(
            f"""SELECT {key}, {lake_digest(compared(contract))} FROM {{rows}}
            WHERE NOT _is_deleted AND {key} >= {low} AND {key} < {high}""",
            table.between(low, high),
        )
        ours = {(int(number), int(digest)) for number, digest in found}
        return sorted({number for number, _ in theirs ^ ours})

    def _digests(self, contract: Contract, table: Table, keys: Sequence[int]) -> dict[int, int]:
        return {
            int(key): int(digest)
            for key, digest in self._live(contract, table, keys, lake_digest(compared(contract)))
        }

    def _live(
        self, contract: Contract, table: Table, keys: Sequence[int], what: str
    ) -> list[tuple[Any, ...]]:
        """Key and more of silver's live rows of these keys."""
        if not keys:
            return []
        (key,) = contract.key
        numbers = ", ".join(map(str, keys))
        return table.rows(
            f"""SELECT {key}, {what} FROM {{rows}} WHERE NOT _is_deleted
            AND {key} >= {min(keys)} AND {key} <= {max(keys)} AND {key} IN ({numbers})""",
            _holding(table, keys),
        )

    def _doubted(self, contract: Contract, source: Source, now: float) -> Found | None:
        """What of a table's doubts has become certain."""
        certain = sorted(
            key
            for key, doubt in self._doubts[contract.name].items()
            if doubt.rounds >= _ROUNDS
            and self._seen is not None
            and self._seen > doubt.since + _MARGIN_S
        )
        if not certain:
            return None
        table = self._tables[f"silver.{contract.name}"]
        first = certain[:FIRST]
        columns = compared(contract)
        here = {
            int(key): texts
            for key, *texts in self._live(contract, table, first, ", ".join(lake_texts(columns)))
        }
        there = source.texts(contract, first)
        named = []
        for key in first:
            if key not in here or key not in there:
                how = "not in silver" if key in there else "not in the source"
            else:
                pairs = zip(columns, here[key], there[key], strict=True)
                how = f"{', '.join(c.name for c, ours, theirs in pairs if ours != theirs)} differs"
            named.append(Difference(key, how))
        return Found(contract.name, len(certain), tuple(named))

    # ── Silver against gold ──────────────────────────────────────────────────────────────────

    def _sums(self, check: Check) -> Found | None:
        """Whether a gold table's sum has differed for some rounds, and in which keys."""
        wanted, there = at_cut(self._tables, check)
        if wanted == there:
            self._unequal.pop(check.table, None)
            self._named.pop(check.table, None)
            return None
        rounds, _ = self._unequal.get(check.table, (0, 0))
        self._unequal[check.table] = (rounds + 1, wanted - there)
        if rounds + 1 < _ROUNDS:
            return None
        known = self._named.get(check.table)
        if known is None or known[0] != wanted - there:
            known = (wanted - there, self._name(check))
            self._named[check.table] = known
        return known[1]

    def _name(self, check: Check) -> Found:
        """Compare a gold table whole: seldom enough that it may cost."""
        engine = Engine(self._connection.cursor())
        for name, table in self._tables.items():
            shown = name.replace(".", "_")
            if self._lake.storage_options:
                engine.show(shown, dataset(self._lake, name))
            else:
                engine.run(f"CREATE OR REPLACE TEMP VIEW {shown} AS FROM {table.select()}")
        engine.run(VIEWS.replace("CREATE VIEW", "CREATE OR REPLACE TEMP VIEW"))
        name = check.table.partition(".")[2]
        judge = compare_additive if name in ADDITIVE else compare_keyed
        found = judge(engine, name)
        return Found(check.table, max(1, found.different), found.first)


class _Timed:
    """A source that knows how long it was asked."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._source, name)

        def timed(*words: object) -> object:
            began = time.perf_counter()
            try:
                return method(*words)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def _holding(table: Table, keys: Sequence[int]) -> list[str]:
    """Files that may hold one of these keys, which are in order."""
    found = []
    for name, part in table.parts.items():
        if part.low is None or part.high is None:
            continue
        place = bisect_left(keys, part.low)
        if place < len(keys) and keys[place] <= part.high:
            found.append(name)
    return found
