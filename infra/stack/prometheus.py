"""Prometheus beside the stack: it fetches everybody's figures and judges the alert rules.

The program is the machine's own, or else Debian's, unpacked into the user's cache.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import yaml
from typing_extensions import override

from finlake.errors import ComponentMissing
from infra.stack.cache import cache_dir, cache_lock
from infra.stack.certificates import trusted
from infra.stack.component import HOST, Component, answers_http
from infra.stack.debian import DebianPackage
from infra.stack.progress import Progress

__all__ = ["RULES", "Prometheus", "check_prometheus", "fetch_prometheus", "promtool"]

RULES = Path(__file__).parents[1] / "prometheus" / "rules.yml"
_KEPT_DAYS = 15
_DEBIAN = DebianPackage("prometheus", "Prometheus", "put a prometheus on the path")


class Prometheus(Component):
    """Asks what runs of the stack; what starts later it finds in the file of its targets."""

    name = "prometheus"
    folder = "prometheus"

    @property
    @override
    def version(self) -> str:
        said = subprocess.run(
            [_program() or "prometheus", "--version"], capture_output=True, text=True, check=False
        )
        found = re.search(r"version (\d+\.\d+\.\d+)", said.stdout + said.stderr)
        return f"Prometheus {found[1] if found else 'of unknown version'}"

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports['prometheus']}"

    @property
    @override
    def figures(self) -> str:
        return f"{self.address}/metrics"

    @override
    def fetch(self, progress: Progress) -> None:
        fetch_prometheus(progress)

    @property
    def _targets(self) -> Path:
        return self.data / "targets.json"

    def aim(self, components: Iterable[Component]) -> None:
        """Have it ask these components; it looks into the file again when that changes."""
        super().prepare()
        found = [
            {
                "targets": [place[1]],
                "labels": {
                    "job": component.name,
                    "__scheme__": place[0],
                    "__metrics_path__": place[2],
                    "__scrape_interval__": f"{component.asked_every_s}s",
                },
            }
            for component in components
            if (place := _parts(component.figures))
        ]
        partial = self._targets.with_suffix(".partial")
        partial.write_text(json.dumps(found, indent=1), encoding="utf-8")
        partial.replace(self._targets)

    @override
    def prepare(self) -> None:
        super().prepare()
        authority = trusted(self.settings)
        config = {
            "global": {"scrape_interval": "5s", "evaluation_interval": "15s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {
                    "job_name": "stack",
                    "file_sd_configs": [{"files": [str(self._targets)]}],
                    **({"tls_config": {"ca_file": str(authority)}} if authority else {}),
                }
            ],
        }
        self._config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    @property
    def _config(self) -> Path:
        return self.data / "prometheus.yml"

    @override
    def command(self) -> list[str]:
        assets = _unpacked() / "usr" / "share" / "prometheus" / "web"
        own = _program() == str(_unpacked_program("prometheus"))
        return [
            _program() or "prometheus",
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self.data / 'data'}",
            f"--storage.tsdb.retention.time={_KEPT_DAYS}d",
            "--storage.tsdb.retention.size=1GB",
            f"--web.listen-address={HOST}:{self.ports['prometheus']}",
            *((f"--web.local-assets={assets}",) if own else ()),
        ]

    @override
    def is_healthy(self) -> bool:
        return answers_http(f"{self.address}/-/ready")


def fetch_prometheus(progress: Progress) -> None:
    """Have the program; unpacked into the cache where the machine has none.

    Raises:
        ComponentMissing: it cannot be had.
    """
    if _program() is None:
        with cache_lock("prometheus"):
            if _program() is None:
                with progress("fetching Prometheus from Debian's archive", 0):
                    _DEBIAN.unpack(_unpacked())


def check_prometheus() -> str | None:
    """Where the program is; ``None`` while nothing has fetched it."""
    return _program()


def promtool() -> str:
    """The checker of rules that comes with it; ``fetch_prometheus`` has made sure of it.

    Raises:
        ComponentMissing: it is not there.
    """
    own = _unpacked_program("promtool")
    found = shutil.which("promtool") or (str(own) if own.exists() else None)
    if found is None:
        raise ComponentMissing("promtool is missing; apt-get install prometheus brings it")
    return found


def _program() -> str | None:
    own = _unpacked_program("prometheus")
    return shutil.which("prometheus") or (str(own) if own.exists() else None)


def _unpacked() -> Path:
    return cache_dir() / "prometheus-debian"


def _unpacked_program(name: str) -> Path:
    return _unpacked() / "usr" / "bin" / name


def _parts(url: str) -> tuple[str, str, str] | None:
    found = re.fullmatch(r"(https?)://([^/]+)(/.*)", url)
    return (found[1], found[2], found[3]) if found else None
