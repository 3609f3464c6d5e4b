"""The gate with what it needs: the newest labelled days, both models, and a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from batch_jobs.history import Days, History, Labelled
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from models.artifact import Model, digest
from models.features import LABEL_DELAY
from models.features.events import Array
from models.features.view import DAY
from models.lifecycle.clean import load_cleanly
from models.lifecycle.gate import Bounds, Check, Decision, Loaded, Side, Window, decide
from models.registry import Registry
from models.spending.amount import Amount
from models.spending.category import Category
from models.training.threshold import Costs

__all__ = [
    "bounds_of",
    "contest",
    "costs_of",
    "judged_days",
    "latencies",
    "loaded",
    "side",
    "trained",
    "window_of",
]

_BATCH_ROWS = 1000
_TRIES = 200
_COMPARED = 1000  # rows that the process of its own has to give the same answers for


def contest(
    settings: Settings, challenger: int, champion: int | None, said: Callable[[str], None]
) -> Decision:
    """Judge a version against the champion, if there is one, on the newest labelled days.

    The days begin when the labels of the training's end could be known, for both of them.

    Raises:
        FinlakeError: there is no such version, or there are no such days.
        ComponentMissing: when the registry or the lake is not there.
    """
    registry = Registry(settings)
    against = f"version {champion}" if champion else "nobody"
    try:
        model = registry.load(challenger)
    except ComponentMissing:
        raise
    except FinlakeError as error:
        broken = Check("clean load", "failed", str(error))
        return Decision(f"version {challenger}", against, (broken,))
    holder = registry.load(champion) if champion else None
    both = [model, holder] if holder else [model]
    history = History(settings)
    days = judged_days(history, both, settings)
    said(f"{model.name} {challenger} on the labelled transactions of {days[0]} to {days[1]}")
    names = tuple(dict.fromkeys(name for one in both for name in one.features))
    seen = history.labelled(days, names)
    own = seen.of(model.features)
    return decide(
        window_of(seen),
        side(holder, seen) if holder else Side.nobody(len(seen.day)),
        side(model, seen),
        latencies_ms=latencies(model, own),
        loaded=loaded(registry, challenger, model, own),
        bounds=bounds_of(settings),
    )


def judged_days(history: History, models: list[Model], settings: Settings) -> Days:
    """The newest labelled days that none of the models could have learnt anything of.

    Raises:
        FinlakeError: there are none.
    """
    delay = timedelta(LABEL_DELAY // DAY)
    since = max(trained(model)[1] for model in models) + delay + timedelta(1)
    newest = history.newest_label()
    if newest is None or newest < since:
        raise FinlakeError(
            f"gold.fact_transactions: labels end on {newest or 'no day'}, and {models[0].name}"
            f" {models[0].version} is judged from {since} on; wait for labels, or train on older"
            " days"
        )
    return max(since, newest - timedelta(settings.gate_days - 1)), newest


def window_of(seen: Labelled) -> Window:
    """The transactions as the gate wants them."""
    return Window(seen.day, seen.label, seen.segments)


def side(model: Model, seen: Labelled) -> Side:
    """What a model says of them."""
    probability = model.probability(seen.of(model.features))
    return Side(f"version {model.version}", probability, model.threshold)


def bounds_of(settings: Settings) -> Bounds:
    """What the gate asks for, by the settings."""
    return Bounds(
        costs=costs_of(settings),
        confidence=settings.gate_confidence,
        frauds=settings.gate_frauds,
        segment_frauds=settings.gate_segment_frauds,
        latency_ms=settings.gate_latency_ms,
        batch_rows=_BATCH_ROWS,
    )


def costs_of(settings: Settings) -> Costs:
    """What mistakes cost, by the settings."""
    return Costs(settings.cost_missed_fraud, settings.cost_false_alarm, settings.alarms_a_day)


def trained(model: Model | Category | Amount) -> Days:
    """The days that a model has learnt from."""
    first, last = (date.fromisoformat(day) for day in model.facts["trained"])
    return first, last


def latencies(model: Model | Category | Amount, values: Array) -> Array:
    """Milliseconds of processor for each of many batches, whose rows are taken in turn."""
    found = np.empty(_TRIES)
    for number in range(-1, _TRIES):  # the first try warms up
        places = np.arange(number * _BATCH_ROWS, (number + 1) * _BATCH_ROWS) % max(1, len(values))
        batch = values[places] if len(values) else np.zeros((_BATCH_ROWS, values.shape[1]))
        began = time.process_time()
        model.answers(batch)
        found[number] = 1000 * (time.process_time() - began)
    return found


def loaded(
    registry: Registry, version: int, model: Model | Category | Amount, values: Array
) -> Loaded:
    """How the version loads in a process of its own, and answers some of the rows there."""
    folder, some = registry.fetch(version).folder, values[:_COMPARED]
    return load_cleanly(registry.name, folder, digest(folder), some, model.answers(some))
