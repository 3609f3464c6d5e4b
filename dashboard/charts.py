"""The charts, as Vega-Lite by Altair; everything they need is served with the page.

Moments are shown by the reader's clock, which is the browser's own; days are those of UTC, wherever
the reader is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import altair as alt
import pandas as pd
from altair import Undefined

from dashboard.figures import Measures
from dashboard.zones import UTC_NAME

__all__ = [
    "AHEAD",
    "MONEY",
    "day_tip",
    "dollars",
    "forecast_band",
    "freshness_lines",
    "months_ahead",
    "time_axis",
    "time_tip",
    "volume_bars",
]

MONEY = "$,.2f"
AHEAD = "#c9822b"
_SECONDS = "datum.label + ' s'"
_HOP_COLOURS = {
    "kafka": "#7a8b99",
    "bronze": "#b0713a",
    "silver": "#4f8fd0",
    "gold": "#c79a1b",
    "alert": "#cf4256",
}


def volume_bars(
    points: Sequence[tuple[datetime, Measures]],
    step: timedelta,
    colour: str,
    zone: str = UTC_NAME,
) -> alt.Chart:
    """Volume in US dollars per step of time; steps of days are of UTC, others of the zone."""
    by_day = step >= timedelta(days=1)
    data = pd.DataFrame(
        {
            "start": [moment for moment, _ in points],
            "end": [moment + step for moment, _ in points],
            "Volume": [float(m.amount) for _, m in points],
            "Transactions": [m.transactions for _, m in points],
            "Declined": [m.declined for _, m in points],
        }
    )
    chart: alt.Chart = (
        alt.Chart(data, height=220)
        # Rectangles: a bar with a range of time across would lie on its side.
        .mark_rect(color=colour, xOffset=0.5, x2Offset=-0.5, cornerRadiusTopLeft=1.5)
        .encode(
            x=time_axis("start", step * len(points), UTC_NAME if by_day else zone),
            x2="end:T",
            y2=alt.datum(0),
            y=alt.Y("Volume:Q", title=None, axis=dollars()),
            tooltip=[
                day_tip("start", "From")
                if by_day
                else time_tip("start", "From", "%d %b %Y %H:%M", zone),
                alt.Tooltip("Volume:Q", format=MONEY),
                alt.Tooltip("Transactions:Q", format=","),
                alt.Tooltip("Declined:Q", format=","),
            ],
        )
    )
    return chart


def forecast_band(
    points: Sequence[tuple[datetime, Decimal, Decimal, Decimal]], colour: str
) -> alt.LayerChart:
    """Expected spending per day in US dollars within its interval: (day, expected, low, high)."""
    data = pd.DataFrame(
        {
            "day": [day for day, *_ in points],
            "Expected": [float(value) for _, value, _, _ in points],
            "low": [float(low) for _, _, low, _ in points],
            "high": [float(high) for _, _, _, high in points],
        }
    )
    base = alt.Chart(data, height=180).encode(
        x=time_axis("day", timedelta(days=len(points))),
        tooltip=[
            day_tip("day", "Day"),
            alt.Tooltip("Expected:Q", format=MONEY),
            alt.Tooltip("low:Q", title="95 % from", format=MONEY),
            alt.Tooltip("high:Q", title="95 % to", format=MONEY),
        ],
    )
    band = base.mark_area(color=colour, opacity=0.18, interpolate="step").encode(
        y=alt.Y("low:Q", title=None, axis=dollars()), y2="high:Q"
    )
    line = base.mark_line(color=colour, interpolate="step", strokeWidth=2).encode(y="Expected:Q")
    chart: alt.LayerChart = band + line
    return chart


def months_ahead(
    past: Sequence[tuple[date, Decimal]],
    ahead: Sequence[tuple[date, Decimal, Decimal, Decimal]],
    colour: str,
) -> alt.LayerChart:
    """Volume in US dollars by month, and what is expected: (month, expected, low, high)."""
    bars = pd.DataFrame(
        {
            "month": [_midnight(month) for month, _ in past],
            "end": [_midnight(month) + pd.offsets.MonthBegin() for month, _ in past],
            "Volume": [float(amount) for _, amount in past],
        }
    )
    points = pd.DataFrame(
        {
            "middle": [_midnight(month) + timedelta(days=15) for month, *_ in ahead],
            "Expected": [float(value) for _, value, _, _ in ahead],
            "low": [float(low) for _, _, low, _ in ahead],
            "high": [float(high) for _, _, _, high in ahead],
        }
    )
    utc = alt.Scale(type="utc")
    volume = (
        alt.Chart(bars, height=240)
        .mark_rect(color=colour, xOffset=1, x2Offset=-1, cornerRadiusTopLeft=1.5)
        .encode(
            x=alt.X(
                "month:T",
                title=None,
                scale=utc,
                axis=alt.Axis(format="%b %Y", labelOverlap=True, tickCount="month"),
            ),
            x2="end:T",
            y2=alt.datum(0),
            y=alt.Y("Volume:Q", title=None, axis=dollars()),
            tooltip=[_month_tip("month"), alt.Tooltip("Volume:Q", format=MONEY)],
        )
    )
    base = alt.Chart(points).encode(
        x=alt.X("middle:T", scale=utc),
        tooltip=[
            _month_tip("middle"),
            alt.Tooltip("Expected:Q", format=MONEY),
            alt.Tooltip("low:Q", title="95 % from", format=MONEY),
            alt.Tooltip("high:Q", title="95 % to", format=MONEY),
        ],
    )
    whisker = base.mark_rule(color=AHEAD, strokeWidth=2).encode(y="low:Q", y2="high:Q")
    point = base.mark_point(color=AHEAD, filled=True, size=70).encode(y="Expected:Q")
    chart: alt.LayerChart = volume + whisker + point
    return chart


def dollars() -> alt.Axis:
    """``$800`` and not ``$0.8k``; thousands only where whole ones would be long."""
    short, whole = "format(datum.value, '$~s')", "format(datum.value, '$,.2~f')"
    return alt.Axis(labelExpr=f"abs(datum.value) >= 10000 ? {short} : {whole}", tickCount=4)


def day_tip(name: str, title: str) -> alt.Tooltip:
    """A day's line of a tooltip; without a unit the browser would take it for one of its own."""
    return alt.Tooltip(
        f"{name}:T", title=f"{title} (UTC)", format="%a %d %b %Y", timeUnit="utcyearmonthdate"
    )


def _month_tip(name: str) -> alt.Tooltip:
    return alt.Tooltip(f"{name}:T", title="Month", format="%b %Y", timeUnit="utcyearmonth")


def time_tip(name: str, title: str, form: str, zone: str) -> alt.Tooltip:
    """A moment's line of a tooltip, by the clock of that zone: UTC, or the browser's own."""
    return alt.Tooltip(
        f"{name}:T",
        title=f"{title} ({zone})",
        format=form,
        timeUnit="utcyearmonthdatehoursminutesseconds" if zone == UTC_NAME else Undefined,
    )


def _midnight(day: date) -> pd.Timestamp:
    return pd.Timestamp(day, tz=UTC_NAME)


def time_axis(
    name: str,
    span: timedelta,
    zone: str = UTC_NAME,
    domain: tuple[datetime, datetime] | None = None,
) -> alt.X:
    """Time across, by the clock of UTC or the browser's own, with labels that suit its span."""
    days = span.total_seconds() / 86_400
    form = "%H:%M" if days <= 1 else "%d %b" if days <= 200 else "%b %Y"
    few = 1 < days <= 14  # else there would be several ticks to a day
    return alt.X(
        f"{name}:T",
        title=None,
        scale=alt.Scale(
            type="utc" if zone == UTC_NAME else "time",
            domain=[d.isoformat() for d in domain] if domain else Undefined,
        ),
        axis=alt.Axis(
            grid=False,
            format=form,
            labelOverlap=True,
            tickCount=alt.TimeIntervalStep("day", -(-int(days) // 7)) if few else 6,
            labelFlush=True,
        ),
    )


def freshness_lines(
    points: Sequence[tuple[datetime, str, float]], until: datetime, zone: str = UTC_NAME
) -> alt.Chart:
    """Freshness per hop over the 15 minutes up to ``until``: (time, hop, milliseconds)."""
    since = until - timedelta(minutes=15)
    data = pd.DataFrame(
        {
            "at": [moment for moment, _, _ in points],
            "hop": [hop for _, hop, _ in points],
            "p95": [milliseconds / 1000 for _, _, milliseconds in points],
        }
    )
    chart: alt.Chart = (
        alt.Chart(data, height=240)
        .mark_line(interpolate="monotone", strokeWidth=2, point=alt.OverlayMarkDef(size=12))
        .encode(
            x=time_axis("at", until - since, zone, (since, until)),
            y=alt.Y("p95:Q", title=None, axis=alt.Axis(format=".1~f", labelExpr=_SECONDS)),
            color=alt.Color(
                "hop:N",
                title=None,
                scale=alt.Scale(domain=list(_HOP_COLOURS), range=list(_HOP_COLOURS.values())),
                legend=alt.Legend(orient="top", symbolType="stroke"),
            ),
            tooltip=[
                time_tip("at", "From", "%H:%M:%S", zone),
                alt.Tooltip("hop:N", title="Hop"),
                alt.Tooltip("p95:Q", title="p95, s", format=".3f"),
            ],
        )
    )
    return chart
