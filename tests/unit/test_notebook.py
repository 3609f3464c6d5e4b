"""The analysts' notebook runs from end to end, and what it shows is what the lake holds."""

from __future__ import annotations

import html
import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from batch_jobs import analytics
from batch_jobs.bench.lake import make_lake
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import contracts

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "explore_gold.ipynb"
SECTIONS = {"tables", "months", "categories", "alerts", "bands", "segments", "freshness"}
Outputs = dict[str, list[Any]]
Row = dict[str, Any]


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Outputs:
    """Execute it as from the project's folder, with the home ``home`` there; outputs by cell."""
    (folder / "notebooks").mkdir()
    for name in ("FINLAKE_LAKE", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FINLAKE_HOME", "home")
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "jupyter"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(folder / "notebooks")}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def figures(outputs: list[Any]) -> list[list[str]]:
    """The rows of the table that a cell shows, as texts."""
    (table,) = (o.data["text/html"] for o in outputs if "text/html" in o.get("data", {}))
    rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
    return [
        [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in rows
    ]


def charts(outputs: list[Any]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Settings]:
    """A folder with a home whose lake has gold alone."""
    folder = tmp_path_factory.mktemp("analyst")
    settings = load_settings(home=folder / "home", lake=f"file:{folder}/home/lake")
    make_lake(settings, 2_000, silver=False)
    analytics.make(settings)
    return folder, settings


@pytest.fixture(scope="module")
def shown(world: tuple[Path, Settings]) -> Outputs:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return run(world[0], monkeypatch)


@pytest.fixture(scope="module")
def gold(world: tuple[Path, Settings]) -> dict[str, list[Row]]:
    """Every row of the tables that the figures are recounted from."""
    lake = Lake(world[1])
    names = ("fact_transactions", "fraud_alerts", "fraud_scores", "customer_analytics")
    found = {}
    for name in (*names, "dim_mcc", "pipeline_freshness"):
        table = lake.open(contracts.get(f"gold.{name}"))
        assert table is not None
        found[name] = table.to_pyarrow_table().to_pylist()
        assert found[name], name
    return found


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert {cell.id for cell in code} > SECTIONS
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_every_section_has_a_table_and_a_chart(shown: Outputs) -> None:
    assert {name: charts(shown[name]) for name in SECTIONS} == dict.fromkeys(SECTIONS, 1)
    assert all(figures(shown[name]) for name in SECTIONS)
    assert [o for outputs in shown.values() for o in outputs if o.output_type == "stream"] == []


def test_every_table_is_listed_with_its_rows(shown: Outputs, world: tuple[Path, Settings]) -> None:
    expected = []
    for contract in contracts.layer("gold"):
        table = Lake(world[1]).open(contract)
        assert table is not None
        rows = table.to_pyarrow_dataset().count_rows()
        expected.append([contract.full_name, f"{table.version()}", f"{rows:,}"])
    assert [[name, version, rows] for name, _, version, rows, _ in figures(shown["tables"])] == (
        expected
    )


def test_months_are_those_of_the_facts(shown: Outputs, gold: dict[str, list[Row]]) -> None:
    months: dict[str, list[Row]] = {}
    for row in gold["fact_transactions"]:
        months.setdefault(f"{row['transaction_ts']:%Y-%m}", []).append(row)
    expected = [
        [
            month,
            f"{len(rows):,}",
            f"{sum(r['amount'] for r in rows):,.2f}",
            f"{sum((r['amount'] for r in rows if r['is_refund']), Decimal(0)):,.2f}",
            f"{sum(r['is_declined'] for r in rows):,}",
        ]
        for month, rows in sorted(months.items())
    ]
    assert len(expected) > 1
    assert figures(shown["months"]) == expected[-24:]


def test_categories_leave_declined_attempts_out(shown: Outputs, gold: dict[str, list[Row]]) -> None:
    names = {row["mcc"]: row["description"] for row in gold["dim_mcc"]}
    groups: dict[str, list[Row]] = {}
    for row in gold["fact_transactions"]:
        if not row["is_declined"]:
            groups.setdefault(names[row["mcc"]], []).append(row)
    spent = {name: sum(row["amount"] for row in rows) for name, rows in groups.items()}
    expected = [
        [
            name,
            f"{len(groups[name]):,}",
            f"{spent[name]:,.2f}",
            f"{len({row['user_id'] for row in groups[name]}):,}",
        ]
        for name in sorted(groups, key=lambda name: (-spent[name], name))
    ]
    assert figures(shown["categories"]) == expected[:15]


def test_alerts_and_scores_are_counted(shown: Outputs, gold: dict[str, list[Row]]) -> None:
    known = {row["transaction_id"]: row["is_fraud"] for row in gold["fact_transactions"]}
    alerts = Counter((row["rule"], row["severity"]) for row in gold["fraud_alerts"])
    labels = [(row["rule"], known[row["transaction_id"]]) for row in gold["fraud_alerts"]]
    told = Counter(rule for rule, label in labels if label is not None)
    frauds = Counter(rule for rule, label in labels if label)
    assert [row[:5] for row in figures(shown["alerts"])] == [
        [rule, severity, str(count), str(told[rule]), str(frauds[rule])]
        for (rule, severity), count in sorted(alerts.items(), key=lambda one: (-one[1], one[0]))
    ]
    bands = Counter(row["band"] for row in gold["fraud_scores"])
    above = Counter(row["band"] for row in gold["fraud_scores"] if row["is_alert"])
    order = [band for band in ("low", "medium", "high", "critical") if band in bands]
    assert [row[:3] for row in figures(shown["bands"])] == [
        [band, f"{bands[band]:,}", f"{above[band]:,}"] for band in order
    ]


def test_segments_hold_every_customer(shown: Outputs, gold: dict[str, list[Row]]) -> None:
    groups: dict[str, list[Row]] = {}
    for row in gold["customer_analytics"]:
        groups.setdefault(row["segment"], []).append(row)
    counted = {row[0]: (row[1], row[2]) for row in figures(shown["segments"])}
    assert {name: float(mean.replace(",", "")) for name, (_, mean) in counted.items()} == {
        name: pytest.approx(float(sum(r["monetary"] for r in rows)) / len(rows), abs=0.01)
        for name, rows in groups.items()
    }
    assert {name: count for name, (count, _) in counted.items()} == {
        name: f"{len(rows):,}" for name, rows in groups.items()
    }


def test_freshness_is_of_the_last_hour(shown: Outputs, gold: dict[str, list[Row]]) -> None:
    rows = gold["pipeline_freshness"]
    newest = max(row["measured_at"] for row in rows)
    hops: dict[str, list[Row]] = {}
    for row in rows:
        if row["measured_at"] > newest - timedelta(hours=1):
            hops.setdefault(row["hop"], []).append(row)
    found = {row[0]: row[1:] for row in figures(shown["freshness"])}
    assert set(found) == set(hops)
    for hop, mine in hops.items():
        changes = sum(row["events"] for row in mine)
        median = sum(row["p50_ms"] * row["events"] for row in mine) / changes
        assert found[hop][0] == f"{changes:,}"
        assert float(found[hop][1].replace(",", "")) == pytest.approx(median, abs=1)
        assert found[hop][4] == f"{newest:%Y-%m-%d %H:%M:%S}"


def test_an_empty_lake_is_said_to_be_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run(tmp_path, monkeypatch)
    sentences = {}
    for name in SECTIONS:
        (only,) = outputs[name]
        sentences[name] = only.data["text/markdown"]
    said = sentences.pop("tables")
    assert said.startswith(f"**The lake at `file:{tmp_path}/home/lake` has no gold table yet.**")
    assert "`make demo`" in said
    for sentence in sentences.values():
        assert re.fullmatch(r"No .* to show: `gold\.\w+` .*\.", sentence)
    assert not (tmp_path / "home" / "lake").exists()
