"""``finlake observe``: what is found out, what Prometheus gets of it, and what a person sees."""

from __future__ import annotations

import io
import json
import os
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from rich.console import Console

import connectors
from batch_jobs.observe import Facts, Observer, exposed, page
from batch_jobs.observe import facts as module
from batch_jobs.observe.facts import PARTS, Batches, Firing, Fresh, Program
from connectors import CaptureStatus, Reach
from connectors.rest import ConnectorStatus, TaskStatus
from finlake.cli import main
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import load_settings
from infra.stack.supervisor import Report
from stream_jobs.lag import Lag


def facts(at: float = 1_700_000_000.0, **changed: Any) -> Facts:
    """Facts of a stack in which everything is as it should be."""
    connector = ConnectorStatus("c", "RUNNING", "3", (TaskStatus(0, "RUNNING", None),))
    found = Facts(
        at,
        programs=(Program("kafka", "healthy", 1, 400 << 20, 10.0),),
        disks={"home": (90 << 30, 100 << 30), "lake": (90 << 30, 100 << 30)},
        capture=CaptureStatus(connector, 1, {"file": "b.1", "pos": 4}),
        bytes_behind=2048,
        lags=(
            Lag("stream", "cdc.finance.cards", 0, 90, 0, 100),
            Lag("stream", "cdc.finance.transactions", 0, 5, 0, 10),
            Lag("stream", "cdc.finance.transactions", 1, 5, 0, 30),
        ),
        alerts=50,
        dead_letters={"cards": 2},
        stopped={"cards": "", "users": ""},
        freshness=(
            Fresh("transactions", "kafka", 1000, 20.0, 45.0),
            Fresh("transactions", "gold", 1000, 950.0, 1500.0),
        ),
        batches=Batches(60, 480.0, 900.0, 2400),
    )
    return replace(found, **changed)


def told(registry: Any) -> dict[tuple[str, ...], float]:
    """Samples by name and values of labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def text(shown: Any, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# ── Prometheus ───────────────────────────────────────────────────────────────────────────────────


def test_prometheus_gets_lag_by_reader_and_topic_and_records_by_topic():
    found = told(exposed(facts))
    assert found["finlake_topic_lag_records", "stream", "cdc.finance.transactions"] == 30
    assert found["finlake_topic_lag_records", "stream", "cdc.finance.cards"] == 10
    assert found["finlake_topic_records_total", "cdc.finance.transactions"] == 40
    assert found["finlake_topic_records_total", "finance.alerts"] == 50
    assert found["finlake_topic_lost_records", "stream", "cdc.finance.cards"] == 0


def test_records_of_a_topic_are_counted_once_however_many_read_it():
    two = (Lag("a", "t", 0, 1, 0, 7), Lag("b", "t", 0, 9, 3, 7))
    found = told(exposed(lambda: facts(lags=two)))
    assert found["finlake_topic_records_total", "t"] == 7
    assert found["finlake_topic_lag_records", "b", "t"] == 0


def test_a_failed_task_a_stopped_table_and_a_silent_part_are_figures():
    failed = ConnectorStatus("c", "RUNNING", "3", (TaskStatus(0, "FAILED", "trace"),))
    ill = facts(
        capture=CaptureStatus(failed, 1, None),
        stopped={"users": "a column was dropped"},
        problems={"topics": "Kafka does not answer"},
    )
    found = told(exposed(lambda: ill))
    assert found["finlake_connector_running", "c"] == 0
    assert found["finlake_connector_tasks", "c", "FAILED"] == 1
    assert found["finlake_connector_tasks", "c", "RUNNING"] == 0
    assert found["finlake_table_stopped", "users"] == 1
    assert found["finlake_dead_letters", "cards"] == 2, "a table of which no status is known"
    assert {part: found["finlake_observe_part_up", part] for part in PARTS} == {
        part: part != "topics" for part in PARTS
    }


def test_it_looks_when_it_is_asked_and_not_before():
    looks = []

    def look() -> Facts:
        looks.append(1)
        return facts()

    registry = exposed(look)
    assert not looks
    told(registry)
    told(registry)
    assert len(looks) == 2


# ── A terminal ───────────────────────────────────────────────────────────────────────────────────


def test_the_page_of_a_healthy_stack_has_all_figures_and_nothing_red():
    before = facts(
        at=1_699_999_998.0,
        alerts=40,
        programs=(Program("kafka", "healthy", 1, 400 << 20, 9.0),),
        lags=(
            Lag("stream", "cdc.finance.cards", 0, 90, 0, 60),
            Lag("stream", "cdc.finance.transactions", 0, 5, 0, 10),
            Lag("stream", "cdc.finance.transactions", 1, 5, 0, 30),
        ),
    )
    shown = text(page(facts(dead_letters={}), before))
    assert "2023-11-14 22:13:20 UTC" in shown
    assert "RUNNING, 2 KiB of the source's log not read" in shown
    assert "60 batches, 0.48 s each, 0.90 s at most; 2,400 changes" in shown
    assert "50 so far, 5.0 /s" in shown
    assert "dead letters  none" in shown
    assert "90.0 GiB of 100.0 GiB free (90%)" in shown
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.split()}
    assert lines["transactions"] == ["1,000", "20,", "45", "950,", "1,500"]
    assert lines["cdc.finance.cards"] == ["20.0", "10"]
    assert lines["cdc.finance.transactions"] == ["0.0", "30"]
    assert lines["kafka"] == ["healthy", "400", "MiB", "0.50", "1"]


def test_the_page_of_an_ill_stack_names_what_is_wrong():
    shown = text(
        page(
            facts(
                lags=(Lag("score", "t", 1, 2, 5, 9),),
                stopped={"users": "a column was dropped"},
                disks={"home": (1 << 30, 100 << 30)},
                firing=(Firing("DiskLow", "critical", "Of the disk 1% are left", "alerts.md#x"),),
                problems={"capture": "Kafka Connect does not answer"},
            )
        )
    )
    assert "capture: Kafka Connect does not answer" in shown
    assert "DiskLow: Of the disk 1% are left (alerts.md#x)" in shown
    assert "users is stopped: a column was dropped" in shown
    assert "t[1]: score has lost 3 unread" in shown
    assert "dead letters  cards 2" in shown
    assert "(1%)" in shown


def test_a_page_of_nothing_is_a_page():
    assert "0 batches" in text(page(Facts(0.0)))


def test_no_rate_is_told_of_a_topic_that_was_made_anew():
    before = facts(at=1_699_999_998.0, lags=(Lag("stream", "t", 0, 5, 0, 10),))
    after = facts(lags=tuple(Lag("stream", "t", n, 5, 0, 10) for n in (0, 1)))
    lines = [line.split() for line in text(page(after, before)).splitlines()]
    assert ["t", "10"] in lines


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def quiet_parts(monkeypatch):
    monkeypatch.setattr(connectors, "status", lambda _: facts().capture)
    monkeypatch.setattr(connectors, "reach", lambda _: Reach("c", None, bytes_behind=7))
    monkeypatch.setattr(module, "lags", lambda _: [Lag("stream", "t", 0, 1, 0, 2)])
    monkeypatch.setattr(Observer, "_alerts", lambda _: 5)


def test_an_empty_lake_is_no_problem(home, quiet_parts):
    home.mkdir()
    found = Observer(load_settings(home=home)).look()
    assert found.problems == {}
    assert (found.bytes_behind, found.alerts, found.batches) == (7, 5, Batches())
    assert found.disks["home"][1] > 0


def test_a_part_that_does_not_answer_hides_no_other(home, quiet_parts, monkeypatch):
    def refuse(_: object) -> Any:
        raise ComponentMissing("Kafka does not answer at x:1")

    monkeypatch.setattr(module, "lags", refuse)
    found = Observer(load_settings(home=home)).look()
    assert found.problems == {"topics": "Kafka does not answer at x:1"}
    assert found.lags == ()
    assert found.bytes_behind == 7


@pytest.fixture
def prometheus(monkeypatch):
    """A stand-in for the stack's Prometheus, which says what is put into ``said``."""
    said: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            data = json.dumps(said).encode()
            self.send_response(200 if self.path == "/api/v1/alerts" and said else 503)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format, *args):  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    report = Report("prometheus", "healthy", address, "", os.getpid(), 1)
    monkeypatch.setattr("batch_jobs.observe.facts.control.status", lambda _: [report])
    yield said
    server.shutdown()
    thread.join()
    server.server_close()


def test_alerts_that_fire_are_told_and_pending_ones_are_not(home, quiet_parts, prometheus):
    about = {"summary": "MinIO does not answer", "runbook": "alerts.md#objectstoredown"}
    labels = {"alertname": "ObjectStoreDown", "severity": "critical"}
    one = {"labels": labels, "annotations": about, "state": "firing"}
    prometheus["data"] = {"alerts": [one, {**one, "state": "pending"}]}
    observer = Observer(load_settings(home=home))
    assert observer.look().firing == (
        Firing("ObjectStoreDown", "critical", "MinIO does not answer", "alerts.md#objectstoredown"),
    )
    assert Observer(load_settings(home=home), judged=False).look().firing == ()
    prometheus.clear()
    silent = observer.look()
    assert (silent.firing, list(silent.problems)) == ((), ["rules"])
    assert "finlake logs prometheus" in silent.problems["rules"]


def test_once_ends_with_3_and_the_page_when_a_part_is_silent(
    home, quiet_parts, monkeypatch, capsys
):
    assert main(["observe", "--once"]) == 0
    capsys.readouterr()

    def refuse(_: object) -> Any:
        raise FinlakeError("consumer groups: cannot be listed")

    monkeypatch.setattr(module, "lags", refuse)
    assert main(["observe", "--once"]) == 3
    out, err = capsys.readouterr()
    assert "topics: consumer groups: cannot be listed" in out
    assert err == "finlake observe: topics: consumer groups: cannot be listed\n"


def test_a_page_and_figures_at_once_are_wrong_use(home, capsys):
    assert main(["observe", "--once", "--serve"]) == 2
    assert "exclude each other" in capsys.readouterr().err
