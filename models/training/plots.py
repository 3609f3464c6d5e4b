"""Pictures of a model that people look at, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import precision_recall_curve

from models.features.events import Array
from models.training.judging import Compared, Judged
from models.training.learners import Fitted

__all__ = ["calibration", "importance", "precision_recall", "shap_summary"]

_SIZE = (7.0, 5.0)  # inches
_SHOWN = 20  # features
_GROUPS = 12


def precision_recall(path: Path, every: list[Compared]) -> None:
    """Precision against recall in the test, a line for each model; the first is the served one."""
    figure = Figure(_SIZE, layout="constrained")
    axes = figure.add_subplot()
    for number, one in enumerate(every):
        precision, recall, _ = precision_recall_curve(one.scored.label, one.scored.score)
        value = one.metrics["average precision"]
        label = f"{one.name}: {value:.3f}"
        axes.step(recall, precision, where="post", label=label, linewidth=1 if number else 2.2)
    share = every[0].scored.label.mean()
    axes.axhline(share, color="grey", linestyle=":", label=f"by chance: {share:.4f}")
    axes.set(xlabel="recall: share of frauds found", ylabel="precision: share of alarms right")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), title="Precision and recall in the test")
    axes.legend(title="average precision", fontsize=8)
    figure.savefig(path, dpi=110)


def calibration(path: Path, judged: Judged) -> None:
    """Shares of frauds against probabilities in the test, in groups of as many frauds."""
    probability, label = judged.probability, judged.test.scored.label
    order = np.argsort(probability, kind="stable")
    frauds = np.cumsum(label[order])
    group = np.minimum(frauds * _GROUPS // max(1, frauds[-1]), _GROUPS - 1)
    figure = Figure(_SIZE, layout="constrained")
    axes = figure.add_subplot()
    said, found, sizes = [], [], []
    for number in np.unique(group):
        rows = order[group == number]
        said.append(probability[rows].mean())
        found.append(label[rows].mean())
        sizes.append(len(rows))
    low = max(1e-6, min([value for value in (*said, *found) if value > 0], default=1e-4) / 2)
    axes.plot([low, 1], [low, 1], color="grey", linestyle=":", label="as it should be")
    axes.plot(np.maximum(said, low), np.maximum(found, low), "o-", label="the test")
    for x, y, size in zip(said, found, sizes, strict=True):
        axes.annotate(f"{size:,}", (max(x, low), max(y, low)), fontsize=7, xytext=(4, -9),
                      textcoords="offset points")  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(low, 1.3), ylim=(low, 1.3))
    axes.set(xlabel="probability, as a mean of the group", ylabel="share of frauds in the group")
    axes.set(title=f"Calibration: Brier score {judged.brier:.5f}, mean gap {judged.off:.5f}")
    axes.legend(title="beside each point: transactions", fontsize=8)
    figure.savefig(path, dpi=110)


def importance(path: Path, model: Fitted, names: tuple[str, ...]) -> None:
    """What each feature's splits gained in training, as shares of all."""
    gains = np.sum([_gain(member) for member in model.members], axis=0)
    shares = gains / max(gains.sum(), 1e-300)
    best = np.argsort(-shares, kind="stable")[:_SHOWN][::-1]
    figure = Figure((7.0, 6.0), layout="constrained")
    axes = figure.add_subplot()
    axes.barh([names[model.columns[place]] for place in best], shares[best])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(xlabel="share of the gain of all splits", title="Importance in training")
    axes.tick_params(axis="y", labelsize=8)
    figure.savefig(path, dpi=110)


def _gain(member: object) -> Array:
    booster = getattr(member, "booster_", None)
    if booster is not None:
        return np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    return np.asarray(member.feature_importances_, dtype=np.float64)  # type: ignore[attr-defined]


class _Explained(Protocol):
    @property
    def features(self) -> tuple[str, ...]: ...
    def contributions(self, values: Array) -> Array: ...


def shap_summary(
    path: Path, model: _Explained, values: Array, seed: int, of: str = "log odds of fraud"
) -> None:
    """What each feature adds for single transactions: a point each, red is high.

    ``values`` are rows of the model's features; its ``contributions`` add up to what ``of`` says.
    """
    pushed = model.contributions(values)
    best = np.argsort(-np.abs(pushed).mean(axis=0), kind="stable")[:_SHOWN][::-1]
    random = np.random.default_rng(seed)
    figure = Figure((8.0, 7.0), layout="constrained")
    axes = figure.add_subplot()
    colours = colormaps["coolwarm"].with_extremes(bad="grey")
    points = None
    for line, column in enumerate(best):
        heights = line + random.uniform(-0.3, 0.3, len(values))
        ranks = _ranks(values[:, column])
        points = axes.scatter(
            pushed[:, column], heights, c=ranks, cmap=colours, plotnonfinite=True,
            s=5, vmin=0, vmax=1, linewidths=0,
        )  # fmt: skip
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(best)), [model.features[column] for column in best], fontsize=8)
    axes.set(xlabel=f"what it adds to the {of} (SHAP value)")
    axes.set(title=f"What pushes the {of}, in {len(values):,} transactions of the test")
    if points is not None:
        bar = figure.colorbar(points, ax=axes, ticks=[0, 1], aspect=40)
        bar.ax.set_yticklabels(["low", "high"])
        bar.set_label("the feature's value; empty is grey")
    figure.savefig(path, dpi=110)


def _ranks(column: Array) -> Array:
    """Rank of each value, 0 to 1, the same for the same; NaN where it is."""
    there = ~np.isnan(column)
    found = np.full(len(column), np.nan)
    every, place = np.unique(column[there], return_inverse=True)
    found[there] = place / max(1, len(every) - 1)
    return found
