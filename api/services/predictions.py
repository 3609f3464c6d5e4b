"""What models say of transactions, over the past that is kept in memory.

Features are those of the stream: the same catalogue, the same function, the same bits. A row that
is asked about sees what gold has, and no other row of its request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any, Final

import numpy as np

from api.access import Principal
from api.problems import Problem
from api.schemas import predictions as p
from api.schemas.models import FromValues, Values
from api.services.memory import Known, Memory
from api.services.models import Models
from api.services.rows import Asked, check_owner, facts_of, parsed, problems_of
from models.artifact import Model
from models.features import LABEL_DELAY, Events, compute
from models.features.catalogue import EVERY
from models.features.events import Array
from models.features.reach import reaches
from models.spending.amount import Amount
from models.spending.category import Category

__all__ = ["Predictions"]

_REASONS: Final = 5
_GUESSES: Final = 3
_AT_ONCE: Final = 2_000  # rows of a batch: their features are wide, and memory is for all


class Predictions:
    """Answers about transactions; every method says who asks."""

    def __init__(self, memory: Memory, models: Models) -> None:
        self._memory = memory
        self._models = models

    # ── One row ──────────────────────────────────────────────────────────────────────────────

    def anomaly(self, who: Principal, asked: p.AskTransaction) -> p.Anomaly:
        """How likely it is a fraud, and why. Raises Problem as :meth:`batch` does."""
        model = self._models.fraud()
        known = self._allowed(who, asked)
        rows, history = _looked(known, [asked], model.features)
        with self._models.scoring:
            values = _values(history, rows, model.features)
            probability = model.probability(values)
            pushed = model.contributions(values)[0]
        return p.Anomaly(
            **_suspicion(model, probability[0], _reasons(model, values[0], pushed)),
            threshold=model.threshold if isfinite(model.threshold) else None,
            model=_name(model),
            looked=_told(known, history),
        )

    def category(self, who: Principal, asked: p.AskCategory) -> p.Category:
        """Which category it is likely of, and why. Raises Problem as :meth:`batch` does."""
        model = self._models.category()
        known = self._allowed(who, asked)
        rows, history = _looked(known, [asked], model.features)
        guesses = model.predict(history, rows, _GUESSES)
        because = model.explain(history, rows)[0]
        return p.Category(
            guesses=_guesses(known, guesses.category[0], guesses.probability[0]),
            reasons=[p.Evidence(evidence=one.evidence, log_odds=one.log_odds) for one in because],
            model=_name(model),
            looked=_told(known, history),
        )

    def amount(self, who: Principal, asked: p.AskAmount) -> p.Expected:
        """What it is likely to cost, and why. Raises Problem as :meth:`batch` does."""
        model = self._models.amount()
        known = self._allowed(who, asked)
        rows, history = _looked(known, [asked], model.features)
        with self._models.scoring:
            values = model.values(history, rows)
            low, middle, high = (one[0] for one in model.ranges(values))
            pushed = model.contributions(values)[0]
        order = np.argsort(-np.abs(pushed), kind="stable")[:_REASONS].tolist()
        return p.Expected(
            **_cost(low, middle, high),
            reasons=[
                p.Push(feature=name, meaning=_meaning(name), factor=float(np.exp(pushed[place])))
                for place in order
                if pushed[place] and (name := model.features[place])
            ],
            model=_name(model),
            looked=_told(known, history),
        )

    def _allowed(self, who: Principal, asked: Asked) -> Known:
        known = self._memory.known()
        check_owner(who, [asked], known)
        for problem in problems_of(asked, known):
            if problem.severity == "error":
                raise Problem(422, "unanswerable", f"{problem.place}: {problem.reason}")
        return known

    # ── Many rows ────────────────────────────────────────────────────────────────────────────

    def batch(self, who: Principal, asked: p.AskBatch) -> p.Batch:
        """The same question about many rows; those with errors are told and left out.

        Raises:
            Problem: 403 when a row is of a customer whom the caller may not see, 503 when there is
                no model.
            ComponentMissing: the lake cannot be reached.
        """
        answer, model = self._answer(asked.what)
        known, every, problems = self._checked(who, asked)
        good = [n for n, one in enumerate(every) if one is not None and not _wrong(problems[n])]
        answers: list[dict[str, Any]] = [{} for _ in every]
        looked = 0
        if good:
            rows = [one for n in good if (one := every[n]) is not None]
            events, history, order = _looked_all(known, rows, model.features)
            looked = len(history)
            for begin in range(0, len(rows), _AT_ONCE):
                part = slice(begin, begin + _AT_ONCE)
                found = answer(known, history, events.take(part))
                for place, one in zip(order[part].tolist(), found, strict=True):
                    answers[good[place]] = {asked.what: one}
        return p.Batch(
            answered=len(good),
            refused=len(every) - len(good),
            model=_name(model),
            looked=p.Looked(transactions=looked, known_until=_at(known.newest)),
            rows=[p.Answered(row=n, problems=problems[n], **one) for n, one in enumerate(answers)],
        )

    def validate(self, who: Principal, asked: p.AskBatch) -> p.Validated:
        """What is wrong with each row, and what to do about it; no model is asked.

        Raises Problem as :meth:`batch` does.
        """
        _, every, problems = self._checked(who, asked)
        rows = [
            p.Checked(row=n, fine=not _wrong(problems[n]), problems=problems[n])
            for n in range(len(every))
        ]
        fine = sum(row.fine for row in rows)
        return p.Validated(fine=fine, refused=len(rows) - fine, rows=rows)

    def _checked(
        self, who: Principal, asked: p.AskBatch
    ) -> tuple[Known, list[Asked | None], list[list[p.RowProblem]]]:
        known = self._memory.known()
        read = parsed(asked.what, asked.rows)
        every = [None if isinstance(one, list) else one for one in read]
        check_owner(who, [one for one in every if one is not None], known)
        problems = [one if isinstance(one, list) else problems_of(one, known) for one in read]
        return known, every, problems

    def _answer(self, what: p.What) -> tuple[_Answer, Model | Category | Amount]:
        if what == "anomaly":
            fraud = self._models.fraud()
            return lambda _, h, r: self._suspicions(fraud, h, r), fraud
        if what == "category":
            category = self._models.category()
            return lambda k, h, r: _categories(category, k, h, r), category
        amount = self._models.amount()
        return lambda _, h, r: self._costs(amount, h, r), amount

    def _suspicions(self, model: Model, history: Events, rows: Events) -> list[p.Suspicion]:
        values = _values(history, rows, model.features)
        with self._models.scoring:
            found = model.probability(values)
            alarms = np.flatnonzero(found >= model.threshold)
            pushed = model.contributions(values[alarms])
        reasons: dict[int, list[p.Reason]] = {
            place: _reasons(model, values[place], pushed[n])
            for n, place in enumerate(alarms.tolist())
        }
        return [
            p.Suspicion(**_suspicion(model, one, reasons.get(n, [])))
            for n, one in enumerate(found.tolist())
        ]

    def _costs(self, model: Amount, history: Events, rows: Events) -> list[p.Cost]:
        values = model.values(history, rows)
        with self._models.scoring:
            found = model.ranges(values)
        return [
            p.Cost(**_cost(*one), reasons=[])
            for one in zip(*(part.tolist() for part in found), strict=True)
        ]

    # ── Features ─────────────────────────────────────────────────────────────────────────────

    def from_values(self, asked: Values) -> FromValues:
        """What a model says of features that are given.

        Raises:
            Problem: 422 when the model has no such feature, 503 when there is no model.
        """
        model: Model | Amount | None
        if asked.model == "amount":
            model = self._models.amount()
        else:
            model = self._models.served.of(asked.model)  # type: ignore[assignment]
            model = model or self._models.fraud()
        if unknown := sorted(set(asked.features) - set(model.features)):
            name = unknown[0][:60]
            raise Problem(422, "unanswerable", f"{model.name} has no feature {name!r}")
        given = [asked.features.get(name) for name in model.features]
        values = np.array([[np.nan if one is None else one for one in given]], np.float64)
        with self._models.scoring:
            if isinstance(model, Amount):
                low, middle, high = (float(one[0]) for one in model.ranges(values))
                return FromValues(model=_name(model), low=low, middle=middle, high=high)
            probability = float(model.probability(values)[0])
        return FromValues(model=_name(model), probability=probability, band=model.band(probability))


_Answer = Callable[[Known, Events, Events], Iterable[Any]]


def _looked(
    known: Known, asked: Sequence[Asked], features: tuple[str, ...]
) -> tuple[Events, Events]:
    rows, history, _ = _looked_all(known, asked, features)
    return rows, history


def _looked_all(
    known: Known, asked: Sequence[Asked], features: tuple[str, ...]
) -> tuple[Events, Events, Array]:
    """Rows as events, what they look at, and which row each event is."""
    facts, order = facts_of(asked, known)
    rows = known.events(facts)
    return rows, known.history(rows, _reach(features)), order


@lru_cache(maxsize=32)
def _reach(features: tuple[str, ...]) -> Mapping[str, int]:
    return reaches(LABEL_DELAY, [EVERY[name] for name in features])


def _values(history: Events, rows: Events, features: tuple[str, ...]) -> Array:
    found = compute(history, rows, names=features)
    values = np.empty((len(rows), len(features)))
    for column, name in enumerate(features):
        values[:, column] = found[name]
    return values


def _suspicion(model: Model, probability: float, reasons: list[p.Reason]) -> dict[str, Any]:
    return {
        "probability": float(probability),
        "band": model.band(float(probability)),
        "is_alert": bool(probability >= model.threshold),
        "reasons": reasons,
    }


def _reasons(model: Model, values: Array, pushed: Array) -> list[p.Reason]:
    order = np.argsort(-pushed, kind="stable")[:_REASONS].tolist()
    return [
        p.Reason(
            feature=(name := model.features[place]),
            meaning=_meaning(name),
            value=float(values[place]) if np.isfinite(values[place]) else None,
            log_odds=float(pushed[place]),
        )
        for place in order
        if pushed[place] > 0
    ]


def _categories(model: Category, known: Known, history: Events, rows: Events) -> list[p.Categories]:
    found = model.predict(history, rows, _GUESSES)
    return [
        p.Categories(guesses=_guesses(known, *one), reasons=[])
        for one in zip(found.category, found.probability, strict=True)
    ]


def _guesses(known: Known, categories: Array, probabilities: Array) -> list[p.Guess]:
    return [
        p.Guess(mcc=mcc, description=known.categories.get(mcc, ""), probability=probability)
        for mcc, probability in zip(categories.tolist(), probabilities.tolist(), strict=True)
    ]


def _cost(low: float, middle: float, high: float) -> dict[str, int]:
    return {"low": round(low * 100), "middle": round(middle * 100), "high": round(high * 100)}


def _wrong(problems: Sequence[p.RowProblem]) -> bool:
    return any(one.severity == "error" for one in problems)


def _name(model: Model | Category | Amount) -> p.ModelName:
    return p.ModelName(name=model.name, version=model.version)


def _meaning(feature: str) -> str:
    return EVERY[feature].meaning


def _told(known: Known, history: Events) -> p.Looked:
    return p.Looked(transactions=len(history), known_until=_at(known.newest))


def _at(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)
