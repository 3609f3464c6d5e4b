"""``finlake settings``: every setting, its value and where it came from; secrets stay hidden."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["settings"]

PREFIX = "FINLAKE_"
HIDDEN = "********"
NOT_SETTINGS = {"FINLAKE_DEBUG"}  # read by the command line itself


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def settings(as_json: bool) -> None:
    """Show every setting, its value and its origin; passwords and keys are masked.

    A value comes from the environment, else from the file .env, else from stack.env in the home,
    which the embedded stack writes, else, for a secret, from the file of its name in the folder
    secrets of the home, else it is the default. A wrong value is shown too, and the
    command then ends with 2 and the reason.

    \b
    Example:
      FINLAKE_LAKE=s3a://warehouse finlake settings
    """
    import msgspec

    from finlake.errors import UsageProblem
    from infra.settings import Settings, load_settings

    problem = None
    try:
        found = load_settings()
    except UsageProblem as error:
        home = Path(os.environ.get("FINLAKE_HOME", ".finlake")).absolute()
        problem, found = error, Settings.model_construct(home=home)
    given = _given(found.home)
    for name, field in Settings.model_fields.items():
        variable = PREFIX + name.upper()
        text, origin = given.pop(variable, (None, "default"))
        value = getattr(found, name) if problem is None or text is None else text
        line = {
            "setting": variable,
            "value": _shown(value, "Secret" in str(field.annotation)),
            "origin": origin,
            "meaning": field.description,
        }
        if as_json:
            click.echo(msgspec.json.encode(line))
        else:
            shown = "" if line["value"] is None else line["value"]
            click.echo(f"{variable}={shown}")
            click.echo(f"    {origin}; {field.description}")
    if problem:
        raise problem


def _given(home: Path) -> dict[str, tuple[str, str]]:
    """The text and origin of each variable with our prefix; the first origin wins."""
    from dotenv import dotenv_values

    from infra.settings import secret_files

    files = {f"{PREFIX}{name.upper()}": text for name, text in secret_files(home).items()}
    found: dict[str, tuple[str, str]] = {}
    for origin, variables in (
        ("environment", dict(os.environ)),
        (".env", dotenv_values(".env")),
        (str(home / "stack.env"), dotenv_values(home / "stack.env")),
        (str(home / "secrets"), files),
    ):
        for name, text in variables.items():
            variable = name.upper()
            if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
                found.setdefault(variable, (text or "", origin))
    return found


def _shown(value: Any, secret: bool) -> str | int | float | bool | None:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        return str(value)
    return _masked(value) if secret and value else value


def _masked(secret: str) -> str:
    """A well-formed URL without its password; of anything else, nothing."""
    from urllib.parse import urlsplit

    try:
        url = urlsplit(secret)
        place = f"{url.hostname}:{url.port}{url.path}"
    except ValueError:
        return HIDDEN
    if not (url.username and url.password and url.port) or url.query or url.fragment:
        return HIDDEN
    return f"{url.scheme}://{url.username}:{HIDDEN}@{place}"
