"""The soak's own arithmetic."""

import pytest

from tests.chaos.soak import Sample, slopes


def test_slopes_are_per_hour_and_leave_the_warm_up_out() -> None:
    samples: list[tuple[float, Sample]] = [(float(s), {"flat": 5.0}) for s in range(0, 3600, 60)]
    for at, figures in samples:
        figures["grows"] = 100.0 + at / 36  # 100 in an hour
        figures["filled"] = min(at, 600.0)
        if at % 300 == 0:
            figures["seldom"] = -at / 3600
    found = slopes(samples)
    assert found["grows"] == pytest.approx(100, abs=0.01)
    assert found["flat"] == pytest.approx(0, abs=1e-6)
    assert found["filled"] == pytest.approx(0, abs=1e-6)
    assert found["seldom"] == pytest.approx(-1, abs=0.01)


def test_what_was_seen_once_has_no_slope() -> None:
    assert slopes([(0.0, {"a": 1.0})]) == {}
    assert slopes([]) == {}
