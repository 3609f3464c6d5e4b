"""The part of the Pipeline page by which the capture and the topics are tended."""

from __future__ import annotations

import math
from functools import partial

import streamlit as st

from dashboard import access, markup, tending
from dashboard.frame import live
from dashboard.wording import count, duration
from finlake.errors import UsageProblem

__all__ = ["show"]

_SAID = "tended"


def show() -> None:
    """Draw it."""
    st.subheader("Capture", anchor=False)
    live(_connector)
    _actions()
    st.subheader("Readers of the topics", anchor=False)
    live(_readers)
    _topics()
    st.subheader("Reconciliation", anchor=False)
    live(_proof)


def _connector() -> None:
    asked = tending.capture()
    if asked.answer is None:
        st.html(markup.empty_state("The connector cannot be asked", asked.why))
        return
    found, reach = asked.answer
    name, failure = found.connector, found.connector.failure
    behind = reach.bytes_behind if reach else None
    grid = st.grid(3, min_column_width=150, gap="xsmall", key="capture")
    grid.metric("Connector", name.summary.lower(), border=True, help=name.name)
    grid.metric(
        "Not read of the source's log",
        "–" if behind is None else f"{count(behind)} B",
        border=True,
        help="Connect notes its place each second: some bytes are always behind.",
    )
    grid.metric("Epoch", count(found.epoch), border=True, help="Rises when a source is rebuilt.")
    if failure:
        st.html(markup.warning(f"Connector {name.name} has failed", str(failure)))


def _actions() -> None:
    if not access.may("operator") or tending.capture().answer is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="connector_actions"):
        for action, icon in (("pause", "pause"), ("resume", "play_arrow"), ("restart", "refresh")):
            st.button(
                f"{action.capitalize()} the connector"
                if action == "pause"
                else action.capitalize(),
                key=f"connector {action}",
                icon=f":material/{icon}:",
                on_click=partial(_act, action),
            )
    if said := st.session_state.get(_SAID):
        st.caption(said)


def _act(action: str) -> None:
    _only("operator")
    st.session_state[_SAID] = tending.act(action)


def _readers() -> None:
    asked = tending.readers()
    if asked.answer is None:
        st.html(markup.empty_state("The topics cannot be asked", asked.why))
        return
    behind = [one for one in asked.answer if one.lag or one.gone]
    st.caption(
        f"Records not read yet: {count(sum(one.lag for one in behind))}; behind are"
        f" {count(len(behind))} of {count(len(asked.answer))} pairs of reader and topic"
    )
    if behind:
        st.html(_lag_table(behind, "The furthest behind first"))
    with st.expander("All readers"):
        st.html(_lag_table(asked.answer, "Each reader of each topic"))


def _lag_table(found: list[tending.Reader], caption: str) -> str:
    return markup.cells(
        [("Reader", False), ("Topic", False), ("Not read", True), ("Lost unread", True)],
        [(one.reader, one.topic, count(one.lag), count(one.gone)) for one in found],
        caption=caption,
        levels=["alarm" if one.gone else "ok" for one in found],
    )


def _topics() -> None:
    with st.expander("Topics"):
        asked = tending.topics()
        if asked.answer is None:
            st.caption(asked.why)
            return
        st.html(
            markup.cells(
                [("Topic", False), ("What for", False), ("Partitions", True), ("Records", True)],
                [
                    (s.topic.name, s.topic.purpose, count(s.partitions), count(s.records))
                    for s in asked.answer
                ],
                caption="finlake topics tail TOPIC shows records, decoded and masked",
                levels=["warn" if s.differences else "ok" for s in asked.answer],
            )
        )
        for difference in (d for s in asked.answer for d in s.differences):
            st.html(markup.warning("A topic is not as it should be", difference))
        if access.may("admin"):
            _clearing([s.topic.name for s in asked.answer if s.records])


def _clearing(names: list[str]) -> None:
    with st.form("clear a topic", border=False):
        name = st.selectbox("Remove all records of", names, index=None, width=340)
        again = st.text_input("Its name again, to be sure", width=340)
        if st.form_submit_button("Remove"):
            _only("admin")
            sure = name is not None and again == name
            st.session_state[_SAID] = (
                tending.clear_topic(str(name)) if sure else "Nothing is removed: two names"
            )
            st.rerun()


def _proof() -> None:
    asked = tending.proof()
    if asked.answer is None:
        st.caption(f"The continuous proof: {asked.why}")
        return
    found = asked.answer
    grid = st.grid(2, min_column_width=150, gap="xsmall", key="proof")
    grid.metric("Source, silver and gold", "equal" if found.equal else "NOT equal", border=True)
    grid.metric(
        "As of",
        f"{duration(found.lag_s * 1000)} ago" if math.isfinite(found.lag_s) else "no heartbeat yet",
        border=True,
        help="Everything that the source had committed by then has been held against the lake.",
    )
    if found.differences:
        listed = ", ".join(f"{table} ({count(n)} keys)" for table, n in found.differences.items())
        st.html(markup.warning("Tables differ", listed, "`finlake verify` shows the keys."))


def _only(role: str) -> None:
    """What a button does is refused to others even where they got hold of the button."""
    if not access.may(role):  # type: ignore[arg-type]
        raise UsageProblem(f"this is for the role {role}")
