"""Which components a home's stack has, by its settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from finlake.errors import UsageProblem
from infra.settings import Settings
from infra.stack.airflow import Airflow, DagProcessor, Scheduler
from infra.stack.apps import Alerts, Api, Catalogue, Dashboard, Observe, Score, Stream, Verify
from infra.stack.component import Component
from infra.stack.kafka import Connect, Kafka
from infra.stack.mariadb import MariaDB
from infra.stack.minio import MinIO
from infra.stack.mlflow import MLflow
from infra.stack.mysql import MySQL
from infra.stack.prometheus import Prometheus
from infra.stack.redis import Redis
from infra.stack.superset import Superset
from infra.stack.trino import Trino

__all__ = ["EXTRAS", "build", "given", "known", "programs", "wanted"]

EXTRAS: Mapping[str, type[Component]] = {
    "stream": Stream,
    "alerts": Alerts,
    "score": Score,
    "dashboard": Dashboard,
    "api": Api,
    "redis": Redis,
    "mlflow": MLflow,
    "trino": Trino,
    "catalogue": Catalogue,
    "prometheus": Prometheus,
    "observe": Observe,
    "verify": Verify,
    "superset": Superset,
    "airflow": Airflow,
    "scheduler": Scheduler,
    "dags": DagProcessor,
}
_AIRFLOW = ("airflow", "scheduler", "dags")
_COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "stream": ("stream", "alerts"),
    "trino": ("trino", "catalogue"),
    "prometheus": ("prometheus", "observe"),
    "superset": ("trino", "catalogue", "superset"),
    **dict.fromkeys(_AIRFLOW, _AIRFLOW),  # none of them is of use alone
}
_KINDS: Mapping[str, type[Component]] = {
    "kafka": Kafka,
    "connect": Connect,
    "minio": MinIO,
    **EXTRAS,
}


def given(settings: Settings) -> set[str]:
    """The settings that somebody set, other than this stack itself by its ``stack.env``."""
    own = Settings(_env_file=".env", home=settings.home)
    found = set()
    for name in own.model_fields_set:
        value = getattr(own, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text not in (None, ""):
            found.add(name)
    return found


def wanted(settings: Settings, extras: Iterable[str] = ()) -> list[str]:
    """Names of the components to run; what has an address in the settings runs elsewhere.

    Raises:
        UsageProblem: an extra that is not known, or a source that the stack cannot start.
    """
    elsewhere = given(settings)
    extras = list(extras)
    names = [
        name
        for name, address in (
            ("source", "source_url"),
            ("kafka", "kafka_bootstrap"),
            ("connect", "connect_url"),
        )
        if address not in elsewhere
    ]
    if settings.lake.startswith("s3a:") and "s3_endpoint" not in elsewhere:
        names.append("minio")
    for extra in extras:
        if extra not in EXTRAS:
            raise UsageProblem(f"--with {extra}: unknown; it can be {', '.join(EXTRAS)}")
    names += programs(extras)
    for address, there in (
        ("mlflow_url", ("mlflow",)),
        ("redis_url", ("redis",)),
        ("trino_url", programs(["trino"])),
        ("superset_url", ("superset",)),
    ):
        if address in elsewhere:
            names = [name for name in names if name not in there]
    if "source" in names:
        _source(settings)
    return list(dict.fromkeys(names))


def known() -> list[str]:
    """The names of all components that there can be."""
    return ["source", *_KINDS]


def programs(extras: Iterable[str]) -> list[str]:
    """The programs that these extras start.

    Alerts go with the stream, the catalogue with Trino, Trino with Superset, and three programs
    are Airflow.
    """
    found = [name for extra in extras for name in _COMPANIONS.get(extra, (extra,))]
    return list(dict.fromkeys(found))


def _source(settings: Settings) -> type[Component]:
    if settings.source_flavour == "postgresql":
        raise UsageProblem(
            "setting FINLAKE_SOURCE_FLAVOUR: the embedded stack starts mariadb or mysql; for"
            " postgresql set FINLAKE_SOURCE_URL to a server"
        )
    found: type[Component] = MySQL if settings.source_flavour == "mysql" else MariaDB
    for other in (MySQL, MariaDB):
        if other is not found and (settings.home / other.folder).exists():
            raise UsageProblem(
                f"setting FINLAKE_SOURCE_FLAVOUR: {settings.home} holds a {other.folder} source;"
                f" for {settings.source_flavour} set FINLAKE_HOME to another folder"
            )
    return found


def build(
    settings: Settings, names: Iterable[str], ports: Mapping[str, int]
) -> dict[str, Component]:
    """The components of these names, in the order in which they start."""
    return {name: kind(settings, name)(settings, ports) for name in names}


def kind(settings: Settings, name: str) -> type[Component]:
    """The class of the component of that name."""
    if name == "source":
        return _source(settings)
    return _KINDS[name]
