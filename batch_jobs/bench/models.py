"""``finlake bench models``: how well frauds are told, week after week."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

from batch_jobs.bench.figures import Figure, Figures
from models.training.handbook import CHAMPION, Week, read, weeks
from models.training.learners import Recipe
from models.training.metrics import METRICS

__all__ = ["models", "told"]


def models(data: Path, start: date, count: int, kind: str, seed: int) -> Iterator[Figure]:
    """Figures of the week whose training begins on ``start``, of those before it, and of all.

    Each week is learnt from its own days alone; its features look at the whole past.

    Raises:
        UsageProblem: the file cannot be read, or does not reach over the days.
        FinlakeError: a week has no frauds to learn from or to judge by.
    """
    recipe = CHAMPION if kind == "champion" else Recipe(kind)
    packages = {name: version(name) for name in ("lightgbm", "scikit-learn", "xgboost-cpu")}
    found: list[Week] = []
    for week in weeks(read(data), start, count=count, recipe=recipe, seed=seed):
        found.append(week)
        yield from _figures(week, str(recipe), seed, packages)
    params: dict[str, float | int | str] = {
        "weeks": len(found), "model": str(recipe), "seed": seed,
    }  # fmt: skip
    made = Figures("models", params, packages)
    for name in METRICS:
        values = [week.metrics[name] for week in found]
        yield made.of(f"{name}, mean", float(np.mean(values)), "share")
        yield made.of(f"{name}, spread", float(np.std(values)), "share")


def _figures(week: Week, model: str, seed: int, packages: dict[str, str]) -> Iterator[Figure]:
    params: dict[str, float | int | str] = {
        "start": str(week.start),
        "test": str(week.first_test_day),
        "frauds": week.frauds,
        "transactions": week.transactions,
        "model": model,
        "seed": seed,
    }
    made = Figures("models", params, packages)
    for name in METRICS:
        yield made.of(name, week.metrics[name], "share")
        for bound, value in zip(("low", "high"), week.spread.get(name, ()), strict=False):
            yield made.of(f"{name}, {bound}", value, "share")


def told(figure: Figure) -> str:
    """A figure as a line of text."""
    of = figure.params.get("start")
    where = f"START={of}" if of else f"{figure.params['weeks']} weeks"
    return f"{where}  {figure.metric}  {figure.value:.4f}"
