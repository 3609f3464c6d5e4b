"""``finlake train category`` and ``amount``: from the lake to a model in the registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from batch_jobs.bench.figures import commit
from batch_jobs.train.reading import TABLES, read
from infra.lake.query import Query
from infra.settings import Settings
from lakehouse_schemas import contracts
from models.artifact import Origin
from models.features import Events
from models.features.events import Array
from models.registry import CHAMPION, NAMES, Registry
from models.spending import plots
from models.spending.amount import Amount
from models.spending.category import Category
from models.spending.judging import Told, judge_amount, judge_category
from models.spending.learning import Purchases, learn_amount, learn_category
from models.spending.plan import Plan, draw
from models.training.plots import shap_summary

__all__ = ["Asked", "Outcome", "What", "train"]

What = Literal["category", "amount"]

_MOST_PAST = 3_000_000  # purchases that the simple quantiles are taken of
_EXPLAINED = 2_000


@dataclass(frozen=True)
class Asked:
    """What to train; see ``finlake train --help``."""

    what: What
    since: date | None = None
    until: date | None = None
    test_days: int | None = None
    seed: int = 0
    alias: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came out: the version in the registry, and how it and the simple guesses did.

    ``page`` is the run's in MLflow, empty without a server; the first of ``told`` is the model.
    """

    name: str
    version: int
    sha256: str
    run: str
    page: str
    plan: Plan
    told: tuple[Told, ...]


@dataclass(frozen=True)
class _Learnt:
    model: Category | Amount
    told: list[Told]
    recipe: str
    draw: Callable[[Path], None]
    more: Mapping[str, object]


def train(
    settings: Settings, asked: Asked, said: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Read, learn, judge beside simple guesses, and keep the model with all of that in MLflow.

    The same data and seed give the same model.

    Raises:
        FinlakeError: there are too few days or transactions.
        ComponentMissing: the lake or the registry cannot be reached.
    """
    registry = Registry(settings, NAMES[asked.what])
    registry.version(CHAMPION)  # a registry that is down is told before the work, not after
    events, versions = read(settings, asked.since, asked.until)
    plan = Plan.of(events, asked.since, asked.until, asked.test_days)
    said(
        f"{len(events):,} transactions; training {plan.trained[0]} to {plan.trained[1]}, test"
        f" {plan.tested[0]} to {plan.tested[1]}"
    )
    names = _words(settings)
    learn = _category if asked.what == "category" else _amount
    learnt = learn(events, plan, asked.seed, names)
    first = learnt.told[0]
    origin = Origin(
        recipe=learnt.recipe,
        seed=asked.seed,
        trained=plan.trained,
        tested=plan.tested,
        tables=versions,
        contracts=contracts.fingerprint(TABLES),
        commit=commit(),
        metrics=first.metrics,
    )
    with TemporaryDirectory() as place:
        folder, pictures = Path(place) / "model", Path(place) / "plots"
        pictures.mkdir()
        sha256 = learnt.model.save(folder, origin)
        learnt.draw(pictures)
        run = _log(registry, asked, plan, origin, learnt, pictures)
        version = registry.register(folder, run)
    registry.appoint(version, asked.alias)
    return Outcome(
        registry.name, version, sha256, run, registry.page(run), plan, tuple(learnt.told)
    )


def _words(settings: Settings) -> dict[int, str]:
    found = Query(settings).query("SELECT mcc, description FROM gold.dim_mcc")
    pairs = zip(
        found.column("mcc").to_pylist(), found.column("description").to_pylist(), strict=True
    )
    return dict(pairs)


def _category(events: Events, plan: Plan, seed: int, names: Mapping[int, str]) -> _Learnt:
    model, rows = learn_category(events, plan, seed)
    told = judge_category(model, events, rows, seed)

    def pictures(folder: Path) -> None:
        plots.accuracy(folder / "accuracy.png", told)
        plots.sureness(folder / "calibration.png", model, rows)
        plots.confusion(folder / "confusion.png", model, rows, names)
        plots.evidence(folder / "evidence.png", model, rows)

    recipe = f"multinomial logit over evidence, {len(model.classes)} categories"
    return _Learnt(model, told, recipe, pictures, {"categories": len(model.classes)})


def _amount(events: Events, plan: Plan, seed: int, names: Mapping[int, str]) -> _Learnt:
    model, rows = learn_amount(events, plan, seed)
    before = draw(events, plan.trained, _MOST_PAST, seed, events["cents"] > 0)
    told = judge_amount(model, events, rows, before, seed)
    values = rows.of(model.features)
    ranges = model.ranges(values)
    mcc = events["mcc"][rows.position]

    def pictures(folder: Path) -> None:
        plots.intervals(folder / "intervals.png", rows.dollars, ranges)
        plots.coverage(folder / "coverage.png", rows.dollars, ranges, mcc, names)
        shown = _some(rows, seed)
        what = "logarithm of the expected amount"
        shap_summary(folder / "shap_summary.png", model, values[shown], seed, what)

    recipe = "lightgbm, three quantiles of the logarithm, conformal bounds"
    return _Learnt(model, told, recipe, pictures, {"shifts": list(model.shifts)})


def _some(rows: Purchases, seed: int) -> Array:
    drawn = np.random.default_rng(seed).permutation(len(rows.dollars))
    return np.sort(drawn[:_EXPLAINED])


def _log(
    registry: Registry, asked: Asked, plan: Plan, origin: Origin, learnt: _Learnt, pictures: Path
) -> str:
    noted = {"commit": origin.commit, "contracts": origin.contracts, "kind": asked.what}
    params = {
        "recipe": origin.recipe,
        "seed": str(origin.seed),
        "trained": f"{plan.trained[0]} to {plan.trained[1]}",
        "tested": f"{plan.tested[0]} to {plan.tested[1]}",
        "rows_tested": str(learnt.told[0].count),
        **{name: str(value) for name, value in learnt.more.items()},
        **{f"delta.{table}": str(version) for table, version in origin.tables.items()},
    }
    with registry.run(f"train {asked.what}", noted) as run:
        run.log(params, _metrics(learnt.told))
        with TemporaryDirectory() as place:
            _write(Path(place), learnt)
            run.add(Path(place))
        run.add(pictures, "plots")
        return run.id


def _metrics(told: Sequence[Told]) -> dict[str, float]:
    found = {}
    for number, one in enumerate(told):
        for name, value in one.metrics.items():
            short = _short(name)
            if number == 0:
                found[short] = value
                found[f"{short}_low"], found[f"{short}_high"] = one.spread[name]
            else:
                found[f"{_short(one.rows)}/{_short(one.name)}/{short}"] = value
    return found


def _short(text: str) -> str:
    """MLflow takes few marks in names."""
    return text.replace(" ", "_").replace("-", "_").lower()


def _write(folder: Path, learnt: _Learnt) -> None:
    features = json.dumps(list(learnt.model.features), indent=1)
    (folder / "features.json").write_text(features, encoding="utf-8")
    every = [
        {"rows": one.rows, "name": one.name, "count": one.count, "metrics": one.metrics,
         "low and high": one.spread}
        for one in learnt.told
    ]  # fmt: skip
    (folder / "comparison.json").write_text(json.dumps(every, indent=1), encoding="utf-8")
