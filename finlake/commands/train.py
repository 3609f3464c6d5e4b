"""``finlake train``."""

from __future__ import annotations

from datetime import date, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from batch_jobs.train import Outcome
    from batch_jobs.train.spending import Outcome as SpendingOutcome

__all__ = ["train"]

_day = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument(
    "what", type=click.Choice(["fraud", "category", "amount"]), default="fraud",
    metavar="[fraud|category|amount]",
)  # fmt: skip
@click.option(
    "--kind", type=click.Choice(["best", "lightgbm", "xgboost"]), default="best",
    show_default=True, help="Kind of the model of fraud; best is the better one in validation.",
)  # fmt: skip
@click.option("--from", "since", type=_day, metavar="DAY", help="First day; all days if not said.")
@click.option("--until", type=_day, metavar="DAY", help="Last day; for fraud, with labels.")
@click.option(
    "--test-days", type=click.IntRange(min=1), metavar="N",
    help="Days of the test, the last ones; a tenth, from 7 to 60, if not said.",
)  # fmt: skip
@click.option(
    "--trials", type=click.IntRange(min=0), default=12, show_default=True,
    help="How many recipes tuning tries, for fraud.",
)  # fmt: skip
@click.option(
    "--budget", type=click.FloatRange(min=0), default=600, show_default=True,
    help="Seconds after which tuning begins no further one, for fraud.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed.")
@click.option(
    "--alias", type=click.Choice(["challenger", "champion", "none"]), default="challenger",
    show_default=True, help="What the model is from now on.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def train(
    context: click.Context,
    what: Literal["fraud", "category", "amount"],
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
    """Train a model from the lake, judge it by the last days, and register it.

    A model of fraud; of the category that a transaction is of when its own is missing; or of the
    amount that a purchase will have. The same data, seed and trials give the same model. What
    fraud and alarms cost is set by FINLAKE_COST_MISSED_FRAUD, FINLAKE_COST_FALSE_ALARM and
    FINLAKE_ALARMS_A_DAY.

    \b
    Example:
      finlake train --alias champion
      finlake train --kind xgboost --from 2019-01-01 --trials 30 --budget 1800 --json
      finlake train category --alias champion
      finlake train amount --test-days 30
    """
    if what != "fraud":
        _of_fraud_alone(context)
        days = (since.date() if since else None, until.date() if until else None, test_days)
        _train_spending(what, days, seed, "" if alias == "none" else alias, as_json)
        return

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


def _of_fraud_alone(context: click.Context) -> None:
    for name in ("kind", "trials", "budget"):
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name} is for fraud alone; leave it out")


def _train_spending(
    what: Literal["category", "amount"],
    days: tuple[date | None, date | None, int | None],
    seed: int,
    alias: str,
    as_json: bool,
) -> None:
    import json

    from batch_jobs.train import spending
    from infra.settings import load_settings

    asked = spending.Asked(what, *days, seed, alias)
    outcome = spending.train(
        load_settings(), asked, lambda text: click.echo(f"finlake train: {text}", err=True)
    )
    if as_json:
        click.echo(json.dumps(_facts_of_spending(outcome)))
    else:
        _print_spending(outcome, alias)


def _facts_of_spending(outcome: SpendingOutcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "version": outcome.version,
        "sha256": outcome.sha256,
        "run": outcome.run,
        "trained": [day.isoformat() for day in outcome.plan.trained],
        "tested": [day.isoformat() for day in outcome.plan.tested],
        "test": [
            {
                "rows": one.rows,
                "name": one.name,
                "count": one.count,
                "metrics": one.metrics,
                "low and high": one.spread,
            }
            for one in outcome.told
        ],
    }


def _print_spending(outcome: SpendingOutcome, alias: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    plan, names = outcome.plan, list(outcome.told[0].metrics)
    title = (
        f"trained {plan.trained[0]} to {plan.trained[1]},"
        f" tested {plan.tested[0]} to {plan.tested[1]}"
    )
    table = Table("rows", box=box.SIMPLE, title=title, title_justify="left")
    table.add_column("guesser", no_wrap=True)
    for name in ("number", *names):
        table.add_column(name, justify="right")
    for one in outcome.told:
        cells = [f"{one.metrics[name]:.3f}" if name in one.metrics else "" for name in names]
        table.add_row(one.rows, one.name, f"{one.count:,}", *cells)
    Console().print(table)
    _print_registered(outcome, outcome.name, alias)


def _print_registered(outcome: Outcome | SpendingOutcome, name: str, alias: str) -> None:
    known = f" as {alias}" if alias else ""
    click.echo(f"registered   {name} {outcome.version}{known}, sha256 {outcome.sha256[:12]}")
    shown = outcome.page or "in the home's store; finlake up --with mlflow shows it"
    click.echo(f"run          {outcome.run} {shown}")


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
    _print_registered(outcome, "finlake-fraud", alias)
