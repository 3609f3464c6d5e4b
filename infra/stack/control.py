"""Start, stop and look at a home's stack, from any other program."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.environment import environment
from infra.settings import Settings
from infra.stack import plan
from infra.stack.certificates import make_certificates
from infra.stack.component import Component
from infra.stack.home import Home
from infra.stack.ports import choose_ports
from infra.stack.process import Identity, read_pid_file, stop_group
from infra.stack.progress import Progress, quiet
from infra.stack.prometheus import Prometheus
from infra.stack.supervisor import Report

__all__ = [
    "down",
    "launch",
    "prepare",
    "status",
    "stop",
    "supervisor_of",
    "tail",
    "wait_until_healthy",
]

_STARTS_BEFORE_GIVING_UP = 3
_PATIENCE_S = 300
_SUPERVISOR_PATIENCE_S = 30
_DOWN_PATIENCE_S = 150  # more than the components' own together


def supervisor_of(settings: Settings) -> Identity | None:
    """The living supervisor of this home."""
    found = read_pid_file(Home(settings.home).pid_file("supervisor"))
    return found if found is not None and found.is_alive else None


def prepare(
    settings: Settings, extras: Iterable[str] = (), progress: Progress = quiet
) -> dict[str, Component]:
    """Choose components and ports, fetch what is missing and write ``stack.env``.

    What ran already stays wanted. Starts nothing.

    Raises:
        UsageProblem: a setting is wrong, for example a port that is taken.
        ComponentMissing: something cannot be fetched.
    """
    home = Home(settings.home)
    home.make()
    running = status(settings) if supervisor_of(settings) else []
    if running:
        _same_as_running(home, settings)
    else:
        _sweep_unless_starting(settings)  # before it is seen which ports are free
    names = plan.wanted(settings, extras)
    names += [report.component for report in running if report.component not in names]
    given = plan.given(settings)
    kinds = [plan.kind(settings, name) for name in names]
    wishes = [wish for kind in kinds for wish in kind.wishes(settings, given)]
    running_kinds = [plan.kind(settings, report.component) for report in running]
    ours = [wish.name for kind in running_kinds for wish in kind.wishes(settings, given)]
    ports = choose_ports(wishes, home.ports_file, ours)
    components = plan.build(settings, names, ports)
    for component in components.values():
        component.fetch(progress)
    if settings.stack_tls:
        make_certificates(settings.home)
    if isinstance(watcher := components.get("prometheus"), Prometheus):
        watcher.aim(components.values())
    exports = {"FINLAKE_LAKE": settings.lake}
    if settings.stack_tls:
        exports["FINLAKE_STACK_TLS"] = "true"
    for component in components.values():
        exports |= component.exports()
    home.write_stack_env(exports)
    home.write_json(home.wanted_file, names)
    return components


def _same_as_running(home: Home, settings: Settings) -> None:
    """What cannot change under a running stack."""
    lines = home.stack_env.read_text(encoding="utf-8").splitlines()
    if f"FINLAKE_LAKE={settings.lake}" not in lines:
        raise UsageProblem(
            f"setting FINLAKE_LAKE: the stack that runs in {home.root} has another lake than"
            f" {settings.lake}; run `finlake down` first"
        )
    if ("FINLAKE_STACK_TLS=true" in lines) != settings.stack_tls:
        raise UsageProblem(
            f"setting FINLAKE_STACK_TLS: the stack that runs in {home.root} is not as it says;"
            " run `finlake down` first"
        )


def launch(settings: Settings) -> None:
    """Start the supervisor in the background, or tell the running one what is wanted now."""
    home = Home(settings.home)
    running = supervisor_of(settings)
    if running is not None:
        os.kill(running.pid, signal.SIGHUP)
        return
    _sweep_unless_starting(settings)
    with home.log("supervisor").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "infra.stack.supervisor", str(home.root)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # It outlives this program; should it not, nobody is to see it as a zombie.
    threading.Thread(target=supervisor.wait, daemon=True).start()


def _sweep_unless_starting(settings: Settings) -> None:
    """Clean up after a supervisor that was killed, not under one that another `up` just started."""
    with Home(settings.home).supervisor_lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        sweep(settings)
        # what the last supervisor knew must not be taken for what the next one says
        Home(settings.home).state_file.unlink(missing_ok=True)


def wait_until_healthy(
    settings: Settings,
    names: Iterable[str],
    tell: Callable[[Report], None] = lambda _: None,
    patience_s: float = _PATIENCE_S,
) -> None:
    """Return when all of these are healthy; ``tell`` hears of every change of theirs.

    Raises:
        ComponentMissing: one of them does not come up, with the last line of its log.
    """
    deadline = time.monotonic() + patience_s
    last_seen = time.monotonic()
    told: dict[str, str] = {}
    wanted = set(names)
    while True:
        reports = {report.component: report for report in status(settings)}
        for name, report in reports.items():
            if name in wanted and told.get(name) != report.state:
                tell(report)
                told[name] = report.state
        missing = [
            name for name in wanted if name not in reports or reports[name].state != "healthy"
        ]
        if not missing:
            return
        if supervisor_of(settings) is not None:
            last_seen = time.monotonic()
        elif time.monotonic() - last_seen > _SUPERVISOR_PATIENCE_S:
            raise ComponentMissing(_why(settings, "supervisor", None))
        late = time.monotonic() > deadline
        for name in sorted(missing):
            if late or _is_hopeless(reports.get(name)):
                raise ComponentMissing(_why(settings, name, reports.get(name)))
        time.sleep(0.1)


def _is_hopeless(report: Report | None) -> bool:
    return (
        report is not None
        and report.state == "restarting"
        and not report.ever_healthy
        and report.starts >= _STARTS_BEFORE_GIVING_UP
    )


def _why(settings: Settings, name: str, report: Report | None) -> str:
    said = report.message if report and report.message else "does not come up"
    last = tail(Home(settings.home).log(name), 1)
    log = f"; its last words: {last[0][:200]}" if last else ""
    return f"{name}: {said}{log}; see `finlake logs {name}`"


def down(settings: Settings) -> bool:
    """Stop everything of this home; False when nothing ran."""
    running = supervisor_of(settings)
    if running is not None:
        stop_group(running, _DOWN_PATIENCE_S)
    return sweep(settings) or running is not None


def stop(settings: Settings, names: Iterable[str]) -> list[str]:
    """Stop these components cleanly, and no others; those of them that ran.

    They stay stopped until they are asked for again.

    Raises:
        UsageProblem: a name that is no component's.
        FinlakeError: one does not end.
    """
    names = list(names)
    known = plan.known()
    for name in names:
        if name not in known:
            raise UsageProblem(f"{name}: unknown; it can be {', '.join(known)}")
    running = supervisor_of(settings)
    if running is None:
        return []
    home = Home(settings.home)
    wanted = json.loads(home.wanted_file.read_text(encoding="utf-8"))
    there = [name for name in names if name in wanted]
    if not there:
        return []
    home.write_json(home.wanted_file, [name for name in wanted if name not in there])
    os.kill(running.pid, signal.SIGHUP)
    deadline = time.monotonic() + _DOWN_PATIENCE_S
    while left := [one.component for one in status(settings) if one.component in there]:
        if time.monotonic() > deadline:
            raise FinlakeError(f"{left[0]} does not end; see `finlake logs {left[0]}`")
        time.sleep(0.1)
    return there


def sweep(settings: Settings) -> bool:
    """Stop what a supervisor that was killed has left behind; False when there was nothing."""
    home = Home(settings.home)
    found = False
    for path in sorted(home.run.glob("*.pid")):
        identity = read_pid_file(path)
        if identity is not None:
            found = found or identity.is_alive
            stop_group(identity, 30)
        path.unlink(missing_ok=True)
    return found


def status(settings: Settings) -> list[Report]:
    """What is known of each component of this home, in the order of their start."""
    home = Home(settings.home)
    try:
        found = [Report(**item) for item in json.loads(home.state_file.read_text("utf-8"))]
    except (FileNotFoundError, ValueError, TypeError):
        return []
    if supervisor_of(settings) is not None:
        return found
    return [replace(report, state="stopped", pid=None, message="") for report in found]


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log that are not empty."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 200 * 1024))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:] if lines else []
