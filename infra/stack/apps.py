"""Programs of this project that run as part of the stack: the jobs, the dashboard, the API."""

from __future__ import annotations

import sys
import time
from importlib import metadata
from pathlib import Path

from typing_extensions import override

from infra.settings import Settings
from infra.stack.component import HOST, Component, answers_http, answers_tcp
from infra.stack.jars import fetch_jars
from infra.stack.ports import Wish
from infra.stack.progress import Progress

__all__ = [
    "Alerts",
    "Api",
    "Catalogue",
    "Dashboard",
    "Observe",
    "Score",
    "Stream",
    "Verify",
    "catalogue_mark",
]

_PROJECT = Path(__file__).parents[2]
_IMPORTS = {"PYTHONPATH": str(_PROJECT)}
_RECENT_S = 60


class _App(Component):
    @property
    @override
    def cwd(self) -> Path:
        return Path.cwd()  # where `.env` is

    @override
    def env(self) -> dict[str, str]:
        return {"FINLAKE_HOME": str(self.settings.home), "PYTHONUNBUFFERED": "1", **_IMPORTS}


class Stream(_App):
    """The Spark application: every streaming job in one driver."""

    name = "stream"
    folder = "stream"
    needs = ("source", "kafka", "connect", "minio")
    patience_s = 60  # a batch is finished before the stop

    @property
    @override
    def version(self) -> str:
        return f"Spark {metadata.version('pyspark')}, Delta {metadata.version('delta-spark')}"

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports['spark_ui']}"

    @property
    @override
    def figures(self) -> str:
        return f"http://{HOST}:{self.ports['metrics']}/metrics"

    @classmethod
    @override
    def wishes(cls, settings: Settings, given: set[str]) -> list[Wish]:
        return [
            Wish("spark_ui", settings.port_spark_ui, "port_spark_ui" in given),
            Wish("metrics", settings.port_metrics, "port_metrics" in given),
        ]

    @override
    def fetch(self, progress: Progress) -> None:
        groups = ["spark"]
        if self.settings.lake.startswith("s3a:"):
            groups.append("spark-s3")
        fetch_jars(groups, progress)

    @override
    def command(self) -> list[str]:
        return [sys.executable, "-m", "finlake", "stream"]

    @override
    def env(self) -> dict[str, str]:
        return {
            **super().env(),
            "FINLAKE_PORT_SPARK_UI": str(self.ports["spark_ui"]),
            "FINLAKE_PORT_METRICS": str(self.ports["metrics"]),
        }

    @override
    def is_healthy(self) -> bool:
        return answers_tcp(self.ports["metrics"])  # which it serves once the query runs


class _Measured(_App):
    """A program whose one address is that of its figures, at a port of its own name."""

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports[self.name]}/metrics"

    @property
    @override
    def figures(self) -> str:
        return self.address

    @override
    def env(self) -> dict[str, str]:
        return {**super().env(), f"FINLAKE_PORT_{self.name.upper()}": str(self.ports[self.name])}

    @override
    def is_healthy(self) -> bool:
        return answers_tcp(self.ports[self.name])  # which it serves once it is at work


class Alerts(_Measured):
    """The process that publishes alerts as the changes come."""

    name = "alerts"
    folder = "alerts"
    needs = ("kafka", "connect", "minio")

    @property
    @override
    def version(self) -> str:
        return f"confluent-kafka {metadata.version('confluent-kafka')}"

    @override
    def command(self) -> list[str]:
        return [sys.executable, "-m", "finlake", "alerts"]


class Score(_Measured):
    """The process that scores transactions as they come."""

    name = "score"
    folder = "score"
    needs = ("kafka", "connect", "minio", "mlflow")

    @property
    @override
    def version(self) -> str:
        return f"LightGBM {metadata.version('lightgbm')}"

    @override
    def command(self) -> list[str]:
        return [sys.executable, "-m", "finlake", "score"]


class Observe(_Measured):
    """The process that shows Prometheus what no other process can say of itself."""

    name = "observe"
    folder = "observe"
    needs = ("kafka", "connect", "minio")
    asked_every_s = 15  # each time it asks all the others

    @property
    @override
    def version(self) -> str:
        return f"finlake {metadata.version('finlake')}"

    @override
    def command(self) -> list[str]:
        return [sys.executable, "-m", "finlake", "observe", "--serve"]


class Verify(_Measured):
    """The process that proves again and again that source, silver and gold agree."""

    name = "verify"
    folder = "verify"
    needs = ("source", "kafka", "minio")

    @property
    @override
    def version(self) -> str:
        return f"finlake {metadata.version('finlake')}"

    @override
    def command(self) -> list[str]:
        words = ["verify", "--watch", "--port", str(self.ports["verify"])]
        return [sys.executable, "-m", "finlake", *words]


class Catalogue(_App):
    """The process that makes new tables known to Trino as they come."""

    name = "catalogue"
    folder = "trino"
    needs = ("trino",)

    @property
    @override
    def version(self) -> str:
        return f"trino {metadata.version('trino')}"  # its client

    @property
    @override
    def address(self) -> str:
        return "-"

    @classmethod
    @override
    def wishes(cls, settings: Settings, given: set[str]) -> list[Wish]:
        return []

    @override
    def prepare(self) -> None:
        super().prepare()
        catalogue_mark(self.settings).unlink(missing_ok=True)

    @override
    def command(self) -> list[str]:
        return [sys.executable, "-m", "finlake", "catalogue", "--follow"]

    @override
    def is_healthy(self) -> bool:
        """Its last look that went well is not long ago."""
        try:
            return time.time() - catalogue_mark(self.settings).stat().st_mtime < _RECENT_S
        except FileNotFoundError:
            return False


def catalogue_mark(settings: Settings) -> Path:
    """Touched whenever Trino knows every table of the lake."""
    return settings.home / Catalogue.folder / "known"


class Dashboard(_App):
    """The live dashboard."""

    name = "dashboard"
    folder = "dashboard"

    @property
    @override
    def version(self) -> str:
        return f"Streamlit {metadata.version('streamlit')}"

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports['dashboard']}"

    @property
    @override
    def figures(self) -> str:
        return f"{self.address}/_stcore/metrics"

    @override
    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "streamlit", "run", str(_PROJECT / "dashboard" / "app.py")),
            f"--server.port={self.ports['dashboard']}",
            f"--server.address={HOST}",
            "--server.headless=true",
            "--server.fileWatcherType=none",
            "--browser.gatherUsageStats=false",
        ]

    @override
    def is_healthy(self) -> bool:
        return answers_http(f"{self.address}/_stcore/health")


class Api(_App):
    """The service over gold by HTTP."""

    name = "api"
    folder = "api"
    needs = ("minio", "redis")
    patience_s = 15  # requests under way are answered first

    @override
    def exports(self) -> dict[str, str]:
        return {"FINLAKE_API_URL": self.address}

    @property
    @override
    def version(self) -> str:
        return f"FastAPI {metadata.version('fastapi')}"

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports['api']}"

    @property
    @override
    def figures(self) -> str:
        return f"{self.address}/metrics"

    @override
    def command(self) -> list[str]:
        return [sys.executable, "-m", "finlake", "api", "serve", f"--port={self.ports['api']}"]

    @override
    def is_healthy(self) -> bool:
        return answers_http(f"{self.address}/health/live")
