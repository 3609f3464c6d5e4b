"""MLflow's tracking server, in a Python environment of its own.

The whole of MLflow asks for older packages than this project has (pyarrow below 26), so it is
installed apart, once, from the same pinned list as its image.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from typing_extensions import override

from infra.stack.certificates import trusted
from infra.stack.component import HOST, Component, answers_http
from infra.stack.own_environment import OwnEnvironment
from infra.stack.progress import Progress

__all__ = ["MLflow", "check_mlflow"]

_REQUIREMENTS = Path(__file__).parents[1] / "images" / "mlflow" / "requirements.txt"


class MLflow(Component):
    """The tracking server and registry; without it the same database is used directly."""

    name = "mlflow"
    folder = "mlflow"
    needs = ("minio",)

    @property
    @override
    def version(self) -> str:
        return f"MLflow {_environment().version_of('mlflow')}"

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports['mlflow']}"

    @override
    def exports(self) -> dict[str, str]:
        return {"FINLAKE_MLFLOW_URL": self.address}

    @override
    def fetch(self, progress: Progress) -> None:
        _environment().make(
            progress,
            "installing MLflow's server, once (some 400 MB)",
            "set FINLAKE_MLFLOW_URL to a server, or go without: models are then kept in the home",
        )

    @override
    def prepare(self) -> None:
        super().prepare()
        key = self.settings.s3_secret_key
        self._keys.touch(mode=0o600)
        self._keys.write_text(
            f"[default]\naws_access_key_id={self.settings.s3_access_key or ''}\n"
            f"aws_secret_access_key={key.get_secret_value() if key else ''}\n",
            encoding="utf-8",
        )

    @property
    def _keys(self) -> Path:
        """A file, as the environment of a process can be read for as long as it runs."""
        return self.data / "object_store.ini"

    @override
    def command(self) -> list[str]:
        return [
            *(str(_environment().python), "-m", "mlflow", "server"),
            *("--host", HOST, "--port", str(self.ports["mlflow"]), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self.data / 'mlflow.db'}"),
            *self._artifacts(),
        ]

    def _artifacts(self) -> list[str]:
        """In the lake's bucket, through the server; else in a folder that all reach themselves."""
        lake = urlsplit(self.settings.lake)
        if lake.scheme == "s3a":
            return ["--artifacts-destination", f"s3://{lake.netloc}/mlflow"]
        folder = (self.data / "artifacts").as_uri()
        return ["--no-serve-artifacts", "--default-artifact-root", folder]

    @override
    def env(self) -> dict[str, str]:
        found = {
            "PYTHONPATH": "",  # this project's packages are not for that environment
            "HOME": str(self.data),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # workers for what is not used here
            "MLFLOW_S3_ENDPOINT_URL": self.settings.s3_endpoint or "",
            "AWS_SHARED_CREDENTIALS_FILE": str(self._keys),
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        authority = self.settings.s3_ca or trusted(self.settings)
        return found if authority is None else {**found, "AWS_CA_BUNDLE": str(authority)}

    @override
    def is_healthy(self) -> bool:
        return answers_http(f"{self.address}/health")


def check_mlflow() -> Path | None:
    """Where the server's environment is; ``None`` while nothing has made it."""
    found = _environment()
    return found.folder if found.is_there else None


def _environment() -> OwnEnvironment:
    return OwnEnvironment("mlflow", _REQUIREMENTS, "MLflow's server")
