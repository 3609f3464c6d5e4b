"""A table contract: the only place where a table's columns are named.

The files follow the Open Data Contract Standard 3.1 (Bitol); this module reads them into frozen
models and answers what the rest of the house asks of a contract.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["Column", "Contract", "ContractError", "Expectation", "read_contract"]

Layer = Literal["source", "bronze", "silver", "gold"]
Pii = Literal["none", "personal", "financial", "secret"]
Mask = Literal["none", "drop", "token", "last4", "hash", "partial"]

_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_LENGTH = re.compile(r"(?:var)?char\((\d+)\)")
_SIMPLE: dict[str, tuple[str, pa.DataType]] = {
    "int": ("int32", pa.int32()),
    "bigint": ("int64", pa.int64()),
    "string": ("string", pa.string()),
    "binary": ("binary", pa.binary()),
    "boolean": ("boolean", pa.bool_()),
    "date": ("date", pa.date32()),
    "double": ("double", pa.float64()),
    "timestamp": ("timestamp", pa.timestamp("us", tz="UTC")),
    "datetime(6)": ("timestamp", pa.timestamp("us", tz="UTC")),
}


class ContractError(Exception):
    """A contract file is wrong; the message names the file and what to correct."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expectation(_Frozen):
    """A rule that a column's values should keep.

    ``severity`` says what a break means: ``quarantine`` sets the record aside, ``warn`` counts it,
    ``stop`` stops the table.
    """

    rule: Literal["between", "one_of"]
    severity: Literal["warn", "quarantine", "stop"]
    arguments: dict[str, Any]


class Column(_Frozen):
    """One column: its name, its type at rest and what may be shown of it.

    ``physical_type`` is the type as the layer's engine writes it (MySQL for source, Delta else).
    ``source_column`` names the source column it comes from where the names differ.
    ``recomputed`` is false where a recomputation cannot give the same value (times of processing).
    """

    name: str
    physical_type: str
    description: str
    required: bool = True
    key_position: int = 0
    pii: Pii = "none"
    mask: Mask = "none"
    recomputed: bool = True
    expectations: tuple[Expectation, ...] = ()

    @property
    def type(self) -> str:
        """Logical type: int32, int64, string, boolean, date, timestamp, double, binary, decimal."""
        if self.length is not None:
            return "string"
        if _DECIMAL.fullmatch(self.physical_type):
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
        if self.decimal:
            return pa.decimal128(*self.decimal)
        if self.length is not None:
            return pa.string()
        return _SIMPLE[self.physical_type][1]


class Contract(_Frozen):
    """One table: where it lives, what it holds, who answers for it, how long it is kept."""

    layer: Layer
    name: str
    version: str
    description: str
    grain: str
    owner: str
    kind: str = "keyed"
    erasure: str
    freshness_s: float
    retention_days: int
    columns: tuple[Column, ...]

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
        return pa.schema([pa.field(c.name, c.arrow_type, not c.required) for c in self.columns])


def _custom(node: dict[str, Any]) -> dict[str, Any]:
    return {p["property"]: p["value"] for p in node.get("customProperties", ())}


def _column(node: dict[str, Any]) -> Column:
    custom = _custom(node)
    physical = node["physicalType"]
    if physical not in _SIMPLE and not _DECIMAL.fullmatch(physical):
        if not _LENGTH.fullmatch(physical):
            raise ValueError(f"column {node['name']}: unknown physicalType {physical}")
    return Column(
        name=node["name"],
        physical_type=physical,
        description=node["description"],
        required=node.get("required", False),
        key_position=node.get("primaryKeyPosition", 0) if node.get("primaryKey") else 0,
        pii=node.get("classification", "none"),
        mask=custom.get("mask", "none"),
        recomputed=custom.get("recomputed", True),
        expectations=tuple(
            Expectation(rule=q["name"], severity=q["severity"], arguments=q["implementation"])
            for q in node.get("quality", ())
        ),
    )


def read_contract(path: Path) -> Contract:
    """Read one contract file.

    Raises:
        ContractError: naming the file and what is wrong with it.
    """
    try:
        node = yaml.safe_load(path.read_text(encoding="utf-8"))
        custom = _custom(node)
        sla = {p["property"]: p["value"] for p in node["slaProperties"]}
        (table,) = node["schema"]
        contract = Contract(
            layer=custom["layer"],
            name=table["name"],
            version=node["version"],
            description=table["description"],
            grain=table["dataGranularityDescription"],
            owner=node["team"]["name"],
            kind=custom.get("kind", "keyed"),
            erasure=custom["erasure"],
            freshness_s=sla["freshness"],
            retention_days=sla["retention"],
            columns=tuple(_column(p) for p in table["properties"]),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ContractError(
            f"{path.name}: not a table contract ({reason}); correct it in {path}"
        ) from error
    if len(set(contract.column_names)) != len(contract.columns):
        raise ContractError(f"{path.name}: a column is named twice; correct it in {path}")
    return contract
