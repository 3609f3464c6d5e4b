"""``finlake dashboard``: serve the live dashboard until stopped."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path

import click

from finlake.errors import ComponentMissing, UsageProblem

__all__ = ["command", "dashboard", "next_free"]

_ROOT = Path(__file__).parents[2]
_HOST = "127.0.0.1"


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port on 127.0.0.1, 0 for any free one; default FINLAKE_PORT_DASHBOARD or the next free.",
)
def dashboard(port: int | None) -> None:
    """Serve the live dashboard of the gold tables; Ctrl-C stops it.

    \b
    Example:
      finlake dashboard --port 8600
    """
    from infra.environment import environment
    from infra.settings import load_settings
    from infra.stack.ports import is_free

    settings = load_settings()  # a wrong setting is told here, not on the page
    if importlib.util.find_spec("streamlit") is None:
        raise ComponentMissing("the Python package streamlit is not installed; run make setup")
    if port:
        if not is_free(port):
            raise UsageProblem(f"port {port} is taken; choose another or leave --port out")
        chosen = port
    else:
        chosen = next_free(settings.port_dashboard if port is None else 0)
    click.echo(f"dashboard: http://{_HOST}:{chosen}")
    sys.stdout.flush()
    # This process becomes the server: signals reach it, and it cannot be left behind.
    words = command(chosen)
    os.execve(words[0], words, environment())  # noqa: S606 (no shell is meant)


def command(port: int) -> list[str]:
    """The command line that serves the dashboard on 127.0.0.1 at that port."""
    app = _ROOT / "dashboard" / "app.py"
    return [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]


def next_free(port: int) -> int:
    """The port, or the next free one within a hundred; 0 takes any free one.

    Raises:
        ComponentMissing: when all hundred are taken.
    """
    from infra.stack.ports import is_free

    if port == 0:
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            taken: int = probe.getsockname()[1]
            return taken
    for candidate in range(port, min(port + 100, 65536)):
        if is_free(candidate):
            return candidate
    raise ComponentMissing(f"no free port from {port} on; set FINLAKE_PORT_DASHBOARD")
