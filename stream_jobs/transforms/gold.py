"""Gold tables, each defined once, over live transactions with their labels.

A micro-batch counts its new rows plus one and its old rows minus one, so a plain ``SUM`` over the
partials is at any moment what a recomputation over all live transactions gives. What the tables
mean is said once more, in SQL, by :mod:`batch_jobs.verify.gold`, which shares nothing with this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import Contract, contracts
from stream_jobs.transforms.columns import Numbers, cents, dates, decimals, flags, micros
from stream_jobs.transforms.patch import changed
from stream_jobs.transforms.sql import run

__all__ = [
    "DIMENSIONS",
    "dim_rows",
    "fact_rows",
    "merchants",
    "merchants_of",
    "moves",
    "partials",
    "wide",
]

Keys = Callable[[pa.Table], list[pa.Array | pa.ChunkedArray]]

_MINUTE_US = 60_000_000


def _days(rows: pa.Table) -> pa.Array:
    return dates(micros(rows.column("ts")))


def _months(rows: pa.Table) -> pa.Array:
    days = _days(rows).to_numpy(zero_copy_only=False)
    return pa.array(days.astype("M8[M]").astype("M8[D]"))


def _minutes(rows: pa.Table) -> pa.Array:
    times = micros(rows.column("ts"))
    return pa.array(times - times % _MINUTE_US).cast(pa.timestamp("us", tz="UTC"))


def _states(rows: pa.Table) -> pa.ChunkedArray:
    state = rows.column("merchant_state")
    return pc.if_else(pc.fill_null(pc.not_equal(state, ""), False), state, "ONLINE")


# Aggregate: its key columns, in the contract's order.
_AGGREGATES: dict[str, Keys] = {
    "agg_minute": lambda rows: [_minutes(rows)],
    "agg_category_day": lambda rows: [_days(rows), rows.column("mcc")],
    "agg_category_month": lambda rows: [
        _months(rows),
        rows.column("mcc"),
        _states(rows),
        _first_words(rows["use_chip"]),
    ],
    "agg_customer_day": lambda rows: [_days(rows), rows.column("client_id")],
    "agg_card_month": lambda rows: [_months(rows), rows.column("card_id")],
    "agg_merchant_month": lambda rows: [_months(rows), rows.column("merchant_id")],
    "agg_state_day": lambda rows: [_days(rows), _states(rows), _first_words(rows["use_chip"])],
}

# Gold dimension: source table and the names that differ.
DIMENSIONS: dict[str, tuple[str, dict[str, str]]] = {
    "dim_user": ("users", {"id": "user_id"}),
    "dim_card": ("cards", {"id": "card_id", "client_id": "user_id"}),
    "dim_mcc": ("mcc_codes", {}),
}

_WIDE = pa.schema(
    [
        ("id", pa.int64()),
        ("ts", pa.timestamp("us")),
        ("client_id", pa.int32()),
        ("card_id", pa.int32()),
        ("amount", pa.decimal128(12, 2)),
        ("use_chip", pa.string()),
        ("merchant_id", pa.int32()),
        ("merchant_city", pa.string()),
        ("merchant_state", pa.string()),
        ("zip", pa.string()),
        ("mcc", pa.int32()),
        ("errors", pa.string()),
        ("label", pa.string()),
    ]
)


_FACT = contracts.get("gold.fact_transactions").lake_schema


def wide(transactions: pa.Table, labels: pa.Table) -> pa.Table:
    """Live transactions with their live label, if any.

    Both arguments have silver columns, delete markers included; times become plain UTC.
    """
    live = transactions.filter(pc.invert(transactions.column("_is_deleted")))
    given = labels.filter(pc.invert(labels.column("_is_deleted")))
    place = pc.index_in(
        live.column("id"), value_set=given.column("transaction_id").combine_chunks()
    )
    named = {"ts": live.column("date"), "label": given.column("label").take(place)}
    columns = [named[name] if name in named else live.column(name) for name in _WIDE.names]
    return pa.Table.from_arrays(columns, names=_WIDE.names).cast(_WIDE)


def moves(old: pa.Table, new: pa.Table) -> pa.Table:
    """Wide rows with a ``sign``: minus one for what was, plus one for what is.

    Rows that did not change are left out.
    """
    was, becomes = changed(old, new, "id")
    sign = np.repeat(np.array([-1, 1], np.int32), [was.num_rows, becomes.num_rows])
    return pa.concat_tables([was, becomes]).add_column(0, "sign", pa.array(sign))


def partials(moved: pa.Table) -> Iterator[tuple[Contract, pa.Table]]:
    """Additive rows of each aggregate for the moves of a batch; keys without a change are out."""
    measures = _measures(moved)
    for name, keys in _AGGREGATES.items():
        contract = contracts.get(f"gold.{name}")
        yield contract, _summed(contract, keys(moved), measures)


def _summed(
    contract: Contract, keys: list[pa.Array | pa.ChunkedArray], measures: dict[str, Numbers]
) -> pa.Table:
    whole = pa.Table.from_arrays(
        [*keys, *(pa.array(values) for values in measures.values())],
        names=[*contract.key, *measures],
    )
    sums = whole.group_by(list(contract.key), use_threads=False).aggregate(
        [(measure, "sum") for measure in measures]
    )
    found = {measure: sums.column(f"{measure}_sum").to_numpy() for measure in measures}
    moving = np.logical_or.reduce([values != 0 for values in found.values()])
    columns = []
    for column in contract.columns:
        if column.name in contract.key:
            columns.append(sums.column(column.name))
        elif column.decimal:
            columns.append(decimals(found[column.name], column.arrow_type))
        else:
            columns.append(pa.array(found[column.name]))
    table = pa.Table.from_arrays(columns, names=contract.column_names)
    return table.filter(pa.array(moving)).cast(contract.lake_schema)


def _measures(moved: pa.Table) -> dict[str, Numbers]:
    """What each move counts for; money in hundredths."""
    sign = moved.column("sign").to_numpy().astype(np.int64)
    amount = cents(moved.column("amount"))
    money, refund = sign * amount, amount < 0
    return {
        "transaction_count": sign,
        "amount_sum": money,
        "refund_count": sign * refund,
        "refund_sum": money * refund,
        "declined_count": sign * flags(pc.not_equal(moved.column("errors"), "")),
        "online_count": sign * flags(pc.starts_with(moved.column("use_chip"), "Online")),
        "labelled_count": sign * flags(pc.is_valid(moved.column("label"))),
        "fraud_count": sign * flags(pc.equal(moved.column("label"), "Yes")),
    }


def fact_rows(rows: pa.Table, names: Sequence[str] = _FACT.names) -> pa.Table:
    """``fact_transactions`` of wide rows, or those of its columns."""
    chip, errors = rows.column("use_chip"), rows.column("errors")
    made: dict[str, Callable[[], pa.Array | pa.ChunkedArray]] = {
        "transaction_id": lambda: rows.column("id"),
        "transaction_ts": lambda: rows.column("ts"),
        "date_key": lambda: _date_keys(_days(rows)),
        "user_id": lambda: rows.column("client_id"),
        "merchant_key": lambda: pa.array(_merchant_keys(rows)),
        "channel": lambda: _first_words(chip),
        "is_online": lambda: pc.starts_with(chip, "Online"),
        "is_refund": lambda: pa.array(cents(rows.column("amount")) < 0),
        "is_declined": lambda: pc.fill_null(pc.not_equal(errors, ""), False),
        "is_fraud": lambda: pc.equal(rows.column("label"), "Yes"),
    }
    columns = [made[name]() if name in made else rows.column(name) for name in names]
    schema = pa.schema([_FACT.field(name) for name in names])
    return pa.Table.from_arrays(columns, names=list(names)).cast(schema)


def _date_keys(days: pa.Array) -> pa.Array:
    day = days.to_numpy(zero_copy_only=False).astype("M8[D]")
    month = day.astype("M8[M]")
    year = month.astype("M8[Y]")
    number = (
        (year.astype(np.int64) + 1970) * 10_000
        + ((month - year.astype("M8[M]")).astype(np.int64) + 1) * 100
        + (day - month.astype("M8[D]")).astype(np.int64)
        + 1
    )
    return pa.array(number.astype(np.int32))


def _first_words(texts: pa.ChunkedArray) -> pa.Array:
    coded = texts.combine_chunks().dictionary_encode()
    words = [text.partition(" ")[0] for text in coded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(coded.indices)


def _merchant_keys(rows: pa.Table) -> Numbers:
    names = ("merchant_id", "mcc", "merchant_city", "merchant_state", "zip")
    first, place = _distinct(rows, names)
    some = rows.select(names).take(pa.array(first))
    parts = zip(*(column.to_pylist() for column in some.columns), strict=True)
    return np.array([_merchant_key(*part) for part in parts], np.int64)[place]


def _distinct(rows: pa.Table, names: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Where each combination of values comes first, and of each row which combination it has."""
    code, sizes = np.zeros(rows.num_rows, np.int64), 1
    for name in names:
        column = rows.column(name).combine_chunks().dictionary_encode(null_encoding="encode")
        if sizes * len(column.dictionary) > 2**62:
            found, code = np.unique(code, return_inverse=True)
            sizes = len(found)
        code = code * len(column.dictionary) + column.indices.to_numpy()
        sizes *= len(column.dictionary)
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    return first, place


@lru_cache(maxsize=200_000)
def _merchant_key(
    merchant_id: int, mcc: int, city: str | None, state: str | None, zip_code: str | None
) -> int:
    """A number that stands for a merchant at a place; 63 bits of MD5, so that it never changes.

    Each text has its length, so that neither ``a|b`` and ``a``, ``b`` nor an empty text and none
    are the same.
    """
    sized = (f"{len(t)}:{t}" if t is not None else "n" for t in (city, state, zip_code))
    text = "|".join([str(merchant_id), str(mcc), *sized])
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") >> 1


def merchants(moved: pa.Table) -> pa.Table:
    """Merchants that the moves touch, with the ``change`` in their number of transactions."""
    return _counted(moved, moved.column("sign").to_numpy().astype(np.int64))


def merchants_of(transactions: object, known: object) -> tuple[Numbers, Numbers]:
    """Keys of all merchants of the live silver transactions, and how many each has.

    Args:
        transactions: table or dataset.
        known: rows of the dimension; the keys of those that it lacks are worked out.
    """
    names = ["merchant_id", "merchant_city", "merchant_state", "zip", "mcc"]
    same = " AND ".join(f"place.{name} IS NOT DISTINCT FROM known.{name}" for name in names)
    found = run(
        f"""SELECT place.*, merchant_key FROM (
            SELECT {", ".join(names)}, count(*) AS live FROM transactions
            WHERE NOT _is_deleted GROUP BY ALL) place
        LEFT JOIN known ON {same}""",
        {"transactions": transactions, "known": known},
        pa.schema(
            [
                *(_WIDE.field(name) for name in names),
                ("live", pa.int64()),
                ("merchant_key", pa.int64()),
            ]
        ),
    )
    unknown = found.column("merchant_key").is_null()
    keys = pc.fill_null(found.column("merchant_key"), 0).to_numpy().copy()
    keys[unknown.to_numpy()] = _merchant_keys(found.filter(unknown))
    return keys, found.column("live").to_numpy()


def _counted(rows: pa.Table, counts: Numbers) -> pa.Table:
    """Merchants of the rows with the sum of their counts; those with a sum of nought are out."""
    every, first, place = np.unique(_merchant_keys(rows), return_index=True, return_inverse=True)
    change = np.zeros(len(every), dtype=np.int64)
    np.add.at(change, place, counts)
    one = rows.take(pa.array(first, pa.int64()))
    one = one.append_column("merchant_key", pa.array(every, pa.int64()))
    one = one.append_column("change", pa.array(change, pa.int64()))
    schema = contracts.get("gold.dim_merchant").lake_schema.append(pa.field("change", pa.int64()))
    return one.select(schema.names).cast(schema).filter(pa.array(change != 0, pa.bool_()))


def dim_rows(name: str, silver: pa.Table) -> pa.Table:
    """Rows of a dimension that mirrors a silver table; delete markers are left out."""
    _, renamed = DIMENSIONS[name]
    contract = contracts.get(f"gold.{name}")
    live = silver.filter(pc.invert(silver.column("_is_deleted")))
    back = {new: old for old, new in renamed.items()}
    columns = [live.column(back.get(c, c)) for c in contract.column_names]
    return pa.Table.from_arrays(columns, names=contract.column_names).cast(contract.lake_schema)
