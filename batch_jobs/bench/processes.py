"""The processes of a measurement: which there have to be, those of its own, and what they cost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psutil

from batch_jobs.bench.figures import Figure, Figures
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.environment import environment
from infra.settings import Settings
from infra.stack.control import status

__all__ = [
    "Watch",
    "end",
    "refuse_stream",
    "stack_figures",
    "stack_pids",
    "stack_versions",
    "start",
    "thread_seconds",
]

_EVERY_S = 0.5
_NOT_RUNNING = {
    "stream": "the stream does not run in this stack; start it with `finlake up --with stream`",
    "score": "the scoring does not run in this stack; start it with `finlake up --with score`",
    "alerts": "the alerts do not run in this stack; start them with `finlake up --with stream`",
}


def stack_versions(settings: Settings) -> dict[str, str]:
    """The stack's components, and their versions."""
    return {one.component: one.version for one in status(settings)}


def stack_figures(settings: Settings, bench: str, params: Mapping[str, float | str]) -> Figures:
    """Figures of a run on the stack; its source and its lake belong to the parameters."""
    where = {"source": settings.source_flavour, "lake": settings.lake.partition(":")[0]}
    return Figures(bench, {**params, **where}, stack_versions(settings))


def stack_pids(settings: Settings, needed: str = "") -> dict[str, int]:
    """The stack's components that run, and their processes.

    Raises:
        ComponentMissing: when the one that is needed does not run.
    """
    pids = {one.component: one.pid for one in status(settings) if one.pid is not None}
    if needed and needed not in pids:
        raise ComponentMissing(_NOT_RUNNING[needed])
    return pids


def refuse_stream(settings: Settings) -> None:
    """Make sure that the stack's stream does not run.

    Raises:
        UsageProblem: when it does.
    """
    if "stream" in stack_pids(settings):
        raise UsageProblem("the stream runs; `finlake down`, then `finlake up` without it")


def start(
    settings: Settings, module: str, *words: str, stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start a module of this project with these words, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(
            FINLAKE_HOME=str(settings.home), FINLAKE_SPARK_MASTER=settings.spark_master
        ),
    )


def end(process: subprocess.Popen[str], name: str) -> str:
    """Wait for the end of a process; what it printed.

    Raises:
        FinlakeError: when it failed; with its name and its last words.
    """
    printed, said = process.communicate()
    if process.returncode:
        last = said.strip().splitlines()[-1:] or ["it said nothing"]
        raise FinlakeError(f"{name} failed: {last[0][:300]}")
    return printed


def thread_seconds(pid: int) -> dict[tuple[int, int], float]:
    """Processor seconds of each thread (process, thread) of a process and its children."""
    found: dict[tuple[int, int], float] = {}
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            for thread in process.threads():
                found[process.pid, thread.id] = thread.user_time + thread.system_time
    except psutil.Error:  # it ended while it was looked at
        pass
    return found


@dataclass
class _Use:
    peak: int = 0  # bytes
    cpu: dict[int, float] = field(default_factory=dict)  # seconds by process
    written: dict[int, int] = field(default_factory=dict)  # bytes by process


class Watch:
    """Samples processes, with their children, between ``with`` and its end.

    Args:
        pids: name of a component to its process.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._roots: dict[str, psutil.Process] = {}
        for name, pid in pids.items():
            try:
                self._roots[name] = psutil.Process(pid)
            except psutil.NoSuchProcess:
                continue
        self._use: dict[str, _Use] = defaultdict(_Use)
        self._start: dict[str, tuple[float, int]] = {}
        self._peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._sample()
        for name, use in self._use.items():
            self._start[name] = (sum(use.cpu.values()), sum(use.written.values()))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._sample()

    def figures(self, figures: Figures) -> Iterator[Figure]:
        """Peak memory and processor time of each component, and of all together."""
        seconds = 0.0
        for name, use in sorted(self._use.items()):
            cpu, _ = self.spent(name)
            seconds += cpu
            yield figures.of(f"peak_rss.{name}", use.peak / 2**20, "MiB")
            yield figures.of(f"cpu.{name}", cpu, "s")
        yield figures.of("peak_rss.total", self._peak / 2**20, "MiB")
        yield figures.of("cpu.total", seconds, "s")

    def spent(self, name: str) -> tuple[float, int]:
        """Processor seconds and bytes written to disk by a component since the start."""
        use = self._use[name]
        cpu, written = self._start.get(name, (0.0, 0))
        return sum(use.cpu.values()) - cpu, sum(use.written.values()) - written

    def peak(self, name: str) -> int:
        """Most memory of a component at one moment, in bytes."""
        return self._use[name].peak

    def _run(self) -> None:
        while not self._done.wait(_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        total = 0
        for name, root in self._roots.items():
            use, memory = self._use[name], 0
            try:
                family = [root, *root.children(recursive=True)]
            except psutil.Error:
                continue
            for process in family:
                try:
                    with process.oneshot():
                        memory += process.memory_info().rss
                        times = process.cpu_times()
                        use.cpu[process.pid] = times.user + times.system
                        use.written[process.pid] = process.io_counters().write_bytes
                except psutil.Error:  # it ended while it was looked at
                    continue
            use.peak = max(use.peak, memory)
            total += memory
        self._peak = max(self._peak, total)
