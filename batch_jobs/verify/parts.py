"""What each file of a table adds to sums over the whole table.

A data file never changes. So what it adds is computed once, when it first appears; the sums of a
table of any size then cost what its new files cost. Every sum is linear in the rows: a table that
is written anew, joined or split has the same, and an aggregate's partials have those of the rows
that they count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from batch_jobs.follow import Commit, Follower
from batch_jobs.verify.gold import ADDITIVE, BOOKED, COUNTS, FACT, PLACES, cast
from infra.lake.tables import Lake
from lakehouse_schemas import Contract, contracts

__all__ = ["CHECKS", "Check", "Part", "Table", "at_cut"]

_FILES_AT_ONCE = 64
# Odd numbers without a pattern: a difference in one measure is not made up for by another.
_WEIGHTS = (914_327, 770_221, 655_043, 533_927, 438_847, 351_811, 246_469, 122_651)


@dataclass(frozen=True)
class Check:
    """A gold table, and the table above whose sum of that name it must have."""

    table: str
    above: str
    sum: str


@dataclass(frozen=True)
class Part:
    """What one file holds: lowest and highest key (of silver), and what it adds to each sum."""

    low: int | None
    high: int | None
    sums: tuple[int, ...]


_DIMENSIONS = {
    "dim_user": ("users", {"user_id": "id"}),
    "dim_card": ("cards", {"card_id": "id", "user_id": "client_id"}),
    "dim_mcc": ("mcc_codes", {}),
}

CHECKS = (
    Check("gold.fact_transactions", "silver.transactions", "fact"),
    *(Check(f"gold.{dim}", f"silver.{table}", dim) for dim, (table, _) in _DIMENSIONS.items()),
    *(Check(f"gold.{name}", "gold.fact_transactions", name) for name in ADDITIVE),
)
"""What is compared by sums; ``fact_transactions`` without its label, which is another table's."""


class Table:
    """One table at the newest version that is not behind a given batch.

    Args:
        lake: the lake.
        contract: of the table.
        connection: reads the files.
    """

    def __init__(
        self, lake: Lake, contract: Contract, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self.contract = contract
        self._follower = Follower(lake, contract)
        self._connection = connection
        self._root = None if lake.storage_options else lake.uri(contract)
        self._held: Commit | None = None
        self.files = set(self._follower.start)
        self.batch: tuple[str, int] | None = None
        self.parts: dict[str, Part] = {}
        self._names, self._statement = _statement(contract)

    def advance(self, until: tuple[str, int] | None = None) -> None:
        """Go to the newest version; not beyond that batch of that application, if one is given."""
        while commit := self._held or self._follower.poll():
            self._held = None
            if until and commit.batch and _behind(until, commit.batch):
                self._held = commit
                return
            self.batch = commit.batch or self.batch
            self.files.difference_update(commit.removed)
            self.files.update(commit.added)

    def read(self) -> list[str]:
        """Read the files that were not read yet, and give their names."""
        self.parts = {name: part for name, part in self.parts.items() if name in self.files}
        fresh = sorted(self.files - self.parts.keys())
        for at in range(0, len(fresh), _FILES_AT_ONCE):
            names = fresh[at : at + _FILES_AT_ONCE]
            self.parts |= {name: Part(None, None, (0,) * len(self._names)) for name in names}
            for name, low, high, *sums in self.rows(self._statement, names):
                self.parts[name] = Part(low, high, tuple(int(value or 0) for value in sums))
        return fresh

    def total(self, name: str) -> int:
        """The sum of that name over the whole table."""
        place = self._names.index(name)
        return sum(part.sums[place] for part in self.parts.values())

    def span(self) -> tuple[int, int] | None:
        """Lowest and highest key; ``None`` for an empty table."""
        spans = [(p.low, p.high) for p in self.parts.values() if p.low is not None]
        return (min(s[0] for s in spans), max(s[1] or 0 for s in spans)) if spans else None

    def between(self, low: int, high: int) -> list[str]:
        """Files that may have keys from ``low`` up to ``high``."""
        return [
            name
            for name, part in self.parts.items()
            if part.low is not None and part.high is not None
            if part.low < high and part.high >= low
        ]

    def rows(self, sql: str, files: Collection[str]) -> list[tuple[Any, ...]]:
        """The answer of a statement over ``{rows}``: these files, with the column ``file``."""
        if not files:
            return []
        if self._root is not None:
            return self._connection.execute(sql.format(rows=self.select(files))).fetchall()
        parts = []
        for name in files:
            table = self._follower.read(name, None)
            # Writers differ in the types of their texts and times.
            columns = {
                field.name: table.column(field.name).cast(field.type)
                for field in self.contract.arrow_schema()
                if field.name in table.column_names
            }
            columns["file"] = pa.chunked_array([[name] * table.num_rows], pa.string())
            parts.append(pa.table(columns))
        there = pa.concat_tables(parts, promote_options="default")
        self._connection.register("there", there)
        typed = self._typed(there.column_names)
        found = self._connection.execute(
            sql.format(rows=f"(SELECT {typed}, file FROM there)")
        ).fetchall()
        self._connection.unregister("there")
        return found

    def select(self, files: Collection[str] | None = None) -> str:
        """A folder's table as SQL, in the contract's types; of all files when none are named."""
        names = self.files if files is None else files
        if not names:
            typed = ", ".join(f'NULL AS "{c}"' for c in self.contract.column_names)
            return f"(SELECT {typed}, '' AS file WHERE false)"
        listed = ", ".join(_quoted(f"{self._root}/{name}") for name in names)
        source = f"read_parquet([{listed}], union_by_name = true, filename = true)"
        there = [row[0] for row in self._connection.execute(f"DESCRIBE FROM {source}").fetchall()]
        begin = len(str(self._root)) + 2
        return f"(SELECT {self._typed(there)}, substr(filename, {begin}) AS file FROM {source})"

    def _typed(self, there: Collection[str]) -> str:
        """The contract's columns; those that the files do not have yet are empty."""
        missing = [c for c in self.contract.column_names if c not in there]
        have = [c for c in self.contract.column_names if c in there]
        return ", ".join([cast(self.contract, have), *(f'NULL AS "{c}"' for c in missing)])


def _behind(one: tuple[str, int], other: tuple[str, int]) -> bool:
    return one[0] == other[0] and one[1] < other[1]


def _statement(contract: Contract) -> tuple[tuple[str, ...], str]:
    """Names of a table's sums, and the statement that makes them for each file."""
    name = contract.name
    if contract.full_name == "silver.transactions":
        fact = contracts.get("gold.fact_transactions")
        digest = _digest(fact, _fact_columns(fact))
        inner = f"(SELECT {FACT}, file FROM (SELECT {BOOKED}, file FROM live))"
        return ("live", "fact"), _silver("id", f"count(*), sum({digest})", inner)
    if contract.layer == "silver":
        (key,) = contract.key
        for dim, (table, renamed) in _DIMENSIONS.items():
            if table == name:
                gold = contracts.get(f"gold.{dim}")
                columns = ", ".join(f"{renamed.get(c, c)} AS {c}" for c in gold.column_names)
                digest = _digest(gold, gold.column_names)
                inner = f"(SELECT {columns}, file FROM live)"
                return ("live", dim), _silver(key, f"count(*), sum({digest})", inner)
        return ("live",), _silver(key, "count(*)", "live")
    if name == "fact_transactions":
        sums = [f"sum({_digest(contract, _fact_columns(contract))})"]
        sums += [f"sum({_linear(contracts.get(f'gold.{agg}'))})" for agg in ADDITIVE]
        places = ", ".join(
            f"{place} AS {key}" for key, place in PLACES.items() if key not in contract.column_names
        )
        inner = f"""(SELECT *, {places}, {COUNTS} FROM (SELECT *, transaction_ts AS ts,
            user_id AS client_id, is_declined AS declined, is_online AS online,
            is_fraud AS fraud FROM {{rows}}))"""
        names = ("fact", *ADDITIVE)
        return names, f"SELECT file, NULL, NULL, {', '.join(sums)} FROM {inner} GROUP BY file"
    if name in ADDITIVE:
        linear = f"sum({_linear(contract)})"
        return (name,), f"SELECT file, NULL, NULL, {linear} FROM {{rows}} GROUP BY file"
    digest = f"sum({_digest(contract, contract.column_names)})"
    return (name,), f"SELECT file, NULL, NULL, {digest} FROM {{rows}} GROUP BY file"


def _silver(key: str, sums: str, inner: str) -> str:
    return f"""
    WITH every AS MATERIALIZED (SELECT * FROM {{rows}}),
        live AS (SELECT * FROM every WHERE NOT _is_deleted)
    SELECT file, low, high, s.* EXCLUDE (file)
    FROM (SELECT file, min({key}) AS low, max({key}) AS high FROM every GROUP BY file)
    LEFT JOIN (SELECT file, {sums} FROM {inner} GROUP BY file) s USING (file)"""


def _fact_columns(fact: Contract) -> list[str]:
    return [c.name for c in fact.columns if c.name != "is_fraud"]


def _digest(contract: Contract, columns: Collection[str]) -> str:
    """A number of a row's values, the same whatever types they come in."""
    typed = ", ".join(_plain(cast(contract, [c])) for c in columns)
    return f"CAST(hash({typed}) AS HUGEINT)"


def _linear(contract: Contract) -> str:
    """What a row of counts adds to an aggregate: its measures, times a number of its key."""
    measures = [c for c in contract.columns if c.name not in contract.key]
    value = " + ".join(
        f"{weight} * CAST({m.name}{' * 100' if 'decimal' in m.type else ''} AS HUGEINT)"
        for m, weight in zip(measures, _WEIGHTS, strict=True)
    )
    key = ", ".join(_plain(cast(contract, [k])) for k in contract.key)
    return f"({value}) * CAST(hash({key}) & 4294967295 AS HUGEINT)"


def _plain(aliased: str) -> str:
    return aliased.rpartition(" AS ")[0]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def at_cut(tables: Mapping[str, Table], check: Check) -> tuple[int, int]:
    """The sum that the gold table should have, and the one that it has."""
    return tables[check.above].total(check.sum), tables[check.table].total(check.sum)
