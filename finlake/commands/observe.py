"""``finlake observe``: how the whole does, on one page of a terminal or for Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from finlake.commands.stack import stop_on_signals
from finlake.errors import ComponentMissing

if TYPE_CHECKING:
    from batch_jobs.observe import Facts, Observer

__all__ = ["freshness", "observe"]


@click.command()
@click.option("--once", is_flag=True, help="Show it once; exit 3 when a part does not answer.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.5),
    default=2,
    show_default=True,
    metavar="SECONDS",
    help="How often the page is made anew.",
)
@click.option("--serve", "serving", is_flag=True, help="No page: figures for Prometheus instead.")
def observe(once: bool, every: float, serving: bool) -> None:
    """Show freshness, lag, batches, dead letters, alerts and components, until Ctrl-C.

    Everything is asked of the parts themselves, so that no Prometheus is needed; of one that runs
    with the stack the alerts that fire are shown too, with their runbooks. With --serve the
    same is served for Prometheus at FINLAKE_PORT_OBSERVE, or the next free port.

    \b
    Example:
      finlake observe
      finlake observe --once
    """
    from contextlib import closing

    from batch_jobs.observe import Observer
    from infra.settings import load_settings

    if serving and once:
        raise click.UsageError("--serve and --once exclude each other")
    settings = load_settings()
    with closing(Observer(settings, judged=not serving)) as observer, stop_on_signals():
        if serving:
            from batch_jobs.observe import exposed
            from infra.metrics import serve

            port = serve(exposed(observer.look), settings.port_observe, settings.listen_host)
            click.echo(f"finlake observe: http://{settings.advertised_host}:{port}/metrics")
            while True:
                time.sleep(3600)
        if once:
            _once(observer)
        else:
            _live(observer, every)


def _once(observer: Observer) -> None:
    from rich.console import Console

    from batch_jobs.observe import page

    facts = observer.look()
    Console().print(page(facts))
    if facts.problems:
        part, why = next(iter(facts.problems.items()))
        raise ComponentMissing(f"{part}: {why}")


def _live(observer: Observer, every: float) -> None:
    from rich.console import Console
    from rich.live import Live

    from batch_jobs.observe import page

    before: Facts | None = None
    console = Console()
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            began = time.monotonic()
            facts = observer.look()
            live.update(page(facts, before), refresh=True)
            before = facts
            time.sleep(max(0.0, every - (time.monotonic() - began)))


@click.command()
@click.option(
    "--factor",
    type=click.FloatRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="What the stream writes is late when it took N times as long as it should.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def freshness(factor: float, as_json: bool) -> None:
    """Show how old tables are and how old their contracts let them be; ends with 1 if one is late.

    What the stream writes is judged by the ages it measured in the last minutes, and by its
    heartbeat; what batch jobs make anew, by when that was.

    \b
    Example:
      finlake freshness
    """
    import json
    from datetime import UTC, datetime

    from batch_jobs.freshness import freshness as measure
    from finlake.errors import FinlakeError
    from infra.settings import load_settings

    ages = measure(load_settings(), factor, datetime.now(UTC))
    for one in ages:
        if as_json:
            facts = {"table": one.table, "age_seconds": round(one.age, 3)}
            click.echo(json.dumps({**facts, "wanted_seconds": one.wanted, "late": one.late}))
        else:
            mark = "LATE" if one.late else "good"
            click.echo(
                f"{mark:<5} {one.table:<27} {one.age:>10.1f} s of {one.wanted:g}, {one.what}"
            )
    if not ages:
        raise ComponentMissing(
            "no table has been written by the stream yet; start it with `finlake up --with stream`"
        )
    late = [one for one in ages if one.late]
    if late:
        raise FinlakeError(
            f"{late[0].table} is late: {late[0].age:.1f} s {late[0].what}, of {late[0].wanted:g}"
            + (f"; and {len(late) - 1} more" if late[1:] else "")
            + "; `finlake observe` shows where changes wait"
        )
