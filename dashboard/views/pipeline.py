"""How the data gets here: freshness per hop, health of the components, what became of changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard import charts, downloads, markup, queries
from dashboard.figures import rows
from dashboard.frame import heading, lake, live, now, settings
from dashboard.views import tending
from dashboard.wording import ago, count, duration
from dashboard.zones import zone_name
from infra.stack.control import status

__all__ = ["show"]

_RECENT = timedelta(minutes=1)
_CHART = timedelta(minutes=15)
_CHART_STEP = timedelta(seconds=10)
_TOTALS = timedelta(days=1)


def show() -> None:
    """Draw the page."""
    heading("Pipeline")
    live(_freshness)
    live(_components)
    tending.show()
    live(_changes)


def _freshness() -> None:
    st.subheader("Freshness: from the source's commit to visible", anchor=False)
    (found,) = rows(lake(), queries.newest_measurement())
    newest: datetime | None = found["newest"]
    if newest is None:
        st.html(
            markup.empty_state(
                "Nothing measured yet",
                "Every batch of the streaming jobs measures itself.",
                (("Start them:", "finlake stream"),),
            )
        )
        return
    measured = rows(lake(), queries.freshness_now(newest - _RECENT))
    idle = now() - newest > _RECENT
    st.caption(
        f"Median of the last minute before {ago(newest, now())}, when the stream was last busy"
        if idle
        else "Median, 95th percentile and largest of the last minute, all tables together"
    )
    st.html(markup.hop_strip(_per_hop(measured)))
    st.caption("95th percentile over the last 15 minutes")
    since = newest - _CHART
    line = rows(lake(), queries.freshness_timeline(since, _CHART_STEP))
    st.altair_chart(
        charts.freshness_lines(
            [(since + r["bucket"] * _CHART_STEP, r["hop"], r["p95_ms"]) for r in line],
            newest,
            zone_name(),
        ),
        alt="95th percentile of freshness per hop over the last 15 minutes",
        key="freshness",
    )
    with st.expander("Per table"):
        heads = [("Table", False), ("Hop", False), ("Changes", True)]
        heads += [("p50", True), ("p95", True), ("Max", True)]
        order = {hop: place for place, hop in enumerate(markup.HOPS)}
        measured.sort(key=lambda r: (r["table_name"], order.get(r["hop"], len(order))))
        st.html(
            markup.cells(
                heads,
                [
                    (
                        r["table_name"],
                        r["hop"],
                        count(int(r["events"])),
                        duration(r["p50_ms"]),
                        duration(r["p95_ms"]),
                        duration(r["max_ms"]),
                    )
                    for r in measured
                ],
                caption="Last minute, per source table and hop",
            )
        )


def _per_hop(measured: list[dict[str, Any]]) -> Mapping[str, Mapping[str, float]]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in measured:
        grouped[row["hop"]].append(row)
    return {hop: _joined(found) for hop, found in grouped.items()}


def _joined(found: list[dict[str, Any]]) -> Mapping[str, float]:
    events = sum(int(r["events"]) for r in found)
    return {
        "p50_ms": sum(r["p50_ms"] * int(r["events"]) for r in found) / events,
        "p95_ms": sum(r["p95_ms"] * int(r["events"]) for r in found) / events,
        "max_ms": max(r["max_ms"] for r in found),
    }


def _components() -> None:
    st.subheader("Components", anchor=False)
    found = status(settings())
    if found:
        st.html(markup.components([asdict(report) for report in found]))
        return
    st.html(
        markup.empty_state(
            "No embedded stack here",
            "The components run elsewhere, or not at all.",
            (("Start them on this machine:", "finlake up"),),
        )
    )


def _changes() -> None:
    st.subheader("Changes of the last 24 hours", anchor=False)
    found = rows(lake(), queries.batch_totals(now() - _TOTALS))
    if not found:
        st.html(markup.empty_state("No changes", "No batch ran in the last 24 hours."))
        return
    heads = [("Table", False), ("Changes", True), ("Applied", True), ("Superseded", True)]
    heads += [("Quarantined", True), ("Batch takes", True), ("Last", True)]
    lost = 0
    lines = []
    for r in found:
        parts = [int(r[name]) for name in ("events", "applied", "superseded", "quarantined")]
        lost += parts[0] - sum(parts[1:])
        lines.append(
            (
                r["table_name"],
                *(count(part) for part in parts),
                duration(r["duration_ms"]),
                ago(r["last_started"], now()),
            )
        )
    st.html(
        markup.cells(
            heads,
            lines,
            caption="Every change is applied, superseded by a later one, or quarantined"
            + (": the counts add up." if not lost else "."),
        )
    )
    downloads.offer("changes", found)
    if lost:
        st.html(
            markup.warning(
                f"{count(lost)} changes are unaccounted for",
                "They were neither applied, superseded nor quarantined; run `finlake verify`.",
            )
        )
