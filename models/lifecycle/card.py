"""The model card: what people should know of a model before they rely on it.

Its parts are those of Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from math import isinf, isnan

from models.artifact import Model
from models.features import FEATURES
from models.features.catalogue import EVERY
from models.features.feature import PAST_LABELS, SNAPSHOT
from models.features.view import DAY
from models.lifecycle.gate import Decision
from models.lifecycle.measure import Measured, Part
from models.spending.amount import Amount
from models.spending.category import Category
from models.training.threshold import Costs

__all__ = ["FILE", "model_card", "spending_card"]

FILE = "model_card.md"
"""Name of the card among the artifacts of the version's run."""

_INTENDED = """\
Ranks card transactions by how likely they are frauds, so that analysts look at the likeliest first;
reason codes say what raised a score. It is made for the population and the source it learnt from.

It is not made to decline a payment, close an account or judge a person without somebody looking,
nor for credit, prices or anything else than fraud. Attributes such as income, age and gender of the
customer may be among its features: the tables by segment below are there to be looked at."""

_CATEGORIES = """\
Guesses the category of a card transaction whose own is missing or not known, with probabilities and
reasons, for reports and for people who look at their spending. It changes no transaction."""

_OF_CATEGORIES = (
    "It guesses no category that the days of its training did not have.",
    "It looks back 90 days. Where the merchant is new or none is told it is right far less often:"
    " see the segments.",
    "Who moves, or spends in another way than before, is guessed by the old habits for a while.",
)

_AMOUNTS = """\
Says what a purchase will cost before its amount is known: a middle, and an interval for nine of
ten, for budgets and for marking what is unusual. It is made for no decision about a person."""

_OF_AMOUNTS = (
    "It speaks of purchases: it has learnt from no refund.",
    "Nine of ten amounts lie in the interval over all of them, and not for every customer, category"
    " or size: see the segments.",
    "It looks back 90 days; prices that rise are followed with that delay.",
)


def model_card(
    model: Model, sha256: str, measured: Measured, costs: Costs, fewest_frauds: int
) -> str:
    """The card as Markdown; the same arguments give the same text.

    Args:
        model: as it was loaded.
        sha256: the digest it was loaded by.
        measured: what it does on a recent window.
        costs: what mistakes cost there.
        fewest_frauds: a segment with fewer says nothing about the model.
    """
    sections = {
        "What it is": _what(model, sha256),
        "Intended use": [_INTENDED],
        "Data": _data(model, "labelled transactions alone"),
        "Features": _features(model),
        "Metrics on the test of its training": _trained(model),
        f"Metrics from {_day(measured.first_day)} to {_day(measured.last_day)}": _metrics(measured),
        "By segment": _segments(measured.parts),
        "Threshold and costs": _threshold(model, measured, costs),
        "Limits": _limits(model, measured, fewest_frauds),
    }
    return _written(model, sections)


def spending_card(model: Model | Category | Amount, sha256: str, decision: Decision) -> str:
    """The card of a model of categories or amounts, with what the gate found, by segment."""
    found = [
        (check.name, f"{check.figures.get('transactions', 0):,.0f}", check.verdict, check.reason)
        for check in decision.checks
    ]
    of_categories = isinstance(model, Category)
    use, limits = (_CATEGORIES, _OF_CATEGORIES) if of_categories else (_AMOUNTS, _OF_AMOUNTS)
    sections = {
        "What it is": _what(model, sha256),
        "Intended use": [use],
        "Data": _data(model, "transactions"),
        "Features": _features(model),
        "Metrics on the test of its training": _trained(model),
        f"At the gate, against {decision.champion}": _table(
            ("check or segment", "transactions", "verdict", "what was found"), found
        ),
        "Limits": [f"- {limit}" for limit in limits],
    }
    return _written(model, sections)


def _written(model: Model | Category | Amount, sections: Mapping[str, Sequence[str]]) -> str:
    parts = [f"# Model card: {model.name} {model.version}"]
    for title, lines in sections.items():
        parts.append(f"## {title}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(number)


def _what(model: Model | Category | Amount, sha256: str) -> list[str]:
    facts = model.facts
    return _table(
        ("", ""),
        [
            ("recipe", facts["recipe"]),
            ("seed", str(facts["seed"])),
            ("code", f"commit {facts['commit'] or 'unknown'}"),
            ("contracts", facts["contracts"][:12]),
            ("digest", sha256),
        ],
    )


def _data(model: Model | Category | Amount, which: str) -> list[str]:
    first, last = model.facts["trained"]
    return [
        f"Learnt from {which} of {first} to {last}. Each table at this version:",
        "",
        *_table(("table", "version"), sorted(model.facts["tables"].items())),
    ]


def _features(model: Model | Category | Amount) -> list[str]:
    own = sorted((EVERY[name] for name in model.features), key=lambda f: f.family)
    families = [
        (family, ", ".join(f"`{feature.name}`" for feature in members))
        for family, members in groupby(own, key=lambda f: f.family)
    ]
    return [
        f"{len(own)} features; docs/features.md says what each of them is.",
        "",
        *_table(("family", "features"), families),
    ]


def _trained(model: Model | Category | Amount) -> list[str]:
    metrics = sorted(model.facts["metrics"].items())
    return _table(("metric", "value"), [(name, f"{value:.4f}") for name, value in metrics])


def _metrics(measured: Measured) -> list[str]:
    rows = [
        (name, f"{value:.4f}", "{:.4f} to {:.4f}".format(*measured.bounds[name]))
        for name, value in measured.metrics.items()
    ]
    return [
        f"{measured.transactions:,} labelled transactions, {measured.frauds:,} frauds. The bounds"
        " hold 90 % of samples of its days.",
        "",
        *_table(("metric", "value", "bounds"), rows),
    ]


def _segments(parts: Sequence[Part]) -> list[str]:
    rows = [
        (
            part.division,
            part.name,
            f"{part.transactions:,}",
            f"{part.frauds:,}",
            "" if isnan(part.average_precision) else f"{part.average_precision:.4f}",
        )
        for part in parts
    ]
    return _table(("by", "part", "transactions", "frauds", "average precision"), rows)


def _threshold(model: Model, measured: Measured, costs: Costs) -> list[str]:
    raises = (
        "It never raises an alarm."
        if isinf(model.threshold)
        else f"It raises an alarm at a probability of {model.threshold:.4f} or above."
    )
    return [
        f"{raises} A missed fraud counts {costs.missed_fraud:g}, a false alarm"
        f" {costs.false_alarm:g} US dollars, and {costs.alarms_a_day} alarms a day can be seen to."
        f" On the window above that came to {measured.alarms:.1f} alarms and"
        f" {measured.cost:.2f} US dollars a day.",
    ]


def _limits(model: Model, measured: Measured, fewest_frauds: int) -> list[str]:
    return [f"- {limit}" for limit in _limits_of(model, measured, fewest_frauds)]


def _limits_of(model: Model, measured: Measured, fewest_frauds: int) -> Iterator[str]:
    used = [feature for feature in FEATURES if feature.name in model.features]
    rules = [feature.rule for feature in used]
    windows = [f.window for f in used if f.rule != PAST_LABELS]
    yield f"It looks back up to {max(windows, default=0) // DAY} days, and knows nothing older."
    if labels := rules.count(PAST_LABELS):
        yield f"{labels} features need labels that came in time; without labels they go stale."
    if snapshots := rules.count(SNAPSHOT):
        yield (
            f"{snapshots} features are attributes of cards and customers, taken as they are known"
            " now where there is one version of them."
        )
    unsure = [p for p in measured.parts if p.frauds < fewest_frauds]
    if unsure:
        names = ", ".join(f"{part.division} {part.name}" for part in unsure)
        yield f"Too few frauds (below {fewest_frauds}) to say how it does for: {names}."
    whole = measured.metrics["average precision"]
    weak = [
        part
        for part in measured.parts
        if part.frauds >= fewest_frauds and part.average_precision < whole / 2
    ]
    if weak:
        names = ", ".join(f"{part.division} {part.name}" for part in weak)
        yield f"Less than half as precise as on the whole for: {names}."


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
