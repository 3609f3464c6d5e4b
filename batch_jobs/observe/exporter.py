"""The facts as Prometheus wants them, looked up whenever it asks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from batch_jobs.observe.facts import PARTS, Facts
from connectors.topics import ALERTS_TOPIC

__all__ = ["exposed"]

_TASK_STATES = ("RUNNING", "PAUSED", "FAILED", "RESTARTING", "UNASSIGNED")


def exposed(look: Callable[[], Facts]) -> CollectorRegistry:
    """A registry that looks anew each time it is asked, one question at a time."""
    registry = CollectorRegistry()
    registry.register(_Collector(look))
    return registry


class _Collector(Collector):
    def __init__(self, look: Callable[[], Facts]) -> None:
        self._look = look
        self._lock = threading.Lock()

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: a registry would look already when it is made."""
        return iter(())

    @override
    def collect(self) -> Iterator[Metric]:
        with self._lock:
            facts = self._look()
        yield from _programs(facts)
        yield from _capture(facts)
        yield from _topics(facts)
        yield from _lake(facts)
        part = _gauge("observe_part_up", "1 while the part answers", "part")
        for name in PARTS:
            part.add_metric([name], name not in facts.problems)
        yield part


def _programs(facts: Facts) -> Iterator[Metric]:
    up = _gauge("component_up", "1 while the component is healthy", "component")
    memory = _gauge("component_memory_bytes", "Resident memory, children included", "component")
    cpu = _counter("component_cpu_seconds", "Processor time, children included", "component")
    starts = _counter("component_starts", "Starts since the stack came up", "component")
    for one in facts.programs:
        up.add_metric([one.name], one.state == "healthy")
        memory.add_metric([one.name], one.memory)
        cpu.add_metric([one.name], one.cpu)
        starts.add_metric([one.name], one.starts)
    free = _gauge("disk_free_bytes", "Room on the disk of home and lake", "place")
    size = _gauge("disk_size_bytes", "Size of that disk", "place")
    for place, (left, total) in facts.disks.items():
        free.add_metric([place], left)
        size.add_metric([place], total)
    yield from (up, memory, cpu, starts, free, size)


def _capture(facts: Facts) -> Iterator[Metric]:
    if facts.capture is not None:
        connector = facts.capture.connector
        running = _gauge("connector_running", "1 while it and all its tasks run", "connector")
        running.add_metric([connector.name], connector.running)
        tasks = _gauge("connector_tasks", "Tasks by state", "connector", "state")
        counts = Counter(task.state for task in connector.tasks)
        for state in (*_TASK_STATES, *sorted(counts.keys() - set(_TASK_STATES))):
            tasks.add_metric([connector.name, state], counts[state])
        yield from (running, tasks)
    if facts.bytes_behind is not None:
        yield GaugeMetricFamily(
            "finlake_source_log_behind_bytes",
            "Of the source's log, what the connector has not read",
            value=facts.bytes_behind,
        )


def _topics(facts: Facts) -> Iterator[Metric]:
    lag = _gauge("topic_lag_records", "Records that a reader has not read", "reader", "topic")
    gone = _gauge(
        "topic_lost_records", "Records that Kafka dropped before they were read", "reader", "topic"
    )
    records = _counter("topic_records", "Records that the topic ever got", "topic")
    behind: Counter[tuple[str, str]] = Counter()
    lost: Counter[tuple[str, str]] = Counter()
    ends: dict[tuple[str, int], int] = {}
    for one in facts.lags:
        behind[one.reader, one.topic] += one.lag
        lost[one.reader, one.topic] += one.gone
        ends[one.topic, one.partition] = one.end
    for place, count in behind.items():
        lag.add_metric(list(place), count)
        gone.add_metric(list(place), lost[place])
    for topic in sorted({topic for topic, _ in ends}):
        records.add_metric([topic], sum(end for (name, _), end in ends.items() if name == topic))
    if facts.alerts is not None:
        records.add_metric([ALERTS_TOPIC], facts.alerts)
    yield from (lag, gone, records)


def _lake(facts: Facts) -> Iterator[Metric]:
    letters = _gauge("dead_letters", "Records that are set aside", "table")
    stopped = _gauge("table_stopped", "1 while the table's changes do not flow", "table")
    for table, why in facts.stopped.items():
        letters.add_metric([table], facts.dead_letters.get(table, 0))
        stopped.add_metric([table], bool(why))
    for table in facts.dead_letters.keys() - facts.stopped.keys():
        letters.add_metric([table], facts.dead_letters[table])
    yield from (letters, stopped)


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"finlake_{name}", meaning, labels=labels)


def _counter(name: str, meaning: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"finlake_{name}", meaning, labels=labels)
