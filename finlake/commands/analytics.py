"""``finlake analytics``."""

from __future__ import annotations

import json
from datetime import datetime

import click

__all__ = ["analytics"]


@click.command()
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY",
    help="Last day that counts, UTC. [default: the newest whole day]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def analytics(day: datetime | None, as_json: bool) -> None:
    """Work out segments, cohorts, lifetime value and credit risk of every customer.

    Replaces gold.customer_analytics and gold.customer_cohorts; over the same data and day the rows
    are the same. What the columns mean, and how the score comes about: docs/analytics.md.

    \b
    Example:
      finlake analytics
      finlake analytics --day 2019-10-31 --json
    """
    from batch_jobs.analytics import make
    from infra.settings import load_settings

    found = make(load_settings(), until=day.date() if day else None)
    if as_json:
        click.echo(json.dumps(found.__dict__ | {"as_of": str(found.as_of)}))
        return
    click.echo(
        f"{found.customers:,} customers and {found.transactions:,} transactions until"
        f" {found.as_of} (version {found.transactions_version} of gold.fact_transactions)"
    )
    click.echo(f"  segments: {_listed(found.segments)}; {found.clusters} clusters")
    click.echo(f"  {found.cohorts} cohorts; {found.retention:.1%} of a year's customers stay")
    click.echo(f"  credit risk: {_listed(found.bands)}")
    click.echo(
        f"  {found.wall_s:.1f} s, {found.cpu_s:.1f} s of processor,"
        f" at most {found.peak_mib:,.0f} MiB"
    )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
