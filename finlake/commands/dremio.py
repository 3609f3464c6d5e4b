"""``finlake dremio``: what Dremio should hold, made, checked and kept fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from infra.dremio.bootstrap import Bootstrap

__all__ = ["dremio"]


@click.group()
def dremio() -> None:
    """Set Dremio up on the lake, and keep it fresh.

    \b
    Example:
      finlake dremio bootstrap && finlake dremio check
    """


@dremio.command("bootstrap")
def bootstrap_dremio() -> None:
    """Make the first user, the source, tables, views, reflections, users and privileges.

    What is as it should be stays untouched; so it may be done again at any time.

    \b
    Example:
      finlake dremio bootstrap
    """
    made = _bootstrap()
    count = made.apply()
    _note(made)
    click.echo(_counted(count, "change") or "Dremio is as it should be")


@dremio.command("check")
def check_dremio() -> int:
    """Say where Dremio differs from the contracts; exit 1 if it does. Changes nothing.

    \b
    Example:
      finlake dremio check
    """
    looked = _bootstrap()
    found = looked.check()
    for line in found:
        click.echo(line)
    _note(looked)
    click.echo(_counted(len(found), "difference") or "Dremio is as it should be")
    return 1 if found else 0


@dremio.command("refresh")
@click.option("--all", "everything", is_flag=True, help="Also tables that have not changed.")
@click.option("--follow", is_flag=True, help="Stay; take in new tables, too, until stopped.")
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=300, show_default=True,
    help="Seconds between two looks, with --follow.",
)  # fmt: skip
def refresh_dremio(everything: bool, follow: bool, every: float) -> None:
    """Let Dremio see the newest versions of the tables, and refresh their reflections.

    \b
    Example:
      finlake dremio refresh
      finlake dremio refresh --follow --every 60
    """
    from finlake.commands.following import follow as follow_looks
    from infra.dremio.bootstrap import Bootstrap, dremio_mark
    from infra.settings import load_settings

    settings = load_settings()
    kept = Bootstrap(settings, click.echo)

    def look() -> None:
        kept.apply()
        kept.refresh()

    if follow:
        follow_looks(look, dremio_mark(settings), every)
        return
    done = kept.refresh(everything=everything)
    click.echo(_counted(len(done), "table") or "Dremio knows the newest versions")


def _bootstrap() -> Bootstrap:
    from infra.dremio.bootstrap import Bootstrap
    from infra.settings import load_settings

    return Bootstrap(load_settings(), click.echo)


def _counted(count: int, what: str) -> str:
    """So many of them, or nothing where there are none."""
    return f"{count} {what}{'' if count == 1 else 's'}" if count else ""


def _note(run: Bootstrap) -> None:
    for line in run.notes:
        click.echo(line)
