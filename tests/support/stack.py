"""An embedded stack for a test: a home of its own, ports of its own, stopped at the end.

with running_stack(tmp_path / "home") as settings:
    ...
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from finlake.errors import ComponentMissing
from infra.settings import Settings, load_settings
from infra.stack import control
from infra.stack.mysql import MySQL
from infra.stack.progress import quiet
from infra.stack.prometheus import fetch_prometheus

__all__ = [
    "finlake",
    "launched",
    "object_store",
    "run",
    "running_stack",
    "runs_anew",
    "skip_without_mysql",
    "skip_without_prometheus",
    "start",
    "status_of",
    "wait_for",
]

PROJECT = Path(__file__).parents[2]


def finlake(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one finlake command for that home, as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "finlake", *words],
        env=_env(home, env),
        cwd=home.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def run(home: Path, *words: str, **env: str) -> str:
    """Run a finlake command that has to succeed; gives what it printed."""
    done = finlake(home, *words, **env)
    assert done.returncode == 0, f"finlake {' '.join(words)}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def start(home: Path, *words: str, **streams: Any) -> subprocess.Popen[Any]:
    """Start a finlake command for that home in the background, with these streams."""
    return subprocess.Popen(
        [sys.executable, "-m", "finlake", *words],
        env=_env(home, {}),
        cwd=home.parent,
        stdin=subprocess.DEVNULL,
        **streams,
    )


def _env(home: Path, more: dict[str, str]) -> dict[str, str]:
    """The environment without settings of its own; any free port, so that stacks can coexist."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FINLAKE_")}
    return {**kept, "PYTHONPATH": str(PROJECT), "FINLAKE_HOME": str(home), **more}


@contextmanager
def running_stack(
    home: Path, *, extras: Iterable[str] = (), connector: bool = True, **env: str
) -> Iterator[Settings]:
    """Bring a stack up in ``home``, give its settings, and stop it whatever happens.

    ``extras`` may hold stream and dashboard; ``env`` are further FINLAKE_* settings.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    words = ["up", *(["--with", ",".join(extras)] if extras else [])]
    if not connector:
        words.append("--no-connector")
    try:
        done = finlake(home, *words, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        yield load_settings(home=home)
    finally:
        finlake(home, "down", **env)


def skip_without_mysql(home: Path) -> None:
    """Skip, and say so loudly, where the real MySQL cannot be had; it is in the cache then."""
    try:
        MySQL(load_settings(home=home), {}).fetch(quiet)
    except ComponentMissing as missing:
        reason = f"REAL MYSQL IS NOT TESTED: {missing}"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)


def skip_without_prometheus() -> None:
    """Skip, and say so loudly, where Prometheus cannot be had; it is in the cache then."""
    try:
        fetch_prometheus(quiet)
    except ComponentMissing as missing:
        reason = f"PROMETHEUS IS NOT TESTED: {missing}"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)


def status_of(home: Path) -> dict[str, dict[str, Any]]:
    """What ``finlake status`` reads, by component; in this process, as it is asked in loops."""
    return {report.component: asdict(report) for report in control.status(load_settings(home=home))}


def runs_anew(home: Path, name: str, gone: int) -> bool:
    """Whether a component is healthy in another process than that one."""
    now = status_of(home)[name]
    return now["state"] == "healthy" and now["pid"] not in (None, gone)


def launched(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    extras: tuple[str, ...] = (),
    **env: str,
) -> Settings:
    """Start these components alone: what others they need is said to be elsewhere.

    Whoever calls it has to end them, by ``control.down``.
    """
    elsewhere = {
        "source": ("FINLAKE_SOURCE_URL", "mysql://a:b@127.0.0.1:1/finance"),
        "kafka": ("FINLAKE_KAFKA_BOOTSTRAP", "127.0.0.1:1"),
        "connect": ("FINLAKE_CONNECT_URL", "http://127.0.0.1:1"),
    }
    for name, (variable, value) in elsewhere.items():
        if name not in names:
            monkeypatch.setenv(variable, value)
    for variable, value in env.items():
        monkeypatch.setenv(variable, value)
    settings = load_settings(home=home)
    components = control.prepare(settings, extras, quiet)
    assert list(components) == names
    control.launch(settings)
    control.wait_until_healthy(settings, names)
    return load_settings(home=home)


def object_store(settings: Settings) -> Minio:
    """A client of the stack's own object store, without TLS."""
    assert settings.s3_endpoint
    assert settings.s3_secret_key
    return Minio(
        settings.s3_endpoint.removeprefix("http://"),
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        secure=False,
    )


def wait_for(what: Callable[[], Any], describe: str, patience_s: float = 120) -> Any:
    """Ask until the answer is true, and give it; the patience only ends a hang."""
    deadline = time.monotonic() + patience_s
    while not (answer := what()):
        assert time.monotonic() < deadline, f"gave up waiting: {describe}"
        time.sleep(0.1)
    return answer
