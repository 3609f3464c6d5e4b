"""How far forecasts are off.

``MASE``: Hyndman, Koehler, "Another look at measures of forecast accuracy", International Journal
of Forecasting 22 (2006): mean absolute error over that of the seasonal naive method within the
history. Pinball loss: Koenker, Bassett, "Regression quantiles", Econometrica 46 (1978).
"""

from __future__ import annotations

import numpy as np

from models.forecasting.series import Array

__all__ = ["coverage", "mase", "naive_scale", "pinball"]


def naive_scale(values: Array, length: Array, season: int) -> Array:
    """Mean absolute difference to the season before, of each row's last ``length`` columns.

    A row that is no longer than a season is compared with the step before. NaN where there is
    nothing to compare.
    """
    steps = values.shape[1]
    found = np.full(len(values), np.nan)
    for lag, rows in ((season, length > season), (1, (length > 1) & (length <= season))):
        if not rows.any() or steps <= lag:
            continue
        inside = np.arange(lag, steps) >= steps - length[rows, None] + lag
        moved = np.abs(values[rows, lag:] - values[rows, :-lag])
        found[rows] = (moved * inside).sum(axis=1) / inside.sum(axis=1)
    return found


def mase(error: Array, scale: Array) -> Array:
    """Mean absolute error of each row over the row's scale; NaN where the scale is 0 or NaN.

    ``error`` may have any number of further axes.
    """
    own = np.abs(error).reshape(len(error), -1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(scale > 0, own / scale, np.nan)


def coverage(actual: Array, low: Array, high: Array) -> Array:
    """Share of each row's values that lie within the interval, both ends included."""
    inside: Array = (actual >= low) & (actual <= high)
    share: Array = inside.reshape(len(inside), -1).mean(axis=1)
    return share


def pinball(actual: Array, quantile: Array, level: float) -> Array:
    """Mean pinball loss of each row, for a forecast of the quantile ``level``."""
    off = actual - quantile
    lost: Array = np.maximum(level * off, (level - 1) * off)
    mean: Array = lost.reshape(len(lost), -1).mean(axis=1)
    return mean
