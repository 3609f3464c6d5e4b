"""Superset: a dataset per gold table, with its columns described and its measures summed."""

from __future__ import annotations

from typing import Any

import yaml

from lakehouse_schemas.model import Column, Contract
from lakehouse_schemas.render.spark import sql_type

__all__ = ["dataset_yaml"]

_TIMES = ("date", "timestamp")


def dataset_yaml(contract: Contract) -> str:
    """The dataset as Superset's export writes it, without what belongs to one installation.

    Columns of an additive table that are not in its key are measures: they become metrics and
    cannot be grouped by.
    """
    measures = [c for c in contract.columns if _is_measure(c, contract)]
    times = [c.name for c in contract.columns if c.type in _TIMES]
    dataset: dict[str, Any] = {
        "table_name": contract.name,
        "schema": contract.layer,
        "description": " ".join(filter(None, [contract.description, contract.usage])),
        "main_dttm_col": times[0] if times else None,
        "columns": [
            {
                "column_name": c.name,
                "type": sql_type(c),
                "is_dttm": c.type in _TIMES,
                "groupby": c not in measures,
                "filterable": c not in measures,
                "description": c.description,
            }
            for c in contract.columns
        ],
        "metrics": [
            {
                "metric_name": c.name,
                "expression": f'SUM("{c.name}")',
                "description": c.description,
            }
            for c in measures
        ]
        or [
            {
                "metric_name": "rows",
                "expression": "COUNT(*)",
                "description": contract.grain + ".",
            }
        ],
    }
    text: str = yaml.safe_dump(dataset, sort_keys=False, allow_unicode=True, width=100)
    return text


def _is_measure(column: Column, contract: Contract) -> bool:
    return contract.kind == "additive" and not column.key_position
