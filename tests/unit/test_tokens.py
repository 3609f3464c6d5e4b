"""Card numbers become keyed tokens."""

import hashlib
import hmac

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from batch_jobs.tokens import add_card_tokens, card_token

KEY = bytes(range(32))
NUMBERS = st.from_regex(r"[0-9]{12,19}", fullmatch=True)


def test_a_token_is_the_hmac_that_anyone_with_the_key_computes():
    expected = hmac.new(KEY, b"4344676511950444", hashlib.sha256).hexdigest()
    assert card_token(KEY, "4344676511950444") == expected


@given(NUMBERS, NUMBERS)
def test_tokens_differ_by_number_and_by_key(one, other):
    assert (card_token(KEY, one) == card_token(KEY, other)) == (one == other)
    assert card_token(KEY, one) != card_token(KEY[::-1], one)


def test_cards_get_token_key_and_last_digits_and_none_without_a_number():
    cards = pa.table({"id": [1, 2], "card_number": ["4344676511950444", None]})
    made = add_card_tokens(cards, KEY, "k7").to_pylist()
    assert made[0]["card_token"] == card_token(KEY, "4344676511950444")
    assert (made[0]["card_token_key"], made[0]["card_last4"]) == ("k7", "0444")
    assert [made[1][n] for n in ("card_token", "card_token_key", "card_last4")] == [None] * 3


def test_old_tokens_are_replaced():
    cards = pa.table({"card_number": ["4344676511950444"], "card_token": ["old"]})
    made = add_card_tokens(cards, KEY, "k7")
    assert made["card_token"].to_pylist() == [card_token(KEY, "4344676511950444")]
    assert made.column_names == ["card_number", "card_token", "card_token_key", "card_last4"]
