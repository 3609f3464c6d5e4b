"""``finlake dead-letters``: the records that were set aside, and putting them through again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import click

from finlake.commands.asking import confirm
from finlake.errors import FinlakeError, UsageProblem
from lakehouse_schemas.model import ROLES

if TYPE_CHECKING:
    from connectors.letters import Choice
    from infra.lake.query import Query
    from infra.settings import Settings
    from lakehouse_schemas.model import Role

__all__ = ["dead_letters"]

_LETTERS: Final = "FROM bronze.dead_letters"
_POLL_S: Final = 0.3


@click.group()
def dead_letters() -> None:
    """Look into the records that could not be applied, and apply them once the cause is mended.

    A record is named by its place in Kafka, TOPIC[PARTITION]@OFFSET, as logs and errors name it.

    \b
    Example:
      finlake dead-letters list
      finlake dead-letters show 'cdc.finance.cards[0]@17'
      finlake dead-letters replay --table cards
    """


@dead_letters.command("list")
@click.option("--table", help="Of this source table alone.")
@click.option("--topic", help="Of this topic alone.")
@click.option("--reason", help="For this reason alone, such as bad_type.")
@click.option(
    "-n", "--lines", "count", default=20, show_default=True, type=click.IntRange(0),
    help="So many of them singly, the newest first.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, single ones only.")
def list_letters(
    table: str | None, topic: str | None, reason: str | None, count: int, as_json: bool
) -> None:
    """Show how many records were set aside of which table and why, and the newest of them.

    \b
    Example:
      finlake dead-letters list --table transactions --reason bad_type
    """
    from connectors.letters import Place

    query = _query(_settings())
    asked = {"source_table": table, "topic": topic, "reason": reason}
    wanted = {name: value for name, value in asked.items() if value is not None}
    where = _where(wanted)
    newest = query.query(
        'SELECT source_table, topic, "partition", "offset", kafka_ts, reason, detail, batch_id'
        f' {_LETTERS}{where} ORDER BY kafka_ts DESC, topic, "partition", "offset" DESC LIMIT ?',
        (*wanted.values(), count),
    ).to_pylist()
    if as_json:
        for row in newest:
            row["kafka_ts"] = row["kafka_ts"].isoformat()
            click.echo(json.dumps(row))
        return
    counted = query.query(
        f"SELECT source_table, reason, count(*) AS letters {_LETTERS}{where}"
        " GROUP BY ALL ORDER BY letters DESC, source_table, reason",
        tuple(wanted.values()),
    ).to_pylist()
    if not counted:
        click.echo("no dead letters")
        return
    for row in counted:
        click.echo(f"{row['letters']:>9,}  {row['source_table']}, {row['reason']}")
    for row in newest:
        place = Place(row["topic"], row["partition"], row["offset"])
        click.echo(f"{row['kafka_ts']:%Y-%m-%d %H:%M:%S}Z {place} {row['reason']}: {row['detail']}")


@dead_letters.command("show")
@click.argument("place")
@click.option(
    "--role", type=click.Choice(ROLES), default="operator", show_default=True,
    help="Whose eyes: what the contracts hide from this role is hidden.",
)  # fmt: skip
def show_letter(place: str, role: Role) -> None:
    """Show the record at PLACE, why it was set aside, and what is in it, masked.

    \b
    Example:
      finlake dead-letters show 'cdc.finance.transactions[1]@4711'
    """
    from connectors.browse import shown
    from lakehouse_schemas import contracts

    settings = _settings()
    found = _letter(_query(settings), place)
    contract = contracts.get(f"source.{found['source_table']}")
    key, value = (shown(found[name], contract, role)[0] for name in ("key", "value"))
    click.echo(f"{place}: {found['reason']}: {found['detail']}")
    click.echo(f"  table {found['source_table']}, epoch {found['epoch']}")
    click.echo(
        f"  set aside by batch {found['batch_id']}, Kafka took it {found['kafka_ts']:%F %T}Z"
    )
    click.echo(f"  key {json.dumps(key, ensure_ascii=False)}")
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


@dead_letters.command("replay")
@click.argument("place", required=False)
@click.option("--table", help="All of this source table.")
@click.option("--reason", help="With --table: those that were set aside for this reason.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--wait", "wait_s", default=60.0, show_default=True, type=click.FloatRange(0),
    metavar="SECONDS", help="How long to wait for the stream to do it.",
)  # fmt: skip
def replay_letters(
    place: str | None, table: str | None, reason: str | None, yes: bool, wait_s: float
) -> None:
    """Put records that were set aside through the stream again: one at PLACE, or a table's.

    Each is applied once, as of its own place in the order of changes, so that nothing newer is
    overwritten. What still does not fit stays among the dead letters. The order waits on a topic
    when the stream is down.

    \b
    Example:
      finlake dead-letters replay --table transactions --reason bad_type
      finlake dead-letters replay 'cdc.finance.cards[0]@17' --yes
    """
    from connectors.letters import Choice, place_of, send_order

    settings = _settings()
    query = _query(settings)
    if (place is None) == (table is None) or (place and reason):
        raise click.UsageError("say either a PLACE or a --table, and --reason with a table alone")
    if place:
        choice = Choice(_letter(query, place)["source_table"], place=place_of(place))
    else:
        choice = Choice(_source_table(str(table)), reason)
    _may_replay(query, choice.table)
    there = _count(query, choice)
    if not there:
        raise UsageProblem(f"{choice}: has no dead letters; see `finlake dead-letters list`")
    confirm(f"{choice}: apply {there:,} dead letters with today's contract?", yes)
    offset = send_order(settings, choice, "finlake dead-letters")
    if not _done(settings, offset, wait_s):
        raise FinlakeError(
            f"{choice}: the stream has not come to the order within {wait_s:g} s; it waits on"
            " finlake.replays and is done when the stream runs (`finlake topics lag`)"
        )
    left = _count(query, choice)
    click.echo(f"{choice}: {there - left:,} of {there:,} dead letters are applied")
    if left:
        raise FinlakeError(
            f"{choice}: {left:,} still do not fit, `finlake dead-letters list` says why; mend the"
            " contract and start the stream anew, or mend the rows in the source"
        )


def _may_replay(query: Query, table: str) -> None:
    """Refuse a table that stands still: its letters are applied when it flows again."""
    found = query.query(
        "SELECT arg_max(state, since) AS state FROM gold.pipeline_status WHERE table_name = ?",
        (table,),
    ).to_pylist()
    if found[0]["state"] == "stopped":
        raise FinlakeError(
            f"{table}: is stopped, and its dead letters are applied when it flows again;"
            f" bring its contract in line, then `finlake stream --resume {table}`"
        )


def _done(settings: Settings, offset: int, wait_s: float) -> bool:
    """Wait until the stream has finished the batch with the order."""
    from connectors.letters import REPLAY_TOPIC
    from stream_jobs.io.source import starting_offsets

    until = time.monotonic() + wait_s
    while json.loads(starting_offsets(settings))[REPLAY_TOPIC]["0"] <= offset:
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    return True


def _letter(query: Query, text: str) -> dict[str, Any]:
    from connectors.letters import place_of

    place = vars(place_of(text))
    found = query.query(f"SELECT * {_LETTERS}{_where(place)}", tuple(place.values())).to_pylist()
    if not found:
        raise UsageProblem(
            f"{text}: is not among the dead letters; it was never set aside, or is applied"
        )
    return found[0]  # type: ignore[no-any-return]


def _count(query: Query, choice: Choice) -> int:
    wanted = {"source_table": choice.table, **choice.conditions()}
    found = query.query(f"SELECT count(*) {_LETTERS}{_where(wanted)}", tuple(wanted.values()))
    return int(found[0][0].as_py())


def _where(wanted: dict[str, Any]) -> str:
    conditions = " AND ".join(f'"{name}" = ?' for name in wanted)
    return f" WHERE {conditions}" if wanted else ""


def _source_table(name: str) -> str:
    from lakehouse_schemas import contracts

    names = [contract.name for contract in contracts.source_tables()]
    if name not in names:
        raise UsageProblem(f"table {name}: is no source table; there are {', '.join(names)}")
    return name


def _query(settings: Settings) -> Query:
    from infra.lake.query import Query

    return Query(settings)


def _settings() -> Settings:
    from infra.settings import load_settings

    return load_settings()
