"""Memory and processor time of every process of the stack, while something is measured."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psutil

from batch_jobs.bench.figures import Figure, Figures
from infra.settings import Settings
from infra.stack.control import status

__all__ = ["Watch", "stack_pids", "thread_seconds"]

_EVERY_S = 0.5


def stack_pids(settings: Settings) -> dict[str, int]:
    """The stack's components that run, and their processes."""
    return {one.component: one.pid for one in status(settings) if one.pid is not None}


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
