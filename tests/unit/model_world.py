"""Small models of the catalogue's features, quick to learn and to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import Origin, save
from models.features import NAMES
from models.features.events import Array
from models.training.learners import KINDS, Fitted, Recipe, fit
from models.training.threshold import Calibration, calibrate

ORIGIN = Origin(
    recipe="small",
    seed=3,
    trained=(date(2020, 1, 1), date(2020, 2, 1)),
    tested=(date(2020, 2, 9), date(2020, 2, 16)),
    tables={"silver.transactions": 7},
    contracts="c" * 64,
    commit="abc1234",
    metrics={"average precision": 0.5},
)


def problem(rows: int = 1500, seed: int = 0) -> tuple[Array, Array]:
    """Values of all features, of which the first two make frauds, and labels."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, len(NAMES))).astype(np.float32)
    values[random.random(rows) < 0.1, 1] = np.nan
    push = values[:, 0] + np.nan_to_num(values[:, 1])
    label = (push + random.normal(size=rows) * 0.3 > 2.0).astype(np.int64)
    return values, label


@cache
def fitted(kind: str, seeds: int = 1, seed: int = 3) -> tuple[Fitted, Calibration]:
    """A model of few trees and its calibration."""
    values, label = problem()
    model = fit(
        Recipe(kind, {"n_estimators": 12, "learning_rate": 0.3}, seeds=seeds), values, label, seed
    )
    fresh, truth = problem(seed=2)
    return model, calibrate(model.score(fresh), truth)


def saved(folder: Path, kind: str, seed: int = 3) -> Path:
    """That model in a folder."""
    model, calibration = fitted(kind, seed=seed)
    save(folder, model, NAMES, calibration, 0.3, ORIGIN)
    return folder


def quick_learners(patch: pytest.MonkeyPatch) -> None:
    """Have whole trainings done in a fraction of their time: few trees and rounds of every kind."""
    for kind, trees in {"lightgbm": 25, "xgboost": 25, "forest": 15}.items():
        patch.setitem(KINDS, kind, partial(_with_fewer, KINDS[kind], trees))
    patch.setattr("models.training.anomaly._EPOCHS", 2)


def _with_fewer(
    made: Callable[[Mapping[str, Any], int], Any], trees: int, params: Mapping[str, Any], seed: int
) -> Any:
    return made({**params, "n_estimators": trees}, seed)
