"""What each card did lately, for the fraud rules."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass

import pyarrow as pa

from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.transforms.card import EVER, Card, Found
from stream_jobs.transforms.rules import Rules, Use, uses_of
from stream_jobs.transforms.sql import run

__all__ = ["AlertChange", "Cards"]

_USES = """
SELECT card_id, CAST(date AS TIMESTAMP) AS ts, id, amount, use_chip, merchant_state, errors
FROM transactions WHERE NOT _is_deleted AND {where}"""
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

    A change that lies further back than what is remembered is judged over the card's uses from the
    lake, so that a late change has the same effect as a timely one.
    """

    def __init__(self, lake: Lake, rules: Rules) -> None:
        self._rules = rules
        self._table = lake.ensure(contracts.get("silver.transactions"))
        self._cards: dict[int, Card] = {}
        self._since = EVER
        self._load()

    def move(self, moved: pa.Table) -> AlertChange:
        """Take in the moves of a batch and say which alerts that changes.

        Args:
            moved: wide transactions with ``sign``, see :func:`stream_jobs.transforms.gold.moves`.
        """
        gone: dict[int, list[Use]] = defaultdict(list)
        come: dict[int, list[Use]] = defaultdict(list)
        numbers, uses = uses_of(moved)
        for number, use, sign in zip(numbers, uses, moved.column("sign").to_pylist(), strict=True):
            (come if sign > 0 else gone)[number].append(use)
        touched = {n: min(u.ts for u in (*gone[n], *come[n])) for n in {*gone, *come}}
        self._look_back(touched)
        change = AlertChange({}, {})
        for number, first in touched.items():
            card = self._cards[number]
            change.old.update(card.judge(first, self._rules))
            for use in gone[number]:
                card.take(use)
            for use in come[number]:
                card.put(use)
            change.new.update(card.judge(first, self._rules))
            card.trim(self._rules)
        return change

    def _look_back(self, touched: dict[int, int]) -> None:
        """Read from the lake what the touched cards did before what is remembered of them."""
        back: dict[int, int] = {}
        for number, first in touched.items():
            card = self._cards.get(number)
            if card is None:
                card = self._cards[number] = Card(self._since)
            if first - self._rules.burst_us < card.since:
                back[number] = first - self._rules.burst_us
        if not back:
            return
        cards = ", ".join(str(number) for number in back)
        # Travel looks further back than bursts do, but only for the last use in person.
        furthest = min(back.values()) - self._rules.travel_us
        where = f"card_id IN ({cards}) AND date >= make_timestamptz({furthest})"
        for number, since in back.items():
            card = self._cards[number]
            card.uses, card.last_physical, card.since = [], None, since
        self._take_in(where)

    def _take_in(self, where: str) -> None:
        numbers, uses = uses_of(self._ask(where))
        for number, use in zip(numbers, uses, strict=True):
            card = self._cards.setdefault(number, Card(self._since))
            if use.ts >= card.since:
                card.uses.append(use)
            elif use.physical:
                card.last_physical = max(use, card.last_physical or use, key=lambda u: (u.ts, u.id))
        for number in set(numbers):
            self._cards[number].uses.sort(key=lambda u: (u.ts, u.id))

    def _load(self) -> None:
        newest = run(
            "SELECT max(date) AS newest FROM transactions WHERE NOT _is_deleted",
            {"transactions": self._dataset()},
            pa.schema([("newest", pa.timestamp("us", tz="UTC"))]),
        )
        (newest_us,) = newest.column(0).cast(pa.int64()).to_pylist()
        if newest_us is None:
            return
        self._since = newest_us - 2 * self._rules.burst_us
        since = f"make_timestamptz({self._since})"
        self._take_in(f"date >= {since}")
        last = f"""date < {since} AND NOT starts_with(use_chip, 'Online')
            QUALIFY row_number() OVER (PARTITION BY card_id ORDER BY date DESC, id DESC) = 1"""
        for number, use in zip(*uses_of(self._ask(last)), strict=True):
            self._cards.setdefault(number, Card(self._since)).last_physical = use
        for number, use in zip(*uses_of(self._ask("length(merchant_state) > 2")), strict=True):
            insort(self._cards.setdefault(number, Card(self._since)).abroad, (use.ts, use.id))

    def _ask(self, where: str) -> pa.Table:
        return run(_USES.format(where=where), {"transactions": self._dataset()}, _USES_SCHEMA)

    def _dataset(self) -> object:
        self._table.update_incremental()
        return self._table.to_pyarrow_dataset()
