"""``finlake forecast``."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import click

from finlake.commands.progress import bar

if TYPE_CHECKING:
    from batch_jobs.forecast import Summary

__all__ = ["METHODS", "forecast"]

METHODS = [
    "auto", "holt_winters", "arima", "average", "seasonal_average", "seasonal_naive", "prophet",
]  # fmt: skip


@click.command()
@click.option("--horizon", type=int, metavar="N", help="Steps ahead. [default: 30 days, 3 months]")
@click.option(
    "--period", type=click.Choice(["day", "month"]), help="Length of a step; both when not given."
)
@click.option(
    "--customers", type=click.IntRange(min=1), metavar="N",
    help="Only the N customers of the lowest numbers.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(METHODS), default="auto", show_default=True,
    help="One method for all series; auto chooses by length and back-test.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def forecast(
    horizon: int | None, period: str | None, customers: int | None, method: str, as_json: bool
) -> None:
    """Forecast what each customer will spend, in all and by category, into gold.forecasts.

    Net of refunds, without declined transactions, with 95 % intervals that are checked against a
    window held out of every back-test. A run replaces the forecasts of its period.

    \b
    Example:
      finlake forecast
      finlake forecast --period day --horizon 14 --customers 100 --json
    """
    from batch_jobs.forecast import make
    from infra.settings import load_settings

    with bar() as watch:
        found = make(
            load_settings(),
            periods=[period] if period else ["day", "month"],
            horizon=horizon,
            customers=customers,
            method=method,  # type: ignore[arg-type]
            watch=watch,
        )
    for one in found:
        if as_json:
            click.echo(json.dumps(_plain(one)))
        else:
            _tell(one)


def _plain(one: Summary) -> dict[str, object]:
    def number(value: float) -> float | None:
        return round(value, 4) if math.isfinite(value) else None

    by_method = {
        name: {
            "series": series, "mase": number(mase), "naive_mase": number(naive),
            "coverage": number(coverage),
        }
        for name, (series, mase, naive, coverage) in one.by_method.items()
    }  # fmt: skip
    plain = {
        name: number(value) if isinstance(value, float) else value
        for name, value in one.__dict__.items()
    }
    return plain | {"history_until": str(one.history_until), "by_method": by_method}


def _tell(one: Summary) -> None:
    methods = ", ".join(
        f"{name} {count:,}"
        for name, count in sorted(one.methods.items(), key=lambda item: -item[1])
    )
    click.echo(
        f"{one.series:,} series of {one.customers:,} customers, {one.horizon} {one.period}s from"
        f" the history until {one.history_until}: {one.rows:,} rows in gold.forecasts"
    )
    click.echo(f"  {one.wall_s:.1f} s, {one.cpu_s:.1f} s of processor")
    click.echo(f"  methods: {methods}")
    if not one.tested:
        click.echo("  no series is long enough to be tested")
        return
    click.echo(
        f"  held-out window of {one.tested:,} series: MASE {one.mase:.3f} (seasonal naive"
        f" {one.naive_mase:.3f}), {one.coverage:.1%} inside the 95 % interval"
    )
    for name, (series, mase, naive, coverage) in one.by_method.items():
        click.echo(
            f"    {name:<17}{series:>8,} series  MASE {mase:.3f} ({naive:.3f}),"
            f" {coverage:.1%} inside"
        )
