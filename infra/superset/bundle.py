"""Dashboards as code: the bundle that Superset imports, and its export written back.

Charts and dashboards stand in ``dashboard/superset``, datasets are rendered from the contracts, and
connections are filled in from the settings. UUIDs link them: an import changes what is there.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit

import yaml

from finlake.errors import UsageProblem
from infra.settings import Settings
from lakehouse_schemas.generate import PROJECT, SUPERSET_DATASETS
from lakehouse_schemas.model import Role
from lakehouse_schemas.render.superset import ROLES, database_uuid, yaml_text
from lakehouse_schemas.render.views import CATALOGUE

__all__ = ["FOLDER", "NAMES", "Bundle", "Engine", "make_bundle", "own_files", "write_back"]

Engine = Literal["trino", "dremio"]

FOLDER: Final = PROJECT / "dashboard" / "superset"
"""Charts and dashboards as code."""
NAMES: Final[Mapping[Role, str]] = {"viewer": "FinLake", "operator": "FinLake operations"}
"""What the connection of each role is called in Superset."""

_ROOT = "finlake"  # of the archive: Superset wants all files below one folder
# What Superset's export adds that belongs to one installation.
_OF_ONE_CHART = ("datasource", "slice_id", "dashboards", "url_params")
_OF_ONE_DASHBOARD = (
    *("map_label_colors", "shared_label_colors", "chart_configuration"),
    *("global_chart_configuration", "default_filters", "color_scheme_domain"),
)
_CHART_KEYS = (
    *("slice_name", "description", "certified_by", "certification_details", "viz_type", "params"),
    *("cache_timeout", "uuid", "version", "dataset_uuid"),
)
_DASHBOARD_KEYS = (
    *("dashboard_title", "description", "css", "slug", "certified_by", "certification_details"),
    *("published", "uuid", "position", "metadata", "version"),
)


@dataclass(frozen=True)
class Bundle:
    """An archive of YAML files, and the password of each file of a connection."""

    archive: bytes
    passwords: Mapping[str, str]


def own_files(folder: Path = FOLDER) -> dict[str, Path]:
    """The files of charts and dashboards, by their name below the folder."""
    found = [path for kind in ("charts", "dashboards") for path in (folder / kind).rglob("*.yaml")]
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def make_bundle(settings: Settings, engine: Engine) -> Bundle:
    """Everything for one engine; on the other only connections and the datasets' schema differ.

    Raises:
        UsageProblem: the settings name no server of that engine.
    """
    files = {"metadata.yaml": yaml_text({"version": "1.0.0", "type": "assets"})}
    passwords = {}
    for role in ROLES:
        name = f"databases/{role}.yaml"
        files[name], passwords[name] = _connection(settings, engine, role)
    for path in sorted(SUPERSET_DATASETS.glob("*.yaml")):
        files[f"datasets/{path.name}"] = _dataset(path.read_text("utf-8"), engine)
    for name, path in own_files().items():
        files[name] = path.read_text("utf-8")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{_ROOT}/{name}", text)
    return Bundle(buffer.getvalue(), {k: v for k, v in passwords.items() if v})


def _dataset(text: str, engine: Engine) -> str:
    """In Dremio the role's masked views are asked, among them the wide ones."""
    if engine == "trino":
        return text
    dataset = yaml.safe_load(text)
    role = next(role for role in ROLES if database_uuid(role) == dataset["database_uuid"])
    return yaml_text({**dataset, "schema": f"gold_{role}", "sql": None})


def _connection(settings: Settings, engine: Engine, role: Role) -> tuple[str, str]:
    """The file of a role's connection, and its password."""
    template = (FOLDER / "databases" / f"{engine}.yaml").read_text("utf-8")
    uri, password, more = (_trino if engine == "trino" else _dremio)(settings, role)
    values = {"name": NAMES[role], "uuid": database_uuid(role), "uri": uri, **more}
    body = "".join(line for line in template.splitlines(True) if not line.startswith("#"))
    return Template(body).substitute(values), password


def _trino(settings: Settings, role: Role) -> tuple[str, str, dict[str, str]]:
    if not settings.trino_url:
        raise UsageProblem(
            "setting FINLAKE_TRINO_URL is empty; start Trino with `finlake up --with superset` or"
            " set it to a server"
        )
    place = urlsplit(settings.trino_url)
    user = settings.trino_user
    password = settings.trino_password.get_secret_value() if settings.trino_password else ""
    own = settings.home / "secrets" / f"trino_{role}_password"
    if own.exists():  # of the embedded Trino
        user, password = role, own.read_text("ascii").strip()
    login = f"{quote(user, safe='')}{':XXXXXXXXXX' if password else ''}"
    port = place.port or (443 if place.scheme == "https" else 80)
    more = {
        "scheme": place.scheme,
        "ca": json.dumps(str(settings.trino_ca) if settings.trino_ca else True),
    }
    return f"trino://{login}@{place.hostname}:{port}/{CATALOGUE}/gold", password, more


def _dremio(settings: Settings, role: Role) -> tuple[str, str, dict[str, str]]:
    if not settings.dremio_url:
        raise UsageProblem(
            "setting FINLAKE_DREMIO_URL is empty; set it to Dremio's Arrow Flight address,"
            " grpc://host:32010 or grpc+tls://host:32010"
        )
    place = urlsplit(settings.dremio_url)
    encrypted = place.scheme == "grpc+tls"
    query = {"UseEncryption": str(encrypted).lower()}
    if settings.dremio_ca:
        query["TrustedCerts"] = str(settings.dremio_ca)
    if settings.dremio_routing_tag:
        query["routing_tag"] = settings.dremio_routing_tag
    if settings.dremio_routing_queue:
        query["routing_queue"] = settings.dremio_routing_queue
    user = settings.dremio_user or ""
    password = settings.dremio_password.get_secret_value() if settings.dremio_password else ""
    own = settings.home / "secrets" / f"dremio_{role}_password"
    if own.exists():  # made by `finlake dremio bootstrap`
        user, password = f"finlake_{role}", own.read_text("ascii").strip()
    login = f"{quote(user, safe='')}:XXXXXXXXXX@" if password else ""
    port = place.port or 32010
    return f"dremio+flight://{login}{place.hostname}:{port}/?{urlencode(query)}", password, {}


def write_back(archive: bytes, folder: Path = FOLDER) -> list[str]:
    """Write charts and dashboards of an export over those of the folder; gives the changed files.

    A thing that has a file already keeps it; a new one gets one by its name, a chart beside the
    other charts of its dashboard. What belongs to one installation is left out.
    """
    own = own_files(folder).values()
    there = {yaml.safe_load(path.read_text("utf-8"))["uuid"]: path for path in own}
    changed = []
    for kind, document, room in _exported(archive):
        title = document["slice_name" if kind == "charts" else "dashboard_title"]
        path = there.get(document["uuid"], folder / kind / room / f"{_slug(title)}.yaml")
        text = yaml_text(document)
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path.relative_to(folder).as_posix())
    return sorted(changed)


def _exported(archive: bytes) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Charts and dashboards of an export in the form that is kept, each with its subfolder."""
    documents: dict[str, list[dict[str, Any]]] = {"charts": [], "dashboards": []}
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        for name in sorted(bundle.namelist()):
            kind = name.split("/")[1] if name.count("/") > 1 else ""
            if kind in documents:
                documents[kind].append(yaml.safe_load(bundle.read(name)))
    rooms = {}
    for dashboard in documents["dashboards"]:
        for place in _charts_on(dashboard):
            rooms[place["meta"]["uuid"]] = _slug(dashboard["dashboard_title"])
        yield "dashboards", _dashboard(dashboard), ""
    for chart in documents["charts"]:
        yield "charts", _chart(chart), rooms.get(chart["uuid"], "")


def _charts_on(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The places of charts, in the order of their names."""
    places = (place for _, place in sorted(dashboard["position"].items()))
    return [one for one in places if isinstance(one, dict) and one.get("type") == "CHART"]


def _chart(chart: dict[str, Any]) -> dict[str, Any]:
    params = {k: v for k, v in chart["params"].items() if k not in _OF_ONE_CHART}
    kept = {k: v for k, v in chart.items() if k != "query_context"}
    return _ordered({**kept, "params": params}, _CHART_KEYS)


def _dashboard(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The numbers of its charts are replaced by 1, 2, ...: each installation has its own."""
    numbers = {}
    for number, place in enumerate(_charts_on(dashboard), 1):
        numbers[place["meta"]["chartId"]] = number
        place["meta"]["chartId"] = number
    metadata = {k: v for k, v in dashboard["metadata"].items() if k not in _OF_ONE_DASHBOARD}
    for one in metadata.get("native_filter_configuration", []):
        one.pop("chartsInScope", None)
        one.pop("tabsInScope", None)
        scope = one.get("scope", {})
        if "excluded" in scope:
            scope["excluded"] = [numbers[old] for old in scope["excluded"] if old in numbers]
    immune = metadata.get("timed_refresh_immune_slices", [])
    metadata["timed_refresh_immune_slices"] = [numbers[old] for old in immune if old in numbers]
    return _ordered({**dashboard, "metadata": metadata}, _DASHBOARD_KEYS)


def _ordered(document: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """These keys in this order; what is below them, which comes in any order, by its names."""
    return {k: json.loads(json.dumps(document[k], sort_keys=True)) for k in keys if k in document}


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
