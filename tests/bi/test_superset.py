"""Superset over Trino: each dashboard in a browser, who sees what, and dashboards as code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake
from playwright.sync_api import Browser, Page, Response, expect

from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from infra.stack.superset import superset_password
from infra.superset.bundle import FOLDER, own_files
from infra.superset.client import Client
from infra.superset.jobs import export_dashboards
from infra.superset.warming import question
from lakehouse_schemas import contracts
from lakehouse_schemas.render.superset import uuid_of
from tests.bi.conftest import World
from tests.support.browser import SCREENSHOTS, running_chromium
from tests.support.rows import rows_of
from tests.support.stack import run

DASHBOARDS = ["executive-overview", "fraud-operations", "customers-and-segments", "pipeline-health"]
# What a chart is drawn as: a canvas, a table, or the text of a big number.
DRAWN = "canvas, table, .header-line"
PATIENCE_MS = 240_000


@pytest.fixture(scope="module")
def superset(world: World) -> Settings:
    """`finlake up --with superset`, beside the Trino that runs already."""
    run(world.home, "up", "--with", "superset", "--no-connector")
    return load_settings(home=world.home)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(superset: Settings, chromium: Browser) -> Iterator[Page]:
    """Superset after the login of the user operator, in a window that shows a dashboard whole."""
    context = chromium.new_context(viewport={"width": 1400, "height": 3000})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    opened.goto(f"{superset.superset_url}/login/")
    opened.fill("#username", "operator")
    opened.fill("#password", superset_password(superset.home, "operator"))
    opened.keyboard.press("Enter")
    opened.wait_for_url("**/superset/welcome/**")
    yield opened
    context.close()


def as_user(superset: Settings, user: str) -> Client:
    return Client(
        load_settings(
            home=superset.home,
            superset_user=user,
            superset_password=superset_password(superset.home, user),
        )
    )


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_chart_of_a_dashboard_shows_something(
    name: str, superset: Settings, page: Page
) -> None:
    with as_user(superset, "operator") as client:
        charts = client.get(f"/dashboard/{name}/charts")["result"]
    wanted = {chart["id"]: chart["slice_name"] for chart in charts}
    assert len(wanted) >= 8
    failed: list[str] = []

    def look(response: Response) -> None:
        if "/api/v1/chart/data" in response.url and not response.ok:
            failed.append(f"{response.status}: {response.text()[:300]}")

    page.on("response", look)
    page.goto(f"{superset.superset_url}/superset/dashboard/{name}/")
    page.wait_for_function(
        """([drawn, count]) => {
            const charts = [...document.querySelectorAll('.dashboard-component-chart-holder')];
            const done = charts.filter(c => c.querySelector(drawn)
                || c.querySelector('.ant-empty, [role=alert], .ant-alert')
                || /No results|error/i.test(c.innerText));
            return charts.length == count && done.length == count
                && !document.querySelector('[data-test=loading-indicator]');
        }""",
        arg=[DRAWN, len(wanted)],
    )
    page.remove_listener("response", look)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    bottom = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll('.dashboard-component-chart-holder')]
            .map(chart => chart.getBoundingClientRect().bottom))"""
    )
    clip: Any = {"x": 0, "y": 0, "width": 1400, "height": min(bottom + 20, 3000)}
    page.screenshot(path=SCREENSHOTS / f"superset-{name}.png", clip=clip)
    without = page.evaluate(
        """drawn => [...document.querySelectorAll('.dashboard-component-chart-holder')]
            .filter(c => !c.querySelector(drawn)).map(c => c.innerText)""",
        DRAWN,
    )
    assert without == []
    assert failed == []


def test_a_change_is_in_a_chart_at_its_next_refresh(
    world: World, superset: Settings, page: Page
) -> None:
    """The page stays open; what refreshes is the dashboard itself."""
    page.goto(f"{superset.superset_url}/superset/dashboard/pipeline-health/")
    holder = page.locator(".dashboard-component-chart-holder").filter(has_text="Changes").first
    figure = holder.locator(".header-line")

    def changes() -> str:
        found = Query(world.settings).query("SELECT sum(events) AS n FROM gold.pipeline_batches")
        return f"{int(found['n'][0].as_py()):,d}"

    before = changes()
    expect(figure).to_have_text(before, timeout=PATIENCE_MS)
    page.evaluate("window.neverReloaded = true")
    contract = contracts.get("gold.pipeline_batches")
    table = Lake(world.settings).open(contract)
    assert table is not None
    write_deltalake(table, rows_of(contract, [80_001]), mode="append")
    assert changes() != before
    expect(figure).to_have_text(changes(), timeout=PATIENCE_MS)
    assert page.evaluate("window.neverReloaded") is True


def test_a_warm_up_asks_every_chart_and_fills_the_cache(superset: Settings) -> None:
    charts = [name for name in own_files() if name.startswith("charts/")]
    assert run(superset.home, "superset", "warm") == f"asked {len(charts)} charts\n"
    kept = 0
    with Client(superset) as client:
        for name in DASHBOARDS:
            for chart in client.get(f"/dashboard/{name}/charts")["result"]:
                (again,) = client.post("/chart/data", question(chart["form_data"]))["result"][:1]
                assert not again["error"]
                assert again["rowcount"] > 0, chart["slice_name"]
                kept += bool(again["is_cached"])
    assert kept, "nothing of what was asked a moment ago was kept"


def test_an_operator_builds_a_chart_of_their_own(superset: Settings) -> None:
    """What the README says to choose, by the calls that the browser makes for it."""
    with as_user(superset, "operator") as client:
        datasets = client.rows("/dataset/", ["id", "table_name"])
        number = next(r["id"] for r in datasets if r["table_name"] == "wide_category_days")
        chosen = {
            "datasource": f"{number}__table",
            "viz_type": "echarts_timeseries_bar",
            "x_axis": "date",
            "time_grain_sqla": "P1M",
            "metrics": ["amount_sum"],
            "groupby": ["category"],
            "row_limit": 1000,
        }
        body = {"slice_name": "My own", "datasource_id": number, "datasource_type": "table"}
        body |= {"viz_type": chosen["viz_type"], "params": json.dumps(chosen)}
        made = client.post("/chart/", body)["id"]
        kept = client.get(f"/chart/{made}")["result"]
        assert (kept["slice_name"], json.loads(kept["params"])) == ("My own", chosen)
        (answer,) = client.post("/chart/data", question(chosen))["result"]
    assert answer["error"] is None
    assert {"date", "category", "amount_sum"} <= set(answer["data"][0])


def cohorts(client: Client) -> list[dict[str, Any]]:
    """What a user gets of the sizes of cohorts."""
    datasets = client.rows("/dataset/", ["id", "uuid"])
    uuid = uuid_of("dataset", "gold.customer_cohorts")
    number = next(row["id"] for row in datasets if row["uuid"] == uuid)
    body = {
        "datasource": {"id": number, "type": "table"},
        "queries": [{"columns": ["cohort_month", "customers"], "metrics": [], "row_limit": 1000}],
    }
    found: list[dict[str, Any]] = client.post("/chart/data", body)["result"][0]["data"]
    return found


def test_a_viewer_sees_neither_operations_nor_cohorts_of_a_few(superset: Settings) -> None:
    with as_user(superset, "viewer") as viewer, as_user(superset, "operator") as operator:
        slugs = {row["slug"] for row in viewer.rows("/dashboard/", ["slug"])}
        assert slugs == set(DASHBOARDS) - {"fraud-operations"}
        assert {row["slug"] for row in operator.rows("/dashboard/", ["slug"])} == set(DASHBOARDS)
        everything = {row["customers"] for row in cohorts(operator)}
        assert min(everything) < 5 <= max(everything)
        assert {row["customers"] for row in cohorts(viewer)} == {n for n in everything if n >= 5}
        tables = {row["table_name"] for row in viewer.rows("/dataset/", ["table_name"])}
        assert "fraud_alerts" not in tables
        assert "agg_minute" in tables


def contents(superset: Settings) -> dict[str, list[dict[str, Any]]]:
    """Everything that an import makes, without the times of its changes."""
    kinds = {
        "/database/": ["id", "uuid", "database_name"],
        "/dataset/": ["id", "uuid", "table_name", "schema"],
        "/chart/": ["id", "slice_name", "params"],
        "/dashboard/": ["id", "uuid", "dashboard_title", "json_metadata", "position_json"],
        "/rowlevelsecurity/": [],
        "/security/roles/": ["id", "name"],
        "/security/users/": ["id", "username"],
    }
    with Client(superset) as client:
        found = {path: list(client.rows(path, columns)) for path, columns in kinds.items()}
    for rows in found.values():
        for row in rows:
            for name in [name for name in row if name.startswith(("changed", "last_", "login"))]:
                del row[name]
        rows.sort(key=lambda row: int(row["id"]))
    return found


def test_a_second_import_changes_nothing_and_an_export_gives_the_code(
    world: World, superset: Settings, tmp_path: Path
) -> None:
    before = contents(superset)
    assert "imported 4 dashboards" in run(world.home, "superset", "import")
    assert contents(superset) == before
    for name in own_files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(FOLDER / name, tmp_path / name)
    assert export_dashboards(superset, tmp_path) == []
    name = "charts/executive_overview/channels.yaml"
    with Client(superset) as client:
        charts = client.rows("/chart/", ["id", "slice_name"])
        number = next(row["id"] for row in charts if row["slice_name"] == "Channels")
        client.put(f"/chart/{number}", {"description": "Changed in the browser."})
        try:
            assert export_dashboards(superset, tmp_path) == [name]
            assert "description: Changed in the browser.\n" in (tmp_path / name).read_text()
        finally:
            client.put(f"/chart/{number}", {"description": "Share of the transactions."})


def test_datasets_say_what_the_contracts_say(superset: Settings) -> None:
    with Client(superset) as client:
        rows = client.rows("/dataset/", ["id", "uuid"])
        uuid = uuid_of("dataset", "gold.agg_minute")
        number = next(row["id"] for row in rows if row["uuid"] == uuid)
        found = client.get(f"/dataset/{number}")["result"]
    described = {one["column_name"]: one["description"] for one in found["columns"]}
    assert described["amount_sum"] == "Sum of the amounts, US dollars."
    assert {"amount_sum", "fraud_share"} <= {one["metric_name"] for one in found["metrics"]}
    assert json.loads(found["extra"])["certification"]["certified_by"] == "the table's contract"
