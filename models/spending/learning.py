"""Learning of categories and of amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from finlake.errors import FinlakeError
from models.artifact import LightGBM
from models.features import Events, compute
from models.features.events import Array
from models.spending.amount import HIDDEN, LEVELS, NAMES, Amount, without_category
from models.spending.category import EVIDENCE, SITUATIONS, Category, Knowledge, situations
from models.spending.evidence import HIDDEN as NO_CATEGORY
from models.spending.evidence import PLAIN, Seen, look_all
from models.spending.plan import Plan, draw
from models.training.matrix import informative, matrix

__all__ = ["Purchases", "Rows", "learn_amount", "learn_category", "purchases", "rows_of"]

_MOST_COUNTED = 2_000_000
_MOST_WEIGHED = 15_000
_MOST_LEARNT = 150_000
_MOST_JUDGED = 20_000
_LEAST = 200  # rows that weights of a situation or an interval are set on
_SHRINKAGE = 1e-4

_NO_CATEGORY_SHARE = 0.1
"""Share of the rows that an amount is learnt from as if their category were not known."""

_TREES: dict[str, Any] = {
    "n_estimators": 150,
    "learning_rate": 0.08,
    "num_leaves": 31,
    "min_child_samples": 40,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.5,
    "reg_lambda": 5.0,
}


@dataclass(frozen=True)
class Rows:
    """Transactions with what is known of them, and the category that is right."""

    position: Array
    seen: Seen
    situation: Array
    mcc: Array


def rows_of(events: Events, position: Array, classes: Array) -> Rows:
    """Evidence of the events at these positions, of which there must be one or more."""
    which = np.zeros(len(events), dtype=bool)
    which[position] = True
    seen = look_all(events, which, classes)
    rows = events.take(position)
    return Rows(position, seen, situations(rows, seen), rows["mcc"])


def learn_category(events: Events, plan: Plan, seed: int) -> tuple[Category, Rows]:
    """A model of categories that has learnt from the days before the test, and the test's rows.

    ``events`` are in order of (time, number) and hold the past of ``plan.first``. The same events,
    plan and seed give the same model.

    Raises:
        FinlakeError: there are too few transactions, or only one category.
    """
    before = _knowledge(events, plan.learnt, seed)
    validated = draw(events, plan.validated, _MOST_WEIGHED, seed)
    _enough(len(validated), "transactions", plan)
    rows = rows_of(events, validated, before.classes)
    weights = _weights(before, rows)
    model = Category(_knowledge(events, plan.trained, seed), weights, {})
    tested = draw(events, plan.tested, _MOST_JUDGED, seed)
    return model, rows_of(events, tested, model.classes)


def _knowledge(events: Events, days: Any, seed: int) -> Knowledge:
    rows = events.take(draw(events, days, _MOST_COUNTED, seed, events["mcc"] >= 0))
    if len(np.unique(rows["mcc"])) < 2:
        raise FinlakeError(
            f"silver.transactions: {len(rows)} transactions with a category from {days[0]} to"
            f" {days[1]}, all of the same; load more history, or choose other days by --from"
        )
    own = compute(Events.none(), rows.without(NO_CATEGORY), names=PLAIN)
    plain = np.column_stack([own[name].astype(np.float64) for name in PLAIN])
    return Knowledge.of(plain, rows["mcc"])


def _enough(found: int, what: str, plan: Plan) -> None:
    if found < _LEAST:
        days = plan.validated
        raise FinlakeError(
            f"silver.transactions: {found} {what} from {days[0]} to {days[1]}, and a model needs"
            f" {_LEAST}; load more history or choose more --test-days"
        )


def _weights(known: Knowledge, rows: Rows) -> Array:
    """Weights of the evidence in each situation."""
    there = np.isin(rows.mcc, known.classes)
    place = np.searchsorted(known.classes, rows.mcc[there])
    evidence = known.evidence(rows.seen.take(there))
    situation = rows.situation[there]
    # What a merchant says is left out of all rows for those that tell of none.
    silent = evidence.copy()
    silent[EVIDENCE.index("merchant")] = 0.0
    found = np.empty((len(SITUATIONS), len(EVIDENCE)))
    found[2] = _fit(silent, place)
    for number in (0, 1):
        own = situation == number
        enough = own.sum() >= _LEAST
        found[number] = _fit(evidence[:, own], place[own]) if enough else found[2]
        if not enough:
            found[number, EVIDENCE.index("merchant")] = 1.0
    return found


def _fit(evidence: Array, place: Array) -> Array:
    """The weights with the least log loss, a little drawn to nought."""
    rows = np.arange(len(place))
    right = evidence[:, rows, place].sum(axis=1) / len(place)

    def loss(weights: Array) -> tuple[float, Array]:
        score = np.tensordot(weights, evidence, 1)
        score -= score.max(axis=1, keepdims=True)
        power = np.exp(score)
        share = power / power.sum(axis=1, keepdims=True)
        value = -np.log(np.maximum(share[rows, place], 1e-300)).mean()
        slope = np.einsum("knc,nc->k", evidence, share) / len(place) - right
        return value + _SHRINKAGE * weights @ weights, slope + 2 * _SHRINKAGE * weights

    start = np.ones(len(evidence))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights: Array = found.x.round(4)
    return weights


@dataclass(frozen=True)
class Purchases:
    """Transactions with an amount above nought; ``values`` has a column for each of ``NAMES``."""

    position: Array
    values: Array
    dollars: Array

    def of(self, names: Sequence[str]) -> Array:
        """The columns of these names, in this order."""
        return self.values[:, [NAMES.index(name) for name in names]]


def purchases(events: Events, position: Array) -> Purchases:
    """Features of the purchases at these positions, which rise; none looks at its own amount."""
    which = np.zeros(len(events), dtype=bool)
    which[position] = True
    values = matrix(events, which, names=NAMES, hidden=HIDDEN)
    return Purchases(position, values, events["cents"][position] / 100.0)


def learn_amount(events: Events, plan: Plan, seed: int) -> tuple[Amount, Purchases]:
    """A model of amounts that has learnt from the days before the test, and the test's purchases.

    See :func:`learn_category`.
    """
    bought = events["cents"] > 0
    validated = draw(events, plan.validated, _MOST_JUDGED, seed, bought)
    learnt = draw(events, plan.learnt, _MOST_LEARNT, seed, bought)
    _enough(min(len(validated), len(learnt)), "purchases", plan)
    before, past = purchases(events, validated), purchases(events, learnt)
    shifts = _shifts(_members(past, seed), before)
    whole = Purchases(
        np.concatenate([past.position, before.position]),
        np.concatenate([past.values, before.values]),
        np.concatenate([past.dollars, before.dollars]),
    )
    made = _members(whole, seed)
    model = Amount(made.features, made.members, shifts, {})
    tested = draw(events, plan.tested, _MOST_JUDGED, seed, bought)
    _enough(len(tested), "purchases", plan)
    return model, purchases(events, tested)


def _members(rows: Purchases, seed: int) -> Amount:
    from lightgbm import LGBMRegressor

    columns = informative(rows.values)
    names = [NAMES[column] for column in columns]
    values = rows.values[:, columns]
    unknown = np.random.default_rng([seed, 2]).random(len(values)) < _NO_CATEGORY_SHARE
    values[unknown] = without_category(names, values[unknown])
    members = []
    for level in LEVELS:
        model = LGBMRegressor(
            objective="quantile", alpha=level, **_TREES, random_state=seed, deterministic=True,
            force_row_wise=True, n_jobs=2, verbose=-1,
        )  # fmt: skip
        codes = [n for n, name in enumerate(names) if name == "mcc"]
        model.fit(values, np.log(rows.dollars), categorical_feature=codes)
        members.append(LightGBM(model.booster_.model_to_string().encode(), len(names)))
    return Amount(tuple(names), tuple(members), (0.0,) * len(LEVELS), {})


def _shifts(model: Amount, rows: Purchases) -> tuple[float, ...]:
    """What has to be added to each member's logarithms so that its level is right on these rows."""
    values = rows.of(model.features)
    found = []
    for level, member in zip(LEVELS, model.members, strict=True):
        over = np.sort(np.log(rows.dollars) - member.score(values))
        # As if there were one row more, so that the level is right for a new one too.
        rank = int(np.ceil(level * (len(over) + 1))) - 1
        found.append(round(float(over[min(rank, len(over) - 1)]), 6))
    return tuple(found)
