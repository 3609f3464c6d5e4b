"""What every page stands in: the lake, the refresh, the banner, and how trouble is shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from dashboard import access, markup, queries
from dashboard.base import now, settings
from dashboard.figures import rows
from dashboard.thrift import Thrifty
from finlake.errors import FinlakeError
from infra.lake.query import Query

__all__ = ["accent", "empty_lake", "heading", "lake", "live", "now", "settings"]

REFRESH_S = 2.0
_PAUSED = "paused"


@st.cache_resource
def lake() -> Thrifty:
    """The one query interface, shared by all readers."""
    return Thrifty(Query(settings()))


def accent() -> str:
    """The colour of bars, for the reader's light or dark theme."""
    return "#4cc2b2" if st.context.theme.type == "dark" else "#1d8a7e"


def paused() -> bool:
    """Whether the reader stopped the refresh."""
    return bool(st.session_state.get(_PAUSED, False))


def live(show: Callable[[], None]) -> None:
    """Draw a part of a page and draw it anew every two seconds unless paused.

    What the lake cannot answer becomes one line on the page; the next refresh tries again.
    """

    def draw() -> None:
        try:
            show()
        except FinlakeError as error:
            st.html(markup.error_state(str(error)))

    named = show.func if isinstance(show, partial) else show
    draw.__qualname__ = (
        f"{named.__module__}.{named.__qualname__}"  # a fragment is known by its name
    )
    st.fragment(draw, run_every=None if paused() else REFRESH_S)()


def heading(title: str) -> None:
    """The page's title with freshness and pause, and the banner of stopped tables."""
    with st.container(horizontal=True, vertical_alignment="center", key="heading"):
        st.html(f'<h1 class="fl-title">{title}</h1>', width="content")
        with st.container(width="content", key="stamp"):
            live(_stamp)
        st.space("stretch")
        if access.signed_in():
            st.button(f"Sign out ({access.actor()})", on_click=access.sign_out, type="tertiary")
        st.toggle("Pause", key=_PAUSED, help="Stop the refresh, to read in peace.")
    live(_banner)


def _stamp() -> None:
    try:
        (found,) = rows(lake(), queries.newest_measurement())
    except FinlakeError:
        return  # the page itself says what is wrong
    st.html(markup.stamp(found["newest"], now(), paused=paused()))


def _banner() -> None:
    try:
        stopped = [t for t in rows(lake(), queries.table_status()) if t["state"] != "running"]
    except FinlakeError:
        return
    if stopped:
        st.html(markup.stopped_tables(stopped))


def empty_lake() -> None:
    """What a page shows while gold has no transactions."""
    st.html(
        markup.empty_state(
            "No transactions yet",
            "The gold tables are empty. This page fills by itself once data arrives:",
            (
                ("Start the stack:", "finlake up"),
                ("Put data into the source:", "finlake generate --transactions 100000"),
                ("Start the streaming jobs:", "finlake stream"),
            ),
        )
    )
