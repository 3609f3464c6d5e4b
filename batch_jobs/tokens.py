"""Card numbers become keyed tokens before anything leaves the source.

A plain or truncated hash of a card number can be undone by trying all numbers; an HMAC cannot
without its key. The id of the key stands beside the token, so that keys can be changed.
"""

from __future__ import annotations

import hmac

import pyarrow as pa

__all__ = ["add_card_tokens", "card_token"]


def card_token(key: bytes, card_number: str) -> str:
    """HMAC-SHA-256 of a card number's digits, 64 hexadecimal characters."""
    return hmac.digest(key, card_number.encode("ascii"), "sha256").hex()


def add_card_tokens(cards: pa.Table, key: bytes, key_id: str) -> pa.Table:
    """The cards with ``card_token``, ``card_token_key`` and ``card_last4`` filled from the number.

    A card without a number gets none of the three.
    """
    numbers: list[str | None] = cards["card_number"].to_pylist()
    return _with(
        cards,
        card_token=[n and card_token(key, n) for n in numbers],
        card_token_key=[n and key_id for n in numbers],
        card_last4=[n and n[-4:] for n in numbers],
    )


def _with(table: pa.Table, **columns: list[str | None]) -> pa.Table:
    for name, values in columns.items():
        array = pa.array(values, pa.string())
        place = table.schema.get_field_index(name)
        if place < 0:
            table = table.append_column(name, array)
        else:
            table = table.set_column(place, name, array)
    return table
