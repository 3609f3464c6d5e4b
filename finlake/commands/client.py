"""``finlake client``: ask the API from the terminal, as an application would."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from finlake.errors import UsageProblem

if TYPE_CHECKING:
    from api.client import Client

__all__ = ["client"]


@click.group()
@click.option("--url", help="Where the API is; default FINLAKE_API_URL, or this machine.")
@click.pass_context
def client(ctx: click.Context, url: str | None) -> None:
    """Ask the API: what an application does by HTTP, or in Python by ``api.client.Client``.

    The key is FINLAKE_API_KEY: options can be seen in the list of processes.

    \b
    Example:
      export FINLAKE_API_KEY=fl_...
      finlake client ask GET /insights/trends/7
    """
    ctx.obj = url


@client.command()
@click.argument("method", type=click.Choice(["GET", "POST", "PUT", "PATCH", "DELETE"]))
@click.argument("path")
@click.argument("body", required=False)
@click.pass_obj
def ask(url: str | None, method: str, path: str, body: str | None) -> None:
    """Ask any question; PATH comes after /api/v1, BODY is JSON, or - for standard input.

    \b
    Example:
      finlake client ask POST /budget/recommend '{"user_id": 7}'
    """
    if body == "-":
        body = sys.stdin.read()
    try:
        content = None if body is None else json.loads(body)
    except ValueError as error:
        raise UsageProblem(f"the body is no JSON: {error}") from None
    if not path.startswith("/"):
        raise UsageProblem(f"a path begins with /, such as /models/status; {path} does not")
    with _open(url) as one:
        answer = one.ask(method, path, content)
    if answer is not None:
        _say(answer)


@client.command()
@click.option("--card", type=int, required=True, help="Number of the card.")
@click.option("--amount", required=True, help="In dollars, such as 12.50.")
@click.option("--mcc", type=int, help="Merchant category code.")
@click.option("--at", "at", type=click.DateTime(), help="UTC; now when it is not given.")
@click.pass_obj
def anomaly(
    url: str | None,
    card: int,
    amount: str,
    mcc: int | None,
    at: datetime | None,
) -> None:
    """How likely a transaction is a fraud, and why.

    \b
    Example:
      finlake client anomaly --card 3 --amount 999.99 --mcc 5732
    """
    from pydantic import ValidationError

    from api.schemas.predictions import AskTransaction

    moment = (at or datetime.now(UTC)).replace(tzinfo=UTC)
    known = {"card_id": card, "amount": amount, "at": moment}
    try:
        asked = AskTransaction.model_validate(known | ({} if mcc is None else {"mcc": mcc}))
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageProblem(f"{first['loc'][0]}: {first['msg']}") from None
    with _open(url) as one:
        _say(one.anomaly(asked).model_dump(mode="json"))


@client.command()
@click.option("--last", default="", help="Go on behind the alert with this id.")
@click.option("--count", type=click.IntRange(0), default=0, help="End after so many; 0 never.")
@click.pass_obj
def alerts(url: str | None, last: str, count: int) -> None:
    """Alerts as they are raised, one JSON object a line with the id to go on from; Ctrl-C ends it.

    \b
    Example:
      finlake client alerts --count 10
    """
    with _open(url) as one:
        found = 0
        while True:
            for newest, alert in one.alerts(last):
                click.echo(json.dumps({"id": newest, **alert}))
                found += 1
                if found == count:
                    return
                last = newest  # where the next turn goes on


def _open(url: str | None) -> Client:
    from api.client import Client
    from infra.settings import load_settings

    settings = load_settings()
    if settings.api_key is None:
        raise UsageProblem(
            "no API key: make one with `finlake api keys create --name me --role analyst`, and "
            "give it as FINLAKE_API_KEY"
        )
    return Client(url or settings.api_address, settings.api_key.get_secret_value())


def _say(answer: Any) -> None:
    click.echo(json.dumps(answer, indent=2))
