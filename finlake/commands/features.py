"""``finlake features``: what models look at."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["features"]

_DOCUMENT = Path(__file__).parents[2] / "docs" / "features.md"


@click.group()
def features() -> None:
    """The features that models look at, each defined once.

    \b
    Example:
      finlake features list
    """


@features.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(as_json: bool) -> None:
    """List every feature: family, name, window, meaning.

    \b
    Example:
      finlake features list --json
    """
    import json

    from models.features import FEATURES
    from models.features.document import window_text

    for feature in FEATURES:
        if as_json:
            facts = {n: getattr(feature, n) for n in feature.__dataclass_fields__ if n != "of"}
            click.echo(json.dumps(facts))
        else:
            window = window_text(feature.window)
            click.echo(f"{feature.family:11} {feature.name:32} {window:6} {feature.meaning}")


@features.command()
def generate() -> None:
    """Write docs/features.md from the catalogue.

    \b
    Example:
      finlake features generate
    """
    from models.features.document import features_md

    _DOCUMENT.write_text(features_md(), encoding="utf-8")
    click.echo(f"docs/{_DOCUMENT.name}")


@features.command()
def check() -> None:
    """Check that docs/features.md is what the catalogue gives.

    \b
    Example:
      finlake features check
    """
    from finlake.errors import FinlakeError
    from models.features import FEATURES
    from models.features.document import features_md

    if not _DOCUMENT.exists() or _DOCUMENT.read_text(encoding="utf-8") != features_md():
        raise FinlakeError("docs/features.md differs from the catalogue; run make generate")
    click.echo(f"docs/features.md says what the {len(FEATURES)} features are")
