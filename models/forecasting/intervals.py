"""Intervals from the errors that a method really made, without a shape for them.

Split conformal prediction (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005;
Lei et al., "Distribution-Free Predictive Inference for Regression", JASA 113, 2018): the bounds are
the forecast plus quantiles of earlier back-test errors, the ceil((n + 1) p)-th of n. Three
things are particular here:

- Few errors of one's own say little of the tails. They are mixed with those of series that are as
  full, in units of each series' mean absolute error.
- What a method was chosen by flatters it, and windows that overlap say less than their number. How
  much too narrow the bounds would have been for the newest windows is measured, and they are
  stretched by that.
- Many steps have no spending at all. Where nobody can fall below zero the lower bound is zero and
  misses nothing, so all that may be missed lies above: 5 % there, and not 2.5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.forecasting.series import Array

__all__ = ["MISSED", "Shape", "bounds", "needed_stretch"]

MISSED: Final = 0.05
"""Share of values that may lie outside."""

_TRUST: Final = 40  # errors of one's own that count as much as everyone's
_MOST_STRETCH: Final = 3.0  # more says that something changed which no factor can mend
_FULLNESS: Final = (0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 0.99)


@dataclass(frozen=True)
class Shape:
    """What a series' history says of its values: the shares of steps below and other than zero."""

    below: Array
    full: Array

    @classmethod
    def of(cls, values: Array, length: Array) -> Shape:
        """Of each row's last ``length`` columns."""
        inside = np.arange(values.shape[1]) >= values.shape[1] - length[:, None]
        count = np.maximum(1, length)
        return cls(
            ((values < 0) & inside).sum(axis=1) / count,
            ((values != 0) & inside).sum(axis=1) / count,
        )


def bounds(
    forecast: Array,
    errors: Array,
    unit: Array,
    shape: Shape,
    *,
    overlap: float = 1.0,
    stretch: Array | float = 1.0,
) -> tuple[Array, Array]:
    """Lower and upper bound of each forecast, series by step.

    Args:
        forecast: series by step.
        errors: by how much each series lay above its forecasts in earlier windows, series by error.
        unit: mean absolute error of each series.
        shape: of each series' history.
        overlap: in how many windows a value of the history counts.
        stretch: factor of the way from the forecast to a bound, one or one for each series.
    """
    low_miss = np.minimum(MISSED / 2, shape.below)
    high_miss = MISSED - low_miss
    count = errors.shape[1] / overlap
    trust = count / (count + _TRUST)
    mine = np.sort(errors, axis=1)
    low = trust * _ranked(mine, low_miss, up=False)
    high = trust * _ranked(mine, 1 - high_miss, up=True)
    group = np.digitize(shape.full, _FULLNESS)
    for kind in np.unique(group[unit > 0]):
        members = group == kind
        lenders = members & (unit > 0)
        pool = np.sort((errors[lenders] / unit[lenders, None]).ravel())
        low[members] += (1 - trust) * unit[members] * np.quantile(pool, low_miss[members])
        high[members] += (1 - trust) * unit[members] * np.quantile(pool, 1 - high_miss[members])
    lower = forecast + np.expand_dims(stretch * low, 1)
    upper = forecast + np.expand_dims(stretch * high, 1)
    # A step without spending must not fall out by a cent where there are many of them.
    often_zero = (1 - shape.full >= MISSED / 2)[:, None]
    lower = np.where(often_zero, np.minimum(lower, 0.0), lower)
    lower = np.where((shape.below == 0)[:, None], np.maximum(lower, 0.0), lower)
    return np.minimum(lower, forecast), np.maximum(upper, forecast)


def needed_stretch(actual: Array, forecast: Array, low: Array, high: Array) -> float:
    """The least factor, at least 1, by which bounds must be stretched to hold their share.

    All arrays have one shape. 1 where there are too few values to tell.
    """
    rank = int(np.ceil((actual.size + 1) * (1 - MISSED)))
    if rank > actual.size:
        return 1.0
    off = actual - forecast
    way = np.where(off >= 0, high - forecast, low - forecast)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((actual >= low) & (actual <= high), 0.0, off / way)
    return float(np.clip(np.sort(ratio.ravel())[rank - 1], 1.0, _MOST_STRETCH))


def _ranked(ordered: Array, level: Array, *, up: bool) -> Array:
    """Of each row the error whose rank among one more stands for the level."""
    count = ordered.shape[1]
    rank = (np.ceil if up else np.floor)((count + 1) * level).astype(int)
    found: Array = ordered[np.arange(len(ordered)), np.clip(rank - 1, 0, count - 1)]
    return found
