"""The few pieces of HTML that Streamlit has no element for. Every value is escaped here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from itertools import zip_longest
from typing import Any, NamedTuple

from dashboard.figures import Slice
from dashboard.period import Anchor
from dashboard.wording import ago, clock, count, duration, masked, money, place
from dashboard.zones import local

__all__ = [
    "HOPS",
    "Link",
    "alert_list",
    "bars",
    "cells",
    "components",
    "customer_link",
    "empty_state",
    "error_state",
    "hop_strip",
    "letters",
    "links",
    "stamp",
    "stopped_tables",
    "warning",
]

HOPS = ("kafka", "bronze", "silver", "gold", "alert")
_SEVERITIES = ("high", "medium", "low")
_FRAMES = re.compile(r"\s+0: (?=<|\w+::).*?(?=\)[;.]|$)")
_TONES = {
    "healthy": "good",
    "waiting": "warn",
    "starting": "warn",
    "restarting": "bad",
    "unhealthy": "bad",
}


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def _prose(value: object) -> str:
    """Text in which `backticks` mark commands."""
    parts = _text(value).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))


def empty_state(title: str, text: str, steps: Sequence[tuple[str, str]] = ()) -> str:
    """A calm box for "nothing here yet"; steps are (what for, command)."""
    items = "".join(
        f"<li><span>{_text(why)}</span> <code>{_text(command)}</code></li>"
        for why, command in steps
    )
    listed = f"<ol>{items}</ol>" if items else ""
    return (
        f'<section class="fl-state fl-empty" role="status"><h3>{_text(title)}</h3>'
        f"<p>{_text(text)}</p>{listed}</section>"
    )


def error_state(message: str) -> str:
    """A box for what cannot be shown: the error's one line, without an engine's stack frames."""
    first = message.strip().splitlines()[0] if message.strip() else "unknown error"
    return warning(
        "The lake cannot be read", _FRAMES.sub("", first), "The page tries again by itself."
    )


def warning(title: str, *paragraphs: str) -> str:
    """A red box; `backticks` mark commands."""
    body = "".join(f"<p>{_prose(text)}</p>" for text in paragraphs)
    return (
        f'<section class="fl-state fl-error" role="alert"><h3>{_text(title)}</h3>{body}</section>'
    )


def stopped_tables(tables: Sequence[Mapping[str, Any]]) -> str:
    """The banner over every page: stopped tables, each with reason and next step."""
    items = "".join(
        f"<li><strong>{_text(t['table_name'])}</strong> stopped {clock(t['since'])}:"
        f" {_prose(t['reason'] or 'no reason given')}"
        + (f'<span class="fl-next">Next: {_prose(t["next_step"])}</span>' if t["next_step"] else "")
        + "</li>"
        for t in tables
    )
    one = len(tables) == 1
    title = "One table has stopped" if one else f"{len(tables)} tables have stopped"
    return (
        f'<section class="fl-state fl-error fl-banner" role="alert"><h3>{title}; '
        f"the others flow on</h3><ul>{items}</ul></section>"
    )


def stamp(newest: datetime | None, now: datetime, *, paused: bool) -> str:
    """How fresh the shown data is: a coloured dot and words."""
    if paused:
        return (
            '<p class="fl-stamp"><span class="fl-dot fl-off"></span>'
            f"<b>Paused</b> at {local(now):%H:%M:%S %Z}</p>"
        )
    if newest is None:
        return '<p class="fl-stamp"><span class="fl-dot fl-off"></span>Nothing measured yet</p>'
    age = (now - newest).total_seconds()
    words = f'<span title="{clock(newest)}">updated {ago(newest, now)}</span>'
    if age <= 30:
        return f'<p class="fl-stamp"><span class="fl-dot fl-good"></span><b>Live</b> · {words}</p>'
    return (
        '<p class="fl-stamp"><span class="fl-dot fl-warn"></span><b>Stream is idle</b> · '
        f"{words} · <code>finlake stream</code></p>"
    )


def alert_list(alerts: Iterable[Mapping[str, Any]], at: Anchor | None) -> str:
    """The alert feed in the order given; times are relative to the anchor, or dates without one."""
    return f'<ol class="fl-alerts">{"".join(_alert(a, at) for a in alerts)}</ol>'


def _alert(alert: Mapping[str, Any], at: Anchor | None) -> str:
    severity = alert["severity"] if alert["severity"] in _SEVERITIES else "low"
    moment: datetime = alert["transaction_ts"]
    when = ago(moment, at.at, historical=at.historical) if at else clock(moment)
    card = masked(alert["card_last4"])
    facts = [
        f'<span class="fl-card">{_text(card)}</span>'
        + (f" {_text(alert['card_brand'])}" if alert["card_brand"] else ""),
        f'<a href="customers?who={int(alert["user_id"])}" target="_self">'
        f"customer {int(alert['user_id'])}</a>",
        _text(place(alert["merchant_city"], alert["merchant_state"])),
    ]
    if alert["category"]:
        facts.append(_text(alert["category"]))
    case = f"alerts?case={int(alert['transaction_id'])}"
    facts.append(f'<a href="{case}" target="_self">look into it</a>')
    return (
        f'<li class="fl-{severity}" data-alert="{_text(alert["alert_id"])}">'
        f'<div class="fl-top"><span class="fl-severity">{severity}</span>'
        f'<span class="fl-rule">{_text(alert["rule"].replace("_", " "))}</span>'
        f'<time datetime="{moment.isoformat()}" title="{clock(moment)}">'
        f"{when}</time>"
        f'<span class="fl-amount">{money(alert["amount"])}</span></div>'
        f'<p class="fl-reason">{_text(alert["reason"])}</p>'
        f'<p class="fl-facts">{" · ".join(facts)}</p></li>'
    )


def hop_strip(hops: Mapping[str, Mapping[str, Any]]) -> str:
    """The way of a change from hop to hop, each with the time since the source's commit."""
    items = "".join(_hop(name, hops.get(name)) for name in HOPS)
    return f'<ol class="fl-hops">{items}</ol>'


def _hop(name: str, figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        body = '<span class="fl-p50">–</span><span class="fl-rest">no changes</span>'
    else:
        body = (
            f'<span class="fl-p50">{duration(figures["p50_ms"])}</span>'
            f'<span class="fl-rest">p95 {duration(figures["p95_ms"])}</span>'
            f'<span class="fl-rest">max {duration(figures["max_ms"])}</span>'
        )
    return f'<li data-hop="{name}"><span class="fl-name">{name}</span>{body}</li>'


def components(found: Iterable[Mapping[str, Any]]) -> str:
    """Health of the stack's components as a row of tiles."""
    return f'<ul class="fl-components">{"".join(_component(c) for c in found)}</ul>'


def _component(component: Mapping[str, Any]) -> str:
    state = str(component["state"])
    details = [_text(component[key]) for key in ("address", "version") if component[key]]
    if component["message"] and state != "healthy":
        details.append(_text(component["message"]))
    return (
        f'<li><span class="fl-dot fl-{_TONES.get(state, "off")}"></span>'
        f"<b>{_text(component['component'])}</b> <span>{_text(state)}</span>"
        f"<small>{'<br>'.join(details)}</small></li>"
    )


class Link(NamedTuple):
    """A cell that leads to another page."""

    text: str
    address: str


def customer_link(customer: int) -> Link:
    """A customer's number, which leads to their page."""
    return Link(str(customer), f"customers?who={customer}")


def cells(
    heads: Sequence[tuple[str, bool]],
    lines: Iterable[Sequence[str | Link]],
    *,
    caption: str,
    levels: Iterable[str] = (),
) -> str:
    """A small table; a head is (text, is it a number). On a phone each line becomes a card.

    ``levels`` marks each line as ok, warn or alarm.
    """
    classes = ["fl-number" if number else "" for _, number in heads]
    head = "".join(
        f'<th scope="col" class="{c}">{_text(text)}</th>'
        for (text, _), c in zip(heads, classes, strict=True)
    )
    body = "".join(
        f'<tr class="fl-{_text(level)}">'
        + "".join(
            f'<td class="{c}" data-head="{_text(text)}">{_cell(value)}</td>'
            for (text, _), c, value in zip(heads, classes, line, strict=True)
        )
        + "</tr>"
        for line, level in zip_longest(lines, levels, fillvalue="ok")
    )
    return (
        f'<table class="fl-table"><caption>{_text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(value: str | Link) -> str:
    if isinstance(value, Link):
        return f'<a href="{_text(value.address)}" target="_self">{_text(value.text)}</a>'
    return _text(value)


def letters(found: Iterable[tuple[Mapping[str, Any], str]]) -> str:
    """Records that were set aside, in the order given, each a link to its address."""
    items = "".join(
        f'<li class="fl-medium"><a href="{_text(address)}" target="_self"><span class="fl-top">'
        f'<span class="fl-rule">{_text(row["source_table"])}</span>'
        f"<span>{_text(row['reason'].replace('_', ' '))}</span>"
        f"<time>{clock(row['kafka_ts'])}</time></span>"
        f'<span class="fl-reason">{_text(row["detail"])}</span><span class="fl-facts">'
        f"{_text(row['topic'])}[{row['partition']}]@{row['offset']}</span></a></li>"
        for row, address in found
    )
    return f'<ol class="fl-alerts fl-cases">{items}</ol>'


def links(found: Iterable[tuple[str, str, str]]) -> str:
    """Links in the order given: address, title, and a line below it."""
    items = "".join(
        f'<li class="fl-low"><a href="{_text(address)}" target="_self">'
        f'<span class="fl-rule">{_text(title)}</span>'
        f'<span class="fl-facts">{_text(line)}</span></a></li>'
        for address, title, line in found
    )
    return f'<ol class="fl-alerts fl-cases">{items}</ol>'


def bars(slices: Sequence[Slice]) -> str:
    """Volume per slice as labelled bars, in the order given; money back has no bar."""
    longest = max((s.measures.amount for s in slices), default=Decimal(0))
    return f'<ul class="fl-bars">{"".join(_bar(s, longest) for s in slices)}</ul>'


def _bar(part: Slice, longest: Decimal) -> str:
    measures = part.measures
    width = max(0.0, float(100 * measures.amount / longest)) if longest > 0 else 0.0
    return (
        f'<li title="{count(measures.declined)} declined">'
        f"<span>{_text(part.name)}</span>"
        f"<span><b>{money(measures.amount, cents=False)}</b> {count(measures.transactions)}"
        f' <abbr title="transactions">tx</abbr></span>'
        f'<i style="width:{width:.1f}%"></i></li>'
    )
