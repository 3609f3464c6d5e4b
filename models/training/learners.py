"""The kinds of models: the champion's gradient boosting, and what it has to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from finlake.errors import UsageProblem
from models.features.events import Array
from models.training.matrix import informative

__all__ = ["KINDS", "Balance", "Fitted", "Recipe", "fit", "scaled"]

Balance = Literal["none", "weights", "undersampling"]
"""What is done about frauds being rare: nothing, they weigh more, or genuine rows are left out."""

_GENUINE_PER_FRAUD = 20  # what balancing leaves


class _Classifier(Protocol):
    def fit(self, x: Array, y: Array, **more: Any) -> Any: ...
    def predict_proba(self, x: Array) -> Array: ...


def _lightgbm(params: Mapping[str, Any], seed: int) -> Any:
    from lightgbm import LGBMClassifier

    chosen: dict[str, Any] = {
        "n_estimators": 150,
        "learning_rate": 0.04,
        "num_leaves": 15,
        "min_child_samples": 40,
        "subsample": 0.8,
        "subsample_freq": 1,
        "colsample_bytree": 0.4,
        "reg_lambda": 5.0,
        **params,
    }
    return LGBMClassifier(
        **chosen,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        n_jobs=2,
        verbose=-1,
    )


def _xgboost(params: Mapping[str, Any], seed: int) -> Any:
    from xgboost import XGBClassifier

    chosen: dict[str, Any] = {
        "n_estimators": 150,
        "learning_rate": 0.05,
        "max_depth": 4,
        "min_child_weight": 5,
        "subsample": 0.8,
        "colsample_bytree": 0.4,
        "reg_lambda": 5.0,
        **params,
    }
    return XGBClassifier(**chosen, tree_method="hist", random_state=seed, n_jobs=2)


def _forest(params: Mapping[str, Any], seed: int) -> Any:
    chosen: dict[str, Any] = {"n_estimators": 200, "min_samples_leaf": 5, **params}
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value=-1.0),
        # With several threads its trees are added up in the order in which they end.
        RandomForestClassifier(**chosen, random_state=seed, n_jobs=1),
    )


def _logistic(params: Mapping[str, Any], seed: int) -> Any:
    chosen: dict[str, Any] = {"C": 0.1, "max_iter": 1000, **params}
    return make_pipeline(*_scaling(seed), LogisticRegression(**chosen, random_state=seed))


def scaled(seed: int) -> Any:
    """Features as models want them that weigh or measure: none empty, ranks, mean 0, spread 1."""
    return make_pipeline(*_scaling(seed))


def _scaling(seed: int) -> tuple[Any, ...]:
    return (
        SimpleImputer(strategy="median", keep_empty_features=True),
        QuantileTransformer(n_quantiles=200, subsample=50_000, random_state=seed),
        StandardScaler(),
    )


KINDS: dict[str, Callable[[Mapping[str, Any], int], Any]] = {
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "forest": _forest,
    "logistic": _logistic,
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a model besides the data; the mean of ``seeds`` models is taken."""

    kind: str = "lightgbm"
    params: Mapping[str, Any] = field(default_factory=dict)
    balance: Balance = "none"
    seeds: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageProblem(f"no kind of model {self.kind}; choose one of {', '.join(KINDS)}")

    def __str__(self) -> str:
        params = ", ".join(f"{name} {value}" for name, value in self.params.items())
        more = [params] * bool(params)
        more += [self.balance] * (self.balance != "none")
        more += [f"{self.seeds} seeds"] * (self.seeds > 1)
        return f"{self.kind} ({'; '.join(more)})" if more else self.kind


@dataclass(frozen=True)
class Fitted:
    """A model that has learnt: the columns it looks at, and its members."""

    recipe: Recipe
    columns: Array
    members: tuple[_Classifier, ...]

    def score(self, values: Array) -> Array:
        """How likely each row is a fraud, 0 to 1; not calibrated."""
        seen = values[:, self.columns]
        every = [m.predict_proba(seen)[:, 1] for m in self.members]
        return np.asarray(np.mean(every, axis=0, dtype=np.float64))


def fit(recipe: Recipe, values: Array, label: Array, seed: int = 0) -> Fitted:
    """Learn from rows of features and their labels (0 or 1).

    The same rows, recipe and seed give the same model.
    """
    columns = informative(values)
    seen = values[:, columns]
    members = []
    for number in range(recipe.seeds):
        own = seed * 1000 + number
        rows = _rows(recipe.balance, label, own)
        model = KINDS[recipe.kind](recipe.params, own)
        model.fit(seen[rows], label[rows], **_weights(model, recipe.balance, label[rows]))
        members.append(model)
    return Fitted(recipe, columns, tuple(members))


def _rows(balance: Balance, label: Array, seed: int) -> Array:
    if balance != "undersampling":
        return np.arange(len(label))
    random = np.random.default_rng(seed)
    fraud, genuine = np.flatnonzero(label == 1), np.flatnonzero(label != 1)
    wanted = min(len(genuine), _GENUINE_PER_FRAUD * len(fraud))
    return np.sort(np.concatenate([fraud, random.choice(genuine, wanted, replace=False)]))


def _weights(model: BaseEstimator, balance: Balance, label: Array) -> dict[str, Array]:
    if balance != "weights":
        return {}
    frauds = max(1, int((label == 1).sum()))
    weight = max(1.0, (len(label) - frauds) / (_GENUINE_PER_FRAUD * frauds))
    name = f"{model.steps[-1][0]}__sample_weight" if hasattr(model, "steps") else "sample_weight"
    return {name: np.where(label == 1, weight, 1.0)}
