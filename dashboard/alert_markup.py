"""HTML of the alerts' page: the list of cases, and one case up close."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from dashboard.alert_queries import MODEL
from dashboard.period import Anchor
from dashboard.wording import ago, chance, clock, masked, money, place
from infra.database.notes import Note

__all__ = ["case", "cases", "features_in_words", "notes", "rule_in_words", "why"]

Row = Mapping[str, Any]

_SEVERITIES = ("high", "medium", "low")
_LABELS = {True: "fraud", False: "genuine", None: "none yet"}


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def rule_in_words(rule: str) -> str:
    """A rule's name as people say it."""
    return rule.replace("_", " ")


def features_in_words(reasons: str | None) -> str:
    """The features that push a score up, as people say them; empty without any."""
    return (reasons or "").replace("_", " ").replace(",", ", ")


def cases(
    found: Iterable[Row],
    at: Anchor,
    chosen: int | None,
    address: Callable[[int], str],
    whose: Mapping[int, str],
) -> str:
    """The cases in the order given, each a link to its address; the chosen one stands out.

    ``whose`` has who looks into which.
    """
    items = "".join(
        _item(
            row, at, row["transaction_id"] == chosen, address, whose.get(row["transaction_id"], "")
        )
        for row in found
    )
    return f'<ol class="fl-alerts fl-cases">{items}</ol>'


def _item(row: Row, at: Anchor, chosen: bool, address: Callable[[int], str], whose: str) -> str:
    number = int(row["transaction_id"])
    moment: datetime = row["transaction_ts"]
    current = ' aria-current="true"' if chosen else ""
    facts = [
        f'<span class="fl-card">{_text(masked(row["card_last4"]))}</span>',
        _text(place(row["merchant_city"], row["merchant_state"])),
        *([_text(row["category"])] if row["category"] else []),
        *([f"<b>{_LABELS[row['is_fraud']]}</b>"] if row["is_fraud"] is not None else []),
        *(
            [f'<span class="fl-card">score {chance(row["score"])}</span>']
            if row["score"] is not None
            else []
        ),
        *([f"{_text(whose)} looks into it"] if whose else []),
    ]
    return (
        f'<li class="fl-{_severity(row)}" data-case="{number}">'
        f'<a href="{_text(address(number))}" target="_self"{current}>'
        f"{_top(row, [rule_in_words(rule) for rule in row['rules']])}"
        f'<time datetime="{moment.isoformat()}" title="{clock(moment)}">'
        f"{ago(moment, at.at, historical=at.historical)}</time>"
        f'<span class="fl-amount">{money(row["amount"])}</span></span>'
        f'<span class="fl-reason">{_text(_first_reason(row))}</span>'
        f'<span class="fl-facts">{" · ".join(facts)}</span></a></li>'
    )


def _severity(row: Row) -> str:
    return row["severity"] if row["severity"] in _SEVERITIES else "low"


def _top(row: Row, rules: Sequence[str]) -> str:
    return (
        f'<span class="fl-top"><span class="fl-severity">{_severity(row)}</span>'
        f'<span class="fl-rule">{_text(", ".join(rules))}</span>'
    )


def _first_reason(row: Row) -> str:
    if row["rules"][0] == MODEL:
        said = features_in_words(row["reason"])
        return f"Because of: {said}" if said else "No reasons noted"
    return str(row["reason"])


def case(row: Row, back: str) -> str:
    """Head and facts of one transaction; ``back`` is the address of the list."""
    moment: datetime = row["transaction_ts"]
    kind = f"{row['card_brand'] or ''} {(row['card_type'] or '').lower()}".strip()
    facts = {
        "When": _text(clock(moment)),
        "Where": _text(place(row["merchant_city"], row["merchant_state"])),
        "What": _text(row["category"] or f"Category {row['mcc']}"),
        "Merchant": f"{int(row['merchant_id'])}",
        "Card": f'<span class="fl-card">{_text(masked(row["card_last4"]))}</span>'
        + (f" {_text(kind)}" if kind else "")
        + f", {_text(row['channel'].lower())}",
        "Customer": f'<a href="customers?who={int(row["user_id"])}" target="_self">'
        f"customer {int(row['user_id'])}</a>",
        "Outcome": _text(row["errors"] or "Approved"),
        "Label": _LABELS[row["is_fraud"]],
    }
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return (
        f'<section class="fl-case" data-case="{int(row["transaction_id"])}"><header>'
        f"<h2>Transaction {int(row['transaction_id'])}</h2>"
        f'<span class="fl-amount">{money(row["amount"])}</span></header>'
        f"<dl>{listed}</dl>"
        f'<a href="{_text(back)}" target="_self">Back to the list</a></section>'
    )


def why(row: Row, alerts: Sequence[Row]) -> str:
    """Why the transaction is suspicious: the rules' words, and the model's."""
    items = [
        f'<li class="fl-{_severity(alert)}">{_top(alert, [rule_in_words(alert["rule"])])}</span>'
        f'<span class="fl-reason">{_text(alert["reason"])}</span></li>'
        for alert in alerts
    ]
    if row["score"] is not None:
        severity = {"critical": "high", "high": "medium"}.get(row["band"], "low")
        said = features_in_words(row["reasons"])
        told = f"Because of: {said}" if said else "Below the threshold, so no reasons are noted"
        second = (
            f"; the challenger says {chance(row['challenger_score'])}"
            if row["challenger_score"] is not None
            else ""
        )
        items.append(
            f'<li class="fl-{severity}"><span class="fl-top"><span class="fl-severity">'
            f'{_text(row["band"])}</span><span class="fl-rule">model, version'
            f" {int(row['model_version'])}</span>"
            f'<span class="fl-amount">{chance(row["score"])}</span></span>'
            f'<span class="fl-reason">{_text(told)}{second}</span></li>'
        )
    elif row["note"]:
        items.append(
            '<li class="fl-low"><span class="fl-top"><span class="fl-severity">no score</span>'
            f'<span class="fl-rule">model</span></span><span class="fl-reason">'
            f"{_text(row['note'])}</span></li>"
        )
    if not items:
        items.append('<li class="fl-low"><span class="fl-reason">No rule, and no model</span></li>')
    return f'<ol class="fl-alerts fl-why">{"".join(items)}</ol>'


def notes(found: Iterable[Note]) -> str:
    """What operators said, in the order given."""
    items = "".join(
        f'<li class="fl-low"><div class="fl-top"><span class="fl-rule">{_text(one.author)}</span>'
        + (f"<span>assigned it to {_text(one.assigned_to)}</span>" if one.assigned_to else "")
        + f"<time>{clock(one.at)}</time></div>"
        + (f'<p class="fl-reason">{_text(one.comment)}</p>' if one.comment else "")
        + "</li>"
        for one in found
    )
    return f'<ol class="fl-alerts">{items}</ol>'
