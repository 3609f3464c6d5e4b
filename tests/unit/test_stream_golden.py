"""Real Debezium events of MariaDB and MySQL, through the whole batch processor."""

import json
from pathlib import Path
from typing import Any

import pytest

from stream_jobs.shapes import RECORDS
from tests.unit.stream_world import (
    BASE,
    GOLDEN,
    KEYS,
    Event,
    Lake,
    Stream,
    gold_faults,
    golden,
    live,
    meant,
    records,
)

FILES = [GOLDEN, GOLDEN.with_name("mysql_source_tables.jsonl")]


def outcome(events: list[tuple[Event, int]]) -> dict[str, dict[int, dict[str, Any]]]:
    """What the source holds in the end, by the position of each change alone."""
    ordered = []
    for event, offset in events:
        if event.value is not None and event.table in BASE:
            change = json.loads(event.value)
            source = change["source"]
            place = (source["file"], source["pos"], source["row"], offset)
            ordered.append((place, event.table, change))
    state: dict[str, dict[int, dict[str, Any]]] = {table: {} for table in BASE}
    for _, table, change in sorted(ordered, key=lambda one: one[0]):
        if change["op"] == "t":
            state[table].clear()
        elif change["op"] == "d":
            state[table].pop(change["before"][KEYS[table]], None)
        else:
            state[table][change["after"][KEYS[table]]] = change["after"]
    return state


@pytest.fixture(params=FILES, ids=["mariadb", "mysql"])
def events(request) -> list[tuple[Event, int]]:
    return golden(request.param)


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_real_events_end_in_the_state_of_the_source_in_batches_of_any_size(events, size, tmp_path):
    stream = Stream(Lake())
    for start in range(0, len(events), size):
        stream.process(records(events[start : start + size]))
    for table, rows in outcome(events).items():
        assert live(stream.lake, table) == meant(table, rows)
    assert stream.lake.rows("bronze.dead_letters").num_rows == 0
    assert gold_faults(stream.lake, tmp_path) == []
    stream.stop()


def test_real_events_are_whole(events):
    """Each kind of change is among them, so that the test above means something."""
    ops = {json.loads(e.value)["op"] for e, _ in events if e.value is not None}
    assert ops >= {"r", "c", "u", "d"}
    assert {e.table for e, _ in events} >= set(BASE)
    assert any(e.value is None for e, _ in events)
    assert records(events).schema == RECORDS


def test_the_sample_of_the_other_tests_has_the_columns_of_real_events(events):
    for event, _ in events:
        if event.value is not None and event.table in BASE:
            change = json.loads(event.value)
            for image in (change["before"], change["after"]):
                assert image is None or image.keys() == BASE[event.table].keys()


def test_files_are_where_they_are_looked_for():
    assert all(Path(path).is_file() for path in FILES)
