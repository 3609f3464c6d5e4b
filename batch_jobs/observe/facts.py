"""Ask every part of the stack how it does; a part that does not answer hides no other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import psutil
import requests
from confluent_kafka import TopicPartition

import connectors
from connectors import CaptureStatus
from connectors.kafka_admin import offsets, open_admin, partition_counts
from connectors.topics import ALERTS_TOPIC
from finlake.errors import ComponentMissing, FinlakeError
from infra.lake.query import Query
from infra.settings import Settings
from infra.stack import control
from stream_jobs.lag import Lag, lags

__all__ = ["PARTS", "Batches", "Facts", "Firing", "Fresh", "Observer", "Program"]

PARTS: Final = ("capture", "log", "topics", "alerts", "lake")
"""What is asked, each by itself."""

_RECENT: Final = timedelta(minutes=1)
_ANSWER_S: Final = 5
T = TypeVar("T")


@dataclass(frozen=True)
class Program:
    """A component of the embedded stack; memory in bytes, processor time in seconds so far.

    ``starts`` counts since the stack came up. Children count to their parent.
    """

    name: str
    state: str
    starts: int
    memory: int = 0
    cpu: float = 0.0


@dataclass(frozen=True)
class Fresh:
    """Ages of changes of a table when they became visible at a hop, milliseconds."""

    table: str
    hop: str
    events: int
    p50: float
    p95: float


@dataclass(frozen=True)
class Batches:
    """The micro-batches of the last minute; durations in milliseconds."""

    count: int = 0
    mean: float = 0.0
    longest: float = 0.0
    changes: int = 0


@dataclass(frozen=True)
class Firing:
    """An alert of a rule that fires, in words."""

    name: str
    severity: str
    summary: str
    runbook: str


@dataclass(frozen=True)
class Facts:
    """What was found. ``problems`` has a line for each part that did not answer."""

    at: float
    programs: tuple[Program, ...] = ()
    disks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Place to bytes free and bytes in all."""
    capture: CaptureStatus | None = None
    bytes_behind: int | None = None
    lags: tuple[Lag, ...] = ()
    alerts: int | None = None
    """Records that the topic of alerts ever got."""
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    """Records set aside, by table."""
    stopped: Mapping[str, str] = field(default_factory=dict)
    """Every source table: why its changes do not flow, or nothing."""
    freshness: tuple[Fresh, ...] = ()
    batches: Batches = field(default_factory=Batches)
    firing: tuple[Firing, ...] = ()
    """What the stack's Prometheus says, where one runs."""
    problems: Mapping[str, str] = field(default_factory=dict)


class Observer:
    """Looks at one installation.

    Args:
        settings: where everything is.
        judged: ask the stack's Prometheus, too, which rules fire.
    """

    def __init__(self, settings: Settings, *, judged: bool = True) -> None:
        self._settings = settings
        self._judged = judged
        self._query = Query(settings)

    def close(self) -> None:
        """Give back what is held open."""
        self._query.close()

    def look(self) -> Facts:
        """Everything as it is now."""
        problems: dict[str, str] = {}

        def asked(part: str, what: Callable[[], T], otherwise: T) -> T:
            try:
                return what()
            except FinlakeError as error:
                problems[part] = str(error)
                return otherwise

        at = time.time()
        capture = asked("capture", lambda: connectors.status(self._settings), None)
        behind = asked("log", self._bytes_behind, None)
        nothing: tuple[Lag, ...] = ()
        silent: tuple[Firing, ...] = ()
        found = asked("topics", lambda: tuple(lags(self._settings)), nothing)
        lake: dict[str, Any] = asked("lake", lambda: self._lake(at), {})
        return Facts(
            at,
            self._programs(),
            self._disks(),
            capture,
            behind,
            found,
            asked("alerts", self._alerts, None),
            firing=asked("rules", self._firing, silent) if self._judged else silent,
            problems=problems,
            **lake,
        )

    def _bytes_behind(self) -> int | None:
        return connectors.reach(self._settings).bytes_behind

    def _firing(self) -> tuple[Firing, ...]:
        reports = control.status(self._settings)
        address = next((r.address for r in reports if r.component == "prometheus" and r.pid), None)
        if address is None:
            return ()
        try:
            answer = requests.get(f"{address}/api/v1/alerts", timeout=_ANSWER_S)
            answer.raise_for_status()
            found = answer.json()["data"]["alerts"]
        except (requests.RequestException, ValueError, KeyError) as error:
            raise ComponentMissing(
                f"Prometheus at {address} does not say which alerts fire"
                f" ({type(error).__name__}); see `finlake logs prometheus`"
            ) from None
        return tuple(
            Firing(
                one["labels"]["alertname"],
                one["labels"].get("severity", ""),
                one["annotations"].get("summary", ""),
                one["annotations"].get("runbook", ""),
            )
            for one in found
            if one["state"] == "firing"
        )

    def _alerts(self) -> int | None:
        admin = open_admin(self._settings)
        count = partition_counts(admin, self._settings).get(ALERTS_TOPIC, 0)
        places = [TopicPartition(ALERTS_TOPIC, number) for number in range(count)]
        return sum(offsets(admin, places, newest=True).values()) if count else None

    def _programs(self) -> tuple[Program, ...]:
        return tuple(
            Program(one.component, one.state, one.starts, *_use(one.pid))
            for one in control.status(self._settings)
        )

    def _disks(self) -> dict[str, tuple[int, int]]:
        """Of the home, and of the lake where that is a folder."""
        places = {"home": str(self._settings.home)}
        lake = urlsplit(self._settings.lake)
        if lake.scheme == "file":
            places["lake"] = lake.path
        found = {}
        for name, place in places.items():
            with suppress(FileNotFoundError):  # nothing is there yet
                usage = shutil.disk_usage(place)
                found[name] = (usage.free, usage.total)
        return found

    def _lake(self, at: float) -> dict[str, Any]:
        since = datetime.fromtimestamp(at, UTC) - _RECENT
        rows = self._rows(
            "SELECT table_name, hop, sum(events) AS events,"
            " sum(p50_ms * events) / sum(events) AS p50, sum(p95_ms * events) / sum(events) AS p95"
            " FROM gold.pipeline_freshness WHERE measured_at >= ? AND events > 0"
            " GROUP BY ALL ORDER BY ALL",
            since,
        )
        (batches,) = self._rows(
            "SELECT count(*) AS count, coalesce(avg(ms), 0) AS mean, coalesce(max(ms), 0)"
            " AS longest, coalesce(sum(changes), 0) AS changes FROM (SELECT max(duration_ms) AS ms,"
            " sum(events) AS changes FROM gold.pipeline_batches"
            " WHERE started_at >= ? AND batch_id >= 0 GROUP BY batch_id)",
            since,
        )
        dead = self._rows(
            "SELECT source_table AS t, count(*) AS n FROM bronze.dead_letters GROUP BY ALL"
        )
        status = self._rows(
            "SELECT table_name AS t, state, reason FROM gold.pipeline_status"
            " QUALIFY row_number() OVER (PARTITION BY table_name ORDER BY since DESC) = 1"
        )
        return {
            "freshness": tuple(
                Fresh(r["table_name"], r["hop"], int(r["events"]), r["p50"], r["p95"]) for r in rows
            ),
            "batches": Batches(
                int(batches["count"]),
                float(batches["mean"]),
                float(batches["longest"]),
                int(batches["changes"]),
            ),
            "dead_letters": {r["t"]: r["n"] for r in dead},
            "stopped": {
                r["t"]: (r["reason"] or "stopped") if r["state"] == "stopped" else ""
                for r in status
            },
        }

    def _rows(self, sql: str, *params: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._query.query(sql, params).to_pylist()
        return found


def _use(pid: int | None) -> tuple[int, float]:
    """Memory and processor time of a process and its children; nothing of one that has ended."""
    memory, cpu = 0, 0.0
    if pid is None:
        return memory, cpu
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error), process.oneshot():
                memory += process.memory_info().rss
                times = process.cpu_times()
                cpu += times.user + times.system
    return memory, cpu
