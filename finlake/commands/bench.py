"""``finlake bench``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from finlake.commands.forecast import METHODS

if TYPE_CHECKING:
    from batch_jobs.bench import Figure

__all__ = ["bench"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Number = TypeVar("_Number", bound=float)


class _Several(click.ParamType[tuple[_Number, ...]]):
    """Numbers with commas between them."""

    def __init__(self, name: str, kind: Callable[[str], _Number], least: int, example: str) -> None:
        self.name = name
        self._kind = kind
        self._least = least
        self._example = example

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[_Number, ...]:
        try:
            numbers = tuple(self._kind(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if not numbers or min(numbers) < self._least:
            self.fail(f"{value!r} is no list of {self.name} such as {self._example}", param, ctx)
        return numbers


_seed = click.option("--seed", type=int, default=1, show_default=True, help="Seed of the traffic.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


def _rates(default: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--rate", "rates", type=_Several("rates", float, 1, "100,1000"), default=default,
        show_default=True, metavar="R[,R...]", help="Changes a second, one run for each.",
    )  # fmt: skip


def _seconds(default: int, words: str = "Length of each.") -> Callable[[_Command], _Command]:
    return click.option(
        "--seconds", type=click.FloatRange(min=1), default=default, show_default=True, help=words
    )


@click.group()
def bench() -> None:
    """Measure the running platform; each figure comes with what it was measured on.

    \b
    Example:
      finlake up --with stream && finlake bench freshness --rate 500 --seconds 60
    """


@bench.command()
@_rates("100,1000,5000")
@_seconds(180)
@_seed
@_json
def freshness(rates: tuple[float, ...], seconds: float, seed: int, as_json: bool) -> None:
    """From COMMIT in the source to visible in gold, under live traffic; the stream has to run.

    \b
    Example:
      finlake bench freshness --rate 100,1000 --seconds 180 --json
    """
    from batch_jobs.bench import freshness as measure

    _print_each(measure, rates, seconds, seed, as_json)


@bench.command()
@click.option(
    "--changes", type=click.IntRange(min=1000), default=200_000, show_default=True,
    help="Size of the backlog.",
)  # fmt: skip
@click.option(
    "--snapshot", type=click.IntRange(min=1000), metavar="ROWS",
    help="Instead: `finlake snapshot` of a source filled with so many transactions.",
)  # fmt: skip
@click.option("--by-connector", is_flag=True, help="The snapshot is Debezium's own.")
@click.option(
    "--live", is_flag=True,
    help="The stream runs while Debezium captures what was committed while it was down.",
)  # fmt: skip
@_seed
@_json
def throughput(
    changes: int, snapshot: int | None, by_connector: bool, live: bool, seed: int, as_json: bool
) -> None:
    """Changes a second that the stream catches up with; it must not run before.

    \b
    Example:
      finlake up && finlake bench throughput --changes 1000000 --json
      finlake bench throughput --changes 1000000 --live --json
      finlake up --no-connector && finlake bench throughput --snapshot 1000000 --json
    """
    from batch_jobs.bench import throughput as measure
    from infra.settings import load_settings

    settings = load_settings()
    if snapshot and not by_connector:
        from batch_jobs.bench.chain import bulk_snapshot

        _print(bulk_snapshot(settings, snapshot, seed, _said), as_json)
    elif snapshot:
        from batch_jobs.bench.chain import snapshot as measure_snapshot

        _print(measure_snapshot(settings, snapshot, live, seed, _said), as_json)
    elif live:
        from batch_jobs.bench.chain import backlog

        _print(backlog(settings, changes, seed, _said), as_json)
    else:
        _print(measure(settings, changes, seed, _said), as_json)


@bench.command()
@_rates("500")
@_seconds(60)
@click.option(
    "--own-models",
    is_flag=True,
    help="Score by models made for it, which hold every marker to be a fraud.",
)
@_seed
@_json
def alerts(
    rates: tuple[float, ...], seconds: float, own_models: bool, seed: int, as_json: bool
) -> None:
    """From COMMIT in the source to the alert on its topic, under live traffic, leg by leg.

    The rules' way, and the models' where `finlake score` runs and there is a champion.

    \b
    Example:
      finlake bench alerts --rate 500 --seconds 60 --json
      finlake up --with stream,score && finlake bench alerts --own-models --json
    """
    from batch_jobs.bench import alerts as measure

    measure = partial(measure, own_models=own_models)
    _print_each(measure, rates, seconds, seed, as_json)


@bench.command("query")
@click.option(
    "--transactions", type=click.IntRange(min=1000), default=10_000_000, show_default=True,
    help="Size of the lake; made once, then kept in the home.",
)  # fmt: skip
@click.option(
    "--runs", type=click.IntRange(min=2), default=20, show_default=True,
    help="Warm runs of each statement.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["duckdb", "trino"]),
    help="Instead: twenty questions of BI tools, through this engine; Trino is started for it.",
)  # fmt: skip
@_json
def query_(transactions: int, runs: int, engine: str | None, as_json: bool) -> None:
    """Every statement of the dashboard over a large lake of its own; no stack is needed.

    \b
    Example:
      finlake bench query --transactions 10000000 --json
      finlake bench query --engine trino --json
    """
    from infra.settings import load_settings

    if engine:
        from batch_jobs.bench.bi import bi

        _print(bi(load_settings(), engine, transactions, runs, said=_said), as_json)
        return
    from batch_jobs.bench.query import query

    _print(query(load_settings(), transactions, runs, said=_said), as_json)


@bench.command()
@click.option(
    "--rows", type=_Several("numbers", int, 1000, "1000000,10000000"),
    default="1000000,10000000,50000000", show_default=True, metavar="N[,N...]",
    help="Transactions in the lake, one run for each.",
)  # fmt: skip
@click.option(
    "--batches", type=click.IntRange(min=1), default=300, show_default=True,
    help="Batches of each run; 3600 are an hour's worth.",
)  # fmt: skip
@click.option(
    "--changes", type=click.IntRange(min=1), default=1000, show_default=True,
    help="Changes in a batch.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of set and traffic.")
@_json
def growth(rows: tuple[int, ...], batches: int, changes: int, seed: int, as_json: bool) -> None:
    """The same traffic over tables of different size, in lakes of its own; no stack is needed.

    \b
    Example:
      finlake bench growth --rows 1000000,10000000 --batches 3600 --json
    """
    from batch_jobs.bench.growth import growth as measure
    from infra.settings import load_settings

    _print(measure(load_settings(), rows, batches, changes, seed, _said), as_json)


@bench.command()
@click.option(
    "--workers", type=_Several("numbers", int, 0, "0,1,2"), default="0,1,2", show_default=True,
    metavar="N[,N...]", help="Spark workers of one core each, one run for each; 0 has no cluster.",
)  # fmt: skip
@click.option(
    "--changes", type=click.IntRange(min=1000), default=100_000, show_default=True,
    help="Changes that count; a batch more warms up.",
)  # fmt: skip
@_seed
@_json
def scale(workers: tuple[int, ...], changes: int, seed: int, as_json: bool) -> None:
    """What a change costs in each process, on Spark clusters of different size, made here.

    \b
    Example:
      FINLAKE_TOPIC_PARTITIONS=4 finlake up && finlake bench scale --workers 0,1,2 --json
    """
    from batch_jobs.bench.scale import scale as measure
    from infra.settings import load_settings

    _print(measure(load_settings(), workers, changes, seed, _said), as_json)


@bench.command("verify")
@click.option(
    "--rate", type=click.FloatRange(min=1), default=1000, show_default=True,
    help="Changes a second.",
)  # fmt: skip
@_seconds(180, "Length.")
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=15, show_default=True,
    help="Seconds between two rounds.",
)  # fmt: skip
@_seed
@_json
def verify_(rate: float, seconds: float, every: float, seed: int, as_json: bool) -> None:
    """What `finlake verify --watch` costs under live traffic; the stream has to run.

    \b
    Example:
      finlake bench verify --rate 1000 --seconds 180 --json
    """
    from batch_jobs.bench.watching import watching
    from infra.settings import load_settings

    _print(watching(load_settings(), rate, seconds, every, seed, _said), as_json)


@bench.command("score")
@click.option(
    "--transactions", type=click.IntRange(min=1), default=100_000, show_default=True,
    help="To be scored.",
)  # fmt: skip
@click.option(
    "--history", type=click.IntRange(min=0), default=300_000, show_default=True,
    help="That features look back at.",
)  # fmt: skip
@click.option(
    "--batch", "batches", type=_Several("sizes", int, 1, "100,1000,5000"),
    default="200,1000,5000", show_default=True, metavar="N[,N...]",
    help="Transactions in a batch, one run for each.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of set and model.")
@_json
def score_(
    transactions: int, history: int, batches: tuple[int, ...], seed: int, as_json: bool
) -> None:
    """Records to scores in a table, with champion and challenger; no stack is needed.

    \b
    Example:
      finlake bench score --transactions 100000 --batch 1000 --json
    """
    from batch_jobs.bench.score import score as measure
    from infra.settings import load_settings

    settings = load_settings()
    for size in batches:
        _print(measure(settings, transactions, history, size, seed, _said), as_json)


@bench.command("models")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="FILE|FOLDER",
    help="The handbook's transactions, one Parquet file, or a folder of the Kaggle set's files.",
)  # fmt: skip
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY",
    help="First day of training; for the handbook's file the test begins 14 days later.",
)  # fmt: skip
@click.option(
    "--weeks", type=click.IntRange(min=1), default=4, show_default=True,
    help="Test weeks of the handbook's file: that one, and those before it.",
)  # fmt: skip
@click.option(
    "--test-days", type=click.IntRange(min=1), metavar="N",
    help="Days of the test of a set, the last ones; a tenth, from 7 to 60, if not said.",
)  # fmt: skip
@click.option(
    "--transactions", type=click.IntRange(min=1000), default=1_000_000, show_default=True,
    help="Size of the generated set, without --data.",
)  # fmt: skip
@click.option(
    "--kind", type=click.Choice(["champion", "lightgbm", "xgboost", "forest", "logistic"]),
    default="champion", show_default=True, help="Which model.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the model.")
@_json
def models_(
    data: Path | None,
    start: datetime | None,
    weeks: int,
    test_days: int | None,
    transactions: int,
    kind: str,
    seed: int,
    as_json: bool,
) -> None:
    """How well frauds are told, by the protocol of the Fraud Detection Handbook or by our own.

    Parquet is the handbook's: trains on 7 days, waits 7 for their labels, tests on 7,
    without cards known to be compromised. A folder of the Kaggle set's files, or without --data a
    generated set, is judged as `finlake train` judges, beside models that see raw columns alone.

    \b
    Example:
      finlake bench models --data transactions.parquet --start 2018-07-25
      finlake bench models --data kaggle --start 2017-01-01
      finlake bench models --transactions 1000000
    """
    from batch_jobs.bench.models import told

    first = start.date() if start else None
    if data is None or (data.is_dir() and not any(data.glob("*.parquet"))):
        figures = _of_set(data, first, test_days, transactions, kind, seed)
    elif first is None:
        raise click.UsageError("the handbook's file needs --start, the first day of training")
    else:
        from batch_jobs.bench.models import models as measure

        figures = measure(data, first, weeks, kind, seed)
    if as_json:
        _print(figures, as_json)
    else:
        for figure in figures:
            click.echo(told(figure))


def _of_set(
    folder: Path | None,
    since: date | None,
    test_days: int | None,
    transactions: int,
    kind: str,
    seed: int,
) -> Iterable[Figure]:
    from batch_jobs.bench.models import of_set
    from batch_jobs.bench.sets import generated, kaggle

    events = kaggle(folder, since, _said) if folder else generated(transactions, 1)
    name = folder.resolve().name if folder else f"generated {transactions:,}"
    return of_set(events, name, since, test_days, kind, seed)


@bench.command("forecast")
@click.option(
    "--transactions", type=click.IntRange(min=1000), default=13_300_000, show_default=True,
    help="Size of the lake, that of `finlake bench query`; 6,700 are a customer.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(METHODS), default="auto", show_default=True,
    help="One method for all series.",
)  # fmt: skip
@_json
def forecast_(transactions: int, method: str, as_json: bool) -> None:
    """Time, accuracy and coverage of forecasts of a whole lake, made here; no stack is needed.

    \b
    Example:
      finlake bench forecast --transactions 13300000 --json
    """
    from batch_jobs.bench.forecast import forecast as measure
    from infra.settings import load_settings

    _print(measure(load_settings(), transactions, method, _said), as_json)  # type: ignore[arg-type]


@bench.command("finance")
@click.option(
    "--transactions", type=click.IntRange(min=1000), default=500_000, show_default=True,
    help="Size of the set, two years long; 1,360 are a customer.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the set.")
@_json
def finance_(transactions: int, seed: int, as_json: bool) -> None:
    """How well subscriptions and overspending are told on a generated set; no stack is needed.

    \b
    Example:
      finlake bench finance --transactions 500000 --seed 11 --json
    """
    from batch_jobs.bench.finance import finance as measure

    _print(measure(transactions, seed, _said), as_json)


@bench.command("api")
@click.option(
    "--transactions", type=click.IntRange(min=10_000), default=1_000_000, show_default=True,
    help="Size of the lake, made here once.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(min=1), default=60, show_default=True,
    help="How long 100 users ask, once a second each.",
)  # fmt: skip
@click.option(
    "--soak", type=click.FloatRange(min=0), default=0, show_default=True, metavar="SECONDS",
    help="How long to go on, to see whether memory stays.",
)  # fmt: skip
@_json
def api_(transactions: int, seconds: float, soak: float, as_json: bool) -> None:
    """The API under load: latency, its knee, cached reads, batches, memory; no stack is needed.

    \b
    Example:
      finlake bench api --seconds 60 --json
    """
    from batch_jobs.bench.api import api as measure
    from infra.settings import load_settings

    _print(measure(load_settings(), transactions, seconds, soak, _said), as_json)


def _said(text: str) -> None:
    click.echo(f"finlake bench: {text}", err=True)


def _print_each(
    measure: Callable[..., Iterable[Figure]],
    rates: tuple[float, ...],
    seconds: float,
    seed: int,
    as_json: bool,
) -> None:
    from infra.settings import load_settings

    settings = load_settings()
    for number, rate in enumerate(rates):
        _print(measure(settings, rate, seconds, seed + number, _said), as_json)


def _print(figures: Iterable[Figure], as_json: bool) -> None:
    import json

    if as_json:
        for figure in figures:
            click.echo(json.dumps(figure.as_dict()))
        return
    for _, group in groupby(figures, key=lambda figure: figure.params):
        _print_table(list(group))


def _print_table(shown: list[Figure]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    params = ", ".join(f"{name} {value}" for name, value in shown[0].params.items())
    title = f"{shown[0].bench}: {params}\n{shown[0].machine}, commit {shown[0].commit}"
    table = Table("metric", box=box.SIMPLE, title=title, title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for figure in shown:
        table.add_row(figure.metric, f"{figure.value:,.2f}", figure.unit)
    Console().print(table)
