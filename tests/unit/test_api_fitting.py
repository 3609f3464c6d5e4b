"""Forecasts are fitted beside the worker: the same numbers, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest

from api.services.fitting import Fitting
from finlake.errors import ComponentMissing
from models.forecasting.fitted import Task, fit

SEASONS = tuple(100 + 20 * np.sin(np.arange(30) / 2 + n) for n in range(3))
TASK = Task("holt_winters", "month", 12, 3, (3, 0), SEASONS)


@pytest.fixture
def fitting() -> Iterator[Fitting]:
    found = Fitting(idle_s=600)
    yield found
    found.stop()


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [one for one in found if "spawn_main" in " ".join(one.cmdline())]


def test_what_another_process_fits_is_what_this_one_would(fitting):
    assert list(fitting.each(fit, [])) == []
    assert not fitting.running, "nothing to fit starts nothing"
    found = list(fitting.each(fit, [TASK, TASK]))
    assert np.array_equal(found[0], fit(TASK))
    assert np.array_equal(found[0], found[1])
    (helper,) = children()
    list(fitting.each(fit, [TASK]))
    assert children() == [helper], "it stays for the next question"
    fitting.stop()
    assert not fitting.running
    psutil.wait_procs([helper], timeout=60)
    assert not helper.is_running()


def test_it_ends_when_nobody_needs_it_and_comes_again():
    fitting = Fitting(idle_s=0)
    assert next(iter(fitting.each(_pid, [TASK]))) != os.getpid()
    for one in children():
        one.wait(60)
    assert not fitting.running
    assert list(fitting.each(_pid, [TASK]))
    fitting.stop()


def test_a_process_that_is_killed_is_told_and_another_one_answers(fitting):
    (pid,) = fitting.each(_pid, [TASK])
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [])
    # What was asked before the pool has seen it ends in the same way as what comes after.
    with pytest.raises(ComponentMissing, match="ask again"):
        _asked_until_told(fitting)
    assert next(iter(fitting.each(_pid, [TASK]))) != pid


def _asked_until_told(fitting: Fitting) -> None:
    """The pool sees the end of its process by a thread of its own."""
    while fitting.running:
        list(fitting.each(_pid, [TASK]))


def test_it_ends_with_a_worker_that_was_killed():
    code = """
    import time
    from api.services.fitting import Fitting
    from tests.unit.test_api_fitting import TASK, _pid
    if __name__ == "__main__":
        print(*Fitting().each(_pid, [TASK]), flush=True)
        time.sleep(600)
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        helper = psutil.Process(int(worker.stdout.readline()))
        worker.kill()
    helper.wait(60)


def test_several_may_ask_at_once(fitting):
    found: list[int] = []
    asked = [
        threading.Thread(target=lambda: found.extend(fitting.each(_pid, [TASK]))) for _ in range(4)
    ]
    for one in asked:
        one.start()
    for one in asked:
        one.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def _pid(_: Task) -> Any:
    return os.getpid()
