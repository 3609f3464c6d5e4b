"""A lake of any size, made straight as Delta tables, without source, Kafka or stream.

The rows are those of ``finlake generate``, the gold rows those of the stream's own statements, and
the files those that its writer leaves: sorted by key, of the size that they grow to when they are
let alone; the newest transactions lie in small files, as many as a stream has written that was not
tidied up after yet. Made up are: an alert for each transaction that is known to be fraud, one batch
a second of measurements for an hour, and the places in the source's log; without silver also scores
and what is noted of models (``models_noted.py``), which nothing can be trained beside.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_jobs.ahead import ahead
from batch_jobs.bench.models_noted import noted
from batch_jobs.generate.dataset import Dataset, Part
from batch_jobs.generate.people import categories_table
from batch_jobs.generate.plan import FIRST_ID, Plan
from batch_jobs.tokens import add_card_tokens
from finlake.errors import UsageProblem
from infra.lake.delta_log import DataFile, DeltaLog
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts
from models.features.events import Array
from stream_jobs.io import appended, keyed
from stream_jobs.io.writer import is_keyed
from stream_jobs.transforms import gold
from stream_jobs.transforms.calendar import days
from stream_jobs.transforms.rules import SEVERITY

__all__ = ["Made", "at", "make_lake"]

APP = "bench"
_FRESH_FILES, _FRESH_ROWS = 20, 1_000
_MEASURED_S = 3_600
_MARK = "bench.json"
_FORM = 5  # of the lake; another one is made anew


@dataclass(frozen=True)
class Made:
    """What was made: the newest number and moment, and how long it took."""

    form: int
    transactions: int
    seed: int
    users: int
    silver: bool
    last_id: int
    newest: str
    """Moment of the last transaction."""
    seconds: float


def at(settings: Settings, folder: Path) -> Settings:
    """The settings, with the lake in that folder."""
    return settings.model_copy(update={"lake": f"file:{folder}"})


def make_lake(
    settings: Settings,
    transactions: int,
    seed: int = 1,
    *,
    users: int = 0,
    silver: bool = True,
    said: Callable[[str], None] = lambda _: None,
) -> Made:
    """Fill the folder lake of the settings; one that has the same set already is taken as it is.

    Args:
        settings: the lake, and the key of card tokens.
        transactions: how many.
        seed: of the set.
        users: who make them; nought for as many as go with that size.
        silver: make silver too, so that a stream can go on from there.
        said: takes a line of progress.

    Raises:
        UsageProblem: when the folder holds something else.
    """
    plan = Plan(transactions, seed, users=users)
    root = Path(settings.lake.removeprefix("file:"))
    mark = root / _MARK
    if mark.is_file():
        found = json.loads(mark.read_text())
        wanted = (_FORM, transactions, seed, plan.users, silver)
        if (
            tuple(found.get(k) for k in ("form", "transactions", "seed", "users", "silver"))
            == wanted
        ):
            return Made(**found)
        shutil.rmtree(root)
    elif root.exists() and any(root.iterdir()):
        raise UsageProblem(f"{root} holds a lake that no benchmark has made; name another folder")
    began = time.monotonic()
    made = _Maker(settings, plan, silver, said).run(began)
    mark.write_text(json.dumps(asdict(made)))
    return made


class _Table:
    """Cuts rows into files of one size, and commits them all at the end."""

    def __init__(self, lake: Lake, name: str, rows: int) -> None:
        self._log = DeltaLog(lake, contracts.get(name))
        self._rows = rows
        self._waiting: list[pa.Table] = []
        self._count = 0
        self._files: list[DataFile] = []

    def add(self, rows: pa.Table) -> None:
        """Add rows behind those that are there."""
        if rows.num_rows:
            rows = rows.select(self._log.schema.names).cast(self._log.schema)
            self._waiting.append(rows)
            self._count += rows.num_rows
        while self._count >= self._rows:
            self._write(self._rows)

    def commit(self, batch: int) -> None:
        """One version with all that was added."""
        if self._count:
            self._write(self._count)
        if self._files:
            self._log.commit("WRITE", self._files, (), (APP, batch))
        self._files = []

    def _write(self, rows: int) -> None:
        whole = pa.concat_tables(self._waiting)
        self._files.append(self._log.write(whole.slice(0, rows).combine_chunks()))
        self._waiting = [whole.slice(rows)] if whole.num_rows > rows else []
        self._count = whole.num_rows - rows


class _Maker:
    def __init__(
        self, settings: Settings, plan: Plan, silver: bool, said: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._lake = Lake(settings)
        self._data = Dataset.make(plan)
        self._plan = plan
        self._silver = silver
        self._said = said
        self._tables: dict[str, _Table] = {}
        self._merchants = np.empty(0, dtype=np.int64)
        self._batch = 0

    def run(self, began: float) -> Made:
        self._people()
        left = self._plan.transactions
        newest = datetime.fromtimestamp(0, UTC)
        last = FIRST_ID
        for number, part in ahead(self._data.part, range(self._data.parts), workers=1):
            left -= part.transactions.num_rows
            for rows in self._cut(part, left <= 0):
                self._take(rows)
            if part.transactions.num_rows:
                newest = pc.max(part.transactions["date"]).as_py()
                last = pc.max(part.transactions["id"]).as_py()
            if number % 10 == 9:
                self._said(f"{self._plan.transactions - left:,} transactions")
        self._commit()
        self._measurements(newest)
        if not self._silver:
            for name, rows in noted(newest.date()):
                self._add(name, rows)
        self._commit()
        for contract in contracts.lake_tables() if self._silver else contracts.layer("gold"):
            self._lake.ensure(contract)
        return Made(
            _FORM,
            self._plan.transactions,
            self._plan.seed,
            self._plan.users,
            self._silver,
            last,
            newest.isoformat(),
            round(time.monotonic() - began, 1),
        )

    def _cut(self, part: Part, is_last: bool) -> Iterator[Part]:
        """The part; the end of the last one in pieces that are committed one by one."""
        rows, labels = part.transactions, part.labels
        fresh = min(_FRESH_FILES * _FRESH_ROWS, rows.num_rows // 2) if is_last else 0
        head = rows.num_rows - fresh
        starts = [0, *range(head, rows.num_rows, _FRESH_ROWS)]
        for start, end in zip(starts, [*starts[1:], rows.num_rows], strict=True):
            piece = rows.slice(start, end - start)
            ids = pc.is_in(labels["transaction_id"], value_set=piece["id"].combine_chunks())
            yield Part(piece, labels.filter(ids))
            if fresh:
                self._commit()

    def _take(self, part: Part) -> None:
        """Add a part to silver and to everything in gold that hangs on transactions."""
        booked = self._silver_rows("transactions", part.transactions)
        labels = self._silver_rows("fraud_labels", part.labels)
        if self._silver:
            self._add("silver.transactions", booked)
            self._add("silver.fraud_labels", labels)
        wide = gold.wide(booked, labels).sort_by("id")
        self._add("gold.fact_transactions", gold.fact_rows(wide))
        moved = wide.add_column(0, "sign", pa.array(np.ones(wide.num_rows, np.int32)))
        for contract, rows in gold.partials(moved):
            ordered = rows.sort_by([(k, "ascending") for k in contract.key])
            self._add(contract.full_name, ordered)
        self._new_merchants(gold.merchants(moved))
        frauds = pc.fill_null(pc.equal(wide["label"], "Yes"), False)
        self._alerts(wide.filter(frauds))
        if not self._silver:
            self._scores(wide, frauds.to_numpy())

    def _silver_rows(self, table: str, rows: pa.Table) -> pa.Table:
        """Source rows as the stream would have them in silver."""
        contract = contracts.get(f"silver.{table}")
        count = rows.num_rows
        (key,) = contract.key
        number = pc.utf8_lpad(rows[key].cast(pa.int64()).cast(pa.string()), 12, "0")
        token = pc.binary_join_element_wise("0001-00000001-", number, "-000000-", number, "")
        now = datetime.now(UTC)
        more = {
            "_order_token": token,
            "_is_deleted": pa.array(np.zeros(count, bool)),
            "_source_ts": pa.array([now] * count, pa.timestamp("us", tz="UTC")),
            "_batch_id": pa.array(np.full(count, self._batch)),
            "_extra": pa.nulls(count, pa.string()),
        }
        columns = [more[name] if name in more else rows[name] for name in contract.column_names]
        table_ = pa.Table.from_arrays(columns, names=contract.column_names)
        return table_.cast(contract.lake_schema)

    def _people(self) -> None:
        people = self._data.people
        cards = add_card_tokens(
            people.cards, self._settings.token_key_bytes, self._settings.token_key_id
        )
        rows = {"users": people.users, "cards": cards, "mcc_codes": categories_table()}
        for dim, (table, _) in gold.DIMENSIONS.items():
            silver = self._silver_rows(table, rows[table])
            if self._silver:
                self._add(f"silver.{table}", silver)
            self._add(f"gold.{dim}", gold.dim_rows(dim, silver))
        self._add("gold.dim_date", days())

    def _new_merchants(self, found: pa.Table) -> None:
        keys = found["merchant_key"].to_numpy()
        fresh = ~np.isin(keys, self._merchants)
        self._merchants = np.concatenate([self._merchants, keys[fresh]])
        self._add("gold.dim_merchant", found.filter(pa.array(fresh)).sort_by("merchant_key"))

    def _alerts(self, frauds: pa.Table) -> None:
        contract = contracts.get("gold.fraud_alerts")
        rules = sorted(SEVERITY)
        ids = frauds["id"].to_pylist()
        which = [rules[number % len(rules)] for number in ids]
        same = {
            "transaction_id": "id",
            "transaction_ts": "ts",
            "raised_at": "ts",
            "user_id": "client_id",
        }
        made = {
            "alert_id": pa.array(
                [f"{n}:{r}" for n, r in zip(ids, which, strict=True)], pa.string()
            ),
            "rule": pa.array(which, pa.string()),
            "severity": pa.array([SEVERITY[rule] for rule in which], pa.string()),
            "reason": pa.array([f"{rule} was met" for rule in which], pa.string()),
        }
        columns = [
            made[name] if name in made else frauds[same.get(name, name)]
            for name in contract.column_names
        ]
        rows = pa.Table.from_arrays(columns, names=contract.column_names)
        schema = contract.lake_schema
        self._add("gold.fraud_alerts", rows.cast(schema).sort_by("alert_id"))

    def _scores(self, wide: pa.Table, fraud: Array) -> None:
        """A score for each transaction: nearly all near nought, of frauds higher."""
        count = wide.num_rows
        if not count:
            return
        contract = contracts.get("gold.fraud_scores")
        random = self._plan.random("scores", wide["id"][0].as_py())
        scores = [
            np.where(fraud, random.random(count), random.beta(0.3, 40, count)) for _ in range(2)
        ]
        bands = np.array(["low", "medium", "high", "critical"])
        alerts = [score >= 0.4 for score in scores]
        made = {
            "transaction_id": wide["id"],
            "transaction_ts": wide["ts"],
            "user_id": wide["client_id"],
            "scored_at": wide["ts"],
            "card_last4": pa.nulls(count, pa.string()),
            "score": pa.array(scores[0]),
            "band": pa.array(bands[np.digitize(scores[0], [0.2, 0.4, 0.7])].tolist()),
            "is_alert": pa.array(alerts[0]),
            "reasons": pc.if_else(pa.array(alerts[0]), "amount", pa.scalar(None, pa.string())),
            "model": pa.repeat("finlake-fraud", count),
            "model_version": pa.repeat(1, count),
            "note": pa.nulls(count, pa.string()),
            "challenger_score": pa.array(scores[1]),
            "challenger_alert": pa.array(alerts[1]),
            "challenger_version": pa.repeat(2, count),
        }
        columns = [made.get(name, name) for name in contract.column_names]
        columns = [wide[one] if isinstance(one, str) else one for one in columns]
        rows = pa.Table.from_arrays(columns, names=contract.column_names)
        self._add(contract.full_name, rows.cast(contract.lake_schema))

    def _measurements(self, newest: datetime) -> None:
        """An hour of one batch a second, as the stream notes them."""
        tables = ("transactions", "fraud_labels", "users", "cards", "finlake_heartbeat")
        hops = ("kafka", "bronze", "gold", "silver")
        random = self._plan.random("measurements")
        freshness = contracts.get("gold.pipeline_freshness").arrow_schema()
        count = _MEASURED_S * len(tables) * len(hops)
        second = np.repeat(np.arange(_MEASURED_S), len(tables) * len(hops))
        end = np.datetime64(newest.replace(tzinfo=None), "us")
        median = random.lognormal(6.5, 0.3, count)
        columns = [
            pa.array(end - (_MEASURED_S - second).astype("timedelta64[s]")).cast(
                pa.timestamp("us", tz="UTC")
            ),
            pa.array(second),
            pa.array(np.tile(np.repeat(tables, len(hops)), _MEASURED_S).tolist(), pa.string()),
            pa.array(np.tile(hops, _MEASURED_S * len(tables)).tolist(), pa.string()),
            pa.array(random.integers(1, 700, count)),
            pa.array(median),
            pa.array(median * 1.4),
            pa.array(median * 1.8),
        ]
        self._add("gold.pipeline_freshness", pa.Table.from_arrays(columns, schema=freshness))
        batches = contracts.get("gold.pipeline_batches").arrow_schema()
        rows = [
            (
                number,
                table,
                400,
                398,
                2,
                0,
                newest - timedelta(seconds=_MEASURED_S - number),
                350.0,
                "{}",
            )
            for number in range(_MEASURED_S)
            for table in tables[:4]
        ]
        columns = [
            pa.array(values, f.type)
            for values, f in zip(zip(*rows, strict=True), batches, strict=True)
        ]
        self._add("gold.pipeline_batches", pa.Table.from_arrays(columns, schema=batches))

    def _add(self, name: str, rows: pa.Table) -> None:
        if name not in self._tables:
            contract = contracts.get(name)
            size = keyed.FULL_ROWS if is_keyed(contract) else appended.FULL_ROWS
            self._tables[name] = _Table(self._lake, name, size)
        self._tables[name].add(rows)

    def _commit(self) -> None:
        for table in self._tables.values():
            table.commit(self._batch)
        self._batch += 1
