"""``finlake topics``: what is in Kafka, who has read how far, and tending it by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from finlake.commands.asking import confirm
from finlake.commands.stack import stop_on_signals
from finlake.errors import FinlakeError, UsageProblem
from lakehouse_schemas.model import ROLES

if TYPE_CHECKING:
    from connectors.browse import Record
    from connectors.topics import Topic, TopicState
    from infra.settings import Settings
    from lakehouse_schemas.model import Role
    from stream_jobs.lag import Lag

__all__ = ["topics"]


@click.group()
def topics() -> None:
    """Look after the Kafka topics: list, browse, lag, empty, delete.

    \b
    Example:
      finlake topics list
      finlake topics lag
      finlake topics tail cdc.finance.transactions --follow
    """


@topics.command("list")
@click.option("--all", "everything", is_flag=True, help="Also the topics that are none of ours.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_topics(everything: bool, as_json: bool) -> None:
    """Show each topic, its partitions and how many records it holds.

    \b
    Example:
      finlake topics list --all
    """
    from connectors.tending import others
    from connectors.topics import describe

    settings = _settings()
    known = _expected(settings)
    found = describe(settings, known)
    _print([*found, *(others(settings, known) if everything else ())], as_json)


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
    (state,) = describe(settings, [_ours(settings, name)])
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


@topics.command("lag")
@click.option("--reader", help="This reader alone: stream, score, or a consumer group.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, by partition.")
def topic_lag(reader: str | None, as_json: bool) -> None:
    """Show how many records each reader of the topics has not read yet.

    The place of `stream` is its last finished batch in the lake, that of `score` stands in its
    table; the others are consumer groups, the live alerts among them.

    \b
    Example:
      finlake topics lag
      finlake topics lag --reader stream --json
    """
    from stream_jobs.lag import lags

    found = lags(_settings())
    if reader:
        names = sorted({lag.reader for lag in found})
        found = [lag for lag in found if lag.reader == reader]
        if not found:
            raise UsageProblem(f"reader {reader}: is not known; there are {', '.join(names)}")
    if as_json:
        for lag in found:
            click.echo(json.dumps({**asdict(lag), "lag": lag.lag, "gone": lag.gone}))
        return
    for line in _lag_lines(found):
        click.echo(line)


@topics.command("tail")
@click.argument("name")
@click.option("-n", "--lines", "count", default=10, show_default=True, type=click.IntRange(1))
@click.option("-f", "--follow", is_flag=True, help="Go on showing new records until Ctrl-C.")
@click.option("--partition", type=click.IntRange(0), help="This partition alone.")
@click.option("--offset", type=click.IntRange(0), help="From this offset of the partition on.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="operator",
    show_default=True,
    help="Whose eyes: what the contracts hide from this role is hidden.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, all fields.")
def tail_topic(
    name: str,
    count: int,
    follow: bool,
    partition: int | None,
    offset: int | None,
    role: Role,
    as_json: bool,
) -> None:
    """Show the newest records of the topic NAME, decoded and masked.

    With --partition and --offset the records from there on, as errors and dead letters name them.

    \b
    Example:
      finlake topics tail cdc.finance.cards -n 3
      finlake topics tail cdc.finance.transactions --partition 1 --offset 4711 -n 1 --json
      finlake topics tail finance.alerts --follow
    """
    from connectors import browse
    from connectors.config import parse_source

    if offset is not None and partition is None:
        raise click.UsageError("--offset needs a --partition")
    if offset is not None and follow:
        raise click.UsageError("--offset and --follow exclude each other")
    settings = _settings()
    _ours(settings, name)
    contract = browse.contract_of(name, parse_source(settings).database)
    show = _as_object if as_json else _as_line
    found = browse.read(
        settings, name, contract, role, count=count, partition=partition, offset=offset
    )
    for record in found:
        click.echo(show(record))
    if follow:
        with stop_on_signals():
            for record in browse.follow(settings, name, contract, role, partition=partition):
                click.echo(show(record))


@topics.command("clear")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--unread", is_flag=True, help="Also when a reader has not read all of it.")
def clear_topic(name: str, yes: bool, unread: bool) -> None:
    """Remove all records of the topic NAME; offsets go on, so that its readers do too.

    \b
    Example:
      finlake topics clear finance.alerts
    """
    from connectors import tending
    from connectors.topics import describe
    from stream_jobs.lag import lags

    settings = _settings()
    known = _expected(settings)
    tending.may_clear(name, known)
    (state,) = describe(settings, [topic for topic in known if topic.name == name])
    behind = [lag for lag in lags(settings) if lag.topic == name and lag.lag]
    if behind and not unread:
        lag = behind[0]
        raise FinlakeError(
            f"topic {name}: {lag.reader} has not read {lag.lag} records of partition"
            f" {lag.partition}, which would be lost; let it read them, or say --unread"
        )
    confirm(f"topic {name}: remove its {state.records} records for good?", yes)
    tending.clear(settings, name)
    click.echo(f"topic {name}: empty")


@topics.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_topic(name: str, yes: bool) -> None:
    """Take away the topic NAME, which must not be one that FinLake uses.

    \b
    Example:
      finlake topics delete finlake.schema-history.1
    """
    from connectors import tending

    settings = _settings()
    known = _expected(settings)
    tending.may_delete(name, known)
    there = {state.topic.name: state for state in tending.others(settings, known)}
    records = f" and its {there[name].records} records" if name in there else ""
    if records:
        confirm(f"topic {name}: take it{records} away for good?", yes)
    tending.delete(settings, name)
    click.echo(f"topic {name}: is gone")


def _settings() -> Settings:
    from infra.settings import load_settings

    return load_settings()


def _expected(settings: Settings) -> tuple[Topic, ...]:
    from connectors import source_epoch
    from connectors.topics import expected

    return expected(settings, epoch=source_epoch(settings))


def _ours(settings: Settings, name: str) -> Topic:
    known = {topic.name: topic for topic in _expected(settings)}
    if name not in known:
        raise UsageProblem(f"topic {name}: is none of ours; there are {', '.join(known)}")
    return known[name]


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


def _lag_lines(found: Iterable[Lag]) -> Iterator[str]:
    """A line for each reader and topic; and one for each gap that cannot be read any more."""
    by_topic = [
        (reader, topic, list(parts))
        for (reader, topic), parts in groupby(found, lambda lag: (lag.reader, lag.topic))
    ]
    readers, names = (max((len(one[i]) for one in by_topic), default=0) for i in (0, 1))
    for reader, topic, parts in by_topic:
        behind = sum(lag.lag for lag in parts)
        unread = "" if any(lag.position is not None for lag in parts) else "  has read nothing yet"
        yield f"{reader:<{readers}}  {topic:<{names}} {behind:>12}{unread}"
    for reader, topic, parts in by_topic:
        for lag in parts:
            if lag.gone:
                yield (
                    f"{reader}: {topic}[{lag.partition}] has lost {lag.gone} records before they"
                    " were read; docs/operations/streams.md says what to do"
                )


def _as_object(record: Record) -> str:
    at = record.at and record.at.isoformat(timespec="milliseconds")
    return json.dumps({**asdict(record), "at": at}, ensure_ascii=False)


def _as_line(record: Record) -> str:
    """Time, place, key, and the rows of a change; the rest only as JSON."""
    at = record.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z" if record.at else "-"
    value = record.value
    kind = "tombstone" if value is None else ""
    if isinstance(value, dict) and "op" in value:
        kind = str(value["op"])
        value = {name: value[name] for name in ("before", "after") if value.get(name)}
    words = (at, f"{record.topic}[{record.partition}]@{record.offset}", _compact(record.key), kind)
    return " ".join(word for word in (*words, _compact(value) if value is not None else "") if word)


def _compact(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
