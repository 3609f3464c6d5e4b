"""Stretches of the lake's transactions, as models see them and as they are judged by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from batch_jobs.train.reading import midnight, read
from infra.lake.query import Query
from infra.settings import Settings
from models.features import Events
from models.features.events import Array
from models.features.view import DAY
from models.lifecycle import segments
from models.training.matrix import matrix
from models.training.prequential import BLOCKED_DAYS, DELAY_DAYS
from models.training.split import blocked, day_number

__all__ = ["Days", "History", "Labelled"]

Days = tuple[date, date]
"""First and last day, both included, UTC."""


@dataclass(frozen=True)
class Labelled:
    """Transactions with a label: what a model sees of them, and what is known beside it.

    ``values`` has a row for each and a column for each of ``names``; ``segments`` is as
    ``models.lifecycle.segments`` has it.
    """

    names: tuple[str, ...]
    values: Array
    day: Array
    card: Array
    label: Array
    segments: dict[str, Array]

    def of(self, names: Sequence[str]) -> Array:
        """The columns of these names, in this order."""
        return self.values[:, [self.names.index(name) for name in names]]


class History:
    """Reads the lake as it is now, a stretch of days at a time.

    Every method raises ``ComponentMissing`` when the lake cannot be read, and those that are given
    days raise ``FinlakeError`` when there is no transaction.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._query = Query(settings)

    def newest(self) -> date | None:
        """Day of the newest transaction; ``None`` while there is none."""
        return self._newest("true")

    def newest_label(self) -> date | None:
        """Day of the newest transaction that has a label."""
        return self._newest("is_fraud IS NOT NULL")

    def _newest(self, where: str) -> date | None:
        found = self._query.query(
            f"SELECT max(transaction_ts) AS newest FROM gold.fact_transactions WHERE {where}"
        )
        newest: datetime | None = found.column("newest")[0].as_py()
        return _day(newest) if newest else None

    def sample(self, days: Days, names: Sequence[str], most: int) -> Array:
        """Features of the transactions of these days, of ``most`` of them where there are more."""
        events, wanted = self.events(days)
        places = np.flatnonzero(wanted)
        if len(places) > most:
            places = np.random.default_rng(0).choice(places, most, replace=False)
        drawn = np.zeros(len(events), dtype=bool)
        drawn[places] = True
        return matrix(events, drawn, names=names)

    def labelled(self, days: Days, names: Sequence[str]) -> Labelled:
        """Transactions of these days that have a label, in order of (time, number).

        Left out are those of a card of which a fraud had just become known, as in training.
        """
        events, which = self.events(days)
        rows = np.flatnonzero(which & (events["label"] >= 0))
        rows = rows[~blocked(events, rows, DELAY_DAYS, BLOCKED_DAYS)]
        which = np.zeros(len(events), dtype=bool)
        which[rows] = True
        return Labelled(
            names=tuple(names),
            values=matrix(events, which, names=names),
            day=np.floor_divide(events["ts"][which], DAY),
            card=events["card"][which],
            label=events["label"][which],
            segments=self.segments(days, events["id"][which]),
        )

    def events(self, days: Days) -> tuple[Events, Array]:
        """Events as far back as those of the days look, and which of them are of the days."""
        events = read(self._settings, *days).events
        return events, events["ts"] >= day_number(days[0]) * DAY

    def segments(self, days: Days, numbers: Array) -> dict[str, Array]:
        """In which parts these transactions of the days are, by division, in their order."""
        columns = ", ".join(segments.COLUMNS)
        begin, end = (midnight(day) for day in (days[0], days[1] + timedelta(1)))
        found = self._query.query(
            f"SELECT transaction_id, {columns} FROM gold.fact_transactions"
            " LEFT JOIN gold.dim_card USING (card_id)"
            " WHERE transaction_ts >= ? AND transaction_ts < ? ORDER BY transaction_id",
            (begin, end),
        )
        known = found.column("transaction_id").to_numpy()
        place = np.searchsorted(known, numbers)
        place = np.minimum(place, max(0, len(known) - 1))
        return segments.segments(found.take(pa.array(place, mask=known[place] != numbers)))


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
