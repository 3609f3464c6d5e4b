"""``finlake up``, ``down``, ``status``, ``logs`` and ``doctor``: the embedded stack."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from infra.stack.supervisor import Report

__all__ = [
    "airflow",
    "doctor",
    "down",
    "logs",
    "on_signals",
    "status",
    "stop_on_signals",
    "tell",
    "up",
]


@click.command()
@click.option(
    "--with",
    "extras",
    multiple=True,
    help="Also start these: stream, score, dashboard, api, mlflow, trino, superset, prometheus, "
    "verify, airflow.",
)
@click.option("--no-connector", is_flag=True, help="Leave topics and connector as they are.")
@click.option("--foreground", is_flag=True, help="Stay, and stop the stack with Ctrl-C.")
def up(extras: tuple[str, ...], no_connector: bool, foreground: bool) -> None:
    """Start the embedded stack, wait until it is healthy and make the source's tables.

    What is missing is fetched into the user's cache first. A component that has an address in the
    settings (FINLAKE_SOURCE_URL, FINLAKE_KAFKA_BOOTSTRAP, ...) runs elsewhere and is not started.

    \b
    Example:
      finlake up --with stream,dashboard,mlflow
      finlake up --with stream,trino
      finlake up --with stream,prometheus,verify
    """
    from infra.settings import load_settings
    from infra.stack.bring_up import bring_up
    from infra.stack.control import down as stop
    from infra.stack.progress import on_stderr

    began = time.monotonic()
    names = [name.strip() for name in ",".join(extras).split(",") if name.strip()]
    settings = load_settings()
    bring_up(settings, names, connector=not no_connector, progress=on_stderr, tell=tell)
    click.echo(f"ready after {time.monotonic() - began:.0f} s; finlake status shows the addresses")
    if foreground:
        with stop_on_signals():
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                click.echo("stopping ...")
            finally:
                stop(settings)


@contextmanager
def on_signals(handler: Callable[..., None]) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM call this, for as long as it lasts."""
    old = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM end what is under way; a second one changes nothing any more.

    The event is set by the first.
    """
    told = threading.Event()

    def interrupt(*_: object) -> None:
        if not told.is_set():
            told.set()
            raise KeyboardInterrupt

    with on_signals(interrupt):
        yield told


def tell(report: Report) -> None:
    """Say how a component does, when that is worth a line."""
    if report.state in ("healthy", "restarting", "unhealthy"):
        note = report.message or report.address
        click.echo(f"{report.component:<10} {report.state:<10} {note}")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def down(names: tuple[str, ...]) -> None:
    """Stop the embedded stack cleanly; all data stays, and `finlake up` goes on from there.

    With NAMEs only these components stop, and stay so until they are asked for again.

    \b
    Example:
      finlake down
      finlake down stream alerts && finlake stream --once && finlake up --with stream
    """
    from infra.settings import load_settings
    from infra.stack.control import down as stop_all
    from infra.stack.control import stop

    settings = load_settings()
    if names:
        stopped = ", ".join(stop(settings, names))
        click.echo(f"stopped {stopped}" if stopped else "none of them was running")
    else:
        click.echo("stopped" if stop_all(settings) else "nothing was running")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def status(names: tuple[str, ...], as_json: bool) -> None:
    """Show each component of the stack, its state, address, version and process.

    With NAMEs only these. Ends with 3 when one of them is not healthy.

    \b
    Example:
      finlake status --json
      finlake status stream
    """
    import json

    from finlake.errors import ComponentMissing
    from infra.settings import load_settings
    from infra.stack.control import status as read

    reports = read(load_settings())
    missing = [name for name in names if name not in {report.component for report in reports}]
    if names:
        reports = [report for report in reports if report.component in names]
    for report in reports:
        if as_json:
            fields = ("component", "state", "address", "version", "pid", "message")
            click.echo(json.dumps({name: getattr(report, name) for name in fields}))
        else:
            pid = str(report.pid or "-")
            note = f"  {report.message}" if report.message else ""
            click.echo(
                f"{report.component:<10} {report.state:<10} {pid:>8}  {report.address:<32}"
                f" {report.version}{note}"
            )
    bad = [report.component for report in reports if report.state != "healthy"]
    if missing:
        raise ComponentMissing(f"{missing[0]} is not part of the stack that runs; see `finlake up`")
    if all(report.state == "stopped" for report in reports):
        raise ComponentMissing("the stack does not run; start it with `finlake up`")
    if bad:
        raise ComponentMissing(f"{', '.join(bad)} not healthy; see `finlake logs {bad[0]}`")


@click.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on showing new lines until Ctrl-C.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many last lines.")
def logs(name: str, follow: bool, lines: int) -> None:
    """Show the log of one component; NAME is one of `finlake status`, or supervisor.

    \b
    Example:
      finlake logs connect -f
    """
    from finlake.errors import UsageProblem
    from infra.settings import load_settings
    from infra.stack.control import tail
    from infra.stack.home import Home

    home = Home(load_settings().home)
    path = home.log(name)
    if not path.exists():
        there = ", ".join(sorted(found.stem for found in home.logs.glob("*.log"))) or "none yet"
        raise UsageProblem(f"no log of {name}; there are: {there}")
    for line in tail(path, lines):
        click.echo(line)
    position = path.stat().st_size
    while follow:
        time.sleep(0.3)
        size = path.stat().st_size
        if size < position:  # it was cut
            position = 0
        with path.open("rb") as file:
            file.seek(position)
            new = file.read()
        position += len(new)
        click.echo(new.decode("utf-8", errors="replace"), nl=False)


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
def airflow(words: tuple[str, ...]) -> None:
    """Run Airflow's own command line for the Airflow of this stack; ends as that ends.

    \b
    Example:
      finlake airflow dags list
      finlake airflow dags test platform_health
    """
    import os

    from infra.settings import load_settings
    from infra.stack.airflow import command_line

    command, env = command_line(load_settings(), words)
    os.execve(command[0], command, {**os.environ, **env})  # noqa: S606 (no shell is meant)


@click.command()
def doctor() -> None:
    """Check that this machine has what FinLake needs, and say how to get what is missing.

    Ends with 3 when something that is needed is missing.

    \b
    Example:
      finlake doctor
    """
    from finlake.errors import ComponentMissing
    from infra.settings import load_settings
    from infra.stack.doctor import examine

    marks = {"good": "ok", "note": "note", "missing": "MISSING"}
    missing = []
    for finding in examine(load_settings()):
        click.echo(f"{marks[finding.state]:<8} {finding.what:<8} {finding.text}")
        if finding.state == "missing":
            missing.append(finding.what)
    if missing:
        raise ComponentMissing(f"{', '.join(missing)} missing; the lines above say what to do")
