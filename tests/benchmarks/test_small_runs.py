"""Each benchmark once, small, on a stack of its own: shows that it runs, not how fast."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import finlake, running_stack


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "home"


@pytest.fixture(scope="module", autouse=True)
def stack(home: Path) -> Iterator[None]:
    with running_stack(home, connector=True):
        done = finlake(home, "generate", "--transactions", "2000", "--seed", "1")
        assert done.returncode == 0, done.stderr
        yield


def measured(home: Path, *words: str) -> dict[str, float]:
    done = finlake(home, "bench", *words, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line["commit"] and line["versions"]["kafka"] for line in lines)
    return {line["metric"]: line["value"] for line in lines}


def test_throughput(home: Path) -> None:
    found = measured(home, "throughput", "--changes", "2000")
    assert found["stream.rate"] > 0
    assert found["peak_rss.stream"] > 0


def test_freshness_of_every_kind_of_change(home: Path) -> None:
    done = finlake(home, "up", "--with", "stream")
    assert done.returncode == 0, done.stderr
    found = measured(home, "freshness", "--rate", "50", "--seconds", "15")
    assert found["never_seen"] == 0
    for kind in ("insert", "update", "delete"):
        assert found[f"commit_to_fact.{kind}.count"] > 0
    assert found["commit_to_aggregate.count"] > 0
