"""Whether the champion still may: drift of what it sees, decay of what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import markup, model_charts, model_queries
from dashboard.figures import rows
from dashboard.frame import lake, now, settings
from dashboard.wording import ago, count

__all__ = ["decay", "drift"]

_LEVELS = {"alarm": "Alarm", "warn": "Warning", "ok": "As it was"}

Row = dict[str, Any]


def _champion() -> int | None:
    found = rows(lake(), model_queries.roles())
    return next((r["model_version"] for r in found if r["role"] == "champion"), None)


def drift(everything: bool) -> None:
    """Draw the drift of the features that moved, or of all."""
    version = _champion()
    found = rows(lake(), model_queries.drift(version)) if version else []
    if not found:
        st.html(
            markup.empty_state(
                "Drift was not measured yet",
                "It compares what the champion sees now with what it learnt from, by a timer:",
                (("Measure once:", "finlake drift"), ("Every hour:", "finlake drift --watch")),
            )
        )
        return
    one, limits = found[0], settings()
    moved = [r for r in found if r["level"] != "ok"]
    alarms = sum(r["level"] == "alarm" for r in found)
    st.caption(
        f"Version {version}: {one['window_start']:%d %b %Y} to {one['window_end']:%d %b %Y}"
        f" ({count(one['window_rows'])} transactions) against {count(one['reference_rows'])} of its"
        f" training; measured {ago(one['measured_at'], now())}"
    )
    score = next((r for r in found if r["feature"] == "score"), None)
    grid = st.grid(4, min_column_width=150, gap="xsmall", key="drifted")
    grid.metric("In alarm", f"{count(alarms)} of {count(len(found))}", border=True)
    grid.metric("Warning", count(len(moved) - alarms), border=True)
    if score:
        grid.metric(
            "Score", f"PSI {score['psi']:.3f}", border=True, help="Drift of its own answers."
        )
        grid.metric("Score's level", _LEVELS[score["level"]], border=True)
    windows = rows(lake(), model_queries.drift_of_scores(version or 0))
    if len(windows) > 1:
        st.markdown("**PSI of the score**, with the limits of a warning and an alarm")
        st.altair_chart(
            model_charts.drift_line(windows, limits.drift_psi_warn, limits.drift_psi_alarm),
            alt="Population stability index of the score by window",
            key="drift",
        )
    shown = found if everything else moved
    if shown:
        _drift_table(shown)
    else:
        st.html(markup.empty_state("Nothing moved", "All features and the score are as they were."))
    st.caption(
        "PSI, the population stability index, and KS, the largest distance between the two"
        f" distributions, are 0 when nothing moved. A warning from PSI {limits.drift_psi_warn:g} or"
        f" KS {limits.drift_ks_warn:g}, an alarm from PSI {limits.drift_psi_alarm:g} or KS"
        f" {limits.drift_ks_alarm:g}, unless so few transactions bring that by chance."
    )


def _drift_table(shown: Sequence[Row]) -> None:
    limits = settings()
    measures = (
        ("psi", limits.drift_psi_warn, limits.drift_psi_alarm),
        ("ks", limits.drift_ks_warn, limits.drift_ks_alarm),
    )
    lines = []
    for r in shown:
        crossed = [
            f"{name.upper()} {r[name] / (alarm if r[name] >= alarm else warn):.1f} × the limit"
            for name, warn, alarm in measures
            if r["level"] != "ok" and r[name] >= warn
        ]
        lines.append(
            (
                r["feature"].replace("_", " "),
                f"{r['psi']:.3f}",
                f"{r['ks']:.3f}",
                _LEVELS[r["level"]],
                ", ".join(crossed) or "–",
            )
        )
    heads = [("Feature", False), ("PSI", True), ("KS", True), ("Level", False), ("Above", False)]
    st.html(
        markup.cells(
            heads, lines, caption="The worst first", levels=[str(r["level"]) for r in shown]
        )
    )


def decay() -> None:
    """Draw the weeks whose labels have arrived."""
    version = _champion()
    weeks = rows(lake(), model_queries.decay(version)) if version else []
    judged = [w for w in weeks if w["average_precision"] is not None]
    if not weeks:
        st.html(
            markup.empty_state(
                "No week has been judged yet",
                "A week is judged once its labels had their seven days to arrive, and only when it"
                " lies after what the champion learnt from.",
                (("Judge what can be:", "finlake drift"),),
            )
        )
        return
    if judged:
        trained = judged[-1]["average_precision_trained"]
        st.caption(
            f"Average precision of version {version} by week, with ranges that hold 90 % of samples"
            f" of its days; the dashed line is {trained:.3f}, that of its training's test"
        )
        st.altair_chart(
            model_charts.decay_points(weeks),
            alt="Average precision by week with its range, and that of the training's test",
            key="decay",
        )
    heads = [("Week from", False), ("Transactions", True), ("Frauds", True), ("Foretold", True)]
    heads += [("Average precision", True), ("Level", False)]
    newest = list(reversed(weeks))
    st.html(
        markup.cells(
            heads,
            [
                (
                    f"{w['week_start']:%d %b %Y}",
                    count(w["transactions"]),
                    count(w["frauds"]),
                    f"{w['foretold']:.1f}",
                    _bounded(w),
                    _LEVELS[w["level"]] if w["average_precision"] is not None else "too few frauds",
                )
                for w in newest
            ],
            caption="Foretold is what its probabilities add up to; far from the frauds that came,"
            " they are no longer right",
            levels=[str(w["level"]) for w in newest],
        )
    )


def _bounded(week: Row) -> str:
    if week["average_precision"] is None:
        return "–"
    low, high = week["average_precision_low"], week["average_precision_high"]
    return f"{week['average_precision']:.3f} ({low:.3f} to {high:.3f})"
