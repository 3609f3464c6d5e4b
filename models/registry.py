"""The registry of models: MLflow's, of which nothing is loaded whose digest is not the one noted.

With FINLAKE_MLFLOW_URL it is a tracking server's, else a database in the home. Of the aliases
``champion`` decides, ``challenger`` is compared with it, and ``previous`` was champion before.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from models.artifact import Model, digest, load
from models.spending.amount import Amount
from models.spending.category import Category

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

__all__ = [
    "AMOUNT",
    "CATEGORY",
    "CHALLENGER",
    "CHAMPION",
    "EXPERIMENT",
    "FRAUD",
    "NAMES",
    "OPENED",
    "PREVIOUS",
    "Fetched",
    "Registry",
    "Run",
    "Version",
    "What",
    "load_amount",
    "load_category",
]

FRAUD = "finlake-fraud"
"""Name of the registered model that scores transactions."""

CATEGORY, AMOUNT = "finlake-category", "finlake-amount"
"""Names of those that tell categories and amounts."""

What = Literal["fraud", "category", "amount"]
NAMES: dict[What, str] = {"fraud": FRAUD, "category": CATEGORY, "amount": AMOUNT}
"""Names of registered models by what they tell."""

EXPERIMENT = "finlake"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"

_PART = "model"  # where in its run's artifacts the folder lies
_QUIET = {
    # It would send figures of its use to its makers.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # Its own patience is minutes; who asks here has a stream to feed, or a person waits.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Fetched(NamedTuple):
    """A version of a model, and the folder on this machine that holds it, named by its digest."""

    version: int
    folder: Path


class Version(NamedTuple):
    """A version as the registry lists it."""

    number: int
    aliases: tuple[str, ...]
    made: datetime
    tags: dict[str, str]


class Run:
    """A run that is under way; every method raises as those of its registry do."""

    def __init__(self, registry: Registry, run: str) -> None:
        self._registry = registry
        self.id = run

    def log(self, params: Mapping[str, str], metrics: Mapping[str, float]) -> None:
        """Keep these; a metric that is no finite number is left out."""
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        with self._registry.reached():
            self._registry.client.log_batch(
                self.id,
                metrics=[Metric(n, v, now, 0) for n, v in metrics.items() if isfinite(v)],
                params=[Param(name, text) for name, text in params.items()],
            )

    def add(self, folder: Path, place: str | None = None) -> None:
        """Keep the files of a folder, under ``place`` if that is named."""
        with self._registry.reached():
            self._registry.client.log_artifacts(self.id, str(folder), place)


class Registry:
    """Versions of one registered model.

    Every method raises ``ComponentMissing`` when the registry cannot be reached.
    """

    def __init__(self, settings: Settings, name: str = FRAUD) -> None:
        self.name = name
        self._settings = settings
        self._home = settings.home / "mlflow"
        # What makes versions of it, for messages.
        self.command = " ".join(["finlake train", *[name.partition("-")[2]] * (name != FRAUD)])

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's own client, for runs and what they log."""
        _quieten()
        from mlflow import MlflowClient

        url = self._settings.mlflow_url
        if url:
            return MlflowClient(url, url)
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = f"sqlite:///{self._home / 'mlflow.db'}"
        return MlflowClient(store, store)

    @cached_property
    def experiment(self) -> str:
        """Id of the experiment that runs are logged under; made at the first asking."""
        with self.reached():
            found = self.client.get_experiment_by_name(EXPERIMENT)
            if found is not None:
                return str(found.experiment_id)
            here = None if self._settings.mlflow_url else (self._home / "artifacts").as_uri()
            return str(self.client.create_experiment(EXPERIMENT, artifact_location=here))

    def page(self, run: str) -> str:
        """Address of the run's page; empty without a server."""
        url = self._settings.mlflow_url
        return f"{url}/#/experiments/{self.experiment}/runs/{run}" if url else ""

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], above: str = "") -> Iterator[Run]:
        """A new run of that name, below another if that is named; it ends with the block."""
        tags = {**tags, "mlflow.parentRunId": above} if above else dict(tags)
        experiment = self.experiment
        with self.reached():
            found = self.client.create_run(experiment, run_name=name, tags=tags)
            run = Run(self, str(found.info.run_id))
        try:
            yield run
        except BaseException:
            with self.reached():
                self.client.set_terminated(run.id, "FAILED")
            raise
        with self.reached():
            self.client.set_terminated(run.id)

    def register(
        self, folder: Path, run: str | None = None, tags: Mapping[str, str] | None = None
    ) -> int:
        """Take a model's folder into the registry as a new version of it; returns the version.

        The version bears the folder's digest, its commit and the fingerprint of its contracts as
        tags, and those given. Without ``run`` it gets a run of its own.

        Raises:
            FinlakeError: the folder holds no model that loads.
        """
        facts = OPENED[self.name](folder).facts
        if run is None:
            with self.run(folder.name, {"kind": str(facts["kind"])}) as own:
                return self.register(folder, own.id, tags)
        noted = {
            "sha256": digest(folder),
            "commit": str(facts["commit"]),
            "contracts": str(facts["contracts"]),
            **(tags or {}),
        }
        with self.reached():
            self.client.log_artifacts(run, str(folder), _PART)
            if not self.client.search_registered_models(f"name = '{self.name}'"):
                self.client.create_registered_model(self.name)
            source = f"{self.client.get_run(run).info.artifact_uri}/{_PART}"
            made = self.client.create_model_version(self.name, source, run, tags=noted)
            return int(made.version)

    def version(self, alias: str) -> int | None:
        """The version of that alias; ``None`` while there is none."""
        with self.reached():
            models = self.client.search_registered_models(f"name = '{self.name}'")
            found = models[0].aliases.get(alias) if models else None
            return None if found is None else int(found)

    def appoint(self, version: int, alias: str) -> None:
        """Give a version an alias in the way that goes with it; an empty one changes nothing.

        Raises:
            FinlakeError: there is no such version.
        """
        if alias == CHAMPION:
            self.promote(version)
        elif alias:
            self.set_alias(alias, version)

    def set_alias(self, alias: str, version: int) -> None:
        """Give a version that alias, or take it from everyone with version 0.

        Raises:
            FinlakeError: there is no such version.
        """
        with self.reached():
            if version:
                self._look(version)
                self.client.set_registered_model_alias(self.name, alias, str(version))
            else:
                self.client.delete_registered_model_alias(self.name, alias)

    def promote(self, version: int) -> int | None:
        """Make a version the champion; the champion until then, returned, is ``previous``.

        Raises:
            FinlakeError: there is no such version.
        """
        before = self.version(CHAMPION)
        if before == version:
            return before
        with self.reached():
            self._look(version)
        # In this order: whoever is cut short between the two has a champion, and a way back.
        if before is not None:
            self.set_alias(PREVIOUS, before)
        self.set_alias(CHAMPION, version)
        if self.version(CHALLENGER) == version:
            self.set_alias(CHALLENGER, 0)
        return before

    def roll_back(self) -> int:
        """Make the previous champion the champion again, and the other way round; returns it.

        Raises:
            FinlakeError: there was no champion before.
        """
        before = self.version(PREVIOUS)
        if before is None:
            raise FinlakeError(
                f"model {self.name}: there is no previous champion to go back to;"
                f" `{self.command} --alias champion` makes one"
            )
        self.promote(before)
        return before

    def versions(self) -> list[Version]:
        """All versions, the oldest first."""
        with self.reached():
            models = self.client.search_registered_models(f"name = '{self.name}'")
            every = self.client.search_model_versions(f"name = '{self.name}'") if models else []
        aliases = models[0].aliases if models else {}
        found = [
            Version(
                number=int(one.version),
                aliases=tuple(a for a, v in sorted(aliases.items()) if v == one.version),
                made=datetime.fromtimestamp(one.creation_timestamp / 1000, UTC),
                tags=dict(one.tags),
            )
            for one in every
        ]
        return sorted(found)

    def note(self, version: int, tags: Mapping[str, str]) -> None:
        """Give a version these tags.

        Raises:
            FinlakeError: there is no such version.
        """
        with self.reached():
            self._look(version)
            for name, text in tags.items():
                self.client.set_model_version_tag(self.name, str(version), name, text)

    def log_text(self, version: int, text: str, file: str) -> None:
        """Keep a text beside the version's artifacts, under that name; an earlier one is replaced.

        Raises:
            FinlakeError: there is no such version.
        """
        with self.reached():
            self.client.log_text(str(self._look(version).run_id), text, file)

    def text(self, version: int, file: str) -> str | None:
        """A text that lies beside the version's artifacts; ``None`` where there is none.

        Raises:
            FinlakeError: there is no such version.
        """
        with self.reached(), tempfile.TemporaryDirectory() as place:
            run = str(self._look(version).run_id)
            if file not in [one.path for one in self.client.list_artifacts(run)]:
                return None
            return Path(self.client.download_artifacts(run, file, place)).read_text("utf-8")

    def params(self, version: int) -> dict[str, str]:
        """What the version's run has noted of how it was trained.

        Raises:
            FinlakeError: there is no such version.
        """
        with self.reached():
            return dict(self.client.get_run(str(self._look(version).run_id)).data.params)

    def fetch(self, wanted: str | int) -> Fetched:
        """The model of that alias or version, in a folder on this machine, its digest checked.

        Raises:
            FinlakeError: there is no such alias or version, the version has no digest, or its files
                have another one.
        """
        version = wanted if isinstance(wanted, int) else self.version(wanted)
        if version is None:
            raise FinlakeError(
                f"model {self.name}: no version has the alias {wanted};"
                f" `{self.command} --alias {wanted}` makes one"
            )
        with self.reached():
            found = self._look(version)
        sha256 = found.tags.get("sha256", "")
        if len(sha256) != 64 or not sha256.isalnum():
            raise FinlakeError(
                f"model {self.name} {version}: has no digest, so it is not loaded; register models"
                f" with `{self.command}`"
            )
        folder = self._settings.home / "models" / sha256
        if not folder.is_dir() or digest(folder) != sha256:
            self._download(found, sha256, folder)
        return Fetched(version, folder)

    def load(self, wanted: str | int) -> Model:
        """The model of that alias or version; raises as :meth:`fetch` and ``artifact.load`` do."""
        version, folder = self.fetch(wanted)
        return load(folder, folder.name).named(self.name, version)

    def open(self, wanted: str | int) -> Model | Category | Amount:
        """The same for a model of any name, as its name says."""
        version, folder = self.fetch(wanted)
        return OPENED[self.name](folder, folder.name).named(self.name, version)

    def _look(self, version: int) -> ModelVersion:
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_model_version(self.name, str(version))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise FinlakeError(f"model {self.name} {version}: there is no such version") from None

    def _download(self, found: ModelVersion, sha256: str, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            with self.reached():
                got = Path(self.client.download_artifacts(str(found.run_id), _PART, place))
            if (has := digest(got)) != sha256:
                raise FinlakeError(
                    f"model {self.name} {found.version}: the registry's files have the digest"
                    f" {has[:12]} and not {sha256[:12]}, so they were changed and are not loaded;"
                    " choose another version"
                )
            shutil.rmtree(folder, ignore_errors=True)
            try:
                got.rename(folder)
            except OSError:  # another process was as quick
                if digest(folder) != sha256:
                    raise

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Say in one line that the registry does not answer."""
        url = self._settings.mlflow_url
        if url:
            _ask(url)
        _quieten()
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            said = " ".join(str(error).split())[:200]
            where = url or self._home
            raise ComponentMissing(
                f"MLflow at {where} cannot be used ({said}); see `finlake status` and"
                " FINLAKE_MLFLOW_URL, then try again"
            ) from None


OPENED: dict[str, Callable[..., Model | Category | Amount]] = {
    FRAUD: load,
    CATEGORY: Category.load,
    AMOUNT: Amount.load,
}
"""What opens a folder, and checks its digest where that is given, by the name of its model."""


def load_category(settings: Settings, wanted: str | int = CHAMPION) -> Category:
    """The model of categories of that alias or version.

    Raises:
        FinlakeError: as those of :meth:`Registry.fetch`, or it is no such model.
        ComponentMissing: the registry cannot be reached.
    """
    version, folder = Registry(settings, CATEGORY).fetch(wanted)
    return Category.load(folder, folder.name).named(CATEGORY, version)


def load_amount(settings: Settings, wanted: str | int = CHAMPION) -> Amount:
    """The model of amounts of that alias or version; raises as :func:`load_category` does."""
    version, folder = Registry(settings, AMOUNT).fetch(wanted)
    return Amount.load(folder, folder.name).named(AMOUNT, version)


def _quieten() -> None:
    """Must be called before MLflow is imported; what the environment says already, stays."""
    os.environ.update({name: text for name, text in _QUIET.items() if name not in os.environ})


def _ask(url: str) -> None:
    """Whether the server answers at all: MLflow's client asks again and again before it says so."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310 (the setting's)
            pass
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ComponentMissing(
            f"MLflow at {url} does not answer ({error}); start it with `finlake up --with mlflow`,"
            " or leave FINLAKE_MLFLOW_URL empty for the home's own store"
        ) from None
