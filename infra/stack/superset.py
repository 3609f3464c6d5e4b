"""Superset: charts and dashboards over Trino, in a Python environment of its own.

It asks for SQLAlchemy 1.4 and an older pyarrow than this project has, so it is installed apart,
once. What it remembers (users, charts, dashboards) stands in a SQLite file of the home.
"""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from infra.settings import secret
from infra.stack.certificates import authority
from infra.stack.component import HOST, Component, answers_http
from infra.stack.own_environment import OwnEnvironment
from infra.stack.progress import Progress

__all__ = ["Superset", "check_superset", "superset_password"]

_PROJECT = Path(__file__).parents[2]
_REQUIREMENTS = _PROJECT / "requirements" / "superset.txt"
_CONFIG = _PROJECT / "infra" / "images" / "superset"
_THREADS = 8  # the browser asks for all charts of a dashboard at once


def superset_password(home: Path, user: str) -> str:
    """The password of a user of Superset; made at the first asking."""
    return secret(home, f"superset_{user}_password")


class Superset(Component):
    """One process with threads: a dashboard's questions wait for Trino, not for the processor."""

    name = "superset"
    folder = "superset"
    needs = ("trino",)

    @property
    @override
    def version(self) -> str:
        return f"Superset {_environment().version_of('apache-superset')}"

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports['superset']}"

    @override
    def exports(self) -> dict[str, str]:
        return {
            "FINLAKE_SUPERSET_URL": self.address,
            "FINLAKE_SUPERSET_USER": "admin",
            "FINLAKE_SUPERSET_PASSWORD": superset_password(self.settings.home, "admin"),
        }

    @override
    def fetch(self, progress: Progress) -> None:
        _environment().make(
            progress,
            "installing Superset, once (some 700 MB)",
            "set FINLAKE_SUPERSET_URL to a server",
        )

    @override
    def prepare(self) -> None:
        super().prepare()
        self._database.touch(mode=0o600)
        self._database.write_text(f"sqlite:///{self.data / 'superset.db'}", encoding="ascii")
        secret(self.settings.home, "superset_secret_key", 42)
        superset_password(self.settings.home, "admin")

    @property
    def _database(self) -> Path:
        return self.data / "database_uri"

    @override
    def command(self) -> list[str]:
        own = _environment().python
        secrets = self.settings.home / "secrets"
        return [
            *(str(own), str(_CONFIG / "start.py"), str(self.data / "made_by")),
            str(secrets / "superset_admin_password"),
            *(str(own), "-m", "gunicorn", "--bind", f"{HOST}:{self.ports['superset']}"),
            *("--workers", "1", "--worker-class", "gthread", "--threads", str(_THREADS)),
            *("--timeout", "120", "--limit-request-line", "0", "--limit-request-field_size", "0"),
            *("--no-control-socket", "superset.app:create_app()"),
        ]

    @override
    def env(self) -> dict[str, str]:
        secrets = self.settings.home / "secrets"
        trusted = self.settings.trino_ca or authority(self.settings.home)
        return {
            # what the environment names comes before the connection's own authority
            "REQUESTS_CA_BUNDLE": str(trusted),
            "PYTHONPATH": str(_CONFIG),  # and not this project's packages
            "HOME": str(self.data),
            "SUPERSET_HOME": str(self.data),
            "SUPERSET_SECRET_KEY_FILE": str(secrets / "superset_secret_key"),
            "SUPERSET_DATABASE_URI_FILE": str(self._database),
        }

    @override
    def is_healthy(self) -> bool:
        return answers_http(f"{self.address}/health")


def check_superset() -> Path | None:
    """Where its environment is; ``None`` while nothing has made it."""
    found = _environment()
    return found.folder if found.is_there else None


def _environment() -> OwnEnvironment:
    return OwnEnvironment("superset", _REQUIREMENTS, "Superset")
