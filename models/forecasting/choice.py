"""Choose a method for each series by length and back-test, forecast, and say how sure that is.

Windows of a back-test end with the history: of days one after the other, of months each a month
later than the one before. The last is held out once: method and interval are then chosen from
windows that were over when it began, and what they make of it is the coverage and the accuracy that
are reported. The forecast itself is made from all windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np

from models.forecasting.averages import average, seasonal_average, seasonal_naive
from models.forecasting.fitted import Kind, Task, fit
from models.forecasting.intervals import MISSED, Shape, bounds, needed_stretch
from models.forecasting.metrics import coverage, mase, naive_scale, pinball
from models.forecasting.series import ALL, Array, Panel

__all__ = ["METHODS", "Forecasts", "Method", "forecast"]

Method = Literal[
    "auto", "holt_winters", "arima", "average", "seasonal_average", "seasonal_naive", "prophet"
]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

_FLOOR: Final = "seasonal_naive"
_FITTED: Final[dict[Kind, str]] = {
    "holt_winters": "Holt-Winters",
    "arima": "ARIMA",
    "prophet": "Prophet",
}
_CHUNK: Final = 50  # series of a task
_PROPHET_WINDOWS: Final = 3  # each is a fit
_STRETCH_WINDOWS: Final = 3

Each = Callable[[Callable[[Task], Array], Iterable[Task]], Iterable[Array]]
"""Maps a function over tasks in their order, as :func:`map` does."""


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of a panel's series, US dollars; arrays have a row for each series.

    ``value``, ``low`` and ``high``: series by step, NaN where there is no history at all.
    ``method`` and ``reason`` say in words where they come from. ``mase`` is the error of that
    method in the back-tests, ``coverage`` the share of the held-out window inside its interval; NaN
    without back-test. ``held`` has what the held-out window says, by name: ``method``, ``mase``,
    ``naive_mase``, ``pinball_low``, ``pinball_high``.
    """

    panel: Panel
    value: Array
    low: Array
    high: Array
    method: Array
    reason: Array
    mase: Array
    coverage: Array
    held: dict[str, Array]


def forecast(
    panel: Panel,
    horizon: int,
    method: Method = "auto",
    *,
    each: Each = map,
    watch: Callable[[int, int], None] = lambda _done, _of: None,
) -> Forecasts:
    """Forecast every series of the panel; the same panel gives the same forecasts.

    Args:
        panel: the series.
        horizon: steps to forecast.
        method: ``auto``, or one for all series that allow it; the others get the seasonal naive.
        each: how the fitting is spread over processes.
        watch: called with how many series are done, and how many there are.

    Raises:
        ModuleNotFoundError: the package of the method is not installed.
    """
    count = len(panel)
    made = _blank(panel, horizon)
    left = _plain(made)
    period = panel.period
    if method == "prophet":
        period = replace(period, windows=_PROPHET_WINDOWS)
    stride = period.stride or horizon
    windows = (panel.length - horizon - period.least) // stride + 1
    windows = np.where(left, np.clip(windows, 0, period.windows), -1)
    done = count - int(left.sum())
    watch(done, count)
    for number in np.unique(windows[left]).tolist():
        rows = np.flatnonzero(windows == number)
        part = replace(panel.take(rows), period=period)
        if number:
            step = _Backtest(part, number, horizon, method)
            step.run(each, lambda n, before=done: watch(before + n, count))  # type: ignore[misc]
            step.report(made, rows)
        else:
            _untested(part, made, rows)
        done += len(rows)
        watch(done, count)
    return made


def _blank(panel: Panel, horizon: int) -> Forecasts:
    def numbers() -> Array:
        return np.full(len(panel), np.nan)

    def words() -> Array:
        return np.full(len(panel), "", dtype=object)

    value, low, high = (np.full((len(panel), horizon), np.nan) for _ in range(3))
    held = {n: numbers() for n in ("mase", "naive_mase", "pinball_low", "pinball_high")}
    return Forecasts(
        panel, value, low, high, words(), words(), numbers(), numbers(), {"method": words()} | held
    )


def _plain(made: Forecasts) -> Array:
    """Answer the series that need no model; true for those that are left."""
    panel = made.panel
    inside = np.arange(panel.values.shape[1]) >= panel.values.shape[1] - panel.length[:, None]
    highest = np.where(inside, panel.values, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(inside, panel.values, np.inf).min(axis=1, initial=np.inf)
    empty = panel.length == 0
    made.method[empty] = "none"
    made.reason[empty] = f"not one whole {panel.period.name} with transactions"
    # One step is no pattern, but a series that never moved needs no model either.
    still = ~empty & (highest == lowest)
    for rows in (made.value, made.low, made.high):
        rows[still] = highest[still, None]
    zero = still & (highest == 0)
    made.method[still], made.method[zero] = "constant", "zero"
    unit = panel.period.name
    made.reason[still] = [
        f"the same in all {n} {unit}s" if n > 1 else f"one {unit} of history"
        for n in panel.length[still].tolist()
    ]
    made.reason[zero] = [f"no spending in the last {n} {unit}s" for n in panel.length[zero]]
    return np.asarray(~empty & ~still)


def _untested(panel: Panel, made: Forecasts, rows: Array) -> None:
    """Series too short for a single window: their mean, within what was seen so far."""
    horizon = made.value.shape[1]
    steps = panel.values.shape[1]
    inside = np.arange(steps) >= steps - panel.length[:, None]
    mean = average(panel.values, panel.length, [steps], horizon, steps)[:, 0]
    made.value[rows] = mean
    made.low[rows] = np.where(inside, panel.values, np.inf).min(axis=1)[:, None]
    made.high[rows] = np.where(inside, panel.values, -np.inf).max(axis=1)[:, None]
    made.method[rows] = "average"
    unit = panel.period.name
    made.reason[rows] = [
        f"{n} {unit}s are too short to test a method: their mean, and the range so far"
        for n in panel.length.tolist()
    ]


@dataclass(frozen=True)
class _Candidate:
    """Forecasts of one method, series by origin by step; NaN for series that it is not for.

    ``error`` is its mean absolute error in each window, series by window.
    """

    method: str
    words: str
    made: Array
    error: Array


@dataclass(frozen=True)
class _Promise:
    """What is chosen and said at one origin; ``chosen`` is the candidate of each series."""

    chosen: Array
    value: Array
    low: Array
    high: Array


class _Backtest:
    """Series with the same number of windows: every method at every origin."""

    def __init__(self, panel: Panel, windows: int, horizon: int, method: Method) -> None:
        self._panel, self._horizon, self._method = panel, horizon, method
        steps, stride = panel.values.shape[1], panel.period.stride or horizon
        backs = [horizon + stride * number for number in reversed(range(windows))]
        self._backs = (*backs, 0)
        self._origins = [steps - back for back in self._backs]
        actual = [panel.values[:, o : o + horizon] for o in self._origins[:-1]]
        self._actual = np.stack(actual, axis=1)
        self._shape = Shape.of(panel.values, panel.length)
        first, back = self._origins[0], self._backs[0]
        self._early = Shape.of(panel.values[:, :first], panel.length - back)
        self._candidates: list[_Candidate] = []

    def run(self, each: Each, watch: Callable[[int], None]) -> None:
        """Make the forecasts of every method that is to be tried."""
        panel, season = self._panel, self._panel.period.season
        wanted = [(kind, np.flatnonzero(self._is_for(kind))) for kind in _FITTED]
        wanted = [(kind, rows) for kind, rows in wanted if len(rows)]
        total, done = sum(len(rows) for _, rows in wanted), 0
        for kind, rows in wanted:
            made = np.full((len(panel), len(self._origins), self._horizon), np.nan)
            for number, found in enumerate(each(fit, list(self._tasks(kind, rows)))):
                made[rows[number * _CHUNK : (number + 1) * _CHUNK]] = found
                done += len(found)
                watch(len(panel) * done // total)
            self._add(kind, _FITTED[kind], made)
        given = (panel.values, panel.length, self._origins, self._horizon)
        if self._method in ("auto", "average"):
            for window in panel.period.averages:
                words = f"the mean of {window} {panel.period.name}s"
                self._add("average", words, average(*given, window))
        if self._method in ("auto", "seasonal_average"):
            of = "weekday" if panel.period.name == "day" else "month"
            for window in panel.period.seasons:
                words = f"the {of}'s mean of {window} times"
                self._add("seasonal_average", words, seasonal_average(*given, season, window))
        self._add(_FLOOR, "the last season", seasonal_naive(*given, season))

    def _is_for(self, kind: Kind) -> Array:
        """The series that a method is fitted to: all when it is asked for, else by length."""
        panel, period = self._panel, self._panel.period
        if self._method != "auto" or kind == "prophet":
            return np.full(len(panel), self._method == kind)
        months = np.array([period.months(n) for n in panel.length.tolist()])
        long = months >= 12 if kind == "holt_winters" else (months >= 6) & (months < 12)
        return np.asarray(long & (self._shape.full >= period.dense))

    def _tasks(self, kind: Kind, rows: Array) -> Iterator[Task]:
        panel, period = self._panel, self._panel.period
        first_day = period.first_day(panel.last + 1).isoformat()
        for start in range(0, len(rows), _CHUNK):
            histories = tuple(
                panel.values[row, panel.values.shape[1] - panel.length[row] :]
                for row in rows[start : start + _CHUNK].tolist()
            )
            yield Task(
                kind, period.name, period.season, self._horizon, self._backs, histories, first_day
            )

    def _add(self, method: str, words: str, made: Array) -> None:
        """Keep a method's forecasts; who was not below zero at first is not forecast below it."""
        never = (self._early.below == 0)[:, None, None]
        made = np.where(never, np.maximum(made, 0), made)
        error = np.abs(self._actual - made[:, :-1]).mean(axis=2)
        self._candidates.append(_Candidate(method, words, made, error))

    def report(self, made: Forecasts, rows: Array) -> None:
        """Choose, forecast, and write down what the held-out window says."""
        panel = self._panel
        scale = naive_scale(
            panel.values[:, : self._origins[0]],
            panel.length - self._backs[0],
            panel.period.season,
        )
        last = len(self._origins) - 1
        final = self._promise(last)
        made.value[rows], made.low[rows], made.high[rows] = final.value, final.low, final.high
        made.method[rows] = [self._candidates[c].method for c in final.chosen.tolist()]
        made.reason[rows] = self._reasons(final.chosen, last)
        made.mase[rows] = mase(self._actual - self._of(final.chosen)[:, :-1], scale)
        if not self._before(last - 1):
            return
        held, actual = self._promise(last - 1), self._actual[:, -1]
        made.coverage[rows] = coverage(actual, held.low, held.high)
        said = made.held
        said["method"][rows] = [self._candidates[c].method for c in held.chosen.tolist()]
        said["mase"][rows] = mase(actual - held.value, scale)
        said["naive_mase"][rows] = mase(actual - self._candidates[-1].made[:, -2], scale)
        said["pinball_low"][rows] = pinball(actual, held.low, MISSED / 2)
        said["pinball_high"][rows] = pinball(actual, held.high, 1 - MISSED / 2)

    def _before(self, origin: int) -> list[int]:
        """The windows that are over at that origin."""
        back = self._backs[origin] + self._horizon
        return [n for n, other in enumerate(self._backs[:-1]) if other >= back]

    def _of(self, chosen: Array) -> Array:
        """Each series' forecasts by its chosen candidate, series by origin by step.

        Candidates are not stacked for that: of many series each is large.
        """
        found = np.empty_like(self._candidates[0].made)
        for number, candidate in enumerate(self._candidates):
            rows = chosen == number
            found[rows] = candidate.made[rows]
        return found

    def _promise(self, origin: int, *, stretched: bool = True) -> _Promise:
        """What is said at an origin, from the windows that are over by then and from no others."""
        panel, before = self._panel, self._before(origin)
        chosen = self._best(np.stack([c.error[:, before].mean(axis=1) for c in self._candidates]))
        made = self._of(chosen)
        value = made[:, origin]
        own = (self._actual[:, before] - made[:, before]).reshape(len(panel), -1)
        stretch = self._stretch(before) if stretched else np.ones(len(panel))
        end = self._origins[origin]
        shape = Shape.of(panel.values[:, :end], panel.length - self._backs[origin])
        overlap = self._horizon / (panel.period.stride or self._horizon)
        low, high = bounds(
            value, own, np.abs(own).mean(axis=1), shape, overlap=overlap, stretch=stretch
        )
        return _Promise(chosen, value, low, high)

    def _stretch(self, windows: Sequence[int]) -> Array:
        """How much too narrow unstretched bounds were in the newest of the windows."""
        found = np.ones(len(self._panel))
        tests = [n for n in windows if self._before(n)][-_STRETCH_WINDOWS:]
        if not tests:
            return found
        said = [self._promise(n, stretched=False) for n in tests]
        for kind in (self._panel.category == ALL, self._panel.category != ALL):
            columns = [
                np.stack([of(n, one)[kind] for n, one in zip(tests, said, strict=True)])
                for of in (
                    lambda n, _: self._actual[:, n],
                    lambda _, one: one.value,
                    lambda _, one: one.low,
                    lambda _, one: one.high,
                )
            ]
            found[kind] = needed_stretch(*columns)
        return found

    def _best(self, error: Array) -> Array:
        """The method of least error; of equals the earlier one."""
        if self._method not in ("auto", _FLOOR):
            # The floor is for those that the method cannot forecast.
            error[-1] = np.where(np.isnan(error[:-1]).all(axis=0), error[-1], np.nan)
        return np.asarray(np.where(np.isnan(error), np.inf, error).argmin(axis=0))

    def _reasons(self, chosen: Array, windows: int) -> list[str]:
        panel, unit = self._panel, self._panel.period.name
        tried = f"best in {windows} back-tests" if self._method == "auto" else "asked for"
        found = []
        for choice, length, full in zip(
            chosen.tolist(), panel.length.tolist(), self._shape.full.tolist(), strict=True
        ):
            candidate = self._candidates[choice]
            why = tried
            if self._method not in ("auto", candidate.method):
                why = f"{self._method} could not be fitted"
            seldom = "" if full >= panel.period.dense else f", spending in {full:.0%} of them"
            found.append(f"{candidate.words}: {why}; {length} {unit}s of history{seldom}")
        return found
