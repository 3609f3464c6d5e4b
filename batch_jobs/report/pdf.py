"""An edition as PDF: the same edition gives the same bytes, with the same version of fpdf2."""

from __future__ import annotations

from datetime import UTC
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from batch_jobs.report.forms import REPORTS
from batch_jobs.report.job import Edition

__all__ = ["as_pdf"]

_SIZE: Final = 6.5  # points
_ROW: Final = 4.0  # millimetres
_LONGEST: Final = 60  # characters of a cell; the CSV has all


class _Page(FPDF):
    """Landscape A4, with the report's name above and the page's number below."""

    def __init__(self, edition: Edition) -> None:
        super().__init__(orientation="L", format="A4")
        self._edition = edition
        self.set_creation_date(edition.made_at.astimezone(UTC))
        self.set_title(f"{REPORTS[edition.report].title}, {edition.report_date}")
        self.set_auto_page_break(auto=True, margin=12)
        self.alias_nb_pages()

    def footer(self) -> None:
        """Name, edition and page."""
        self.set_y(-10)
        self.set_font("helvetica", size=_SIZE)
        one = self._edition
        text = f"{one.report} {one.report_date}, {_number(one)}, page {self.page_no()} of {{nb}}"
        self.cell(0, _ROW, text, align="C")


def as_pdf(edition: Edition) -> bytes:
    """The report for people: what it was made from, the lines, and the digest of its text."""
    page = _Page(edition)
    page.add_page()
    page.set_font("helvetica", style="B", size=14)
    title = f"{REPORTS[edition.report].title}, {edition.report_date}"
    page.cell(0, 8, title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.set_font("helvetica", size=8)
    for text in _about(edition):
        page.cell(0, 4.5, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(2)
    _table(page, edition.rows)
    return bytes(page.output())


def _about(edition: Edition) -> list[str]:
    made = edition.made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    source = f"gold.fact_transactions version {edition.transactions_version}"
    if edition.alerts_version >= 0:
        source += f", gold.fraud_alerts version {edition.alerts_version}"
    lines = [
        f"{_number(edition).capitalize()}, made {made} from {source}; {edition.lines:,} lines."
    ]
    if edition.threshold_usd is not None:
        lines.append(f"From {edition.threshold_usd} US dollars, alone or together on the day.")
    return [*lines, f"SHA-256 of the CSV: {edition.sha256}"]


def _number(edition: Edition) -> str:
    return f"edition {edition.edition}" if edition.edition else "not kept"


def _table(page: FPDF, rows: list[list[str]]) -> None:
    cells = [[_latin(cell) for cell in row] for row in rows]
    page.set_font("helvetica", style="B", size=_SIZE)
    wide = [max(page.get_string_width(row[n]) for row in cells) + 2 for n in range(len(cells[0]))]
    scale = min(1.0, page.epw / sum(wide))
    widths = [one * scale for one in wide]

    def line(row: list[str], style: str = "") -> None:
        page.set_font("helvetica", style=style, size=_SIZE * min(1.0, scale * 1.02))
        for text, width in zip(row, widths, strict=True):
            page.cell(width, _ROW, text, border="B")
        page.ln()

    head, *body = cells
    line(head, "B")
    for row in body:
        if page.will_page_break(_ROW):
            page.add_page()
            line(head, "B")
        line(row)


def _latin(text: str) -> str:
    """What the built-in fonts can show, and no longer than a cell should be."""
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return short.encode("latin-1", "replace").decode("latin-1")
