"""load, generate and traffic against a real MariaDB."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
import pytest

from batch_jobs.generate import Plan, fill_source, write_files
from batch_jobs.generate import dataset as dataset_module
from batch_jobs.load import load
from batch_jobs.load.connection import connect, one_writer
from batch_jobs.load.files import LABELS
from batch_jobs.load.writer import Writer
from batch_jobs.tokens import card_token
from batch_jobs.traffic import TRANSFER_MERCHANT, Mix, run
from batch_jobs.traffic.source import commit
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.database.schema import apply_schema
from infra.settings import Settings, load_settings
from infra.stack.mysql import MySQL
from lakehouse_schemas import contracts
from tests.support.source import Server

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "kaggle_sample"
TABLES = ("mcc_codes", "users", "cards", "transactions", "fraud_labels")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def settings(server: Server, home: Path) -> Settings:
    """An empty source and a home of its own."""
    server.empty()
    return load_settings(home=home, source_url=server.url)


def ask(settings: Settings, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def content(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    return {table: ask(settings, f"SELECT * FROM {table} ORDER BY 1") for table in TABLES}


def counts(settings: Settings) -> dict[str, int]:
    return {table: ask(settings, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("set") / "files"
    write_files(Plan(20_000, 3), folder)
    return folder


def copy_of(folder: Path, tmp_path: Path) -> Path:
    made = tmp_path / "copy"
    made.mkdir()
    for path in folder.iterdir():
        (made / path.name).write_bytes(path.read_bytes())
    return made


# ── load ─────────────────────────────────────────────────────────────────────────────────────────


def test_all_files_are_loaded_once_and_a_second_run_leaves_them_alone(settings, files):
    reports = load(settings, files)
    assert [report.table for report in reports] == list(TABLES)
    before = content(settings)
    assert {report.table: report.rows for report in reports} == counts(settings)
    assert counts(settings)["transactions"] == 20_000
    with files.joinpath("transactions_data.csv").open() as file:
        first = next(csv.DictReader(file))
    row = before["transactions"][0]
    assert (row[0], str(row[1]), f"${row[4]}") == (int(first["id"]), first["date"], first["amount"])
    assert [report.written for report in load(settings, files)] == [0] * 5
    assert content(settings) == before


def test_cards_get_their_token_in_the_source(settings, files):
    load(settings, files)
    rows = ask(
        settings, "SELECT card_number, card_token, card_token_key, card_last4 FROM cards LIMIT 50"
    )
    for number, token, key_id, last4 in rows:
        assert token == card_token(settings.token_key_bytes, number)
        assert (key_id, last4) == ("k1", number[-4:])


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the public Kaggle sample is not here")
def test_the_real_files_are_loaded_as_they_are(settings):
    reports = load(settings, SAMPLE)
    assert [report.rejected for report in reports] == [0] * len(reports)
    found = counts(settings)
    assert [found[t] for t in ("mcc_codes", "users", "cards")] == [109, 2_000, 6_146]
    assert found["transactions"] == 1_000


def test_a_killed_load_continues_without_loss_or_repetition(settings, server, tmp_path):
    folder = tmp_path / "large"
    write_files(Plan(400_000, 4), folder)
    command = [sys.executable, "-m", "finlake", "load", str(folder), "--json"]
    env = {**os.environ, "FINLAKE_SOURCE_URL": server.url, "FINLAKE_HOME": str(settings.home)}
    kills = 0
    for wanted in (1, 150_000):
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                (done,) = ask(
                    settings,
                    "SELECT COALESCE(SUM(row_count), 0) FROM finlake_load"
                    " WHERE table_name = 'transactions'",
                )[0]
            except pymysql.ProgrammingError:  # the table is not there yet
                done = 0
            if done >= wanted:
                process.kill()
                process.wait()
                kills += process.returncode == -signal.SIGKILL
    assert kills == 2
    (rows, finished) = ask(
        settings,
        "SELECT row_count, finished FROM finlake_load WHERE table_name = 'transactions'",
    )[0]
    assert rows >= 150_000
    assert not finished
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
    reports = {line["table"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert reports["transactions"]["rows"] == 400_000
    assert reports["transactions"]["written"] <= 400_000 - rows
    assert counts(settings)["transactions"] == 400_000
    resumed = digest(settings)
    server.empty()
    load(settings, folder)
    assert digest(settings) == resumed


def digest(settings: Settings) -> list[tuple[Any, ...]]:
    columns = contracts.get("source.transactions").column_names
    joined = ", ".join(f"COALESCE(`{name}`, '-')" for name in columns)
    return ask(
        settings,
        f"SELECT count(*), sum(id), sum(amount), sum(crc32(concat_ws('|', {joined})))"
        " FROM transactions",
    ) + ask(settings, "SELECT label, count(*), sum(transaction_id) FROM fraud_labels GROUP BY 1")


def test_bad_rows_are_set_aside_with_line_and_reason_and_no_card_number(settings, files, tmp_path):
    folder = copy_of(files, tmp_path)
    cards = (folder / "cards_data.csv").read_text().splitlines()
    number = cards[3].split(",")[4]
    cards[3] = cards[3].replace("/20", "-20", 1)
    cards[5] = cards[5].replace(",", ";", 2)
    (folder / "cards_data.csv").write_text("\n".join(cards) + "\n")
    report = {r.table: r for r in load(settings, folder)}["cards"]
    assert report.rejected == 2
    assert report.rows == len(cards) - 3
    assert report.rejects_file is not None
    text = report.rejects_file.read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["file"], row["line"], row["column"]) for row in rows] == [
        ("cards_data.csv", "4", "expires"),
        ("cards_data.csv", "6", ""),
    ]
    assert number not in text
    assert "month" in rows[0]["reason"]


def test_too_many_bad_rows_are_one_error_before_any_table_is_touched(settings, files, tmp_path):
    folder = copy_of(files, tmp_path)
    path = folder / "transactions_data.csv"
    path.write_text(path.read_text().replace("$", "EUR "))
    with pytest.raises(FinlakeError, match="more than 100 rows are bad, the first: line 2, amount"):
        load(settings, folder)
    assert counts(settings) == dict.fromkeys(TABLES, 0)
    (rejects,) = (settings.home / "rejects").iterdir()
    assert "transactions_data.csv,2,amount," in rejects.read_text()


def test_broken_json_deep_in_a_file_stops_before_any_table_is_touched(settings, files, tmp_path):
    folder = copy_of(files, tmp_path)
    path = folder / LABELS
    path.write_text(path.read_text().replace('"No", "7480000"', '"No" "7480000"'))
    with pytest.raises(FinlakeError, match="broken JSON"):
        load(settings, folder)
    assert counts(settings) == dict.fromkeys(TABLES, 0)


def test_a_changed_file_changes_rows_that_exist_and_keeps_the_others(settings, files, tmp_path):
    load(settings, files)
    before = content(settings)["users"]
    folder = copy_of(files, tmp_path)
    lines = (folder / "users_data.csv").read_text().splitlines()
    cells = lines[7].split(",")
    cells[12] = "555"
    lines[7] = ",".join(cells)
    (folder / "users_data.csv").write_text("\n".join([*lines[:8], *lines[9:]]) + "\n")
    reports = {r.table: r for r in load(settings, folder)}
    assert reports["cards"].written == 0
    after = content(settings)["users"]
    changed = [(b, a) for b, a in zip(before, after, strict=True) if a != b]
    assert [a[12] for _, a in changed] == [555]
    assert [r.written for r in load(settings, folder, restart=True)][1] == len(lines) - 2
    assert content(settings)["users"] == after


def test_an_upsert_of_the_same_rows_writes_nothing_to_the_binary_log(settings, server, files):
    load(settings, files)

    def position() -> list[Any]:
        with server.root() as cursor:
            cursor.execute("SHOW BINLOG STATUS")
            return list(cursor.fetchall())

    transactions = contracts.get("source.transactions")
    rows = pa.Table.from_pylist(
        [
            dict(zip(transactions.column_names, row, strict=True))
            for row in ask(settings, "SELECT * FROM transactions LIMIT 500")
        ],
        schema=transactions.lake_schema,
    )
    before = position()
    with closing(connect(settings)) as connection:
        Writer(connection).write(transactions, rows)
        connection.commit()
    assert position() == before


@pytest.mark.parametrize("local_files", [True, False])
def test_both_roads_store_every_character(settings, monkeypatch, local_files):
    apply_schema(settings)
    contract = contracts.get("source.mcc_codes")
    texts = ["'", '"', "\\", "\\N", "NULL", "a\tb", "a\nb", "\r", "\0", "é中😀", "),(", "%s", " "]
    rows = pa.table(
        {"mcc": list(range(len(texts))), "description": texts}, schema=contract.arrow_schema()
    )
    with closing(connect(settings)) as connection:
        writer = Writer(connection)
        monkeypatch.setattr(writer, "_local_files", local_files)
        writer.write(contract, rows)
        connection.commit()
    assert [text for _, text in content(settings)["mcc_codes"]] == texts


def test_both_roads_store_the_same_transactions(settings, server, files, monkeypatch):
    load(settings, files)
    fast = content(settings)
    server.empty()
    with server.root() as cursor:
        cursor.execute("SET GLOBAL local_infile = 0")
    try:
        load(settings, files)
    finally:
        with server.root() as cursor:
            cursor.execute("SET GLOBAL local_infile = 1")
    assert content(settings) == fast


def test_two_loads_at_once_are_refused(settings, files):
    with (
        closing(connect(settings)) as connection,
        one_writer(connection, "finlake load"),
        pytest.raises(FinlakeError, match="another finlake load writes to this source"),
    ):
        load(settings, files)


def test_a_source_that_is_not_there_is_a_missing_component(home):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        url = f"mysql://finlake_app:hidden@127.0.0.1:{port}/finance"
        with pytest.raises(ComponentMissing) as caught:
            connect(load_settings(home=home, source_url=url))
    assert "hidden" not in str(caught.value)
    for url in ("postgresql://u:p@localhost/finance", "mysql://localhost"):
        with pytest.raises(UsageProblem, match="FINLAKE_SOURCE_URL"):
            connect(load_settings(home=home, source_url=url))


# ── generate ─────────────────────────────────────────────────────────────────────────────────────


def test_a_generated_source_is_the_same_as_its_files_loaded(settings, server, files):
    rows = fill_source(settings, Plan(20_000, 3))
    generated = content(settings)
    assert {table: len(found) for table, found in generated.items()} == rows
    assert fill_source(settings, Plan(20_000, 3)) == rows
    server.empty()
    load(settings, files)
    assert content(settings) == generated


def test_an_interrupted_generate_continues_and_another_set_is_refused(settings, monkeypatch):
    monkeypatch.setattr(dataset_module, "_PART_ROWS", 2_000)
    plan = Plan(20_000, 3)

    def interrupt(_what: str, done: int, _of: int) -> None:
        if done > 5_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"stopped with [\d,]+ transactions in"):
        fill_source(settings, plan, watch=interrupt)
    assert 5_000 < counts(settings)["transactions"] < 20_000
    with pytest.raises(UsageProblem, match="holds other transactions"):
        fill_source(settings, Plan(20_000, 4))
    rows = fill_source(settings, plan)
    assert counts(settings) == rows
    assert rows["transactions"] == 20_000


# ── traffic ──────────────────────────────────────────────────────────────────────────────────────


def test_traffic_fills_an_empty_source_and_tells_of_each_commit(settings):
    told: list[tuple[tuple[int, ...], float]] = []
    began = time.time()
    summary = run(
        settings,
        rate=500,
        seconds=3,
        seed=1,
        mix=Mix(80, 15, 5),
        on_commit=lambda ids, moment: told.append((ids, moment)),
    )
    assert summary.commits == len(told)
    assert summary.changes >= 500 * 3 - 1 or summary.seconds > 3.5
    assert all(began <= moment <= time.time() for _, moment in told)
    ids = {identity for touched, _ in told for identity in touched}
    found = {row[0] for row in ask(settings, "SELECT id FROM transactions")}
    assert found <= ids
    assert len(found) == summary.rows["inserted"] - summary.rows["deleted"]
    late = ask(
        settings,
        "SELECT count(*) FROM transactions WHERE date > UTC_TIMESTAMP(6) OR MICROSECOND(date) = 0",
    )
    assert late[0][0] < 5
    assert ask(
        settings,
        "SELECT count(*) FROM transactions t LEFT JOIN cards c ON c.id = t.card_id"
        " AND c.client_id = t.client_id WHERE c.id IS NULL",
    ) == [(0,)]


def test_a_reader_sees_transfers_balanced_at_every_moment(settings):
    apply_schema(settings)
    stop, sums = threading.Event(), set()

    def read() -> None:
        with closing(connect(settings)) as connection, connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute(
                    "SELECT COALESCE(SUM(amount), 0), MOD(COUNT(*), 2) FROM transactions"
                    " WHERE merchant_id = %s",
                    (TRANSFER_MERCHANT,),
                )
                sums.add(cursor.fetchone())
                connection.commit()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        summary = run(settings, rate=1_500, seconds=4, seed=2, mix=Mix(50, 40, 10))
    finally:
        stop.set()
        reader.join()
    assert summary.transfers > 20
    assert sums == {(0, 0)}


def test_traffic_goes_on_when_the_source_is_killed_and_comes_back(settings, server):
    restarted: list[int] = []

    def restart() -> None:
        server.stop(signal.SIGKILL)
        server.start()
        restarted.append(1)

    killer = threading.Timer(1.5, restart)
    killer.start()
    stop = threading.Event()

    def watch(summary) -> None:
        if summary.reconnects and summary.changes > after:
            stop.set()

    after = 600
    summary = run(settings, rate=300, seconds=0, seed=3, watch=watch, stop=stop)
    killer.join()
    assert restarted
    assert summary.reconnects >= 1
    assert ask(
        settings,
        "SELECT SUM(amount) FROM transactions WHERE merchant_id = %s",
        TRANSFER_MERCHANT,
    ) == [(0,)]
    found = counts(settings)["transactions"]
    assert found >= summary.rows["inserted"] - summary.rows["deleted"]


def test_a_lost_answer_to_a_commit_repeats_nothing(settings, monkeypatch):
    lost: list[int] = []

    def losing(connection, batch, *, again):
        changed = commit(connection, batch, again=again)
        if len(lost) < 5 and not again:
            lost.append(len(batch.inserted))
            connection.close()
            raise pymysql.OperationalError(2013, "Lost connection")
        return changed

    monkeypatch.setattr("batch_jobs.traffic.job.commit", losing)
    told: set[int] = set()
    summary = run(
        settings,
        rate=200,
        seconds=3,
        seed=4,
        mix=Mix(1, 0, 0),
        on_commit=lambda ids, _moment: told.update(ids),
    )
    assert sum(lost) > 0
    assert summary.reconnects == 5
    assert {row[0] for row in ask(settings, "SELECT id FROM transactions")} == told


def test_two_traffics_on_one_source_are_refused(settings):
    apply_schema(settings)
    with (
        closing(connect(settings)) as connection,
        one_writer(connection, "finlake traffic"),
        pytest.raises(FinlakeError, match="another finlake traffic"),
    ):
        run(settings, rate=10, seconds=1, seed=1)


def test_a_source_that_stays_away_ends_traffic_with_one_line(settings, server, monkeypatch):
    monkeypatch.setattr("batch_jobs.traffic.job._PATIENCE_S", 1.0)
    killer = threading.Timer(1.0, server.stop, [signal.SIGKILL])
    killer.start()
    try:
        with pytest.raises(ComponentMissing, match=r"stayed away for 1 s; [\d,]+ changes are"):
            run(settings, rate=100, seconds=0, seed=1)
    finally:
        killer.join()
        server.start()


def test_the_command_stops_whole_on_an_interrupt_and_prints_its_figures(settings, server):
    command = [sys.executable, "-m", "finlake", "traffic", "--rate", "200", "--seconds", "0"]
    env = {**os.environ, "FINLAKE_SOURCE_URL": server.url, "FINLAKE_HOME": str(settings.home)}
    process = subprocess.Popen([*command, "--json"], env=env, stdout=subprocess.PIPE, text=True)
    apply_schema(settings)
    while counts(settings)["transactions"] < 100:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == 0
    figures = json.loads(output)
    assert figures["inserted"] - figures["deleted"] == counts(settings)["transactions"]


# ── MySQL ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def mysql(tmp_path_factory) -> Iterator[Server]:
    try:
        made = Server(tmp_path_factory.mktemp("mysql"), MySQL)
    except ComponentMissing as missing:
        pytest.skip(f"NO REAL MYSQL: {missing}")
    made.start()
    yield made
    made.stop()


@pytest.mark.mysql
@pytest.mark.parametrize("local_files", [True, False])
def test_mysql_takes_the_same_rows_by_both_roads(mysql, settings, home, files, local_files):
    load(settings, files)
    expected = content(settings)
    mysql.empty()
    with mysql.root() as cursor:
        cursor.execute("SET GLOBAL local_infile = %s", (local_files,))
    other = load_settings(home=home, source_url=mysql.url)
    load(other, files)
    assert content(other) == expected
    load(other, files, restart=True)
    assert content(other) == expected


@pytest.mark.mysql
def test_mysql_takes_live_traffic(mysql, home):
    mysql.empty()
    settings = load_settings(home=home, source_url=mysql.url)
    summary = run(settings, rate=500, seconds=3, seed=5, mix=Mix(50, 40, 10))
    assert summary.rows["updated"] > 0
    assert counts(settings)["transactions"] == summary.rows["inserted"] - summary.rows["deleted"]
    assert ask(
        settings, "SELECT SUM(amount) FROM transactions WHERE merchant_id = %s", TRANSFER_MERCHANT
    ) == [(0,)]


# ── The commands' words ──────────────────────────────────────────────────────────────────────────


def finlake(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    assert settings.source_url is not None
    env = {
        **os.environ,
        "FINLAKE_SOURCE_URL": settings.source_url.get_secret_value(),
        "FINLAKE_HOME": str(settings.home),
    }
    command = [sys.executable, "-m", "finlake", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_load_says_what_is_in_what_was_rejected_and_that_labels_are_missing(
    settings, files, tmp_path
):
    folder = copy_of(files, tmp_path)
    (folder / LABELS).unlink()
    users = (folder / "users_data.csv").read_text().replace(",Female,", ",,", 1)
    (folder / "users_data.csv").write_text(users)
    done = finlake(settings, "load", str(folder))
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "20,000 rows" in lines["transactions"]
    assert f"1 rejected, see {settings.home / 'rejects'}" in lines["users"]
    assert done.stderr.startswith("no labels loaded: ")
    assert "in already" in finlake(settings, "load", str(folder)).stdout
    none = finlake(settings, "load", str(folder), "--restart", "--max-rejects", "0")
    assert none.returncode == 1
    assert none.stderr.count("\n") == 1
    assert "more than 0 rows are bad" in none.stderr


def test_generate_says_how_many_rows_there_are(settings):
    done = finlake(settings, "generate", "--transactions", "500", "--seed", "8")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[3].split() == ["transactions", "500", "rows"]
    assert lines[-1].startswith("in the source after")
    other = finlake(settings, "generate", "--transactions", "501", "--json")
    assert other.returncode == 2
    assert "holds other transactions" in other.stderr
