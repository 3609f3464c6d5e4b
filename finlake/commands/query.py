"""``finlake query``: SQL over the lake's tables, answered inside this process."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["query"]


@click.command()
@click.argument("sql")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="An aligned table for people, CSV with a header, or one JSON object a line.",
)
def query(sql: str, form: str) -> None:
    """Ask the tables in SQL; names are LAYER.TABLE, such as gold.agg_minute.

    Aggregates hold several rows for a key: sum them and group by the key. Exact decimals stay exact
    in every format; times are UTC.

    \b
    Example:
      finlake query "SELECT date, sum(amount_sum) FROM gold.agg_category_day GROUP BY date"
      finlake query "SELECT * FROM gold.fraud_alerts LIMIT 20" --format json
    """
    from infra.lake.query import Query
    from infra.settings import load_settings

    answer = Query(load_settings()).query(sql)
    if form == "json":
        _print_json(answer)
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.column_names)
        writer.writerows(_rows(answer))
    else:
        _print_table(answer)


def _rows(answer: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in answer.columns), strict=True))


def _print_json(answer: pa.Table) -> None:
    import msgspec

    encoder = msgspec.json.Encoder(decimal_format="number")
    for row in answer.to_pylist():
        click.echo(encoder.encode(row))


def _print_table(answer: pa.Table) -> None:
    import pyarrow.types as kinds

    cells = [["" if cell is None else str(cell) for cell in row] for row in _rows(answer)]
    names = answer.column_names
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    to_right = [
        kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind)
        for kind in answer.schema.types
    ]
    for row in [names, ["-" * width for width in widths], *cells]:
        texts = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, to_right, strict=True)
        )
        click.echo("  ".join(texts).rstrip())
    click.echo(f"({answer.num_rows} row{'' if answer.num_rows == 1 else 's'})")
