"""What a table shows, as a file: CSV for people's sheets, Parquet with its types."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import streamlit as st

__all__ = ["as_csv", "as_parquet", "offer"]

Rows = Sequence[Mapping[str, Any]]


def offer(name: str, rows: Rows, label: str = "Download") -> None:
    """Draw the buttons that give the rows as a file; it is made when it is asked for.

    Args:
        name: of the file, without an ending; may be on a page once.
        rows: the table; the first row names the columns.
        label: of the button.
    """
    if not rows:
        return
    with st.popover(label, icon=":material/download:", type="tertiary", key=f"get {name}"):
        for title, ending, kind, make in (
            ("CSV", "csv", "text/csv", as_csv),
            ("Parquet", "parquet", "application/vnd.apache.parquet", as_parquet),
        ):
            st.download_button(
                title,
                partial(make, rows),
                f"finlake-{name}.{ending}",
                kind,
                key=f"get {name} as {ending}",
                on_click="ignore",
                type="tertiary",
            )


def as_csv(rows: Rows) -> bytes:
    """Rows as CSV with a head; what a spreadsheet would run as a formula begins with a quote."""
    sink = io.BytesIO()
    pv.write_csv(_table([{n: _harmless(v) for n, v in row.items()} for row in rows]), sink)
    return sink.getvalue()


def as_parquet(rows: Rows) -> bytes:
    """Rows as Parquet."""
    sink = io.BytesIO()
    pq.write_table(_table(rows), sink)
    return sink.getvalue()


def _table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist([dict(row) for row in rows])


def _harmless(value: Any) -> Any:
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))  # a cell holds one value
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
