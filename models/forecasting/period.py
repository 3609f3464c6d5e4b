"""Days and months as whole numbers, and what a forecast of each looks back on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

__all__ = ["DAY", "MONTH", "PERIODS", "Period"]

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Period:
    """The step of a series. A step is its number since 1 January 1970.

    ``season`` is how many steps repeat (a week, a year); ``horizon`` how many are forecast unless
    said otherwise; ``memory`` how many are looked at; ``stride`` the steps between two back-test
    windows, 0 for as many as the horizon; ``windows`` how many at most; ``least`` the shortest
    history before the first of them; ``dense`` the least share of steps with spending for
    Holt-Winters and ARIMA; ``averages`` and ``seasons`` the lengths of the averages that are tried,
    steps and seasons.
    """

    name: Literal["day", "month"]
    season: int
    horizon: int
    memory: int
    stride: int
    windows: int
    least: int
    dense: float
    averages: tuple[int, ...]
    seasons: tuple[int, ...]

    def step(self, day: date) -> int:
        """The step that a day lies in."""
        if self.name == "day":
            return (day - _EPOCH).days
        return (day.year - 1970) * 12 + day.month - 1

    def first_day(self, step: int) -> date:
        """The first day of a step."""
        if self.name == "day":
            return _EPOCH + timedelta(days=int(step))
        return date(1970 + int(step) // 12, int(step) % 12 + 1, 1)

    def last_whole(self, day: date) -> int:
        """The last step that is over when that day is over."""
        return self.step(day + timedelta(days=1)) - 1

    def first_whole(self, day: date) -> int:
        """The first step that begins with that day or later."""
        return self.step(day - timedelta(days=1)) + 1

    def months(self, steps: int) -> int:
        """Whole months in so many steps."""
        return int(steps * 12 / 365.25) if self.name == "day" else steps


DAY: Final = Period(
    "day", season=7, horizon=30, memory=548, stride=0, windows=6, least=28, dense=0.5,
    averages=(28, 91, 365), seasons=(8, 26),
)  # fmt: skip
MONTH: Final = Period(
    "month", season=12, horizon=3, memory=72, stride=1, windows=12, least=3, dense=0.9,
    averages=(3, 6, 12, 24), seasons=(3,),
)  # fmt: skip
PERIODS: Final[dict[str, Period]] = {period.name: period for period in (DAY, MONTH)}
