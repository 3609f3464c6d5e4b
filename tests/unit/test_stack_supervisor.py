"""The supervisor: order, restart with growing pauses, what it tells, and its logs."""

import json
import os
import signal
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlake.errors import FinlakeError
from infra.settings import Settings
from infra.stack.component import Component
from infra.stack.home import Home
from infra.stack.process import Identity, read_pid_file
from infra.stack.supervisor import Backoff, Runner, Supervisor, cut_log


class Toy(Component):
    """Runs a line of Python; healthy when a file of its name is there."""

    folder = "toy"
    patience_s = 20

    def __init__(self, settings, name, code, needs=()):
        self.name = name
        self.needs = needs
        self.code = code
        self.problem = None
        super().__init__(settings, {})

    version = "1"
    address = "nowhere"

    def prepare(self):
        super().prepare()
        if self.problem:
            raise self.problem

    def command(self):
        return [sys.executable, "-c", self.code]

    def is_healthy(self):
        return (self.settings.home / self.name).exists()


SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


@pytest.fixture
def home(settings):
    found = Home(settings.home)
    found.make()
    return found


@pytest.fixture
def supervisor(home):
    found = Supervisor(home)
    yield found
    found.stop()


def wait_for(what, patience_s=60):
    deadline = time.monotonic() + patience_s
    while not (answer := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


def report(supervisor, name):
    return next(found for found in supervisor.reports() if found.component == name)


@given(runs=st.lists(st.floats(0, 59), max_size=20))
def test_pauses_double_up_to_the_longest(runs):
    backoff = Backoff(1, 10, 60)
    pauses = [backoff.after(run) for run in runs]
    assert pauses == [min(2.0**n, 10) for n in range(len(runs))]


@given(crashes=st.integers(0, 10), well=st.floats(60, 1e6))
def test_a_good_run_makes_the_next_pause_short_again(crashes, well):
    backoff = Backoff(1, 10, 60)
    for _ in range(crashes):
        backoff.after(0)
    assert backoff.after(well) == 1
    assert backoff.after(0) == 2


def test_what_needs_another_waits_until_that_is_healthy(settings, supervisor, home):
    toys = [Toy(settings, "b", SLEEP, needs=("a", "not here")), Toy(settings, "a", SLEEP)]
    supervisor.start({toy.name: toy for toy in toys})
    wait_for(lambda: report(supervisor, "a").pid)
    time.sleep(0.3)
    assert report(supervisor, "b").state == "waiting"
    (settings.home / "a").touch()
    wait_for(lambda: report(supervisor, "b").pid)
    (settings.home / "b").touch()
    wait_for(lambda: report(supervisor, "b").state == "healthy")
    wait_for(
        lambda: (
            [(row["component"], row["state"]) for row in json.loads(home.state_file.read_text())]
            == [("b", "healthy"), ("a", "healthy")]
        )
    )


def test_what_is_needed_stops_last(settings, home):
    supervisor = Supervisor(home)

    class Watched(Toy):
        def env(self):
            return {"NAME": self.name}

    code = (
        "import os, signal, sys, time\n"
        "def stop(*_):\n"
        "    open(os.environ['LIST'], 'a').write(os.environ['NAME'] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "open(os.environ['NAME'] + '-ready', 'w').close()\n"
        "time.sleep(600)\n"
    )
    listed = settings.home / "list"
    os.environ["LIST"] = str(listed)
    toys = [Watched(settings, "a", code), Watched(settings, "b", code, ("a",))]
    toys.append(Watched(settings, "c", code, ("b",)))
    for toy in toys:
        (settings.home / toy.name).touch()
    supervisor.start({toy.name: toy for toy in toys})
    wait_for(lambda: all((toys[0].data / f"{toy.name}-ready").exists() for toy in toys))
    supervisor.stop()
    del os.environ["LIST"]
    stopped = listed.read_text().split()
    assert stopped == ["c", "b", "a"]
    assert {found.state for found in supervisor.reports()} == {"stopped"}
    assert not list(home.run.glob("*.pid"))


def test_a_killed_component_is_started_again(settings, supervisor, home):
    supervisor.start({"a": Toy(settings, "a", SLEEP)})
    (settings.home / "a").touch()
    wait_for(lambda: report(supervisor, "a").state == "healthy")
    first = read_pid_file(home.pid_file("a"))
    assert first is not None
    assert first.pid == report(supervisor, "a").pid
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: report(supervisor, "a").state != "healthy")
    again = wait_for(
        lambda: report(supervisor, "a").state == "healthy" and report(supervisor, "a").pid
    )
    assert again != first.pid
    assert report(supervisor, "a").starts == 2


def test_one_that_ends_at_once_is_tried_again_and_again(settings, home, capsys):
    toy = Toy(settings, "a", "import sys; sys.exit(7)")
    runner = Runner(toy, home, lambda _: True, lambda: None, Backoff(0.01, 0.02, 60))
    runner.start()
    wait_for(lambda: runner.report.starts > 3)
    runner.stop()
    runner.join()
    assert not runner.report.ever_healthy
    assert "restarting: ended with exit code 7; next start in 0.01 s" in capsys.readouterr().out


def test_what_kept_it_from_starting_is_told(settings, home):
    toy = Toy(settings, "a", SLEEP)
    toy.problem = FinlakeError("the disk is full")
    seen = []
    runner = Runner(toy, home, lambda _: True, lambda: None, Backoff(0.01, 0.02, 60))
    runner._changed = lambda: seen.append(runner.report)
    runner.start()
    wait_for(lambda: any("the disk is full" in found.message for found in seen))
    toy.problem = None
    wait_for(lambda: runner.report.pid)
    runner.stop()
    runner.join()


def test_a_program_that_is_not_there_is_told(settings, home):
    class Lost(Toy):
        def command(self):
            return ["/no/such/program"]

    toy = Lost(settings, "a", SLEEP)
    runner = Runner(toy, home, lambda _: True, lambda: None, Backoff(30, 30, 60))
    runner.start()
    wait_for(lambda: "/no/such/program" in runner.report.message)
    runner.stop()
    runner.join()


def test_more_components_can_be_asked_for_later(settings, supervisor):
    supervisor.start({"a": Toy(settings, "a", SLEEP)})
    first = wait_for(lambda: report(supervisor, "a").pid)
    supervisor.start({"a": Toy(settings, "a", SLEEP), "b": Toy(settings, "b", SLEEP)})
    wait_for(lambda: report(supervisor, "b").pid)
    assert report(supervisor, "a").pid == first


def test_some_can_be_stopped_and_started_again_while_the_others_stay(settings, supervisor):
    toys = {name: Toy(settings, name, SLEEP) for name in "ab"}
    supervisor.start(toys)
    first = wait_for(lambda: report(supervisor, "a").pid)
    gone = wait_for(lambda: report(supervisor, "b").pid)
    supervisor.keep(["a"])
    assert [found.component for found in supervisor.reports()] == ["a"]
    assert Identity.of(gone) is None
    supervisor.start(toys)
    assert wait_for(lambda: report(supervisor, "b").pid) != gone
    assert report(supervisor, "a").pid == first


def test_stopping_waits_for_a_program_that_takes_its_time(settings, home):
    code = (
        "import signal, sys, time\n"
        "def stop(*_):\n    time.sleep(1); open('done', 'w').close(); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop); open('ready', 'w').close(); time.sleep(600)"
    )
    supervisor = Supervisor(home)
    toy = Toy(settings, "a", code)
    supervisor.start({"a": toy})
    wait_for((toy.data / "ready").exists)
    pid = report(supervisor, "a").pid
    supervisor.stop()
    assert (toy.data / "done").exists()
    assert Identity.of(pid) is None


def test_a_log_that_is_too_large_is_set_aside_twice(tmp_path):
    log = tmp_path / "a.log"
    for text in ("one" * 10, "two" * 10, "three" * 10):
        log.write_text(text)
        cut_log(log, most_bytes=20, kept=2)
    assert log.read_text() == ""
    assert (tmp_path / "a.log.1").read_text() == "three" * 10
    assert (tmp_path / "a.log.2").read_text() == "two" * 10
    assert len(list(tmp_path.iterdir())) == 3


def test_a_small_log_and_a_missing_one_are_left_alone(tmp_path):
    log = tmp_path / "a.log"
    cut_log(log, most_bytes=20)
    log.write_text("short")
    cut_log(log, most_bytes=20)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["short"]
