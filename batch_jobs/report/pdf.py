"""An edition as PDF: the same edition gives the same bytes, with the same version of fpdf2."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from typing_extensions import override

from batch_jobs.report.forms import REPORTS
from batch_jobs.report.job import Edition
from lakehouse_schemas import contracts
from lakehouse_schemas.model import Column

__all__ = ["as_pdf"]

_SIZE: Final = 7.0  # points of the table; less where the lines are too wide
_SMALL: Final = 6.5
_ROW: Final = 5.0  # millimetres
_MARGIN: Final = 14.0
_BAND: Final = 15.0
_LONGEST: Final = 60  # characters of a cell; the CSV has all

_NAVY: Final = (19, 44, 82)
_GREY: Final = (105, 112, 122)
_RULE: Final = (200, 206, 214)
_STRIPE: Final = (244, 246, 249)

# What a column is called where its name does not say it; the contracts have the whole meaning.
_TITLES: Final = {
    "transaction_ts": "Time (UTC)",
    "transaction_id": "Transaction",
    "alert_id": "Alert",
    "user_id": "Customer",
    "card_id": "Card",
    "merchant_id": "Merchant",
    "mcc": "MCC",
    "purchase_count": "Purchases",
    "purchase_sum": "Purchases, USD",
    "money_back_count": "Refunds",
    "money_back_sum": "Refunds, USD",
    "declined_count": "Declined",
    "declined_sum": "Declined, USD",
    "largest": "Largest, USD",
    "amount": "Amount, USD",
    "customer_day_sum": "Day's total, USD",
    "why": "Reported",
    "is_fraud": "Confirmed",
}
_NUMBERS: Final = ("int32", "int64", "double")


class _Page(FPDF):
    """Landscape A4: a band with the report's name above, edition and page number below."""

    def __init__(self, edition: Edition) -> None:
        super().__init__(orientation="L", format="A4")
        self._edition = edition
        self.set_creation_date(edition.made_at.astimezone(UTC))
        self.set_title(f"{REPORTS[edition.report].title}, {edition.report_date}")
        self.set_margins(_MARGIN, _BAND + 5, _MARGIN)
        self.set_auto_page_break(auto=True, margin=16)
        self.c_margin = 1.8  # a number and the text beside it are not to touch
        self.alias_nb_pages()

    @override
    def header(self) -> None:
        self.set_fill_color(*_NAVY)
        self.rect(0, 0, self.w, _BAND, style="F")
        self.set_text_color(255, 255, 255)
        self.set_xy(_MARGIN, 0)
        self.set_font("helvetica", style="B", size=13)
        self.cell(self.epw / 2, _BAND, "FinLake")
        self.set_font("helvetica", size=8)
        title = f"{REPORTS[self._edition.report].title}  |  {self._edition.report_date:%d %B %Y}"
        self.cell(self.epw / 2, _BAND, title, align="R")
        self.set_text_color(0, 0, 0)
        self.set_xy(self.l_margin, self.t_margin)

    @override
    def footer(self) -> None:
        self.set_y(-13)
        self.set_draw_color(*_RULE)
        self.line(_MARGIN, self.get_y(), self.w - _MARGIN, self.get_y())
        self.set_font("helvetica", size=_SMALL)
        self.set_text_color(*_GREY)
        one = self._edition
        third = self.epw / 3
        self.cell(third, 7, "Confidential: personal and financial data")
        self.cell(third, 7, f"{one.report} {one.report_date}, {_number(one)}", align="C")
        self.cell(third, 7, f"Page {self.page_no()} of {{nb}}", align="R")
        self.set_text_color(0, 0, 0)


def as_pdf(edition: Edition) -> bytes:
    """The report for people: what it was made from, the lines, and the digest of its text."""
    page = _Page(edition)
    page.add_page()
    page.set_font("helvetica", style="B", size=17)
    page.set_text_color(*_NAVY)
    page.cell(0, 9, REPORTS[edition.report].title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(1)
    _about(page, edition)
    page.ln(4)
    _table(page, edition)
    _signatures(page)
    return bytes(page.output())


def _about(page: FPDF, edition: Edition) -> None:
    """What the report is of and made from, name and value side by side."""
    made = edition.made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    source = f"gold.fact_transactions version {edition.transactions_version}"
    if edition.alerts_version >= 0:
        source += f", gold.fraud_alerts version {edition.alerts_version}"
    facts = [
        ("Day reported", f"{edition.report_date:%A, %d %B %Y} (UTC)"),
        ("Edition", f"{_number(edition).removeprefix('edition ')}, made {made}"),
        ("Lines", f"{edition.lines:,}"),
        ("Made from", source),
    ]
    if edition.threshold_usd is not None:
        limit = f"from {edition.threshold_usd:,} US dollars, alone or together on the day"
        facts.append(("Threshold", limit))
    facts.append(("SHA-256 of the CSV", edition.sha256))
    for name, value in facts:
        page.set_font("helvetica", size=8)
        page.set_text_color(*_GREY)
        page.cell(36, 4.6, name)
        page.set_text_color(0, 0, 0)
        page.cell(0, 4.6, value, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _number(edition: Edition) -> str:
    return f"edition {edition.edition}" if edition.edition else "not kept"


def _table(page: FPDF, edition: Edition) -> None:
    """The lines: numbers to the right, stripes to follow a line by, the head on every page."""
    contract = contracts.get(f"gold.{REPORTS[edition.report].table}")
    names, *body = edition.rows
    columns = [contract.column(name) for name in names]
    head = [_title(name) for name in names]
    cells = [[_shown(t, c) for t, c in zip(row, columns, strict=True)] for row in body]
    page.set_font("helvetica", style="B", size=_SIZE)
    needed = [
        max(map(page.get_string_width, texts)) + 2 * page.c_margin + 1
        for texts in zip(head, *cells, strict=True)
    ]
    scale = page.epw / sum(needed)
    widths = [one * scale for one in needed]
    size = _SIZE * min(1.0, scale)
    aligned = ["R" if _counts(c) else "L" for c in columns]

    def line(row: list[str], style: str, *, fill: bool, border: str = "0") -> None:
        page.set_font("helvetica", style=style, size=size)
        for text, width, align in zip(row, widths, aligned, strict=True):
            page.cell(width, _ROW, text, align=align, fill=fill, border=border)
        page.ln()

    def heading() -> None:
        page.set_fill_color(*_NAVY)
        page.set_text_color(255, 255, 255)
        line(head, "B", fill=True)
        page.set_text_color(0, 0, 0)
        page.set_draw_color(*_NAVY)
        page.set_fill_color(*_STRIPE)

    heading()
    for number, row in enumerate(cells):
        if page.will_page_break(_ROW):
            page.add_page()
            heading()
        if edition.report == "daily-totals" and row[0] == "all":
            line(["All channels", *row[1:]], "B", fill=False, border="T")
        else:
            line(row, "", fill=number % 2 == 1)
    if not cells:
        page.set_font("helvetica", style="I", size=8)
        page.set_text_color(*_GREY)
        page.cell(0, 8, "Nothing to report for this day.", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        page.set_text_color(0, 0, 0)


def _signatures(page: FPDF) -> None:
    """Room for those who answer for the report, below its last line."""
    if page.will_page_break(24):
        page.add_page()
    page.ln(14)
    page.set_draw_color(*_GREY)
    page.set_font("helvetica", size=_SMALL)
    page.set_text_color(*_GREY)
    for text in ("Prepared by, date", "Reviewed by, date"):
        page.cell(80, _ROW, text, border="T")
        page.cell(12, _ROW, "")
    page.set_text_color(0, 0, 0)


def _title(name: str) -> str:
    return _TITLES.get(name) or name.replace("_", " ").capitalize()


def _counts(column: Column) -> bool:
    """Whether it is an amount or a count, which stand to the right; numbers of things do not."""
    names_a_thing = column.name.endswith("_id") or column.name == "mcc"
    return bool(column.decimal) or (column.type in _NUMBERS and not names_a_thing)


def _shown(text: str, column: Column) -> str:
    """A cell for people: thousands apart, times to the second, no longer than a cell should be."""
    if _counts(column) and text:
        return f"{Decimal(text):,}"
    if column.type == "timestamp" and text:
        return text[:19].replace("T", " ")
    if column.type == "boolean":
        return {"true": "yes", "false": "no"}.get(text, "")
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return short.encode("latin-1", "replace").decode("latin-1")
