"""A generated gold layer with models of it, and the service over both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from batch_jobs.bench.api import asked_of
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts
from models.artifact import digest
from models.features import Events
from models.features.marks import marked
from models.serving import path_of
from models.spending.learning import learn_amount, learn_category
from models.spending.plan import Plan
from tests.unit.api_world import ApiWorld, build
from tests.unit.generated_events import Gold, gold
from tests.unit.model_world import ORIGIN, saved

START, END = date(2018, 1, 1), date(2018, 6, 9)
LATER = 400  # transactions that the lake gets later


@dataclass
class Predicted:
    """The world, what is in gold, and the same as marked events."""

    api: ApiWorld
    gold: Gold
    events: Events

    @property
    def services(self) -> Any:
        return self.api.client.app.state.services  # type: ignore[attr-defined]

    def row(self, place: int) -> dict[str, Any]:
        """A transaction of gold as a request has it."""
        return asked_of(self.gold.facts.slice(place, 1).to_pylist()[0])


def put(settings: Settings, name: str, rows: pa.Table) -> None:
    """Append rows to a gold table; columns that they lack are empty, or nought."""
    contract = contracts.get(f"gold.{name}")
    columns = []
    for field in contract.lake_schema:
        if field.name in rows.column_names:
            columns.append(rows[field.name].cast(field.type))
        else:
            columns.append(pa.repeat(pa.scalar(_nothing(field.type), field.type), rows.num_rows))
    table = pa.Table.from_arrays(columns, schema=contract.lake_schema)
    write_deltalake(Lake(settings).ensure(contract), table, mode="append")


def _nothing(kind: pa.DataType) -> Any:
    if pa.types.is_string(kind):
        return ""
    if pa.types.is_boolean(kind):
        return False
    return datetime(1970, 1, 1, tzinfo=UTC) if pa.types.is_timestamp(kind) else 0


def serve_models(home: Path, folders: dict[str, tuple[int, Path]]) -> None:
    """Note models as the registry's process does; folders are named by role."""
    names = {"fraud": "finlake-fraud", "challenger": "finlake-fraud"}
    found = {}
    for role, (version, folder) in folders.items():
        sha256 = digest(folder)
        place = home / "models" / sha256
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(place)
        found[role] = {
            "name": names.get(role, f"finlake-{role}"), "alias": "champion", "version": version,
            "sha256": sha256, "problem": "",
        }  # fmt: skip
    path = path_of(home)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(found))
    fresh.replace(path)


def learnt(home: Path, events: Events) -> None:
    """Small models that have learnt from these events, noted as served."""
    plan = Plan.of(events, None, None, 14)
    learn_category(events, plan, 1)[0].save(home / "made-category", ORIGIN)
    learn_amount(events, plan, 1)[0].save(home / "made-amount", ORIGIN)
    fraud = saved(home / "made-fraud", "lightgbm")
    names = ("category", "amount")
    serve_models(home, {"fraud": (1, fraud)} | {n: (1, home / f"made-{n}") for n in names})


def generated() -> tuple[Gold, Events]:
    """Some 6,000 transactions of five months in order of their numbers, and as marked events."""
    tables = gold(6000, 5, START, END)
    tables = tables._replace(facts=tables.facts.sort_by("transaction_id"))
    return tables, marked(tables.events())


def made(home: Path) -> Predicted:
    """A world of them; the newest come later."""
    world = build(home, customers=0)
    tables, events = generated()
    put(world.settings, "fact_transactions", tables.facts.slice(0, tables.facts.num_rows - LATER))
    put(world.settings, "dim_card", tables.cards)
    put(world.settings, "dim_mcc", tables.categories)
    put(world.settings, "dim_user", tables.users)
    learnt(home, events)
    return Predicted(world, tables, events)
