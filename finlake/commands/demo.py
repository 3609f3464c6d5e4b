"""``finlake demo``: everything at once, live, until Ctrl-C."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finlake.commands.data import generate, load
from finlake.commands.stack import stop_on_signals, tell

if TYPE_CHECKING:
    from infra.lake.query import Query
    from infra.settings import Settings

__all__ = ["demo"]

_LOOK_EVERY_S = 5
_WINDOW_S = 15
_FRESH = """
SELECT sum(events), sum(p50_ms * events) / sum(events), max(p95_ms)
FROM gold.pipeline_freshness
WHERE hop = 'gold' AND events > 0 AND measured_at >= ?
"""
_COUNT = "SELECT count(*) FROM gold.fact_transactions"


@click.command()
@click.option(
    "--lake",
    type=click.Choice(["folder", "minio"]),
    help="Where the tables are; default: as last time, or FINLAKE_LAKE, or a folder.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Load the Kaggle files of this folder instead of generating data.",
)
@click.option(
    "--transactions",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="How many to generate when the source is empty.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, max=20_000),
    default=50,
    show_default=True,
    help="Live changes a second; 0 for none.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=0, help="Stop after that long; 0: Ctrl-C."
)
def demo(
    lake: str | None, data: Path | None, transactions: int, rate: float, seconds: float
) -> None:
    """Start everything, fill the source, commit live traffic and show how fresh gold is.

    Ctrl-C stops all of it cleanly; the data stays, and the next demo goes on from there.

    \b
    Example:
      finlake demo --lake minio --rate 500
      finlake demo --data ~/Downloads/transactions-fraud-datasets
    """
    from infra.settings import load_settings
    from infra.stack.bring_up import bring_up
    from infra.stack.control import down
    from infra.stack.progress import on_stderr

    began = time.monotonic()
    if lake:  # for the processes of the stack as well
        home = load_settings().home
        os.environ["FINLAKE_LAKE"] = (
            f"file:{home / 'lake'}" if lake == "folder" else "s3a://warehouse"
        )
    settings = load_settings()
    with stop_on_signals() as told:
        try:
            settings = bring_up(settings, ["stream", "dashboard"], progress=on_stderr, tell=tell)
            _show_addresses(settings)
            _fill(settings, data, transactions)
            _live(settings, rate, seconds, began, told)
        except KeyboardInterrupt:
            pass
        finally:
            click.echo("stopping ...")
            down(settings)
    click.echo("stopped; all data stays. finlake demo goes on, make clean-data deletes it")


def _show_addresses(settings: Settings) -> None:
    from infra.stack.control import status

    click.echo("")
    for report in status(settings):
        click.echo(f"  {report.component:<10} {report.address:<34} {report.version}")
    click.echo(f"  {'tables':<10} {settings.lake}")
    click.echo("")


def _fill(settings: Settings, data: Path | None, transactions: int) -> None:
    """Put data into the source: the files, or generated rows where there are none yet."""
    from infra.database.schema import connect

    context = click.get_current_context()
    if data is not None:
        context.invoke(load, folder=data)
        return
    with connect(settings) as connection, connection.cursor() as cursor:
        if cursor.execute("SELECT id FROM transactions LIMIT 1"):
            return
    context.invoke(generate, transactions=transactions)


def _live(
    settings: Settings, rate: float, seconds: float, began: float, told: threading.Event
) -> None:
    """Commit traffic and tell every few seconds how gold does, until told to stop."""
    from infra.lake.query import Query

    stop = threading.Event()
    failed: list[BaseException] = []
    worker = threading.Thread(target=_traffic, args=(settings, rate, stop, failed), daemon=True)
    if rate:
        worker.start()
    query = Query(settings)
    rows = _rows(query)
    if not rows:
        click.echo("waiting for the first gold rows ...")
    watch = _component_watch(settings)
    try:
        until = time.monotonic() + seconds if seconds else float("inf")
        while time.monotonic() < until and not failed:
            if not rows:
                rows = _rows(query)
                if rows:
                    click.echo(f"first gold rows after {time.monotonic() - began:.0f} s")
            watch()
            if rows:
                click.echo(_freshness(query))
            told.wait(_LOOK_EVERY_S if rows else 0.5)
    finally:
        stop.set()
        if rate:
            worker.join()
    if failed:
        raise failed[0]


def _traffic(
    settings: Settings, rate: float, stop: threading.Event, failed: list[BaseException]
) -> None:
    from batch_jobs.traffic import run

    try:
        run(settings, rate=rate, seconds=0, seed=int(time.time()), stop=stop)
    except Exception as error:  # noqa: BLE001 (told by the main thread)
        failed.append(error)


def _component_watch(settings: Settings) -> Callable[[], None]:
    """Tells of a component that is not healthy, once each time."""
    from infra.stack.control import status

    last: dict[str, str] = {}

    def watch() -> None:
        for report in status(settings):
            if last.get(report.component, "healthy") != report.state:
                click.echo(f"{report.component}: {report.state} {report.message}".rstrip())
            last[report.component] = report.state

    return watch


def _rows(query: Query) -> int:
    return int(query.query(_COUNT).column(0)[0].as_py() or 0)


def _freshness(query: Query) -> str:
    now = datetime.now(UTC)
    answer = query.query(_FRESH, [now - timedelta(seconds=_WINDOW_S)])
    events, middle, high = (column[0].as_py() for column in answer.columns)
    rows = f"{now:%H:%M:%S}  {_rows(query):>10,} transactions in gold"
    if not events:
        return f"{rows}  no change in the last {_WINDOW_S} s"
    return (
        f"{rows}  {events / _WINDOW_S:>7,.0f} changes/s"
        f"  commit to gold p50 {middle / 1000:.2f} s, p95 {high / 1000:.2f} s"
    )
