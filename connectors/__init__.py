"""Change-data capture: the Debezium connector's life, from preflight to a new epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from connectors import epoch as epochs
from connectors import preflight, signals, topics
from connectors.config import (
    ROWS_ELSEWHERE,
    Source,
    connector_config,
    connector_name,
    parse_source,
)
from connectors.epoch import Decision, Memory, source_epoch
from connectors.failures import Explanation
from connectors.rest import Connect, ConnectorStatus
from connectors.source import (
    binlog_files,
    bytes_after,
    cursor,
    ensure_beat,
    identity,
    log_range,
    position,
)
from finlake.errors import FinlakeError, UsageProblem
from infra.security import write_connect_secrets
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = [
    "CaptureStatus",
    "Reach",
    "apply",
    "delete",
    "pause",
    "reach",
    "recover",
    "restart",
    "resume",
    "rows_are_read",
    "snapshot",
    "source_epoch",
    "status",
    "wait_for_offset",
]

Tell = Callable[[str], None]
_OFFSET_S = 60.0


@dataclass(frozen=True)
class CaptureStatus:
    """How the capture does: the connector, the epoch, and how far it has read."""

    connector: ConnectorStatus
    epoch: int
    offset: dict[str, Any] | None


def apply(settings: Settings, tell: Tell = click.echo, *, rows: bool = True) -> None:
    """Check the source, create the topics, put the connector in place and wait until it runs.

    May be called at any time and changes only what differs. A source that was rebuilt starts a new
    epoch: the connector forgets what it had read and reads every table again.

    Args:
        settings: where everything is.
        tell: takes a line for people.
        rows: whether a connector that begins reads the tables' rows. One that was told not to
            stays so until :func:`rows_are_read`; and where the log that it has to go on from is
            gone it begins anew, as the rows are read again anyway.

    Raises:
        UsageProblem: a setting is missing or wrong.
        ComponentMissing: the source, Kafka or Connect does not answer.
        FinlakeError: the source is not fit to be captured, or the connector failed; the message
            names the root cause and the way out.
    """
    source = parse_source(settings)
    connect = Connect(settings.connect_url)
    memory = epochs.read(settings)
    who, decision, new_password = _examine(
        settings, source, connect, memory, tell, gap_allowed=not rows
    )
    _start(settings, connect, memory, who, decision, tell, anew=new_password, rows=rows)


def wait_for_offset(settings: Settings) -> None:
    """Wait until the connector's place in the source's log is kept by Connect.

    Raises:
        FinlakeError: the connector failed, or it is not within a minute.
    """
    name, connect = connector_name(settings.source_flavour), Connect(settings.connect_url)
    deadline = time.monotonic() + _OFFSET_S
    while True:
        offset = connect.offset(name)
        if offset and not offset.get("snapshot"):
            return
        failure = connect.status(name).failure
        if failure is not None:
            raise FinlakeError(f"connector {name}: {failure}")
        if time.monotonic() > deadline:
            raise FinlakeError(
                f"connector {name}: has not begun to read the log within {_OFFSET_S:.0f} s; "
                "`finlake connectors status` and `finlake logs connect` show why"
            )
        time.sleep(0.1)


def rows_are_read(settings: Settings) -> None:
    """Note at the connector that somebody else has read the tables' rows.

    Raises:
        ComponentMissing: Connect does not answer.
    """
    name, connect = connector_name(settings.source_flavour), Connect(settings.connect_url)
    config = connect.config(name) or {}
    if config.get("snapshot.mode") == ROWS_ELSEWHERE:
        connect.put(name, {**config, "snapshot.mode": "initial"})


def recover(settings: Settings, tell: Tell = click.echo) -> None:
    """Start a new epoch on purpose: forget what was read and read every table again.

    The way out when the source's log or the schema history is lost. Raises as ``apply`` does.
    """
    source = parse_source(settings)
    connect = Connect(settings.connect_url)
    memory = epochs.read(settings)
    who, decision, new_password = _examine(
        settings, source, connect, memory, tell, gap_allowed=True
    )
    if decision.because is None:
        decision = Decision(decision.epoch + 1, "asked for by hand")
    _start(settings, connect, memory, who, decision, tell, anew=new_password)


def status(settings: Settings) -> CaptureStatus:
    """How the connector is; its state is ABSENT before the first ``apply``.

    Raises:
        ComponentMissing: Connect does not answer.
    """
    connect = Connect(settings.connect_url)
    name = connector_name(settings.source_flavour)
    found = connect.status(name)
    offset = connect.offset(name)
    return CaptureStatus(found, source_epoch(settings), offset)


def restart(
    settings: Settings, *, only_failed: bool = True, task: int | None = None
) -> ConnectorStatus:
    """Restart the failed tasks, one task, or the whole connector, and wait until it runs.

    Raises:
        UsageProblem: the connector has no such task.
        FinlakeError: there is no connector, or it failed again; with the root cause.
    """
    connect, name, status = _present(settings)
    numbers = [one.id for one in status.tasks]
    if task is not None and task not in numbers:
        there = ", ".join(map(str, numbers)) or "none while it is stopped"
        raise UsageProblem(f"connector {name}: has no task {task}; there is {there}")
    connect.resume(name)
    if task is None:
        connect.restart(name, only_failed=only_failed)
    else:
        connect.restart_task(name, task)
    return connect.wait_running(name)


def pause(settings: Settings) -> ConnectorStatus:
    """Let the connector rest until it is resumed; returns when its tasks do.

    Raises:
        FinlakeError: there is no connector, it has failed, or it takes too long.
    """
    connect, name, _ = _present(settings)
    connect.pause(name)
    return connect.wait_paused(name)


def resume(settings: Settings) -> ConnectorStatus:
    """Go on after :func:`pause`; returns when the connector runs. Raises as :func:`pause` does."""
    connect, name, _ = _present(settings)
    connect.resume(name)
    return connect.wait_running(name)


def _present(settings: Settings) -> tuple[Connect, str, ConnectorStatus]:
    connect = Connect(settings.connect_url)
    name = connector_name(settings.source_flavour)
    status = connect.status(name)
    if status.state == "ABSENT":
        raise FinlakeError(f"connector {name}: is not there; `finlake connectors apply` creates it")
    return connect, name, status


@dataclass(frozen=True)
class Reach:
    """How far the connector has read, and what the source's log holds.

    ``offset`` is Debezium's; None before it has read. Places of the log read ``file:position``;
    they are None where the source has no binlog (PostgreSQL), as is ``bytes_behind``.
    """

    name: str
    offset: dict[str, Any] | None
    log_begin: str | None = None
    log_end: str | None = None
    bytes_behind: int | None = None


def reach(settings: Settings) -> Reach:
    """How far the connector has read the source's log; Connect notes that each second.

    Raises:
        ComponentMissing: the source or Connect does not answer.
        FinlakeError: there is no connector.
    """
    source = parse_source(settings)
    connect, name, _ = _present(settings)
    offset = connect.offset(name)
    if source.flavour == "postgresql":
        return Reach(name, offset)
    with cursor(source, settings, as_connector=True) as own:
        files = binlog_files(own)
    place = position(offset["file"], int(offset["pos"])) if offset else None
    behind = bytes_after(files, place) if place else None
    (first, _), (last, size) = files[0], files[-1]
    return Reach(name, offset, f"{first}:0", f"{last}:{size}", behind)


def snapshot(settings: Settings, table: str, tell: Tell = click.echo) -> int:
    """Read one table again while the stream goes on; returns the rows read. See ``signals``."""
    signals.qualified(settings, table)  # a wrong name is told before anything is asked
    state = status(settings).connector
    if not state.running:
        raise FinlakeError(
            f"connector {state.name}: is {state.summary}, so it takes no orders;"
            " `finlake connectors apply` first"
        )

    def check() -> None:
        failure = status(settings).connector.failure
        if failure is not None:
            raise FinlakeError(f"connector {state.name}: {failure}")

    return signals.snapshot(settings, table, tell=tell, check=check)


def delete(settings: Settings) -> bool:
    """Remove the connector; topics and what it had read stay. False when there was none."""
    connect = Connect(settings.connect_url)
    return connect.delete(connector_name(settings.source_flavour))


def _examine(
    settings: Settings,
    source: Source,
    connect: Connect,
    memory: Memory | None,
    tell: Tell,
    *,
    gap_allowed: bool = False,
) -> tuple[str, Decision, bool]:
    """Whose source this is, the epoch it is in, and whether Connect has got a new password.

    Refuses what cannot be captured.
    """
    name = connector_name(source.flavour)
    config = connect.config(name)
    if source.flavour == "postgresql":
        # PostgreSQL's log positions belong to the replication slot, which Debezium itself checks
        epoch = max(epochs.source_epoch(settings), epochs.configured_epoch(config) or 1)
        new_password = write_connect_secrets(settings)
        return f"postgresql:{source.address}", Decision(epoch, None), new_password
    with cursor(source, settings, as_connector=True) as own:
        problems = preflight.judge(
            preflight.inspect(own, source), source, contracts.layer("source")
        )
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise FinlakeError(problems[0] + more)
    with cursor(source, settings, as_connector=False) as application:
        who = identity(application, source)
        missing_beat = ensure_beat(application, source)
    if missing_beat:
        tell(f"heartbeat: {missing_beat}")
    new_password = write_connect_secrets(settings)  # one that the source has just taken
    if config is None and memory is not None:
        connect.create_stopped(
            name, connector_config(settings, contracts.layer("source"), epoch=memory.epoch)
        )
    offset = connect.offset(name)
    read_to = position(offset["file"], int(offset["pos"])) if offset else None
    # After the offset: traffic goes on, and a log looked at before would seem to be behind it.
    with cursor(source, settings, as_connector=True) as own:
        oldest, log_at = log_range(own)
    decision = epochs.decide(
        memory,
        identity=who,
        at_least=settings.source_epoch,
        configured=epochs.configured_epoch(config),
        read_to=read_to,
        log_at=log_at,
    )
    if decision.because is None and read_to and read_to[0] < oldest:
        gap = f"has read to binlog file {read_to[0]} and the oldest is {oldest}"
        if not gap_allowed:
            raise FinlakeError(f"connector {name}: {gap}: {Explanation.of('server-log-gone')}")
        decision = Decision(decision.epoch + 1, f"the connector {gap}")
    return who, decision, new_password


def _start(
    settings: Settings,
    connect: Connect,
    memory: Memory | None,
    who: str,
    decision: Decision,
    tell: Tell,
    *,
    anew: bool = False,
    rows: bool = True,
) -> None:
    name = connector_name(settings.source_flavour)
    kept = connect.config(name) or {}
    begins = decision.because is not None or connect.offset(name) is None
    unread = kept.get("snapshot.mode") == ROWS_ELSEWHERE and decision.because is None
    if rows and unread:
        tell("what the tables held when the capture began is still to be read: `finlake snapshot`")
    rows = not (unread or (begins and not rows))
    config = connector_config(settings, contracts.layer("source"), epoch=decision.epoch, rows=rows)
    for state in topics.create(settings, topics.expected(settings, epoch=decision.epoch)):
        for difference in state.differences:
            tell(difference)
    if decision.because is not None:
        gone = " Rows deleted meanwhile leave no event: `finlake snapshot` takes them out"
        tell(
            f"connector {name}: epoch {decision.epoch} begins, because {decision.because};"
            f" every table is read again.{gone if rows else ''}"
        )
        connect.begin_anew(name, config)
    ran = memory is not None and memory == Memory(decision.epoch, who, ran=True)
    # remembered before the first record of the epoch can exist
    epochs.write(settings, Memory(decision.epoch, who, ran=ran))
    before = connect.status(name)
    changed = connect.put(name, config)
    if changed or anew or not before.running:
        connect.resume(name)
        if not changed:
            # a password is read when a task starts
            connect.restart(name, only_failed=not anew)
        # who wants the rows elsewhere waits until it has read the log, which is more
        connect.wait_running(name, settle_s=None if rows else 0.0)
    # a connector that has just begun has no offset that could be lost
    ran = ran or connect.offset(name) is not None
    epochs.write(settings, Memory(decision.epoch, who, ran=ran))
    tell(f"connector {name}: runs, epoch {decision.epoch}")
