"""The scoring over topics and a lake on disk, without Kafka: it can be killed and started again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from models.artifact import Model, bands_of
from models.features import Events
from models.features.batch import chunks
from models.features.encode import Attributes, events_of
from models.features.events import Array
from stream_jobs.io.writer import Tables
from stream_jobs.scoring.book import TABLES
from stream_jobs.scoring.metrics import ScoreMetrics
from stream_jobs.scoring.service import Scoring
from stream_jobs.scoring.table import Place
from stream_jobs.scoring.watch import Watch
from stream_jobs.transforms import gold
from stream_jobs.transforms.envelope import Decoder
from tests.unit.stream_world import Crash, Event, World, records

FEATURES = ("amount", "card_count_30d", "card_merchant_seen", "merchant_fraud_30d", "is_unusual",
            "credit_limit")  # fmt: skip


class Plain:
    """A member whose score can be told from the features."""

    def __init__(self, weight: float = 1.0) -> None:
        self._weight = weight

    def score(self, values: Array) -> Array:
        pushed = self._weight * np.nan_to_num(values).clip(-9, 9).sum(axis=1)
        found: Array = 1 / (1 + np.exp(2 - pushed))
        return found

    def contributions(self, values: Array) -> Array:
        return np.nan_to_num(values) * self._weight


class Fails(Plain):
    """One that raises when it sees a transaction; what it is tried with has no amount."""

    def score(self, values: Array) -> Array:
        if np.nan_to_num(values).any():
            raise RuntimeError("no more trees")
        return super().score(values)


class Misshapen(Plain):
    """One that gives two scores for a transaction."""

    def score(self, values: Array) -> Array:
        found = super().score(values)
        return np.column_stack([found, found]) if np.nan_to_num(values).any() else found


class Unsure(Plain):
    """One that gives no score for amounts above a hundred."""

    def score(self, values: Array) -> Array:
        return np.where(values[:, 0] > 100, np.nan, super().score(values))


class Wordless(Plain):
    """One that has no reasons for a transaction."""

    def contributions(self, values: Array) -> Array:
        if np.nan_to_num(values).any():
            raise RuntimeError("no words")
        return super().contributions(values)


class Unscored(Plain):
    """One that gives numbers that are none."""

    def score(self, values: Array) -> Array:
        return np.full(len(values), np.nan)


class Broken(Plain):
    """One that never works."""

    def score(self, values: Array) -> Array:
        raise RuntimeError("no more trees")


def model(
    version: int = 1, member: Plain | None = None, features: Sequence[str] = FEATURES
) -> Model:
    """A model as the registry gives it."""
    line = np.array([0.0, 1.0])
    members = (member or Plain(),)
    return Model(
        tuple(features), 0.5, {}, members, (line, line), bands_of(0.5), "plain", version
    )  # fmt: skip


class Shelf:
    """A registry that holds what a test puts there."""

    def __init__(self, **models: Model | Exception) -> None:
        self.models: dict[str, Model | Exception] = models

    def version(self, alias: str) -> int | None:
        found = self.models.get(alias)
        if isinstance(found, ConnectionError):
            raise found
        if found is None:
            return None
        return 99 if isinstance(found, Exception) else found.version

    def load(self, wanted: int) -> Model:
        for found in self.models.values():
            if wanted == 99 and isinstance(found, Exception):
                raise found
            if isinstance(found, Model) and found.version == wanted:
                return found
        raise LookupError(wanted)


class Process:
    """Reads the topics of a world from where its table is; what it published stays."""

    def __init__(self, home: Path, shelf: Shelf) -> None:
        self._settings = load_settings(home=home, lake=f"file:{home}/lake")
        self._shelf = shelf
        self.logs: dict[Place, list[Event]] = {}
        self.published: list[dict[str, Any]] = []
        self.start()

    def send(self, events: Sequence[Event]) -> None:
        """Append events to their topics."""
        for event in events:
            self.logs.setdefault((f"cdc.finance.{event.table}", event.partition), []).append(event)

    def start(self) -> None:
        """A new process: what it knows, it reads."""
        lake = Lake(self._settings)
        self.metrics = ScoreMetrics()
        self.watch = Watch(
            self._shelf, 60, lambda role: self.metrics.failures.labels(role).inc()
        )  # fmt: skip
        self.watch.look()
        self.scoring = Scoring(lake, Tables(lake, 16 << 20), self.watch, self.metrics)
        places = [(f"cdc.finance.{name}", p) for name in TABLES for p in range(2)]
        self.positions = dict.fromkeys(places, 0) | self.scoring.table.offsets(places)
        for place in places:  # all of the others, and transactions up to where the table is
            whole = self.logs.get(place, ())
            end = self.positions[place] if place[0].endswith("transactions") else len(whole)
            if whole[:end]:
                self.scoring.remember(records([(e, i) for i, e in enumerate(whole[:end])]))
            self.positions[place] = end

    def batch(self, most: int = 10**9, crash: str = "") -> int:
        """Score the next records of each partition.

        The process ends after it has ``published`` or after all is ``done``; it goes on without a
        commit where it is ``held``.
        """
        rows = []
        for place, log in self.logs.items():
            start = self.positions.get(place, 0)
            part = log[start : start + most]
            rows += [(event, start + i) for i, event in enumerate(part)]
            self.positions[place] = start + len(part)
        if not rows:
            return 0
        self.published += self.scoring.score(records(rows), self.positions)
        if crash not in ("published", "held"):
            self.scoring.commit()
        if crash in ("published", "done"):
            raise Crash
        return len(rows)

    def scores(self) -> dict[int, dict[str, Any]]:
        """The table by transaction; fails when one is there twice."""
        found = Lake(self._settings).open(contracts.get("gold.fraud_scores"))
        assert found is not None
        rows = found.to_pyarrow_dataset().to_table().to_pylist()
        assert len({row["transaction_id"] for row in rows}) == len(rows)
        return {row["transaction_id"]: row for row in rows}


def by_batch(world: World, using: Model) -> dict[int, float]:
    """What the batch executor and the model say of all that is in the source."""
    silver = {}
    for name in TABLES:
        there = [e for e in world.sent if e.table == name and e.value is not None]
        changes = Decoder(name).decode(records([(e, i) for i, e in enumerate(there)]), 0).changes
        key = contracts.get(f"silver.{name}").key[0]
        alive = pa.array(world.state[name], pa.int64()).cast(changes[key].type)
        rows = changes.filter(pc.is_in(changes[key], value_set=alive))
        last = rows.sort_by("_order_token").group_by(key, use_threads=False)
        tokens = last.aggregate([("_order_token", "max")])["_order_token_max"]
        silver[name] = rows.filter(pc.is_in(rows["_order_token"], tokens.combine_chunks()))
    dims = (gold.dim_rows(d, silver[s]) for d, s in
            (("dim_card", "cards"), ("dim_user", "users"), ("dim_mcc", "mcc_codes")))  # fmt: skip
    wide = gold.wide(silver["transactions"], silver["fraud_labels"])
    history: Events = events_of(gold.fact_rows(wide), Attributes.of(*dims))
    found: dict[int, float] = {}
    for places, features in chunks(history, names=using.features):
        values = np.column_stack([features[name] for name in using.features]).astype(float)
        numbers = history["id"][places].tolist()
        found |= dict(zip(numbers, using.probability(values).tolist(), strict=True))
    return found
