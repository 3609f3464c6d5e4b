"""Models that see no labels: how far they come shows what labels are worth."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline

from models.features.events import Array
from models.training.learners import scaled
from models.training.matrix import informative

__all__ = ["ANOMALY", "anomaly"]

_MOST_ROWS = 100_000  # to learn what is usual from; more change little
_EPOCHS = 15
_HIDDEN = (64, 16, 64)


def anomaly(kind: str, train: Array, test: Array, seed: int) -> Array:
    """How unusual each row of ``test`` is, having seen ``train``; higher is more so.

    Both are features, a row each. The same rows and seed give the same scores.
    """
    columns = informative(train)
    random = np.random.default_rng(seed)
    drawn = random.choice(len(train), min(len(train), _MOST_ROWS), replace=False)
    return _KINDS[kind](train[np.sort(drawn)][:, columns], test[:, columns], seed)


def _isolation_forest(train: Array, test: Array, seed: int) -> Array:
    """Few random splits set apart what is rare (Liu, Ting and Zhou, 2008)."""
    forest = IsolationForest(n_estimators=200, max_samples=1024, random_state=seed, n_jobs=1)
    model = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), forest)
    model.fit(train)
    return np.asarray(-model.score_samples(test))


def _autoencoder(train: Array, test: Array, seed: int) -> Array:
    """What a narrow network cannot tell from what it has seen: mean squared error of a row."""
    scale = scaled(seed).fit(train)
    seen, asked = scale.transform(train), scale.transform(test)
    network = MLPRegressor(
        hidden_layer_sizes=_HIDDEN,
        batch_size=256,
        max_iter=_EPOCHS,
        n_iter_no_change=_EPOCHS,
        tol=1e-12,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is meant to stop after so many
        network.fit(seen, seen)
    return np.asarray(np.mean((network.predict(asked) - asked) ** 2, axis=1))


_KINDS: dict[str, Callable[[Array, Array, int], Array]] = {
    "isolation forest": _isolation_forest,
    "autoencoder": _autoencoder,
}

ANOMALY = tuple(_KINDS)
