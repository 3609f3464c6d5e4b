"""``finlake train``: from the lake to a model in the registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from batch_jobs.bench.figures import commit
from batch_jobs.train.reading import TABLES, read
from batch_jobs.train.tracking import Logged, log
from finlake.errors import FinlakeError
from infra.settings import Settings
from lakehouse_schemas import contracts
from models.artifact import SERVED, Origin, load, save
from models.features.events import Array
from models.features.view import DAY
from models.registry import CHAMPION, Registry
from models.training import plots
from models.training.anomaly import ANOMALY
from models.training.judging import RAW, Compared, Judged, compare, compare_anomaly, finish
from models.training.learners import KINDS, Balance, Recipe
from models.training.prequential import (
    Plan,
    Task,
    Trial,
    candidates,
    labelled_days,
    prepare,
    validate,
)
from models.training.split import day_number
from models.training.threshold import Costs

__all__ = ["Asked", "Outcome", "train"]

_LEAST_FRAUDS = 20
_EXPLAINED = 2000  # transactions in the picture of what pushes scores
_BALANCES: tuple[Balance, ...] = ("weights", "undersampling")


@dataclass(frozen=True)
class Asked:
    """What to train.

    ``kind`` is lightgbm, xgboost, or empty for the better one. At most ``trials`` recipes are tried
    in tuning, and none is begun when ``budget_s`` seconds are over.
    """

    kind: str = ""
    since: date | None = None
    until: date | None = None
    test_days: int | None = None
    trials: int = 12
    budget_s: float = 600
    seed: int = 0
    alias: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came out: the version in the registry, and how the served and the others did.

    ``page`` is the run's in MLflow, empty without a server; ``frauds`` are those that were learnt
    from and those of the test; ``tuned`` is how many of the trials were tuning.
    """

    version: int
    sha256: str
    run: str
    page: str
    plan: Plan
    frauds: tuple[int, int]
    trials: tuple[Trial, ...]
    tuned: int
    judged: Judged
    others: tuple[Compared, ...]


def train(
    settings: Settings, asked: Asked, said: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Read, compare, tune, learn, judge, and keep the model with all of that in MLflow.

    The same data, seed and number of trials give the same model; the budget only ends tuning early.

    Raises:
        FinlakeError: there are no labels, too few frauds, or too few days.
        ComponentMissing: the lake or the registry cannot be reached.
        UsageProblem: the costs in the settings make no sense.
    """
    costs = Costs(settings.cost_missed_fraud, settings.cost_false_alarm, settings.alarms_a_day)
    registry = Registry(settings)
    registry.version(CHAMPION)  # a registry that is down is told before the work, not after
    task, versions = _prepared(settings, asked, said)
    trials, tuned = _search(task, asked, said)
    best = max((t for t in trials if asked.kind in ("", t.recipe.kind)), key=_precision)
    said(f"chosen: {best.recipe}; judging it and the others by the test")
    judged = finish(task, best, costs, asked.seed)
    others = tuple(_others(task, best.recipe, asked.seed))
    origin = Origin(
        recipe=str(best.recipe),
        seed=asked.seed,
        trained=task.plan.trained,
        tested=task.plan.tested,
        tables=versions,
        contracts=contracts.fingerprint(TABLES),
        commit=commit(),
        metrics=judged.test.metrics,
    )
    learnt, told = (int((task.label[rows] == 1).sum()) for rows in task.final)
    with TemporaryDirectory() as place:
        folder, pictures = Path(place) / "model", Path(place) / "plots"
        threshold = judged.expected.score
        sha256 = save(folder, judged.model, task.names, judged.calibration, threshold, origin)
        _draw(pictures, task, judged, others, folder, asked.seed)
        run = log(registry, Logged(task, origin, costs, judged, others, trials), pictures)
        version = registry.register(folder, run)
    registry.appoint(version, asked.alias)
    return Outcome(
        version=version,
        sha256=sha256,
        run=run,
        page=registry.page(run),
        plan=task.plan,
        frauds=(learnt, told),
        trials=trials,
        tuned=tuned,
        judged=judged,
        others=others,
    )


def _prepared(
    settings: Settings, asked: Asked, said: Callable[[str], None]
) -> tuple[Task, Mapping[str, int]]:
    events, versions = read(settings, asked.since, asked.until)
    first, last = labelled_days(events, asked.since, asked.until)
    day = np.floor_divide(events["ts"], DAY)
    there = (day >= day_number(first)) & (day <= day_number(last))
    frauds = int((events["label"][there] == 1).sum())
    if frauds < _LEAST_FRAUDS:
        raise FinlakeError(
            f"silver.fraud_labels: {frauds} frauds from {first} to {last}, and a model needs"
            f" {_LEAST_FRAUDS}; load more history, or choose more days by --from and --until"
        )
    plan = Plan.of(first, last, asked.test_days)
    said(
        f"{len(events):,} transactions, {frauds:,} frauds; training {plan.trained[0]} to"
        f" {plan.trained[1]}, test {plan.tested[0]} to {plan.tested[1]}"
    )
    return prepare(events, plan, asked.seed), versions


def _search(task: Task, asked: Asked, said: Callable[[str], None]) -> tuple[tuple[Trial, ...], int]:
    """Every trial, and how many of them were tuning."""
    found = []

    def attempt(recipe: Recipe) -> Trial:
        found.append(validate(task, recipe, asked.seed))
        said(f"validation {found[-1].precision:.4f}  {recipe}")
        return found[-1]

    kinds = [attempt(Recipe(kind)) for kind in SERVED]
    best = max((trial for trial in kinds if asked.kind in ("", trial.recipe.kind)), key=_precision)
    others = [attempt(replace(best.recipe, balance=balance)) for balance in _BALANCES]
    best = max([best, *others], key=_precision)
    until = time.monotonic() + asked.budget_s
    for tuned, recipe in enumerate(islice(candidates(best.recipe, asked.seed), asked.trials)):
        if time.monotonic() > until:
            said(
                f"tuning: the budget of {asked.budget_s:.0f} s ended it after {tuned} of"
                f" {asked.trials} trials; --trials {tuned} gives the same model again"
            )
            return tuple(found), tuned
        attempt(recipe)
    return tuple(found), asked.trials


def _precision(trial: Trial) -> float:
    return trial.precision


def _others(task: Task, chosen: Recipe, seed: int) -> Iterator[Compared]:
    """What the served model has to beat in the test."""
    for kind in KINDS:
        if kind != chosen.kind:
            yield compare(task, kind, Recipe(kind), seed)
    yield compare(task.only(RAW), f"{chosen.kind}, raw columns", chosen, seed)
    for kind in ANOMALY:
        yield compare_anomaly(task, kind, seed)


def _draw(
    folder: Path, task: Task, judged: Judged, others: tuple[Compared, ...], saved: Path, seed: int
) -> None:
    folder.mkdir()
    plots.precision_recall(folder / "precision_recall.png", [judged.test, *others])
    plots.calibration(folder / "calibration.png", judged)
    plots.importance(folder / "importance.png", judged.model, task.names)
    model = load(saved)
    values = task.values[:, judged.model.columns][_shown(task, seed)]
    plots.shap_summary(folder / "shap_summary.png", model, values, seed)


def _shown(task: Task, seed: int) -> Array:
    """Rows of the test to explain: frauds and others, half and half where there are so many."""
    random = np.random.default_rng(seed)
    rows = []
    for label in (0, 1):
        there = task.final.test[task.label[task.final.test] == label]
        rows.append(random.permutation(there)[: _EXPLAINED // 2])
    return np.sort(np.concatenate(rows))
