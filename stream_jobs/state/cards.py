"""What each card did lately, for the fraud rules."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.shapes import Span
from stream_jobs.transforms.card import EVER, KEEP, Card, Found
from stream_jobs.transforms.idle import Idle
from stream_jobs.transforms.places import is_abroad
from stream_jobs.transforms.rules import Rules, first_abroad_reason, uses_of
from stream_jobs.transforms.sql import run
from stream_jobs.transforms.uses import Use

__all__ = ["USED", "AlertChange", "Cards"]

USED = ("card_id", "date", "id", "amount", "use_chip", "merchant_state", "errors", "_is_deleted")
"""Columns of ``silver.transactions`` that the rules look at."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # of years 1 to 9999

_USES = """
SELECT card_id, CAST(date AS TIMESTAMP) AS ts, id, amount, use_chip, merchant_state, errors
FROM transactions WHERE NOT _is_deleted AND {where}"""
# A struct's first fields decide which is the greatest; a window would keep every row in memory.
_LAST = f"""
SELECT card_id, last.* FROM (
    SELECT card_id, max({{{{ts: ts, id: id, amount: amount, use_chip: use_chip,
        merchant_state: merchant_state, errors: errors}}}}) AS last
    FROM ({_USES}) GROUP BY card_id)"""
_USES_SCHEMA = pa.schema(
    [
        ("card_id", pa.int32()),
        ("ts", pa.timestamp("us")),
        ("id", pa.int64()),
        ("amount", pa.decimal128(12, 2)),
        ("use_chip", pa.string()),
        ("merchant_state", pa.string()),
        ("errors", pa.string()),
    ]
)


@dataclass(frozen=True)
class AlertChange:
    """Alerts, as (transaction, rule) to reason, before and after a batch, of what it touches."""

    old: Found
    new: Found


class Cards:
    """Recent uses per card, as of the last finished batch, read back from silver at the start.

    A change that lies further back than what is remembered is judged over the card's uses of those
    days from the lake, so that a late change has the same effect as a timely one.

    Args:
        lake: where silver is.
        rules: thresholds.
        between: gives :data:`USED` of ``silver.transactions`` in spans of time, as of the last
            finished batch.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        lake: Lake,
        rules: Rules,
        between: Callable[[Sequence[Span]], pa.Table],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._idle = Idle(rules, clock())
        self._between = between
        self._since = EVER
        self._cards = defaultdict[int, Card](lambda: Card(self._since, rules))
        self._abroad: dict[tuple[int, int], str | None] = {}  # where each of their uses abroad was
        self._load(lake.ensure(contracts.get("silver.transactions")).to_pyarrow_dataset())

    def __len__(self) -> int:
        """Cards that are remembered."""
        return len(self._cards)

    def move(self, moved: pa.Table) -> AlertChange:
        """Take in the moves of a batch and say which alerts that changes.

        Args:
            moved: wide transactions with ``sign``, see :func:`stream_jobs.transforms.gold.moves`.
        """
        self._let_go()
        gone: dict[int, list[Use]] = defaultdict(list)
        come: dict[int, list[Use]] = defaultdict(list)
        numbers, uses = uses_of(moved)
        for number, use, sign in zip(numbers, uses, moved.column("sign").to_pylist(), strict=True):
            (come if sign > 0 else gone)[number].append(use)
            if is_abroad(use.state):
                self._abroad[use.ts, use.id] = use.state
        times = {n: sorted({u.ts for u in (*gone[n], *come[n])}) for n in {*gone, *come}}
        past = self._past(times)
        change = AlertChange({}, {})
        for number, touched in times.items():
            card = self._cards[number]
            seen = past.get(number, card)
            change.old.update(self._judge(seen, touched))
            for use in gone[number]:
                seen.take(use)
            for use in come[number]:
                seen.put(use)
            change.new.update(self._judge(seen, touched))
            if seen is not card:
                _keep(card, seen)
            card.trim(KEEP)
            self._idle.use(number)
        return change

    def _let_go(self) -> None:
        """Of what nobody used for long; it is read back from silver when it is needed again."""
        now = self._clock()
        self._idle.tell(now)
        for number in self._idle.to_rest():
            self._cards[number].rest()
        for number in self._idle.to_forget():
            since = self._cards[number].forgotten(now)
            if since is not None:
                del self._cards[number]
                self._since = max(self._since, since)

    def _judge(self, card: Card, times: Sequence[int]) -> Found:
        found = card.judge(times)
        if card.abroad:
            place = card.abroad[0]
            # It may be none of the uses at hand.
            found[place[1], "first_abroad"] = first_abroad_reason(self._abroad[place])
        return found

    def _past(self, times: dict[int, list[int]]) -> dict[int, Card]:
        """Cards with changes before what is remembered of them, with their uses of those days."""
        burst_us = self._rules.burst_us
        reach = max(burst_us, self._rules.travel_us)
        back: dict[int, list[int]] = {}
        for number, touched in times.items():
            card = self._cards.get(number)
            since = card.since if card else self._since
            late = [ts for ts in touched if ts - burst_us < since]
            if late:
                back[number] = late
        if not back:
            return {}
        spans = _joined((ts - reach, ts + reach) for late in back.values() for ts in late)
        rows = self._between([(_moment(start), _moment(end)) for start, end in spans])
        mine = pc.is_in(rows.column("card_id"), value_set=pa.array(list(back), pa.int32()))
        named = rows.filter(pc.and_not(mine, rows.column("_is_deleted")))
        found: dict[int, list[Use]] = defaultdict(list)
        named = named.set_column(named.column_names.index("date"), "ts", named.column("date"))
        for number, use in zip(*uses_of(named), strict=True):
            found[number].append(use)
        past = {}
        for number in back:
            card = self._cards[number]
            known = [card.last_physical] if card.last_physical else []
            every = {use.id: use for use in (*known, *found[number], *card.uses)}
            past[number] = Card(EVER, self._rules, every.values())
            past[number].abroad = card.abroad
        return past

    def _load(self, transactions: object) -> None:
        newest = run(
            "SELECT max(date) AS newest FROM transactions WHERE NOT _is_deleted",
            {"transactions": transactions},
            pa.schema([("newest", pa.timestamp("us", tz="UTC"))]),
        )
        (newest_us,) = newest.column(0).cast(pa.int64()).to_pylist()
        if newest_us is None:
            return
        self._since = newest_us - 2 * self._rules.burst_us
        since = f"make_timestamptz({self._since})"
        recent = defaultdict(list)
        newer = _ask(transactions, _USES, f"date >= {since}")
        for number, use in zip(*uses_of(newer), strict=True):
            recent[number].append(use)
        for number, uses in recent.items():
            self._cards[number] = Card(self._since, self._rules, uses)
        older = f"date < {since} AND NOT starts_with(use_chip, 'Online')"
        for number, use in zip(*uses_of(_ask(transactions, _LAST, older)), strict=True):
            self._cards[number].last_physical = use
        places = _ask(transactions, _USES, "length(merchant_state) > 2")
        for number, use in zip(*uses_of(places), strict=True):
            self._cards[number].see_abroad(use)
            self._abroad[use.ts, use.id] = use.state
        for number in self._cards:
            self._idle.use(number)


def _ask(transactions: object, statement: str, where: str) -> pa.Table:
    return run(statement.format(where=where), {"transactions": transactions}, _USES_SCHEMA)


def _keep(card: Card, seen: Card) -> None:
    """Let the card remember what it does of a look further back."""
    gone = seen.uses.cut(seen.uses.first_from(card.since))
    card.last_physical = next((u for u in reversed(gone) if u.physical), None)
    card.uses = seen.uses


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _moment(ts: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(max(ts, _FIRST_US), _LAST_US))
