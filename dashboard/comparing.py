"""What a comparison of champion and challenger means, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.wording import count
from models.mcnemar import mcnemar

__all__ = ["Verdict", "precision", "verdict"]

_SURE = 0.05


@dataclass(frozen=True)
class Verdict:
    """Who is better, as far as labels tell; ``tone`` is good when the challenger is."""

    tone: Literal["good", "bad", "open"]
    title: str
    text: str


def verdict(sums: Mapping[str, Any]) -> Verdict:
    """Of the sums of ``gold.model_comparison`` over the days of one pair of versions."""
    champion, challenger = sums["champion_version"], sums["challenger_version"]
    both = f"Both have scored {_transactions(sums['transactions'])}"
    if not sums["labelled"]:
        return Verdict("open", "No labels yet", f"{both}, of which no label has arrived.")
    one, other = sums["only_champion"], sums["only_challenger"]
    known = (
        f"{both}; {count(sums['labelled'])} have a label by now, {count(sums['frauds'])} of them"
        f" fraud."
    )
    if not one + other:
        text = f"{known} Each of these was judged alike by both."
        return Verdict("open", "No difference so far", text)
    chance = mcnemar(one, other)
    facts = (
        f"{known} {count(other)} were judged rightly by the challenger alone, {count(one)} by the"
        f" champion alone. Between equally good models, a split at least as uneven as this comes"
        f" about {_often(chance)} (McNemar's exact test, {_value(chance)})."
    )
    if not sums["frauds"]:
        facts += " With no fraud among them, this tells only who raises fewer false alarms."
    if chance >= _SURE:
        return Verdict("open", "No difference shown yet", f"{facts} So it may well be chance.")
    name, tone = (
        (("challenger", challenger), "good") if other > one else (("champion", champion), "bad")
    )
    title = f"The {name[0]}, version {name[1]}, judges better"
    return Verdict(tone, title, f"{facts} So chance is an unlikely reason.")  # type: ignore[arg-type]


def precision(days: Sequence[Mapping[str, Any]], who: str) -> float | None:
    """Mean of a model's average precision over days, each as often as it has frauds."""
    told = [d for d in days if d[f"{who}_precision"] is not None]
    frauds = sum(d["frauds"] for d in told)
    if not frauds:
        return None
    return float(sum(d[f"{who}_precision"] * d["frauds"] for d in told) / frauds)


def _transactions(number: int) -> str:
    return "one transaction" if number == 1 else f"{count(number)} transactions"


def _often(chance: float) -> str:
    if chance >= 0.995:
        return "nearly always"
    for whole in (100, 1_000, 10_000):
        if chance * whole >= 1:
            return f"in {count(round(chance * whole))} of {count(whole)} cases"
    return "in fewer than 1 of 10,000 cases"


def _value(chance: float) -> str:
    return f"p = {chance:.2g}" if chance >= 0.0001 else "p < 0.0001"
