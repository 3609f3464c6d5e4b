"""``finlake superset``: its dashboards as code, in and out, and its warm-up."""

from __future__ import annotations

import click

__all__ = ["superset"]


@click.group()
def superset() -> None:
    """Bring dashboards into Superset, write changed ones back as code, and ask them beforehand.

    \b
    Example:
      finlake superset import
    """


@superset.command("import")
@click.option(
    "--engine", type=click.Choice(["trino", "dremio"]), default="trino", show_default=True,
    help="Whom the charts ask (FINLAKE_TRINO_URL, FINLAKE_DREMIO_URL, ...).",
)  # fmt: skip
def import_(engine: str) -> None:
    """Import connections, datasets, charts, dashboards, roles and row filters.

    What Superset has already of them becomes as it is in the code; what people made of their own
    stays. `finlake up --with superset` does it too.

    \b
    Example:
      finlake superset import
    """
    from infra.settings import load_settings
    from infra.superset.bundle import own_files
    from infra.superset.jobs import import_dashboards

    settings = load_settings()
    made = import_dashboards(settings, "dremio" if engine == "dremio" else "trino")
    for name in made:
        click.echo(f"made {name}")
    count = sum(name.startswith("dashboards/") for name in own_files())
    click.echo(f"imported {count} dashboards: {settings.superset_url}/dashboard/list/")


@superset.command()
def export() -> None:
    """Write the dashboards and their charts back to dashboard/superset, as they are in Superset.

    Datasets are rendered from the table contracts and are not written.

    \b
    Example:
      finlake superset export && git diff dashboard/superset
    """
    from infra.settings import load_settings
    from infra.superset.jobs import export_dashboards

    changed = export_dashboards(load_settings())
    for name in changed:
        click.echo(f"dashboard/superset/{name}")
    click.echo(f"{len(changed)} files changed")


@superset.command()
@click.option(
    "--every", type=click.FloatRange(min=1), metavar="SECONDS",
    help="Stay, and ask again and again, until stopped.",
)  # fmt: skip
def warm(every: float | None) -> None:
    """Ask every chart once, so that nobody waits for the first answers.

    `finlake up --with superset` does so at its end. Results are kept for a minute; where many
    people look all day, --every 50 lets none of them wait.

    \b
    Example:
      finlake superset warm
    """
    from finlake.commands.following import follow
    from finlake.errors import FinlakeError
    from infra.settings import load_settings
    from infra.superset.jobs import warm_dashboards

    settings = load_settings()

    def ask() -> None:
        asked, failed = warm_dashboards(settings, click.echo)
        click.echo(f"asked {asked} charts")
        if failed:
            raise FinlakeError(
                f"{failed} of {asked} charts have no answer; the lines above say why"
            )

    if every is None:
        ask()
    else:
        follow(ask, settings.home / "superset" / "warmed", every)
