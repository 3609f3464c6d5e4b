"""``finlake models card``: what people are told of a version, kept beside it in the registry."""

from __future__ import annotations

from batch_jobs.history import History
from batch_jobs.promotion.contest import costs_of, judged_days, side, window_of
from finlake.errors import FinlakeError
from infra.settings import Settings
from models.artifact import digest
from models.lifecycle.card import FILE, model_card
from models.lifecycle.measure import measure
from models.registry import Registry

__all__ = ["describe"]


def describe(settings: Settings, version: int) -> str:
    """Make the version's card from what it does on the newest labelled days, and keep it.

    Raises:
        FinlakeError: there is no such version, or those days do not hold both kinds of labels.
        ComponentMissing: when the registry or the lake is not there.
    """
    registry = Registry(settings)
    model = registry.load(version)
    history = History(settings)
    days = judged_days(history, [model], settings)
    seen = history.labelled(days, model.features)
    frauds = int((seen.label == 1).sum())
    if not 0 < frauds < len(seen.label):
        raise FinlakeError(
            f"gold.fact_transactions: {len(seen.label)} labelled transactions from {days[0]} to"
            f" {days[1]}, of which {frauds} are frauds; both kinds are needed to describe a model,"
            " so wait for labels"
        )
    costs = costs_of(settings)
    measured = measure(window_of(seen), seen.card, side(model, seen), costs)
    sha256 = digest(registry.fetch(version).folder)
    text = model_card(model, sha256, measured, costs, settings.gate_segment_frauds)
    registry.log_text(version, text, FILE)
    return text
