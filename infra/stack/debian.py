"""Programs out of Debian's packages, unpacked into the user's cache: no root, nothing installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finlake.errors import ComponentMissing

__all__ = ["DebianPackage", "reason"]


@dataclass(frozen=True)
class DebianPackage:
    """A package of Debian's archive.

    Args:
        name: of the package.
        what: what it brings, for messages.
        otherwise: what to do where it cannot be had, for messages.
        suite: of the archive; the machine's own where none is named.
        whole: unpack all that it depends on as well, the C library among it.
    """

    name: str
    what: str
    otherwise: str
    suite: str = ""
    whole: bool = False

    def need_debian(self) -> None:
        """Check that the machine can fetch and unpack packages.

        Raises:
            ComponentMissing: it cannot.
        """
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise ComponentMissing(
                    f"{self.what}: {tool} is missing, it needs Debian; {self.otherwise}"
                )

    def unpack(self, root: Path) -> None:
        """Fetch the package with a private ``apt``, and unpack it into the new folder ``root``.

        Archive and keys are those of the machine's own ``apt`` settings.

        Raises:
            ComponentMissing: it cannot be had.
        """
        self.need_debian()
        partial = root.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        private = partial / "apt"
        for folder in ("lists/partial", "cache/archives/partial", "parts"):
            (private / folder).mkdir(parents=True)
        (private / "status").touch()
        (private / "sources.list").write_text(self._source_line(), encoding="utf-8")
        (private / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{private}/sources.list";\n'
            f'Dir::Etc::sourceparts "{private}/parts";\n'
            f'Dir::Etc::preferencesparts "{private}/parts";\n'
            f'Dir::State::lists "{private}/lists";\n'
            f'Dir::State::status "{private}/status";\n'
            f'Dir::Cache "{private}/cache";\n'
            'APT::Install-Recommends "0";\n'
            'APT::Sandbox::User "";\n'
            'Acquire::Languages "none";\n',
            encoding="utf-8",
        )
        archives = private / "cache" / "archives"
        env = {"APT_CONFIG": str(private / "apt.conf"), "LC_ALL": "C"}
        self.run(["apt-get", "-q", "-y", "update"], "apt-get update", env)
        fetch = ["--download-only", "install"] if self.whole else ["download"]
        self.run(
            ["apt-get", "-q", "-y", *fetch, self.name],
            f"apt-get {fetch[-1]} {self.name}",
            env,
            archives,
        )
        for package in sorted(archives.glob("*.deb")):
            self.run(["dpkg-deb", "-x", str(package), str(partial)], f"dpkg-deb {package.name}")
        shutil.rmtree(private)
        partial.rename(root)

    def _source_line(self) -> str:
        """The machine's Debian archive as an entry of ``sources.list``."""
        form = "$(ORIGIN)|$(COMPONENT)|$(LABEL)|$(RELEASE)|$(REPO_URI)"
        said = subprocess.run(
            ["apt-get", "indextargets", "--format", form],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for line in said.splitlines():
            origin, component, label, release, archive = line.split("|", 4)
            if (origin, component, label) == ("Debian", "main", "Debian"):
                keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
                signed = f"[signed-by={keys}] " if keys.exists() else ""
                return f"deb {signed}{archive} {self.suite or release} main\n"
        raise ComponentMissing(
            f"{self.what}: apt knows no Debian archive (apt-get update, as root, may help);"
            f" {self.otherwise}"
        )

    def run(
        self,
        command: Sequence[str],
        what: str,
        env: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Run a program that is needed to have it; ``ComponentMissing`` when that fails."""
        done = subprocess.run(
            command,
            env={**os.environ, **(env or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise ComponentMissing(
                f"{self.what} cannot be had: {what}: {reason(done.stdout)}; {self.otherwise}"
            )


def reason(said: str) -> str:
    """The line of a program's output that says what went wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:") or "[ERROR]" in line]
    return (errors or lines or ["no reason given"])[-1][:300]
