"""Read contract files; whatever is wrong with one is a single line that names file and fault."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from lakehouse_schemas import odcs
from lakehouse_schemas.model import (
    Bound,
    Column,
    Contract,
    ContractError,
    Expectation,
    logical_type,
)

__all__ = ["parse_contract", "read_contract"]

_Custom = TypeVar("_Custom")
_COLUMN = re.compile(r"\$\.schema\[0\]\.properties\[(\d+)\]\.?")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain YAML, but a key that stands twice in a mapping is an error and not a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            keys = [key.value for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"line {node.start_mark.line + 1}: {twice} is given twice")
        return mapping


def read_contract(path: Path) -> Contract:
    """Read ``<layer>/<table>.yaml``.

    Raises:
        ContractError: naming the file and what is wrong with it.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{where}: cannot be read ({error}); restore {path}") from error
    contract = parse_contract(text, where)
    if where != f"{contract.layer}/{contract.name}.yaml":
        raise ContractError(
            f"{where}: holds the contract of {contract.full_name};"
            f" move it to {contract.layer}/{contract.name}.yaml"
        )
    return contract


def parse_contract(text: str, where: str) -> Contract:
    """The contract that a file's text holds; ``where`` names the file in errors.

    Raises:
        ContractError: naming the file and what is wrong with it.
    """
    node = None
    try:
        node = yaml.load(text, _Loader)  # noqa: S506 (it is a safe loader)
        return _contract(msgspec.convert(node, odcs.DataContract))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        fault = f"{line}{error.problem or 'no YAML'}"
    except (ValueError, yaml.YAMLError) as error:
        fault = _with_column(" ".join(str(error).split()), node)
    raise ContractError(f"{where}: {fault}; correct the contract")


def _contract(document: odcs.DataContract) -> Contract:
    (table,) = document.tables
    custom = _custom(document.custom_properties, odcs.TableCustom)
    full_name = f"{custom.layer}.{table.name}"
    if (document.id, document.name, table.physical_name) != (
        f"finlake.{full_name}",
        table.name,
        table.name,
    ):
        raise ValueError(f"id, name and physicalName must be those of {full_name}")
    if sorted((p.property, p.unit) for p in document.sla_properties) != [
        ("latency", "s"),
        ("retention", "d"),
    ]:
        raise ValueError("slaProperties must be latency in s and retention in d, each once")
    sla = {p.property: p.value for p in document.sla_properties}
    return Contract(
        layer=custom.layer,
        name=table.name,
        version=document.version,
        description=table.description,
        purpose=document.description.purpose,
        usage=document.description.usage or "",
        grain=table.data_granularity_description,
        owner=document.team.name,
        kind=custom.kind,
        erasure=custom.erasure,
        writer=custom.writer,
        roles=tuple(access.role for access in document.roles),
        freshness_s=sla["latency"],
        retention_days=int(sla["retention"]),
        columns=tuple(_column(p) for p in table.properties),
    )


def _column(node: odcs.Property) -> Column:
    try:
        logical = logical_type(node.physical_type)
        if logical != node.logical_type:
            raise ValueError(
                f"physicalType {node.physical_type} has logicalType {logical},"
                f" not {node.logical_type}"
            )
        if node.primary_key != (node.primary_key_position is not None):
            raise ValueError("primaryKey and primaryKeyPosition belong together")
        custom = _custom(node.custom_properties, odcs.ColumnCustom)
        column = Column(
            name=node.name,
            physical_type=node.physical_type,
            description=node.description,
            required=node.required,
            key_position=node.primary_key_position or 0,
            pii=node.classification,
            mask=custom.mask,
            mask_step=custom.mask_step,
            recomputed=custom.recomputed,
        )
        rules = tuple(_expectation(rule, column) for rule in node.quality)
    except ValueError as error:
        raise ValueError(f"column {node.name}: {error}") from error
    return msgspec.structs.replace(column, expectations=rules)


def _custom(properties: tuple[odcs.CustomProperty, ...], kind: type[_Custom]) -> _Custom:
    values = {p.property: p.value for p in properties}
    if len(values) < len(properties):
        raise ValueError("a custom property is given twice")
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"customProperties: {error}") from error


def _expectation(rule: odcs.Quality, column: Column) -> Expectation:
    given = rule.implementation
    return Expectation(
        rule=rule.name,
        severity=rule.severity,
        low=_bound(given.min, column),
        high=_bound(given.max, column),
        values=given.values,
        pattern=given.pattern,
    )


def _bound(value: float | str | None, column: Column) -> Bound | None:
    """A bound as a value of the column's type; times are UTC."""
    kind = column.type
    try:
        if value is None:
            return None
        if isinstance(value, str):
            if kind == "date":
                return date.fromisoformat(value)
            if kind == "timestamp":
                return datetime.fromisoformat(value).replace(tzinfo=UTC)
        elif kind in ("int32", "int64") and isinstance(value, int):
            return value
        elif kind == "double":
            return float(value)
        elif column.decimal:
            return Decimal(str(value))
    except ValueError:
        pass
    raise ValueError(f"between: {value!r} is no {kind}")


def _with_column(fault: str, node: Any) -> str:
    """The fault with the column's name in place of its number in the file."""
    match = _COLUMN.search(fault)
    if not match:
        return fault.replace("`$.", "`")
    name = node["schema"][0]["properties"][int(match[1])]
    name = name.get("name", match[1]) if isinstance(name, dict) else match[1]
    return f"column {name}: {_COLUMN.sub('', fault).replace(' - at ``', '')}"
