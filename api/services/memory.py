"""The newest transactions of gold in memory, so that features of a row are made at once.

What is kept is as long as features look back, and some days more: a row may be dated so far before
the newest transaction. New transactions are taken up about a second after their commit; changes of
older ones at the next full reading, ten minutes later at most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import pyarrow as pa

from api.services.customers import Lake
from finlake.errors import FinlakeError
from lakehouse_schemas import contracts
from models.features import Events
from models.features.batch import lookback
from models.features.encode import FACTS, Attributes, events_of
from models.features.marks import MARK_WINDOW, mark, marked
from models.features.past import REACH, SEEN, Past
from models.features.view import DAY, View

__all__ = ["Known", "Memory"]

_LOG = logging.getLogger("finlake.api")
_LOOK_S: Final = 1.0
_LONG_S: Final = 10.0  # after which the one who asks waits until the newest is known
_WHOLE_S: Final = 600.0
_MOST_NEW: Final = 50_000
_CHUNK: Final = 50_000
_SPARE: Final = 7 * DAY
_TIMEOUT_S: Final = 60.0
_TABLES: Final = ("fact_transactions", "dim_card", "dim_user", "dim_mcc")

_COLUMNS: Final = ", ".join(FACTS)
_NEWEST: Final = (
    "SELECT max(transaction_ts) AS newest FROM gold.fact_transactions WHERE transaction_ts <= ?"
)
_SINCE: Final = f"SELECT {_COLUMNS} FROM gold.fact_transactions WHERE transaction_ts >= ?"
_LATER: Final = f"SELECT {_COLUMNS} FROM gold.fact_transactions WHERE transaction_id > ?"


@dataclass(frozen=True)
class Known:
    """What is known at one moment; exchanged as a whole.

    ``since`` and ``newest`` are in microseconds since 1970: rows dated from ``since`` on find all
    that their features look at. ``owners`` are customers by card.
    """

    base: Past
    new: Past
    attributes: Attributes
    owners: Mapping[int, int]
    users: frozenset[int]
    categories: Mapping[int, str]
    versions: tuple[int, ...]
    since: int
    newest: int
    last_id: int
    read_at: float

    def __len__(self) -> int:
        return len(self.base) + len(self.new)

    def history(self, rows: Events, reach: Mapping[str, int] = REACH) -> Events:
        """What features of the rows look at."""
        base = self.base.of_rows(rows, reach)
        if not len(self.new):
            return base
        return Events.join([base, self.new.of_rows(rows, reach)]).ordered()

    def events(self, facts: pa.Table) -> Events:
        """Rows with the columns ``FACTS`` as events."""
        return events_of(facts, self.attributes)


class Memory:
    """Reads gold when it is first asked, and again beside the requests when gold has changed."""

    def __init__(self, lake: Lake, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Known | None = None
        self._looked = 0.0
        self._looking = False
        self.problem = ""

    @property
    def kept(self) -> Known | None:
        """What is known, without looking; None before anybody has asked."""
        return self._known

    def known(self) -> Known:
        """What is known, at most a second or so behind gold while it is asked for.

        Raises:
            ComponentMissing: the lake cannot be reached, and has not been read yet.
        """
        if self._known is None:
            return self.refresh()
        if not self._looking and self._clock() - self._looked >= _LOOK_S:
            self._looking = True
            if self._clock() - self._looked >= _LONG_S:
                self._renew()
            else:
                threading.Thread(target=self._renew, name="memory", daemon=True).start()
        return self._known

    def refresh(self) -> Known:
        """Look now, and wait for it. Raises as :meth:`known` does."""
        with self._lock:
            before = self._known
            versions = self._versions()
            if before is None or versions[1:] != before.versions[1:]:
                self._known = self._read(versions)
            elif versions != before.versions:
                late = self._clock() - before.read_at >= _WHOLE_S
                self._known = self._read(versions) if late else self._more(before, versions)
            assert self._known is not None  # noqa: S101 (it was read just now)
            self._looked = self._clock()
            return self._known

    def _renew(self) -> None:
        try:
            self.refresh()
            self.problem = ""
        except FinlakeError as error:  # what is known stays
            if not self.problem:
                _LOG.warning("gold could not be read again", extra={"reason": str(error)[:200]})
            self.problem = str(error)
        finally:
            self._looked = self._clock()
            self._looking = False

    def _versions(self) -> tuple[int, ...]:
        return tuple(self._lake.version(f"gold.{name}") for name in _TABLES)

    def _read(self, versions: tuple[int, ...]) -> Known:
        cards, users, categories = (
            self._lake.query(f"SELECT * FROM gold.{name}", (), _TIMEOUT_S) for name in _TABLES[1:]
        )
        soon = pa.scalar(time.time_ns() // 1000 + DAY, pa.timestamp("us", tz="UTC")).as_py()
        row = self._lake.query(_NEWEST, [soon], _TIMEOUT_S)["newest"]
        newest = row.cast(pa.int64())[0].as_py() or 0
        since = newest - _SPARE
        begin = pa.scalar(since - lookback() - MARK_WINDOW, pa.timestamp("us", tz="UTC")).as_py()
        facts = self._lake.query(_SINCE, [begin], _TIMEOUT_S)
        events = _slim(facts)
        base = Past.of(marked(events))
        return Known(
            base=base,
            new=Past.of(_slim(facts.slice(0, 0))),
            attributes=Attributes.of(cards, users, categories),
            owners=dict(
                zip(cards["card_id"].to_pylist(), cards["user_id"].to_pylist(), strict=True)
            ),
            users=frozenset(users["user_id"].to_pylist()),
            categories=dict(
                zip(
                    categories["mcc"].to_pylist(),
                    categories["description"].to_pylist(),
                    strict=True,
                )
            ),
            versions=versions,
            since=since,
            newest=newest,
            last_id=int(events["id"].max(initial=0)),
            read_at=self._clock(),
        )

    def _more(self, before: Known, versions: tuple[int, ...]) -> Known:
        """The same with the transactions that came since; all of it anew when they are many."""
        facts = self._lake.query(_LATER, [before.last_id], _TIMEOUT_S)
        if facts.num_rows > _MOST_NEW:
            return self._read(versions)
        events = _slim(facts)
        cards = {"card": MARK_WINDOW}
        history = Events.join([before.base.of_rows(events, cards), events]).ordered()
        new = Events({**events.columns, "mark": mark(View(history, events))})
        ahead = time.time_ns() // 1000 + DAY
        times = new["ts"][new["ts"] <= ahead]
        newest = max(before.newest, int(times.max(initial=0)))
        return replace(before, new=Past.of(new), versions=versions, newest=newest)


def _slim(facts: pa.Table) -> Events:
    """Events of facts with the columns of ``SEEN``, made piece by piece for they are wide."""
    parts = []
    for begin in range(0, max(1, facts.num_rows), _CHUNK):
        events = events_of(facts.slice(begin, _CHUNK), _nobody())
        parts.append(Events({name: events[name] for name in SEEN}))
    return Events.join(parts).ordered()


def _empty(name: str) -> Any:
    return contracts.get(f"gold.{name}").lake_schema.empty_table()


@cache
def _nobody() -> Attributes:
    return Attributes.of(_empty("dim_card"), _empty("dim_user"), _empty("dim_mcc"))
