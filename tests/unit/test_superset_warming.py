"""What Superset is asked beforehand: each chart's own question, as the API takes it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import yaml

from finlake.errors import FinlakeError
from infra.superset.bundle import own_files
from infra.superset.warming import question, warm_up

CHARTS = {
    name: yaml.safe_load(path.read_text())["params"]
    for name, path in own_files().items()
    if name.startswith("charts/")
}


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_has_a_question_of_something(name: str):
    asked = question({**CHARTS[name], "datasource": "7__table"})
    assert asked["datasource"] == {"id": 7, "type": "table"}
    (query,) = asked["queries"]
    assert query["columns"] or query["metrics"]
    assert ("metrics" in query) is (CHARTS[name].get("query_mode") != "raw")


def test_the_question_has_the_charts_columns_measures_and_conditions():
    (by_month,) = question(
        {
            "datasource": "3__table",
            "x_axis": "day",
            "time_grain_sqla": "P1M",
            "groupby": ["rule"],
            "metrics": ["row_count"],
            "adhoc_filters": [{"sqlExpression": "a = 1"}, {"sqlExpression": "b OR c"}],
            "timeseries_limit_metric": "row_count",
            "row_limit": 15,
        }
    )["queries"]
    axis, rule = by_month["columns"]
    assert (axis["timeGrain"], axis["sqlExpression"], rule) == ("P1M", "day", "rule")
    assert by_month["extras"]["where"] == "(a = 1) AND (b OR c)"
    assert by_month["orderby"] == [["row_count", False]]
    assert by_month["row_limit"] == 15
    rows: dict[str, Any] = {
        "datasource": "3__table",
        "query_mode": "raw",
        "all_columns": ["a", "b"],
        "order_by_cols": ['["a", false]'],
    }
    (raw,) = question(rows)["queries"]
    assert (raw["columns"], raw["orderby"], "metrics" in raw) == (["a", "b"], [["a", False]], False)


class Stand:
    """Superset as far as the warm-up asks it; one chart is refused and one has no answer."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._lock = threading.Lock()

    def get(self, path: str) -> Any:
        first = int(path.split("/")[2]) * 10
        return {
            "result": [
                {"id": n, "slice_name": f"chart {n}", "form_data": {"datasource": f"{n}__table"}}
                for n in range(first, first + 3)
            ]
        }

    def post(self, path: str, body: Any) -> Any:
        assert path == "/chart/data"
        number = body["datasource"]["id"]
        with self._lock:
            self.asked.append(number)
        if number == 11:
            raise FinlakeError("refused")
        return {"result": [{"error": "no table" if number == 21 else None}]}


def test_what_fails_is_told_and_the_rest_is_asked():
    stand, said = Stand(), list[str]()
    assert warm_up(stand, {"one": 1, "two": 2}, said.append) == (6, 2)  # type: ignore[arg-type]
    assert sorted(stand.asked) == [10, 11, 12, 20, 21, 22]
    assert said == ["chart 11: refused", "chart 21: no table"]
