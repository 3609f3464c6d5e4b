"""``finlake drift``: measure the champion's drift and decay, and note both in gold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isnan

import numpy as np

from batch_jobs.history import Days, History
from batch_jobs.ledger import note_changed
from batch_jobs.roles import note_roles
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from models.artifact import Model
from models.features import LABEL_DELAY
from models.features.events import Array
from models.features.view import DAY
from models.lifecycle.decay import Decay, Tolerance, weeks
from models.lifecycle.drift import SCORE, Drift, Limits, drifts
from models.lifecycle.due import due
from models.registry import CHAMPION, Registry

__all__ = ["Health", "health", "note_health"]

_ROWS = 20_000  # of each side
_REFERENCE_DAYS = 90  # the newest of the training's
_WEEKS = 8  # of decay
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Health:
    """A model, and what was found of it in the window and in the weeks with labels.

    ``behind`` is how many newer days have labels than its training saw; ``rows`` are
    those of the reference and of the window; ``precision`` is that of the training's test; ``due``
    says why the model should be trained again, empty while nothing calls for it.
    """

    version: int
    behind: int
    window: Days
    rows: tuple[int, int]
    drifts: tuple[Drift, ...]
    decays: tuple[Decay, ...]
    precision: float
    due: str


def health(settings: Settings, said: Callable[[str], None]) -> Health:
    """Measure the champion on what the lake holds now; the same lake gives the same figures.

    Raises:
        FinlakeError: there is no champion, or a stretch of days has no transactions.
        ComponentMissing: when the registry or the lake is not there.
    """
    model = Registry(settings).load(CHAMPION)
    history = History(settings)
    newest = history.newest()
    if newest is None:
        raise ComponentMissing(
            "gold.fact_transactions has no transactions; fill it with `finlake stream --once`"
        )
    first, last = (date.fromisoformat(day) for day in model.facts["trained"])
    # The newest day is still under way.
    window = newest - timedelta(settings.drift_days), newest - timedelta(1)
    reference = max(first, last - timedelta(_REFERENCE_DAYS - 1)), last
    said(f"{model.name} {model.version}: {reference[0]} to {reference[1]} against {window[0]} on")
    was = _features(model, history, reference)
    now = _features(model, history, window)
    names = (*model.features, SCORE)
    found = drifts(names, _scored(model, was), _scored(model, now), _limits(settings))
    drifted = tuple(found)
    decayed = _decays(model, history, settings, (first, last), newest)
    behind = _behind(model, history)
    return Health(
        version=model.version,
        behind=behind,
        window=window,
        rows=(len(was), len(now)),
        drifts=drifted,
        decays=decayed,
        precision=float(model.facts["metrics"]["average precision"]),
        due=due(
            behind,
            drifted,
            decayed,
            most_days=settings.retrain_days,
            most_features=settings.retrain_features,
        ),
    )


def _behind(model: Model, history: History) -> int:
    """From the last day that the model's training saw to the newest with labels."""
    newest = history.newest_label()
    return (newest - date.fromisoformat(model.facts["tested"][1])).days if newest else 0


def note_health(settings: Settings, found: Health) -> int:
    """Write what was found to gold, as far as it is new there; returns how many rows."""
    at = datetime.now(UTC)
    common = {"model_version": found.version, "measured_at": at}
    drift = [
        {
            **common,
            "feature": one.name,
            "window_start": found.window[0],
            "window_end": found.window[1],
            "reference_rows": found.rows[0],
            "window_rows": found.rows[1],
            "psi": one.psi,
            "ks": one.ks,
            "level": one.level,
        }
        for one in found.drifts
    ]
    decay = [
        {
            **common,
            "week_start": _EPOCH + timedelta(one.first_day),
            "transactions": one.transactions,
            "frauds": one.frauds,
            "foretold": one.foretold,
            "average_precision": _known(one.average_precision),
            "average_precision_low": _known(one.low),
            "average_precision_high": _known(one.high),
            "average_precision_trained": found.precision,
            "level": one.level,
        }
        for one in found.decays
    ]
    note_roles(settings)  # of an alias that was given by hand nobody else would tell
    noted = note_changed(settings, "gold.model_drift", drift)
    return noted + note_changed(settings, "gold.model_decay", decay)


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _limits(settings: Settings) -> Limits:
    return Limits(
        settings.drift_psi_warn,
        settings.drift_psi_alarm,
        settings.drift_ks_warn,
        settings.drift_ks_alarm,
    )


def _scored(model: Model, values: Array) -> Array:
    return np.column_stack([values, model.score(values)])


def _features(model: Model, history: History, days: Days) -> Array:
    """What the model looks at, of a sample of the transactions of these days."""
    values = history.sample(days, model.features, _ROWS)
    if not len(values):
        raise FinlakeError(
            f"gold.fact_transactions: has no transactions from {days[0]} to {days[1]}, so the drift"
            f" of {model.name} {model.version} is not known; see `finlake status`"
        )
    return values


def _decays(
    model: Model, history: History, settings: Settings, trained: Days, newest: date
) -> tuple[Decay, ...]:
    """The newest weeks whose labels have had their time to arrive, none of them of the training."""
    last = newest - timedelta(LABEL_DELAY // DAY + 1)
    first = max(trained[1] + timedelta(1), last - timedelta(7 * _WEEKS - 1))
    if first > last:
        return ()
    seen = history.labelled((first, last), model.features)
    tolerance = Tolerance(
        settings.decay_warn,
        settings.decay_alarm,
        settings.decay_calibration,
        settings.gate_segment_frauds,
    )
    reference = float(model.facts["metrics"]["average precision"])
    return tuple(weeks(seen.day, seen.label, model.probability(seen.values), reference, tolerance))
