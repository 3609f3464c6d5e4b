"""Regulatory reports of a day: made, looked at as of any edition, and taken away word for word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from batch_jobs.report import REPORTS, Edition, make
from dashboard import access, downloads, markup, report_queries
from dashboard.figures import rows
from dashboard.frame import empty_lake, heading, lake, now, settings
from dashboard.wording import clock, count
from finlake.errors import FinlakeError
from lakehouse_schemas import contracts
from lakehouse_schemas.masking import masked_row

__all__ = ["show"]

_NEWEST = 30
_PREVIEW = 50
_SAID = "report made"


def show() -> None:
    """Draw the page."""
    heading("Reports")
    try:
        _body()
    except FinlakeError as error:
        st.html(markup.error_state(str(error)))


def _body() -> None:
    (known,) = rows(lake(), report_queries.days())
    if known["newest"] is None:
        empty_lake()
        return
    report, day = _chosen(known["oldest"], known["newest"])
    if report is not None and day is not None:
        _report(report, day)
    st.subheader("Editions", anchor=False)
    _list()


def _chosen(oldest: date, newest: date) -> tuple[str | None, date | None]:
    yesterday = now().date() - timedelta(days=1)
    last = min(newest, yesterday)
    if last < oldest:
        st.html(markup.empty_state("No day is over yet", "A report is of a whole day, UTC."))
        return None, None
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        report = st.selectbox(
            "Report",
            tuple(REPORTS),
            key="report",
            bind="query-params",
            format_func=lambda name: REPORTS[name].title,
            width=260,
        )
        day = st.date_input(
            "Day (UTC)",
            last,
            min_value=oldest,
            max_value=last,
            key="day",
            bind="query-params",
            width=180,
        )
        if access.may("operator"):
            st.button("Make it", type="primary", on_click=partial(_make, report, day))
    if said := st.session_state.get(_SAID):
        st.caption(said)
    return report, day


def _make(report: str, day: date) -> None:
    if not access.may("operator"):
        return
    try:
        found = make(settings(), report, day)
        lake().forget()
        said = f"{REPORTS[report].title} of {day:%d %b %Y}: edition {found.edition}"
    except FinlakeError as error:
        said = str(error)
    st.session_state[_SAID] = said


def _report(report: str, day: date) -> None:
    found = [Edition(**one) for one in rows(lake(), report_queries.edition(report, day))]
    if not found:
        step = f"finlake report {report} --day {day}"
        st.html(
            markup.empty_state(
                f"{REPORTS[report].title} of {day:%d %b %Y} was not made",
                "It is made from the newest data, and kept as an edition.",
                (("Make it here, or by:", step),),
            )
        )
        return
    number = st.selectbox(
        "As of edition",
        [one.edition for one in found],
        key="edition",
        bind="query-params",
        width=180,
    )
    chosen = next(one for one in found if one.edition == number)
    head, *lines = chosen.rows
    contract = contracts.get(f"gold.{REPORTS[report].table}")
    may_all = _sees_all(report)
    st.subheader(f"{REPORTS[report].title}, {day:%d %b %Y}", anchor=False)
    shown = [masked_row(contract, access.role() or "viewer", dict(zip(head, line, strict=True)))
             for line in lines[:_PREVIEW]]  # fmt: skip
    numeric = [contract.column(name).type not in ("string", "timestamp", "date") for name in head]
    st.html(
        markup.cells(
            [
                (name.replace("_", " "), is_number)
                for name, is_number in zip(head, numeric, strict=True)
            ],
            [[str(value) for value in line.values()] for line in shown],
            caption=f"Made {clock(chosen.made_at)}: {count(len(lines))} lines"
            + (f", the first {_PREVIEW} of them" if len(lines) > _PREVIEW else "")
            + f"; from version {chosen.transactions_version} of fact_transactions,"
            f" SHA-256 {chosen.sha256[:16]}",
        )
    )
    if may_all:
        _downloads(chosen)
    else:
        st.caption("The whole report has numbers of customers, which are not for your role.")


def _sees_all(report: str) -> bool:
    """Whether nothing of the report's lines is hidden from the reader."""
    contract = contracts.get(f"gold.{REPORTS[report].table}")
    return all(
        access.seen(contract.full_name, column.name, "1234567") == "1234567"
        for column in contract.columns
    )


def _downloads(chosen: Edition) -> None:
    name = f"{chosen.report}-{chosen.report_date}-{chosen.edition}"
    with st.container(horizontal=True, key="report_files"):
        st.download_button(
            "CSV", chosen.content, f"{name}.csv", "text/csv", on_click="ignore", key="report csv"
        )
        st.download_button(
            "PDF",
            partial(_pdf, chosen),
            f"{name}.pdf",
            "application/pdf",
            on_click="ignore",
            key="report pdf",
        )


def _pdf(chosen: Edition) -> bytes:
    from batch_jobs.report.pdf import as_pdf

    return as_pdf(chosen)


def _list() -> None:
    found = rows(lake(), report_queries.editions(_NEWEST))
    if not found:
        st.html(markup.empty_state("No editions", "No report has been made yet."))
        return
    st.html(markup.links([(_address(r), *_words(r)) for r in found]))
    downloads.offer("report-editions", found)


def _words(row: Mapping[str, Any]) -> tuple[str, str]:
    title = (
        f"{REPORTS[row['report']].title}, {row['report_date']:%d %b %Y}, edition {row['edition']}"
    )
    return title, f"made {clock(row['made_at'])}, {count(row['lines'])} lines"


def _address(row: Mapping[str, Any]) -> str:
    # The control of the report is known by what it shows.
    asked = {
        "report": REPORTS[row["report"]].title,
        "day": row["report_date"],
        "edition": row["edition"],
    }
    return f"reports?{urlencode(asked)}"
