"""What Dremio should hold, as the contracts have it: a source, views and reflections.

All of it follows from the settings and the contracts alone; nothing here asks Dremio or the lake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from finlake.errors import UsageProblem
from infra.dremio.rest import Entity
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts
from lakehouse_schemas.model import ROLES, Column, Role
from lakehouse_schemas.render import views
from lakehouse_schemas.wide import VIEWS

__all__ = [
    "LAYERS",
    "SOURCE",
    "Reflection",
    "View",
    "reflections",
    "source",
    "space",
    "wanted_views",
]

SOURCE: Final = views.CATALOGUE
"""Dremio's source of the lake's tables: they are ``lake.gold.NAME``, as in Trino."""
LAYERS: Final = ("silver", "gold")
"""The layers that Dremio knows."""

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000

# Tables that charts read row by row or join, each with the column that charts cut it by.
_RAW: Final = {
    "fact_transactions": "transaction_ts",
    "fraud_alerts": "transaction_ts",
    "customer_analytics": "user_id",
    "dim_user": "user_id",
    "dim_card": "card_id",
    "dim_mcc": "mcc",
    "dim_date": "date_key",
}
# What charts of a wide view group by, and what they add up.
_WIDE: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "wide_transactions": (
        (
            *("date", "year", "quarter", "month", "day_of_week", "channel", "is_declined"),
            *("is_fraud", "category", "merchant_state", "card_brand", "card_type", "segment"),
        ),
        ("amount",),
    ),
    "wide_alerts": (
        ("rule", "severity", "category", "channel", "card_brand", "segment"),
        ("amount",),
    ),
}


@dataclass(frozen=True)
class View:
    """A view: its space and name, its statement, and the tables that it reads."""

    path: tuple[str, str]
    sql: str
    tables: frozenset[str]


@dataclass(frozen=True)
class Reflection:
    """A reflection: the table or view that it stands for, its name, and what it holds."""

    path: tuple[str, ...]
    name: str
    body: Entity


def source(settings: Settings) -> Entity:
    """The lake as an S3 source of Dremio's, in path style, as MinIO and its like want it.

    Its settings are those of https://docs.dremio.com/current/data-sources/object/s3/, part "S3
    compatible storage", in the form of
    https://docs.dremio.com/current/reference/api/catalog/source/container-source-config.

    Raises:
        UsageProblem: when the lake is a folder, or a setting of the object store is missing.
    """
    place = urlsplit(settings.lake)
    if place.scheme != "s3a":
        raise UsageProblem(
            f"Dremio reads an object store, and the lake is {settings.lake}; set FINLAKE_LAKE to"
            " s3a://bucket"
        )
    if not (settings.s3_endpoint and settings.s3_access_key and settings.s3_secret_key):
        raise UsageProblem(
            "Dremio needs the object store; set FINLAKE_S3_ENDPOINT, FINLAKE_S3_ACCESS_KEY and"
            " FINLAKE_S3_SECRET_KEY"
        )
    store = urlsplit(settings.s3_endpoint)
    properties = {
        "fs.s3a.path.style.access": "true",
        "fs.s3a.endpoint": store.netloc,
    }
    return {
        "entityType": "source",
        "type": "S3",
        "name": SOURCE,
        "config": {
            "credentialType": "ACCESS_KEY",
            "accessKey": settings.s3_access_key,
            "accessSecret": settings.s3_secret_key.get_secret_value(),
            "secure": store.scheme == "https",
            "compatibilityMode": True,
            "rootPath": f"/{place.netloc}{place.path}",
            "whitelistedBuckets": [place.netloc],
            "propertyList": [{"name": name, "value": properties[name]} for name in properties],
            "isCachingEnabled": True,
            "isPartitionInferenceEnabled": False,
        },
        # A minute is the least that Dremio takes. `finlake dremio refresh` looks more closely.
        "metadataPolicy": {
            "authTTLMs": 24 * _HOUR_MS,
            "namesRefreshMs": _MINUTE_MS,
            "datasetRefreshAfterMs": _MINUTE_MS,
            "datasetExpireAfterMs": 3 * _HOUR_MS,
            "datasetUpdateMode": "PREFETCH_QUERIED",
            "deleteUnavailableDatasets": True,
            "autoPromoteDatasets": False,
        },
        "accelerationActivePolicyType": "PERIOD",
        "accelerationRefreshPeriodMs": _HOUR_MS,
        "accelerationGracePeriodMs": 3 * _HOUR_MS,
        "accelerationNeverExpire": False,
        "accelerationNeverRefresh": False,
    }


def space(role: Role) -> str:
    """The space with what a role sees of gold."""
    return f"gold_{role}"


def wanted_views(mask_key: str) -> Iterator[View]:
    """Every view of gold, masked for its role, with the key in place."""
    for role in ROLES:
        for contract in contracts.layer("gold"):
            if role in contract.roles:
                sql = views.select_sql(contract, role, "dremio")
                yield _view(role, contract.name, sql, mask_key, {contract.full_name})
        for wide in VIEWS:
            if role in wide.roles():
                tables = {contract.full_name for contract in wide.tables}
                sql = views.select_wide_sql(wide, role, "dremio")
                yield _view(role, wide.name, sql, mask_key, tables)


def _view(role: Role, name: str, sql: str, mask_key: str, tables: set[str]) -> View:
    if not re.fullmatch(r"[\w.-]+", mask_key):
        raise UsageProblem("setting FINLAKE_MASK_KEY has a character that is no letter or digit")
    return View((space(role), name), sql.replace(views.MASK_KEY, mask_key), frozenset(tables))


def reflections() -> Iterator[Reflection]:
    """What Dremio should hold ready for the questions of dashboards.

    Additive tables are summed by every question, so each has an aggregate over its whole key.
    Tables that are read row by row or joined have a raw one, sorted as they are asked. The admin's
    wide views have aggregates over what charts group by: the other roles' views are the same joins.
    """
    path: tuple[str, ...]
    for contract in contracts.layer("gold"):
        path = (SOURCE, contract.layer, contract.name)
        if contract.kind == "additive":
            measures = [c for c in contract.columns if not c.key_position]
            keys = [(name, contract.column(name)) for name in contract.key]
            body = _aggregate(keys, [(c.name, ("SUM", "COUNT")) for c in measures])
            yield Reflection(path, f"finlake sums of {contract.name}", body)
        elif contract.name in _RAW:
            yield Reflection(path, f"finlake rows of {contract.name}", _raw(contract))
    for wide in VIEWS:
        if wide.name in _WIDE:
            dimensions, measures_of = _WIDE[wide.name]
            columns = {one.name: one.column for one in wide.columns()}
            body = _aggregate(
                [(name, columns[name]) for name in dimensions],
                [(name, ("SUM", "COUNT", "MIN", "MAX")) for name in measures_of],
            )
            path = (space("admin"), wide.name)
            yield Reflection(path, f"finlake sums of {wide.name}", body)


def _aggregate(
    dimensions: list[tuple[str, Column]], measures: list[tuple[str, tuple[str, ...]]]
) -> Entity:
    """An aggregate; of times every moment is kept, since Dremio would else keep the day alone."""
    return {
        "type": "AGGREGATION",
        "enabled": True,
        "dimensionFields": [
            {"name": name, "granularity": "NORMAL" if column.type == "timestamp" else "DATE"}
            for name, column in dimensions
        ],
        "measureFields": [{"name": name, "measureTypeList": list(way)} for name, way in measures],
    }


def _raw(contract: Contract) -> Entity:
    return {
        "type": "RAW",
        "enabled": True,
        "displayFields": [{"name": name} for name in contract.column_names],
        "sortFields": [{"name": _RAW[contract.name]}],
    }
