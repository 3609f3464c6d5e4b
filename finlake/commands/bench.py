"""``finlake bench``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from batch_jobs.bench import Figure

__all__ = ["bench"]


@click.group()
def bench() -> None:
    """Measure the running platform; each figure comes with what it was measured on.

    \b
    Example:
      finlake up --with stream && finlake bench freshness --rate 500 --seconds 60
    """


@bench.command()
@click.option(
    "--rate", "rates", type=click.FloatRange(min=1), multiple=True, default=(500.0,),
    show_default=True, help="Changes a second; may be given several times.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(min=1), default=60, show_default=True, help="Length of each."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def freshness(rates: tuple[float, ...], seconds: float, as_json: bool) -> None:
    """From COMMIT in the source to visible in gold, under live traffic; the stream has to run.

    \b
    Example:
      finlake bench freshness --rate 100 --rate 1000 --seconds 180 --json
    """
    from batch_jobs.bench import freshness as measure
    from infra.settings import load_settings

    for rate in rates:
        _print(measure(load_settings(), rate, seconds, tell=_tell), as_json)


@bench.command()
@click.option(
    "--changes", type=click.IntRange(min=1000), default=200_000, show_default=True,
    help="Size of the backlog.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def throughput(changes: int, as_json: bool) -> None:
    """Changes a second that the stream catches up with; it must not run meanwhile.

    \b
    Example:
      finlake up && finlake bench throughput --changes 1000000 --json
    """
    from batch_jobs.bench import throughput as measure
    from infra.settings import load_settings

    _print(measure(load_settings(), changes, tell=_tell), as_json)


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _print(figures: list[Figure], as_json: bool) -> None:
    import msgspec

    for figure in figures:
        if as_json:
            click.echo(msgspec.json.encode(figure.as_dict()))
        else:
            params = ", ".join(f"{k} {v}" for k, v in figure.params.items())
            click.echo(f"{figure.metric:<24} {figure.value:>12,} {figure.unit:<10} {params}")
