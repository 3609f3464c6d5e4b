"""``finlake maintain``: what goes, what stays, and what readers notice of it (nothing)."""

import json
import os
import time
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from batch_jobs import maintain as module
from batch_jobs.maintain import delete_old_logs, owned, tidy
from finlake.cli import main
from finlake.errors import FinlakeError
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from tests.support.rows import rows_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DECISIONS = contracts.get("gold.model_decisions")
TOTALS = contracts.get("gold.report_daily_totals")


def put(contract, numbers, **values):
    rows = rows_of(contract, numbers).to_pylist()
    for row in rows:
        row.update(values)
    data = pa.Table.from_pylist(rows, schema=contract.lake_schema)
    write_deltalake(Lake(load_settings()).ensure(contract), data, mode="append")


def tidied(contract):
    found = tidy(load_settings(), contract, NOW)
    assert found is not None
    return found


def table_of(contract):
    return DeltaTable(Lake(load_settings()).uri(contract))


def count(contract):
    found = Query(load_settings()).query(f"SELECT count(*) AS n FROM {contract.full_name}")
    return found["n"][0].as_py()


def test_the_tables_of_batch_jobs_are_looked_after_and_no_others(home):
    names = {contract.full_name for contract in owned()}
    assert {"gold.customer_analytics", "gold.report_editions", "gold.model_drift"} <= names
    assert not {"gold.fact_transactions", "gold.fraud_scores", "bronze.changes"} & names


def test_a_table_that_nobody_has_made_is_left_out(home):
    assert tidy(load_settings(), DECISIONS, NOW) is None


def test_small_files_become_one_and_every_row_stays(home):
    for number in range(10):
        put(DECISIONS, [number], decided_at=NOW)
    done = tidied(DECISIONS)
    assert (done.files_before, done.files_after, done.old_rows) == (10, 1, 0)
    assert count(DECISIONS) == 10


def test_a_few_files_stay_as_they_are(home):
    put(DECISIONS, [1], decided_at=NOW)
    put(DECISIONS, [2], decided_at=NOW)
    assert tidied(DECISIONS).files_after == 2


def test_rows_go_when_the_contract_keeps_them_no_longer(home):
    kept = timedelta(days=DECISIONS.retention_days)
    put(DECISIONS, [1, 2], decided_at=NOW - kept - timedelta(seconds=1))
    put(DECISIONS, [3], decided_at=NOW - kept + timedelta(seconds=1))
    assert tidied(DECISIONS).old_rows == 2
    assert count(DECISIONS) == 1
    assert tidied(DECISIONS).old_rows == 0


def test_a_report_grows_old_by_the_day_that_it_is_of(home):
    last = NOW.date() - timedelta(days=TOTALS.retention_days)
    put(TOTALS, [1], report_date=last - timedelta(days=1))
    put(TOTALS, [2], report_date=last)
    put(TOTALS, [3], report_date=date(2026, 3, 1))
    assert tidied(TOTALS).old_rows == 1
    assert count(TOTALS) == 2


def test_files_that_were_replaced_go_once_no_reader_can_need_them(home):
    for number in range(10):
        put(DECISIONS, [number], decided_at=NOW)
    assert tidied(DECISIONS).deleted == 0  # they went a moment ago
    folder = home / "lake" / "gold" / "model_decisions"
    assert len(list(folder.glob("*.parquet"))) == 11
    # An hour later: delta-rs asks the log when a file was taken out.
    log = folder / "_delta_log"
    for path in log.glob("*.checkpoint.parquet"):
        path.unlink()
    (log / "_last_checkpoint").unlink()
    for path in log.glob("*.json"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if "remove" in line:
                line["remove"]["deletionTimestamp"] -= 2 * 3600 * 1000
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert tidied(DECISIONS).deleted == 10
    assert len(list(folder.glob("*.parquet"))) == 1
    assert count(DECISIONS) == 10


def test_the_log_gets_a_checkpoint(home):
    put(DECISIONS, [1], decided_at=NOW)
    tidied(DECISIONS)
    version = table_of(DECISIONS).version()
    log = home / "lake" / "gold" / "model_decisions" / "_delta_log"
    assert json.loads((log / "_last_checkpoint").read_text())["version"] == version


def test_logs_go_when_nobody_has_written_to_them_for_long(tmp_path):
    for name, days in (("a/old", 31), ("a/new", 1), ("b/old", 40)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        os.utime(path, (time.time() - days * 86400,) * 2)
    os.utime(tmp_path / "b", (time.time() - 40 * 86400,) * 2)
    assert delete_old_logs(tmp_path, 30) == 2
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["new"]
    assert delete_old_logs(tmp_path / "nowhere", 30) == 0


def test_the_command_says_what_became_of_each_table(home, capsys):
    put(DECISIONS, [1, 2], decided_at=datetime.now(UTC))
    assert main(["maintain", "--json"]) == 0
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["table"], first["files_after"]) == ("gold.model_decisions", 1)
    assert last == {"logs_deleted": 0}
    assert main(["maintain"]) == 0
    assert "gold.model_decisions" in capsys.readouterr().out


def test_a_table_that_another_job_writes_to_keeps_no_other_from_it(home, capsys, monkeypatch):
    put(DECISIONS, [1], decided_at=datetime.now(UTC))
    put(TOTALS, [1], report_date=date(2026, 3, 1))

    def busy(settings, contract, now):
        if contract == DECISIONS:
            raise FinlakeError("gold.model_decisions: another job wrote meanwhile")
        return tidy(settings, contract, now)

    monkeypatch.setattr(module, "tidy", busy)
    assert main(["maintain"]) == 1
    out, err = capsys.readouterr()
    assert "gold.report_daily_totals" in out
    assert "another job wrote meanwhile" in err
