"""What this machine must have, what it has, and how to get the rest."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from finlake.errors import ComponentMissing
from infra.settings import Settings
from infra.stack import control, plan
from infra.stack.airflow import check_airflow
from infra.stack.cache import cache_dir
from infra.stack.component import java
from infra.stack.jars import missing_jars, read_lock
from infra.stack.minio import check_minio
from infra.stack.mlflow import check_mlflow
from infra.stack.mysql import check_mysql
from infra.stack.ports import is_free
from infra.stack.prometheus import check_prometheus
from infra.stack.redis import check_redis
from infra.stack.superset import check_superset
from infra.stack.trino_server import check_trino

__all__ = ["Finding", "examine"]

_GIB = 2**30
_MEMORY_GIB = 6
_DISK_GIB = 6


@dataclass(frozen=True)
class Finding:
    """One line of the answer; ``missing`` is what keeps FinLake from running."""

    what: str
    state: Literal["good", "note", "missing"]
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything that the stack of these settings needs."""
    names = plan.wanted(settings)
    yield _python()
    yield _machine(settings, names)
    yield _component("java", java)
    yield _libgomp()
    yield from _jars()
    if "source" in names and settings.source_flavour == "mysql":
        yield _component("mysql", check_mysql)
    if "minio" in names:
        yield _component("minio", check_minio)
    yield _mlflow()
    yield _superset()
    yield _airflow()
    yield _trino()
    yield _prometheus()
    yield _redis()
    yield _make()
    yield _memory()
    yield from _disk(settings)
    yield from _ports(settings)


def _python() -> Finding:
    found = platform.python_version()
    if found.startswith("3.11."):
        return Finding("python", "good", found)
    return Finding("python", "missing", f"{found} is not 3.11; run make setup with python3.11")


def _machine(settings: Settings, names: list[str]) -> Finding:
    found = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    embedded = "source" in names and settings.source_flavour == "mariadb"
    if embedded and (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return Finding(
            "machine",
            "missing",
            f"{found}: MariaDB's jar is for Linux x86_64; set FINLAKE_SOURCE_URL to a server",
        )
    return Finding("machine", "good", found)


def _libgomp() -> Finding:
    """LightGBM's wheel does not bring the library of its threads, and no model loads without."""
    name = "libgomp.so.1"
    try:
        ctypes.CDLL(name)
    except OSError:
        return Finding("libgomp", "missing", "models need it; apt-get install libgomp1")
    return Finding("libgomp", "good", name)


def _jars() -> Iterator[Finding]:
    # Trino's archive is discarded once it is unpacked; _trino says how that stands.
    groups = {group for jar in read_lock() for group in jar.groups} - {"trino"}
    missing = missing_jars(groups)
    count = sum(bool(groups.intersection(jar.groups)) for jar in read_lock())
    mvn = shutil.which("mvn")
    if missing:
        size = sum(jar.size for jar in missing) / 1e6
        text = f"{len(missing)} of {count} not in {cache_dir()} yet ({size:.0f} MB)"
        yield Finding("jars", "note", f"{text}; finlake up fetches what it needs")
    else:
        yield Finding("jars", "good", f"all {count} in {cache_dir()}")
    if mvn:
        yield Finding("mvn", "good", mvn)
    elif missing:
        yield Finding("mvn", "missing", "needed to fetch jars; apt-get install maven")
    else:
        yield Finding("mvn", "note", "missing, and not needed while all jars are in the cache")


def _component(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "good", check())
    except ComponentMissing as error:
        return Finding(what, "missing", str(error))


def _mlflow() -> Finding:
    found = check_mlflow()
    if found is not None:
        return Finding("mlflow", "good", str(found))
    return Finding("mlflow", "note", "not installed; finlake up --with mlflow does that once")


def _superset() -> Finding:
    found = check_superset()
    if found is not None:
        return Finding("superset", "good", str(found))
    return Finding("superset", "note", "not installed; finlake up --with superset does that once")


def _airflow() -> Finding:
    found = check_airflow()
    if found is not None:
        return Finding("airflow", "good", str(found))
    return Finding("airflow", "note", "not installed; finlake up --with airflow does that once")


def _trino() -> Finding:
    found = check_trino()
    if found is not None:
        return Finding("trino", "good", found)
    return Finding("trino", "note", "not fetched; finlake up --with trino does that once (900 MB)")


def _prometheus() -> Finding:
    found = check_prometheus()
    if found is not None:
        return Finding("prometheus", "good", found)
    return Finding("prometheus", "note", "not fetched; finlake up --with prometheus does that once")


def _redis() -> Finding:
    found = check_redis()
    if found is not None:
        return Finding("redis", "good", found)
    return Finding("redis", "note", "not fetched; finlake up --with redis does that once")


def _make() -> Finding:
    found = shutil.which("make")
    if found:
        return Finding("make", "good", found)
    return Finding("make", "note", "missing; only the make targets need it: apt-get install make")


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    total, free = memory.total / _GIB, memory.available / _GIB
    text = f"{free:.1f} of {total:.1f} GiB free"
    if total < _MEMORY_GIB:
        return Finding("memory", "missing", f"{text}; the whole stack needs {_MEMORY_GIB} GiB")
    if free < _MEMORY_GIB:
        return Finding("memory", "note", f"{text}; close programs, the stack needs {_MEMORY_GIB}")
    return Finding("memory", "good", text)


def _disk(settings: Settings) -> Iterator[Finding]:
    for what, folder in (("home", settings.home), ("cache", cache_dir())):
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(existing).free / _GIB
        text = f"{folder}: {free:.1f} GiB free"
        if not os.access(existing, os.W_OK):
            yield Finding(what, "missing", f"{existing} is not writable; set FINLAKE_HOME")
        elif free < _DISK_GIB:
            yield Finding(what, "missing", f"{text}; make room for {_DISK_GIB} GiB")
        else:
            yield Finding(what, "good", text)


def _ports(settings: Settings) -> Iterator[Finding]:
    if control.supervisor_of(settings) is not None:
        yield Finding("ports", "good", "the stack of this home is running")
        return
    given = plan.given(settings)
    names = [*plan.wanted(settings), *plan.EXTRAS]
    wishes = [wish for name in names for wish in plan.kind(settings, name).wishes(settings, given)]
    taken = [wish for wish in wishes if wish.preferred and not is_free(wish.preferred)]
    for wish in taken:
        setting = f"FINLAKE_PORT_{wish.name.upper()}"
        if wish.explicit:
            yield Finding("ports", "missing", f"{setting}={wish.preferred} is taken; set another")
        else:
            yield Finding("ports", "note", f"{wish.preferred} is taken; the next free one is used")
    if not taken:
        ports = sorted(wish.preferred for wish in wishes if wish.preferred)
        yield Finding("ports", "good", f"{', '.join(map(str, ports))} free, others are chosen")
