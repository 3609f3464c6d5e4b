"""How well categories and amounts are told, beside what anybody would guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from models.features import Events
from models.features.events import Array
from models.features.view import DAY
from models.spending.amount import LEVELS, Amount, Range, without_category
from models.spending.category import SITUATIONS, Category
from models.spending.evidence import ASKED
from models.spending.learning import Purchases, Rows
from models.training.metrics import middle, samples_of_days

__all__ = [
    "Told",
    "judge_amount",
    "judge_category",
    "log_losses",
    "pinball",
    "pinball_losses",
    "ranges_before",
]

_TIMES = 100
_FEW = 20  # purchases of a card in a category that have quantiles of their own
NONE = SITUATIONS.index("no merchant")


@dataclass(frozen=True)
class Told:
    """How a guesser did on rows of the test; ``spread`` is the middle 90 % over samples of days.

    ``rows`` says which ones, ``count`` how many there are.
    """

    rows: str
    name: str
    count: int
    metrics: dict[str, float]
    spread: dict[str, tuple[float, float]]


def _told(
    rows: str, name: str, day: Array, seed: int, measure: Callable[[Array], dict[str, float]]
) -> Told:
    """``measure`` takes positions of rows."""
    drawn = [measure(sample) for _, sample in samples_of_days(day, _TIMES, seed)]
    metrics = measure(np.arange(len(day)))
    spread = {one: middle([found[one] for found in drawn]) for one in metrics}
    return Told(rows, name, len(day), metrics, spread)


# ── Categories ───────────────────────────────────────────────────────────────────────────────────


def judge_category(model: Category, events: Events, rows: Rows, seed: int) -> list[Told]:
    """The model and the commonest categories, on all rows of the test and on two harder kinds.

    ``new merchant`` are the rows whose merchant nobody has used for 90 days; ``no merchant`` are
    all rows as if none were told. The first of the list is the model on all rows.
    """
    day = np.floor_divide(events["ts"][rows.position], DAY)
    new = rows.situation == SITUATIONS.index("new merchant")
    unknown = np.full(len(rows.mcc), NONE)
    parts = [("all", np.ones(len(new), dtype=bool), rows.situation)]
    if new.any():
        parts.append(("new merchant", new, rows.situation))
    parts.append(("no merchant", np.ones(len(new), dtype=bool), unknown))
    found = []
    for name, which, situation in parts:
        probability = model.probabilities(rows.seen.take(which), situation[which])
        guesses: dict[str, tuple[Array, Array | None]] = {
            "evidence": (model.best(probability, 3).category, probability)
        }
        for one, place in _commonest(model, rows, which):
            if name == "all" or one != "commonest of the merchant":
                guesses[one] = (model.classes[place], None)
        for one, (guess, sure) in guesses.items():
            truth = rows.mcc[which]
            measure = _measure_category(model.classes, truth, guess, sure)
            found.append(_told(name, one, day[which], seed, measure))
    return found


def _commonest(model: Category, rows: Rows, which: Array) -> Iterator[tuple[str, Array]]:
    """Places of the three commonest categories of each row, by who is asked.

    Whom nobody knows has those that are commonest in general.
    """
    share = model.knowledge.share
    yield "commonest of all", np.tile(np.argsort(-share, kind="stable")[:3], (which.sum(), 1))
    for name, count in zip(ASKED, rows.seen.counts[:, which], strict=True):
        order = np.argsort(-(count + share), axis=1, kind="stable")[:, :3]
        yield f"commonest of the {name.split('_')[0]}", order


def _measure_category(
    classes: Array, truth: Array, guess: Array, probability: Array | None
) -> Callable[[Array], dict[str, float]]:
    right = guess == truth[:, None]
    loss = None if probability is None else log_losses(classes, truth, probability)

    def measure(rows: Array) -> dict[str, float]:
        found = {
            "accuracy": float(right[rows, 0].mean()),
            "top-3 accuracy": float(right[rows].any(axis=1).mean()),
            "macro F1": _macro_f1(truth[rows], guess[rows, 0]),
        }
        return found if loss is None else found | {"log loss": float(loss[rows].mean())}

    return measure


def log_losses(classes: Array, truth: Array, probability: Array) -> Array:
    """Of each row minus the logarithm of what its true category was given; ``classes`` rise."""
    place = np.minimum(np.searchsorted(classes, truth), len(classes) - 1)
    own = probability[np.arange(len(truth)), place]
    # A category that was not there in training had no chance.
    found: Array = -np.log(np.maximum(np.where(classes[place] == truth, own, 0.0), 1e-6))
    return found


def _macro_f1(truth: Array, guess: Array) -> float:
    """Mean over the true categories of the harmonic mean of precision and recall."""
    every, place = np.unique(np.concatenate([truth, guess]), return_inverse=True)
    true, told = place[: len(truth)], place[len(truth) :]
    size = len(every)
    there, said = np.bincount(true, minlength=size), np.bincount(told, minlength=size)
    both = np.bincount(true[true == told], minlength=size)
    return float((2 * both[there > 0] / (there + said)[there > 0]).mean())


# ── Amounts ──────────────────────────────────────────────────────────────────────────────────────


def judge_amount(
    model: Amount, events: Events, rows: Purchases, before: Array, seed: int
) -> list[Told]:
    """The model and the quantiles of earlier purchases, on the test; the model is the first.

    ``before`` are positions of the purchases before the test. ``no category`` are all rows as if
    their category were not known.
    """
    asked = events.take(rows.position)
    day = np.floor_divide(asked["ts"], DAY)
    past = events.take(before)
    values = rows.of(model.features)
    every = {
        ("all", "quantile trees"): model.ranges(values),
        ("all", "median of card and category"): ranges_before(past, asked, ("card", "mcc")),
        ("all", "median of the category"): ranges_before(past, asked, ("mcc",)),
        ("no category", "quantile trees"): model.ranges(without_category(model.features, values)),
        ("no category", "median of the card"): ranges_before(past, asked, ("card",)),
    }
    return [
        _told(which, name, day, seed, _measure_amount(rows.dollars, guess))
        for (which, name), guess in every.items()
    ]


def ranges_before(past: Events, rows: Events, by: tuple[str, ...]) -> Range:
    """Quantiles of the past amounts of the same entity, or with few of those of a wider one.

    Wider is the last of the columns alone, and then all of the past.
    """
    found = np.tile(np.quantile(past["cents"] / 100.0, LEVELS)[:, None], len(rows))
    for columns in ((by[-1],), by):
        code, of_row = _groups(past, rows, columns)
        order = np.lexsort((past["cents"], code))
        dollars = past["cents"][order] / 100.0
        begin = np.searchsorted(code[order], of_row, "left")
        count = np.searchsorted(code[order], of_row, "right") - begin
        enough = count >= _FEW
        for number, level in enumerate(LEVELS):
            place = np.minimum(begin + np.floor(level * count).astype(int), len(dollars) - 1)
            found[number] = np.where(enough, dollars[place], found[number])
    return Range(*found)


def _groups(past: Events, rows: Events, columns: tuple[str, ...]) -> tuple[Array, Array]:
    """A number for each combination of values, the same in both."""
    code = np.zeros(len(past) + len(rows), dtype=np.int64)
    for column in columns:
        both = np.concatenate([past[column], rows[column]])
        every, place = np.unique(both, return_inverse=True)
        code = np.unique(code * len(every) + place, return_inverse=True)[1]
    return code[: len(past)], code[len(past) :]


def _measure_amount(truth: Array, guess: Range) -> Callable[[Array], dict[str, float]]:
    def measure(rows: Array) -> dict[str, float]:
        own, parts = truth[rows], Range(*(part[rows] for part in guess))
        inside = (own >= parts.low) & (own <= parts.high)
        return {
            "MAE": float(np.abs(own - parts.middle).mean()),
            "pinball loss": float(pinball_losses(own, parts).mean()),
            "coverage": float(inside.mean()),
            "width": float((parts.high - parts.low).mean()),
        }

    return measure


def pinball_losses(truth: Array, guess: Range) -> Array:
    """Mean over the levels of each row's pinball loss, in the unit of the values."""
    every = [pinball(truth, q, level) for q, level in zip(guess, LEVELS, strict=True)]
    found: Array = np.mean(every, axis=0)
    return found


def pinball(truth: Array, quantile: Array, level: float) -> Array:
    """Pinball loss of each row (Koenker and Bassett, 1978), in the unit of the values."""
    over = truth - quantile
    found: Array = np.maximum(level * over, (level - 1) * over)
    return found
