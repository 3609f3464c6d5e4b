"""The gate of models of categories and amounts with what it needs: days that neither has seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from batch_jobs.history import Days, History
from batch_jobs.promotion.contest import bounds_of, latencies, loaded, trained
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from models.artifact import digest
from models.features import Events
from models.features.events import Array
from models.features.view import DAY
from models.lifecycle.card import FILE, spending_card
from models.lifecycle.gate import Check, Decision
from models.lifecycle.spending import Guesser, Stretch, decide
from models.registry import CATEGORY, Registry, load_amount, load_category
from models.spending.amount import LEVELS, Range
from models.spending.category import SITUATIONS, Category
from models.spending.judging import log_losses, pinball_losses
from models.spending.learning import Rows, purchases, rows_of
from models.spending.plan import draw

__all__ = ["contest", "describe"]

_MOST_ROWS = 20_000
_NOBODY = "what is commonest"


def contest(
    settings: Settings,
    name: str,
    challenger: int,
    champion: int | None,
    said: Callable[[str], None],
) -> Decision:
    """Judge a version against the champion, if there is one, on the newest days.

    The days begin after those that either of them has learnt from.

    Raises:
        FinlakeError: there is no such version, or there are no such days.
        ComponentMissing: when the registry or the lake is not there.
    """
    registry = Registry(settings, name)
    against = f"version {champion}" if champion else _NOBODY
    try:
        model = registry.open(challenger)
    except ComponentMissing:
        raise
    except FinlakeError as error:
        broken = Check("clean load", "failed", str(error))
        return Decision(f"version {challenger}", against, (broken,))
    holder = registry.open(champion) if champion else None
    history = History(settings)
    days = _days(history, [model, *([holder] if holder else [])], settings)
    said(f"{name} {challenger} on the transactions of {days[0]} to {days[1]}")
    events, _ = history.events(days)
    among = events["mcc"] >= 0 if name == CATEGORY else events["cents"] > 0
    rows = draw(events, days, _MOST_ROWS, 0, among)
    if not len(rows):
        raise FinlakeError(
            f"gold.fact_transactions: has none from {days[0]} to {days[1]} that {name} could be"
            " judged by; wait for more"
        )
    segments = history.segments(days, events["id"][rows])
    if name == CATEGORY:
        found = _categories(settings, challenger, champion, events, rows)
    else:
        found = _amounts(settings, challenger, champion, events, rows)
        del segments["amount"]  # what is told would sort rows by how wrong it was
    return decide(
        Stretch(np.floor_divide(events["ts"][rows], DAY), segments | found.segments),
        found.champion,
        found.challenger,
        latencies_ms=latencies(model, found.values),
        loaded=loaded(registry, challenger, model, found.values),
        bounds=bounds_of(settings),
    )


@dataclass(frozen=True)
class _Judged:
    """Both guessers, what the challenger's ``answers`` takes, and more that divides the rows."""

    champion: Guesser
    challenger: Guesser
    values: Array
    segments: dict[str, Array]


def _categories(
    settings: Settings, challenger: int, champion: int | None, events: Events, rows: Array
) -> _Judged:
    def guesser(name: str, model: Category, seen: Rows) -> Guesser:
        told = model.probabilities(seen.seen, seen.situation)
        return Guesser(name, log_losses(model.classes, seen.mcc, told))

    model = load_category(settings, challenger)
    seen = rows_of(events, rows, model.classes)
    if champion:
        holder = load_category(settings, champion)
        own = rows_of(events, rows, holder.classes)
        against = guesser(f"version {champion}", holder, own)
    else:
        common = np.tile(model.knowledge.share, (len(rows), 1))
        against = Guesser(_NOBODY, log_losses(model.classes, seen.mcc, common))
    return _Judged(
        champion=against,
        challenger=guesser(f"version {challenger}", model, seen),
        values=np.column_stack([seen.situation, seen.seen.packed()]),
        segments={"merchant": np.array(SITUATIONS)[seen.situation]},
    )


def _amounts(
    settings: Settings, challenger: int, champion: int | None, events: Events, rows: Array
) -> _Judged:
    bought = purchases(events, rows)

    def guesser(name: str, told: Range) -> Guesser:
        inside = (bought.dollars >= told.low) & (bought.dollars <= told.high)
        return Guesser(name, pinball_losses(bought.dollars, told), inside)

    model = load_amount(settings, challenger)
    values = bought.of(model.features)
    if champion:
        holder = load_amount(settings, champion)
        against = guesser(f"version {champion}", holder.ranges(bought.of(holder.features)))
    else:
        # Of all that was read, so of the judged days too: no favour is done to the challenger.
        every = events["cents"][events["cents"] > 0] / 100.0
        common = np.tile(np.quantile(every, LEVELS)[:, None], len(rows))
        against = guesser(_NOBODY, Range(*common))
    return _Judged(against, guesser(f"version {challenger}", model.ranges(values)), values, {})


def describe(registry: Registry, version: int, decision: Decision) -> None:
    """Keep the version's card beside it, with what the gate found; none of one that is broken."""
    if len(decision.checks) == 1:  # that it does not load
        return
    folder = registry.fetch(version).folder
    model = registry.open(version)
    registry.log_text(version, spending_card(model, digest(folder), decision), FILE)


def _days(history: History, models: list[Any], settings: Settings) -> Days:
    since = max(trained(model)[1] for model in models) + timedelta(1)
    newest = history.newest()
    if newest is None or newest < since:
        raise FinlakeError(
            f"gold.fact_transactions: ends on {newest or 'no day'}, and {models[0].name}"
            f" {models[0].version} is judged from {since} on; wait for transactions, or train on"
            " older days"
        )
    return max(since, newest - timedelta(settings.gate_days - 1)), newest
