"""Records that no connector would write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.chaos.records import Record

__all__ = ["LARGEST", "harmless", "poisonous"]

LARGEST = 8 * 1024 * 1024
"""Bytes of the largest batch of records that the broker takes: its ``message.max.bytes``."""

_EPOCH = (("epoch", b"1"),)


def harmless(good: Record) -> Iterator[tuple[str, Record]]:
    """Records that say what is known already, in forms that a connector does not use."""
    yield "without a key", good._replace(key=None)
    yield "with another key", good._replace(key=b"\xff\x00")
    yield "in the other partition", good._replace(partition=1 - good.partition)


def poisonous(good: Record, stranger: Record) -> Iterator[tuple[str, Record]]:
    """What has to be set aside, with a name for each.

    Args:
        good: a change of a transaction.
        stranger: a change of another table.
    """
    for name, value in _values(good):
        yield name, good._replace(value=value)
    yield "neither key nor JSON", good._replace(key=None, value=b"poison")
    yield "epoch is a word", good._replace(headers=(("epoch", b"one"),))
    yield "of another table", good._replace(value=stranger.value)
    # room for key, headers and the batch's own head
    yield "as large as can be", good._replace(key=None, value=b"x" * (LARGEST - 1_000))


def _values(good: Record) -> Iterator[tuple[str, bytes]]:
    assert good.value is not None
    yield "empty", b""
    yield "no JSON", b"\x00\xff{not json"
    yield "half of one", good.value[: len(good.value) // 2]
    yield "one and a half", good.value + good.value[: len(good.value) // 2]
    yield "a number", b"42"
    yield "a list", b"[]"
    yield "null", b"null"
    yield "nothing in it", b"{}"
    yield "100,000 lists deep", b"[" * 100_000
    yield "half a character", good.value.replace(b'"op"', b'"o\xc3p"')
    yield "a surrogate", good.value.replace(b'"file":"', b'"file":"\\ud800')
    event = json.loads(good.value)
    yield "op unknown", _with(event, op="x")
    yield "op a number", _with(event, op=1)
    yield "no row", _with(event, after=None)
    yield "a row that is text", _with(event, after="row")
    yield "no source", _with(event, source=None)
    yield "no position", _with(event, source={**event["source"], "pos": None})
    yield "position below zero", _with(event, source={**event["source"], "pos": -1})
    yield "file without a number", _with(event, source={**event["source"], "file": "binlog"})
    for column, value in (
        ("id", "7"),
        ("id", None),
        ("id", 2**63),
        ("amount", 12.34),
        ("amount", {"cents": 1234}),
        ("amount", "a lot"),
        ("amount", "NaN"),
        ("amount", "1e300"),
        ("amount", "99999999999.99"),
        ("date", "2020-01-01"),
        ("date", 2**62),
        ("client_id", 2**31),
        ("client_id", True),
        ("use_chip", ["Chip"]),
    ):
        named = f"{column} is {value!r}"
        yield named, _with(event, after={**event["after"], column: value})


def _with(event: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({**event, **changes}).encode()
