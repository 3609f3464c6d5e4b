"""A component that runs alone, without a supervisor: for measurements and tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from finlake.errors import ComponentMissing
from infra.settings import Settings
from infra.stack import plan
from infra.stack.component import Component
from infra.stack.home import Home
from infra.stack.ports import choose_ports
from infra.stack.process import Identity, spawn, stop_group
from infra.stack.progress import Progress, quiet

__all__ = ["running"]


@contextmanager
def running(
    settings: Settings, name: str, progress: Progress = quiet, patience_s: float = 300
) -> Iterator[tuple[Component, int]]:
    """Start a component in the settings' home, give it and its process, and stop it at the end.

    Raises:
        ComponentMissing: it cannot be had, or does not come up.
    """
    home = Home(settings.home)
    home.make()
    kind = plan.kind(settings, name)
    component = kind(settings, choose_ports(kind.wishes(settings, set()), home.ports_file))
    component.fetch(progress)
    component.prepare()
    process = spawn(component.command(), component.env(), component.cwd, home.log(name))
    identity = Identity.of(process.pid)
    try:
        deadline = time.monotonic() + patience_s
        while not component.is_healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ComponentMissing(f"{name} does not come up; see {home.log(name)}")
            time.sleep(0.2)
        yield component, process.pid
    finally:
        if identity is not None:
            stop_group(identity, component.patience_s)
        process.wait()
