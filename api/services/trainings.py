"""Trainings that were asked for: each a process of its own, one at a time on this machine."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from api.problems import Problem
from api.schemas.models import AskTraining, Training
from infra.settings import Settings

__all__ = ["Trainings"]


class Trainings:
    """Starts trainings and tells how they are; their files are in the home, for all workers."""

    def __init__(self, settings: Settings, program: tuple[str, ...] = ("-m", "finlake")) -> None:
        self._settings = settings
        self.program = (sys.executable, *program)
        self._folder = settings.home / "api" / "trainings"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, asked: AskTraining) -> Training:
        """Begin a training.

        Raises:
            Problem: 409 while another one is under way.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Problem(409, "conflict", "a training is under way; ask again later") from None
        options = ["--seed", str(asked.seed)]
        if asked.what == "fraud":
            options += ["--trials", str(asked.trials), "--alias", "challenger"]
        else:
            options += ["--alias", "champion"]
        made = Training(
            id=secrets.token_hex(6), what=asked.what, state="running", began_at=datetime.now(UTC)
        )
        with (self._folder / f"{made.id}.log").open("wb") as log:
            process = subprocess.Popen(
                [*self.program, "train", asked.what, *options],
                env={**os.environ, "FINLAKE_HOME": str(self._settings.home)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],  # as long as it lives, whoever started it
            )  # fmt: skip
        self._write(made)
        self._running[made.id] = process
        threading.Thread(
            target=self._wait, args=(made, process, lock), name="training", daemon=True
        ).start()
        return made

    def of(self, training: str) -> Training:
        """How a training is.

        Raises:
            Problem: 404 when there was none of that number.
        """
        try:
            facts = json.loads((self._folder / f"{training}.json").read_bytes())
        except (OSError, ValueError):
            raise Problem(404, "not-found", "there is no such training") from None
        found = Training.model_validate(facts)
        return found.model_copy(update={"said": self._said(training)})

    def stop(self) -> None:
        """End those that this worker began."""
        for process in list(self._running.values()):
            if process.poll() is None:
                process.terminate()

    def _wait(self, made: Training, process: subprocess.Popen[bytes], lock: IO[Any]) -> None:
        code = process.wait()
        state = "done" if code == 0 else "failed"
        self._write(made.model_copy(update={"state": state, "ended_at": datetime.now(UTC)}))
        self._running.pop(made.id, None)
        lock.close()

    def _write(self, made: Training) -> None:
        path: Path = self._folder / f"{made.id}.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(made.model_dump_json(), encoding="utf-8")
        fresh.replace(path)

    def _said(self, training: str) -> str:
        try:
            lines = (self._folder / f"{training}.log").read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
