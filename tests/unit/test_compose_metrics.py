"""Prometheus and Grafana ask for figures that exist, of services that are there."""

import json
import re
from collections import Counter
from datetime import date
from itertools import chain
from pathlib import Path

import pytest
import yaml

from batch_jobs.drift import Health
from batch_jobs.drift.gauges import Gauges
from batch_jobs.observe import exposed
from batch_jobs.verify.gauges import Gauges as ProofGauges
from batch_jobs.verify.watch import Round
from infra.grafana.boards import BOARDS, FOLDER, rendered
from models.lifecycle.drift import SCORE, Drift
from stream_jobs.io.metrics import Metrics
from stream_jobs.live.metrics import AlertMetrics
from stream_jobs.scoring.metrics import ScoreMetrics
from tests.unit.compose_stack import IMAGES, ROOT, SERVICES
from tests.unit.test_observe import facts

PROMETHEUS = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())
GROUPS = yaml.safe_load((ROOT / "infra/prometheus/rules.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
PROVISIONING = ROOT / "infra" / "grafana" / "provisioning"
ON_BOARDS = {
    name: [
        asked for _, panels in board.rows for _, panel in panels for asked in panel.asked.values()
    ]
    for name, board in BOARDS.items()
}
QUERIES = [*chain(*ON_BOARDS.values()), *(rule["expr"] for rule in RULES)]


@pytest.fixture(scope="module")
def published():
    """Names, labels and values of the metrics that the stream publishes."""
    metrics = Metrics()
    hops = ("kafka", "bronze", "silver", "gold", "alert")
    ages = {("transactions", hop): (3, (1.0, 2.0, 3.0)) for hop in hops}
    metrics.batch({"transactions": (3, 1, 1, 1)}, ages, 0.5)
    metrics.spent({"addBatch": 400, "triggerExecution": 500})
    return [sample for family in metrics.registry.collect() for sample in family.samples]


@pytest.fixture(scope="module")
def of_models():
    """Names, labels and values of the gauges that ``finlake drift --watch`` publishes."""
    gauges = Gauges()
    day = date(2026, 11, 1)
    score = (Drift(SCORE, 0.1, 0.1, "ok"),)
    gauges.take(Health(1, 0, (day, day), (1, 1), score, (), 0.5, ""))
    return [sample for family in gauges.registry.collect() for sample in family.samples]


@pytest.fixture(scope="module")
def of_the_whole():
    """Names, labels and values of what ``finlake observe --serve`` and the proof publish."""
    proof = ProofGauges()
    proof.take(Round(0.0, None, 0, 0, 0, (), 0.0, 0.0))
    found = [proof.registry, exposed(lambda: facts(at=0.0))]
    return [sample for one in found for family in one.collect() for sample in family.samples]


@pytest.fixture(scope="module")
def of_alerts():
    """Names, labels and values of what ``finlake alerts`` publishes."""
    metrics = AlertMetrics()
    metrics.published("amount_over", 1, 1, 2)
    return [sample for family in metrics.registry.collect() for sample in family.samples]


@pytest.fixture(scope="module")
def of_scoring():
    """Names, labels and values of what ``finlake score`` publishes."""
    metrics = ScoreMetrics()
    metrics.version.labels("champion").set(1)
    return [sample for family in metrics.registry.collect() for sample in family.samples]


def family(name):
    return re.sub(r"_(total|bucket|sum|count|created)$", "", name)


@pytest.mark.parametrize("query", QUERIES)
def test_queries_name_metrics_labels_and_values_of_the_code(
    query, published, of_models, of_scoring, of_alerts, of_the_whole
):
    published = [*published, *of_models, *of_scoring, *of_alerts, *of_the_whole]
    named = re.findall(r"\bfinlake_\w+", re.sub(r'"[^"]*"', "", query))
    assert set(named) <= {sample.name for sample in published}
    for name, selector in re.findall(r"\b(finlake_\w+)\{([^}]*)\}", query):
        for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', selector):
            known = {s.labels[label] for s in published if s.name == name and label in s.labels}
            assert known, f"{name} has no label {label}"
            chosen = (operator, value) == ("=~", "$table") or label == "table"
            matched = operator == "=~" and any(re.fullmatch(value, one) for one in known)
            assert value in known or chosen or matched, f"{label}={value}"
    for label, name in re.findall(r"by \((\w+)\) \([^)]*?(finlake_\w+)", query):
        assert any(label in sample.labels for sample in published if sample.name == name), label


def test_every_metric_of_the_stream_is_on_the_board(published):
    asked = {family(name) for name in re.findall(r"\bfinlake_\w+", " ".join(ON_BOARDS["stream"]))}
    of_others = {"finlake_topic_records", "finlake_topic_lag_records"}
    assert asked - of_others == {family(sample.name) for sample in published}


def test_the_agents_rules_give_the_figures_that_are_asked_for():
    rules = yaml.safe_load((IMAGES / "connect" / "metrics.yaml").read_text())["rules"]
    given = [re.sub(r"\$\d", r"\\w+", rule["name"]) for rule in rules]
    asked = set(re.findall(r"\b(?:debezium|kafka_connect)_\w+", " ".join(QUERIES)))
    assert asked
    for name in asked:
        assert any(re.fullmatch(pattern, name) for pattern in given), name


def test_every_alert_says_what_and_where_to_look():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) >= 4
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_runbook_and_every_runbook_an_alert(rule):
    file, anchor = rule["annotations"]["runbook"].split("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in headings
    assert set(headings) == {one["alert"] for one in RULES}


def test_prometheus_asks_services_that_answer():
    jobs = {job["job_name"]: job["static_configs"] for job in PROMETHEUS["scrape_configs"]}
    assert {name: config[0]["targets"] for name, config in jobs.items()} == {
        "stream": [f"stream:{SERVICES['stream'].environment['FINLAKE_PORT_METRICS']}"],
        "alerts": [f"alerts:{SERVICES['alerts'].environment['FINLAKE_PORT_ALERTS']}"],
        "score": [f"score:{SERVICES['score'].environment['FINLAKE_PORT_SCORE']}"],
        "drift": [f"drift:{SERVICES['drift'].command[-1]}"],
        "observe": [f"observe:{SERVICES['observe'].environment['FINLAKE_PORT_OBSERVE']}"],
        "connect": ["connect:9404"],
        "minio": ["minio:9900"],
        "grafana": ["grafana:3000"],
        "prometheus": ["127.0.0.1:9090"],
    }
    assert SERVICES["connect"].environment["ENABLE_JMX_EXPORTER"] == "true"
    assert SERVICES["minio"].environment["MINIO_PROMETHEUS_AUTH_TYPE"] == "public"


def test_prometheus_finds_its_files():
    folder, _ = SERVICES["prometheus"].mounts["/etc/prometheus"]
    (config,) = re.findall(r"--config\.file=(\S+)", SERVICES["prometheus"].words)
    for place in (config, *PROMETHEUS["rule_files"]):
        assert Path(place).parent == Path("/etc/prometheus")
        assert (ROOT / folder / Path(place).name).is_file()


def test_the_files_of_the_boards_are_what_the_code_renders():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(BOARDS)
    for name, board in BOARDS.items():
        found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        assert found == rendered(board), f"{name}.json is old; run make generate"


def test_boards_are_told_apart_by_id_and_title():
    assert len({board.uid for board in BOARDS.values()}) == len(BOARDS)
    assert len({board.title for board in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_whole(name):
    board = rendered(BOARDS[name])
    place = PROVISIONING / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(place.read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    taken: Counter[tuple[int, int]] = Counter()
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]
        asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {where["uid"] for where in asked} == {source["uid"]}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        at = panel["gridPos"]
        columns = range(at["x"], at["x"] + at["w"])
        assert columns.stop <= 24
        taken.update((x, y) for x in columns for y in range(at["y"], at["y"] + at["h"]))
    assert max(taken.values()) == 1  # nothing lies over another panel
    assert {x for x, _ in taken} == set(range(24))
    assert max(Counter(panel["id"] for panel in board["panels"]).values()) == 1
    used = set(re.findall(r"\$([a-z]\w*)", " ".join(ON_BOARDS[name])))
    assert used == {one["name"] for one in board["templating"]["list"]}
    for variable in board["templating"]["list"]:
        assert variable["datasource"]["uid"] == source["uid"]


def test_grafana_finds_its_files():
    mounts = {place: source for place, (source, _) in SERVICES["grafana"].mounts.items()}
    assert ROOT / mounts["/etc/grafana/provisioning"] == PROVISIONING
    place = PROVISIONING / "dashboards" / "finlake.yml"
    (provider,) = yaml.safe_load(place.read_text())["providers"]
    boards = ROOT / mounts[provider["options"]["path"]]
    home = SERVICES["grafana"].environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provider["options"]["path"])
    assert (boards / Path(home).name).is_file()
