"""Kafka Connect's REST interface: the few calls that a connector needs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests

from connectors.failures import Explanation, explain, root_cause
from finlake.errors import ComponentMissing, FinlakeError

__all__ = ["Connect", "ConnectorStatus", "TaskStatus"]

_TIMEOUT_S: Final = 30.0
# Connect answers 409 while its workers agree on who runs what
_REBALANCE_S: Final = 60.0
# a Debezium task says RUNNING seconds before the source lets it read, or refuses
_SETTLE_S: Final = 3.0


@dataclass(frozen=True)
class TaskStatus:
    """One task of a connector; ``trace`` is the Java trace of a failed one."""

    id: int
    state: str
    trace: str | None

    @property
    def explanation(self) -> Explanation | None:
        """Why the task failed and what to do, or None while it has not."""
        return explain(self.trace) if self.trace else None


@dataclass(frozen=True)
class ConnectorStatus:
    """State of a connector: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED or ABSENT."""

    name: str
    state: str
    version: str
    tasks: tuple[TaskStatus, ...]
    trace: str | None = None

    @property
    def running(self) -> bool:
        """Whether the connector and each of its tasks run."""
        return (
            self.state == "RUNNING"
            and bool(self.tasks)
            and all(task.state == "RUNNING" for task in self.tasks)
        )

    @property
    def failure(self) -> Explanation | None:
        """The first failure, of the connector or of a task."""
        traces = [self.trace, *(task.trace for task in self.tasks)]
        return next((explain(trace) for trace in traces if trace), None)

    @property
    def summary(self) -> str:
        """One word for people: the worst state there is."""
        states = [self.state, *(task.state for task in self.tasks)]
        for bad in ("FAILED", "ABSENT", "STOPPED", "PAUSED", "RESTARTING", "UNASSIGNED"):
            if bad in states:
                return bad
        return self.state if self.tasks else "UNASSIGNED"


class Connect:
    """A client of one Kafka Connect cluster.

    Every method raises ``ComponentMissing`` when nobody answers at the address, and
    ``FinlakeError`` when Connect refuses, each with one line that says what to do.
    """

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()

    def names(self) -> list[str]:
        """Names of the connectors."""
        names: list[str] = self._call("GET", "/connectors")
        return sorted(names)

    def plugins(self) -> set[str]:
        """Classes of the connectors that the worker can run."""
        return {plugin["class"] for plugin in self._call("GET", "/connector-plugins")}

    def config(self, name: str) -> dict[str, str] | None:
        """The connector's configuration without its name; None when there is no connector."""
        config: dict[str, str] | None = self._call("GET", f"/connectors/{name}/config", absent=None)
        if config is not None:
            config.pop("name", None)
        return config

    def put(self, name: str, config: Mapping[str, str]) -> bool:
        """Create or change the connector; False when it had this configuration already."""
        if self.config(name) == dict(config):
            return False
        self._call("PUT", f"/connectors/{name}/config", json=dict(config))
        return True

    def status(self, name: str) -> ConnectorStatus:
        """State of the connector and its tasks; state ABSENT when there is none."""
        # asked by its name, a connector that was deleted still answers until its tasks have ended
        listed = self._call("GET", "/connectors?expand=status").get(name)
        if listed is None:
            return ConnectorStatus(name, "ABSENT", "", ())
        answer = listed["status"]
        connector = answer["connector"]
        return ConnectorStatus(
            name=name,
            state=connector["state"],
            version=connector.get("version", ""),
            tasks=tuple(
                TaskStatus(task["id"], task["state"], task.get("trace"))
                for task in answer.get("tasks", ())
            ),
            trace=connector.get("trace"),
        )

    def wait_running(
        self, name: str, timeout_s: float = 120.0, settle_s: float | None = None
    ) -> ConnectorStatus:
        """Wait until the connector and its tasks have run for a moment, by default three seconds.

        Raises:
            FinlakeError: it failed (with the root cause and the way out) or took too long.
        """
        deadline = time.monotonic() + timeout_s
        since: float | None = None
        while True:
            status = self.status(name)
            if status.failure is not None:
                raise FinlakeError(f"connector {name}: {status.failure}")
            now = time.monotonic()
            since = (since or now) if status.running else None
            if since is not None and now - since >= (_SETTLE_S if settle_s is None else settle_s):
                return status
            if now >= deadline:
                raise FinlakeError(
                    f"connector {name}: still {status.summary} after {timeout_s:.0f} s;"
                    " read Kafka Connect's log (`finlake logs connect`)"
                )
            time.sleep(0.2)

    def restart(self, name: str, *, only_failed: bool = True) -> None:
        """Restart the connector's failed tasks, or all of it."""
        flag = "true" if only_failed else "false"
        self._call("POST", f"/connectors/{name}/restart?includeTasks=true&onlyFailed={flag}")

    def restart_task(self, name: str, task: int) -> None:
        """Restart one task, whatever its state."""
        self._call("POST", f"/connectors/{name}/tasks/{task}/restart")

    def pause(self, name: str) -> None:
        """Let the tasks rest; they keep their connection to the source."""
        self._call("PUT", f"/connectors/{name}/pause")

    def wait_paused(self, name: str, timeout_s: float = 60.0) -> ConnectorStatus:
        """Wait until the connector and its tasks rest.

        Raises:
            FinlakeError: it has failed (with the root cause and the way out) or takes too long.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status(name)
            if status.failure is not None:
                raise FinlakeError(f"connector {name}: {status.failure}")
            if {status.state, *(task.state for task in status.tasks)} == {"PAUSED"}:
                return status
            if time.monotonic() >= deadline:
                raise FinlakeError(
                    f"connector {name}: does not pause, is {status.summary} after"
                    f" {timeout_s:.0f} s; read Kafka Connect's log (`finlake logs connect`)"
                )
            time.sleep(0.1)

    def resume(self, name: str) -> None:
        """Go on after ``pause`` or ``stop``."""
        self._call("PUT", f"/connectors/{name}/resume")

    def stop(self, name: str, timeout_s: float = 60.0) -> None:
        """End the tasks and keep configuration and offsets; returns when they have ended."""
        self._call("PUT", f"/connectors/{name}/stop")
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status(name)
            if status.state == "STOPPED" and not status.tasks:
                return
            if time.monotonic() >= deadline:
                raise FinlakeError(
                    f"connector {name}: does not stop, is {status.summary} after {timeout_s:.0f} s;"
                    " read Kafka Connect's log (`finlake logs connect`)"
                )
            time.sleep(0.1)

    def delete(self, name: str) -> bool:
        """Remove the connector; its offsets stay. False when there was none."""
        return self._call("DELETE", f"/connectors/{name}", absent=False) is not False

    def offset(self, name: str) -> dict[str, Any] | None:
        """How far the connector has read (binlog file, position, GTID set); None before that."""
        answer = self._call("GET", f"/connectors/{name}/offsets", absent={"offsets": []})
        offsets = [entry["offset"] for entry in answer["offsets"] if entry["offset"]]
        return offsets[0] if offsets else None

    def create_stopped(self, name: str, config: Mapping[str, str]) -> None:
        """Create the connector without starting it.

        Offsets outlive their connector, but Connect shows and deletes only those of one it has.
        """
        body = {"name": name, "config": dict(config), "initial_state": "STOPPED"}
        self._call("POST", "/connectors", json=body)

    def begin_anew(self, name: str, config: Mapping[str, str]) -> None:
        """Leave the connector stopped with this configuration and without offsets."""
        if self.config(name) is None:
            self.create_stopped(name, config)
        self.stop(name)
        self._call("DELETE", f"/connectors/{name}/offsets")
        self.put(name, config)

    def _call(self, method: str, path: str, *, json: object = None, absent: Any = ...) -> Any:
        """The answer's JSON; ``absent``, if given, instead of a 404."""
        deadline = time.monotonic() + _REBALANCE_S
        while True:
            try:
                answer = self._session.request(
                    method, self._url + path, json=json, timeout=self._timeout_s
                )
            except requests.RequestException as error:
                raise ComponentMissing(
                    f"Kafka Connect does not answer at {self._url} ({type(error).__name__});"
                    " start it with `finlake up` or correct FINLAKE_CONNECT_URL"
                ) from None
            if answer.status_code != requests.codes.conflict or time.monotonic() >= deadline:
                break
            time.sleep(0.5)
        if answer.status_code == requests.codes.not_found and absent is not ...:
            return absent
        if not answer.ok:
            raise FinlakeError(f"Kafka Connect, {method} {path}: {explain(_message(answer))}")
        return answer.json() if answer.content else None


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return root_cause(answer.text) or f"status {answer.status_code}"
