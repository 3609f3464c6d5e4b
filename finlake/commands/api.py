"""``finlake api``: the service by HTTP, and the keys for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from api.services.access_store import AccessStore, Key

__all__ = ["api"]

_DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
_ROLES = ["viewer", "analyst", "operator", "admin", "customer"]
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


@click.group()
def api() -> None:
    """Insights into customers' money by HTTP, and the keys for it.

    \b
    Example:
      finlake api keys create --name me --role analyst && finlake api serve
    """


@api.command()
@click.option(
    "--port", type=click.IntRange(0, 65535),
    help="Port, 0 for any free one; default FINLAKE_PORT_API or the next free.",
)  # fmt: skip
@click.option(
    "--host",
    help="Address to listen on; default 127.0.0.1, all with FINLAKE_ADVERTISED_HOST.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."
)
def serve(port: int | None, host: str | None, workers: int) -> None:
    """Serve the API until stopped; requests under way are answered first.

    \b
    Example:
      finlake api serve --port 8010 --workers 2
    """
    import os
    import tempfile

    import uvicorn

    from finlake.commands.dashboard import next_free
    from infra.settings import load_settings

    settings = load_settings()  # a wrong setting is told here, not by a worker
    host = host or settings.listen_host
    chosen = port or next_free(settings.port_api if port is None else 0)
    click.echo(f"api: http://{host}:{chosen}")
    with tempfile.TemporaryDirectory(prefix="finlake-api-") as figures:
        if workers > 1:
            # Read when Prometheus' library is imported, by this process and by the workers.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = figures
        uvicorn.run(
            "api.app:served",
            factory=True,
            host=host,
            port=chosen,
            workers=workers,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=10,
            timeout_keep_alive=30,
        )


@api.group()
def keys() -> None:
    """Keys of the API: hashed, for a role and scopes, of which the secret is shown once.

    \b
    Example:
      finlake api keys list
    """


@keys.command()
@click.option("--name", required=True, help="Whose it is, for people.")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What it may do.")
@click.option("--scope", "scopes", multiple=True, help="Only these scopes; all if not given.")
@click.option("--user-id", type=click.IntRange(min=0), help="Of role customer: their number.")
@click.option("--days", type=click.IntRange(min=1), help="Until it expires; never if not given.")
@_json
def create(
    name: str,
    role: str,
    scopes: tuple[str, ...],
    user_id: int | None,
    days: int | None,
    as_json: bool,
) -> None:
    """Make a key and print its secret, this once.

    \b
    Example:
      finlake api keys create --name "anna's phone" --role customer --user-id 7 --days 90
    """
    from api.access import SCOPES

    wanted = scopes or SCOPES
    made = _store().create(name, role, wanted, user_id, days)  # type: ignore[arg-type]
    _tell(*made, as_json=as_json)


@keys.command("list")
@_json
def list_(as_json: bool) -> None:
    """List keys, dead ones among them.

    \b
    Example:
      finlake api keys list --json
    """
    for key in _store().listed():
        if as_json:
            click.echo(json.dumps(_plain(key)))
            continue
        state = "revoked" if key.revoked else "expires" if key.expires else "open"
        until = f" {_at(key.expires)}" if state == "expires" else ""
        whose = f" of {key.user_id}" if key.user_id is not None else ""
        scopes = " ".join(key.scopes)
        click.echo(f"{key.id}  {key.role + whose:16}  {state + until:28}  {scopes:24}  {key.name}")


@keys.command()
@click.argument("key_id")
@_json
def rotate(key_id: str, as_json: bool) -> None:
    """Give a key a new secret; the old one opens for another day.

    \b
    Example:
      finlake api keys rotate 0f3a9c51d2e7
    """
    _tell(*_store().rotate(key_id), as_json=as_json)


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """End a key and all its sessions, at once and for good.

    \b
    Example:
      finlake api keys revoke 0f3a9c51d2e7
    """
    click.echo(f"{_store().revoke(key_id).id} is revoked")


@api.command()
def generate() -> None:
    """Write docs/openapi.json from the routes.

    \b
    Example:
      finlake api generate
    """
    from api.app import openapi_text

    _DOCUMENT.write_text(openapi_text(), encoding="utf-8")
    click.echo(f"docs/{_DOCUMENT.name}")


@api.command()
def check() -> None:
    """Check that docs/openapi.json is what the routes give.

    \b
    Example:
      finlake api check
    """
    from api.app import openapi_text
    from finlake.errors import FinlakeError

    if not _DOCUMENT.exists() or _DOCUMENT.read_text(encoding="utf-8") != openapi_text():
        raise FinlakeError("docs/openapi.json differs from the routes; run make generate")
    click.echo("docs/openapi.json says what the routes are")


def _store() -> AccessStore:
    from api.services.access_store import AccessStore
    from infra.settings import load_settings

    return AccessStore(load_settings().home / "api" / "access.sqlite")


def _at(seconds: float | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%MZ}"


def _plain(key: Key) -> dict[str, object]:
    return {
        "id": key.id, "name": key.name, "role": key.role, "user_id": key.user_id,
        "scopes": list(key.scopes), "created": _at(key.created), "expires": _at(key.expires),
        "revoked": _at(key.revoked),
    }  # fmt: skip


def _tell(key: Key, secret: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_plain(key) | {"secret": secret}))
        return
    click.echo(f"key {key.id}, role {key.role}; this secret is shown once:", err=True)
    click.echo(secret)
