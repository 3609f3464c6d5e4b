"""What silver says of the cards: at the start, and of what is long ago."""

from __future__ import annotations

import time
from collections import defaultdict

import pyarrow as pa

from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.live.cards import Booked, History, Kept, Missing
from stream_jobs.transforms.rules import Rules, uses_of
from stream_jobs.transforms.sql import run
from stream_jobs.transforms.uses import Use

__all__ = ["Silver"]

_DAY_US = 24 * 3600 * 1_000_000

_ROWS = """
SELECT id, _order_token AS token, _is_deleted AS is_deleted, card_id,
    CAST(date AS TIMESTAMP) AS ts, amount, errors, use_chip, client_id, merchant_id,
    merchant_city, merchant_state, mcc
FROM transactions"""
_MISSING = f"""{_ROWS}
WHERE id IN (SELECT number FROM numbers) OR (NOT _is_deleted AND EXISTS (
    FROM spans WHERE card = card_id AND epoch_us(date) BETWEEN start AND stop))"""
_ROWS_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("token", pa.string()),
        ("is_deleted", pa.bool_()),
        ("card_id", pa.int32()),
        ("ts", pa.timestamp("us")),
        ("amount", pa.decimal128(12, 2)),
        ("errors", pa.string()),
        ("use_chip", pa.string()),
        ("client_id", pa.int32()),
        ("merchant_id", pa.int32()),
        ("merchant_city", pa.string()),
        ("merchant_state", pa.string()),
        ("mcc", pa.int32()),
    ]
)
# A date in the future is a mistake, and would let all others look old.
_NEWEST = """
SELECT coalesce(max(date) FILTER (date <= make_timestamptz({soon})), max(date)) AS newest,
    coalesce(max(token), '') AS token
FROM (SELECT CASE WHEN _is_deleted THEN NULL ELSE date END AS date, _order_token AS token
    FROM transactions)"""
_NEWEST_SCHEMA = pa.schema(
    [("newest", pa.timestamp("us", tz="UTC")), ("token", pa.string())],
)

# Longer names than those of states are countries, see `is_abroad`.
_ABROAD = """
SELECT card_id, epoch_us(date) AS ts, id FROM transactions
WHERE NOT _is_deleted AND length(merchant_state) > 2 ORDER BY card_id, date, id"""
_ABROAD_SCHEMA = pa.schema([("card_id", pa.int32()), ("ts", pa.int64()), ("id", pa.int64())])


class Silver:
    """Reads ``silver.transactions`` as it is now; a table that is not there is empty."""

    def __init__(self, lake: Lake, rules: Rules) -> None:
        self._lake = lake
        self._contract = contracts.get("silver.transactions")
        self._rules = rules

    def start(self) -> History:
        """What is needed to go on from here.

        Raises:
            ComponentMissing: when the lake cannot be reached.
        """
        table = self._dataset()
        if table is None:
            return History()
        soon = time.time_ns() // 1000 + _DAY_US
        newest = run(_NEWEST.format(soon=soon), {"transactions": table}, _NEWEST_SCHEMA)
        (newest_us,) = newest.column("newest").cast(pa.int64()).to_pylist()
        (token,) = newest.column("token").to_pylist()
        if newest_us is None:
            return History(newest=token)
        since = newest_us - 2 * self._rules.burst_us
        recent = self._ask(table, f"NOT _is_deleted AND date >= make_timestamptz({since})")
        reach = since - self._rules.travel_us
        last = f"""NOT _is_deleted AND NOT starts_with(use_chip, 'Online')
            AND date < make_timestamptz({since}) AND date >= make_timestamptz({reach})
            QUALIFY row_number() OVER (PARTITION BY card_id ORDER BY date DESC, id DESC) = 1"""
        abroad: dict[int, list[tuple[int, int]]] = defaultdict(list)
        places = run(_ABROAD, {"transactions": table}, _ABROAD_SCHEMA)
        columns = (places.column(name).to_pylist() for name in _ABROAD_SCHEMA.names)
        for number, *place in zip(*columns, strict=True):
            abroad[number].append((place[0], place[1]))
        return History(
            since,
            tuple(recent),
            {k.booked.card_id: k.booked.use for k in self._ask(table, last) if k.booked},
            dict(abroad),
            token,
        )

    def read(self, missing: Missing) -> list[Kept]:
        """What :meth:`stream_jobs.live.cards.LiveCards.learn` wants to be told.

        Raises:
            ComponentMissing: when the lake cannot be reached.
        """
        table = self._dataset()
        if table is None:
            return []
        spans = [(card, *span) for card, spans in missing.cards.items() for span in spans]
        columns = list(zip(*spans, strict=True)) if spans else [()] * 3
        tables = {
            "transactions": table,
            "numbers": pa.table({"number": pa.array(missing.ids, pa.int64())}),
            "spans": pa.table(
                [pa.array(values, pa.int64()) for values in columns], ["card", "start", "stop"]
            ),
        }
        return _kept(run(_MISSING, tables, _ROWS_SCHEMA))

    def _dataset(self) -> object | None:
        table = self._lake.open(self._contract)
        return None if table is None else table.to_pyarrow_dataset()

    def _ask(self, table: object, where: str) -> list[Kept]:
        statement = f"{_ROWS} WHERE {where}"
        return _kept(run(statement, {"transactions": table}, _ROWS_SCHEMA))


def _kept(rows: pa.Table) -> list[Kept]:
    cards, uses = uses_of(rows)
    names = ("id", "token", "is_deleted", "client_id", "merchant_id", "merchant_city", "mcc")
    columns = (rows.column(name).to_pylist() for name in names)
    return [
        Kept(number, token, None if deleted else _booked(card, use, *rest))
        for card, use, number, token, deleted, *rest in zip(cards, uses, *columns, strict=True)
    ]


def _booked(
    card: int, use: Use, user: int, merchant: int, city: str | None, category: int
) -> Booked:
    return Booked(card, use, user, merchant, city, use.state, category)
