"""What the Pipeline page knows of Kafka, Connect and the continuous proof, asked now and then.

All readers of the pages share an answer for some seconds, and one that does not come is an answer
too: its reason.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

import requests
import streamlit as st
from prometheus_client.parser import text_string_to_metric_families

import connectors
from connectors import CaptureStatus, Reach, tending
from connectors.letters import Choice, send_order
from connectors.rest import ConnectorStatus
from connectors.topics import TopicState, describe, expected
from dashboard.base import settings
from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from infra.stack.control import status
from stream_jobs.lag import Lag, lags

__all__ = [
    "Asked",
    "Proof",
    "Reader",
    "act",
    "capture",
    "clear_topic",
    "proof",
    "readers",
    "replay",
    "topics",
]

T = TypeVar("T")
_KEPT_S: Final = 8
_ANSWER_S: Final = 2.0


@dataclass(frozen=True)
class Asked(Generic[T]):
    """An answer, or why there is none."""

    answer: T | None
    why: str = ""


@dataclass(frozen=True)
class Reader:
    """How many records a reader of a topic has yet to read, and how many are gone for ever."""

    reader: str
    topic: str
    lag: int
    gone: int


@dataclass(frozen=True)
class Proof:
    """What ``finlake verify --watch`` holds: agreement, seconds behind, and what differs."""

    equal: bool
    lag_s: float
    differences: dict[str, int]


def _asked(ask: Callable[[Settings], T]) -> Asked[T]:
    try:
        return Asked(ask(settings()))
    except FinlakeError as error:
        return Asked(None, str(error))


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────


@st.cache_data(ttl=_KEPT_S, show_spinner=False)
def capture() -> Asked[tuple[CaptureStatus, Reach | None]]:
    """The connector, and how far it has read the source's log where it reads."""
    return _asked(_capture)


def _capture(having: Settings) -> tuple[CaptureStatus, Reach | None]:
    _there(having.connect_url, "Kafka Connect")
    found = connectors.status(having)
    try:
        return found, connectors.reach(having) if found.offset else None
    except FinlakeError:  # the source's log is not for everybody to see
        return found, None


@st.cache_data(ttl=_KEPT_S, show_spinner=False)
def readers() -> Asked[list[Reader]]:
    """Every reader of every topic, the furthest behind first."""
    return _asked(_readers)


def _readers(having: Settings) -> list[Reader]:
    _there(f"kafka://{having.kafka_bootstrap}", "Kafka")
    return summed(lags(having))


def summed(found: Sequence[Lag]) -> list[Reader]:
    """The partitions of each topic added up, the furthest behind first."""
    parts: dict[tuple[str, str], list[Lag]] = {}
    for one in found:
        parts.setdefault((one.reader, one.topic), []).append(one)
    rows = [
        Reader(reader, topic, sum(p.lag for p in lag), sum(p.gone for p in lag))
        for (reader, topic), lag in parts.items()
    ]
    return sorted(rows, key=lambda row: (-row.gone, -row.lag, row.reader, row.topic))


@st.cache_data(ttl=_KEPT_S, show_spinner=False)
def topics() -> Asked[list[TopicState]]:
    """The topics that FinLake uses."""
    return _asked(_topics)


def _topics(having: Settings) -> list[TopicState]:
    _there(f"kafka://{having.kafka_bootstrap}", "Kafka")
    return describe(having, expected(having, epoch=connectors.source_epoch(having)))


@st.cache_data(ttl=_KEPT_S, show_spinner=False)
def proof() -> Asked[Proof]:
    """What the stack's continuous proof says of itself."""
    return _asked(_proof)


def _proof(having: Settings) -> Proof:
    found = next((one for one in status(having) if one.component == "verify"), None)
    if found is None:
        raise ComponentMissing("not running here; `finlake up --with verify` starts it")
    try:
        answer = requests.get(found.address, timeout=_ANSWER_S)
        answer.raise_for_status()
    except requests.RequestException:
        raise ComponentMissing("does not answer; see `finlake logs verify`") from None
    return read_proof(answer.text)


def read_proof(text: str) -> Proof:
    """The proof's gauges, as Prometheus reads them."""
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    named = {s.name: s.value for s in samples if not s.labels}
    try:
        return Proof(
            bool(named["finlake_reconciliation_equal"]),
            named["finlake_reconciliation_lag_seconds"],
            {
                s.labels["table"]: int(s.value)
                for s in samples
                if s.name == "finlake_reconciliation_differences" and s.value
            },
        )
    except KeyError:
        raise ComponentMissing("has proved nothing yet") from None


def _there(url: str, what: str) -> None:
    """Fail at once where nobody listens: the clients wait for many seconds, and the page with them.

    Raises:
        ComponentMissing: nobody does.
    """
    parts = urlsplit(url.partition(",")[0])
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1).close()
    except OSError:
        raise ComponentMissing(f"{what} does not answer at {parts.netloc}") from None


# ── Doing ────────────────────────────────────────────────────────────────────────────────────────

_ACTIONS: Final[dict[str, Callable[[Settings], ConnectorStatus]]] = {
    "pause": connectors.pause,
    "resume": connectors.resume,
    "restart": partial(connectors.restart, only_failed=False),
}


def act(action: str) -> str:
    """Pause, resume or restart the connector; says in words what came of it."""
    try:
        found = _ACTIONS[action](settings())
    except FinlakeError as error:
        return str(error)
    finally:
        capture.clear()
    return f"connector {found.name}: {found.summary}"


def clear_topic(name: str) -> str:
    """Empty a topic that every reader has read; says in words what came of it."""
    try:
        having = settings()
        tending.may_clear(name, expected(having, epoch=connectors.source_epoch(having)))
        behind = [lag for lag in lags(having) if lag.topic == name and lag.lag]
        if behind:
            return f"topic {name}: {behind[0].reader} has not read {behind[0].lag} records of it"
        tending.clear(having, name)
    except FinlakeError as error:
        return str(error)
    finally:
        topics.clear()
    return f"topic {name}: is empty"


def replay(choice: Choice, by: str) -> str:
    """Order the stream to apply dead letters; says in words what came of it."""
    try:
        _there(f"kafka://{settings().kafka_bootstrap}", "Kafka")
        send_order(settings(), choice, by)
    except FinlakeError as error:
        return str(error)
    return f"Ordered: {choice}. The stream does it with its next batch; what fits leaves this page."
