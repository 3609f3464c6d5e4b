"""``finlake retrain``: a new model when one is called for, through the same gate as any other.

Of fraud, drift, decay and age call for one; of categories and amounts age alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from batch_jobs.drift import health, note_health
from batch_jobs.history import History
from batch_jobs.promotion import Outcome, promote
from batch_jobs.train import Asked, spending, train
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from models.registry import CHALLENGER, CHAMPION, NAMES, Registry

__all__ = ["Retrained", "retrain", "retrain_spending"]


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
        if known := _learnt_already(Registry(settings), History(settings).newest_label()):
            return Retrained(f"{reason}; but version {known} has seen all days with labels")
    made = train(settings, Asked(**{**vars(asked), "alias": CHALLENGER}), said)
    return Retrained(reason, promote(settings, said, made.version, action="retrain"))


def retrain_spending(
    settings: Settings, asked: spending.Asked, said: Callable[[str], None], *, if_needed: bool
) -> Retrained:
    """The same for a model of categories or amounts; raises as :func:`retrain` does.

    With ``if_needed`` only when there is no champion, or transactions are newer than its training
    by as many days as the setting says, and the newest version has not seen them.
    """
    reason = "as was asked for"
    if if_needed:
        registry, newest = Registry(settings, NAMES[asked.what]), History(settings).newest()
        reason = _old(registry, newest, settings.retrain_days)
        if not reason:
            return Retrained("nothing calls for it")
        if known := _learnt_already(registry, newest):
            return Retrained(f"{reason}; but version {known} has seen all days")
    made = spending.train(settings, replace(asked, alias=CHALLENGER), said)
    outcome = promote(settings, said, made.version, what=asked.what, action="retrain")
    return Retrained(reason, outcome)


def _old(registry: Registry, newest: date | None, most: int) -> str:
    champion = registry.version(CHAMPION)
    if champion is None:
        return "there is no champion"
    last = date.fromisoformat(registry.open(champion).facts["tested"][1])
    behind = (newest - last).days if newest else 0
    if behind < most:
        return ""
    return f"because transactions are {behind} days newer than version {champion}, {most} may be"


def _called_for(settings: Settings, said: Callable[[str], None]) -> str:
    if Registry(settings).version(CHAMPION) is None:
        return "there is no champion"
    found = health(settings, said)
    note_health(settings, found)
    return found.due and f"because of version {found.version}: {found.due}"


def _learnt_already(registry: Registry, newest: date | None) -> int | None:
    """The newest version, if it loads and its training has seen the newest day."""
    versions = registry.versions()
    if not versions or newest is None:
        return None
    try:
        facts = registry.open(versions[-1].number).facts
    except ComponentMissing:
        raise
    except FinlakeError:
        return None  # nobody can serve it, so that it stands in nobody's way
    return versions[-1].number if date.fromisoformat(facts["tested"][1]) >= newest else None
