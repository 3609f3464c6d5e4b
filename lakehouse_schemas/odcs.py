"""The parts of the Open Data Contract Standard 3.1 that the contract files use, checked strictly.

Field names and allowed values are the standard's
(https://bitol-io.github.io/open-data-contract-standard/v3.1.0/); a field that is not named here is
refused. Custom properties and the quality engine ``finlake`` are this project's own words.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from lakehouse_schemas.model import Erasure, Kind, Layer, Mask, Pii, Role, Severity, Writer

__all__ = ["ColumnCustom", "CustomProperty", "DataContract", "Property", "Quality", "TableCustom"]

Text = Annotated[str, Meta(min_length=1)]
NotNegative = Annotated[float, Meta(ge=0)]


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pass


class CustomProperty(_Part, frozen=True):
    """A property that the standard does not have."""

    property: str
    value: Any


class TableCustom(_Part, frozen=True):
    """Custom properties of a contract."""

    layer: Layer
    kind: Kind
    erasure: Erasure
    writer: Writer = "stream"


class ColumnCustom(_Part, frozen=True):
    """Custom properties of a column."""

    mask: Mask = "none"
    mask_step: Annotated[int, Meta(ge=0)] = 0
    recomputed: bool = True


class Implementation(_Part, frozen=True):
    """Arguments of a rule of the engine ``finlake``; times as text, ISO 8601, UTC."""

    min: int | float | str | None = None
    max: int | float | str | None = None
    values: tuple[str | int, ...] = ()
    pattern: str = ""


class Quality(_Part, frozen=True):
    """A rule of the engine ``finlake``."""

    name: Literal["between", "one_of", "pattern"]
    type: Literal["custom"]
    engine: Literal["finlake"]
    severity: Severity
    implementation: Implementation


class Property(_Part, frozen=True):
    """A column."""

    name: Text
    logical_type: Literal["string", "date", "timestamp", "number", "integer", "boolean"]
    physical_type: Text
    description: Text
    required: bool = False
    primary_key: bool = False
    primary_key_position: Annotated[int, Meta(ge=1)] | None = None
    classification: Pii = "none"
    quality: tuple[Quality, ...] = ()
    custom_properties: tuple[CustomProperty, ...] = ()


class Table(_Part, frozen=True):
    """The standard's schema object."""

    name: Text
    physical_name: Text
    physical_type: Literal["table"]
    description: Text
    data_granularity_description: Text
    properties: Annotated[tuple[Property, ...], Meta(min_length=1)]


class Description(_Part, frozen=True):
    """What the table is good for and what to heed when reading it."""

    purpose: Text
    usage: Text | None = None


class Team(_Part, frozen=True):
    """Who answers for the table."""

    name: Text


class Access(_Part, frozen=True):
    """A role that may read the table."""

    role: Role
    access: Literal["read"]


class Sla(_Part, frozen=True):
    """``latency`` (the standard's word for freshness) in seconds, ``retention`` in days."""

    property: Literal["latency", "retention"]
    value: NotNegative
    unit: Literal["s", "d"]


class DataContract(_Part, frozen=True):
    """One file: one contract with one table."""

    api_version: Literal["v3.1.0"]
    kind: Literal["DataContract"]
    id: Text
    name: Text
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$")]
    status: Literal["proposed", "draft", "active", "deprecated", "retired"]
    domain: Text
    description: Description
    tables: Annotated[tuple[Table, ...], Meta(min_length=1, max_length=1)] = field(name="schema")
    team: Team
    roles: tuple[Access, ...]
    sla_properties: tuple[Sla, ...]
    custom_properties: tuple[CustomProperty, ...]
