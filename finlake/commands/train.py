"""``finlake train``."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from batch_jobs.train import Outcome

__all__ = ["train"]

_day = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option(
    "--kind", type=click.Choice(["best", "lightgbm", "xgboost"]), default="best",
    show_default=True, help="Kind of the model; best is the better one in validation.",
)  # fmt: skip
@click.option("--from", "since", type=_day, metavar="DAY", help="First day; all days if not said.")
@click.option("--until", type=_day, metavar="DAY", help="Last day, with labels.")
@click.option(
    "--test-days", type=click.IntRange(min=1), metavar="N",
    help="Days of the test, the last ones; a tenth, from 7 to 60, if not said.",
)  # fmt: skip
@click.option(
    "--trials", type=click.IntRange(min=0), default=12, show_default=True,
    help="How many recipes tuning tries.",
)  # fmt: skip
@click.option(
    "--budget", type=click.FloatRange(min=0), default=600, show_default=True,
    help="Seconds after which tuning begins no further one.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed.")
@click.option(
    "--alias", type=click.Choice(["challenger", "champion", "none"]), default="challenger",
    show_default=True, help="What the model is from now on.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    kind: str,
    since: datetime | None,
    until: datetime | None,
    test_days: int | None,
    trials: int,
    budget: float,
    seed: int,
    alias: str,
    as_json: bool,
) -> None:
    """Train a model of fraud from the lake, judge it by the last days, and register it.

    What fraud and alarms cost is set by FINLAKE_COST_MISSED_FRAUD, FINLAKE_COST_FALSE_ALARM and
    FINLAKE_ALARMS_A_DAY. The same data, seed and trials give the same model.

    \b
    Example:
      finlake train --alias champion
      finlake train --kind xgboost --from 2019-01-01 --trials 30 --budget 1800 --json
    """
    import json

    from batch_jobs.roles import note_roles
    from batch_jobs.train import Asked
    from batch_jobs.train import train as run
    from infra.settings import load_settings

    asked = Asked(
        kind="" if kind == "best" else kind,
        since=since.date() if since else None,
        until=until.date() if until else None,
        test_days=test_days,
        trials=trials,
        budget_s=budget,
        seed=seed,
        alias="" if alias == "none" else alias,
    )
    settings = load_settings()
    outcome = run(settings, asked, lambda text: click.echo(f"finlake train: {text}", err=True))
    note_roles(settings)
    if as_json:
        click.echo(json.dumps(_facts(outcome)))
    else:
        _print(outcome, asked.alias)


def _facts(outcome: Outcome) -> dict[str, Any]:
    judged = outcome.judged
    compared = {
        one.name: {"metrics": one.metrics, "low and high": one.spread}
        for one in (judged.test, *outcome.others)
    }
    return {
        "version": outcome.version,
        "sha256": outcome.sha256,
        "run": outcome.run,
        "recipe": str(judged.model.recipe),
        "trained": [day.isoformat() for day in outcome.plan.trained],
        "tested": [day.isoformat() for day in outcome.plan.tested],
        "frauds": dict(zip(("trained", "tested"), outcome.frauds, strict=True)),
        "tuned": outcome.tuned,
        "validation": {str(trial.recipe): trial.precision for trial in outcome.trials},
        "test": compared,
        "threshold": judged.expected.score if isfinite(judged.expected.score) else None,
        "cost a day": judged.cost.cost,
        "alarms a day": judged.cost.alarms,
        "brier": judged.brier,
        "calibration gap": judged.off,
    }


def _print(outcome: Outcome, alias: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from models.training.metrics import METRICS

    judged, plan = outcome.judged, outcome.plan
    title = (
        f"trained {plan.trained[0]} to {plan.trained[1]} ({outcome.frauds[0]:,} frauds),"
        f" tested {plan.tested[0]} to {plan.tested[1]} ({outcome.frauds[1]:,})"
    )
    table = Table("model", box=box.SIMPLE, title=title, title_justify="left")
    for name in METRICS:
        table.add_column(name, justify="right")
    for one in (judged.test, *outcome.others):
        cells = []
        for name in METRICS:
            low, high = one.spread[name]
            cells.append(f"{one.metrics[name]:.3f} {low:.2f}-{high:.2f}")
        table.add_row(one.name, *cells)
    Console().print(table)
    cost = judged.cost
    click.echo(f"recipe       {judged.model.recipe}")
    at = judged.expected.score
    means = f"{at:.4f} (probability of fraud)" if isfinite(at) else "none: no alarm pays"
    click.echo(f"threshold    {means}")
    click.echo(f"a day        {cost.alarms:.1f} alarms, costs {cost.cost:,.2f} US dollars")
    click.echo(f"calibration  Brier {judged.brier:.5f}, mean gap {judged.off:.5f}")
    name = f" as {alias}" if alias else ""
    click.echo(f"registered   finlake-fraud {outcome.version}{name}, sha256 {outcome.sha256[:12]}")
    shown = outcome.page or "in the home's store; finlake up --with mlflow shows it"
    click.echo(f"run          {outcome.run} {shown}")
