"""Grafana's boards as code: ``python -m infra.grafana.boards`` writes their files anew.

A board is rows of panels; a panel is what it asks Prometheus and how that is shown. Whatever else
Grafana wants to know of a panel is the same for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ["BOARDS", "FOLDER", "Board", "Panel", "rendered", "write"]

FOLDER: Final = Path(__file__).parent / "dashboards"
_SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_WIDTH: Final = 24


@dataclass(frozen=True)
class Panel:
    """A panel.

    Args:
        title: what it shows.
        description: what to read from it.
        asked: PromQL by the legend of its series; ``{{label}}`` stands for a label's value.
        unit: Grafana's name of the unit.
        single: one large value per series in place of lines.
        now: of a single value, ask for this moment alone.
        steps: colours from a value on; the first one is for everything below.
        words: text in place of a value.
        least: where the scale begins.
    """

    title: str
    description: str
    asked: Mapping[str, str]
    unit: str = "short"
    single: bool = False
    now: bool = False
    steps: tuple[tuple[str, float | None], ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    least: float | None = None


@dataclass(frozen=True)
class Board:
    """A board: rows of (height, panels with their widths), and a variable to choose by."""

    uid: str
    title: str
    description: str
    rows: tuple[tuple[int, tuple[tuple[int, Panel], ...]], ...]
    variable: tuple[str, str, str] | None = None
    """Name, label and metric of what can be chosen."""
    since: str = "now-15m"


_UP = (("red", None), ("green", 1.0))
_DOWN_UP = {"0": "down", "1": "up"}
_NONE_IS_GOOD = (("green", None), ("red", 1.0))
_FRESH = (("green", None), ("yellow", 3000.0), ("red", 8000.0))


def _lines(*panels: Panel) -> tuple[int, tuple[tuple[int, Panel], ...]]:
    return (8, tuple((_WIDTH // len(panels), panel) for panel in panels))


def _values(*panels: tuple[int, Panel]) -> tuple[int, tuple[tuple[int, Panel], ...]]:
    return (4, panels)


_AGE = "Time from the source's commit until"
_STREAM: Final = Board(
    "finlake-stream",
    "FinLake stream",
    "Freshness per hop, batches, and what became of each change.",
    (
        _values(
            (
                4,
                Panel(
                    "Stream",
                    "Is the streaming application up?",
                    {"__auto": 'finlake_stream_up or up{job="stream"} * 0'},
                    single=True,
                    now=True,
                    steps=_UP,
                    words={"0": "down", "1": "running"},
                ),
            ),
            (
                5,
                Panel(
                    "Commit to gold, p50",
                    f"{_AGE} a reader sees the change in gold; the slowest table of the newest"
                    " batch. Target 3 s.",
                    {
                        "__auto": "max(finlake_freshness_ms"
                        '{hop="gold", quantile="p50", table=~"$table"})'
                    },
                    "ms",
                    single=True,
                    steps=_FRESH,
                ),
            ),
            (
                5,
                Panel(
                    "Commit to gold, p95",
                    "As before, for 95 of 100 changes.",
                    {
                        "__auto": "max(finlake_freshness_ms"
                        '{hop="gold", quantile="p95", table=~"$table"})'
                    },
                    "ms",
                    single=True,
                    steps=_FRESH,
                ),
            ),
            (
                5,
                Panel(
                    "Changes per second",
                    "Changes that the stream took in, over the last minute.",
                    {"__auto": 'sum(rate(finlake_changes_total{table=~"$table"}[1m]))'},
                    "ops",
                    single=True,
                ),
            ),
            (
                5,
                Panel(
                    "In the dead letters",
                    "Records quarantined in the time shown; each keeps its raw bytes and the"
                    " reason.",
                    {
                        "__auto": "sum(increase(finlake_changes_total"
                        '{outcome="quarantined", table=~"$table"}[$__range])) or vector(0)'
                    },
                    single=True,
                    now=True,
                    steps=_NONE_IS_GOOD,
                ),
            ),
        ),
        _lines(
            Panel(
                "Freshness per hop, p50",
                f"{_AGE} the change is visible at each hop; the slowest table.",
                {"{{hop}}": 'max by (hop) (finlake_freshness_ms{quantile="p50", table=~"$table"})'},
                "ms",
            ),
            Panel(
                "Freshness per hop, p95",
                "As before, for 95 of 100 changes.",
                {"{{hop}}": 'max by (hop) (finlake_freshness_ms{quantile="p95", table=~"$table"})'},
                "ms",
            ),
        ),
        _lines(
            Panel(
                "Batch duration",
                "How long micro-batches take; as long as they end faster than changes come,"
                " nothing piles up.",
                {
                    "p50": "histogram_quantile(0.5,"
                    " sum by (le) (rate(finlake_batch_seconds_bucket[1m])))",
                    "p95": "histogram_quantile(0.95,"
                    " sum by (le) (rate(finlake_batch_seconds_bucket[1m])))",
                    "mean": "sum(rate(finlake_batch_seconds_sum[1m]))"
                    " / sum(rate(finlake_batch_seconds_count[1m]))",
                },
                "s",
            ),
            Panel(
                "Rows per batch",
                "Changes in the newest micro-batch, and batches per minute.",
                {
                    "rows": "finlake_batch_rows",
                    "batches per minute": "sum(rate(finlake_batch_seconds_count[1m])) * 60",
                },
            ),
        ),
        _lines(
            Panel(
                "Applied, superseded, quarantined",
                "What became of the changes. The three always add up to what bronze holds.",
                {
                    "{{outcome}}": "sum by (outcome)"
                    ' (rate(finlake_changes_total{table=~"$table"}[1m]))'
                },
                "ops",
            ),
            Panel(
                "Changes by table",
                "Changes per second and table, as the stream takes them in.",
                {"{{table}}": 'sum by (table) (rate(finlake_changes_total{table=~"$table"}[1m]))'},
                "ops",
            ),
        ),
        _lines(
            Panel(
                "Into Kafka",
                "Records per second that reach each topic of the capture, beside what the stream"
                " takes in.",
                {
                    "{{topic}}": "sum by (topic)"
                    ' (rate(finlake_topic_records_total{topic=~"cdc[.]finance[.].*"}[2m]))',
                    "taken in": "sum(rate(finlake_changes_total[1m]))",
                },
                "ops",
            ),
            Panel(
                "Not read yet",
                "Records that wait for the stream, by topic.",
                {"{{topic}}": 'sum by (topic) (finlake_topic_lag_records{reader="stream"})'},
                least=0,
            ),
        ),
        _lines(
            Panel(
                "Where a batch's time goes",
                "By Spark's account, of one batch in ten seconds: addBatch is the batch's own work,"
                " triggerExecution the whole; the rest is planning and bookkeeping.",
                {"{{part}}": "finlake_batch_part_seconds"},
                "s",
                least=0,
            ),
        ),
    ),
    ("table", "Table", "finlake_changes_total"),
)

_CAPTURE: Final = Board(
    "finlake-capture",
    "FinLake capture",
    "The way from the source's log to Kafka, and who has read the topics how far.",
    (
        _values(
            (
                6,
                Panel(
                    "Connector",
                    "Whether it and all its tasks run, by Connect's own word.",
                    {"{{connector}}": "finlake_connector_running"},
                    single=True,
                    now=True,
                    steps=_UP,
                    words=_DOWN_UP,
                ),
            ),
            (
                6,
                Panel(
                    "Source's log not read",
                    "Bytes between the connector's place, which Connect notes each second, and"
                    " the log's end.",
                    {"__auto": "finlake_source_log_behind_bytes"},
                    "bytes",
                    single=True,
                ),
            ),
            (
                6,
                Panel(
                    "Commit to Kafka, p95",
                    "Age of changes when Kafka took them; of the heartbeat, which is written each"
                    " second and has microseconds.",
                    {
                        "__auto": "finlake_freshness_ms"
                        '{hop="kafka", quantile="p95", table="finlake_heartbeat"}'
                    },
                    "ms",
                    single=True,
                ),
            ),
            (
                6,
                Panel(
                    "Lost before it was read",
                    "Records that Kafka dropped while a reader was down for too long.",
                    {"__auto": "sum(finlake_topic_lost_records)"},
                    single=True,
                    now=True,
                    steps=_NONE_IS_GOOD,
                ),
            ),
        ),
        _lines(
            Panel(
                "Tasks by state",
                "Tasks of the connector; a failed one does not start again by itself.",
                {"{{state}}": "sum by (state) (finlake_connector_tasks)"},
                least=0,
            ),
            Panel(
                "Source's log not read",
                "How far behind the connector is; a snapshot shows as a hill.",
                {"bytes": "finlake_source_log_behind_bytes"},
                "bytes",
                least=0,
            ),
        ),
        _lines(
            Panel(
                "Into the topics",
                "Records per second by topic.",
                {"{{topic}}": "rate(finlake_topic_records_total[2m])"},
                "ops",
                least=0,
            ),
            Panel(
                "Not read yet",
                "Records that wait for each reader: the stream, the scoring, the live alerts.",
                {"{{reader}}": "sum by (reader) (finlake_topic_lag_records)"},
                least=0,
            ),
        ),
        _lines(
            Panel(
                "Debezium behind the source",
                "Time between the source's commit and Debezium's handling of it, by the JMX agent"
                " of the containers; the embedded stack has none.",
                {"{{server}}": 'debezium_millisecondsbehindsource{context="streaming"}'},
                "ms",
                least=0,
            ),
            Panel(
                "Tasks that run",
                "By the same agent.",
                {
                    "{{connector}}": "count by (connector)"
                    ' (kafka_connect_task_status{status="running"})'
                },
                least=0,
            ),
        ),
    ),
    since="now-1h",
)

_SCORING: Final = Board(
    "finlake-alerts",
    "FinLake alerts and scoring",
    "Fraud alerts of rules and model: how many, how fast, and what waits.",
    (
        _values(
            (
                6,
                Panel(
                    "Publishers",
                    "Whether the processes run that publish alerts of rules and of the model.",
                    {"{{job}}": 'up{job=~"alerts|score"}'},
                    single=True,
                    now=True,
                    steps=_UP,
                    words=_DOWN_UP,
                ),
            ),
            (
                6,
                Panel(
                    "Alerts of the rules",
                    "Per second, over five minutes.",
                    {"__auto": "sum(rate(finlake_alerts_published_total[5m]))"},
                    "ops",
                    single=True,
                ),
            ),
            (
                6,
                Panel(
                    "Alerts of the model",
                    "Per second, over five minutes.",
                    {"__auto": "sum(rate(finlake_score_alerts_published_total[5m]))"},
                    "ops",
                    single=True,
                ),
            ),
            (
                6,
                Panel(
                    "Model",
                    "Versions that score; 0 for none.",
                    {"{{role}}": "finlake_score_model_version"},
                    single=True,
                    now=True,
                ),
            ),
        ),
        _lines(
            Panel(
                "Alerts by rule",
                "Per minute.",
                {"{{rule}}": "sum by (rule) (rate(finlake_alerts_published_total[5m])) * 60"},
                least=0,
            ),
            Panel(
                "From the change in Kafka to its alert there",
                "Rules and model, the median and 99 of 100.",
                {
                    "rules p50": "histogram_quantile(0.5, sum by (le)"
                    ' (rate(finlake_alert_seconds_bucket{since="kafka"}[5m])))',
                    "rules p99": "histogram_quantile(0.99, sum by (le)"
                    ' (rate(finlake_alert_seconds_bucket{since="kafka"}[5m])))',
                    "model p50": "histogram_quantile(0.5, sum by (le)"
                    " (rate(finlake_score_alert_seconds_bucket[5m])))",
                    "model p99": "histogram_quantile(0.99, sum by (le)"
                    " (rate(finlake_score_alert_seconds_bucket[5m])))",
                },
                "s",
                least=0,
            ),
        ),
        _lines(
            Panel(
                "Scored by band",
                "Transactions a second; without a champion the band is none.",
                {"{{band}}": "sum by (band) (rate(finlake_score_transactions_total[5m]))"},
                "ops",
                least=0,
            ),
            Panel(
                "Where a score's time goes",
                "99 of 100: from Kafka to the batch, scored, published, committed to the table.",
                {
                    "{{hop}}": "histogram_quantile(0.99,"
                    " sum by (hop, le) (rate(finlake_score_hop_seconds_bucket[5m])))"
                },
                "s",
                least=0,
            ),
        ),
        _lines(
            Panel(
                "Waiting",
                "Records not looked at, and changes of long ago that wait for the lake.",
                {
                    "rules": "finlake_alerts_lag_records",
                    "model": "finlake_score_lag_records",
                    "for the lake": "finlake_alerts_waiting_changes",
                },
                least=0,
            ),
            Panel(
                "Failures",
                "Records that could not be read, and batches in which a model failed; in an hour.",
                {
                    "unreadable, rules": "increase(finlake_alerts_unreadable_records_total[1h])",
                    "unreadable, model": "increase(finlake_score_unreadable_records_total[1h])",
                    "{{role}}": "increase(finlake_score_model_failures_total[1h])",
                },
                least=0,
            ),
        ),
    ),
    since="now-1h",
)

_STACK: Final = Board(
    "finlake-stack",
    "FinLake stack",
    "Components, disk, and whether the tables are proved to agree.",
    (
        _values(
            (
                8,
                Panel(
                    "Asked by Prometheus",
                    "Whether each process answers with its figures.",
                    {"{{job}}": "up"},
                    single=True,
                    now=True,
                    steps=_UP,
                    words=_DOWN_UP,
                ),
            ),
            (
                4,
                Panel(
                    "Tables agree",
                    "Source, silver and gold, by finlake verify --watch.",
                    {"__auto": "finlake_reconciliation_equal"},
                    single=True,
                    now=True,
                    steps=_UP,
                    words={"0": "differ", "1": "equal"},
                ),
            ),
            (
                4,
                Panel(
                    "Proved up to",
                    "How far back; grows while the stream stands still.",
                    {"__auto": "finlake_reconciliation_lag_seconds"},
                    "s",
                    single=True,
                    steps=(("green", None), ("red", 60.0)),
                ),
            ),
            (
                4,
                Panel(
                    "Tables stopped",
                    "Source tables whose changes do not flow.",
                    {"__auto": "sum(finlake_table_stopped)"},
                    single=True,
                    now=True,
                    steps=_NONE_IS_GOOD,
                ),
            ),
            (
                4,
                Panel(
                    "Dead letters",
                    "Records that are set aside now.",
                    {"__auto": "sum(finlake_dead_letters)"},
                    single=True,
                    now=True,
                    steps=_NONE_IS_GOOD,
                ),
            ),
        ),
        _lines(
            Panel(
                "Alerts that are on",
                "Every rule that is pending or firing; the runbooks stand in docs/operations.",
                {"{{alertname}}, {{alertstate}}": "ALERTS"},
                least=0,
            ),
            Panel(
                "Components that are healthy",
                "By the embedded stack's supervisor; nothing in containers.",
                {"{{component}}": "finlake_component_up"},
                least=0,
            ),
        ),
        _lines(
            Panel(
                "Memory",
                "Resident, children included.",
                {"{{component}}": "finlake_component_memory_bytes"},
                "bytes",
                least=0,
            ),
            Panel(
                "Processor",
                "Cores in use, children included.",
                {"{{component}}": "rate(finlake_component_cpu_seconds_total[2m])"},
                least=0,
            ),
        ),
        _lines(
            Panel(
                "Free on the disks",
                "A full disk stops source, Kafka and stream alike.",
                {"{{place}}": "finlake_disk_free_bytes / finlake_disk_size_bytes"},
                "percentunit",
                least=0,
            ),
            Panel(
                "Starts",
                "Of components in an hour: more than one is a component that ends by itself.",
                {"{{component}}": "increase(finlake_component_starts_total[1h])"},
                least=0,
            ),
        ),
    ),
    since="now-1h",
)

BOARDS: Final = {
    "stream": _STREAM,
    "capture": _CAPTURE,
    "alerts": _SCORING,
    "stack": _STACK,
}
"""By the name of their files."""


def rendered(board: Board) -> dict[str, Any]:
    """The board as Grafana reads it."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["finlake"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "utc",
        "refresh": "5s",
        "time": {"from": board.since, "to": "now"},
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards",
                "title": "FinLake",
                "tags": ["finlake"],
                "asDropdown": False,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "templating": {"list": [_variable(*board.variable)] if board.variable else []},
        "panels": list(_placed(board)),
    }


def _variable(name: str, label: str, metric: str) -> dict[str, Any]:
    asked = f"label_values({metric}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": asked, "refId": "A"},
        "definition": asked,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
        "options": [],
        "regex": "",
    }


def _placed(board: Board) -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for height, panels in board.rows:
        x = 0
        for width, panel in panels:
            number += 1
            yield _panel(panel, number, {"x": x, "y": y, "w": width, "h": height})
            x += width
        y += height


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "noValue": "no figures yet"}
    if panel.least is not None:
        defaults["min"] = panel.least
    if panel.steps:
        steps = [{"color": color, "value": value} for color, value in panel.steps]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        defaults["color"] = {"mode": "thresholds"}
    if panel.words:
        options = {
            value: {"text": text, "index": index}
            for index, (value, text) in enumerate(panel.words.items())
        }
        defaults["mappings"] = [{"type": "value", "options": options}]
    if panel.single and panel.now and panel.unit == "short":
        defaults["decimals"] = 0
    if not panel.single:
        look = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
        defaults["custom"] = look
    return {
        "id": number,
        "type": "stat" if panel.single else "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": asked,
                "legendFormat": legend,
                **({"instant": True, "range": False} if panel.now else {}),
            }
            for index, (legend, asked) in enumerate(panel.asked.items())
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _ONE_VALUE if panel.single else _LINES,
    }


_ONE_VALUE: Final = {
    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    "colorMode": "value",
    "graphMode": "area",
    "textMode": "auto",
}
_LINES: Final = {
    "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
    "tooltip": {"mode": "multi", "sort": "desc"},
}


def write(folder: Path = FOLDER) -> None:
    """Write each board's file."""
    for name, board in BOARDS.items():
        text = json.dumps(rendered(board), indent=2, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
