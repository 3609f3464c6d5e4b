"""The charts of the models' page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts import day_tip, time_axis
from dashboard.model_queries import EDGES

__all__ = ["LEVELS", "decay_points", "drift_line", "running_lines", "score_bars"]

LEVELS = {"ok": "#2a9d8f", "warn": "#d98a00", "alarm": "#d43c4b"}
_SIDES = {"Champion": "#2a9d8f", "Challenger": "#8b6fc4"}
_DAY = timedelta(days=1)


def bins() -> list[str]:
    """Names of the bins of probability, the lowest first."""
    ends = [0.0, *EDGES, 1.0]
    return [f"{100 * a:g}–{100 * b:g} %" for a, b in pairwise(ends)]


def score_bars(counts: dict[str, list[int]]) -> alt.Chart:
    """Transactions per bin of probability, by model; each step up is ten times as many."""
    names = bins()
    data = pd.DataFrame(
        [
            {"bin": names[place], "Model": model, "Transactions": number}
            for model, numbers in counts.items()
            for place, number in enumerate(numbers)
            if number
        ]
    )
    chart: alt.Chart = (
        alt.Chart(data, height=300)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X(
                "bin:N",
                title="Probability of fraud",
                sort=names,
                scale=alt.Scale(domain=names),
                axis=alt.Axis(labelAngle=-40, grid=False),
            ),
            xOffset=alt.XOffset("Model:N", sort=list(_SIDES)),
            # A bar of one transaction would have no height on a scale that begins with one.
            y=alt.Y(
                "Transactions:Q",
                title="Transactions",
                scale=alt.Scale(type="log", domainMin=0.5, nice=False),
                axis=alt.Axis(format="~s", values=[10**power for power in range(9)]),
            ),
            y2=alt.datum(0.5),
            color=_side("Model"),
            tooltip=[
                alt.Tooltip("bin:N", title="Probability"),
                alt.Tooltip("Model:N"),
                alt.Tooltip("Transactions:Q", format=","),
            ],
        )
    )
    return chart


def running_lines(days: Sequence[dict[str, Any]]) -> alt.Chart:
    """Running totals of transactions that one model alone judged rightly, by day."""
    points = []
    totals = dict.fromkeys(_SIDES, 0)
    for day in days:
        for side in _SIDES:
            totals[side] += day[f"only_{side.lower()}"]
            points.append({"day": day["date"], "Model": side, "Alone right": totals[side]})
    span = days[-1]["date"] - days[0]["date"] + _DAY
    chart: alt.Chart = (
        alt.Chart(_dated(points), height=220)
        .mark_line(interpolate="step-after", strokeWidth=2, point=alt.OverlayMarkDef(size=14))
        .encode(
            x=time_axis("day", span),
            y=alt.Y("Alone right:Q", title=None, axis=alt.Axis(tickMinStep=1, format=",")),
            color=_side("Model"),
            tooltip=[
                day_tip("day", "Day"),
                alt.Tooltip("Model:N"),
                alt.Tooltip("Alone right:Q", title="Alone right until then", format=","),
            ],
        )
    )
    return chart


def drift_line(windows: Sequence[dict[str, Any]], warn: float, alarm: float) -> alt.LayerChart:
    """PSI of the score, window by window, with both thresholds."""
    data = _dated(
        [{"day": w["window_end"], "PSI": w["psi"], "alarms": w["alarms"]} for w in windows]
    )
    span = windows[-1]["window_end"] - windows[0]["window_end"] + _DAY
    line = (
        alt.Chart(data, height=180)
        .mark_line(
            color=LEVELS["ok"],
            strokeWidth=2,
            point=alt.OverlayMarkDef(size=24, color=LEVELS["ok"]),
        )
        .encode(
            x=time_axis("day", span),
            y=alt.Y("PSI:Q", title=None, axis=alt.Axis(format=".2~f", tickCount=4)),
            tooltip=[
                day_tip("day", "Window until"),
                alt.Tooltip("PSI:Q", title="PSI of the score", format=".3f"),
                alt.Tooltip("alarms:Q", title="Features in alarm", format=","),
            ],
        )
    )
    chart: alt.LayerChart = line + _rule(warn, LEVELS["warn"]) + _rule(alarm, LEVELS["alarm"])
    return chart


def decay_points(weeks: Sequence[dict[str, Any]]) -> alt.LayerChart:
    """Average precision of each judged week with its bounds, beside that of the training's test."""
    judged = [w for w in weeks if w["average_precision"] is not None]
    data = _dated(
        [
            {
                "day": w["week_start"],
                "Average precision": w["average_precision"],
                "low": w["average_precision_low"],
                "high": w["average_precision_high"],
                "level": w["level"],
                "Frauds": w["frauds"],
            }
            for w in judged
        ]
    )
    span = judged[-1]["week_start"] - judged[0]["week_start"] + timedelta(days=14)
    base = alt.Chart(data, height=220).encode(
        x=time_axis("day", span),
        color=alt.Color(
            "level:N",
            legend=None,
            scale=alt.Scale(domain=list(LEVELS), range=list(LEVELS.values())),
        ),
        tooltip=[
            day_tip("day", "Week from"),
            alt.Tooltip("Average precision:Q", format=".3f"),
            alt.Tooltip("low:Q", title="90 % from", format=".3f"),
            alt.Tooltip("high:Q", title="90 % to", format=".3f"),
            alt.Tooltip("Frauds:Q", format=","),
            alt.Tooltip("level:N", title="Level"),
        ],
    )
    scale = alt.Scale(domain=[0, 1])
    bounds = base.mark_rule(strokeWidth=2, opacity=0.5).encode(
        y=alt.Y("low:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5)), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(y="Average precision:Q")
    trained = _rule(judged[-1]["average_precision_trained"], "#7a8b99")
    chart: alt.LayerChart = trained + bounds + points
    return chart


def _dated(points: Sequence[dict[str, Any]]) -> pd.DataFrame:
    data = pd.DataFrame(points)
    data["day"] = pd.to_datetime([_text(point["day"]) for point in points], utc=True)
    return data


def _text(day: date) -> str:
    return day.isoformat()


def _side(column: str) -> alt.Color:
    return alt.Color(
        f"{column}:N",
        title=None,
        scale=alt.Scale(domain=list(_SIDES), range=list(_SIDES.values())),
        legend=alt.Legend(orient="top"),
    )


def _rule(at: float, colour: str) -> alt.Chart:
    rule: alt.Chart = (
        alt.Chart(pd.DataFrame({"at": [at]}))
        .mark_rule(color=colour, strokeDash=[5, 4], strokeWidth=1.5)
        .encode(y="at:Q")
    )
    return rule
