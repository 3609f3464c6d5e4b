"""``finlake retrain``: a new model when one is called for, through the same gate as any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from batch_jobs.drift import health, note_health
from batch_jobs.history import History
from batch_jobs.promotion import Outcome, promote
from batch_jobs.train import Asked, train
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from models.registry import CHALLENGER, CHAMPION, Registry

__all__ = ["Retrained", "retrain"]


@dataclass(frozen=True)
class Retrained:
    """Why a model was trained or not, and what the gate said of it."""

    reason: str
    outcome: Outcome | None = None

    def __str__(self) -> str:
        made = self.outcome
        if made is None:
            return f"not trained: {self.reason}"
        verdict = "promoted" if made.promoted else "refused"
        return f"trained, {self.reason}; version {made.version} {verdict}: {made.reason}"


def retrain(
    settings: Settings, asked: Asked, said: Callable[[str], None], *, if_needed: bool
) -> Retrained:
    """Train a challenger and put it through the gate.

    With ``if_needed`` only when there is no champion, or its drift, decay or age calls for it, and
    the newest version has not seen the same days: to ask again changes nothing before new days have
    labels.

    Raises:
        FinlakeError: there is too little to learn from, or nothing to judge by.
        ComponentMissing: when the registry or the lake is not there.
    """
    reason = "as was asked for"
    if if_needed:
        reason = _called_for(settings, said)
        if not reason:
            return Retrained("nothing calls for it")
        if known := _learnt_already(settings):
            return Retrained(f"{reason}; but version {known} has seen all days with labels")
    made = train(settings, Asked(**{**vars(asked), "alias": CHALLENGER}), said)
    return Retrained(reason, promote(settings, said, made.version, action="retrain"))


def _called_for(settings: Settings, said: Callable[[str], None]) -> str:
    if Registry(settings).version(CHAMPION) is None:
        return "there is no champion"
    found = health(settings, said)
    note_health(settings, found)
    return found.due and f"because of version {found.version}: {found.due}"


def _learnt_already(settings: Settings) -> int | None:
    """The newest version, if it loads and its training has seen the newest day with labels."""
    registry = Registry(settings)
    versions = registry.versions()
    newest = History(settings).newest_label()
    if not versions or newest is None:
        return None
    try:
        facts = registry.load(versions[-1].number).facts
    except ComponentMissing:
        raise
    except FinlakeError:
        return None  # nobody can serve it, so that it stands in nobody's way
    return versions[-1].number if date.fromisoformat(facts["tested"][1]) >= newest else None
