"""Where the stack keeps its files in a home."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Home"]


@dataclass(frozen=True)
class Home:
    """The files of the stack in the folder ``root``, which holds all state."""

    root: Path

    def make(self) -> None:
        """Make the folders that are not there yet."""
        for folder in (self.root, self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def run(self) -> Path:
        """What concerns running processes."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log a component."""
        return self.root / "logs"

    @property
    def ports_file(self) -> Path:
        """The ports that were chosen, to be chosen again."""
        return self.root / "ports.json"

    @property
    def stack_env(self) -> Path:
        """Addresses and passwords of the components, as settings."""
        return self.root / "stack.env"

    @property
    def wanted_file(self) -> Path:
        """Names of the components that should run."""
        return self.run / "wanted.json"

    @property
    def state_file(self) -> Path:
        """What the supervisor knows of each component."""
        return self.run / "state.json"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor of this home."""
        return self.run / "supervisor.lock"

    def log(self, name: str) -> Path:
        """The log of a component."""
        return self.logs / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        """Names the process of a component."""
        return self.run / f"{name}.pid"

    def write_json(self, path: Path, value: object) -> None:
        """Write a file that others may read at any moment; it may hold addresses only."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(value), encoding="utf-8")
        partial.replace(path)

    def write_stack_env(self, exports: dict[str, str]) -> None:
        """Write the settings that the stack fills in; only the owner may read them."""
        partial = self.stack_env.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("# Written by `finlake up`: where the embedded stack is.\n")
            file.writelines(f"{name}={value}\n" for name, value in exports.items())
        partial.replace(self.stack_env)
