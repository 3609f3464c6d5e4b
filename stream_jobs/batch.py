"""One micro-batch, from Kafka records to bronze, alerts, gold and silver.

The order of the writes is what makes a batch repeatable: silver, from which old state is read,
comes last, so a batch that was cut short anywhere computes the same again; and each table has each
batch at most once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from connectors.config import HEARTBEAT_TABLE, TOPIC_PREFIX
from connectors.letters import REPLAY_TOPIC
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts
from stream_jobs.decoding import Decode, decode, decoders
from stream_jobs.io.metrics import Metrics
from stream_jobs.io.writer import Writer
from stream_jobs.shapes import Patch
from stream_jobs.state.cards import USED, Cards
from stream_jobs.state.merchants import Merchants
from stream_jobs.state.status import Status
from stream_jobs.state.truncates import Truncates
from stream_jobs.transforms import gold
from stream_jobs.transforms.alerts import alert_patch
from stream_jobs.transforms.calendar import days
from stream_jobs.transforms.current import Step, latest_per_key, overtake, truncated
from stream_jobs.transforms.envelope import Decoded
from stream_jobs.transforms.freshness import ages, batch_rows, freshness_rows, heartbeats
from stream_jobs.transforms.history import HISTORIES, first_seen, history_patch, prefixes
from stream_jobs.transforms.patch import patch_between
from stream_jobs.transforms.rules import Rules

__all__ = ["BatchProcessor"]

_log = logging.getLogger(__name__)
Write = tuple[Contract, pa.Table | Patch]  # rows are appended, a patch is merged
_REPLAYS = REPLAY_TOPIC.rsplit(".", 1)[-1]


@dataclass
class _Tally:
    """What one batch did, for ``pipeline_batches`` and ``pipeline_freshness``."""

    batch_id: int
    started: float = field(default_factory=time.time)
    measured: dict[tuple[str, str], tuple[int, tuple[float, ...]]] = field(default_factory=dict)

    def see(self, hop: str, changes: dict[str, pa.Table], seen_us: int | None = None) -> None:
        """Note how old the tables' streamed changes are at this hop."""
        for table, rows in changes.items():
            if rows.num_rows:
                at = rows.column("kafka_ts") if hop == "kafka" else seen_us or _now_us()
                age = ages(rows.column("_source_ts"), at)
                self.measured[table, hop] = (rows.num_rows, age)


class BatchProcessor:
    """Applies micro-batches to the lake.

    Args:
        settings: thresholds of the rules.
        lake: the tables.
        writer: reads silver, and writes each table once per batch.
        metrics: where figures go.
        on_orders: called with records of the topic of orders (:mod:`connectors.letters`) before
            the batch that brought them is noted as done.
    """

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        writer: Writer,
        metrics: Metrics,
        on_orders: Callable[[pa.Table], None] = lambda _: None,
    ) -> None:
        self._decoders = decoders()
        self._silver = {name: contracts.get(f"silver.{name}") for name in self._decoders}
        # Batch 0 of a writer: the calendar never changes, so it is written once and for all.
        if lake.ensure(contracts.get("gold.dim_date")).version() == 0:
            writer.append(contracts.get("gold.dim_date"), days(), 0)
        booked = self._silver["transactions"]
        rules = Rules.of(settings)
        self._cards = Cards(lake, rules, lambda spans: writer.between(booked, spans, USED))
        self._merchants = Merchants(lake)
        self._status = Status(lake)
        self._truncates = Truncates(lake)
        self._writer = writer
        self._metrics = metrics
        self._on_orders = on_orders
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="write")

    def process(self, records: pa.Table, batch_id: int) -> bool:
        """Apply one batch of Kafka records (:data:`~stream_jobs.shapes.RECORDS`).

        Doing the same batch again, wholly or after being cut short, changes nothing twice.

        Returns:
            False when there are no records, and nothing was done.
        """
        return self.apply(partial(decode, self._decoders, records, batch_id), batch_id)

    def apply(self, decode_batch: Decode, batch_id: int) -> bool:
        """The same for a batch that is decoded elsewhere.

        It is decoded anew when its own schema changes stop a table.
        """
        tally = _Tally(batch_id)
        held = self._status.held()
        found = decode_batch(held)
        if not found.ends.num_rows:
            return False
        self._status.observe(found.others.get(TOPIC_PREFIX))  # the topic of schema changes
        if self._status.held() != held:
            found = decode_batch(self._status.held())
        decoded = found.decoded
        for name, one in decoded.items():
            if one.schema_problem:
                self._status.stop(name, one.schema_problem)
        steps = {name: self._step(name, one.changes) for name, one in decoded.items()}
        streamed = {name: _streamed(one.changes) for name, one in decoded.items()}
        if HEARTBEAT_TABLE in found.others:
            streamed[HEARTBEAT_TABLE] = heartbeats(found.others[HEARTBEAT_TABLE])
        tally.see("kafka", streamed)

        writes = [*self._gold(steps), *self._histories(decoded)]
        self._write([*writes, *self._bronze(decoded)], batch_id)
        tally.see("bronze", streamed)
        tally.see("gold", streamed)
        self._write(self._silver_writes(steps), batch_id)
        tally.see("silver", streamed)
        if _REPLAYS in found.others:
            self._on_orders(found.others[_REPLAYS])
        self._log(tally, found.ends, decoded, steps)
        return True

    def stopped(self, table: str) -> str:
        """Why a source table is stopped; empty while it flows."""
        return self._status.stopped(table)

    def resume(self, table: str) -> None:
        """Let a stopped table flow; that it does is written with the next batch."""
        self._status.resume(table)

    def decode(self, table: str, records: pa.Table) -> Decoded:
        """What records of a table that were set aside are by today's contract."""
        return self._decoders[table].decode(records, -1)

    def again(self, table: str, found: Decoded, writer: Writer) -> None:
        """Apply what fits of records that were set aside, in a batch of its own.

        Args:
            table: source table.
            found: what its records are; its rejects still cannot be applied.
            writer: writer with an application id of its own, which stays the same when the same
                has to be done again.
        """
        step = self._step(table, found.changes)
        writes = [*self._gold({table: step}), *self._histories({table: found})]
        self._write(writes, 0, writer)
        self._write(self._silver_writes({table: step}), 0, writer)
        moved = step.applied + step.superseded
        counts = {table: (0, step.applied, step.superseded, -moved)}
        ends = found.bronze.slice(0, 0).select(["topic", "partition", "offset"])
        batches = batch_rows(-1, counts, ends, time.time(), _now_us())
        self._write([(contracts.get("gold.pipeline_batches"), batches)], 0, writer)

    def _step(self, name: str, changes: pa.Table) -> Step:
        silver = self._silver[name]
        key = silver.key
        is_truncate = pc.equal(changes["op"], "t")
        truncates, rest = changes.filter(is_truncate), changes.filter(pc.invert(is_truncate))
        self._truncates.see(name, truncates["_order_token"], first_seen(truncates))
        # What happened before the last truncate is overtaken by it, whenever it arrives.
        since = rest.filter(pc.greater(rest["_order_token"], self._truncates.last(name)))
        latest = latest_per_key(since, key)
        current = self._writer.of(silver, latest.column(key[0]))
        step = overtake(latest, current, key, rest.num_rows, silver.column_names)
        return self._emptied(name, step, truncates) if truncates.num_rows else step

    def _emptied(self, name: str, step: Step, truncates: pa.Table) -> Step:
        """The step, with a delete of every row that stood before the last truncate."""
        (key,) = self._silver[name].key
        token = self._truncates.last(name)
        is_last = pc.equal(truncates["_order_token"], token)
        applied = pc.sum(is_last).as_py()
        live = self._writer.live(self._silver[name])
        before = pc.less(live["_order_token"], token)
        again = pc.is_in(live[key], value_set=_flat(step.new[key]))
        old = live.filter(pc.and_(before, pc.invert(again)))
        cause = truncates.take([truncates.num_rows - 1]).to_pylist()[0]
        gone = truncated(old, token, cause["_source_ts"], cause["_batch_id"])
        return Step(
            pa.concat_tables([step.new.cast(gone.schema), gone]),
            pa.concat_tables([step.old.cast(old.schema), old]),
            step.applied + applied,
            step.superseded + truncates.num_rows - applied,
        )

    def _gold(self, steps: dict[str, Step]) -> list[Write]:
        """What the steps change in gold."""
        dimensions: list[Write] = []
        for name, (source, _) in gold.DIMENSIONS.items():
            if source in steps:
                step, contract = steps[source], contracts.get(f"gold.{name}")
                old, new = gold.dim_rows(name, step.old), gold.dim_rows(name, step.new)
                patch = patch_between(old, new, contract.key[0])
                dimensions.append((contract, patch))
        if not {"transactions", "fraud_labels"} & steps.keys():
            return dimensions
        old, new = self._wide(steps)
        moved = gold.moves(old, new)
        if moved.num_rows == 0:
            return dimensions
        fact = contracts.get("gold.fact_transactions")
        patch = patch_between(gold.fact_rows(old), gold.fact_rows(new), fact.key[0])
        merchant = contracts.get("gold.dim_merchant")
        merchants = self._merchants.move(moved)
        # What takes longest first: the rest is written beside it.
        writes = [(fact, patch), *gold.partials(moved), (merchant, merchants), *dimensions]
        if "fraud_labels" in steps:  # which the rules do not look at
            moved = gold.moves(_unlabelled(old), _unlabelled(new))
        change = self._cards.move(moved)
        patch = alert_patch(change.old, change.new, new, self._wide_of, _now_us())
        writes.append((contracts.get("gold.fraud_alerts"), patch))
        return writes

    def _histories(self, decoded: dict[str, Decoded]) -> Iterator[Write]:
        """What the changes add to the past of customers and cards.

        It follows from the changes and from what is there of them, not from silver, which does not
        keep what was superseded. A batch that is done again finds its changes there already.
        """
        for name, dimension in HISTORIES.items():
            source, _ = gold.DIMENSIONS[dimension]
            changes = decoded[source].changes if source in decoded else None
            if changes is None or not changes.num_rows:
                continue
            contract = contracts.get(f"gold.{name}")
            emptied = pc.any(pc.equal(changes["op"], "t")).as_py()
            begin = pa.array([""]) if emptied else prefixes(changes[self._silver[source].key[0]])
            standing = self._writer.under(contract, begin)
            truncates = self._truncates.of(source)
            yield contract, history_patch(name, standing, changes, truncates)

    def _wide(self, steps: dict[str, Step]) -> tuple[pa.Table, pa.Table]:
        """The touched transactions with their labels, before and after the batch."""
        label_step, step = steps.get("fraud_labels"), steps.get("transactions")
        ids = _union(step and step.new["id"], label_step and label_step.new["transaction_id"])
        old_labels, old_booked = self._rows("fraud_labels", ids), self._rows("transactions", ids)
        old = gold.wide(old_booked, old_labels)
        new_labels = _overlay(old_labels, label_step and label_step.new, "transaction_id")
        new_booked = _overlay(old_booked, step and step.new, "id")
        return old, gold.wide(new_booked, new_labels)

    def _wide_of(self, ids: pa.Array) -> pa.Table:
        return gold.wide(self._rows("transactions", ids), self._rows("fraud_labels", ids))

    def _rows(self, name: str, keys: pa.Array) -> pa.Table:
        return self._writer.of(self._silver[name], keys)

    def _bronze(self, decoded: dict[str, Decoded]) -> list[Write]:
        bronze, dead = contracts.get("bronze.changes"), contracts.get("bronze.dead_letters")
        if not decoded:
            return []
        changes = pa.concat_tables([found.bronze for found in decoded.values()])
        rejects = pa.concat_tables([found.rejects for found in decoded.values()])
        for row in rejects.select(["topic", "partition", "offset", "detail"]).to_pylist()[:5]:
            _log.warning(
                "%(topic)s[%(partition)d]@%(offset)d set aside: %(detail)s; "
                "`finlake dead-letters list` shows all",
                row,
            )
        return [(bronze, changes), (dead, rejects)]

    def _silver_writes(self, steps: dict[str, Step]) -> list[Write]:
        writes: list[Write] = []
        for name, step in steps.items():
            key = self._silver[name].key[0]
            there = pc.is_in(step.new[key], value_set=_flat(step.old[key]))
            patch = Patch(
                step.new.filter(pc.invert(there)),
                step.new.filter(there),
                step.old.slice(0, 0).select([key]),
            )
            writes.append((self._silver[name], patch))
        return writes

    def _write(self, writes: Iterable[Write], batch_id: int, writer: Writer | None = None) -> None:
        """Do independent writes side by side; the first that fails ends the batch."""
        use = writer or self._writer
        waiting = [
            self._threads.submit(use.merge, contract, rows, batch_id)
            if isinstance(rows, Patch)
            else self._threads.submit(use.append, contract, rows, batch_id)
            for contract, rows in writes
            if rows.num_rows
        ]
        for one in waiting:
            one.result()

    def _log(
        self,
        tally: _Tally,
        ends: pa.Table,
        decoded: dict[str, Decoded],
        steps: dict[str, Step],
    ) -> None:
        now = _now_us()
        counts = {
            name: (
                found.bronze.num_rows,
                steps[name].applied,
                steps[name].superseded,
                found.rejects.num_rows,
            )
            for name, found in decoded.items()
        }
        batches = batch_rows(tally.batch_id, counts, ends, tally.started, now)
        freshness = freshness_rows(tally.measured, tally.batch_id, now)
        log: list[Write] = [
            (contracts.get("gold.pipeline_batches"), batches),
            (contracts.get("gold.pipeline_freshness"), freshness),
            (contracts.get("gold.pipeline_status"), self._status.changed()),
        ]
        self._write(log, tally.batch_id)
        self._metrics.batch(counts, tally.measured, time.time() - tally.started)


def _streamed(changes: pa.Table) -> pa.Table:
    """Changes of the running source; what a snapshot read was committed at any time before."""
    return changes.filter(pc.not_equal(changes["op"], "r"))


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _unlabelled(wide: pa.Table) -> pa.Table:
    nothing = pa.nulls(wide.num_rows, pa.string())
    return wide.set_column(wide.column_names.index("label"), "label", nothing)


def _union(*columns: pa.ChunkedArray | None) -> pa.Array:
    there = [_flat(c) for c in columns if c is not None]
    return pc.unique(pa.concat_arrays(there))


def _overlay(rows: pa.Table, newer: pa.Table | None, key: str) -> pa.Table:
    """The rows, with the newer ones in the place of those with the same key."""
    if newer is None:
        return rows
    rest = rows.filter(pc.invert(pc.is_in(rows[key], value_set=_flat(newer[key]))))
    return pa.concat_tables([rest, newer.cast(rest.schema)])


def _now_us() -> int:
    return time.time_ns() // 1000
