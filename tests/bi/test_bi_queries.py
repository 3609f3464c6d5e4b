"""The twenty questions of BI tools: one text for every engine, and the same answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from batch_jobs.bench.bi import bi
from batch_jobs.bench.bi_queries import bi_queries
from infra.lake.query import Query
from infra.lake.trino import Trino
from infra.settings import load_settings
from tests.bi.conftest import World


def newest(world: World) -> datetime:
    made = json.loads((world.home / "lake" / "bench.json").read_text())
    return datetime.fromisoformat(made["newest"])


def plain(value: Any) -> Any:
    """A value without what engines choose for themselves: a month's type, a sum's scale."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if value is not None and not isinstance(value, (bool, int, float, str)):
        return f"{value.isoformat()}T00:00:00"
    return float(value) if isinstance(value, int) else value


def rows(found: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(map(plain, row.values())) for row in found.to_pylist()]


def test_there_are_twenty_and_each_has_a_name_of_its_own(world: World) -> None:
    assert len({query.name for query in bi_queries(newest(world))}) == 20


@pytest.mark.parametrize("number", range(20))
def test_a_question_has_the_same_answer_in_duckdb_and_trino(
    number: int, world: World, asked: Callable[[str], Trino]
) -> None:
    query = bi_queries(newest(world))[number]
    answers = [
        engine.query(query.sql, query.params) for engine in (Query(world.settings), asked("admin"))
    ]
    assert answers[0].column_names == answers[1].column_names, query.name
    ours, theirs = (sorted(rows(answer), key=repr) for answer in answers)
    assert len(ours) == len(theirs), query.name
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-9) if _numbers(one) else one == other
    if query.name != "one_customer":
        assert ours, f"{query.name} has no rows, so nothing was compared"


def _numbers(row: tuple[Any, ...]) -> bool:
    return all(isinstance(value, float) for value in row)


def test_the_benchmark_gives_every_question_its_figures(home: Any) -> None:
    figures = {f.metric: f.value for f in bi(load_settings(home=home), "duckdb", 3_000, 2)}
    for query in bi_queries(datetime.fromisoformat("2019-10-31T00:00:00+00:00")):
        assert figures[f"{query.name}.count"] == 2
        assert {f"{query.name}.{what}" for what in ("cold", "p50", "p95", "cpu")} <= set(figures)
    assert figures["every.count"] == 40
    assert figures["worst.p95"] >= figures["every.p50"] > 0
