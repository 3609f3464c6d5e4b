"""A small gold layer in a folder, the service over it, and somebody of each role."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import uvicorn
from deltalake import write_deltalake
from fastapi.testclient import TestClient

from api.access import SCOPES, Role, Scope
from api.app import create_app
from finlake.errors import ComponentMissing
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import contracts

OWN, OTHER, NOBODY = 7, 8, 4711
FIRST, LAST = date(2019, 1, 1), date(2019, 8, 20)
STAFF: tuple[Role, ...] = ("viewer", "analyst", "operator", "admin")
Row = dict[str, Any]


def payments(user: int) -> list[Row]:
    """Groceries each week, streaming each month, other wants that rise, one dear purchase."""
    found = []
    day = FIRST
    while day <= LAST:
        if day.weekday() == 5:
            found.append((day, 6000 + 37 * user + day.day, 5411, 20))
        if day.day == 12:
            found.append((day, 1599, 4899, 30))
        if day.day % 9 == user % 9:
            found.append((day, 2500 + 100 * day.month * (user % 3), 5812, 40 + day.day % 4))
        if day.month == 3 and day.day == user:
            found.append((day, 40_000 + 1000 * user, 5732, 50))
        day += timedelta(days=1)
    return [
        {
            "transaction_id": user * 100_000 + number,
            "transaction_ts": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            "date_key": int(f"{day:%Y%m%d}"),
            "user_id": user,
            "card_id": user,
            "merchant_key": merchant,
            "merchant_id": merchant,
            "mcc": mcc,
            "amount": Decimal(cents) / 100,
            "channel": "Chip",
            "merchant_city": "Vista",
            "merchant_state": "CA",
            "is_online": False,
            "is_refund": False,
            "is_declined": False,
        }
        for number, (day, cents, mcc, merchant) in enumerate(found)
    ]


@dataclass
class ApiWorld:
    """The service, and keys by role; ``customer`` is that of :data:`OWN`."""

    settings: Settings
    client: TestClient
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Any:
        return self.client.app.state.services.store  # type: ignore[attr-defined]

    def key(self, role: Role, scopes: tuple[Scope, ...] = SCOPES, **options: Any) -> str:
        secret: str = self.store.create(f"a {role}", role, scopes, **options)[1]
        return secret

    def ask(self, role: str, method: str, path: str, **options: Any) -> Any:
        headers = {"X-API-Key": self.keys[role]} | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    def post(self, path: str, body: Any, role: str = "analyst", **options: Any) -> Any:
        return self.ask(role, "POST", f"/api/v1{path}", json=body, **options)

    def write(self, table: str, rows: list[Row]) -> None:
        contract = contracts.get(f"gold.{table}")
        opened = Lake(self.settings).ensure(contract)
        data = pa.Table.from_pylist(rows, schema=contract.lake_schema)
        write_deltalake(opened, data, mode="append")

    def pay(self, rows: list[Row]) -> None:
        """Write payments to the facts and to the customers' days."""
        self.write("fact_transactions", rows)
        days: dict[tuple[date, int], list[Row]] = {}
        for row in rows:
            days.setdefault((row["transaction_ts"].date(), row["user_id"]), []).append(row)
        self.write(
            "agg_customer_day",
            [
                {
                    "date": day,
                    "user_id": user,
                    "transaction_count": len(of_day),
                    "amount_sum": sum(row["amount"] for row in of_day),
                }
                for (day, user), of_day in days.items()
            ],
        )


def _no_kafka() -> Any:
    raise ComponentMissing("Kafka is not part of this world")


def serve(settings: Settings) -> TestClient:
    """The service of these settings, asked in this process."""
    return TestClient(create_app(settings, Query(settings)), raise_server_exceptions=False)


@contextmanager
def served(world: ApiWorld) -> Iterator[int]:
    """The service on a port: the test's client waits for the end of an answer, which has none."""
    config = uvicorn.Config(world.client.app, port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


def build(home: Path, customers: int = 24, **options: Any) -> ApiWorld:
    """A world with so many customers, from :data:`OWN` on."""
    generous = {
        "api_rate_key": "100000/minute",
        "api_rate_address": "100000/minute",
        "api_rate_failures": "100000/minute",
        "api_fresh_ms": 0,  # what was just written counts
        "api_timeout_s": 600,  # a busy machine is no error
    }
    settings = load_settings(home=home, **(generous | options))
    world = ApiWorld(settings, serve(settings))
    services = world.client.app.state.services  # type: ignore[attr-defined]
    services.models.ask = lambda _: None  # the registry's own process has tests of its own
    services.alerts.make = _no_kafka
    services.forecasts.each = map  # the process that fits has tests of its own
    services.trainings.program = (sys.executable, "-c", "print('trained')")
    users = range(OWN, OWN + customers)
    world.write(
        "dim_user",
        [
            {
                "user_id": user,
                "current_age": 30 + user % 4,
                "yearly_income": Decimal(24_000 + 500 * user),
                "address": "12 Rose Lane",
            }
            for user in users
        ],
    )
    world.pay([row for user in users for row in payments(user)])
    world.keys = {role: world.key(role) for role in STAFF}
    world.keys["customer"] = world.key("customer", user_id=OWN)
    return world
