"""The models of fraud: who decides, who wants to, how they do, and whether they still may."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from dashboard import markup, model_markup, model_queries
from dashboard.figures import rows
from dashboard.frame import heading, lake, live, now, settings
from dashboard.views import model_comparison, model_drift, model_scores
from dashboard.wording import clock, short_clock, timed
from infra.stack.control import status

__all__ = ["show"]

_NAME = "finlake-fraud"
_DECISIONS = 10
_VERDICTS = {"passed": "ok", "failed": "alarm"}

Row = dict[str, Any]


def show() -> None:
    """Draw the page."""
    heading("Models")
    live(_roles)
    st.subheader("Scores", anchor=False)
    span = st.segmented_control(
        "Time of the transactions",
        tuple(model_scores.SPANS),
        default="7 d",
        required=True,
        key="span",
        bind="query-params",
        label_visibility="collapsed",
    )
    live(partial(model_scores.show, span))
    st.subheader("Champion against challenger", anchor=False)
    live(partial(model_comparison.show, model_comparison.chosen_pair()))
    st.subheader("Drift: is the world still the one it learnt from?", anchor=False)
    features = st.segmented_control(
        "Features",
        ("Those that moved", "All"),
        default="Those that moved",
        required=True,
        key="features",
        bind="query-params",
        label_visibility="collapsed",
    )
    live(partial(model_drift.drift, features == "All"))
    st.subheader("Decay: does it still find the frauds?", anchor=False)
    live(model_drift.decay)
    st.subheader("Decisions", anchor=False)
    live(_decisions)


# ── Who serves ────────────────────────────────────────────────────────────────────────────────────


def _roles() -> None:
    versions = rows(lake(), model_queries.roles())
    if versions:
        st.html(model_markup.cards(versions, now(), _registry_pages()))
        _missing(versions)
        with st.expander("What the figures mean"):
            st.markdown(
                "\n".join(f"- **{name}**: {text}" for name, text in model_markup.METRICS.items())
                + "\n\nAll are of the last days before the training, which the model did not learn"
                " from. The ranges hold the middle 90 % of samples of those days. Two versions are"
                " comparable by them only when their tests span the same days."
            )
        return
    st.html(
        markup.empty_state(
            "No model is known here",
            "Until there is one, the rules alone raise alerts. A model needs history with labels:",
            (
                ("Train a first champion:", "finlake train --alias champion"),
                ("Score what streams in:", "finlake score"),
                ("There is one already? Note what it is:", "finlake drift"),
            ),
        )
    )


def _missing(versions: Sequence[Row]) -> None:
    """Say which role nobody has."""
    there = {version["role"] for version in versions}
    if "champion" not in there:
        st.html(
            markup.warning(
                "There is no champion",
                "Transactions get no score; `finlake promote` makes the challenger champion when"
                " it passes the gate, `finlake promote --rollback` brings the one before back.",
            )
        )
    if "challenger" not in there:
        st.caption("There is no challenger; `finlake train` makes one.")
    before = [v for v in versions if v["role"] == "previous"]
    if before:
        st.caption(
            f"Version {before[0]['model_version']} was champion until"
            f" {clock(before[0]['measured_at'])}; `finlake promote --rollback` brings it back."
        )


def _registry_pages() -> str:
    """Where MLflow shows the versions; empty while its server does not run."""
    url = settings().mlflow_url
    own = [c for c in status(settings()) if c.component == "mlflow"]
    if own and own[0].state == "healthy":
        url = own[0].address
    elif own:
        url = None
    return f"{url}/#/models/{_NAME}/versions" if url else ""


# ── Decisions ─────────────────────────────────────────────────────────────────────────────────────


def _decisions() -> None:
    found = rows(lake(), model_queries.decisions(_DECISIONS))
    if not found:
        st.html(
            markup.empty_state(
                "No decision yet",
                "Who becomes champion is decided by a gate, on the newest labelled days:",
                (("Put the challenger to it:", "finlake promote"),),
            )
        )
        return
    heads = [(timed("Time"), False), ("What", False), ("Version", True), ("Before it", True)]
    heads += [("Outcome", False), ("Why", False)]
    st.html(
        markup.cells(
            heads,
            [
                (
                    short_clock(r["decided_at"]),
                    r["action"],
                    str(r["model_version"]),
                    str(r["champion_version"] or "–"),
                    "champion" if r["promoted"] else "refused",
                    r["reason"],
                )
                for r in found
            ],
            caption="The newest first; refused versions stay what they were",
            levels=["ok" if r["promoted"] else "warn" for r in found],
        )
    )
    checks = json.loads(found[0]["checks"])
    if not checks:
        return
    with st.expander("What the newest decision looked at"):
        st.html(
            markup.cells(
                [("Check", False), ("Verdict", False), ("Why", False)],
                [(c["name"], c["verdict"], c["reason"]) for c in checks],
                caption=f"Checks of version {found[0]['model_version']}",
                levels=[_VERDICTS.get(c["verdict"], "ok") for c in checks],
            )
        )
