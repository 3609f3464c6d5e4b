"""``finlake query``: SQL over the lake's tables; ``finlake catalogue``: Trino gets to know them."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    import pyarrow as pa

    from infra.lake.engine import Answer

__all__ = ["catalogue", "query"]

_ENGINES = ("duckdb", "trino", "dremio", "flightsql")


@click.command()
@click.argument("sql")
@click.option(
    "--engine",
    type=click.Choice(_ENGINES),
    default="duckdb",
    show_default=True,
    help="Who answers: DuckDB in this process, or a server (FINLAKE_TRINO_URL, ...).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
    help="An aligned table for people, CSV with a header, one JSON object a line, or Parquet.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file; Parquet needs one, or a pipe.",
)
@click.option(
    "--param", "params", multiple=True, metavar="VALUE",
    help="Value of the next ? of the statement: a whole number, a number, or else a text.",
)  # fmt: skip
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0.001), metavar="SECONDS",
    help="Give up after so long.",
)  # fmt: skip
def query(
    sql: str,
    engine: str,
    form: str,
    output: Path | None,
    params: tuple[str, ...],
    timeout_s: float | None,
) -> None:
    """Ask the tables in SQL; names are LAYER.TABLE, such as gold.agg_minute.

    Aggregates hold several rows for a key: sum them and group by the key. Exact decimals stay exact
    in every format; times are UTC.

    \b
    Example:
      finlake query "SELECT date, sum(amount_sum) FROM gold.agg_category_day GROUP BY date"
      finlake query "SELECT * FROM gold.fraud_alerts LIMIT 20" --format json
      finlake query "SELECT category, sum(amount) FROM gold.wide_transactions GROUP BY category"
      finlake query --engine trino "SELECT count(*) FROM gold.dim_card WHERE card_brand = ?" \\
        --param Visa
      finlake query "SELECT * FROM gold.dim_merchant" --format parquet --output merchants.parquet
    """
    from finlake.errors import UsageProblem
    from infra.lake.engines import open_engine
    from infra.settings import load_settings

    if form == "parquet" and output is None and sys.stdout.isatty():
        raise UsageProblem("--format parquet: a terminal cannot show it; add --output FILE")
    values = [_value(text) for text in params]
    with (
        open_engine(load_settings(), engine) as asked,
        asked.stream(sql, values, timeout_s) as answer,
    ):
        if output is None:
            _write(answer, form, sys.stdout)
            return
        partial = output.with_name(f"{output.name}.partial")
        try:
            with partial.open("w", encoding="utf-8", newline="") as file:
                _write(answer, form, file)
            partial.replace(output)
        except OSError as error:
            raise UsageProblem(f"--output {output}: {error.strerror or error}") from None
        finally:
            partial.unlink(missing_ok=True)


@click.command()
@click.option("--follow", is_flag=True, help="Stay, and take in new tables until stopped.")
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=5, show_default=True,
    help="Seconds between two looks, with --follow.",
)  # fmt: skip
def catalogue(follow: bool, every: float) -> None:
    """Make every silver and gold table and wide view known to Trino; may be done again at any time.

    `finlake up --with trino` does so by itself, for as long as it runs.

    \b
    Example:
      finlake catalogue
    """
    from finlake.commands.following import follow as follow_looks
    from infra.lake.catalogue import Catalogue
    from infra.lake.trino import Trino
    from infra.settings import load_settings
    from infra.stack.apps import catalogue_mark
    from infra.stack.trino import trino_password
    from lakehouse_schemas.render.access import CATALOGUE_USER, VIEW_OWNER

    settings = load_settings()
    home = settings.home
    with (
        Trino(settings, CATALOGUE_USER, trino_password(home, CATALOGUE_USER)) as trino,
        Trino(settings, VIEW_OWNER, trino_password(home, VIEW_OWNER)) as owner,
    ):
        kept = Catalogue(settings, trino, click.echo, owner)
        if follow:
            follow_looks(kept.update, catalogue_mark(settings), every)
        else:
            click.echo(f"{len(kept.update())} tables are known to Trino")


def _value(text: str) -> int | Decimal | str:
    """A parameter in the type that it looks like."""
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if re.fullmatch(r"[+-]?\d+\.\d+", text):
        return Decimal(text)
    return text


def _write(answer: Answer, form: str, file: TextIO) -> None:
    """Write batch by batch; a table for people is written as a whole, as its widths follow it."""
    if form == "parquet":
        import pyarrow.parquet as pq

        file.flush()
        with pq.ParquetWriter(file.buffer, answer.schema) as writer:
            for batch in answer:
                writer.write_batch(batch)
    elif form == "json":
        import msgspec

        encode = msgspec.json.Encoder(decimal_format="number").encode
        for batch in answer:
            file.writelines(f"{encode(row).decode()}\n" for row in batch.to_pylist())
    elif form == "csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(answer.schema.names)
        for batch in answer:
            writer.writerows(_rows(batch))
    else:
        file.writelines(f"{line}\n" for line in _table(answer))


def _rows(batch: pa.RecordBatch) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _table(answer: Answer) -> Iterator[str]:
    import pyarrow.types as kinds

    cells = [
        ["" if cell is None else str(cell) for cell in row]
        for batch in answer
        for row in _rows(batch)
    ]
    names = answer.schema.names
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
        yield "  ".join(texts).rstrip()
    yield f"({len(cells)} row{'' if len(cells) == 1 else 's'})"
