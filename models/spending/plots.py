"""Pictures of models of spending that people look at, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from models.features.events import Array
from models.spending.amount import LEVELS, Range
from models.spending.category import EVIDENCE, SITUATIONS, Category
from models.spending.judging import Told
from models.spending.learning import Rows

__all__ = ["accuracy", "confusion", "coverage", "evidence", "intervals", "sureness"]

_GROUPS = 10
_SHOWN = 15  # categories
_DPI = 110


def accuracy(path: Path, told: Sequence[Told]) -> None:
    """How often the first guess and the first three are right, by rows and guesser."""
    figure = Figure((8.0, 0.42 * len(told) + 1.6), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(told))[::-1]
    first = np.array([one.metrics["accuracy"] for one in told])
    three = np.array([one.metrics["top-3 accuracy"] for one in told])
    axes.barh(places, three, color="#c6d7ea", label="one of the first three right")
    axes.barh(places, first, color="#2f6aa8", height=0.5, label="first guess right")
    for place, low, high in zip(places, first, three, strict=True):
        axes.text(max(low, high) + 0.01, place, f"{low:.3f} / {high:.3f}", va="center", fontsize=8)
    axes.set_yticks(places, [f"{one.rows}: {one.name}" for one in told], fontsize=8)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(xlim=(0, 1.18), title="Categories told in the test")
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    figure.savefig(path, dpi=_DPI)


def sureness(path: Path, model: Category, rows: Rows) -> None:
    """Shares of right first guesses against their probability, in groups of as many rows."""
    figure = Figure((7.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as it should be")
    unknown = np.full(len(rows.mcc), SITUATIONS.index("no merchant"))
    for name, situation in (("as they are", rows.situation), ("no merchant", unknown)):
        guess = model.best(model.probabilities(rows.seen, situation), 1)
        sure, right = guess.probability[:, 0], guess.category[:, 0] == rows.mcc
        groups = np.array_split(np.argsort(sure, kind="stable"), _GROUPS)
        said = [sure[group].mean() for group in groups if len(group)]
        found = [right[group].mean() for group in groups if len(group)]
        axes.plot(said, found, "o-", label=f"{name}: {right.mean():.3f} right")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), title="How sure the first guess is")
    axes.set(xlabel="its probability, as a mean of a tenth of the rows", ylabel="share right")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=_DPI)


def confusion(path: Path, model: Category, rows: Rows, names: Mapping[int, str]) -> None:
    """Which of the commonest categories are taken for which, where no merchant is told."""
    unknown = np.full(len(rows.mcc), SITUATIONS.index("no merchant"))
    guess = model.best(model.probabilities(rows.seen, unknown), 1).category[:, 0]
    every, count = np.unique(rows.mcc, return_counts=True)
    shown = every[np.argsort(-count, kind="stable")[:_SHOWN]]
    table = np.array([[np.sum((rows.mcc == a) & (guess == b)) for b in shown] for a in shown])
    shares = table / np.array([np.sum(rows.mcc == code) for code in shown])[:, None]
    figure = Figure((9.5, 7.5), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=max(0.01, float(shares.max())))
    labels = [f"{code} {names.get(int(code), '')}"[:30].rstrip() for code in shown]
    axes.set_yticks(range(len(shown)), labels, fontsize=7)
    axes.set_xticks(range(len(shown)), [str(code) for code in shown], fontsize=7, rotation=60)
    for (row, column), value in np.ndenumerate(shares):
        if value >= 0.01:
            colour = "white" if value > 0.6 * shares.max() else "black"
            axes.text(column, row, f"{value:.0%}", ha="center", va="center", fontsize=6, c=colour)
    axes.set(xlabel="first guess", ylabel="category", title="Taken for which, no merchant told")
    figure.colorbar(image, ax=axes, format=PercentFormatter(1.0), label="share of the category")
    figure.savefig(path, dpi=_DPI)


def evidence(path: Path, model: Category, rows: Rows) -> None:
    """How much each piece of evidence tells the right category from the others."""
    there = np.isin(rows.mcc, model.classes)
    place = np.searchsorted(model.classes, rows.mcc[there])
    every = model.knowledge.evidence(rows.seen.take(there))
    own = every[:, np.arange(len(place)), place] - every.mean(axis=2)
    figure = Figure((8.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    unknown = np.full(len(place), SITUATIONS.index("no merchant"))
    situation = rows.situation[there]
    lines = np.arange(len(EVIDENCE))[::-1]
    for number, name in enumerate(SITUATIONS):
        which = situation == number if name != "no merchant" else unknown == number
        if not which.any():
            continue
        gain = (own[:, which] * model.weights[number][:, None]).mean(axis=1)
        gain = np.where(model.weights[number] != 0, gain, 0.0)
        if name == "no merchant":
            gain[EVIDENCE.index("merchant")] = 0.0
        axes.barh(lines + 0.27 - 0.27 * number, gain, height=0.25, label=name)
    axes.set_yticks(lines, EVIDENCE, fontsize=8)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="what it adds to the right category's score, over the mean of all categories")
    axes.set(title="What evidence is worth in the test")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=_DPI)


def intervals(path: Path, dollars: Array, told: Range) -> None:
    """What purchases of the test cost against what was expected, with the interval's bounds."""
    figure = Figure((7.5, 5.5), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(told.middle, dollars, s=2, alpha=0.25, color="grey", linewidths=0)
    groups = np.array_split(np.argsort(told.middle, kind="stable"), 2 * _GROUPS)
    middles = [np.median(told.middle[group]) for group in groups]
    lines = (
        ("95 %", told.high, "--", "#b2182b"),
        ("half", told.middle, "-", "#2166ac"),
        ("5 %", told.low, "--", "#b2182b"),
    )
    for name, bound, style, colour in lines:
        points = [np.median(bound[group]) for group in groups]
        axes.plot(middles, points, style, color=colour, label=f"{name} cost less, as told")
    for level, marker in zip(LEVELS, "v_^", strict=True):
        found = [np.quantile(dollars[group], level) for group in groups]
        axes.plot(middles, found, marker, color="black", markersize=5)
    axes.plot([], [], "k^", markersize=5, label="as found in a twentieth of the rows")
    axes.set(xscale="log", yscale="log", title="Amounts in the test")
    axes.set(xlabel="expected amount, US dollars", ylabel="amount, US dollars")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=_DPI)


def coverage(path: Path, dollars: Array, told: Range, mcc: Array, names: Mapping[int, str]) -> None:
    """Share of purchases inside the interval, by category and by expected amount."""
    inside = (dollars >= told.low) & (dollars <= told.high)
    every, count = np.unique(mcc, return_counts=True)
    shown = every[np.argsort(-count, kind="stable")[:_SHOWN]]
    figure = Figure((10.0, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    lines = np.arange(len(shown))[::-1]
    left.barh(lines, [inside[mcc == code].mean() for code in shown], color="#8fb3d6")
    left.set_yticks(lines, [f"{c} {names.get(int(c), '')}"[:28].rstrip() for c in shown])
    left.tick_params(axis="y", labelsize=7)
    groups = np.array_split(np.argsort(told.middle, kind="stable"), _GROUPS)
    labels = [f"{told.middle[g].min():.0f} to {told.middle[g].max():.0f}" for g in groups]
    right.barh(np.arange(_GROUPS), [inside[group].mean() for group in groups], color="#8fb3d6")
    right.set_yticks(np.arange(_GROUPS), labels, fontsize=7)
    nominal = LEVELS[-1] - LEVELS[0]
    for axes, title in ((left, "by category"), (right, "by expected amount, US dollars")):
        axes.axvline(nominal, color="#b2182b", linestyle=":", label=f"nominal {nominal:.0%}")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set(xlim=(0.5, 1.0), title=title, xlabel="share inside the interval")
        axes.legend(fontsize=7, loc="lower left")
    figure.savefig(path, dpi=_DPI)
