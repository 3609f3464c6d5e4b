"""Which stretch of time a page shows, and in which steps.

All bounds are whole minutes, because the aggregates know nothing finer; then the additive
aggregates and the transactions themselves answer alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

__all__ = ["WINDOWS", "Anchor", "Period", "Window", "anchor", "period"]

Window = Literal["15 min", "1 h", "24 h", "7 d", "All"]

MINUTE = timedelta(minutes=1)
_LENGTHS: dict[Window, tuple[timedelta, timedelta]] = {  # length and step; the step divides it
    "15 min": (timedelta(minutes=15), MINUTE),
    "1 h": (timedelta(hours=1), MINUTE),
    "24 h": (timedelta(days=1), timedelta(minutes=15)),
    "7 d": (timedelta(days=7), timedelta(hours=2)),
}
WINDOWS: tuple[Window, ...] = (*_LENGTHS, "All")
_STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 360, 1440, 7 * 1440, 28 * 1440)
)
_MOST_STEPS = 150
_STALE = timedelta(days=1)


def _floor(moment: datetime, step: timedelta = MINUTE) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return moment - (moment - epoch) % step


@dataclass(frozen=True)
class Anchor:
    """The moment that counts as now.

    ``historical`` is true when it is the newest transaction's minute and not the clock.
    """

    at: datetime
    historical: bool


@dataclass(frozen=True)
class Period:
    """``[start, end)`` in whole minutes, cut into ``steps`` buckets of ``step``.

    ``previous`` is the start of the equally long stretch before, or None where there is none.
    ``covered`` is the part of the period that has passed, above 0 and at most 1: what the stretch
    before is scaled by when the two are compared.
    """

    start: datetime
    end: datetime
    step: timedelta
    previous: datetime | None
    covered: float

    @property
    def steps(self) -> int:
        """Number of buckets from start to end."""
        return -(-(self.end - self.start) // self.step)

    @property
    def origin(self) -> datetime:
        """Where buckets are counted from: the start of the stretch before, if there is one."""
        return self.previous or self.start

    @property
    def skipped(self) -> int:
        """Number of buckets before the period's own first one."""
        return (self.start - self.origin) // self.step

    def bucket_start(self, bucket: int) -> datetime:
        """Start of the bucket with that number, counted from the origin."""
        return self.origin + bucket * self.step


def anchor(now: datetime, newest: datetime, *, follow_newest: bool = False) -> Anchor:
    """Now, or the newest transaction's minute when nothing happened for a day.

    ``newest`` is the start of the newest minute with transactions; ``follow_newest`` takes it
    whatever its age.
    """
    end_of_newest = newest + MINUTE
    if follow_newest or now - end_of_newest > _STALE:
        return Anchor(end_of_newest, historical=True)
    return Anchor(now, historical=False)


def period(window: Window, at: Anchor, oldest: datetime, newest: datetime) -> Period:
    """The period of that window that ends at the anchor; ``All`` spans oldest to newest."""
    if window == "All":
        span = newest + MINUTE - oldest
        step = next((s for s in _STEPS if span <= s * _MOST_STEPS), _STEPS[-1])
        return Period(_floor(oldest, step), newest + MINUTE, step, None, 1.0)
    length, step = _LENGTHS[window]
    end = _floor(at.at)
    if end < at.at:
        end += MINUTE
    start = end - length
    return Period(start, end, step, start - length, (at.at - start) / length)
