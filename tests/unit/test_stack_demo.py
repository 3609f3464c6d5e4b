"""The demo and `up` as a whole: what follows what, and that all ends, however it ends."""

import os
import signal
import threading
from typing import Any

import click
import pyarrow as pa
import pytest

import connectors
from finlake.cli import main
from finlake.commands import demo as command
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import load_settings
from infra.stack import bring_up as whole
from infra.stack import control


@pytest.fixture
def steps(home, monkeypatch):
    """Everything that the demo sets in motion, replaced by a note of it."""
    seen: list[object] = []

    def bring_up(settings, extras, **_):
        seen.append(("up", settings.lake, extras))
        return settings

    def traffic(_settings, *, rate, stop, **_):
        seen.append(("traffic", rate))
        assert stop.wait(60)
        seen.append("traffic stopped")

    @click.command()
    @click.option("--transactions", type=int)
    def generate(transactions):
        seen.append(("generate", transactions))

    @click.command()
    @click.argument("folder")
    def load(folder):
        seen.append(("load", str(folder)))

    monkeypatch.setattr(whole, "bring_up", bring_up)
    monkeypatch.setattr(control, "down", lambda _: seen.append("down"))
    monkeypatch.setattr("batch_jobs.traffic.run", traffic)
    monkeypatch.setattr(command, "generate", generate)
    monkeypatch.setattr(command, "load", load)
    monkeypatch.setattr("infra.database.schema.connect", lambda _: Source([]))
    monkeypatch.setattr("infra.lake.query.Query", lambda _: Gold())
    monkeypatch.setattr(command, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setenv("FINLAKE_LAKE", "")
    return seen


class Source:
    """A source database whose transactions are ``rows``."""

    def __init__(self, rows):
        self.rows = rows

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def cursor(self):
        return self

    def execute(self, _sql):
        return len(self.rows)


class Gold:
    """Gold tables that hold nothing at the first look, then five rows and a freshness."""

    looks = 0

    def query(self, sql, params=()):
        if "pipeline_freshness" in sql:
            return pa.table({"events": [30], "p50": [1500.0], "p95": [2500.0]})
        self.looks += 1
        return pa.table({"count": [5 if self.looks > 1 else 0]})


def test_the_order_of_things(steps, home, capsys):
    assert main(["demo", "--seconds", "0.2", "--rate", "7", "--transactions", "99"]) == 0
    assert steps == [
        ("up", f"file:{home / 'lake'}", ["stream", "dashboard"]),
        ("generate", 99),
        ("traffic", 7),
        "traffic stopped",
        "down",
    ]
    out = capsys.readouterr().out
    assert "first gold rows after" in out
    assert "5 transactions in gold        2 changes/s  commit to gold p50 1.50 s, p95 2.50 s" in out


def test_a_source_that_has_data_is_not_filled_again(steps, monkeypatch):
    monkeypatch.setattr("infra.database.schema.connect", lambda _: Source(["a row"]))
    assert main(["demo", "--seconds", "0.1", "--rate", "0"]) == 0
    assert [step if isinstance(step, str) else step[0] for step in steps] == ["up", "down"]


def test_files_are_loaded_instead(steps, tmp_path):
    assert main(["demo", "--seconds", "0.1", "--rate", "0", "--data", str(tmp_path)]) == 0
    assert steps[1:] == [("load", str(tmp_path)), "down"]


@pytest.mark.parametrize(
    ("lake", "url"), [("minio", "s3a://warehouse"), ("folder", "file:{home}/lake")]
)
def test_the_lake_is_told_to_every_process(steps, home, lake, url):
    assert main(["demo", "--lake", lake, "--seconds", "0.1", "--rate", "0"]) == 0
    assert steps[0][1] == url.format(home=home)
    assert os.environ["FINLAKE_LAKE"] == url.format(home=home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(steps, number):
    threading.Timer(0.5, os.kill, (os.getpid(), number)).start()
    assert main(["demo"]) == 0
    assert steps[-2:] == ["traffic stopped", "down"]


def test_traffic_that_fails_ends_it_with_the_reason(steps, monkeypatch, capsys):
    def fail(*_, **__):
        raise ComponentMissing("the source is gone")

    monkeypatch.setattr("batch_jobs.traffic.run", fail)
    assert main(["demo"]) == 3
    assert capsys.readouterr().err == "finlake demo: the source is gone\n"
    assert steps[-1] == "down"


def test_no_change_is_told_as_such():
    class Idle(Gold):
        def query(self, sql, params=()):
            if "pipeline_freshness" in sql:
                return pa.table({name: pa.nulls(1) for name in ("a", "b", "c")})
            return super().query(sql)

    idle: Any = Idle()
    assert command._freshness(idle).endswith("no change in the last 15 s")


# ── bring_up ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def parts(home, monkeypatch):
    seen: list[object] = []

    def prepare(_settings, extras, _progress):
        seen.append(("prepare", list(extras)))
        return ["core", *extras]

    def wait(_settings, names, _tell, _patience_s):
        seen.append(("wait", list(names)))

    monkeypatch.setattr(control, "supervisor_of", lambda _: None)
    monkeypatch.setattr(control, "prepare", prepare)
    monkeypatch.setattr(control, "launch", lambda _: seen.append("launch"))
    monkeypatch.setattr(control, "wait_until_healthy", wait)
    monkeypatch.setattr(control, "down", lambda _: seen.append("down"))
    monkeypatch.setattr(whole, "apply_schema", lambda _: seen.append("schema"))
    monkeypatch.setattr(whole, "make_bucket", lambda _: seen.append("bucket"))
    monkeypatch.setattr(connectors, "apply", lambda _: seen.append("connector"))
    return seen


CORE = [("prepare", []), "launch", ("wait", ["core"])]


def test_programs_start_after_the_connector(parts):
    whole.bring_up(load_settings(), ["stream"])
    programs = ["stream", "alerts"]
    more = [("prepare", programs), "launch", ("wait", programs)]
    assert parts == [*CORE, "schema", "connector", *more]


def test_the_connector_can_be_left_alone(parts):
    whole.bring_up(load_settings(), connector=False)
    assert parts == [*CORE, "schema"]


def test_a_bucket_is_made_before_anything_writes(parts, monkeypatch):
    monkeypatch.setenv("FINLAKE_LAKE", "s3a://warehouse")
    whole.bring_up(load_settings())
    assert parts == [*CORE, "bucket", "schema", "connector"]


def test_what_does_not_come_up_is_stopped_again(parts, monkeypatch):
    def fail(*_):
        raise ComponentMissing("kafka: ended")

    monkeypatch.setattr(control, "wait_until_healthy", fail)
    with pytest.raises(ComponentMissing, match="kafka: ended"):
        whole.bring_up(load_settings())
    assert parts[-1] == "down"


def test_what_ran_before_goes_on(parts, monkeypatch):
    def fail(*_):
        raise ComponentMissing("stream: ended")

    monkeypatch.setattr(control, "supervisor_of", lambda _: "somebody")
    monkeypatch.setattr(control, "wait_until_healthy", fail)
    with pytest.raises(ComponentMissing):
        whole.bring_up(load_settings(), ["stream"])
    assert "down" not in parts


def test_a_refused_connector_leaves_the_stack_to_look_at(parts, monkeypatch):
    def refuse(_):
        raise FinlakeError("the source is not fit")

    monkeypatch.setattr(connectors, "apply", refuse)
    with pytest.raises(FinlakeError, match="not fit"):
        whole.bring_up(load_settings(), ["stream"])
    assert parts == [*CORE, "schema"]
