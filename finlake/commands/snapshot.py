"""``finlake snapshot``."""

from __future__ import annotations

import json

import click

from finlake.commands.leaving import run_and_leave
from finlake.commands.progress import bar

__all__ = ["snapshot"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def snapshot(as_json: bool) -> None:
    """Read every row of the source straight into bronze, silver and gold.

    Several times as fast as the connector's own snapshot. The capture goes on meanwhile, or begins
    here; the stream must not run, and goes on from there afterwards. Rows that the lake has and the
    source no longer has are deleted, so this also makes good what was lost with a purged log. It
    may be stopped and done again at any time.

    \b
    Example:
      finlake up --no-connector && finlake load data
      finlake snapshot && finlake up --with stream
    """
    run_and_leave("snapshot", lambda: _snapshot(as_json))


def _snapshot(as_json: bool) -> None:
    from batch_jobs.snapshot import snapshot as run
    from infra.settings import load_settings

    with bar() as watch:
        reports = run(load_settings(), tell=lambda line: click.echo(line, err=True), watch=watch)
    for report in reports:
        if as_json:
            click.echo(json.dumps({**report.__dict__, "seconds": round(report.seconds, 3)}))
            continue
        line = f"{report.table:<13}{report.rows:>12,} rows  in {report.seconds:.1f} s"
        if report.deleted:
            line += f"; {report.deleted:,} that the source no longer has are deleted"
        click.echo(line)
    if not as_json:
        rows, seconds = sum(r.rows for r in reports), sum(r.seconds for r in reports)
        click.echo(f"{rows:,} rows in {seconds:.1f} s ({rows / max(seconds, 1e-3):,.0f} rows/s)")
