"""Charts of one customer's money, as Vega-Lite by Altair."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import altair as alt
import pandas as pd

from dashboard.charts import AHEAD, MONEY, dollars

__all__ = ["balance_band", "months_saved", "score_line"]

_MONTH = alt.Axis(format="%b %Y", grid=False, labelOverlap=True, labelFlush=True, tickCount=6)


def score_line(points: Sequence[tuple[date, Decimal]], colour: str) -> alt.Chart:
    """The score, 0 to 100, after each month: (first day of the month, score)."""
    data = pd.DataFrame(
        {
            "month": [pd.Timestamp(month) for month, _ in points],
            "Score": [float(score) for _, score in points],
        }
    )
    chart: alt.Chart = (
        alt.Chart(data, height=180)
        .mark_line(color=colour, strokeWidth=2, point=alt.OverlayMarkDef(size=18))
        .encode(
            x=alt.X("month:T", title=None, axis=_MONTH),
            y=alt.Y("Score:Q", title=None, scale=alt.Scale(domain=[0, 100])),
            tooltip=[
                alt.Tooltip("month:T", title="After", format="%b %Y"),
                alt.Tooltip("Score:Q", format=".1f"),
            ],
        )
    )
    return chart


def months_saved(points: Sequence[tuple[date, Decimal, Decimal, Decimal]]) -> alt.LayerChart:
    """What months to come leave, US dollars, with 95 % intervals: (month, expected, low, high)."""
    data = pd.DataFrame(
        {
            "month": [pd.Timestamp(month) for month, *_ in points],
            "Expected": [float(value) for _, value, _, _ in points],
            "low": [float(low) for _, _, low, _ in points],
            "high": [float(high) for _, _, _, high in points],
        }
    )
    base = alt.Chart(data, height=220).encode(
        x=alt.X(
            "yearmonth(month):O",
            title=None,
            axis=alt.Axis(format="%b %Y", labelAngle=0, labelOverlap=True),
        ),
        tooltip=[
            alt.Tooltip("month:T", title="Month", format="%b %Y"),
            alt.Tooltip("Expected:Q", format=MONEY),
            alt.Tooltip("low:Q", title="95 % from", format=MONEY),
            alt.Tooltip("high:Q", title="95 % to", format=MONEY),
        ],
    )
    y = alt.Y("low:Q", title=None, axis=dollars())
    whisker = base.mark_rule(color=AHEAD, strokeWidth=2).encode(y=y, y2="high:Q")
    point = base.mark_point(color=AHEAD, filled=True, size=70).encode(y="Expected:Q")
    nought = alt.Chart(pd.DataFrame({"at": [0]})).mark_rule(opacity=0.35).encode(y="at:Q")
    chart: alt.LayerChart = nought + whisker + point
    return chart


def balance_band(
    points: Sequence[tuple[date, Decimal, Decimal, Decimal]], colour: str
) -> alt.LayerChart:
    """How an account will stand, US dollars, within 90 %: (day, expected, low, high)."""
    data = pd.DataFrame(
        {
            "day": [pd.Timestamp(day) for day, *_ in points],
            "Expected": [float(value) for _, value, _, _ in points],
            "low": [float(low) for _, _, low, _ in points],
            "high": [float(high) for _, _, _, high in points],
        }
    )
    base = alt.Chart(data, height=220).encode(
        x=alt.X(
            "day:T",
            title=None,
            axis=alt.Axis(format="%d %b", grid=False, labelOverlap=True, tickCount=6),
        ),
        tooltip=[
            alt.Tooltip("day:T", title="Evening of", format="%a %d %b %Y"),
            alt.Tooltip("Expected:Q", format=MONEY),
            alt.Tooltip("low:Q", title="90 % from", format=MONEY),
            alt.Tooltip("high:Q", title="90 % to", format=MONEY),
        ],
    )
    band = base.mark_area(color=colour, opacity=0.18, interpolate="step").encode(
        y=alt.Y("low:Q", title=None, axis=dollars()), y2="high:Q"
    )
    line = base.mark_line(color=colour, interpolate="step", strokeWidth=2).encode(y="Expected:Q")
    nought = alt.Chart(pd.DataFrame({"at": [0]})).mark_rule(opacity=0.35).encode(y="at:Q")
    chart: alt.LayerChart = nought + band + line
    return chart
