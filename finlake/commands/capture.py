"""``finlake connectors``: the way from the source's log to Kafka."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from connectors import CaptureStatus
    from infra.settings import Settings

__all__ = ["connectors"]


@click.group()
def connectors() -> None:
    """Apply, watch, pause and restart the Debezium connector.

    \b
    Example:
      finlake connectors apply
      finlake connectors status --json
      finlake connectors pause && finlake connectors resume
      finlake connectors snapshot cards
    """


@connectors.command("apply")
def apply_connector() -> None:
    """Check the source, create the topics and put the connector in place; waits until it runs.

    Safe to repeat: what is as it should be stays untouched.

    \b
    Example:
      finlake connectors apply
    """
    import connectors as capture

    capture.apply(_settings())


@connectors.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def connector_status(as_json: bool) -> int:
    """Show the connector, its task, the epoch and how far it has read; exit 1 unless it runs.

    \b
    Example:
      finlake connectors status
    """
    import connectors as capture

    found = capture.status(_settings())
    if as_json:
        click.echo(json.dumps(_as_json(found)))
    else:
        _show(found)
    return 0 if found.connector.running else 1


@connectors.command("restart")
@click.option("--all", "everything", is_flag=True, help="Also tasks that have not failed.")
@click.option("--task", type=click.IntRange(0), help="This task alone, whatever its state.")
def restart_connector(everything: bool, task: int | None) -> None:
    """Restart the failed tasks, resume a paused connector, and wait until it runs.

    \b
    Example:
      finlake connectors restart
      finlake connectors restart --task 0
    """
    import connectors as capture

    if everything and task is not None:
        raise click.UsageError("--all and --task exclude each other")
    status = capture.restart(_settings(), only_failed=not everything, task=task)
    click.echo(f"connector {status.name}: runs")


@connectors.command("pause")
def pause_connector() -> None:
    """Let the connector rest; the source's log goes on, and `resume` reads it from there.

    The log keeps what is not read for as long as its own settings say.

    \b
    Example:
      finlake connectors pause
    """
    import connectors as capture

    status = capture.pause(_settings())
    click.echo(f"connector {status.name}: {status.summary}; `finlake connectors resume` goes on")


@connectors.command("resume")
def resume_connector() -> None:
    """Have a paused or stopped connector go on where it was, and wait until it runs.

    \b
    Example:
      finlake connectors resume
    """
    import connectors as capture

    status = capture.resume(_settings())
    click.echo(f"connector {status.name}: runs")


@connectors.command("offsets")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def connector_offsets(as_json: bool) -> None:
    """Show how far the connector has read the source's log, and how far the log reaches.

    Connect notes the place each second, so that some bytes are always behind on a busy source.

    \b
    Example:
      finlake connectors offsets
    """
    import connectors as capture

    found = capture.reach(_settings())
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    if not found.offset:
        click.echo(f"connector {found.name}: has not read anything yet")
        return
    place = ", ".join(f"{key} {value}" for key, value in found.offset.items())
    click.echo(f"connector {found.name}: has read to {place}")
    if found.log_end is None:
        return
    click.echo(f"  the log reaches from {found.log_begin} to {found.log_end}")
    click.echo(f"  {found.bytes_behind} bytes are not read yet")


@connectors.command("snapshot")
@click.argument("table")
@click.option("--stop", is_flag=True, help="End the table's re-snapshot instead.")
def snapshot_table(table: str, stop: bool) -> None:
    """Read one source TABLE again while changes go on.

    \b
    Example:
      finlake connectors snapshot cards
    """
    import connectors as capture
    from connectors import signals

    settings = _settings()
    if stop:
        signals.stop_snapshot(settings, table)
        click.echo(f"{table}: told to stop")
        return
    rows = capture.snapshot(settings, table)
    click.echo(f"{table}: {rows} rows read")


@connectors.command("recover")
def recover_connector() -> None:
    """Begin a new epoch: forget what was read and read every table again.

    The way out when the source's log or the schema history is lost (docs/operations/capture.md).

    \b
    Example:
      finlake connectors recover && finlake verify
    """
    import connectors as capture

    capture.recover(_settings())


@connectors.command("delete")
def delete_connector() -> None:
    """Remove the connector; topics stay, and so does the memory of how far it had read.

    \b
    Example:
      finlake connectors delete
    """
    import connectors as capture

    removed = capture.delete(_settings())
    click.echo("connector removed" if removed else "there was no connector")


def _settings() -> Settings:
    from infra.settings import load_settings

    return load_settings()


def _as_json(found: CaptureStatus) -> dict[str, Any]:
    failure = found.connector.failure
    return {
        "connector": found.connector.name,
        "state": found.connector.summary,
        "version": found.connector.version,
        "tasks": [{"id": task.id, "state": task.state} for task in found.connector.tasks],
        "epoch": found.epoch,
        "offset": found.offset,
        "failure": failure and {"kind": failure.kind, "why": failure.why},
        "next_step": failure and failure.next_step,
    }


def _show(found: CaptureStatus) -> None:
    connector = found.connector
    click.echo(f"connector {connector.name}: {connector.summary}, epoch {found.epoch}")
    if found.offset:
        place = ", ".join(f"{key} {value}" for key, value in found.offset.items())
        click.echo(f"  has read to {place}")
    if connector.failure is not None:
        click.echo(f"  {connector.failure}")
    elif connector.state == "ABSENT":
        click.echo("  `finlake connectors apply` creates it")
