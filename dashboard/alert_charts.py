"""The chart of the alerts' page, as Vega-Lite by Altair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts import time_axis, time_tip
from dashboard.zones import UTC_NAME

__all__ = ["scores"]

_CALM, _ALERT = "#4f8fd0", "#cf4256"


def scores(around: Sequence[dict[str, Any]], chosen: int, zone: str = UTC_NAME) -> alt.LayerChart:
    """Probability of fraud of a card's transactions; the chosen one is ringed, alerts are red."""
    scored = [r for r in around if r["score"] is not None]
    data = pd.DataFrame(
        {
            "at": [r["transaction_ts"] for r in scored],
            "Score": [r["score"] for r in scored],
            "kind": ["alert" if r["is_alert"] else "no alert" for r in scored],
            "Amount": [float(r["amount"]) for r in scored],
            "chosen": [r["transaction_id"] == chosen for r in scored],
        }
    )
    span = max(data["at"]) - min(data["at"])
    base = alt.Chart(data, height=170).encode(
        x=time_axis("at", span, zone),
        y=alt.Y(
            "Score:Q",
            title=None,
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(labelExpr="100 * datum.value + ' %'", values=[0, 0.5, 1]),
        ),
        tooltip=[
            time_tip("at", "When", "%d %b %Y %H:%M", zone),
            alt.Tooltip("Score:Q", title="Probability of fraud", format=".1%"),
            alt.Tooltip("Amount:Q", format="$,.2f"),
        ],
    )
    stems = base.mark_rule(strokeWidth=1, opacity=0.35).encode(y2=alt.datum(0))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        color=alt.Color(
            "kind:N",
            title=None,
            scale=alt.Scale(domain=["alert", "no alert"], range=[_ALERT, _CALM]),
            legend=alt.Legend(orient="top", symbolType="circle"),
        )
    )
    ring = (
        base.transform_filter("datum.chosen")
        .mark_point(size=260, strokeWidth=2, opacity=1)
        .encode(color=alt.value("#7a8b99"))
    )
    chart: alt.LayerChart = stems + points + ring
    return chart
