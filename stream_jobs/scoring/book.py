"""What is known of transactions, labels, cards and customers as of the newest change.

Knows neither Kafka nor the lake nor a model: changes in, rows of features out. Changes may come
late, twice and in any order: the newest by order token counts, as in silver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import contracts
from models.features import Events
from models.features.batch import lookback
from models.features.encode import FACTS, Attributes, events_of
from models.features.events import Array
from models.features.kernel import LABEL_DELAY
from models.features.marks import MARK_WINDOW
from models.features.stream import FeatureStream
from models.features.view import DAY
from stream_jobs.transforms import gold
from stream_jobs.transforms.current import latest_per_key

__all__ = ["TABLES", "Book", "Moved", "horizon"]

TABLES = ("users", "cards", "mcc_codes", "fraud_labels", "transactions")
"""Source tables that are read, those first that others look at."""

_DIMENSIONS = {source: name for name, (source, _) in gold.DIMENSIONS.items()}
_WAITING = 200_000  # labels that came before their transactions, at most
_FORGET_EVERY = 7 * DAY  # of event time


class Moved(NamedTuple):
    """What a batch did.

    ``rows`` are transactions with their ``features``; ``own`` says which of them were changed
    themselves: the others look at one that was. ``last4`` are the digits of their cards.
    ``too_old`` are changed transactions of before what is remembered, as events without features.
    """

    rows: Events
    features: Mapping[str, Array]
    own: Array
    last4: pa.Array
    gone: list[int]
    too_old: Events


def horizon(label_delay: int = LABEL_DELAY) -> int:
    """How far back transactions are remembered (microseconds): as any row or its marks look."""
    return lookback(label_delay) + MARK_WINDOW + DAY


class Book:
    """Applies changes and answers which features they give.

    Args:
        names: features that the models want; see :meth:`select`.
        label_delay: how old a transaction is when its label may be looked at, microseconds.
    """

    def __init__(self, names: Sequence[str] = (), label_delay: int = LABEL_DELAY) -> None:
        self._horizon = horizon(label_delay)
        self._features = FeatureStream(label_delay, names)
        self._tokens: dict[str, dict[int, str]] = {name: {} for name in TABLES}
        self._attributes = Attributes.of(*(_dimension(n, _EMPTY[n]) for n in _PARTS))
        self._last4: dict[int, str | None] = {}  # by card
        self._early: dict[int, int] = {}  # labels of transactions that are not here
        self._truncated = ""  # the order token of the last one
        self._newest: int | None = None
        self._forgotten: int | None = None

    def __len__(self) -> int:
        return len(self._features)

    def select(self, names: Sequence[str]) -> None:
        """Compute these features from now on."""
        self._features.select(names)

    def load(self, silver: Mapping[str, pa.Table], now_us: int) -> None:
        """Take in what the lake has: tables of silver columns by name, delete markers included."""
        for name in TABLES[:-1]:
            if name in silver:
                self._take_in(name, self._newer(name, silver[name]))
        if "transactions" in silver:
            rows = self._newer("transactions", silver["transactions"])
            self._features.load(self._events(_live(rows), now_us))

    def apply(self, changes: Mapping[str, pa.Table], now_us: int) -> Moved:
        """Apply changes by table, as :class:`~stream_jobs.transforms.envelope.Decoder` gives them.

        Args:
            changes: rows by source table; a table without changes may be left out.
            now_us: time now, microseconds since 1970; what is dated later is remembered and does
                not make others look old.
        """
        for name in TABLES[:-1]:
            if name in changes:
                self._take_in(name, self._newer(name, changes[name]))
        if "transactions" not in changes:
            nothing = self._features.look(())
            return self._moved(nothing.rows, nothing.features, [], Events.none())
        found = changes["transactions"]
        gone = self._emptied(found)
        found = found.filter(pc.greater(found["_order_token"], self._truncated))
        rows = self._newer("transactions", found)
        gone |= set(rows.filter(rows["_is_deleted"])["id"].to_pylist())
        events = self._events(_live(rows), now_us)
        late = events["ts"] < (self._forgotten or events["ts"].min(initial=0))
        known, too_old = events.take(~late), events.take(late)
        changed = self._features.apply(known, [*gone, *too_old["id"].tolist()])
        missing = set(known["id"].tolist()) - set(changed.rows["id"].tolist())
        features = changed.features
        every = changed.rows
        if missing:
            more = self._features.look(missing)
            every = Events.join([every, more.rows])
            features = {n: np.concatenate([v, more.features[n]]) for n, v in features.items()}
        moved = self._moved(every, features, sorted(gone), too_old, known["id"])
        self._forget()
        return moved

    def _moved(
        self,
        rows: Events,
        features: Mapping[str, Array],
        gone: list[int],
        too_old: Events,
        own: Array | tuple[()] = (),
    ) -> Moved:
        mine = np.isin(rows["id"], own)
        last4 = pa.array(map(self._last4.get, rows["card"].tolist()), pa.string())
        return Moved(rows, features, mine, last4, gone, too_old)

    def _newer(self, name: str, rows: pa.Table) -> pa.Table:
        """The newest row of each key, without those that an applied one has overtaken."""
        key = _KEYS[name]
        if name != "transactions" and "op" in rows.column_names:
            rows = rows.filter(pc.not_equal(rows["op"], "t"))
        rows = latest_per_key(rows, (key,))
        keys, tokens = rows[key].to_pylist(), rows["_order_token"].to_pylist()
        known = self._tokens[name]
        newer = [known.get(k, "") <= t for k, t in zip(keys, tokens, strict=True)]
        if not all(newer):
            mask = pa.array(newer, pa.bool_())
            rows = rows.filter(mask)
            keys, tokens = rows[key].to_pylist(), rows["_order_token"].to_pylist()
        known.update(zip(keys, tokens, strict=True))
        return rows

    def _take_in(self, name: str, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        if name == "fraud_labels":
            self._learn(rows)
            return
        keys = rows[_KEYS[name]]
        if name == "cards":
            digits = rows["card_last4"].to_pylist()
            self._last4.update(zip(keys.to_pylist(), digits, strict=True))
        part = {_PARTS[name]: _dimension(name, rows.select(_EMPTY[name].column_names))}
        self._attributes = self._attributes.but(keys.to_numpy(), **part)

    def _learn(self, rows: pa.Table) -> None:
        numbers = rows["transaction_id"].to_numpy()
        told = pc.if_else(pc.equal(rows["label"], "Yes"), 1, 0)
        labels = np.where(rows["_is_deleted"].to_numpy(), -1, told.to_numpy()).astype(np.int8)
        self._features.learn(numbers, labels)
        here = self._features.has(numbers)
        self._early.update(zip(numbers[~here].tolist(), labels[~here].tolist(), strict=True))
        while len(self._early) > _WAITING:
            del self._early[next(iter(self._early))]

    def _emptied(self, changes: pa.Table) -> set[int]:
        """The transactions that a truncate has taken out."""
        tokens = changes.filter(pc.equal(changes["op"], "t"))["_order_token"].to_pylist()
        if not tokens:
            return set()
        self._truncated = max(*tokens, self._truncated)
        known = self._tokens["transactions"]
        gone = {number for number, token in known.items() if token < self._truncated}
        known.update(dict.fromkeys(gone, self._truncated))
        return gone

    def _events(self, rows: pa.Table, now_us: int) -> Events:
        """Live silver rows as events with what labels are known of them."""
        if not rows.num_rows:
            return Events.none()
        facts = gold.fact_rows(gold.wide(rows, _NO_LABELS), FACTS)
        events = events_of(facts, self._attributes)
        labels = self._features.labels(events["id"])
        if self._early:
            early = [self._early.pop(number, -1) for number in events["id"].tolist()]
            labels = np.where(labels < 0, early, labels)
        times = events["ts"][events["ts"] <= now_us + DAY]
        if len(times):
            self._newest = max(int(times.max()), self._newest or int(times.max()))
        return Events({**events.columns, "label": labels.astype(np.int8)})

    def _forget(self) -> None:
        """Drop what nothing looks at any more, once for every week that passes."""
        if self._newest is None:
            return
        before = self._newest - self._horizon
        if self._forgotten is not None and before < self._forgotten + _FORGET_EVERY:
            return
        self._forgotten = before
        if self._features.forget(before):
            known = self._tokens["transactions"]
            numbers = np.fromiter(known, np.int64, len(known))
            for number in numbers[~self._features.has(numbers)].tolist():
                del known[number]
            labelled = self._tokens["fraud_labels"]
            numbers = np.fromiter(labelled, np.int64, len(labelled))
            for number in numbers[~self._features.has(numbers)].tolist():
                if number not in self._early:
                    del labelled[number]


_KEYS = {name: contracts.get(f"silver.{name}").key[0] for name in TABLES}
_EMPTY = {name: contracts.get(f"silver.{name}").lake_schema.empty_table() for name in TABLES}
_NO_LABELS = _EMPTY["fraud_labels"]
_PARTS = {"cards": "cards", "users": "customers", "mcc_codes": "categories"}  # of Attributes


def _dimension(name: str, silver: pa.Table) -> pa.Table:
    return gold.dim_rows(_DIMENSIONS[name], silver)


def _live(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.invert(rows["_is_deleted"]))


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
