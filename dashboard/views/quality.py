"""Whether the data is good: what the contracts' rules find, and the records that were set aside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from connectors.letters import Choice, Place
from dashboard import access, downloads, letters, markup, quality_queries, tending
from dashboard.figures import rows
from dashboard.frame import heading, lake, live, now
from dashboard.wording import ago, clock, count, share, short_clock, timed
from finlake.errors import FinlakeError
from lakehouse_schemas import contracts
from lakehouse_schemas.render.quality import Check

__all__ = ["show"]

_DAY = timedelta(days=1)
_NEWEST = 20
_ORDERED = "ordered"
_LEVELS = {"quarantine": "alarm", "warn": "warn"}

Row = dict[str, Any]


def show() -> None:
    """Draw the page."""
    heading("Quality")
    live(_tiles)
    st.subheader("Do the newest rows keep the contract's rules?", anchor=False)
    live(partial(_rules, _table()))
    st.subheader("Dead letters: records that were set aside", anchor=False)
    live(_letter_counts)
    of, place = _letter_controls()
    _replay(of, place)
    if place:
        live(partial(_letter, place))
    live(partial(_letters, of))


def _tiles() -> None:
    found = rows(lake(), quality_queries.letter_counts())
    (day,) = rows(lake(), quality_queries.set_aside(now() - _DAY))
    newest = max((r["newest"] for r in found), default=None)
    grid = st.grid(4, min_column_width=150, gap="xsmall", key="kpis")
    grid.metric("Dead letters", count(sum(r["letters"] for r in found)), border=True)
    grid.metric("Tables concerned", count(len({r["source_table"] for r in found})), border=True)
    grid.metric("Newest", ago(newest, now()) if newest else "none", border=True)
    grid.metric(
        "Set aside in 24 h",
        share(int(day["quarantined"] or 0), int(day["events"] or 0)),
        border=True,
        help=f"{count(int(day['quarantined'] or 0))} of {count(int(day['events'] or 0))} changes.",
    )


# ── Rules ─────────────────────────────────────────────────────────────────────────────────────────


def _table() -> str:
    names = [
        contract.full_name
        for layer in ("silver", "gold")
        for contract in contracts.layer(layer)
        if contract.kind != "additive" and contract.key and quality_queries.rules(contract)
    ]
    first = names.index("silver.transactions")
    return st.selectbox("Table", names, first, key="table", bind="query-params", width=320)


def _rules(name: str) -> None:
    contract = contracts.get(name)
    (found,) = rows(lake(), quality_queries.broken_rules(contract))
    if not found["looked_at"]:
        st.html(markup.empty_state(f"{name} is empty", "There is nothing to look at yet."))
        return
    checked = [
        (check, int(found[f"rule_{place}"]))
        for place, check in enumerate(quality_queries.rules(contract))
    ]
    broken = [one for one in checked if one[1]]
    st.caption(
        f"{count(len(broken))} of {count(len(checked))} rules are broken among the"
        f" {count(found['looked_at'])} rows of {name} with the highest keys"
    )
    if broken:
        broken.sort(key=lambda one: -one[1])
        st.html(_checks(broken, found["looked_at"], "Broken rules, the most often first"))
    with st.expander("All rules"):
        st.html(_checks(checked, found["looked_at"], "By column"))


def _checks(checked: Sequence[tuple[Check, int]], whole: int, caption: str) -> str:
    heads = [("Column", False), ("Rule", False), ("Severity", False)]
    heads += [("Rows that break it", True), ("Share", True)]
    return markup.cells(
        heads,
        [
            (
                check.column,
                check.rule.replace("_", " "),
                "error" if check.severity == "quarantine" else "warning",
                count(number),
                share(number, whole),
            )
            for check, number in checked
        ],
        caption=caption,
        levels=[_LEVELS[check.severity] if number else "ok" for check, number in checked],
    )


# ── Dead letters ──────────────────────────────────────────────────────────────────────────────────


def _letter_counts() -> None:
    found = rows(lake(), quality_queries.letter_counts())
    if not found:
        st.html(markup.empty_state("No dead letters", "Every record so far could be read."))
        return
    heads = [("Table", False), ("Reason", False), ("Records", True)]
    heads += [(timed("Oldest"), False), (timed("Newest"), False)]
    st.html(
        markup.cells(
            heads,
            [
                (
                    r["source_table"],
                    r["reason"].replace("_", " "),
                    count(r["letters"]),
                    short_clock(r["oldest"]),
                    short_clock(r["newest"]),
                )
                for r in found
            ],
            caption="By table and reason",
        )
    )


def _letter_controls() -> tuple[str | None, tuple[str, int, int] | None]:
    try:
        counted = rows(lake(), quality_queries.letter_counts())
    except FinlakeError:  # the page itself says what is wrong
        counted = []
    if not counted:
        return None, None
    tables = sorted({r["source_table"] for r in counted})
    with st.container(horizontal=True, vertical_alignment="bottom", key="letter_controls"):
        of = st.selectbox(
            "Source table", ("all", *tables), key="of", bind="query-params", width=220
        )
        entered = st.text_input(
            "Record (topic:partition:offset)", key="record", bind="query-params", width=380
        )
    parts = (entered or "").strip().rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return (None if of == "all" else of), (parts[0], int(parts[1]), int(parts[2]))
    if parts != [""]:
        st.caption(":red[A record is named by topic, partition and offset, with colons between.]")
    return (None if of == "all" else of), None


def _replay(of: str | None, place: tuple[str, int, int] | None) -> None:
    """Buttons that put the chosen records through again; nothing to choose, no buttons."""
    if of is None and place is None:
        st.caption(
            "Once the cause is mended and the stream started anew, choose a table or a record here"
            " to put it through again; what still does not fit stays."
        )
        return
    if not access.may("operator"):
        st.caption("To put records through again is an operator's")
        return
    choices = [Choice(place[0].rsplit(".", 1)[-1], place=Place(*place))] if place else []
    choices += [Choice(of)] if of else []
    with st.container(horizontal=True, vertical_alignment="center", key="replay"):
        for choice in choices:
            with st.popover(f"Replay {choice}", icon=":material/replay:"):
                st.write(
                    f"Apply the dead letters of **{choice}** with today's contract? Each is applied"
                    " as of its own place: nothing newer is overwritten."
                )
                st.button(
                    "Replay",
                    key=f"replay {choice}",
                    on_click=partial(_order, choice),
                    type="primary",
                )
    if said := st.session_state.get(_ORDERED):
        st.caption(said)


def _order(choice: Choice) -> None:
    if access.may("operator"):
        st.session_state[_ORDERED] = tending.replay(choice, f"dashboard, {access.actor()}")


def _letters(of: str | None) -> None:
    found = rows(lake(), quality_queries.letters(of, _NEWEST))
    if not found:
        return
    st.html(markup.letters([(row, _address(row)) for row in found]))
    downloads.offer("dead-letters", found)


def _address(row: Row) -> str:
    asked = [
        (name, value)
        for name in st.query_params
        if name != "record"
        for value in st.query_params.get_all(name)
    ]
    place = f"{row['topic']}:{row['partition']}:{row['offset']}"
    return f"quality?{urlencode([*asked, ('record', place)])}"


def _letter(place: tuple[str, int, int]) -> None:
    found = rows(lake(), quality_queries.letter(*place))
    name = f"{place[0]}[{place[1]}]@{place[2]}"
    if not found:
        st.html(
            markup.empty_state(
                f"No record {name}", "It was never set aside, or has been applied since."
            )
        )
        return
    letter = found[0]
    st.html(markup.warning(f"{letter['source_table']}: {name}", letter["detail"]))
    shown = letters.fields(letter["source_table"], letter["value"] or b"")
    if not shown:
        size = len(letter["value"] or b"")
        st.caption(f"Set aside {clock(letter['kafka_ts'])}; {count(size)} bytes that are no JSON")
        return
    st.html(
        markup.cells(
            [("Field", False), ("Value", False)],
            shown,
            caption=f"Set aside {clock(letter['kafka_ts'])} by batch {letter['batch_id']};"
            " personal and financial values, and unknown ones, are masked",
        )
    )
