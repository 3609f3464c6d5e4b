"""The alert rules by Prometheus' own checker: when each of them comes, and what it says."""

import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from infra.stack.prometheus import RULES, promtool
from tests.support.stack import skip_without_prometheus

_RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}


@dataclass
class Case:
    """Series, one value every 15 s from minute 0 on; the alert is not there yet at ``quiet``.

    It is at ``fires``, once, with these labels and this summary.
    """

    series: dict[str, str]
    quiet: str
    fires: str
    summary: str
    labels: dict[str, str]


def buckets(name: str, low: str, high: str, labels: str = "") -> dict[str, str]:
    """A histogram with all of its new observations between the two bounds."""
    return {
        f'{name}_bucket{{{labels}le="{low}"}}': "0x100",
        f'{name}_bucket{{{labels}le="{high}"}}': "0+10x100",
        f'{name}_bucket{{{labels}le="+Inf"}}': "0+10x100",
    }


def gauge(name: str, good: str, bad: str) -> dict[str, str]:
    """Good for the first two minutes, bad from then on."""
    return {name: f"{good}x7 {bad}x100"}


CASES = {
    "StreamDown": Case(
        gauge('up{job="stream"}', "1", "0"),
        "2m45s",
        "3m15s",
        "The streaming application does not run",
        {"job": "stream"},
    ),
    "NoBatches": Case(
        {"finlake_batch_seconds_count": "0+10x7 70x100"},
        "8m30s",
        "9m30s",
        "The stream runs, but has finished no batch for five minutes",
        {},
    ),
    "BatchesSlow": Case(
        buckets("finlake_batch_seconds", "5", "10"),
        "9m45s",
        "10m30s",
        "Batches take 9.8 s (p95)",
        {},
    ),
    "FreshnessMissed": Case(
        gauge(
            'finlake_freshness_ms{hop="gold", quantile="p95", table="transactions"}', "7000", "9000"
        ),
        "6m45s",
        "7m15s",
        "transactions reaches gold 9000 ms after its commit (p95)",
        {"hop": "gold", "quantile": "p95", "table": "transactions"},
    ),
    "RecordsQuarantined": Case(
        {'finlake_changes_total{outcome="quarantined", table="cards"}': "0x7 5x100"},
        "1m30s",
        "15m",
        "5 records of cards went to the dead letters",
        {"table": "cards"},
    ),
    "TableStopped": Case(
        gauge('finlake_table_stopped{table="users"}', "0", "1"),
        "1m30s",
        "2m15s",
        "The changes of users do not flow",
        {"table": "users"},
    ),
    "ReaderBehind": Case(
        {
            **gauge('finlake_topic_lag_records{reader="stream", topic="a"}', "0", "60000"),
            **gauge('finlake_topic_lag_records{reader="stream", topic="b"}', "0", "60000"),
            **gauge('finlake_topic_lag_records{reader="score", topic="b"}', "0", "60000"),
        },
        "11m45s",
        "12m15s",
        "stream has 120000 records to read",
        {"reader": "stream"},
    ),
    "RecordsLost": Case(
        gauge('finlake_topic_lost_records{reader="stream", topic="a"}', "0", "3"),
        "1m30s",
        "2m15s",
        "stream has lost 3 records of a",
        {"reader": "stream", "topic": "a"},
    ),
    "ConnectorNotRunning": Case(
        gauge('finlake_connector_running{connector="c"}', "1", "0"),
        "2m45s",
        "3m15s",
        "The Debezium connector does not run",
        {"connector": "c"},
    ),
    "ConnectorTaskFailed": Case(
        gauge('finlake_connector_tasks{connector="c", state="FAILED"}', "0", "1"),
        "1m30s",
        "2m15s",
        "A task of c has failed",
        {"connector": "c"},
    ),
    "SourceLogUnread": Case(
        gauge("finlake_source_log_behind_bytes", "1000", "536870912"),
        "11m45s",
        "12m15s",
        "512MiB of the source's log are not read",
        {},
    ),
    "AlertsDown": Case(
        gauge('up{job="alerts"}', "1", "0"),
        "2m45s",
        "3m15s",
        "No fraud alerts are published",
        {"job": "alerts"},
    ),
    "AlertsLate": Case(
        buckets("finlake_alert_seconds", "1", "2", 'since="kafka", '),
        "4m45s",
        "5m30s",
        "Fraud alerts come 2.0 s after the change (p99)",
        {},
    ),
    "ScoringDown": Case(
        gauge('up{job="score"}', "1", "0"),
        "3m45s",
        "4m15s",
        "Transactions are not scored",
        {"job": "score"},
    ),
    "ScoringBehind": Case(
        gauge("finlake_score_lag_records", "100", "20000"),
        "6m45s",
        "7m15s",
        "20000 records wait to be scored",
        {},
    ),
    "ModelFails": Case(
        {'finlake_score_model_failures_total{role="champion"}': "0x7 1+1x100"},
        "6m45s",
        "7m30s",
        "The champion fails, or cannot be loaded",
        {"role": "champion"},
    ),
    "ScoredAlertsLate": Case(
        buckets("finlake_score_alert_seconds", "2", "3"),
        "4m45s",
        "5m30s",
        "Alerts of the model come 3.0 s after the change (p99)",
        {},
    ),
    "ModelScoreDrifts": Case(
        gauge('finlake_model_drift_level{feature="score"}', "1", "2"),
        "1m30s",
        "2m15s",
        "The champion's scores are no longer spread as in its training",
        {"feature": "score"},
    ),
    "ModelDecays": Case(
        gauge("finlake_model_decay_level", "1", "2"),
        "1m30s",
        "2m15s",
        "The champion misses frauds that it should find",
        {},
    ),
    "ModelRetrainingDue": Case(
        {"finlake_model_retraining_due": "1x6000"},
        "23h59m",
        "24h1m",
        "The champion should have been trained again a day ago",
        {},
    ),
    "TablesDiffer": Case(
        gauge("finlake_reconciliation_equal", "1", "0"),
        "2m45s",
        "3m15s",
        "Source, silver and gold do not agree",
        {},
    ),
    "ProofLate": Case(
        gauge("finlake_reconciliation_lag_seconds", "2", "90"),
        "11m45s",
        "12m15s",
        "What is proved lies more than a minute back",
        {},
    ),
    "ComponentDown": Case(
        gauge('finlake_component_up{component="kafka"}', "1", "0"),
        "3m45s",
        "4m15s",
        "kafka is not healthy",
        {"component": "kafka"},
    ),
    "ComponentRestarts": Case(
        {'finlake_component_starts_total{component="stream"}': "1x7 2 3 4 5 6x120"},
        "2m",
        "30m",
        "stream has started 5 times in half an hour",
        {"component": "stream"},
    ),
    "ObjectStoreDown": Case(
        gauge('up{job="minio"}', "1", "0"),
        "2m45s",
        "3m15s",
        "MinIO does not answer",
        {"job": "minio"},
    ),
    "DiskLow": Case(
        {
            **gauge('finlake_disk_free_bytes{place="lake"}', "500", "50"),
            'finlake_disk_size_bytes{place="lake"}': "1000x100",
        },
        "6m45s",
        "7m15s",
        "Of the disk of lake 5% are left",
        {"place": "lake"},
    ),
    "PartSilent": Case(
        gauge('finlake_observe_part_up{part="topics"}', "1", "0"),
        "3m45s",
        "4m15s",
        "Figures of topics cannot be had",
        {"part": "topics"},
    ),
    "ObserverDown": Case(
        gauge('up{job="observe"}', "1", "0"),
        "3m45s",
        "4m15s",
        "Nobody looks after capture, topics and components",
        {"job": "observe"},
    ),
}


@pytest.fixture(scope="module")
def checker():
    skip_without_prometheus()
    return promtool()


def as_test(name: str, case: Case) -> dict[str, Any]:
    rule = _RULES[name]
    fired = {
        "exp_labels": {**case.labels, **rule["labels"]},
        "exp_annotations": {**rule["annotations"], "summary": case.summary},
    }
    return {
        "interval": "15s",
        "input_series": [{"series": s, "values": v} for s, v in case.series.items()],
        "alert_rule_test": [
            {"eval_time": case.quiet, "alertname": name, "exp_alerts": []},
            {"eval_time": case.fires, "alertname": name, "exp_alerts": [fired]},
        ],
    }


def test_every_alert_has_a_case():
    assert set(CASES) == set(_RULES)


@pytest.mark.parametrize("name", list(CASES))
def test_an_alert_comes_when_it_should_and_says_what_is_wrong(checker, tmp_path, name):
    file = tmp_path / "test.yml"
    wanted = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [as_test(name, CASES[name])],
    }
    file.write_text(yaml.safe_dump(wanted))
    done = subprocess.run(
        [checker, "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_and_the_configuration_of_compose_are_accepted(checker, tmp_path):
    config = (RULES.parent / "prometheus.yml").read_text()
    place = tmp_path / "prometheus.yml"
    place.write_text(config.replace("/etc/prometheus/rules.yml", str(RULES)))
    for words in (["rules", str(RULES)], ["config", str(place)]):
        done = subprocess.run(
            [checker, "check", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
