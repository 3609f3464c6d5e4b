"""The way back: a contract as the document that its file holds."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from lakehouse_schemas.model import Bound, Column, Contract, Expectation, logical_type


def document(contract: Contract) -> dict[str, Any]:
    description = {"purpose": contract.purpose}
    if contract.usage:
        description["usage"] = contract.usage
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"finlake.{contract.full_name}",
        "name": contract.name,
        "version": contract.version,
        "status": "active",
        "domain": "payments",
        "description": description,
        "schema": [
            {
                "name": contract.name,
                "physicalName": contract.name,
                "physicalType": "table",
                "description": contract.description,
                "dataGranularityDescription": contract.grain,
                "properties": [_property(column) for column in contract.columns],
            }
        ],
        "team": {"name": contract.owner},
        "roles": [{"role": role, "access": "read"} for role in contract.roles],
        "slaProperties": [
            {"property": "latency", "value": contract.freshness_s, "unit": "s"},
            {"property": "retention", "value": contract.retention_days, "unit": "d"},
        ],
        "customProperties": _custom(
            layer=contract.layer,
            kind=contract.kind,
            erasure=contract.erasure,
            **({"writer": contract.writer} if contract.writer != "stream" else {}),
        ),
    }


def _property(column: Column) -> dict[str, Any]:
    node: dict[str, Any] = {
        "name": column.name,
        "logicalType": logical_type(column.physical_type),
        "physicalType": column.physical_type,
        "description": column.description,
        "required": column.required,
    }
    if column.key_position:
        node |= {"primaryKey": True, "primaryKeyPosition": column.key_position}
    if column.pii != "none":
        node["classification"] = column.pii
    if column.expectations:
        node["quality"] = [_quality(rule) for rule in column.expectations]
    given: dict[str, Any] = {}
    if column.mask != "none":
        given["mask"] = column.mask
    if column.mask_step:
        given["maskStep"] = column.mask_step
    if not column.recomputed:
        given["recomputed"] = False
    if given:
        node["customProperties"] = _custom(**given)
    return node


def _quality(rule: Expectation) -> dict[str, Any]:
    arguments = {
        "min": _bound(rule.low),
        "max": _bound(rule.high),
        "values": [*rule.values],
        "pattern": rule.pattern,
    }
    return {
        "name": rule.rule,
        "type": "custom",
        "engine": "finlake",
        "severity": rule.severity,
        "implementation": {k: v for k, v in arguments.items() if v not in (None, [], "")},
    }


def _bound(value: Bound | None) -> object:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat().removesuffix("T00:00:00")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _custom(**values: Any) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in values.items()]
