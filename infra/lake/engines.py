"""The engines by name."""

from __future__ import annotations

from typing import Final

from infra.lake.engine import Engine
from infra.settings import Settings

__all__ = ["ENGINES", "open_engine"]

ENGINES: Final = ("duckdb", "trino", "dremio", "flightsql")


def open_engine(settings: Settings, name: str) -> Engine:
    """The engine of that name; its client library is imported when it is asked for.

    Raises:
        UsageProblem: when its settings are missing.
        KeyError: when there is no such engine.
    """
    if name == "duckdb":
        from infra.lake.query import Query

        return Query(settings)
    if name == "trino":
        from infra.lake.trino import Trino

        return Trino(settings)
    if name == "dremio":
        from infra.lake.dremio import Dremio

        return Dremio(settings)
    if name == "flightsql":
        from infra.lake.flight_sql import FlightSql

        return FlightSql(settings)
    raise KeyError(name)
