"""The supervisor: one process that starts a home's components, watches them and restarts them.

Each component has a thread of its own for as long as the supervisor lives; its process is told to
end when that thread does. Run as ``python -m infra.stack.supervisor``; ``infra.stack.control``
starts and stops it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from finlake.errors import FinlakeError
from infra.settings import load_settings
from infra.stack import plan
from infra.stack.component import Component
from infra.stack.home import Home
from infra.stack.process import Identity, spawn, stop_group, write_pid_file

__all__ = ["Backoff", "Report", "Runner", "Supervisor", "cut_log", "serve"]

State = Literal["waiting", "starting", "healthy", "unhealthy", "restarting", "stopped"]
_LOG_BYTES = 10_000_000
_LOGS_KEPT = 2


@dataclass(frozen=True)
class Report:
    """What is known of a component; ``starts`` counts since the supervisor began."""

    component: str
    state: State
    address: str
    version: str
    pid: int | None = None
    starts: int = 0
    ever_healthy: bool = False
    message: str = ""


class Backoff:
    """How long to wait before the next start: longer each time, until it has run well again."""

    def __init__(self, first_s: float = 0.5, longest_s: float = 30, well_s: float = 60) -> None:
        self._first, self._longest, self._well = first_s, longest_s, well_s
        self._next = first_s

    def after(self, ran_s: float) -> float:
        """Seconds to wait after a run of ``ran_s`` seconds."""
        if ran_s >= self._well:
            self._next = self._first
        delay = self._next
        self._next = min(self._next * 2, self._longest)
        return delay


class Runner(threading.Thread):
    """Keeps one component running until it is told to stop."""

    def __init__(
        self,
        component: Component,
        home: Home,
        ready: Callable[[str], bool],
        changed: Callable[[], None],
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(name=component.name)
        self.component = component
        self.report = Report(component.name, "waiting", component.address, component.version)
        self._home = home
        self._ready = ready
        self._changed = changed
        self._backoff = backoff or Backoff()
        self._told = threading.Event()

    def stop(self) -> None:
        """Tell it to stop; ``join`` waits for that."""
        self._told.set()

    def run(self) -> None:
        """Start the component whenever it does not run, until told to stop."""
        try:
            while not all(self._ready(need) for need in self.component.needs):
                if self._told.wait(0.05):
                    return
            while not self._told.is_set():
                began = time.monotonic()
                try:
                    message = self._run_once()
                except (FinlakeError, OSError) as error:
                    message = str(error)
                except Exception as error:  # noqa: BLE001 (a thread that ends takes its process along)
                    traceback.print_exc()
                    message = f"{type(error).__name__}: {error}"
                if self._told.is_set():
                    return
                delay = self._backoff.after(time.monotonic() - began)
                self._say("restarting", pid=None, message=f"{message}; next start in {delay:g} s")
                self._told.wait(delay)
        finally:
            self._say("stopped", pid=None)

    def _run_once(self) -> str:
        """Start it and watch it until it ends or is told to; says how it ended."""
        self._say("starting", starts=self.report.starts + 1, message="")
        self.component.prepare()
        process = spawn(
            self.component.command(),
            self.component.env(),
            self.component.cwd,
            self._home.log(self.name),
        )
        identity = Identity.of(process.pid)
        if identity is not None:
            write_pid_file(self._home.pid_file(self.name), identity)
            self._say("starting", pid=process.pid)
        try:
            self._watch(process)
        finally:
            if identity is not None:
                # reaped in the background: a zombie is gone for everybody but its parent
                stop_group(identity, self.component.patience_s)
            process.wait()
            self._home.pid_file(self.name).unlink(missing_ok=True)
        if process.returncode < 0:
            return f"ended by {signal.Signals(-process.returncode).name}"
        return f"ended with exit code {process.returncode}"

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        asked = 0.0
        while process.poll() is None:
            healthy = self.report.state == "healthy"
            if time.monotonic() - asked > (5 if healthy else 0.2):
                if self.component.is_healthy():
                    if not healthy:
                        self._say("healthy", ever_healthy=True, message="")
                elif healthy:
                    self._say("unhealthy", message="does not answer")
                asked = time.monotonic()
            if self._told.wait(0.1):
                return

    def _say(self, state: State, **more: object) -> None:
        before = self.report
        self.report = Report(**{**asdict(before), "state": state, **more})
        if (before.state, before.message) != (state, self.report.message):
            now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
            pid = f" pid {self.report.pid}" if self.report.pid else ""
            note = f": {self.report.message}" if self.report.message else ""
            sys.stdout.write(f"{now} {self.name} {state}{pid}{note}\n")
            sys.stdout.flush()
        self._changed()


class Supervisor:
    """All components of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._runners: dict[str, Runner] = {}
        self._writing = threading.Lock()

    def start(self, components: Mapping[str, Component]) -> None:
        """Start those of these that do not run yet."""
        for name, component in components.items():
            if name not in self._runners:
                runner = Runner(component, self._home, self._is_ready, self.write_state)
                self._runners[name] = runner
        self.write_state()
        for runner in self._runners.values():
            if runner.ident is None:
                runner.start()

    def stop(self) -> None:
        """Stop all, those first that need others."""
        self._stop(dict(self._runners))

    def keep(self, names: Iterable[str]) -> None:
        """Stop and forget those that are not among these."""
        kept = set(names)
        gone = {name: runner for name, runner in self._runners.items() if name not in kept}
        self._stop(dict(gone))
        for name in gone:
            del self._runners[name]
        self.write_state()

    def _stop(self, left: dict[str, Runner]) -> None:
        while left:
            needed = {need for runner in left.values() for need in runner.component.needs}
            free = [name for name in left if name not in needed]
            for name in free:
                left[name].stop()
            for name in free:
                left.pop(name).join()

    def _is_ready(self, need: str) -> bool:
        """Whether it is healthy, or does not run here."""
        runner = self._runners.get(need)
        return runner is None or runner.report.state == "healthy"

    def reports(self) -> list[Report]:
        """What is known of each component, in the order of their start."""
        return [runner.report for runner in self._runners.values()]

    def write_state(self) -> None:
        """Leave the reports where ``finlake status`` reads them."""
        with self._writing:
            self._home.write_json(self._home.state_file, [asdict(r) for r in self.reports()])

    def cut_logs(self) -> None:
        """Keep the components' logs from growing without end."""
        for name in [*self._runners, "supervisor"]:
            cut_log(self._home.log(name))


def cut_log(path: Path, most_bytes: int = _LOG_BYTES, kept: int = _LOGS_KEPT) -> None:
    """Move a log that is too large aside and empty it; its writer appends, so nothing breaks.

    Lines written between the copy and the cut are lost.
    """
    if not path.exists() or path.stat().st_size < most_bytes:
        return
    for number in range(kept, 1, -1):
        older = path.with_suffix(f".log.{number - 1}")
        if older.exists():
            older.replace(path.with_suffix(f".log.{number}"))
    shutil.copyfile(path, path.with_suffix(".log.1"))
    os.truncate(path, 0)


def serve(home: Home) -> int:
    """Run the components of a home until a signal comes; SIGHUP reads anew which are wanted."""
    lock = home.supervisor_lock.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f"another supervisor runs for {home.root}\n")
        return 1
    told, reload = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    signal.signal(signal.SIGHUP, lambda *_: reload.set())
    identity = Identity.of(os.getpid())
    assert identity is not None  # noqa: S101 (this very process)
    write_pid_file(home.pid_file("supervisor"), identity)
    supervisor = Supervisor(home)
    try:
        supervisor.start(_wanted(home))
        while not told.wait(0.2):
            if reload.is_set():
                reload.clear()
                _change(supervisor, home)
            supervisor.cut_logs()
    finally:
        supervisor.stop()
        home.pid_file("supervisor").unlink(missing_ok=True)
    return 0


def _change(supervisor: Supervisor, home: Home) -> None:
    """A setting that became wrong is no reason to stop what runs."""
    try:
        wanted = _wanted(home)
        supervisor.keep(wanted)
        supervisor.start(wanted)
    except (FinlakeError, OSError, ValueError) as error:
        sys.stdout.write(f"nothing more is started: {error}\n")
        sys.stdout.flush()


def _wanted(home: Home) -> dict[str, Component]:
    ports = json.loads(home.ports_file.read_text(encoding="utf-8"))
    names = json.loads(home.wanted_file.read_text(encoding="utf-8"))
    return plan.build(load_settings(home=home.root), names, ports)


if __name__ == "__main__":
    sys.exit(serve(Home(Path(sys.argv[1]))))
