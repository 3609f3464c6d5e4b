"""The ways to hurt a stack."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pymysql
import pytest

from infra.settings import Settings, secret
from tests.chaos.harness import World
from tests.support.stack import runs_anew, wait_for

__all__ = ["Disk", "down", "kill", "own_disk", "paused", "purge_binlog", "skip_without"]

_STEP = 64 << 20


def kill(world: World, name: str) -> float:
    """Kill -9 a component and wait until the stack has started it anew; gives when it was."""
    pid = world.component(name)["pid"]
    os.kill(pid, signal.SIGKILL)
    killed = time.time()
    wait_for(lambda: runs_anew(world.settings.home, name, pid), f"{name} is started again", 300)
    return killed


@contextmanager
def paused(world: World, name: str) -> Iterator[int]:
    """Stop a component's process (SIGSTOP) for the length of the block; gives its pid."""
    pid = int(world.component(name)["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def down(world: World, name: str) -> Iterator[None]:
    """Take a component away for the length of the block, then have the stack start it anew."""
    with paused(world, name) as pid:
        yield
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: runs_anew(world.settings.home, name, pid), f"{name} is started again", 300)


def purge_binlog(settings: Settings) -> None:
    """Let the embedded source forget every change that is older than now."""
    folder = os.open(settings.home / "mariadb" / "data", os.O_PATH)  # whose path may be too long
    try:
        link = pymysql.connect(
            unix_socket=f"/proc/self/fd/{folder}/server.sock",
            user="root",
            password=secret(settings.home, "source_root_password"),
        )
        with closing(link), link.cursor() as cursor:
            cursor.execute("FLUSH BINARY LOGS")
            wait_for(lambda: _purged(cursor), "the binlog is purged")
    finally:
        os.close(folder)


def _purged(cursor: pymysql.cursors.Cursor) -> bool:
    """Whoever still reads a file keeps it."""
    cursor.execute(
        "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
    )
    for (reader,) in cursor.fetchall():
        cursor.execute(f"KILL {reader}")
    cursor.execute("SHOW BINARY LOGS")
    logs = [row[0] for row in cursor.fetchall()]
    if len(logs) > 1:
        cursor.execute(f"PURGE BINARY LOGS TO '{logs[-1]}'")
    return len(logs) == 1


class Disk:
    """A file system of its own, which can be filled up to the last byte."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        size = 0
        with self._ballast.open("wb") as file:
            step = _STEP
            while step >= 512:
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
                except OSError:
                    step //= 2

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def own_disk(folder: Path, size: int = 4 << 30) -> Iterator[Disk | None]:
    """A disk of that many bytes in a file, mounted; None where this user may not mount."""
    image, point = folder / "disk.img", folder / "disk"
    point.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(size)  # takes room only as it is written
    made = ["mkfs.ext4", "-q", "-m", "0", "-F", str(image)]
    mounted = ["mount", "-o", "loop", str(image), str(point)]
    if not all(_works(command) for command in (made, mounted)):
        yield None
        return
    try:
        yield Disk(point)
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)
        image.unlink()


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def skip_without(disk: Disk | None) -> Disk:
    """The disk, or a loud skip."""
    if disk is None:
        pytest.skip("A FULL DISK IS NOT TESTED: mounting a file needs root and a loop device")
    return disk
