"""The continuous proof: equal while batches come, and what is tampered with is found and named."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

import batch_jobs.verify
from batch_jobs.verify import Difference, Found, Round, Watcher
from batch_jobs.verify.digests import compared, lake_digest
from batch_jobs.verify.gauges import Gauges
from batch_jobs.verify.parts import CHECKS
from finlake.cli import main
from finlake.errors import ComponentMissing
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import Contract, contracts
from tests.unit.test_verify import TableSource, made

SILVER = [f"silver.{c.name}" for c in contracts.source_tables()]
APP = "stream"


class Source(TableSource):
    """The source in memory, with a clock of its own."""

    clock = 1_000_000.0

    def now(self) -> float:
        return self.clock

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass

    def digests_of(self, table: Contract, keys: Any) -> list[tuple[int, int]]:
        rows = self._ask(table, f"SELECT {{key}}, {lake_digest(compared(table))} FROM t")
        return [row for row in rows if row[0] in keys]


class Standing:
    """A lake on a disk that stands as the stream would have left it, and a watcher of it."""

    def __init__(self, settings: Settings) -> None:
        self.lake = Lake(settings)
        self.source = Source({})
        self.source._state = dict(made()[1]._state)
        self.batch = 100
        self.watcher = Watcher(settings, lambda _: self.source)

    def append(self, name: str, rows: pa.Table, batch: int) -> None:
        append(self.uri(name), rows, batch)

    def uri(self, name: str) -> str:
        return self.lake.uri(contracts.get(name))

    def beat(self) -> None:
        """Ten seconds pass, and the stream is through with all that was before."""
        self.source.clock += 10
        self.batch += 1
        seen = datetime.fromtimestamp(self.source.clock - 1, UTC)
        row = {
            "measured_at": seen,
            "batch_id": self.batch,
            "table_name": "finlake_heartbeat",
            "hop": "silver",
            "events": 1,
            "p50_ms": 500.0,
            "p95_ms": 500.0,
            "max_ms": 500.0,
        }
        schema = contracts.get("gold.pipeline_freshness").arrow_schema()
        self.append("gold.pipeline_freshness", pa.Table.from_pylist([row], schema), self.batch)
        done = DeltaTable(self.uri("gold.pipeline_batches")).to_pyarrow_table().slice(0, 1)
        self.append("gold.pipeline_batches", done, self.batch)

    def rounds(self, count: int) -> Round:
        for _ in range(count):
            self.beat()
            found = self.watcher.round()
        return found


def append(uri: str | Path, rows: pa.Table, batch: int) -> None:
    mark = CommitProperties(app_transactions=[Transaction(APP, batch)])
    write_deltalake(uri, rows, mode="append", commit_properties=mark)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two batches."""
    root = tmp_path_factory.mktemp("template")
    names = {*SILVER, *(check.table for check in CHECKS)}
    for name in names | {"gold.pipeline_batches", "gold.pipeline_freshness"}:
        rows = made()[0].rows(name)
        half = rows.num_rows // 2
        for number, part in enumerate((rows.slice(0, half), rows.slice(half))):
            append(root / name.replace(".", "/"), part, number)
    return root


@pytest.fixture
def standing(home: Path, template: Path) -> Iterator[Standing]:
    shutil.copytree(template, home / "lake")
    made = Standing(load_settings(home=home))
    yield made
    made.watcher.close()


def test_what_the_stream_made_is_equal_at_its_heartbeat(standing: Standing) -> None:
    found = standing.rounds(5)
    assert (found.equal, found.under_way, found.differences) == (True, 0, ())
    assert found.lag == pytest.approx(1.5, abs=0.01)
    assert found.sliced > 0
    assert all(standing.watcher._tables[c.table].total(c.sum) for c in CHECKS)


@pytest.mark.parametrize(
    ("table", "change", "where", "key", "how"),
    [
        ("silver.transactions", ("amount", "amount + 1"), "id = 35", 35, "amount differs"),
        ("silver.transactions", ("zip", "''"), "id = 70", 70, "zip differs"),
        ("silver.fraud_labels", ("label", "'?'"), "transaction_id = 49", 49, "label differs"),
        ("silver.cards", ("_is_deleted", "true"), "id = 2", 2, "not in silver"),
        ("silver.cards", ("_is_deleted", "false"), "id = 3", 3, "not in the source"),
    ],
)
def test_a_row_tampered_with_in_silver_is_found(
    standing: Standing, table: str, change: tuple[str, str], where: str, key: int, how: str
) -> None:
    assert standing.rounds(2).equal
    done = DeltaTable(standing.uri(table)).update(dict([change]), predicate=where)
    assert done["num_updated_rows"] == 1
    found = standing.rounds(4)
    first = {one.table: one.first for one in found.differences}
    assert first[table.partition(".")[2]] == (Difference(key, how),)


@pytest.mark.parametrize(
    ("table", "change", "how"),
    [
        ("gold.fact_transactions", ("merchant_city", "'Elsewhere'"), "merchant_city differs"),
        ("gold.agg_minute", ("amount_sum", "amount_sum + 0.01"), "amount_sum differs"),
        ("gold.agg_state_day", ("state", "'XX'"), "differs"),
        ("gold.dim_card", ("card_last4", "'0000'"), "card_last4 differs"),
    ],
)
def test_a_gold_row_tampered_with_is_found_and_then_is_well_again(
    standing: Standing, table: str, change: tuple[str, str], how: str
) -> None:
    assert standing.rounds(1).equal
    gold = DeltaTable(standing.uri(table))
    (key,) = contracts.get(table).key[:1]
    one = gold.to_pyarrow_table()[key][0].as_py()
    text = f"'{one.isoformat()}'" if hasattr(one, "isoformat") else str(one)
    was = gold.version()
    assert gold.update(dict([change]), predicate=f"{key} = {text}")["num_updated_rows"] > 0
    assert standing.rounds(2).equal, "not certain yet"
    (found,) = standing.rounds(1).differences
    assert found.table == table
    assert how in found.first[0].how
    DeltaTable(standing.uri(table)).restore(was)
    assert standing.rounds(1).equal


def test_an_object_store_is_read_file_by_file_with_the_same_outcome(standing: Standing) -> None:
    watcher = standing.watcher
    for table in (watcher._batches, watcher._beats, *watcher._tables.values()):
        table._root = None
    watcher._lake.storage_options = {"allow_http": "true"}  # what tells it from a folder
    assert standing.rounds(2).equal
    DeltaTable(standing.uri("silver.cards")).update({"card_last4": "'0000'"}, predicate="id = 2")
    DeltaTable(standing.uri("gold.agg_state_day")).update(
        {"refund_count": "7"}, predicate="state = 'NY'"
    )
    first = {one.table: one.first[0] for one in standing.rounds(4).differences}
    assert first["cards"] == Difference(2, "card_last4 differs")
    assert "refund_count" in first["gold.agg_state_day"].how
    assert first.keys() == {"cards", "gold.dim_card", "gold.agg_state_day"}


def test_what_the_stream_has_not_brought_yet_is_under_way_and_no_difference(
    standing: Standing,
) -> None:
    standing.rounds(1)
    rows = dict(standing.source.rows("cards"))
    rows[2] = {**rows[2], "card_last4": "9999"}
    standing.source._state["cards"] = rows
    for _ in range(5):  # the stream stands still
        standing.source.clock += 10
        found = standing.watcher.round()
        assert found.equal
        assert found.under_way == 1
    assert found.lag > 50
    assert not standing.rounds(1).equal, "a heartbeat overtook the change"


def test_a_batch_that_is_half_written_is_not_looked_at(standing: Standing) -> None:
    standing.rounds(1)
    rows = DeltaTable(standing.uri("gold.agg_minute")).to_pyarrow_table().slice(0, 1)
    standing.append("gold.agg_minute", rows, standing.batch + 50)
    found = standing.rounds(5)
    assert found.equal
    held = standing.watcher._tables["gold.agg_minute"]
    assert held.batch != (APP, standing.batch + 45)
    standing.batch += 50
    assert not standing.rounds(3).equal, "now it is looked at"


def test_joined_files_have_the_same_sums(standing: Standing) -> None:
    standing.rounds(1)
    before = [standing.watcher._tables[c.table].total(c.sum) for c in CHECKS]
    for name in {*SILVER, *(check.table for check in CHECKS)}:
        DeltaTable(standing.uri(name)).optimize.compact()
    assert standing.rounds(4).equal
    assert [standing.watcher._tables[c.table].total(c.sum) for c in CHECKS] == before


def test_a_lake_that_nobody_has_filled_is_said(home: Path) -> None:
    with pytest.raises(ComponentMissing, match=r"no tables yet; fill it"):
        Watcher(load_settings(home=home))


# ── The command ──────────────────────────────────────────────────────────────────────────────────

WELL = Round(1000.0, 998.5, 12, 300, 4, (), 0.01, 0.02)
ILL = Round(1000.0, 998.5, 12, 300, 4, (Found("cards", 2, (Difference(7, "x differs"),)),), 0, 0)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, home: Path) -> Any:
    """Run the command over rounds that are known, then Ctrl-C; gives its exit code."""

    def run(rounds: list[Any], *words: str) -> int:
        left: Iterator[Any] = iter(rounds)

        def one() -> Round:
            found: Round | BaseException = next(left, KeyboardInterrupt())
            if isinstance(found, BaseException):
                raise found
            return found

        fake = SimpleNamespace(round=one, close=lambda: None)
        monkeypatch.setattr(batch_jobs.verify, "Watcher", lambda _: fake)
        return main(["verify", "--watch", "--every", "0.1", "--port", "0", *words])

    return run


def test_a_round_is_a_line(watched: Any, capsys: pytest.CaptureFixture[str]) -> None:
    watched([WELL, ILL])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("equal up to 00:16:38 UTC, 1.5 s behind: 12 changed keys and 300")
    assert lines[1].startswith("NOT equal up to")
    assert lines[2] == "  cards: 2 keys differ: 7: x differs"


def test_json_has_an_object_for_each_round(
    watched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    watched([WELL, ILL], "--json")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["equal"], first["lag_seconds"], first["differences"]) == (True, 1.5, [])
    assert second["differences"] == [{"table": "cards", "keys": 2, "first_keys": [7]}]


def test_only_fail_ends_with_1_at_a_difference(
    watched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert watched([WELL, ILL, WELL], "--fail") == 1
    assert "cards: 2 keys differ (first 7: x differs)" in capsys.readouterr().err


def test_a_source_that_is_away_for_a_while_ends_nothing(
    watched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    watched([ComponentMissing("the source is away"), WELL], "--fail")
    out, err = capsys.readouterr()
    assert "the source is away" in err
    assert out.startswith("equal up to")


def test_so_many_rounds_are_enough(watched: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert watched([WELL, WELL, ILL], "--fail", "--rounds", "2") == 0
    assert capsys.readouterr().out.count("equal up to") == 2
    assert watched([WELL, ILL], "--fail", "--rounds", "2") == 1


def test_of_some_rounds_none_may_find_the_source_away(watched: Any) -> None:
    assert watched([ComponentMissing("the source is away"), WELL], "--rounds", "2") == 3


def test_rounds_are_for_watching(home: Path) -> None:
    assert main(["verify", "--rounds", "2"]) == 2


def test_watching_some_tables_only_is_wrong_use(watched: Any) -> None:
    assert watched([], "--table", "cards") == 2


def test_gauges_show_the_last_round() -> None:
    gauges = Gauges()

    def value(name: str, **labels: str) -> float | None:
        return gauges.registry.get_sample_value(f"finlake_reconciliation_{name}", labels)

    gauges.take(ILL)
    assert (value("equal"), value("lag_seconds")) == (0, 1.5)
    assert value("differences", table="cards") == 2
    gauges.take(Round(time.time(), None, 0, 0, 0, (), 0, 0))
    assert (value("equal"), value("lag_seconds")) == (1, math.inf)
    assert value("differences", table="cards") == 0
