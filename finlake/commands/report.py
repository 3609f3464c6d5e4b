"""``finlake report``."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from batch_jobs.report import Edition

__all__ = ["report"]

_NAMES = ["daily-totals", "large-transactions", "suspicious-activity"]


class _AsOf(click.ParamType[datetime | int]):
    name = "MOMENT|VERSION"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | int:
        """A Delta version, or a moment; without a zone it is UTC, a day alone is its end."""
        text = str(value)
        if text.isdecimal() and len(text) != len("yyyymmdd"):
            return int(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text} is neither a version nor a moment such as 2026-11-22T10:00", param)
        if len(text) == len("yyyy-mm-dd"):
            moment = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.argument("name", type=click.Choice(_NAMES), metavar=f"[{'|'.join(_NAMES)}]")
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), required=True, metavar="DAY",
    help="Day that is reported, UTC.",
)  # fmt: skip
@click.option(
    "--as-of", type=_AsOf(), help="What held then: a moment, or a version of fact_transactions."
)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "pdf"]), default="table",
    show_default=True, help="For people, or word for word.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write there. [default: the terminal; of a PDF, a file named after the report]",
)  # fmt: skip
def report(
    name: str, day: datetime, as_of: datetime | int | None, form: str, output: Path | None
) -> None:
    """Make a regulatory report of a day, or give one again as it was made.

    A report is kept as an edition in gold.report_editions, with the Delta versions that it was made
    from; it is made anew only when the data has changed. --as-of gives the edition that held at a
    moment: the same bytes, for as long as that table is kept.

    \b
    Example:
      finlake report daily-totals --day 2019-10-31
      finlake report large-transactions --day 2019-10-31 --format pdf
      finlake report suspicious-activity --day 2019-10-31 --as-of 2026-11-22T10:00 --format csv
    """
    from batch_jobs.report import make, stood
    from infra.settings import load_settings

    settings, on = load_settings(), day.date()
    found = make(settings, name, on) if as_of is None else stood(settings, name, on, as_of)
    if form == "table":
        body = _table(found).encode()
    elif form == "csv":
        body = found.content.encode()
    else:
        from batch_jobs.report.pdf import as_pdf

        body = as_pdf(found)
        output = output or Path(_file_name(found, on))
    if output is None:
        sys.stdout.buffer.write(body)
    else:
        output.write_bytes(body)
    where = f" -> {output}" if output else ""
    click.echo(f"{_about(found)}{where}", err=True)


def _file_name(found: Edition, day: date) -> str:
    return f"{found.report}-{day}-{found.edition}.pdf"


def _about(found: Edition) -> str:
    kept = f"edition {found.edition}" if found.edition else "not kept"
    return (
        f"{found.report} of {found.report_date}: {kept}, made {found.made_at:%Y-%m-%d %H:%M:%S} UTC"
        f" from version {found.transactions_version}, SHA-256 {found.sha256[:16]}"
    )


def _table(found: Edition) -> str:
    head, *lines = found.rows
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    shown = [head, ["-" * width for width in widths], *lines]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in shown
    )
