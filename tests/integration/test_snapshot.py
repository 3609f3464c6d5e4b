"""The bulk road on real components: under load, killed, and after a gap in the source's log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import requests

from batch_jobs.load.connection import connect
from connectors.config import connector_name
from connectors.rest import Connect
from infra.lake.query import Query
from infra.settings import Settings
from tests.support.stack import (
    finlake,
    run,
    running_stack,
    skip_without_mysql,
    start,
    status_of,
    wait_for,
)

pytestmark = pytest.mark.slow
NAME = connector_name("mariadb")
ODD = [  # number, moment, amount, errors, city: what JSON, lists and lines make trouble with
    (1, "1969-12-31 23:59:59.999999", "-0.01", 'say "no", \\ or', "tab\there"),
    (2, "2019-10-31 12:00:00.000001", "9999999999.99", "line\nline\r\n", "emoji \U0001f4b3"),
    (3, "1000-01-01 00:00:00", "0.00", "", "ÄÖß \x01 '"),
    (4, "9999-12-31 23:59:59.999999", "-9999999999.99", None, None),
]
INSERT = """
INSERT INTO transactions (id, date, amount, errors, merchant_city, client_id, card_id, use_chip,
    merchant_id, mcc) VALUES (%s, %s, %s, %s, %s, 1, 1, 'Online Transaction', 1, 5411)"""


@pytest.fixture(scope="module", params=["mariadb", pytest.param("mysql", marks=pytest.mark.mysql)])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp(request.param) / "home"
    env = {"FINLAKE_SOURCE_FLAVOUR": request.param}
    if request.param == "mysql":
        skip_without_mysql(home)
    with running_stack(home, connector=False, **env) as settings:
        yield settings


def book(settings: Settings, statement: str, *rows: tuple[object, ...]) -> None:
    with closing(connect(settings)) as source, source.cursor() as cursor:
        cursor.executemany(statement, rows)
        source.commit()


@contextmanager
def traffic(settings: Settings) -> Iterator[None]:
    words = ("traffic", "--rate", "200", "--seconds", "0")
    process = start(settings.home, *words, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def mode(settings: Settings) -> str:
    config = Connect(settings.connect_url).config(NAME)
    assert config
    return config["snapshot.mode"]


def test_under_load_and_killed_it_ends_in_what_the_source_holds(stack: Settings) -> None:
    run(stack.home, "generate", "--transactions", "20000", "--seed", "3")
    book(stack, INSERT, *ODD)
    with traffic(stack):
        first = start(stack.home, "snapshot", stderr=subprocess.PIPE, text=True)
        assert first.stderr
        assert any("every table is read as of" in line for line in first.stderr)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert mode(stack) == "no_data"
        # Debezium does not read the rows either, and says so.
        assert "still to be read: `finlake snapshot`" in run(stack.home, "connectors", "apply")
        reports = list(map(json.loads, run(stack.home, "snapshot", "--json").splitlines()))
        assert {one["table"] for one in reports if one["rows"]} >= {"users", "transactions"}
        assert mode(stack) == "initial"
    run(stack.home, "stream", "--once")
    assert "equal" in run(stack.home, "verify", "--wait", "0")
    odd = "SELECT transaction_id FROM gold.fact_transactions WHERE transaction_id < 5"
    assert Query(stack).query(odd).num_rows == len(ODD)


def test_rows_that_went_with_a_purged_log_are_deleted(stack: Settings) -> None:
    connector = Connect(stack.connect_url)
    connector.stop(NAME)
    book(stack, "DELETE FROM transactions WHERE id IN (%s, %s)", (1, 2))
    url = f"{stack.connect_url}/connectors/{NAME}/offsets"
    entry = requests.get(url, timeout=20).json()["offsets"][0]
    # as if the connector had stopped long ago
    entry["offset"] |= {"file": "binlog.000000", "pos": 4}
    requests.patch(url, json={"offsets": [entry]}, timeout=20).raise_for_status()
    done = finlake(stack.home, "snapshot")
    assert done.returncode == 0, done.stderr
    assert "epoch 2 begins, because the connector has read to binlog file 0" in done.stderr
    assert "; 2 that the source no longer has are deleted" in done.stdout
    run(stack.home, "stream", "--once")
    assert "equal" in run(stack.home, "verify", "--wait", "0")


def test_it_refuses_while_the_stream_runs_and_names_what_the_source_lacks(
    stack: Settings,
) -> None:
    book(stack, "ALTER TABLE mcc_codes RENAME COLUMN description TO words", ())
    done = finlake(stack.home, "snapshot")
    assert done.returncode == 1
    assert "finlake snapshot: source table finance.mcc_codes: lacks column" in done.stderr
    book(stack, "ALTER TABLE mcc_codes RENAME COLUMN words TO description", ())
    up = start(stack.home, "up", "--with", "stream", stdout=subprocess.DEVNULL)
    try:  # a stream that only begins to run is one that runs
        wait_for(lambda: status_of(stack.home).get("stream", {}).get("pid"), "the stream begins")
        done = finlake(stack.home, "snapshot")
        assert done.returncode == 2
        assert "the stream runs" in done.stderr
    finally:
        up.terminate()
        up.wait()
