"""Each benchmark once, small, on a stack of its own: shows that it runs, not how fast."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import run, running_stack


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "home"


@pytest.fixture(scope="module")
def stack(home: Path) -> Iterator[Path]:
    with running_stack(home, connector=False):
        yield home


def measured(home: Path, *words: str, **env: str) -> dict[str, float]:
    lines = [json.loads(line) for line in run(home, "bench", *words, "--json", **env).splitlines()]
    assert all(line["versions"]["pyarrow"] and line["machine"] for line in lines)
    return {line["metric"]: line["value"] for line in lines}


def test_snapshot_by_the_connector(stack: Path) -> None:
    found = measured(stack, "throughput", "--snapshot", "2000", "--by-connector")
    assert found["snapshot.rate"] > 0
    assert found["snapshot.capture.rate"] > 0
    assert found["snapshot.peak_rss.stream"] > 0
    assert found["snapshot.cpu.connect"] > 0


def test_backlog_with_every_part_under_way(stack: Path) -> None:
    found = measured(stack, "throughput", "--changes", "2000", "--live")
    assert found["backlog.rate"] > 0
    assert found["backlog.cpu.stream"] > 0
    assert found["backlog.disk_written.kafka"] > 0


def test_scale(stack: Path) -> None:
    env = {"FINLAKE_STREAM_MAX_OFFSETS": "1000"}
    found = measured(stack, "scale", "--workers", "1", "--changes", "2000", **env)
    assert found["stream.rate"] > 0
    assert found["stream.cpu.spark-worker-1"] > found["stream.busiest_thread.spark-worker-1"] > 0
    assert found["capture.cpu.connect"] > found["capture.busiest_thread.connect"] > 0


def test_freshness_of_every_kind_of_change(stack: Path) -> None:
    run(stack, "up", "--with", "stream")
    found = measured(stack, "freshness", "--rate", "50", "--seconds", "15")
    assert found["never_seen"] == 0
    for kind in ("insert", "update", "delete"):
        assert found[f"commit_to_fact.{kind}.count"] > 0
    assert found["commit_to_aggregate.count"] > 0
    assert found["hop.transactions.gold.p99"] > 0


def test_the_cost_of_the_continuous_proof(stack: Path) -> None:
    found = measured(stack, "verify", "--rate", "50", "--seconds", "10", "--every", "1")
    assert found["rounds"] > 1
    assert found["unequal_rounds"] == 0
    assert found["share_of_core"] > 0


def test_growth(home: Path) -> None:
    words = ("--rows", "1000,2000", "--batches", "3", "--changes", "100")
    found = measured(home, "growth", *words)
    assert found["batch.count"] == 3
    assert found["batch.p50.to_first"] > 0
    assert found["files.gold.fact_transactions"] > 0
    assert found["peak_rss"] > 0


def test_query(home: Path) -> None:
    found = measured(home, "query", "--transactions", "2000", "--runs", "2")
    assert found["timeline.24h.count"] == 2
    assert found["worst.p95"] > 0
