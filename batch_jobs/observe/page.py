"""The facts on a page of a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from batch_jobs.observe.facts import Facts, Fresh

__all__ = ["page"]

_HOPS = ("kafka", "bronze", "gold", "silver")
_GOOD, _WARNS, _BAD, _QUIET = "green", "yellow", "bold red", "dim"


def page(facts: Facts, before: Facts | None = None) -> RenderableType:
    """Facts for people; rates need those of a moment before."""
    return Group(*_parts(facts, before))


def _parts(facts: Facts, before: Facts | None) -> Iterator[RenderableType]:
    yield Text(f"FinLake at {datetime.fromtimestamp(facts.at, UTC):%Y-%m-%d %H:%M:%S} UTC", "bold")
    for part, why in facts.problems.items():
        yield Text(f"{part}: {why}", _BAD)
    for alert in facts.firing:
        style = _BAD if alert.severity == "critical" else _WARNS
        yield Text(f"{alert.name}: {alert.summary} ({alert.runbook})", style)
    for table, why in facts.stopped.items():
        if why:
            yield Text(f"{table} is stopped: {why}", _BAD)
    yield _flow(facts, before)
    tables = (
        (facts.freshness, _freshness(facts)),
        (facts.lags, _lag(facts, before)),
        (facts.programs, _programs(facts, before)),
    )
    # beside each other where the terminal is wide enough
    yield Columns([table for there, table in tables if there], padding=(0, 3))


def _flow(facts: Facts, before: Facts | None) -> Table:
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style=_QUIET)
    shown.add_column()
    if facts.capture is not None:
        connector = facts.capture.connector
        words = Text(connector.summary, _GOOD if connector.running else _BAD)
        if facts.bytes_behind is not None:
            words.append(f", {_bytes(facts.bytes_behind)} of the source's log not read", "default")
        shown.add_row("connector", words)
    one = facts.batches
    shown.add_row(
        "last minute",
        f"{one.count} batches, {one.mean / 1000:.2f} s each, {one.longest / 1000:.2f} s at most;"
        f" {one.changes:,} changes",
    )
    if facts.alerts is not None:
        shown.add_row("alerts", f"{facts.alerts:,} so far{_alert_rate(facts, before)}")
    dead = sum(facts.dead_letters.values())
    tables = ", ".join(f"{table} {count:,}" for table, count in sorted(facts.dead_letters.items()))
    shown.add_row("dead letters", Text(tables, _BAD) if dead else Text("none", _GOOD))
    for place, (free, total) in facts.disks.items():
        share = free / total
        text = f"{_bytes(free)} of {_bytes(total)} free ({share:.0%})"
        shown.add_row(f"disk of {place}", Text(text, _BAD if share < 0.1 else ""))
    return shown


def _freshness(facts: Facts) -> Table:
    shown = _table("Age when visible, last minute: p50, p95 ms", "table", "changes", *_HOPS)
    found: dict[str, dict[str, Fresh]] = {}
    for one in facts.freshness:
        found.setdefault(one.table, {})[one.hop] = one
    for table, hops in found.items():
        ages = (f"{h.p50:,.0f}, {h.p95:,.0f}" if (h := hops.get(hop)) else "" for hop in _HOPS)
        shown.add_row(table, f"{max(one.events for one in hops.values()):,}", *ages)
    return shown


def _lag(facts: Facts, before: Facts | None) -> Table:
    readers = sorted({one.reader for one in facts.lags})
    shown = _table("Records not read", "topic", "new /s", *readers)
    behind: Counter[tuple[str, str]] = Counter()
    for one in facts.lags:
        behind[one.topic, one.reader] += one.lag
    for topic in sorted({one.topic for one in facts.lags}):
        rate = _rate(facts, before, topic)
        counts = (f"{behind[topic, r]:,}" if (topic, r) in behind else "" for r in readers)
        shown.add_row(topic, "" if rate is None else f"{rate:,.1f}", *counts)
    lost = [one for one in facts.lags if one.gone]
    for one in lost:
        place = f"{one.topic}[{one.partition}]"
        shown.add_row(Text(f"{place}: {one.reader} has lost {one.gone:,} unread", _BAD))
    return shown


def _programs(facts: Facts, before: Facts | None) -> Table:
    shown = _table("Components", "component", "state", "memory", "cores", "starts")
    earlier = {one.name: one.cpu for one in before.programs} if before else {}
    seconds = facts.at - before.at if before else 0.0
    for one in facts.programs:
        used = one.cpu - earlier.get(one.name, one.cpu) if seconds else None
        shown.add_row(
            one.name,
            Text(one.state, _GOOD if one.state == "healthy" else _BAD),
            _bytes(one.memory) if one.memory else "",
            "" if used is None or used < 0 else f"{used / seconds:.2f}",
            str(one.starts),
        )
    return shown


def _table(title: str, *columns: str) -> Table:
    shown = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for index, name in enumerate(columns):
        left = index == 0 or name == "state"
        shown.add_column(name, justify="left" if left else "right", no_wrap=True)
    return shown


def _alert_rate(facts: Facts, before: Facts | None) -> str:
    if before is None or before.alerts is None or facts.alerts is None or facts.at <= before.at:
        return ""
    return f", {max(facts.alerts - before.alerts, 0) / (facts.at - before.at):.1f} /s"


def _rate(facts: Facts, before: Facts | None, topic: str) -> float | None:
    """Records a second that the topic got since the moment before."""
    if before is None or facts.at <= before.at:
        return None
    now, then = (_ends(one, topic) for one in (facts, before))
    if not now or now.keys() != then.keys():
        return None
    return max(sum(now.values()) - sum(then.values()), 0) / (facts.at - before.at)


def _ends(facts: Facts, topic: str) -> dict[int, int]:
    return {one.partition: one.end for one in facts.lags if one.topic == topic}


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:,.0f} {unit}" if unit in ("B", "KiB", "MiB") else f"{count:,.1f} {unit}"
