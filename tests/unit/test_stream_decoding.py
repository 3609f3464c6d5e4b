"""Decoding all records at once gives what decoding them one by one does, or gives up."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.transforms.envelope import Decoded, Decoder
from stream_jobs.transforms.order import order_token, order_tokens
from tests.unit.stream_world import BASE, GOLDEN, Event, envelope, golden, records

FILES = [GOLDEN, GOLDEN.with_name("mysql_source_tables.jsonl")]


def both(table: str, events: list[tuple[Event, int]]) -> tuple[Decoded | None, Decoded]:
    decoder, rows = Decoder(table), records(events)
    values = rows.column("value").to_pylist()
    return decoder._at_once(rows, values, 7), decoder._one_by_one(rows, values, 7, "")


def same(one: Decoded, other: Decoded) -> bool:
    tables = [(getattr(one, n), getattr(other, n)) for n in ("bronze", "changes", "rejects")]
    return all(a.schema == b.schema and a.to_pylist() == b.to_pylist() for a, b in tables)


@pytest.mark.parametrize("path", FILES, ids=["mariadb", "mysql"])
def test_real_events_are_the_same_both_ways(path):
    events = [one for one in golden(path) if one[0].value is not None]
    decoded = 0
    for table in BASE:
        mine = [one for one in events if one[0].table == table]
        whole = [one for one in mine if json.loads(one[0].value or b"")["op"] != "t"]
        at_once, one_by_one = both(table, whole)
        assert at_once
        assert same(at_once, one_by_one)
        decoded += at_once.changes.num_rows
        if len(whole) < len(mine):  # a truncate has no row
            assert both(table, mine)[0] is None
    assert decoded > 20


ROW = BASE["transactions"]
STRANGE = st.one_of(
    st.sampled_from(
        [
            envelope("t", None, None, 5),
            envelope("c", None, None, 5),
            envelope("c", None, {**ROW, "colour": "red"}, 5),
            envelope("c", None, {k: v for k, v in ROW.items() if k != "zip"}, 5),
            envelope("c", None, {**ROW, "amount": "1e99"}, 5),
            envelope("c", None, {**ROW, "card_id": 2**31}, 5),
            envelope("c", None, {**ROW, "client_id": None}, 5),
            envelope("c", None, ROW, -1),
            envelope("c", None, ROW, 10**12),
            envelope("c", None, ROW, 2**70),
            envelope("c", None, ROW, 5, file="binlog"),
            envelope("c", None, {**ROW, "merchant_city": "\udcff"}, 5),
            b"\xff",
            b"null",
        ]
    ),
    st.binary(max_size=8),
)
PLAIN = st.builds(
    lambda op, number, city, pos, line: envelope(
        op,
        {**ROW, "id": number} if op in "ud" else None,
        None if op == "d" else {**ROW, "id": number, "merchant_city": city},
        pos,
        line=line,
    ),
    st.sampled_from("crud"),
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(),
    st.integers(0, 10**12 - 1),
    st.integers(0, 10**6 - 1),
)


@given(st.lists(PLAIN, max_size=5), st.none() | STRANGE, st.sampled_from(["1", "0042", "", "x"]))
def test_what_is_out_of_the_way_is_left_to_the_other(values, strange, epoch):
    some = [*values, *([strange] if strange is not None else [])]
    events = [(Event("transactions", 0, b"{}", v, epoch), i) for i, v in enumerate(some)]
    at_once, one_by_one = both("transactions", events)
    if strange is None and epoch.isdigit():
        assert at_once
    if at_once:
        assert same(at_once, one_by_one)
    assert one_by_one.bronze.num_rows == len(some)


PART = st.tuples(
    st.integers(0, 9999),
    st.integers(0, 10**8 - 1),
    st.integers(0, 10**12 - 1),
    st.integers(0, 10**6 - 1),
    st.integers(0, 10**12 - 1),
)


@given(st.lists(PART))
def test_tokens_of_many_changes_are_those_of_each(parts):
    epochs, files, positions, rows, offsets = zip(*parts, strict=True) if parts else ((),) * 5
    names = [f"binlog.{number:06d}" for number in files]
    found = order_tokens(
        pa.chunked_array([pa.array(map(str, epochs), pa.string())]),
        names,
        positions,
        rows,
        pa.chunked_array([pa.array(offsets, pa.int64())]),
    )
    each = zip(epochs, names, positions, rows, offsets, strict=True)
    assert found.to_pylist() == [order_token(*one) for one in each]


@pytest.mark.parametrize("part", range(5))
def test_a_part_beyond_its_digits_has_no_token_either_way(part):
    values = [1, 2, 3, 4, 5]
    values[part] = 10 ** (4, 8, 12, 6, 12)[part]
    epoch, file, position, row, offset = values
    with pytest.raises(ValueError, match="out of range"):
        order_token(epoch, f"binlog.{file}", position, row, offset)
    with pytest.raises(ValueError, match="out of range"):
        order_tokens(
            pa.chunked_array([[str(epoch)]]),
            [f"binlog.{file}"],
            [position],
            [row],
            pa.chunked_array([[offset]]),
        )
