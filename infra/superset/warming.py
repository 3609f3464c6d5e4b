"""Warm-up: every chart of the project's dashboards is asked once, before somebody waits for it.

Superset's own end point for that (``PUT /chart/warm_up_cache``) wants a question that a browser has
saved with the chart, and charts that come as code have none. So the question is made here from the
chart's settings, as the browser does: the same columns, measures and conditions. The engine has
then read the tables and compiled the statements, and Superset has the results for as long as it
keeps any.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from finlake.errors import FinlakeError
from infra.superset.client import Client

__all__ = ["question", "warm_up"]

_AT_ONCE: Final = 2  # more would only wait for the engine


def question(form: Mapping[str, Any]) -> dict[str, Any]:
    """What Superset's API is asked for a chart with these settings.

    The form is that of https://superset.apache.org/docs/api, ``POST /api/v1/chart/data``.
    """
    number, kind = str(form["datasource"]).split("__")
    grain = form.get("time_grain_sqla")
    columns = [*_axis(form.get("x_axis"), grain), *_listed(form.get("groupby"))]
    metrics = [*_listed(form.get("metrics")), *_listed(form.get("metric"))]
    clauses = [f"({one['sqlExpression']})" for one in form.get("adhoc_filters") or ()]
    order: list[Any] = [json.loads(one) for one in form.get("order_by_cols") or ()]
    by = form.get("timeseries_limit_metric")
    if by and not order:
        order = [[by, not form.get("order_desc", True)]]
    query = {
        "columns": columns or _listed(form.get("all_columns")),
        "metrics": metrics,
        "filters": [],
        "orderby": order,
        "extras": {"having": "", "where": " AND ".join(clauses)},
        "row_limit": form.get("row_limit"),
        "annotation_layers": [],
    }
    if form.get("query_mode") == "raw":
        query["metrics"] = None  # rows, not sums
    return {
        "datasource": {"id": int(number), "type": kind},
        "force": False,
        "queries": [{k: v for k, v in query.items() if k != "metrics" or v is not None}],
        "result_format": "json",
        "result_type": "full",
    }


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _axis(name: str | None, grain: str | None) -> list[dict[str, Any]]:
    """The column along the axis, cut into stretches of time where it is one."""
    if not name:
        return []
    return [
        {
            "columnType": "BASE_AXIS",
            "expressionType": "SQL",
            "label": name,
            "sqlExpression": name,
            **({"timeGrain": grain} if grain else {}),
        }
    ]


def warm_up(
    client: Client, dashboards: Mapping[str, int], said: Callable[[str], None]
) -> tuple[int, int]:
    """Ask every chart of these dashboards (title to number); gives how many, and how many failed.

    Args:
        client: as whom they are asked.
        dashboards: which.
        said: takes a line for each chart that fails.
    """
    charts = {
        chart["id"]: chart
        for number in dashboards.values()
        for chart in client.get(f"/dashboard/{number}/charts")["result"]
    }

    def ask(chart: Mapping[str, Any]) -> str:
        try:
            answers = client.post("/chart/data", question(chart["form_data"]))["result"]
            return str(next((one["error"] for one in answers if one.get("error")), ""))
        except FinlakeError as error:
            return str(error)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        problems = list(threads.map(ask, charts.values()))
    for chart, problem in zip(charts.values(), problems, strict=True):
        if problem:
            said(f"{chart['slice_name']}: {problem}")
    return len(charts), sum(map(bool, problems))
