"""``finlake bench models``: how well frauds are told, week after week, or in a whole set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

from batch_jobs.bench.figures import Figure, Figures
from models.features import Events
from models.training.handbook import CHAMPION, Week, read, weeks
from models.training.judging import RAW, Compared, compare
from models.training.learners import Recipe
from models.training.metrics import METRICS
from models.training.prequential import Plan, labelled_days, prepare

__all__ = ["models", "of_set", "told"]

_FAMILIES = ("lightgbm", "forest", "logistic")
_MOST_GENUINE = 50_000  # that models of a set learn from: a forest over all would take hours


def models(data: Path, start: date, count: int, kind: str, seed: int) -> Iterator[Figure]:
    """Figures of the week whose training begins on ``start``, of those before it, and of all.

    Each week is learnt from its own days alone; its features look at the whole past.

    Raises:
        UsageProblem: the file cannot be read, or does not reach over the days.
        FinlakeError: a week has no frauds to learn from or to judge by.
    """
    recipe = CHAMPION if kind == "champion" else Recipe(kind)
    found: list[Week] = []
    for week in weeks(read(data), start, count=count, recipe=recipe, seed=seed):
        found.append(week)
        yield from _figures(week, str(recipe), seed)
    params: dict[str, float | int | str] = {
        "weeks": len(found), "model": str(recipe), "seed": seed,
    }  # fmt: skip
    made = Figures("models", params, _packages())
    for name in METRICS:
        values = [week.metrics[name] for week in found]
        yield made.of(f"{name}, mean", float(np.mean(values)), "share")
        yield made.of(f"{name}, spread", float(np.std(values)), "share")


def of_set(
    events: Events, name: str, since: date | None, test_days: int | None, kind: str, seed: int
) -> Iterator[Figure]:
    """Figures of models that see all features, and of the same kinds over the raw columns alone.

    The protocol is that of ``finlake train``: the last days are the test, labels and features made
    from labels are 7 days late, and cards known to be compromised are left out of the test. No
    recipe is tuned, and of many genuine transactions to learn from so many are drawn. ``name`` says
    which set it is.

    Raises:
        FinlakeError: there are no labels, too few days, or no frauds to learn from or judge by.
    """
    plan = Plan.of(*labelled_days(events, since, None), test_days, folds=0)
    task = prepare(events, plan, seed, _MOST_GENUINE)
    learnt, judged = (int((task.label[rows] == 1).sum()) for rows in task.final)
    champion = CHAMPION.kind if kind == "champion" else kind
    for which, columns in (("all features", task), ("raw columns", task.only(RAW))):
        for one in dict.fromkeys((champion, *_FAMILIES)):
            params: dict[str, float | int | str] = {
                "set": name, "model": one, "columns": which, "features": len(columns.names),
                "trained": f"{plan.trained[0]} to {plan.trained[1]}",
                "tested": f"{plan.tested[0]} to {plan.tested[1]}",
                "frauds trained": learnt, "frauds tested": judged,
                "transactions tested": len(task.final.test), "seed": seed,
            }  # fmt: skip
            found = compare(columns, one, Recipe(one), seed)
            yield from _measured(Figures("models", params, _packages()), found)


def _measured(made: Figures, found: Week | Compared) -> Iterator[Figure]:
    for name in METRICS:
        yield made.of(name, found.metrics[name], "share")
        for bound, value in zip(("low", "high"), found.spread.get(name, ()), strict=False):
            yield made.of(f"{name}, {bound}", value, "share")


def _packages() -> dict[str, str]:
    return {name: version(name) for name in ("lightgbm", "scikit-learn", "xgboost-cpu")}


def _figures(week: Week, model: str, seed: int) -> Iterator[Figure]:
    params: dict[str, float | int | str] = {
        "start": str(week.start),
        "test": str(week.first_test_day),
        "frauds": week.frauds,
        "transactions": week.transactions,
        "model": model,
        "seed": seed,
    }
    return _measured(Figures("models", params, _packages()), week)


def told(figure: Figure) -> str:
    """A figure as a line of text."""
    if "set" in figure.params:
        where = "  ".join(str(figure.params[name]) for name in ("set", "columns", "model"))
        return f"{where}  {figure.metric}  {figure.value:.4f}"
    of = figure.params.get("start")
    where = f"START={of}" if of else f"{figure.params['weeks']} weeks"
    return f"{where}  {figure.metric}  {figure.value:.4f}"
