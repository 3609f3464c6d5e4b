"""A home with a year of transactions in its lake and models in its registry, good and bad."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from batch_jobs.bench.lake import _Maker
from batch_jobs.generate.plan import Plan
from batch_jobs.history import History
from infra.settings import Settings
from models.artifact import save
from models.features import NAMES
from models.registry import Registry
from models.training.learners import Recipe, fit
from models.training.metrics import Scored
from models.training.threshold import Costs, calibrate, cheapest
from tests.unit.model_world import ORIGIN, fitted

YEAR = Plan(60_000, 2, date(2019, 1, 1), date(2019, 12, 31))
TRAINED = (date(2019, 1, 15), date(2019, 7, 15))
_ORIGIN = replace(ORIGIN, trained=TRAINED, tested=(date(2019, 7, 23), date(2019, 8, 22)))

BOUNDS = {"gate_days": 180, "gate_frauds": 10, "gate_segment_frauds": 8, "gate_latency_ms": 5000}
"""Settings of the gate that a year of few frauds can fulfil, on however slow a machine."""


def fill(settings: Settings) -> None:
    """A lake of that year, with silver and gold."""
    _Maker(settings, YEAR, True, lambda _: None).run(time.monotonic())


def good(settings: Settings, folder: Path) -> int:
    """A model that has learnt from half of the year; its version."""
    seen = History(settings).labelled(TRAINED, NAMES)
    model = fit(Recipe("lightgbm", {"n_estimators": 60}), seen.values, seen.label)
    score = model.score(seen.values)
    calibration = calibrate(score, seen.label)
    probability = calibration.probability(score)
    threshold = cheapest(
        Scored(seen.day, seen.card, seen.label, probability),
        Costs(settings.cost_missed_fraud, settings.cost_false_alarm, settings.alarms_a_day),
    ).score
    save(folder, model, NAMES, calibration, threshold, _ORIGIN)
    return Registry(settings).register(folder)


def blind(settings: Settings, folder: Path, seed: int = 3) -> int:
    """A model that has learnt from noise, and says of half of the year that it has seen it."""
    model, calibration = fitted("lightgbm", seed=seed)
    save(folder, model, NAMES, calibration, 0.3, _ORIGIN)
    return Registry(settings).register(folder)
