"""Python environments of their own, in the user's cache, for what does not go with the rest."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from finlake.errors import ComponentMissing
from infra.stack.cache import cache_dir, cache_lock
from infra.stack.progress import Progress

__all__ = ["OwnEnvironment"]


@dataclass(frozen=True)
class OwnEnvironment:
    """An environment with exactly the pinned packages of one list; another list, another folder.

    Args:
        name: of its folder.
        requirements: the packages, with their hashes.
        what: what is in it, for messages.
    """

    name: str
    requirements: Path
    what: str

    @property
    def folder(self) -> Path:
        """Where it is, or will be."""
        pinned = hashlib.sha256(self.requirements.read_bytes()).hexdigest()
        return cache_dir() / f"{self.name}-{pinned[:12]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def is_there(self) -> bool:
        """Whether it is made, as a whole."""
        return (self.folder / "installed").exists()

    def version_of(self, package: str) -> str:
        """The pinned version of one of its packages."""
        pinned = self.requirements.read_text(encoding="utf-8")
        found = re.search(rf"^{re.escape(package)}==(\S+)", pinned, re.MULTILINE)
        return found[1] if found else "of unknown version"

    def make(self, progress: Progress, title: str, advice: str) -> None:
        """Make it where it is not there yet; ``title`` is shown, ``advice`` ends an error.

        Raises:
            ComponentMissing: it cannot be made.
        """
        if self.is_there:
            return
        with cache_lock(self.name):
            if not self.is_there:  # another process may have made it while this one waited
                with progress(title, 0):
                    self._install(advice)

    def _install(self, advice: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)  # of an installation cut short
        self._run([sys.executable, "-m", "venv", str(self.folder)], advice)
        python = str(self.python)
        wanted = ["--require-hashes", "--no-deps", "-r", str(self.requirements)]
        uv = Path(sys.executable).parent / "uv"
        if uv.exists():
            self._run([str(uv), "pip", "install", "--quiet", "--python", python, *wanted], advice)
        else:
            self._run([python, "-m", "pip", "install", "--quiet", *wanted], advice)
        (self.folder / "installed").touch()

    def _run(self, words: list[str], advice: str) -> None:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stdout.strip().splitlines() or ["no reason given"])[-1][:300]
            raise ComponentMissing(
                f"{self.what} cannot be installed: {reason}; check the network and the index that"
                f" pip uses, or {advice}"
            )
