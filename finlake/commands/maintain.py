"""``finlake maintain``: the tables of batch jobs are kept small."""

from __future__ import annotations

import click

__all__ = ["maintain"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option(
    "--log-days",
    type=click.FloatRange(min=1),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Delete logs of Airflow's tasks that are older.",
)
def maintain(as_json: bool, log_days: float) -> None:
    """Keep the tables that batch jobs write small: retention, compaction, checkpoint, vacuum.

    The stream and the scoring do so for theirs between two batches. Ends with 1 when another job
    wrote to a table meanwhile; the others are done then.

    \b
    Example:
      finlake maintain
    """
    import json
    from dataclasses import asdict
    from datetime import UTC, datetime

    from batch_jobs.maintain import delete_old_logs, owned, tidy
    from finlake.errors import ComponentMissing, FinlakeError
    from infra.settings import load_settings

    settings = load_settings()
    problems = []
    for contract in owned():
        try:
            found = tidy(settings, contract, datetime.now(UTC))
        except ComponentMissing:
            raise
        except FinlakeError as error:
            problems.append(error)
            continue
        if found is None:
            continue
        if as_json:
            click.echo(json.dumps(asdict(found)))
        else:
            click.echo(
                f"{found.table:<32} {found.old_rows:,} old rows went; {found.files_before} files"
                f" became {found.files_after}; {found.deleted} deleted"
            )
    logs = delete_old_logs(settings.home / "airflow" / "logs", log_days)
    if as_json:
        click.echo(json.dumps({"logs_deleted": logs}))
    else:
        click.echo(f"{logs} old logs of tasks deleted")
    if problems:
        raise problems[0]
