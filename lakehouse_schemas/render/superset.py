"""Superset: a dataset per gold table and wide view, with columns described and measures summed.

A dataset belongs to the connection of a role, ``viewer`` or ``operator``, and has the columns that
this role sees in Trino. Each table stands in one of the two: Superset on SQLite allows a name once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final

import yaml

from lakehouse_schemas.model import Column, Contract, Role
from lakehouse_schemas.render.spark import sql_type
from lakehouse_schemas.render.sql import identifier
from lakehouse_schemas.render.views import select_unmasked_wide_sql, shown
from lakehouse_schemas.wide import Wide

__all__ = [
    "ROLES",
    "database_uuid",
    "dataset_yaml",
    "role_of",
    "uuid_of",
    "wide_dataset_yaml",
    "yaml_text",
]

ROLES: Final[tuple[Role, ...]] = ("viewer", "operator")
"""The roles that have a connection of their own."""

_TIMES = ("date", "timestamp")
# What is worked on customer by customer or card by card.
_OPERATIONS: Final = (
    "agg_card_month",
    "agg_customer_day",
    "dim_card",
    "dim_card_history",
    "dim_user",
    "dim_user_history",
    "forecasts",
    "fraud_alerts",
    "fraud_scores",
    "model_decay",
    "model_decisions",
    "model_drift",
    "report_large_transactions",
    "report_suspicious_activity",
)
# Name, of what, of how many, meaning, format of the number.
_RATIOS: Final = (
    ("amount_mean", "amount_sum", "transaction_count", "Mean amount, US dollars", "$,.2f"),
    ("declined_share", "declined_count", "transaction_count", "Share declined", ".2%"),
    ("online_share", "online_count", "transaction_count", "Share online", ".1%"),
    ("fraud_share", "fraud_count", "labelled_count", "Frauds among those with a label", ".3%"),
)


def uuid_of(kind: str, name: str) -> str:
    """The number by which Superset knows a thing of the project again, always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:finlake:superset:{kind}:{name}"))


def database_uuid(role: Role) -> str:
    """The number of the connection that asks as this role."""
    return uuid_of("database", role)


def role_of(table: Contract | Wide) -> Role:
    """As whom a dataset asks."""
    if isinstance(table, Contract):
        return "operator" if table.name in _OPERATIONS else "viewer"
    asked = [table.contract, *(join.contract for join in table.joins)]
    hidden = any(
        shown(table.contract.column(join.on), "viewer") in ("drop", "hash") for join in table.joins
    )
    return "operator" if hidden or any(role_of(one) == "operator" for one in asked) else "viewer"


def dataset_yaml(contract: Contract) -> str:
    """The dataset of a table as Superset's import takes it.

    Columns of an additive table that are not in its key are measures: they become metrics and
    cannot be grouped by.
    """
    role = role_of(contract)
    columns = [(c.name, c) for c in contract.columns if _is_seen(c, role)]
    return _dataset(contract, columns, role, contract, None)


def wide_dataset_yaml(view: Wide) -> str:
    """The dataset of a wide view, as a statement over the tables: Trino's catalogue has no views.

    Where the role's views are, as in Dremio, the import takes the view in its place.
    """
    role = role_of(view)
    columns = [(one.name, one.column) for one in view.columns() if _is_seen(one.column, role)]
    return _dataset(
        view, columns, role, view.contract, select_unmasked_wide_sql(view, role, "trino")
    )


def _dataset(
    table: Contract | Wide,
    columns: Iterable[tuple[str, Column]],
    role: Role,
    first: Contract,
    sql: str | None,
) -> str:
    measures = {c.name for c in first.columns if first.kind == "additive" and not c.key_position}
    found = list(columns)
    times = [name for name, column in found if column.type in _TIMES]
    usage = first.usage if sql is None else ""
    dataset: dict[str, Any] = {
        "table_name": table.name,
        "schema": "gold",
        "description": " ".join(filter(None, [table.description, usage])),
        "main_dttm_col": times[0] if times else None,
        "sql": sql,
        "filter_select_enabled": True,
        "extra": {
            "certification": {
                "certified_by": "the table's contract",
                "details": "Rendered from lakehouse_schemas; changes here are lost at an import.",
            }
        },
        "uuid": uuid_of("dataset", f"gold.{table.name}"),
        "database_uuid": database_uuid(role),
        "version": "1.0.0",
        "columns": [
            {
                "column_name": name,
                "type": sql_type(column),
                "is_dttm": column.type in _TIMES,
                "groupby": name not in measures,
                "filterable": name not in measures,
                "description": column.description,
            }
            for name, column in found
        ],
        "metrics": list(_metrics(first, measures)),
    }
    return yaml_text(dataset)


def yaml_text(value: object) -> str:
    """YAML as people read it: keys in their order, a text of several lines as such, no links."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def _metrics(first: Contract, measures: set[str]) -> Iterable[dict[str, Any]]:
    """Sums of the measures and their ratios; of other tables the number of rows."""
    certified = {"certification": {"certified_by": "the table's contract"}}
    if not measures:
        yield {
            "metric_name": "row_count",
            "expression": "COUNT(*)",
            "description": first.grain + ".",
            "d3format": ",d",
            "extra": certified,
        }
    for column in first.columns:
        if column.name in measures:
            yield {
                "metric_name": column.name,
                "expression": f"SUM({identifier(column.name, 'trino')})",
                "description": column.description,
                "d3format": "$,.0f" if column.type.startswith("decimal") else ",d",
                "extra": certified,
            }
    for name, part, whole, means, form in _RATIOS:
        if {part, whole} <= measures:
            yield {
                "metric_name": name,
                "expression": f'CAST(SUM("{part}") AS DOUBLE) / NULLIF(SUM("{whole}"), 0)',
                "description": f"{means}.",
                "d3format": form,
                "extra": certified,
            }


def _is_seen(column: Column, role: Role) -> bool:
    return shown(column, role) not in ("drop", "hash")
