"""``finlake connectors`` and ``finlake topics``: the way from the source's log to Kafka."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from finlake.errors import FinlakeError, UsageProblem

if TYPE_CHECKING:
    from connectors import CaptureStatus
    from connectors.topics import Topic, TopicState
    from infra.settings import Settings

__all__ = ["connectors", "topics"]


@click.group()
def connectors() -> None:
    """Apply, watch and restart the Debezium connector.

    \b
    Example:
      finlake connectors apply
      finlake connectors status --json
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
def restart_connector(everything: bool) -> None:
    """Restart the failed tasks, resume a paused connector, and wait until it runs.

    \b
    Example:
      finlake connectors restart
    """
    import connectors as capture

    status = capture.restart(_settings(), only_failed=not everything)
    click.echo(f"connector {status.name}: runs")


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


@click.group()
def topics() -> None:
    """List, create and describe the Kafka topics.

    \b
    Example:
      finlake topics list
      finlake topics describe cdc.finance.transactions
    """


@topics.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_topics(as_json: bool) -> None:
    """Show each topic, its partitions and how many records it holds.

    \b
    Example:
      finlake topics list
    """
    from connectors.topics import describe

    settings = _settings()
    _print(describe(settings, _expected(settings)), as_json)


@topics.command("create")
@click.option("--repair", is_flag=True, help="Also set the configuration of existing topics right.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def create_topics(repair: bool, as_json: bool) -> None:
    """Create the topics that are missing and say where an existing one differs.

    \b
    Example:
      finlake topics create
    """
    from connectors.topics import create

    settings = _settings()
    _print(create(settings, _expected(settings), repair=repair), as_json)


@topics.command("describe")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def describe_topic(name: str, as_json: bool) -> None:
    """Show one topic: purpose, partitions, records, configuration and differences.

    \b
    Example:
      finlake topics describe finlake.schema-history
    """
    from connectors.topics import describe

    settings = _settings()
    known = {topic.name: topic for topic in _expected(settings)}
    if name not in known:
        raise UsageProblem(f"topic {name}: is none of ours; there are {', '.join(known)}")
    (state,) = describe(settings, [known[name]])
    if as_json:
        click.echo(json.dumps(_topic_json(state)))
        return
    if not state.exists:
        raise FinlakeError(state.differences[0])
    click.echo(f"{name}: {state.topic.purpose}")
    click.echo(f"  partitions {state.partitions}, records {state.records}")
    for key in sorted(state.topic.config):
        click.echo(f"  {key} = {state.config.get(key)}")
    for difference in state.differences:
        click.echo(f"  {difference}")


def _settings() -> Settings:
    from infra.settings import load_settings

    return load_settings()


def _expected(settings: Settings) -> tuple[Topic, ...]:
    from connectors import source_epoch
    from connectors.topics import expected

    return expected(settings, epoch=source_epoch(settings))


def _print(states: list[TopicState], as_json: bool) -> None:
    if as_json:
        for state in states:
            click.echo(json.dumps(_topic_json(state)))
        return
    width = max(len(state.topic.name) for state in states)
    for state in states:
        amount = (
            f"{state.partitions:>3} {state.records:>12}" if state.exists else f"{'missing':>16}"
        )
        click.echo(f"{state.topic.name:<{width}} {amount}  {state.topic.purpose}")
    for state in states:
        for difference in state.differences:
            click.echo(difference)


def _topic_json(state: TopicState) -> dict[str, Any]:
    return {
        "topic": state.topic.name,
        "purpose": state.topic.purpose,
        "exists": state.exists,
        "partitions": state.partitions,
        "records": state.records,
        "config": {key: state.config.get(key) for key in state.topic.config},
        "differences": list(state.differences),
    }


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
