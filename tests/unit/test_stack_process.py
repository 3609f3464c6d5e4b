"""Processes: known again after a crash, never mistaken for another, and all of them ended."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from infra.stack.process import Identity, read_pid_file, spawn, stop_group, write_pid_file

PROJECT = Path(__file__).parents[2]


@contextmanager
def child(tmp_path, code, **env):
    """A process of ours; reaped and ended whatever happens."""
    log = tmp_path / "child.log"
    process = spawn([sys.executable, "-c", textwrap.dedent(code)], env, tmp_path, log)
    try:
        identity = Identity.of(process.pid)
        assert identity is not None
        yield process, identity, log
    finally:
        process.kill()
        process.wait()


def wait_for(what, patience_s=60):
    deadline = time.monotonic() + patience_s
    while not (answer := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


SLEEP = "import time; print('up', flush=True); time.sleep(600)"


def test_output_goes_to_the_log_and_there_is_nothing_to_read(tmp_path):
    code = "import sys; print('out'); print('err', file=sys.stderr); print(repr(sys.stdin.read()))"
    with child(tmp_path, code, PYTHONUNBUFFERED="1") as (process, _, log):
        assert process.wait() == 0
    assert sorted(log.read_text().split()) == ["''", "err", "out"]


def test_the_log_can_be_cut_while_it_is_written(tmp_path):
    code = "import sys; print('a' * 5000, flush=True); sys.stdin.read(); input_done = True\n"
    code += "import time\nwhile True: print('b', flush=True); time.sleep(0.01)"
    with child(tmp_path, code) as (_, _, log):
        wait_for(lambda: log.stat().st_size > 5000)
        os.truncate(log, 0)
        wait_for(lambda: log.stat().st_size > 0)
        assert log.read_bytes()[:1] == b"b"  # no hole of zeros before it


def test_a_process_is_alive_until_it_ends(tmp_path):
    with child(tmp_path, SLEEP) as (process, identity, _):
        assert identity.is_alive
        process.kill()
        wait_for(lambda: not identity.is_alive)  # a zombie, as nobody has waited for it yet
        assert process.wait() == -signal.SIGKILL


def test_another_process_with_its_pid_is_not_it(tmp_path):
    with child(tmp_path, SLEEP) as (process, identity, _):
        before = replace(identity, start=identity.start - 1)
        assert not before.is_alive
        stop_group(before, 0)
        stop_group(replace(identity, boot="another boot"), 0)
        assert process.poll() is None


def test_the_pid_file_gives_back_what_was_written(tmp_path):
    identity = Identity(1, 2, "boot")
    write_pid_file(tmp_path / "a.pid", identity)
    assert read_pid_file(tmp_path / "a.pid") == identity
    assert [path.name for path in tmp_path.iterdir()] == ["a.pid"]


@pytest.mark.parametrize("text", ["", "12", "{}", '{"pid": 1}'])
def test_a_spoilt_pid_file_names_nobody(tmp_path, text):
    (tmp_path / "a.pid").write_text(text)
    assert read_pid_file(tmp_path / "a.pid") is None
    assert read_pid_file(tmp_path / "b.pid") is None


def test_children_and_children_that_will_not_end_are_ended(tmp_path):
    code = """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("up", flush=True)
        time.sleep(600)
    """
    with child(tmp_path, code) as (process, identity, log):
        wait_for(log.read_text)
        session = [pid for pid in psutil.pids() if sid(pid) == process.pid]
        assert len(session) == 2
        stop_group(identity, 0.2)
        assert process.wait() == -signal.SIGKILL
        wait_for(lambda: not any(Identity.of(pid) for pid in session))


def sid(pid):
    try:
        return os.getsid(pid)
    except OSError:
        return None


def test_the_leader_is_told_first_and_may_use_its_children_to_end_well(tmp_path):
    """A driver that is told to stop still needs its virtual machine."""
    code = """
        import signal, subprocess, sys, time
        helper = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.PIPE
        )
        def stop(*_):
            time.sleep(0.3)
            print("helper", "lives" if helper.poll() is None else "is gone", flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("up", flush=True)
        time.sleep(600)
    """
    with child(tmp_path, code) as (process, identity, log):
        wait_for(log.read_text)
        stop_group(identity, 30)
        assert process.wait() == 0
        assert log.read_text().splitlines() == ["up", "helper lives"]


def test_children_die_with_a_parent_that_is_killed(tmp_path):
    code = f"""
        import sys, time
        from pathlib import Path
        from infra.stack.process import spawn
        child = spawn([sys.executable, "-c", {SLEEP!r}], {{}}, Path("."), Path("child.log"))
        print(child.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        identity = Identity.of(int(parent.stdout.readline()))
        assert identity is not None
        wait_for((tmp_path / "child.log").read_text)
        parent.kill()
    wait_for(lambda: not identity.is_alive)
