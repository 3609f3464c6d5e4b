"""``finlake load``, ``generate`` and ``traffic``: data into the source database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

import click

from finlake.commands.progress import bar
from finlake.commands.stack import on_signals

if TYPE_CHECKING:
    from batch_jobs.traffic import Mix, Summary

__all__ = ["generate", "load", "traffic"]

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--max-rejects",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Bad rows of a file that are set aside; with more, nothing of the file is loaded.",
)
@click.option("--restart", is_flag=True, help="Begin anew, also with files that are in already.")
@_JSON
def load(folder: Path, max_rejects: int, restart: bool, as_json: bool) -> None:
    """Load the Kaggle files of a folder into the source database.

    All files are checked in full before a table is touched. Bad rows go to HOME/rejects with line,
    column and reason. A load that was stopped, even killed, continues where it was; a file that is
    in already is left alone. Rows whose key exists are changed to the file's.

    DIR holds mcc_codes.json, users_data.csv, cards_data.csv, transactions_data.csv and, if there
    are labels, train_fraud_labels.json.

    \b
    Example:
      finlake load ~/Downloads/transactions-fraud-datasets
      finlake load data --max-rejects 0
    """
    from batch_jobs.load import load as run
    from batch_jobs.load.files import LABELS
    from infra.settings import load_settings

    with _told("load"), bar() as watch:
        reports = run(
            load_settings(), folder, max_rejects=max_rejects, restart=restart, watch=watch
        )
    for report in reports:
        if as_json:
            rejects = str(report.rejects_file) if report.rejects_file else None
            _print_json({**report.__dict__, "rejects_file": rejects})
            continue
        if report.written:
            speed = report.written / max(report.seconds, 1e-3)
            done = f"{report.written:,} in {report.seconds:.1f} s ({speed:,.0f} rows/s)"
        else:
            done = "in already; --restart loads it again"
        line = f"{report.table:<13}{report.rows:>12,} rows  {done}"
        if report.rejected:
            line += f"; {report.rejected} rejected, see {report.rejects_file}"
        click.echo(line)
    if not any(report.file == LABELS for report in reports):
        click.echo(f"no labels loaded: {folder / LABELS} is not there", err=True)


@click.command()
@click.option(
    "--transactions",
    type=click.IntRange(min=1),
    required=True,
    help="How many; users, cards and merchants follow from it.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed and sizes give the same bytes.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write files of the Kaggle set's form instead of filling the source.",
)
@click.option("--users", type=click.IntRange(min=1), help="How many users.")
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2010-01-01",
    show_default=True,
    metavar="DATE",
    help="First day.",
)
@click.option(
    "--end",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2019-10-31",
    show_default=True,
    metavar="DATE",
    help="Last day.",
)
@_JSON
def generate(
    transactions: int,
    seed: int,
    out: Path | None,
    users: int | None,
    start: datetime,
    end: datetime,
    as_json: bool,
) -> None:
    """Generate the five tables, like the Kaggle set in form and distribution.

    Customers have homes, habits and subscriptions; 0.2 % of the transactions belong to fraud
    schemes (stolen card, card testing, account take-over, merchant compromise, geographic
    impossibility); two thirds have a label.

    \b
    Example:
      finlake generate --transactions 1000000 --seed 7
      finlake generate --transactions 13305915 --seed 7 --out data
    """
    from batch_jobs.generate import Plan, fill_source, write_files
    from infra.settings import load_settings

    plan = Plan(transactions, seed, start.date(), end.date(), users or 0)
    began = perf_counter()
    with _told("generate"), bar() as watch:
        if out is None:
            rows = fill_source(load_settings(), plan, watch=watch)
        else:
            rows = write_files(plan, out, watch=watch)
    seconds = perf_counter() - began
    for table, count in rows.items():
        if as_json:
            _print_json({"table": table, "rows": count, "seconds": round(seconds, 3)})
        else:
            click.echo(f"{table:<13}{count:>12,} rows")
    if not as_json:
        where = "in the source" if out is None else f"in {out}"
        click.echo(f"{where} after {seconds:.1f} s ({transactions / seconds:,.0f} transactions/s)")


@click.command()
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=20_000),
    default=100,
    show_default=True,
    help="Changed rows a second.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    help="How long; 0 goes on until Ctrl-C.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--mix",
    default="70/25/5",
    show_default=True,
    metavar="I/U/D",
    help="Shares of inserts (labels too), updates and deletes.",
)
@click.option(
    "--reach",
    type=click.IntRange(min=2_001),
    default=100_000,
    show_default=True,
    help="About how many transactions back corrections and deletions go.",
)
@_JSON
def traffic(rate: float, seconds: float, seed: int, mix: str, reach: int, as_json: bool) -> None:
    """Commit live changes to the source at a set rate.

    New transactions, corrections of recent and older ones, changes of cards and users, labels that
    arrive late, deletes, now and then a fraud scheme, and transfers between two customers whose
    amounts add up to zero after every commit. An empty source gets some users and cards first. When
    the source is restarted, traffic waits for it and goes on.

    \b
    Example:
      finlake traffic --rate 500 --seconds 60 --seed 7
      finlake traffic --rate 1000 --seconds 0 --mix 60/30/10
    """
    from batch_jobs.traffic import run
    from infra.settings import load_settings

    shares = _mix(mix, reach)
    with _stop_event() as stop, _status_line() as watch:
        summary = run(
            load_settings(),
            rate=rate,
            seconds=seconds,
            seed=seed,
            mix=shares,
            watch=watch,
            stop=stop,
        )
    figures = summary.as_dict()
    if as_json:
        _print_json(figures)
        return
    click.echo(
        f"{summary.changes:,} changes in {summary.seconds:.1f} s ({summary.rate:,.0f} a second)"
        f" by {summary.commits:,} commits of {figures['commit_p50_ms']} ms"
        f" (p99 {figures['commit_p99_ms']} ms)"
    )
    kinds = ("inserted", "updated", "deleted", "labels", "users", "cards")
    click.echo(", ".join(f"{kind} {summary.rows[kind]:,}" for kind in kinds))
    click.echo(
        f"{summary.transfers:,} transfers, {summary.fraud_schemes:,} fraud schemes,"
        f" {summary.reconnects} reconnects"
    )


def _mix(text: str, reach: int) -> Mix:
    from batch_jobs.traffic import Mix

    try:
        shares = [float(part) for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) != 3 or min(shares) < 0 or not 0 < sum(shares) < float("inf"):
        raise click.BadParameter(
            "three shares such as 70/25/5 are wanted: inserts, updates, deletes",
            param_hint="'--mix'",
        )
    insert, update, delete = shares
    return Mix(insert, update, delete, reach)


def _print_json(figures: dict[str, Any]) -> None:
    click.echo(json.dumps(figures))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say what is in when Ctrl-C ends the work."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        if stopped.args:
            click.echo(f"finlake {name}: {stopped}", err=True)
        raise


@contextmanager
def _status_line() -> Iterator[Callable[[Summary], None]]:
    """A line on a terminal that shows the rate of the last half second; nothing elsewhere."""
    on_screen = sys.stderr.isatty()
    last = [monotonic(), 0.0]

    def watch(summary: Summary) -> None:
        now = monotonic()
        if not on_screen or now - last[0] < 0.5:
            return
        rate = (summary.changes - last[1]) / (now - last[0])
        last[:] = now, summary.changes
        click.echo(
            f"\r{summary.seconds:7.0f} s  {summary.changes:>12,} changes  {rate:>8,.0f} a second"
            f"  {summary.fraud_schemes} fraud schemes  ",
            nl=False,
            err=True,
        )

    try:
        yield watch
    finally:
        if on_screen:
            click.echo("", err=True)


@contextmanager
def _stop_event() -> Iterator[Event]:
    """An event that Ctrl-C or a termination sets, so that the last commit is whole."""
    stop = Event()
    with on_signals(lambda *_: stop.set()):
        yield stop
