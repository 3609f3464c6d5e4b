"""``finlake verify``: whether source, silver and gold agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from batch_jobs.verify import Difference, Report, Round

__all__ = ["verify"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="T",
    help="Only this table, of the source or of gold; may be given again.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="Give the stream so long to catch up.",
)
@click.option(
    "--watch",
    "watching",
    is_flag=True,
    help="Prove again and again, while traffic runs, what has changed and a slice of the rest.",
)
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=15,
    show_default=True,
    metavar="SECONDS",
    help="Time between two rounds of --watch.",
)
@click.option("--fail", is_flag=True, help="End --watch with 1 at the first lasting difference.")
@click.option(
    "--rounds", type=click.IntRange(min=1), metavar="N", help="End --watch after so many rounds."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9128,
    show_default=True,
    help="Prometheus gauges of --watch, or the next free one; 0 takes any.",
)
def verify(
    as_json: bool,
    tables: tuple[str, ...],
    wait: float,
    watching: bool,
    every: float,
    fail: bool,
    rounds: int | None,
    port: int,
) -> None:
    """Prove that silver equals the source, gold equals silver, and no event is lost.

    Every source table is compared row for row with silver, to the cent and the microsecond; every
    gold table with a recomputation from silver; and the events in bronze with what became of them.
    Ends with 1, naming the first keys that differ, when anything does.

    \b
    Example:
      finlake verify
      finlake verify --table transactions --table gold.agg_minute --wait 0 --json
      finlake verify --watch --every 15
    """
    if watching:
        if tables:
            raise click.UsageError("--watch looks at all tables; leave out --table")
        _watch(as_json, every, fail, rounds, port)
        return
    if rounds is not None:
        raise click.UsageError("--rounds is for --watch")
    from batch_jobs.verify import verify as run
    from finlake.errors import FinlakeError
    from infra.settings import load_settings

    def said(line: str) -> None:
        click.echo(f"finlake verify: {line}", err=True)

    report = run(load_settings(), tables, wait, said)
    if as_json:
        _print_json(report)
    else:
        _print_table(report)
    faults = list(report.faults())
    if faults:
        more = f"; and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise FinlakeError(
            f"{faults[0]}{more}; while traffic runs that may be, else let `finlake stream --once` "
            "apply what is still in Kafka and verify again"
        )


def _watch(as_json: bool, every: float, fail: bool, rounds: int | None, port: int) -> None:
    import time
    from contextlib import closing
    from itertools import count

    from batch_jobs.verify import Watcher
    from batch_jobs.verify.gauges import Gauges
    from finlake.errors import ComponentMissing, FinlakeError
    from infra.metrics import serve
    from infra.settings import load_settings

    settings = load_settings()
    gauges = Gauges()
    with closing(Watcher(settings)) as watcher:
        served = serve(gauges.registry, port, settings.listen_host)
        click.echo(
            f"finlake verify: metrics on http://{settings.advertised_host}:{served}/metrics",
            err=True,
        )
        for number in count(1):
            began = time.monotonic()
            try:
                found = watcher.round()
            except ComponentMissing as error:  # it comes back, and the proof goes on
                if rounds is not None:
                    raise
                click.echo(f"finlake verify: {error}", err=True)
            else:
                gauges.take(found)
                _tell(found, as_json)
                if fail and not found.equal:
                    raise FinlakeError(
                        f"{found.differences[0]}; stop the stream and see `finlake verify`"
                    )
            if number == rounds:
                return
            time.sleep(max(0.0, every - (time.monotonic() - began)))


def _tell(found: Round, as_json: bool) -> None:
    from datetime import UTC, datetime

    if as_json:
        _line(
            at=round(found.at, 3),
            equal=found.equal,
            seen=found.seen and round(found.seen, 3),
            lag_seconds=None if found.seen is None else round(found.lag, 3),
            changed_keys=found.changed,
            sliced_rows=found.sliced,
            under_way=found.under_way,
            differences=[
                {"table": d.table, "keys": d.keys, "first_keys": [f.key for f in d.first]}
                for d in found.differences
            ],
            cpu_seconds=round(found.cpu, 3),
            source_seconds=round(found.source, 3),
        )
        return
    seen = "nothing yet (no heartbeat has come through)"
    if found.seen is not None:
        seen = f"{datetime.fromtimestamp(found.seen, UTC):%H:%M:%S} UTC, {found.lag:.1f} s behind"
    words = "equal up to" if found.equal else "NOT equal up to"
    click.echo(
        f"{words} {seen}: {found.changed:,} changed keys and {found.sliced:,} others compared, "
        f"{found.under_way:,} under way"
    )
    for one in found.differences:
        click.echo(f"  {one.table}: {one.keys:,} keys differ: {_named(one.first, ', ')}")


def _print_json(report: Report) -> None:
    for source in report.tables:
        _line(
            table=source.table,
            source_rows=source.source_rows,
            silver_rows=source.silver_rows,
            different=source.different,
            first_keys=[d.key for d in source.first],
        )
    for gold in report.gold:
        _line(table=gold.table, recomputed_rows=gold.recomputed_rows, different=gold.different)
    events = report.conservation
    _line(
        equal=report.equal,
        bronze_events=events.bronze_events,
        applied=events.applied,
        superseded=events.superseded,
        quarantined=events.quarantined,
    )


def _line(**values: object) -> None:
    click.echo(json.dumps(values))


def _print_table(report: Report) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    shown = Table(box=box.SIMPLE, pad_edge=False)
    shown.add_column("table", no_wrap=True)
    for name in ("source", "silver", "recomputed", "different"):
        shown.add_column(name, justify="right")
    shown.add_column("first differences", overflow="fold")
    for source in report.tables:
        counts = (f"{source.source_rows:,}", f"{source.silver_rows:,}", "")
        shown.add_row(source.table, *counts, f"{source.different:,}", _named(source.first))
    for gold in report.gold:
        counts = ("", "", f"{gold.recomputed_rows:,}")
        shown.add_row(gold.table, *counts, f"{gold.different:,}", _named(gold.first))
    console.print(shown)
    events = report.conservation
    console.print(
        f"{events.bronze_events:,} events in bronze: {events.applied:,} applied, "
        f"{events.superseded:,} superseded, {events.quarantined:,} set aside",
        highlight=False,
    )
    for problem in events.problems:
        console.print(problem, highlight=False, markup=False)
    if report.equal:
        console.print("equal", style="green")
    else:
        console.print("NOT equal", style="red")


def _named(first: tuple[Difference, ...], between: str = "\n") -> str:
    return between.join(f"{d.key}: {d.how}" for d in first)
