"""The client of Kafka Connect, against a server that plays recorded answers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from connectors import rest
from connectors.failures import explain, root_cause
from connectors.rest import Connect
from connectors.source import bytes_after
from finlake.errors import ComponentMissing, FinlakeError

RECORDED = Path(__file__).parents[1] / "golden" / "connect_failures"
STATUS = "GET /connectors?expand=status"
RUNNING = {
    "name": "c",
    "connector": {"state": "RUNNING", "worker_id": "w", "version": "3.5.0.Final"},
    "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "w"}],
}


def recorded(name):
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


class Played(HTTPServer):
    """``plan`` maps "METHOD path" to the answers to come, the last of which stays."""

    plan: dict[str, list[tuple[int, Any]]]
    calls: list[tuple[str, Any]]
    client: Connect


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(rest, "_SETTLE_S", 0.0)

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            call = f"{self.command} {self.path}"
            played.calls.append((call, body))
            answers = played.plan.get(call, [(404, {"error_code": 404, "message": "none"})])
            status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (names of the base class)

        def log_message(self, format, *args):  # noqa: A002
            pass

    played = Played(("127.0.0.1", 0), Handler)
    played.plan, played.calls = {}, []
    played.client = Connect(f"http://127.0.0.1:{played.server_port}")
    thread = threading.Thread(target=played.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield played
    played.shutdown()
    thread.join()
    played.server_close()


def listed(*statuses):
    """Connect's answers that list connector c, each with one of the statuses."""
    return [(200, {"c": {"status": status}}) for status in statuses]


def made(server):
    return [call for call, _ in server.calls if not call.startswith("GET")]


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("binlog_purged_mariadb", "server-log-gone", "finlake connectors recover"),
        ("binlog_purged_mysql", "server-log-gone", "binlog_expire_logs_seconds"),
        ("binlog_reset_mysql", "server-log-gone", "finlake connectors recover"),
        ("history_missing", "history-missing", "finlake connectors recover"),
        ("ddl_unparseable", "ddl", "create table finance.odd (id int primary key, a inet6)"),
        ("lock_tables", "lock-tables", "LOCK TABLES"),
        ("binlog_monitor", "privileges", "BINLOG MONITOR"),
        ("heartbeat_table", "privileges", "finlake_heartbeat"),
        ("server_id_mariadb", "server-id", "finlake connectors restart"),
        ("server_id_mysql", "server-id", "finlake connectors restart"),
    ],
)
def test_trap_13_each_known_failure_says_why_and_what_to_do(server, name, kind, words):
    server.plan[STATUS] = listed(recorded(name))
    found = server.client.status("c")
    assert (found.summary, found.running, found.failure.kind) == ("FAILED", False, kind)
    assert found.tasks[0].explanation == found.failure
    with pytest.raises(FinlakeError, match="connector c: ") as raised:
        server.client.wait_running("c")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "Exception" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("put_wrong_password_mariadb", "refuses the user cdc or its password"),
        ("put_wrong_password_mysql", "FINLAKE_SOURCE_CDC_PASSWORD"),
        ("put_no_server", "does not answer"),
        ("put_no_transform", "has no org.apache.kafka.connect.transforms.Nope"),
        ("put_no_plugin", "has no io.debezium.connector.oracle.OracleConnector"),
    ],
)
def test_a_refused_configuration_says_why_and_what_to_do(server, name, words):
    server.plan["PUT /connectors/c/config"] = [(400, recorded(name))]
    with pytest.raises(FinlakeError) as raised:
        server.client.put("c", {"a": "b"})
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_failure_shows_its_root_cause_in_one_line():
    trace = (
        "org.apache.kafka.connect.errors.ConnectException: outer\n\tat a.b(C.java:1)\n"
        "Caused by: java.lang.IllegalStateException: the innermost\n  reason\n\tat d.e(F.java:2)\n"
        "\t... 3 more\n"
    )
    found = explain(trace)
    assert (found.kind, found.why) == ("unknown", "IllegalStateException: the innermost reason")
    assert root_cause("x" * 1000).endswith("…")
    assert len(root_cause("x" * 1000)) == 300


def test_a_configuration_is_put_only_when_it_differs(server):
    server.plan["GET /connectors/c/config"] = [(200, {"name": "c", "a": "b"})]
    server.plan["PUT /connectors/c/config"] = [(200, {})]
    assert server.client.put("c", {"a": "b"}) is False
    assert made(server) == []
    assert server.client.put("c", {"a": "x"}) is True
    assert made(server) == ["PUT /connectors/c/config"]


def test_a_rebalance_is_waited_for(server):
    busy = (409, {"error_code": 409, "message": "rebalance"})
    server.plan["GET /connectors/c/config"] = [busy, busy, (200, {"name": "c"})]
    assert server.client.config("c") == {}
    assert len(server.calls) == 3


def test_a_deleted_connector_whose_tasks_still_end_is_absent(server):
    server.plan |= {STATUS: [(200, {})], "GET /connectors/c/status": [(200, RUNNING)]}
    assert server.client.status("c").state == "ABSENT"


def test_what_is_absent_is_absent_and_no_error(server):
    server.plan[STATUS] = [(200, {"another": {"status": RUNNING}})]
    assert server.client.config("c") is None
    assert server.client.status("c").state == "ABSENT"
    assert server.client.offset("c") is None
    assert server.client.delete("c") is False


def test_waiting_ends_when_connector_and_task_run(server):
    starting = {**RUNNING, "tasks": []}
    server.plan[STATUS] = listed(starting, starting, RUNNING)
    assert server.client.wait_running("c").summary == "RUNNING"
    assert len(server.calls) == 3


def test_waiting_for_ever_is_refused(server):
    paused = {**RUNNING, "connector": {"state": "PAUSED"}}
    server.plan[STATUS] = listed(paused)
    with pytest.raises(FinlakeError, match="still PAUSED"):
        server.client.wait_running("c", timeout_s=0.0)


def test_offsets_are_those_of_the_source(server):
    offset = {"file": "binlog.000001", "pos": 4}
    answer = {"offsets": [{"partition": {"server": "cdc"}, "offset": offset}]}
    server.plan["GET /connectors/c/offsets"] = [(200, answer)]
    assert server.client.offset("c") == offset


def test_beginning_anew_deletes_offsets_of_a_stopped_connector(server):
    stopped = {"name": "c", "connector": {"state": "STOPPED"}, "tasks": []}
    server.plan |= {
        "POST /connectors": [(201, {})],
        "PUT /connectors/c/stop": [(202, None)],
        STATUS: listed(stopped),
        "DELETE /connectors/c/offsets": [(200, {})],
        "PUT /connectors/c/config": [(200, {})],
    }
    server.client.begin_anew("c", {"a": "b"})
    assert made(server) == [
        "POST /connectors",
        "PUT /connectors/c/stop",
        "DELETE /connectors/c/offsets",
        "PUT /connectors/c/config",
    ]
    assert dict(server.calls)["POST /connectors"]["initial_state"] == "STOPPED"


def test_a_connector_that_does_not_stop_is_told(server):
    server.plan["PUT /connectors/c/stop"] = [(202, None)]
    server.plan[STATUS] = listed(RUNNING)
    with pytest.raises(FinlakeError, match="does not stop"):
        server.client.stop("c", timeout_s=0.0)


def test_a_pause_is_waited_for_until_the_tasks_rest_too(server):
    half = {**RUNNING, "connector": {"state": "PAUSED"}}
    paused = {**half, "tasks": [{"id": 0, "state": "PAUSED", "worker_id": "w"}]}
    server.plan[STATUS] = listed(RUNNING, half, paused)
    assert server.client.wait_paused("c").summary == "PAUSED"
    assert len(server.calls) == 3


def test_a_connector_that_does_not_pause_or_has_failed_is_told(server):
    server.plan[STATUS] = listed(RUNNING)
    with pytest.raises(FinlakeError, match="does not pause, is RUNNING"):
        server.client.wait_paused("c", timeout_s=0.0)
    server.plan[STATUS] = listed(recorded("history_missing"))
    with pytest.raises(FinlakeError, match="finlake connectors recover"):
        server.client.wait_paused("c")


def test_one_task_is_restarted(server):
    server.plan["POST /connectors/c/tasks/0/restart"] = [(204, None)]
    server.client.restart_task("c", 0)
    assert made(server) == ["POST /connectors/c/tasks/0/restart"]


@pytest.mark.parametrize(
    ("place", "behind"), [((2, 30), 70 + 5), ((3, 5), 0), ((1, 10), 100 + 5), ((3, 9), 0)]
)
def test_bytes_behind_are_those_of_the_log_after_the_place(place, behind):
    assert bytes_after([("binlog.000002", 100), ("binlog.000003", 5)], place) == behind


def test_nobody_at_the_address_is_a_missing_component():
    with pytest.raises(ComponentMissing, match=r"does not answer at http://127\.0\.0\.1:9 "):
        Connect("http://127.0.0.1:9/").names()
