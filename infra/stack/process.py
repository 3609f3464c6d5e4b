"""Child processes: started so that they die with their parent, known again by pid and start time.

A pid alone says little after a crash, as the system gives it out again; with the time at which the
process started and the boot it belongs to, it names one process for ever.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Identity", "read_pid_file", "spawn", "stop_group", "with_parent", "write_pid_file"]

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.PyDLL(
    None
)  # loaded before any fork; PyDLL keeps the GIL, so no thread can interfere


@dataclass(frozen=True)
class Identity:
    """One process for ever: ``start`` is in clock ticks since the boot ``boot``."""

    pid: int
    start: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The process that has this pid now; None where there is none, or only a zombie."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = text.rpartition(")")[2].split()  # the name before may hold blanks and brackets
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]), _boot_id())

    @property
    def is_alive(self) -> bool:
        """Whether it runs still, and is not another process with its pid."""
        return Identity.of(self.pid) == self


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def with_parent() -> Callable[[], None]:
    """What a new process does first, so that it is told to end (SIGTERM) when its parent ends.

    It is for ``preexec_fn``. Parent is the thread that starts the process.
    """
    parent = os.getpid()

    def before_exec() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return before_exec


def spawn(
    command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, with nothing to read and its output in ``log``.

    It is told to end (SIGTERM) when the thread that starts it ends.

    Raises:
        OSError: the program cannot be started.
    """
    with log.open("ab") as output:  # appending: the log can be cut while the process writes
        return subprocess.Popen(
            command,
            env={**os.environ, **env},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=with_parent(),  # noqa: PLW1509 (see _LIBC)
        )


def write_pid_file(path: Path, identity: Identity) -> None:
    """Remember a process, in one step."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(identity)), encoding="utf-8")
    partial.replace(path)


def read_pid_file(path: Path) -> Identity | None:
    """The process that was remembered there, be it alive or not."""
    try:
        return Identity(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def stop_group(leader: Identity, patience_s: float) -> None:
    """End a process and its children: SIGTERM to it, then SIGKILL to all after ``patience_s``.

    Children that outlive it get a SIGTERM as well; before that they may be what it needs to end in
    good order. Returns when none is left. Processes that got the group's number later are left
    alone.
    """
    deadline = time.monotonic() + patience_s
    number = signal.SIGTERM
    told: set[Identity] = set()
    while members := _group(leader):
        if number is signal.SIGTERM and time.monotonic() > deadline:
            number, told = signal.SIGKILL, set()
        gently = number is signal.SIGTERM and leader in members
        targets = {leader} if gently else members
        for member in targets - told:
            _send(member, number)
        told |= targets
        time.sleep(0.05)


def _send(process: Identity, number: signal.Signals) -> None:
    try:
        if process.is_alive:
            os.kill(process.pid, number)
    except ProcessLookupError:
        pass


def _group(leader: Identity) -> set[Identity]:
    """The living processes of the session that ``leader`` opened, itself included."""
    if leader.boot != _boot_id():
        return set()
    holder = Identity.of(leader.pid)
    if holder is not None and holder != leader:
        return set()  # a number in use as a group's is not given out: the group is gone
    members = set()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if os.getsid(int(entry.name)) != leader.pid:
                continue
        except (ProcessLookupError, PermissionError):
            continue
        found = Identity.of(int(entry.name))
        if found is not None and found.start >= leader.start:
            members.add(found)
    return members
