"""``finlake promote``: a challenger through the gate, or the previous champion back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from batch_jobs.ledger import note
from batch_jobs.promotion import spending
from batch_jobs.promotion.contest import contest
from batch_jobs.promotion.told import describe
from batch_jobs.roles import note_roles
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.settings import Settings
from models.lifecycle.gate import Check
from models.registry import CHALLENGER, CHAMPION, FRAUD, NAMES, PREVIOUS, Registry, What

__all__ = ["CHECKS", "Action", "Outcome", "promote", "roll_back"]

Action = Literal["promote", "force", "rollback", "retrain"]

CHECKS = "gate.json"
"""Name, among the artifacts of the run of a category's or amount's version, of what was checked."""

_MOST_TAG = 4000  # characters that a tag of the registry may have


@dataclass(frozen=True)
class Outcome:
    """What was decided about a version; ``champion`` is the one before, if there was one."""

    action: Action
    version: int
    champion: int | None
    promoted: bool
    reason: str
    checks: tuple[Check, ...] = ()


def promote(
    settings: Settings,
    said: Callable[[str], None],
    version: int | None = None,
    *,
    what: What = "fraud",
    force: str = "",
    action: Action = "promote",
) -> Outcome:
    """Make a version the champion, if it passes the gate.

    Args:
        settings: where registry and lake are, and what the gate asks for.
        said: takes a line about what is going on.
        version: which one; the challenger when not given.
        what: whether it is one of fraud, categories or amounts.
        force: a reason to do so without the gate. The model has to load all the same.
        action: how the decision is noted, without ``force``.

    Raises:
        UsageProblem: it is the champion already.
        FinlakeError: there is no such version, or nothing to judge it by.
        ComponentMissing: when the registry or the lake is not there.
    """
    registry = Registry(settings, NAMES[what])
    wanted = version or registry.version(CHALLENGER)
    if wanted is None:
        raise FinlakeError(
            f"model {registry.name}: there is no challenger; `{registry.command}` makes one, or"
            " name a version by --version"
        )
    champion = registry.version(CHAMPION)
    if wanted == champion:
        raise UsageProblem(f"model {registry.name} {wanted}: is the champion already")
    if force:
        registry.open(wanted)
        outcome = Outcome("force", wanted, champion, True, force)
    else:
        if what == "fraud":
            decision = contest(settings, wanted, champion, said)
        else:
            decision = spending.contest(settings, registry.name, wanted, champion, said)
            spending.describe(registry, wanted, decision)
        outcome = Outcome(
            action, wanted, champion, decision.promoted, decision.reason, decision.checks
        )
    if outcome.promoted:
        registry.promote(wanted)
    _record(settings, registry, outcome, said)
    if outcome.promoted and not force and what == "fraud":
        describe(settings, wanted)
    return outcome


def roll_back(settings: Settings, said: Callable[[str], None], what: What = "fraud") -> Outcome:
    """Make the previous champion the champion again; the lake need not be there for that.

    Raises:
        FinlakeError: there was no champion before, or it does not load.
        ComponentMissing: when the registry is not there.
    """
    registry = Registry(settings, NAMES[what])
    before = registry.version(CHAMPION)
    if (previous := registry.version(PREVIOUS)) is not None:
        registry.open(previous)
    back = registry.roll_back()
    reason = f"version {before} was taken back"
    outcome = Outcome("rollback", back, before, True, reason)
    _record(settings, registry, outcome, said)
    return outcome


def _record(
    settings: Settings, registry: Registry, outcome: Outcome, said: Callable[[str], None]
) -> None:
    """Note the decision on the version, and with its checks in gold; gold's are fraud's alone."""
    at = datetime.now(UTC)
    checks = json.dumps([asdict(check) for check in outcome.checks])
    tags = {
        "decision": f"{outcome.action}: {'promoted' if outcome.promoted else 'refused'}",
        "decided_at": at.isoformat(timespec="seconds"),
        "reason": outcome.reason[:_MOST_TAG],
    }
    registry.note(outcome.version, tags)
    if registry.name != FRAUD:
        if outcome.checks:
            registry.log_text(outcome.version, checks, CHECKS)
        return
    row = {
        "decided_at": at,
        "action": outcome.action,
        "model_version": outcome.version,
        "champion_version": outcome.champion,
        "promoted": outcome.promoted,
        "reason": outcome.reason,
        "checks": checks,
    }
    try:
        note(settings, "gold.model_decisions", [row])
        note_roles(settings)
    except (ComponentMissing, OSError) as error:  # a rollback must not wait for the lake
        said(f"noted in the registry alone, not in gold.model_decisions: {error}")
