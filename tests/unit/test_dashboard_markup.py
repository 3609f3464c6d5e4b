"""The dashboard's HTML: text from data stays text, and errors are one line."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import markup
from dashboard.figures import Measures, Slice
from dashboard.period import Anchor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>\"'&`</li><script>"
texts = st.text(max_size=30) | st.just(HOSTILE)


class Reader(HTMLParser):
    """Collects the tags, attribute values and text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def an_alert(text: str) -> dict[str, object]:
    return {
        "alert_id": text,
        "transaction_id": 4711,
        "transaction_ts": NOW,
        "rule": text,
        "severity": text,
        "reason": text,
        "user_id": 825,
        "amount": Decimal("12.30"),
        "merchant_city": text or None,
        "merchant_state": text or None,
        "card_last4": text or None,
        "card_brand": text or None,
        "category": text or None,
    }


@given(texts)
def test_no_text_of_an_alert_becomes_markup(text: str):
    at = Anchor(NOW, historical=False)
    plain = Reader(markup.alert_list([an_alert("plain")], at))
    found = Reader(markup.alert_list([an_alert(text or "x")], at))
    assert found.tags == plain.tags
    assert "$12.30" in found.text
    if text:
        assert text in found.values  # whole, in an attribute of its own


@given(texts.filter(lambda text: "`" not in text))
def test_no_text_of_other_parts_becomes_markup(text: str):
    def parts(word: str) -> list[str]:
        measures = Measures(1, Decimal(1))
        component = {"component": word, "state": word, "address": word, "version": word}
        stopped = {"table_name": word, "since": NOW, "reason": word, "next_step": word}
        return [
            markup.cells([(word, False)], [[word]], caption=word),
            markup.bars([Slice(word, measures)]),
            markup.components([component | {"message": word}]),
            markup.stopped_tables([stopped]),
            markup.empty_state(word, word, ((word, word),)),
            markup.warning(word, word),
        ]

    for plain, found in zip(parts("plain"), parts(text or "x"), strict=True):
        assert Reader(found).tags == Reader(plain).tags
        assert (text or "x") in Reader(found).text


def test_backticks_mark_commands():
    html = markup.warning("Stopped", "run `finlake verify` now")
    assert "run <code>finlake verify</code> now" in html


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("one line", "one line"),
        ("first\nTraceback (most recent call last):\n  File", "first"),
        ("", "unknown error"),
        (
            "not read (Kernel error: bad 0: <unknown> 1: std::rt 2: clone3 at ./m); try again",
            "not read (Kernel error: bad); try again",
        ),
        ("at position 0: bad character", "at position 0: bad character"),
    ],
)
def test_an_error_is_one_line_without_frames(message, shown):
    assert f"<p>{shown}</p>" in markup.error_state(message)


def test_bars_are_relative_to_the_longest_and_refunds_have_none():
    slices = [Slice(n, Measures(1, Decimal(a))) for n, a in (("a", 200), ("b", 50), ("c", -9))]
    html = markup.bars(slices)
    assert [part.split("%")[0] for part in html.split("width:")[1:]] == ["100.0", "25.0", "0.0"]
    assert "-$9" in html
    assert "width:0.0%" in markup.bars([Slice("a", Measures())])


def test_hops_without_figures_say_so():
    html = markup.hop_strip({"gold": {"p50_ms": 900.0, "p95_ms": 2_000.0, "max_ms": 61_000.0}})
    assert html.count("no changes") == 4
    for text in ("900 ms", "p95 2.0 s", "max 1 min"):
        assert text in html


def test_the_stamp_tells_live_idle_paused_and_unmeasured_apart():
    later = NOW.replace(minute=5)
    assert "Live" in markup.stamp(NOW, NOW, paused=False)
    assert "finlake stream" in markup.stamp(NOW, later, paused=False)
    assert "Paused" in markup.stamp(NOW, later, paused=True)
    assert "Nothing measured" in markup.stamp(None, later, paused=False)


def test_a_component_in_trouble_tells_its_message():
    report = {"component": "kafka", "address": "127.0.0.1:9092", "version": "", "message": "died"}
    trouble = markup.components([report | {"state": "restarting"}])
    assert "fl-bad" in trouble
    assert "died" in trouble
    assert "died" not in markup.components([report | {"state": "healthy"}])
