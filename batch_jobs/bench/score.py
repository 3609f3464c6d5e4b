"""How many transactions a second the scoring takes: records in, a table of scores out.

Without a stack: Debezium's records of a generated set go through everything that the process does
with a batch, decoding, features, both models and the commit to a lake of its own; Kafka's client
alone is left out.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pyarrow as pa

from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.model import save_model
from batch_jobs.generate.dataset import Dataset
from batch_jobs.generate.people import categories_table
from batch_jobs.generate.plan import Plan
from connectors.config import table_topic
from infra.database.users import DATABASE
from infra.lake.tables import Lake
from infra.settings import Settings
from models.artifact import Model, load
from stream_jobs.io.writer import Tables
from stream_jobs.memory import look_seldom_for_garbage
from stream_jobs.scoring.metrics import ScoreMetrics
from stream_jobs.scoring.service import Scoring
from stream_jobs.scoring.table import Place
from stream_jobs.scoring.watch import Watch
from stream_jobs.shapes import RECORDS

__all__ = ["score"]

_START, _END = date(2018, 1, 1), date(2018, 4, 30)  # as long as features look back
_encode = msgspec.json.Encoder(decimal_format="string").encode


class _OneModel:
    """A registry of one model, which is champion and challenger."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def version(self, alias: str) -> int | None:
        return self._model.version

    def load(self, wanted: int) -> Model:
        return self._model


def score(
    settings: Settings,
    transactions: int,
    history: int,
    batch: int,
    seed: int = 1,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[Figure]:
    """Score so many transactions, in batches, after a history of so many.

    The model is that of :mod:`batch_jobs.bench.model`. As in the process, the table is written when
    scores have waited for it as long as the settings say.
    """
    data = Dataset.make(Plan(transactions + history, seed, _START, _END))
    parts = [data.part(number) for number in range(data.parts)]
    rows = pa.concat_tables([part.transactions for part in parts]).sort_by("date")
    people = {
        "users": data.people.users,
        "cards": data.people.cards,
        "mcc_codes": categories_table(),
    }
    params: dict[str, float | int | str] = {
        "transactions": transactions, "history": history, "batch": batch, "seed": seed,
    }  # fmt: skip
    figures = Figures("score", params)
    with tempfile.TemporaryDirectory(dir=settings.home.parent) as folder:
        home = Path(folder)
        own = settings.model_copy(update={"home": home, "lake": f"file:{home}/lake"})
        save_model(home / "model", seed)
        model = load(home / "model").named("bench", 1)
        lake, watch = Lake(own), Watch(_OneModel(model), 60, lambda _: None)
        watch.look()
        scoring = Scoring(lake, Tables(lake, own.stream_cache_mb << 20), watch, ScoreMetrics())
        said(f"{history:,} transactions to look back at")
        for name, table in people.items():
            scoring.remember(_records(name, table, 0))
        for begin in range(0, history, 20_000):
            size = min(20_000, history - begin)
            scoring.remember(_records("transactions", rows.slice(begin, size), begin))
        given = [
            _records("transactions", rows.slice(begin, batch), begin)
            for begin in range(history, history + transactions, batch)
        ]
        said(f"{transactions:,} transactions to score, {batch:,} at once")
        process, seconds, alerts = psutil.Process(), list[float](), 0
        look_seldom_for_garbage()
        began, before = time.monotonic(), process.cpu_times()
        committed = began
        for records in given:
            at = time.process_time()
            alerts += len(scoring.score(records, _ends(records)))
            seconds.append(time.process_time() - at)
            if time.monotonic() - committed >= own.score_commit_ms / 1000:
                committed = time.monotonic()
                scoring.commit()
        scoring.commit()
        wall, after = time.monotonic() - began, process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    done = sum(records.num_rows for records in given)
    yield figures.of("transactions_per_second", done / wall, "transactions/s")
    yield figures.of("transactions_per_cpu_second", done / spent, "transactions/s")
    yield figures.of("cpu_seconds_per_million", spent / done * 1e6, "s")
    yield from figures.spread("batch_cpu", [one * 1000 for one in seconds], "ms")
    yield figures.of("alerts", alerts, "alerts")
    yield figures.of("peak_rss", process.memory_info().rss / 2**20, "MiB")


def _records(table: str, rows: pa.Table, first: int) -> pa.Table:
    """The rows as the connector sends them, in a partition with these offsets."""
    plain = pa.table(
        {
            f.name: column.cast(pa.int64()) if pa.types.is_timestamp(f.type) else column
            for f, column in zip(rows.schema, rows.columns, strict=True)
            if f.name not in ("card_number", "cvv")
        }
    )
    values: list[Any] = []
    for place, row in enumerate(plain.to_pylist()):
        source = {"file": "binlog.000001", "pos": 1000 + first + place, "ts_ms": 1_500_000_000_000}
        values.append(_encode({"op": "c", "source": source, "before": None, "after": row}))
    count = len(values)
    columns = {
        "topic": pa.repeat(table_topic(DATABASE, table), count),
        "partition": pa.repeat(pa.scalar(0, pa.int32()), count),
        "offset": pa.array(range(first, first + count), pa.int64()),
        "kafka_ts": pa.repeat(pa.scalar(0, pa.timestamp("us", tz="UTC")), count),
        "epoch": pa.repeat("1", count),
        "key": pa.nulls(count, pa.binary()),
        "value": pa.array(values, pa.binary()),
    }
    return pa.table(columns, schema=RECORDS)


def _ends(records: pa.Table) -> dict[Place, int]:
    return {(records["topic"][0].as_py(), 0): records["offset"][-1].as_py() + 1}
