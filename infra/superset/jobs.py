"""What `finlake superset` does: import, export and warm-up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from finlake.errors import FinlakeError
from infra.settings import Settings
from infra.superset.access import apply_access
from infra.superset.bundle import FOLDER, Engine, make_bundle, own_files, write_back
from infra.superset.client import Client
from infra.superset.warming import warm_up

__all__ = ["export_dashboards", "import_dashboards", "import_once", "warm_dashboards"]


def import_dashboards(settings: Settings, engine: Engine = "trino") -> list[str]:
    """Bring connections, datasets, charts, dashboards and roles into Superset.

    What is there already, by its UUID, becomes as it is here. Gives the names of roles, users and
    row filters that were made.

    Raises:
        UsageProblem: Superset or the engine is not in the settings.
        ComponentMissing: Superset does not answer.
        FinlakeError: it refuses.
    """
    bundle = make_bundle(settings, engine)
    with Client(settings) as client:
        client.upload("/assets/import/", bundle.archive, bundle.passwords)
        return apply_access(client, settings.home)


def import_once(settings: Settings) -> list[str]:
    """Import where none of the project's dashboards is; what people changed there stays.

    Raises:
        ComponentMissing: Superset does not answer.
        FinlakeError: it refuses.
    """
    with Client(settings) as client:
        if _dashboards(client):
            return []
    return import_dashboards(settings)


def export_dashboards(settings: Settings, folder: Path = FOLDER) -> list[str]:
    """Write the project's dashboards and their charts back as code; gives the changed files.

    Raises:
        UsageProblem: Superset is not in the settings.
        ComponentMissing: it does not answer.
        FinlakeError: it refuses, or has none of the dashboards.
    """
    with Client(settings) as client:
        archive = client.download("/dashboard/export/", _found(client).values())
    return write_back(archive, folder)


def warm_dashboards(
    settings: Settings, said: Callable[[str], None] = lambda _: None
) -> tuple[int, int]:
    """Ask every chart of the project once; gives how many, and how many failed.

    Raises:
        UsageProblem: Superset is not in the settings.
        ComponentMissing: it does not answer.
        FinlakeError: it has none of the dashboards.
    """
    with Client(settings) as client:
        return warm_up(client, _found(client), said)


def _dashboards(client: Client) -> dict[str, int]:
    """The project's dashboards that Superset has: title to number."""
    ours = {_uuid(path) for name, path in own_files().items() if name.startswith("dashboards/")}
    columns = ["id", "uuid", "dashboard_title"]
    return {
        row["dashboard_title"]: row["id"]
        for row in client.rows("/dashboard/", columns)
        if row["uuid"] in ours
    }


def _found(client: Client) -> dict[str, int]:
    """The same, and at least one.

    Raises:
        FinlakeError: there is none.
    """
    if found := _dashboards(client):
        return found
    raise FinlakeError(
        f"Superset at {client.url} has no dashboard of this project; bring them there with"
        " `finlake superset import`"
    )


def _uuid(path: Path) -> str:
    found: str = yaml.safe_load(path.read_text("utf-8"))["uuid"]
    return found
