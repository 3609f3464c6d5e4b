"""How figures read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import wording

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "cents", "text"),
    [
        ("0", True, "$0.00"),
        ("1234567.5", True, "$1,234,567.50"),
        ("-77", True, "-$77.00"),
        ("-0.01", True, "-$0.01"),
        ("572835515.86", False, "$572,835,516"),
    ],
)
def test_money_has_currency_and_separators(amount, cents, text):
    assert wording.money(Decimal(amount), cents=cents) == text


@given(st.decimals(-(10**12), 10**12, places=2))
def test_money_loses_no_cent(amount: Decimal):
    assert Decimal(wording.money(amount).replace("$", "").replace(",", "")) == amount


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "–"), (0, 9, "0 %"), (1, 1000, "0.10 %"), (5, 100, "5.0 %"), (3, 3, "100.0 %")],
)
def test_shares(part, whole, text):
    assert wording.share(part, whole) == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (5, 0, None),
        (105, 100, "+5.0 %"),
        (95, 100, "-5.0 %"),
        (100, 100, "0 %"),
        (1300, 100, "+1,200 %"),
        (-50, -100, "+50.0 %"),
    ],
)
def test_changes(now, before, text):
    assert wording.change(now, before) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (999.7, "1.0 s"),
        (59_949, "59.9 s"),
        (59_960, "1 min"),
        (3_600_000, "1 h"),
        (90_000_000, "1 d"),
    ],
)
def test_durations(milliseconds, text):
    assert wording.duration(milliseconds) == text


@given(st.floats(0, 1e12))
def test_a_duration_is_never_empty_nor_zero_of_something(milliseconds: float):
    text = wording.duration(milliseconds)
    assert text == "0 ms" or float(text.split()[0].replace(",", "")) > 0


@pytest.mark.parametrize(
    ("before", "historical", "text"),
    [
        (timedelta(0), False, "now"),
        (timedelta(seconds=-5), False, "now"),
        (timedelta(0), True, "newest"),
        (timedelta(seconds=1.9), False, "1 s ago"),
        (timedelta(seconds=59.9), False, "59 s ago"),
        (timedelta(minutes=2), False, "2 min ago"),
        (timedelta(hours=30), True, "1 d before"),
    ],
)
def test_ages(before, historical, text):
    assert wording.ago(NOW - before, NOW, historical=historical) == text


def test_cards_and_places():
    assert wording.masked("0042") == "••••\u00a00042"
    assert wording.masked(None) == "••••\u00a0????"
    assert wording.place("ONLINE", None) == wording.place(None, None) == "Online"
    assert wording.place("Rome", "Italy") == "Rome, Italy"
    assert wording.place("Rome", None) == "Rome"
