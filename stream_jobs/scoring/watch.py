"""Which models score: looked up in the registry again and again, beside the scoring."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np

from finlake.errors import FinlakeError
from models.artifact import Model
from stream_jobs.scoring.verdict import Models

__all__ = ["Source", "Watch"]

_log = logging.getLogger(__name__)
_ROLES = ("champion", "challenger")


class Source(Protocol):
    """Where models come from; :class:`models.registry.Registry` is one."""

    def version(self, alias: str) -> int | None:
        """The version of that alias; ``None`` while there is none."""

    def load(self, wanted: int) -> Model:
        """The model of that version."""


class Watch:
    """Keeps the newest models that could be loaded.

    Whatever goes wrong is said once and changes nothing: those that score go on scoring.

    Args:
        source: the registry.
        every_s: pause between two looks.
        failed: hears of each look that failed, by role.
    """

    def __init__(self, source: Source, every_s: float, failed: Callable[[str], None]) -> None:
        self._source = source
        self._every_s = every_s
        self._failed = failed
        self._said: dict[str, str] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)
        self.models = Models()
        """Exchanged as a whole; take it once a batch."""

    def start(self) -> None:
        """Look once, then go on in a thread."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """End; a look that waits for the registry is left to itself."""
        self._done.set()

    def look(self) -> None:
        """Load what the aliases have come to stand for."""
        have = {"champion": self.models.champion, "challenger": self.models.challenger}
        for role in _ROLES:
            old = have[role]
            try:
                version = self._source.version(role)
                if version is None:
                    have[role] = None
                elif old is None or old.version != version:
                    have[role] = _tried(self._source.load(version))
            except Exception as error:  # noqa: BLE001 (no fault of a registry may stop the scores)
                self._fault(role, error)
                continue
            if self._said.pop(role, None):
                _log.info("%s: can be had again", role)
            new = have[role]
            if (new and new.version) != (old and old.version):
                _log.info("%s: %s", role, f"{new.name} {new.version}" if new else "none any more")
        problem = self._said.get("champion") or "no champion"
        self.models = Models(have["champion"], have["challenger"], problem)

    def _fault(self, role: str, error: Exception) -> None:
        self._failed(role)
        said = str(error) if isinstance(error, FinlakeError) else f"{type(error).__name__}: {error}"
        said = " ".join(said.split())[:300]
        if self._said.get(role) != said:
            self._said[role] = said
            _log.warning("%s: %s; what scores goes on", role, said)

    def _run(self) -> None:
        while not self._done.wait(self._every_s):
            self.look()


def _tried(model: Model) -> Model:
    """The model, after it has scored two rows: one that cannot takes nobody's place.

    And what its library does when it is first used is done here, where no batch waits for it.

    Raises:
        FinlakeError: what it gave are no probabilities.
    """
    values = np.zeros((2, len(model.features)))
    values[1] = np.nan
    found = np.asarray(model.probability(values))
    if found.shape != (2,) or not ((found >= 0) & (found <= 1)).all():
        raise FinlakeError(
            f"model {model.name} {model.version}: gives no probabilities; train it again or choose"
            " another version"
        )
    model.reasons(values)
    return model
