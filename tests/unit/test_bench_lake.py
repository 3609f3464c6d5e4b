"""Lakes that are made for measurements: such as a stream would have left, and able to go on."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from batch_jobs.bench import growth
from batch_jobs.bench.lake import Made, at, make_lake
from batch_jobs.bench.query import query, statements
from batch_jobs.bench.records import read_lake
from batch_jobs.traffic.simulation import Mix, Simulation
from batch_jobs.verify import job
from batch_jobs.verify.report import Report
from finlake.errors import UsageProblem
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import contracts
from stream_jobs.transforms.envelope import Decoder

ROWS = 3_000


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Made]:
    home = tmp_path_factory.mktemp("made")
    settings = at(load_settings(home=home), home / "made lake")
    return settings, make_lake(settings, ROWS)


def gold(settings: Settings) -> Report:
    wanted = {c.full_name for c in contracts.layer("gold")}
    # Alerts are made up, and histories are told from bronze, which such a lake has none of.
    wanted -= {"gold.fraud_alerts", "gold.dim_user_history", "gold.dim_card_history"}
    nothing: Any = None
    return job.check(settings, Lake(settings), nothing, wanted)


def test_gold_is_what_verify_recomputes_from_silver(there: tuple[Settings, Made]) -> None:
    found = {check.table: check for check in gold(there[0]).gold}
    assert {name: check.different for name, check in found.items()} == dict.fromkeys(found, 0)
    assert found["gold.fact_transactions"].recomputed_rows == ROWS
    assert all(check.recomputed_rows for check in found.values())


def test_the_newest_rows_lie_in_small_files(there: tuple[Settings, Made]) -> None:
    table = Lake(there[0]).open(contracts.get("gold.fact_transactions"))
    assert table is not None
    sizes = pa.table(table.get_add_actions())["num_records"].to_pylist()
    assert (sum(sizes), max(sizes)) == (ROWS, 1_500)
    assert len(sizes) > 2


def test_a_lake_that_is_there_is_taken_as_it_is(there: tuple[Settings, Made]) -> None:
    settings, made = there
    assert make_lake(settings, ROWS) == made


def test_a_folder_that_holds_something_else_is_left_alone(home: Path) -> None:
    (home / "lake").mkdir(parents=True)
    (home / "lake" / "precious").write_text("x")
    with pytest.raises(UsageProblem, match=r"no benchmark has made"):
        make_lake(load_settings(home=home), ROWS)
    assert (home / "lake" / "precious").exists()


def test_records_are_such_as_the_stream_decodes_and_say_what_changed(
    there: tuple[Settings, Made],
) -> None:
    world, capture = read_lake(there[0])
    simulation = Simulation(world, 1, Mix())
    moment = datetime.fromisoformat(there[1].newest)
    ops: dict[str, set[str]] = {}
    for number in range(20):
        records = capture.records(simulation.batch(200, moment + timedelta(seconds=number)))
        for source in contracts.source_tables():
            mine = records.filter(
                pa.array([t.endswith(f".{source.name}") for t in records["topic"].to_pylist()])
            )
            found = Decoder(source.name).decode(mine, number)
            assert found.rejects.num_rows == 0, found.rejects.to_pylist()[0]
            ops.setdefault(source.name, set()).update(found.changes["op"].to_pylist())
            newest = found.changes.sort_by("_order_token").to_pylist()[-1:]
            for row in newest:
                key = row[source.key[0]]
                assert (key in capture.rows[source.name]) == (row["op"] != "d")
    assert ops["transactions"] == {"c", "u", "d"}
    assert ops["fraud_labels"] >= {"c", "d"}
    assert ops["cards"] == ops["users"] == {"u"}
    places = list(
        zip(*(records[c].to_pylist() for c in ("topic", "partition", "offset")), strict=True)
    )
    assert len(set(places)) == len(places)


def test_every_statement_of_the_dashboard_has_an_answer(home: Path) -> None:
    settings = at(load_settings(home=home), home / "gold alone")
    made = make_lake(settings, ROWS, silver=False)
    lake = Query(settings)
    asked = statements(datetime.fromisoformat(made.newest))
    rows = {name: lake.query(sql.text, sql.params).num_rows for name, sql in asked.items()}
    empty = {name for name, count in rows.items() if not count}
    assert empty <= {
        "table_status",
        "category_ahead",
        "customer_forecast",
        "customer_forecast_categories",
        "models.alerts.30d",
        "alerts.cases.7d",
        "alerts.cases.1y",
        "alerts.cases.1y.filtered",
        "alerts.case_alerts",
        "alerts.card_around",
        "quality.letter_counts",
        "quality.letters",
        "report_editions",
        *(name for name in rows if name.endswith(("1h", "24h"))),
    }


def test_queries_are_measured_cold_warm_and_after_commits(
    there: tuple[Settings, Made], home: Path
) -> None:
    settings = load_settings(home=home)
    figures = {one.metric: one.value for one in query(settings, ROWS, 2)}
    assert figures["timeline.all.count"] == 2
    assert figures["timeline.all.cold"] > 0
    assert figures["after_commit.customer_transactions.count"] == 2
    assert figures["worst.p95"] == max(
        value
        for name, value in figures.items()
        if name.endswith(".p95")
        and "." in name
        and not name.startswith(("every", "after", "worst"))
    )


def test_growth_runs_each_size_apart_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    sizes: list[int] = []

    def run(there: Settings, newest: str, batches: int, changes: int, seed: int) -> Any:
        rows = Query(there).query("SELECT count(*) AS n FROM silver.transactions")
        sizes.extend(rows["n"].to_pylist())
        assert (batches, changes, seed) == (4, 50, 1)
        assert datetime.fromisoformat(newest).year == 2019
        cost = float(sizes[-1])
        found = {"start": 1.0, "records": 200, "files": {"gold.agg_minute": [3, 2**20]}}
        found |= {name: [cost] * 4 for name in ("wall", "cpu", "tidy")}
        return found | {"written": 1, "peak": 2}

    monkeypatch.setattr(growth, "_apart", run)
    made = growth.growth(load_settings(home=home), [1_000, 2_000], batches=4, changes=50)
    figures = [(one.params["rows"], one.metric, one.value) for one in made]
    assert sizes == [1_000, 2_000]
    assert (2_000, "batch.p50.to_first", 2.0) in figures
    assert (1_000, "files.gold.agg_minute", 3.0) in figures
    assert list((home / "bench").iterdir()) == []


def test_growth_that_has_no_room_is_wrong_use(home: Path) -> None:
    with pytest.raises(UsageProblem, match=r"needs about .* GiB"):
        next(iter(growth.growth(load_settings(home=home), [10**12], 1, 1)))
