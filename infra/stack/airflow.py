"""Airflow: when which job runs, in a Python environment of its own.

Three programs: the API server with the pages, the scheduler, which runs the tasks as well, and the
DAG processor, which reads ``dags/``. They share a database (SQLite) and a folder of logs in the
home. Tasks run this project's ``finlake``, with the settings that the stack was started with.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from typing_extensions import override

from finlake.errors import ComponentMissing
from infra.settings import Settings, secret
from infra.stack.component import HOST, Component
from infra.stack.home import Home
from infra.stack.own_environment import OwnEnvironment
from infra.stack.ports import Wish
from infra.stack.progress import Progress
from lakehouse_schemas.generate import AIRFLOW_ASSETS

__all__ = [
    "Airflow",
    "DagProcessor",
    "Scheduler",
    "airflow_password",
    "check_airflow",
    "command_line",
]

_PROJECT = Path(__file__).parents[2]
_REQUIREMENTS = _PROJECT / "requirements" / "airflow.txt"
_CONFIG = _PROJECT / "infra" / "images" / "airflow"
_FOLDER = "airflow"
_MARK = "made_by"
_ANSWER_S = 2


def airflow_password(home: Path) -> str:
    """The password of the user ``admin``; made at the first asking."""
    return secret(home, "airflow_admin_password")


def command_line(settings: Settings, words: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Airflow's own command line for this home, and what it needs in its environment.

    Raises:
        ComponentMissing: Airflow has not run in this home.
    """
    ports = Home(settings.home).ports_file
    if not (settings.home / _FOLDER / _MARK).exists() or not _environment().is_there:
        raise ComponentMissing(
            f"Airflow has not run in {settings.home}; start it with `finlake up --with airflow`"
        )
    port = json.loads(ports.read_text(encoding="utf-8"))["airflow"]
    words = list(words)
    untold = {"NO_DEADLINES": "yes"} if words[:2] == ["dags", "test"] else {}
    return [*_program(), *words], {**_variables(settings, port), **untold}


def _program() -> list[str]:
    return [str(_environment().python), "-m", "airflow"]


def _variables(settings: Settings, port: int) -> dict[str, str]:
    """What the environment of every program of Airflow has in addition, the command line's too."""
    home = settings.home
    data, secrets = home / _FOLDER, home / "secrets"
    found = {
        "PYTHONPATH": os.pathsep.join([str(_CONFIG), str(AIRFLOW_ASSETS)]),  # not this project's
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "FINLAKE_HOME": str(home),
        "EMBEDDED_STACK": "yes",
        "JOBS_WEBHOOK_FILE": str(data / "webhook"),
        "AIRFLOW_HOME": str(data),
        "AIRFLOW__CORE__DAGS_FOLDER": str(_PROJECT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",  # a job takes a core
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(data / "passwords.json"),
        "AIRFLOW__CORE__FERNET_KEY_CMD": f"cat '{data / 'fernet_key'}'",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{data / 'airflow.db'}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY_CMD": f"cat '{secrets / 'airflow_secret_key'}'",
        "AIRFLOW__API_AUTH__JWT_SECRET_CMD": f"cat '{secrets / 'airflow_jwt_secret'}'",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(data / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
    }
    # Airflow's own settings may be set as Airflow's documentation says.
    return {
        name: os.environ.get(name, value) if name.startswith("AIRFLOW__") else value
        for name, value in found.items()
    }


class _Part(Component):
    folder = _FOLDER

    @property
    @override
    def version(self) -> str:
        return f"Airflow {_environment().version_of('apache-airflow')}"

    @property
    @override
    def address(self) -> str:
        return "-"

    @classmethod
    @override
    def wishes(cls, settings: Settings, given: set[str]) -> list[Wish]:
        return []  # the API server's is all of them

    @override
    def fetch(self, progress: Progress) -> None:
        _environment().make(
            progress,
            "installing Airflow, once (some 250 MB)",
            "go without: finlake's commands need no Airflow",
        )

    @property
    @override
    def cwd(self) -> Path:
        return Path.cwd()  # where `.env` is, for the jobs

    @override
    def env(self) -> dict[str, str]:
        return _variables(self.settings, self.ports["airflow"])

    def _beats(self, part: str) -> bool:
        """Whether the API server has heard of that part lately."""
        url = f"http://{HOST}:{self.ports['airflow']}/api/v2/monitor/health"
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:
                return bool(json.load(answer)[part]["status"] == "healthy")
        except (OSError, ValueError, KeyError):
            return False


class Airflow(_Part):
    """The API server: pages, and what tasks report to."""

    name = "airflow"

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports['airflow']}"

    @classmethod
    @override
    def wishes(cls, settings: Settings, given: set[str]) -> list[Wish]:
        return [Wish("airflow", settings.port_airflow, "port_airflow" in given)]

    @override
    def prepare(self) -> None:
        super().prepare()
        home = self.settings.home
        secret(home, "airflow_secret_key", 32)
        secret(home, "airflow_jwt_secret", 32)
        key = base64.urlsafe_b64encode(bytes.fromhex(secret(home, "airflow_fernet_seed", 32)))
        webhook = self.settings.jobs_webhook
        for name, text in (
            ("passwords.json", json.dumps({"admin": airflow_password(home)})),
            ("fernet_key", key.decode()),
            ("webhook", webhook.get_secret_value() if webhook else ""),
        ):
            path = self.data / name
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")

    @override
    def command(self) -> list[str]:
        own = str(_environment().python)
        server = [*_program(), "api-server"]
        return [own, str(_CONFIG / "start.py"), str(self.data / _MARK), *server]

    @override
    def is_healthy(self) -> bool:
        return self._beats("metadatabase")


class Scheduler(_Part):
    """Decides what is due, and runs it."""

    name = "scheduler"
    needs = ("airflow",)

    @override
    def command(self) -> list[str]:
        return [*_program(), "scheduler", "--skip-serve-logs"]

    @override
    def is_healthy(self) -> bool:
        return self._beats("scheduler")


class DagProcessor(_Part):
    """Reads the files in ``dags/`` again and again, for the scheduler."""

    name = "dags"
    needs = ("airflow",)

    @override
    def command(self) -> list[str]:
        return [*_program(), "dag-processor"]

    @override
    def is_healthy(self) -> bool:
        return self._beats("dag_processor")


def check_airflow() -> Path | None:
    """Where its environment is; ``None`` while nothing has made it."""
    found = _environment()
    return found.folder if found.is_there else None


def _environment() -> OwnEnvironment:
    return OwnEnvironment("airflow", _REQUIREMENTS, "Airflow")
