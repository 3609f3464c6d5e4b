"""Memory of the stack's processes while something is measured."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

from batch_jobs.bench.figures import Figure
from infra.settings import Settings
from infra.stack.control import status

__all__ = ["MemoryWatch"]

_EVERY_S = 1.0


class MemoryWatch:
    """Looks once a second at each component's resident memory, children included.

    ``with MemoryWatch(settings) as watch: ...``, then ``watch.figures``.
    """

    def __init__(self, settings: Settings) -> None:
        self._roots = {r.component: r.pid for r in status(settings) if r.pid is not None}
        self._peak: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def figures(self, bench: str, params: dict[str, object]) -> list[Figure]:
        """Peak memory of each component, and of all at one moment."""
        return [
            Figure(bench, f"memory_peak_{name}", round(size / 2**20), "MiB", params)
            for name, size in sorted(self._peak.items())
        ]

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            now = {name: _resident(pid) for name, pid in self._roots.items()}
            now["all"] = sum(now.values())
            for name, size in now.items():
                self._peak[name] = max(size, self._peak.get(name, 0))


def _resident(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        return total
    return total
