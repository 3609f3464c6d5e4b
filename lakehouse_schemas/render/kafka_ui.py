"""Kafka UI's configuration: one cluster, nothing to be changed there, and masked records.

Whoever opens its pages has not said who they are, so they see what a viewer sees. Fields are
hidden unless they are known to be fit to be shown: what the contracts do not know stays hidden, as
does a record that cannot be read. A mask that shows part of a value is a hidden value here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import yaml

from lakehouse_schemas.masking import HIDDEN
from lakehouse_schemas.model import Contract
from lakehouse_schemas.render.views import shown

__all__ = ["ROLE", "config_yaml", "open_fields"]

ROLE: Final = "viewer"
"""Whose eyes the pages have."""

_BOOTSTRAP: Final = "kafka:19092"
_CONNECT: Final = "http://connect:8083"
_ALERTS: Final = "finance.alerts"
# Of Debezium's envelope and its block ``source``, what is no value of a row.
_ENVELOPE: Final = (
    *("before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"),
    *("version", "connector", "name", "snapshot", "db", "sequence", "table", "server_id", "gtid"),
    *("file", "pos", "row", "thread"),
)


def config_yaml(database: str, source: Sequence[Contract], alerts: Iterable[Contract]) -> str:
    """The configuration as YAML, for the topics of these source tables and of the alerts."""
    cluster = {
        "name": "finlake",
        "bootstrapServers": _BOOTSTRAP,
        "readOnly": True,
        "kafkaConnect": [{"name": "connect", "address": _CONNECT}],
        "masking": list(_masks(database, source, alerts)),
    }
    return yaml.safe_dump({"kafka": {"clusters": [cluster]}}, sort_keys=False, width=1000)


def open_fields(contract: Contract) -> tuple[str, ...]:
    """Names of the fields of a record of the table's topic that are shown, in order."""
    fields = [c.name for c in contract.columns if shown(c, ROLE) == "clear"]
    return (*(_ENVELOPE if contract.layer == "source" else ()), *fields)


def _masks(
    database: str, source: Sequence[Contract], alerts: Iterable[Contract]
) -> Iterator[dict[str, Any]]:
    for contract in (*source, *alerts):
        of_source = contract.layer == "source"
        topic = f"cdc.{database}.{contract.name}" if of_source else _ALERTS
        mask = {
            "type": "REPLACE",
            "replacement": HIDDEN,
            "fieldsNamePattern": f"(?!(?:{'|'.join(open_fields(contract))})$).*",
            "topicValuesPattern": re.escape(topic),
        }
        if of_source:  # the key of an alert is its id
            mask["topicKeysPattern"] = re.escape(topic)
        yield mask
