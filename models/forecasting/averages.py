"""Forecasts that need no fitting, of many series and at many origins at once.

Each takes ``values`` (series by step; history is the last ``length`` columns of a row), ``origins``
(columns before which a forecast stands) and the horizon, and gives series by origin by step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.forecasting.series import Array

__all__ = ["average", "seasonal_average", "seasonal_naive"]


def seasonal_naive(
    values: Array, length: Array, origins: Sequence[int], horizon: int, season: int
) -> Array:
    """The last season again; the last value where the history is shorter than a season."""
    found = []
    for origin in origins:
        phase = origin - season + np.arange(horizon) % season
        again = values[:, np.maximum(phase, 0)]
        short = length - (values.shape[1] - origin) < season
        found.append(np.where(short[:, None], values[:, [origin - 1]], again))
    return np.stack(found, axis=1)


def average(
    values: Array, length: Array, origins: Sequence[int], horizon: int, window: int
) -> Array:
    """The mean of the last ``window`` steps, or of the history where it is shorter."""
    found = []
    for origin in origins:
        own = np.minimum(window, length - (values.shape[1] - origin))
        total = values[:, max(0, origin - window) : origin].sum(axis=1)
        found.append(np.repeat((total / np.maximum(1, own))[:, None], horizon, axis=1))
    return np.stack(found, axis=1)


def seasonal_average(
    values: Array, length: Array, origins: Sequence[int], horizon: int, season: int, window: int
) -> Array:
    """The mean of the same weekday (or month) over the last ``window`` seasons of the history."""
    steps = values.shape[1]
    found = []
    for origin in origins:
        total = np.zeros((len(values), season))
        count = np.zeros((len(values), season))
        for back in range(1, window + 1):
            start = origin - back * season
            if start < 0:
                break
            total += values[:, start : start + season]
            count += np.arange(start, start + season) >= steps - length[:, None]
        mean = total / np.maximum(1, count)
        found.append(mean[:, np.arange(horizon) % season])
    return np.stack(found, axis=1)
