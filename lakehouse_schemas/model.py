"""A table contract: the only place where a table's columns are named.

The files follow the Open Data Contract Standard 3.1 (Bitol). :mod:`lakehouse_schemas.reading`
turns them into these frozen models, which answer what the rest of the house asks of a contract.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec

from finlake.errors import FinlakeError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "LAYERS",
    "ROLES",
    "Column",
    "Contract",
    "ContractError",
    "Expectation",
    "Role",
    "Writer",
    "logical_type",
]

Layer = Literal["source", "bronze", "silver", "gold"]
Kind = Literal["keyed", "additive", "log", "static", "service"]
Erasure = Literal["customer", "none"]
Writer = Literal["stream", "score", "batch"]
Pii = Literal["none", "personal", "financial", "secret"]
Mask = Literal["none", "drop", "token", "last4", "hash", "partial"]
Role = Literal["viewer", "analyst", "operator", "admin"]
Severity = Literal["warn", "quarantine"]
Bound = int | float | Decimal | datetime | date

LAYERS: tuple[Layer, ...] = ("source", "bronze", "silver", "gold")
ROLES: tuple[Role, ...] = ("viewer", "analyst", "operator", "admin")  # each sees what the last sees

_DECIMAL = re.compile(r"decimal\(([1-9]\d?),(\d{1,2})\)")
_LENGTH = re.compile(r"(?:var)?char\(([1-9]\d*)\)")
# Physical type: type in this house, logical type of the standard.
_SIMPLE: dict[str, tuple[str, str]] = {
    "int": ("int32", "integer"),
    "bigint": ("int64", "integer"),
    "double": ("double", "number"),
    "boolean": ("boolean", "boolean"),
    "string": ("string", "string"),
    "binary": ("binary", "string"),
    "date": ("date", "date"),
    "timestamp": ("timestamp", "timestamp"),
    "datetime(6)": ("timestamp", "timestamp"),
}
_SOURCE_ONLY = re.compile(r"(?:var)?char\(.*|datetime\(6\)")
_LAKE_ONLY = re.compile(r"string|binary|timestamp|boolean")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_NUMBERS = ("int32", "int64", "double")


class ContractError(FinlakeError):
    """A contract file is wrong; the message names the file and what to correct."""


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that a column's values should keep; an empty value keeps every rule.

    ``severity`` says what a break means: ``warn`` counts it, ``quarantine`` sets the record aside
    because without a right value the row means nothing.

    ``between`` has ``low`` or ``high`` or both, inclusive; ``one_of`` has ``values``; ``pattern``
    is a regular expression for the whole value, in the syntax that all engines share.
    """

    rule: Literal["between", "one_of", "pattern"]
    severity: Severity
    low: Bound | None = None
    high: Bound | None = None
    values: tuple[str | int, ...] = ()
    pattern: str = ""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column: its name, its type at rest and what may be shown of it.

    ``physical_type`` is the type as the layer's engine writes it (MySQL for source, Delta else).
    ``mask`` says what people below the admin see (see :mod:`lakehouse_schemas.render.views`);
    ``mask_step`` is the width of the band that a ``partial`` number is shown as.
    ``recomputed`` is false where a recomputation cannot give the same value (times of processing).
    """

    name: str
    physical_type: str
    description: str
    required: bool = True
    key_position: int = 0
    pii: Pii = "none"
    mask: Mask = "none"
    mask_step: int = 0
    recomputed: bool = True
    expectations: tuple[Expectation, ...] = ()

    @property
    def type(self) -> str:
        """Logical type: int32, int64, string, boolean, date, timestamp, double, binary, decimal."""
        if self.length is not None:
            return "string"
        if self.decimal:
            return self.physical_type
        return _SIMPLE[self.physical_type][0]

    @property
    def length(self) -> int | None:
        """Longest value in characters, for source strings."""
        match = _LENGTH.fullmatch(self.physical_type)
        return int(match[1]) if match else None

    @property
    def decimal(self) -> tuple[int, int] | None:
        """Precision and scale of a decimal column."""
        match = _DECIMAL.fullmatch(self.physical_type)
        return (int(match[1]), int(match[2])) if match else None

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type that every engine reads and writes; times are UTC microseconds."""
        import pyarrow as pa

        if self.decimal:
            return pa.decimal128(*self.decimal)
        if self.type == "timestamp":
            return pa.timestamp("us", tz="UTC")
        plain = {"boolean": pa.bool_(), "date": pa.date32(), "double": pa.float64()}
        return plain.get(self.type) or getattr(pa, self.type)()


class Contract(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One table: where it lives, what it holds, who answers for it, how long it is kept.

    ``kind``: ``keyed`` has one row per key; ``additive`` may have several, whose measures are to be
    summed; ``log`` is what capture and pipeline wrote down, which nothing can recompute; ``static``
    is written once; ``service`` is a source table that capture itself needs.
    ``grain``: what one row stands for. ``purpose``: what the table is good for. ``usage``: what to
    heed when reading it.
    ``writer``: who alone writes a table of the lake, a running process or the batch jobs.
    ``erasure``: ``customer`` when the rows of a customer go on request.
    ``freshness_s``: seconds from the source's commit to the moment a reader sees the change.
    ``roles``: who may read it, masked as :mod:`lakehouse_schemas.render.views` says.

    Raises:
        ValueError: when the contract contradicts itself, naming the column.
    """

    layer: Layer
    name: str
    version: str
    description: str
    grain: str
    owner: str
    erasure: Erasure
    freshness_s: float
    retention_days: int
    columns: tuple[Column, ...]
    kind: Kind = "keyed"
    writer: Writer = "stream"
    purpose: str = ""
    usage: str = ""
    roles: tuple[Role, ...] = ()

    def __post_init__(self) -> None:
        fault = next(_faults(self), None)
        if fault:
            raise ValueError(fault)

    @property
    def full_name(self) -> str:
        """Layer and name, for example ``gold.agg_minute``."""
        return f"{self.layer}.{self.name}"

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Names of the primary key's columns, in order; empty where there is none."""
        keyed = sorted((c.key_position, c.name) for c in self.columns if c.key_position)
        return tuple(name for _, name in keyed)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(c.name for c in self.columns)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Secret columns that must not leave the source."""
        return tuple(c.name for c in self.columns if c.pii == "secret" and c.mask == "drop")

    def column(self, name: str) -> Column:
        """The column of that name; ``KeyError`` where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.full_name} has no column {name}")

    def arrow_schema(self) -> pa.Schema:
        """The table's columns as an Arrow schema; key and required columns are not nullable."""
        import pyarrow as pa

        return pa.schema([pa.field(c.name, c.arrow_type, not c.required) for c in self.columns])

    @cached_property
    def lake_schema(self) -> pa.Schema:
        """:meth:`arrow_schema` as the lake's tables have it: every column may be empty."""
        import pyarrow as pa

        return pa.schema([field.with_nullable(True) for field in self.arrow_schema()])


def logical_type(physical_type: str) -> str:
    """The standard's logical type of a physical type.

    Raises:
        ValueError: when the physical type is unknown.
    """
    if _LENGTH.fullmatch(physical_type):
        return "string"
    decimal = _DECIMAL.fullmatch(physical_type)
    if decimal and int(decimal[2]) <= int(decimal[1]) <= 38:
        return "number"
    if physical_type not in _SIMPLE:
        raise ValueError(f"physicalType {physical_type} is unknown")
    return _SIMPLE[physical_type][1]


def _faults(contract: Contract) -> Iterator[str]:
    """What contradicts itself in a contract, each as the end of a sentence."""
    seen: set[str] = set()
    for column in contract.columns:
        if column.name in seen:
            yield f"column {column.name} is named twice"
        seen.add(column.name)
        for fault in _column_faults(column, contract.layer):
            yield f"column {column.name}: {fault}"
    positions = sorted(c.key_position for c in contract.columns if c.key_position)
    if positions != list(range(1, len(positions) + 1)):
        yield f"primaryKeyPosition must count from 1 without a gap, not {positions}"
    if contract.kind in ("keyed", "additive", "static") and not positions:
        yield f"a {contract.kind} table needs a primary key; mark its columns with primaryKey"
    if contract.erasure == "none" and any(c.pii == "personal" for c in contract.columns):
        yield "it has personal columns, so erasure must be customer"


def _column_faults(column: Column, layer: Layer) -> Iterator[str]:
    if not _NAME.fullmatch(column.name):
        yield "a name is lower case letters, digits and underscores"
    try:
        logical_type(column.physical_type)
    except ValueError as error:
        yield str(error)
        return
    foreign = _LAKE_ONLY if layer == "source" else _SOURCE_ONLY
    if foreign.fullmatch(column.physical_type):
        yield f"physicalType {column.physical_type} is not for {layer} tables"
    if column.key_position and not column.required:
        yield "a column of the primary key must be required"
    if column.pii == "secret" and (layer != "source" or column.mask != "drop"):
        yield "a secret column stays in the source and has the mask drop"
    if column.pii == "personal" and column.mask == "none":
        yield "a personal column needs a mask"
    if (column.mask == "partial") != (column.mask_step > 0):
        yield "the mask partial, and it alone, needs a maskStep above 0"
    if column.mask == "partial" and not (column.decimal or column.type in _NUMBERS):
        yield "the mask partial is for numbers"
    for rule in column.expectations:
        yield from _expectation_faults(rule, column, layer)


def _expectation_faults(rule: Expectation, column: Column, layer: Layer) -> Iterator[str]:
    given = (rule.low is not None or rule.high is not None, bool(rule.values), bool(rule.pattern))
    if given != tuple(rule.rule == name for name in ("between", "one_of", "pattern")):
        yield "between takes min or max, one_of takes values, pattern takes a pattern"
        return
    if rule.severity == "quarantine" and layer not in ("source", "silver"):
        yield "quarantine is for source and silver; later layers can only warn"
    if rule.low is not None and rule.high is not None and rule.low > rule.high:  # type: ignore[operator]
        yield f"min {rule.low} is above max {rule.high}"
    kinds: dict[str, type] = {"int32": int, "int64": int, "string": str}
    if any(type(value) is not kinds.get(column.type) for value in rule.values):
        yield f"one_of: the values must be of the column's type {column.type} (quote texts)"
    if rule.pattern:
        if column.type != "string":
            yield "pattern is for strings"
        try:
            re.compile(rule.pattern)
        except re.error as error:
            yield f"pattern {rule.pattern} is no regular expression ({error})"
