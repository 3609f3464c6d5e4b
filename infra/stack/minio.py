"""MinIO, an object store: ``minio`` on the path, else built once from its Go module."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from typing_extensions import override

from finlake.errors import ComponentMissing
from infra.settings import Settings, secret
from infra.stack.cache import cache_dir, cache_lock
from infra.stack.certificates import certificate, trusted
from infra.stack.component import HOST, Component, answers_http
from infra.stack.ports import Wish
from infra.stack.progress import Progress

__all__ = ["MinIO", "check_minio", "make_bucket"]

# The last release with the whole console; later ones have an object browser only.
_MODULE = "github.com/minio/minio"
_VERSION = "v0.0.0-20250422221226-0d7408fc9969"
_RELEASE = "RELEASE.2025-04-22T22-12-26Z"
_USER = "finlake"
_OLDEST_GO = (1, 24)


class MinIO(Component):
    """MinIO with one drive; buckets are made afterwards."""

    name = "minio"
    folder = "minio"
    asked_every_s = 15  # it counts itself anew each time

    @property
    @override
    def version(self) -> str:
        return f"MinIO {_RELEASE}" if _on_path() is None else "MinIO"

    @property
    @override
    def address(self) -> str:
        scheme = "https" if self.settings.stack_tls else "http"
        return f"{scheme}://{HOST}:{self.ports['minio']}"

    @classmethod
    @override
    def wishes(cls, settings: Settings, given: set[str]) -> list[Wish]:
        console = Wish("minio_console", settings.port_minio_console, "port_minio_console" in given)
        return [*super().wishes(settings, given), console]

    @override
    def exports(self) -> dict[str, str]:
        exports = {
            "FINLAKE_S3_ENDPOINT": self.address,
            "FINLAKE_S3_ACCESS_KEY": _USER,
            "FINLAKE_S3_SECRET_KEY": secret(self.settings.home, "minio_root_password"),
        }
        authority = trusted(self.settings)
        return exports if authority is None else {**exports, "FINLAKE_S3_CA": str(authority)}

    @property
    @override
    def figures(self) -> str:
        return f"{self.address}/minio/v2/metrics/cluster"

    @override
    def fetch(self, progress: Progress) -> None:
        if _program() is None:
            with cache_lock("minio"):
                if _program() is None:
                    go = _go()
                    with progress("building MinIO from source, once (some minutes)", 0):
                        _build(go)

    @property
    def _root_user(self) -> Path:
        """A file, as the environment of a process can be read for as long as it runs."""
        return self.data / "root_user.env"

    @override
    def prepare(self) -> None:
        super().prepare()
        self._root_user.touch(mode=0o600)
        password = secret(self.settings.home, "minio_root_password")
        self._root_user.write_text(
            f"MINIO_ROOT_USER={_USER}\nMINIO_ROOT_PASSWORD={password}\n", encoding="ascii"
        )

    @override
    def command(self) -> list[str]:
        own = certificate(self.settings.home, self.name)
        return [
            _program() or "minio",
            "server",
            str(self.data / "data"),
            *(("--certs-dir", str(own)) if self.settings.stack_tls else ()),
            *("--address", f"{HOST}:{self.ports['minio']}"),
            *("--console-address", f"{HOST}:{self.ports['minio_console']}"),
        ]

    @override
    def env(self) -> dict[str, str]:
        return {
            "MINIO_CONFIG_ENV_FILE": str(self._root_user),
            "MINIO_BROWSER_REDIRECT": "false",
            "MINIO_UPDATE": "off",
            "MINIO_PROMETHEUS_AUTH_TYPE": "public",
            "HOME": str(self.data),  # it keeps settings of its own there
        }

    @override
    def is_healthy(self) -> bool:
        return answers_http(f"{self.address}/minio/health/live", trusted(self.settings))


def make_bucket(settings: Settings) -> None:
    """Make the lake's bucket where it is not there yet.

    Raises:
        ComponentMissing: the object store refuses or does not answer.
    """
    import urllib3
    from minio import Minio
    from minio.error import MinioException

    endpoint = urlsplit(settings.s3_endpoint or "")
    key = settings.s3_secret_key
    bucket = urlsplit(settings.lake).netloc
    client = Minio(
        endpoint.netloc,
        access_key=settings.s3_access_key,
        secret_key=key.get_secret_value() if key else None,
        secure=endpoint.scheme == "https",
        region="us-east-1",
        http_client=urllib3.PoolManager(
            timeout=5,
            retries=1,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(settings.s3_ca) if settings.s3_ca else None,
        ),
    )
    try:
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ComponentMissing(
            f"object store {settings.s3_endpoint}: bucket {bucket} cannot be made ({reason}); make"
            " it yourself, or correct FINLAKE_S3_ENDPOINT and its keys"
        ) from None


def check_minio() -> str:
    """Where the program is, or what it would be built with.

    Raises:
        ComponentMissing: neither is there.
    """
    return _program() or f"will be built once with {_go()} (some minutes)"


def _on_path() -> str | None:
    return shutil.which("minio")


def _program() -> str | None:
    built = _built() / "minio"
    return _on_path() or (str(built) if built.exists() else None)


def _built() -> Path:
    return cache_dir() / f"minio-{_VERSION}"


def _build(go: str) -> None:
    built = _built()
    partial = built.with_name(f"{built.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    done = subprocess.run(
        [go, "install", "-trimpath", "-ldflags=-s -w", f"{_MODULE}@{_VERSION}"],
        env={**os.environ, "GOBIN": str(partial), "CGO_ENABLED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stdout.strip().splitlines() or ["go gave no reason"])[-1][:300]
        raise ComponentMissing(
            f"MinIO cannot be built: {reason}; check the network and Go's settings, put a minio"
            " on the path, or use FINLAKE_LAKE=file:/folder"
        )
    partial.rename(built)


def _go() -> str:
    """The ``go`` that can build it.

    Raises:
        ComponentMissing: there is none, or it is too old.
    """
    advice = (
        f"install Go {'.'.join(map(str, _OLDEST_GO))} or later to build MinIO, put a minio on the"
        " path, or use FINLAKE_LAKE=file:/folder"
    )
    go = shutil.which("go")
    if go is None:
        raise ComponentMissing(f"go is missing; {advice}")
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_GO:
        raise ComponentMissing(f"{said.strip() or go} is too old; {advice}")
    return go
