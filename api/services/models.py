"""Which models answer, and how they change while requests are under way.

Every worker loads what ``models/served.json`` in the home names, and loads again when the file
changes: a request is answered by the models that it began with. The registry itself is asked by a
process of its own (``finlake models fetch``), because its client is slow to import and large.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from api.middleware.figures import MODELS_LOAD
from api.problems import Problem
from api.services.customers import Lake
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from models.artifact import Model
from models.serving import Served, load_served, path_of
from models.spending.amount import Amount
from models.spending.category import Category
from models.terms import Role

__all__ = ["Models", "ask_registry"]

_LOG = logging.getLogger("finlake.api")
_COMMANDS: Final[dict[Role, str]] = {
    "fraud": "finlake train --alias champion",
    "challenger": "finlake train",
    "category": "finlake train category --alias champion",
    "amount": "finlake train amount --alias champion",
}
_PATIENCE_S: Final = 120.0


def ask_registry(settings: Settings) -> None:
    """Have another process ask the registry and note what it says.

    Raises:
        ComponentMissing: it could not.
    """
    command = [sys.executable, "-m", "finlake", "models", "fetch"]
    own = {"FINLAKE_HOME": str(settings.home), "FINLAKE_MLFLOW_URL": settings.mlflow_url or ""}
    try:
        done = subprocess.run(
            command, env={**os.environ, **own}, capture_output=True, text=True,
            timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ComponentMissing(f"finlake models fetch: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ComponentMissing(said[-1] if said else "finlake models fetch failed")


class Models:
    """The models of this worker.

    Args:
        settings: the home, and how often to look whether the registry may have changed.
        lake: its table of versions tells that it has.
        ask: has the registry asked; :func:`ask_registry` if not said.
    """

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        ask: Callable[[Settings], None] = ask_registry,
    ) -> None:
        self._settings = settings
        self._lake = lake
        self.ask = ask
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._done = threading.Event()
        self._served = Served()
        self.scoring = threading.Lock()
        """Held while a model scores: each may be used by one thread."""

    @property
    def served(self) -> Served:
        """The models as they are now; take it once a request."""
        if self._file is None:
            self.load()
        return self._served

    def fraud(self) -> Model:
        """The champion. Raises Problem 503 while there is none; so do the others."""
        return self.served.fraud or _none("fraud")

    def category(self) -> Category:
        """The model of categories."""
        return self.served.category or _none("category")

    def amount(self) -> Amount:
        """The model of amounts."""
        return self.served.amount or _none("amount")

    def load(self) -> Served:
        """Load what the file names, unless that is loaded."""
        with self._lock:
            file = _state(path_of(self._settings.home))
            if self._file != file:
                before = self._served
                began = time.perf_counter()
                self._served = load_served(self._settings.home, before)
                MODELS_LOAD.set(time.perf_counter() - began)
                self._file = file
                self._tell(before)
            return self._served

    def reload(self) -> Served:
        """Ask the registry, and load what it says.

        Raises:
            ComponentMissing: the registry cannot be asked; the models that serve go on.
        """
        with self._alone(wait=True):
            self.ask(self._settings)
        return self.load()

    def start(self) -> None:
        """Load now, and keep looking in a thread."""
        self.load()
        threading.Thread(target=self._watch, name="models", daemon=True).start()

    def stop(self) -> None:
        """End the looking."""
        self._done.set()

    def _watch(self) -> None:
        """See the file change at once, and the registry's own signs as often as it is set."""
        signs: tuple[object, ...] | None = None
        looked = 0.0
        while not self._done.wait(0.5):
            try:
                self.load()
                if time.monotonic() - looked < self._settings.score_reload_seconds:
                    continue
                looked = time.monotonic()
                now = self._signs()
                if now != signs:
                    with self._alone(wait=False) as mine:
                        if mine:
                            self.ask(self._settings)
                    signs = now
            except FinlakeError as error:
                _LOG.warning("models could not be asked for", extra={"reason": str(error)[:200]})

    def _signs(self) -> tuple[object, ...]:
        """What differs when the registry may say something else."""
        home = self._settings.home / "mlflow"
        files = [_state(home / name) for name in ("mlflow.db", "mlflow.db-wal")]
        return (*files, self._lake.version("gold.model_versions"))

    def _alone(self, *, wait: bool) -> _Alone:
        return _Alone(path_of(self._settings.home).with_suffix(".lock"), wait)

    def _tell(self, before: Served) -> None:
        for role in _COMMANDS:
            old, new = before.of(role), self._served.of(role)
            if (old and old.version) != (new and new.version):
                said = f"{role}: {new.name} {new.version}" if new else f"{role}: none"
                _LOG.info("models", extra={"reason": said})


def _none(role: Role) -> NoReturn:
    raise Problem(
        503, "model-missing", f"there is no model ({role}); `{_COMMANDS[role]}` trains one",
        {"Retry-After": "30"},
    )  # fmt: skip


class _Alone:
    """One process at a time on this machine; entering says whether it is this one."""

    def __init__(self, path: Path, wait: bool) -> None:
        self._path = path
        self._wait = wait

    def __enter__(self) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if self._wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
