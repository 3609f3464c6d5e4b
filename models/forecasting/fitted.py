"""Forecasts of models that are fitted series by series: Holt-Winters, ARIMA, Prophet.

Parameters are fitted once, on what lies before the first back-test window; at each later origin,
the end among them, the model takes in what came since and its parameters stay. So a back-test
measures the very procedure that makes the forecast, at the price of one fit. Prophet alone cannot
take in more, and is fitted anew at each origin.

Holt-Winters: Holt (1957), Winters, "Forecasting sales by exponentially weighted moving averages",
Management Science 6 (1960), as a state space model of additive errors (Hyndman et al., "Forecasting
with Exponential Smoothing", 2008). ARIMA: orders by Hyndman, Khandakar, "Automatic time series
forecasting", Journal of Statistical Software 27 (2008). Both by statsforecast. Prophet: Taylor,
Letham, "Forecasting at scale", The American Statistician 72 (2018).
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from models.forecasting.series import Array

__all__ = ["Kind", "Task", "fit"]

Kind = Literal["holt_winters", "arima", "prophet"]


@dataclass(frozen=True)
class Task:
    """Series to fit one model to; small enough to be sent to another process.

    ``rows`` are histories of any length; ``backs`` says how many steps before their end each
    forecast stands, the first the furthest; ``first_day`` is the day after the end (for Prophet),
    ``period`` the name of the steps.
    """

    kind: Kind
    period: Literal["day", "month"]
    season: int
    horizon: int
    backs: tuple[int, ...]
    rows: tuple[Array, ...]
    first_day: str = ""


def fit(task: Task) -> Array:
    """Forecasts, series by origin by step; NaN where a series could not be fitted.

    Raises:
        ModuleNotFoundError: the package of the model is not installed.
    """
    one = {"holt_winters": _holt_winters, "arima": _arima, "prophet": _prophet}[task.kind]
    found = np.full((len(task.rows), len(task.backs), task.horizon), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: a poor fit loses the back-test
        for place, row in enumerate(task.rows):
            try:
                found[place] = one(task, row)
            except ModuleNotFoundError:
                raise
            except Exception:  # noqa: BLE001, S112 (whatever a solver throws, others can forecast)
                continue
    return found


def _walk(task: Task, row: Array, model: Any) -> Array:
    """Fit to what lies before the first origin, then go on from origin to origin."""
    ends = [len(row) - back for back in task.backs]
    model.fit(row[: ends[0]])
    return np.stack([model.forward(row[:end], h=task.horizon)["mean"] for end in ends])


def _holt_winters(task: Task, row: Array) -> Array:
    from statsforecast.models import AutoETS

    # Two seasons are the least that tell one from noise. Of days the trend is left out: over 30
    # days it costs accuracy, and five times as long a fit (docs/decisions/0009-*.md).
    if len(row) - task.backs[0] < 2 * task.season:
        return _walk(task, row, AutoETS(season_length=1, model="AAN", damped=True))
    if task.period == "day":
        return _walk(task, row, AutoETS(season_length=task.season, model="ANA"))
    return _walk(task, row, AutoETS(season_length=task.season, model="AAA", damped=True))


def _arima(task: Task, row: Array) -> Array:
    from statsforecast.models import AutoARIMA

    # The week is taken off beforehand: a seasonal ARIMA of days takes three times as long to fit.
    known = len(row) - task.backs[0]
    pattern = np.zeros(task.season)
    if known >= 4 * task.season:
        whole = row[: known - known % task.season].reshape(-1, task.season)
        pattern = whole.mean(axis=0) - whole.mean()
    phase = np.arange(len(row) + task.horizon) % task.season
    made = _walk(task, row - pattern[phase[: len(row)]], AutoARIMA(max_p=2, max_q=2))
    ends = [len(row) - back for back in task.backs]
    return made + np.stack([pattern[phase[end : end + task.horizon]] for end in ends])


def _prophet(task: Task, row: Array) -> Array:
    import pandas as pd
    from prophet import Prophet

    logging.getLogger("cmdstanpy").disabled = True  # it sets its level anew at its first use
    every = "D" if task.period == "day" else "MS"
    days = pd.date_range(end=task.first_day, periods=len(row) + 1, freq=every)[:-1]
    found = []
    for back in task.backs:
        end = len(row) - back
        model = Prophet(
            weekly_seasonality=task.period == "day",
            yearly_seasonality=end >= (730 if task.period == "day" else 24),
            daily_seasonality=False,
            uncertainty_samples=0,  # the intervals come from the back-tests
        )
        model.fit(pd.DataFrame({"ds": days[:end], "y": row[:end]}), seed=1)
        ahead = pd.date_range(start=days[end - 1], periods=task.horizon + 1, freq=every)[1:]
        found.append(model.predict(pd.DataFrame({"ds": ahead}))["yhat"].to_numpy())
    return np.stack(found)
