"""The stack's commands: what they print, how they end, and what the doctor says."""

import json
import threading
import time

import pytest

from finlake.cli import main
from finlake.errors import ComponentMissing
from infra.settings import load_settings
from infra.stack import bring_up as whole
from infra.stack import control, doctor
from infra.stack.home import Home
from infra.stack.jars import read_lock
from infra.stack.supervisor import Report


@pytest.fixture
def stack(home, monkeypatch):
    """A home whose stack says of itself what the test writes."""
    found = Home(home)
    found.make()
    monkeypatch.setattr(control, "supervisor_of", lambda _: "somebody")

    def say(*reports):
        found.write_json(found.state_file, [report.__dict__ for report in reports])

    return say


GOOD = Report("kafka", "healthy", "127.0.0.1:9", "Kafka 4.3.1", 77, 1, True)
BAD = Report("connect", "restarting", "http://x", "Connect", None, 3, False, "ended by SIGKILL")


def test_status_of_a_healthy_stack(stack, capsys):
    stack(GOOD)
    assert main(["status"]) == 0
    assert capsys.readouterr().out.split() == [
        *("kafka", "healthy", "77", "127.0.0.1:9", "Kafka", "4.3.1")
    ]


def test_status_as_json_has_one_object_a_line(stack, capsys):
    stack(GOOD, BAD)
    assert main(["status", "--json"]) == 3
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["component"] for row in rows] == ["kafka", "connect"]
    assert set(rows[0]) == {"component", "state", "address", "version", "pid", "message"}
    assert rows[1]["message"] == "ended by SIGKILL"
    assert err == "finlake status: connect not healthy; see `finlake logs connect`\n"


def test_status_without_a_stack(home, capsys):
    assert main(["status"]) == 3
    assert capsys.readouterr().err == (
        "finlake status: the stack does not run; start it with `finlake up`\n"
    )


def test_down_without_a_stack_is_no_error(home, capsys):
    assert main(["down"]) == 0
    assert capsys.readouterr().out == "nothing was running\n"


def test_status_of_some_says_nothing_of_the_others(stack, capsys):
    stack(GOOD, BAD)
    assert main(["status", "kafka"]) == 0
    assert "connect" not in capsys.readouterr().out
    assert main(["status", "kafka", "connect"]) == 3
    assert main(["status", "stream"]) == 3
    assert "stream is not part of the stack that runs" in capsys.readouterr().err


def test_down_of_some_names_those_that_ran(home, monkeypatch, capsys):
    asked = []

    def stop(_, names):
        asked.append(names)
        return ["stream"]

    monkeypatch.setattr(control, "stop", stop)
    assert main(["down", "stream", "alerts"]) == 0
    assert asked == [("stream", "alerts")]
    assert capsys.readouterr().out == "stopped stream\n"


def test_down_of_something_unknown_is_wrong_use(home, capsys):
    assert main(["down", "strem"]) == 2
    assert "strem: unknown; it can be source, kafka, connect" in capsys.readouterr().err
    assert main(["down", "stream"]) == 0
    assert capsys.readouterr().out == "none of them was running\n"


def test_logs_of_an_unknown_component_names_those_that_are(home, capsys):
    found = Home(home)
    found.make()
    found.log("kafka").write_text("a\nb\nc\n")
    assert main(["logs", "kafak"]) == 2
    assert capsys.readouterr().err == "finlake logs: no log of kafak; there are: kafka\n"
    assert main(["logs", "kafka", "-n", "2"]) == 0
    assert capsys.readouterr().out == "b\nc\n"


def test_logs_follows_over_a_cut(home, capsys, monkeypatch):
    found = Home(home)
    found.make()
    log = found.log("kafka")
    log.write_text("one\n")
    steps = iter(["one\ntwo\n", "cut\n", None])

    def sleep(_):
        text = next(steps)
        if text is None:
            raise KeyboardInterrupt
        log.write_text(text)

    monkeypatch.setattr("finlake.commands.stack.time.sleep", sleep)
    assert main(["logs", "kafka", "-f"]) == 130
    assert capsys.readouterr().out == "one\ntwo\ncut\n"


@pytest.mark.parametrize(
    "extras", [["--with", "stream, dashboard"], ["--with", "stream", "--with", "dashboard"]]
)
def test_up_passes_on_what_was_asked_for(extras, home, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(whole, "bring_up", lambda *words, **more: seen.append((words, more)))
    assert main(["up", *extras, "--no-connector"]) == 0
    ((words, more),) = seen
    assert words[1] == ["stream", "dashboard"]
    assert more["connector"] is False
    assert "ready after" in capsys.readouterr().out


def test_up_in_the_foreground_ends_the_stack_with_ctrl_c(home, capsys, monkeypatch):
    ended: list[object] = []
    monkeypatch.setattr(whole, "bring_up", lambda *_, **__: load_settings())
    monkeypatch.setattr(control, "down", ended.append)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("finlake.commands.stack.time.sleep", interrupt)
    assert main(["up", "--foreground"]) == 0
    assert len(ended) == 1


def test_an_unknown_extra_is_wrong_use(home, capsys):
    assert main(["up", "--with", "trains"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────


def test_waiting_ends_when_all_are_healthy_and_tells_of_changes(stack):
    stack(GOOD, Report(**{**BAD.__dict__, "starts": 1}))
    told = []

    def tell(report):
        told.append((report.component, report.state))
        stack(GOOD, Report(**{**BAD.__dict__, "state": "healthy"}))

    control.wait_until_healthy(load_settings(), ["kafka", "connect"], tell)
    assert told[0] == ("kafka", "healthy")
    assert told[-1] == ("connect", "healthy")


def test_waiting_gives_up_on_what_never_comes_up_and_quotes_its_log(stack, home):
    stack(GOOD, BAD)
    Home(home).log("connect").write_text("first\nno such class\n\n")
    with pytest.raises(ComponentMissing) as error:
        control.wait_until_healthy(load_settings(), ["kafka", "connect"])
    assert str(error.value) == (
        "connect: ended by SIGKILL; its last words: no such class; see `finlake logs connect`"
    )


def test_waiting_does_not_give_up_on_what_ran_before(stack):
    later = Report(**{**BAD.__dict__, "ever_healthy": True, "starts": 9})
    stack(later)

    def heal():
        time.sleep(0.3)
        stack(Report(**{**later.__dict__, "state": "healthy"}))

    thread = threading.Thread(target=heal)
    thread.start()
    control.wait_until_healthy(load_settings(), ["connect"])
    thread.join()


def test_waiting_has_an_end(stack):
    stack(Report("kafka", "starting", "a", "b", 5, 1))
    with pytest.raises(ComponentMissing, match="kafka: does not come up"):
        control.wait_until_healthy(load_settings(), ["kafka"], patience_s=0)


def test_waiting_ends_when_the_supervisor_is_gone(home, monkeypatch):
    found = Home(home)
    found.make()
    found.log("supervisor").write_text("ImportError: no such thing\n")
    monkeypatch.setattr(control, "_SUPERVISOR_PATIENCE_S", 0.2)
    with pytest.raises(ComponentMissing, match=r"supervisor: .*ImportError: no such thing"):
        control.wait_until_healthy(load_settings(), ["kafka"])


# ── the doctor ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def cache(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor, "missing_jars", lambda _: [])


def findings():
    return {found.what: found for found in doctor.examine(load_settings())}


def test_the_doctor_says_how_to_get_what_is_missing(cache, monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda _: None)

    def no_java():
        raise ComponentMissing("java is missing; install Java 17")

    def no_library(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(doctor, "java", no_java)
    monkeypatch.setattr("ctypes.CDLL", no_library)
    monkeypatch.setattr(doctor, "missing_jars", lambda _: list(read_lock()))
    assert main(["doctor"]) == 3
    out, err = capsys.readouterr()
    assert "MISSING  java     java is missing; install Java 17" in out
    assert "MISSING  libgomp  models need it; apt-get install libgomp1" in out
    assert "MISSING  mvn      needed to fetch jars; apt-get install maven" in out
    assert err == "finlake doctor: java, libgomp, mvn missing; the lines above say what to do\n"


def test_maven_and_make_are_not_needed_for_ever(cache, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    found = findings()
    assert (found["mvn"].state, found["make"].state) == ("note", "note")


def test_the_doctor_looks_at_mysql_and_minio_where_they_are_asked_for(cache, monkeypatch):
    assert not {"mysql", "minio"} & set(findings())
    monkeypatch.setenv("FINLAKE_SOURCE_FLAVOUR", "mysql")
    monkeypatch.setenv("FINLAKE_LAKE", "s3a://warehouse")
    monkeypatch.setattr(doctor, "check_mysql", lambda: "there")
    monkeypatch.setattr(doctor, "check_minio", lambda: "there")
    assert {"mysql", "minio"} <= set(findings())


def test_too_little_memory_or_disk_is_told(cache, monkeypatch):
    class Little:
        total = 4 * 2**30
        available = free = 2**30

    monkeypatch.setattr("psutil.virtual_memory", Little)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Little)
    found = findings()
    assert [found[name].state for name in ("memory", "home", "cache")] == ["missing"] * 3


def test_a_machine_that_mariadb_is_not_built_for_is_told(cache, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert findings()["machine"].state == "missing"
    monkeypatch.setenv("FINLAKE_SOURCE_URL", "mysql://a:b@db/finance")
    assert findings()["machine"].state == "good"


def test_ports_that_are_taken_are_told(cache, monkeypatch):
    monkeypatch.setattr(doctor, "is_free", lambda _: False)
    assert "the next free one is used" in findings()["ports"].text
    monkeypatch.setenv("FINLAKE_PORT_DASHBOARD", "8600")
    found = [f for f in doctor.examine(load_settings()) if f.state == "missing"]
    assert [f.text for f in found] == ["FINLAKE_PORT_DASHBOARD=8600 is taken; set another"]
    monkeypatch.setattr(control, "supervisor_of", lambda _: "somebody")
    assert findings()["ports"].state == "good"
