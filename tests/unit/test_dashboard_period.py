"""Windows of time: whole minutes, the right length, comparable with the stretch before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.period import WINDOWS, Anchor, anchor, period

MINUTE = timedelta(minutes=1)
LENGTHS = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "24 h": timedelta(days=1),
    "7 d": timedelta(days=7),
}
moments = st.integers(1_262_304_000_000_000, 2_051_222_400_000_000).map(  # 2010 to 2035
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
minutes = moments.map(lambda m: m.replace(second=0, microsecond=0))


@given(moments, st.sampled_from([w for w in WINDOWS if w != "All"]))
def test_a_window_holds_its_anchor_and_has_whole_minutes(now: datetime, window):
    found = period(window, Anchor(now, historical=False), now, now)
    assert found.previous is not None
    assert found.end - found.start == LENGTHS[window] == found.start - found.previous
    assert found.start <= now <= found.end < now + MINUTE
    assert found.start.second == found.start.microsecond == 0
    assert 0 < found.covered <= 1
    assert found.steps * found.step == LENGTHS[window]
    assert found.bucket_start(found.skipped) == found.start
    assert found.bucket_start(0) == found.origin == found.previous


@given(minutes, st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_all_spans_oldest_to_newest_in_few_steps(oldest: datetime, length: timedelta):
    newest = (oldest + length).replace(second=0, microsecond=0)
    found = period("All", Anchor(newest, historical=True), oldest, newest)
    assert found.start <= oldest
    assert found.end == newest + MINUTE
    assert found.previous is None
    assert found.skipped == 0
    assert found.covered == 1
    assert 1 <= found.steps <= 151
    assert found.bucket_start(found.steps - 1) < found.end <= found.bucket_start(found.steps)


@pytest.mark.parametrize(
    ("age", "follow", "historical"),
    [
        (timedelta(0), False, False),
        (timedelta(hours=23), False, False),
        (timedelta(hours=25), False, True),
        (timedelta(days=2500), False, True),
        (timedelta(minutes=5), True, True),
        (timedelta(minutes=-5), False, False),
    ],
)
def test_time_follows_the_clock_while_there_is_news(age, follow, historical):
    now = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
    newest = (now - age).replace(second=0)
    found = anchor(now, newest, follow_newest=follow)
    assert found == Anchor(newest + MINUTE if historical else now, historical)
