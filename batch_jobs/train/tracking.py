"""A training as a run of MLflow: what it was made of, what came out, pictures, and each trial."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from models.artifact import Origin
from models.registry import Registry
from models.training.judging import Compared, Judged
from models.training.learners import Recipe
from models.training.metrics import METRICS
from models.training.prequential import DELAY_DAYS, Task, Trial
from models.training.threshold import Costs

__all__ = ["Logged", "log"]

_NAMES = dict(
    zip(METRICS, ("average_precision", "card_precision_100", "recall_at_90", "auc"), strict=True)
)
"""MLflow takes no ``@`` and no ``%`` in names."""


@dataclass(frozen=True)
class Logged:
    """All that a run keeps."""

    task: Task
    origin: Origin
    costs: Costs
    judged: Judged
    others: tuple[Compared, ...]
    trials: tuple[Trial, ...]


def log(registry: Registry, logged: Logged, pictures: Path) -> str:
    """Keep it, with a run below it for each trial; returns the run's id.

    Raises:
        ComponentMissing: the registry cannot be reached.
    """
    origin, recipe = logged.origin, logged.judged.model.recipe
    noted = {"commit": origin.commit, "contracts": origin.contracts, "kind": recipe.kind}
    with registry.run(f"train {recipe.kind}", noted) as run:
        run.log(_params(logged), _metrics(logged))
        for trial in logged.trials:
            with registry.run(str(trial.recipe), {"kind": trial.recipe.kind}, run.id) as below:
                below.log(_of(trial.recipe), _validation(trial))
        with TemporaryDirectory() as place:
            _write(Path(place), logged)
            run.add(Path(place))
        run.add(pictures, "plots")
        return run.id


def _params(logged: Logged) -> dict[str, str]:
    task, plan, costs = logged.task, logged.task.plan, logged.costs
    return {
        **_of(logged.judged.model.recipe),
        "seed": str(logged.origin.seed),
        "trained": f"{plan.trained[0]} to {plan.trained[1]}",
        "tested": f"{plan.tested[0]} to {plan.tested[1]}",
        "label_delay_days": str(DELAY_DAYS),
        "folds": str(plan.folds),
        "features": str(len(logged.judged.model.columns)),
        "rows_trained": str(len(task.final.train)),
        "rows_tested": str(len(task.final.test)),
        "cost_missed_fraud": str(costs.missed_fraud),
        "cost_false_alarm": str(costs.false_alarm),
        "alarms_a_day": str(costs.alarms_a_day),
        **{f"delta.{table}": str(version) for table, version in logged.origin.tables.items()},
    }


def _of(recipe: Recipe) -> dict[str, str]:
    return {
        "kind": recipe.kind,
        "balance": recipe.balance,
        **{name: str(value) for name, value in recipe.params.items()},
    }


def _metrics(logged: Logged) -> dict[str, float]:
    judged = logged.judged
    found = {
        "threshold": judged.expected.score,
        "cost_a_day_validation": judged.expected.cost,
        "cost_a_day": judged.cost.cost,
        "alarms_a_day": judged.cost.alarms,
        "brier": judged.brier,
        "calibration_gap": judged.off,
    }
    for name, short in _NAMES.items():
        found[short] = judged.test.metrics[name]
        found[f"{short}_low"], found[f"{short}_high"] = judged.test.spread[name]
        for other in logged.others:
            found[f"{other.name.replace(', ', '_').replace(' ', '_')}/{short}"] = other.metrics[
                name
            ]
    return found


def _validation(trial: Trial) -> dict[str, float]:
    windows = {f"average_precision_{n}": value for n, value in enumerate(trial.precisions, 1)}
    return {"average_precision": trial.precision, **windows}


def _write(folder: Path, logged: Logged) -> None:
    model = logged.judged.model
    names = [logged.task.names[column] for column in model.columns]
    (folder / "features.json").write_text(json.dumps(names, indent=1), encoding="utf-8")
    every = [
        {"name": one.name, "metrics": one.metrics, "low and high": one.spread}
        for one in (logged.judged.test, *logged.others)
    ]
    (folder / "comparison.json").write_text(json.dumps(every, indent=1), encoding="utf-8")
