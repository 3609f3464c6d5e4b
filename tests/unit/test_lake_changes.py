"""Whose rows changed between two versions, held against a recount of the rows of both."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.lake import changes
from infra.lake.changes import changed_keys
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts

CONTRACT = contracts.get("gold.agg_customer_day")
COLUMNS = ("transaction_count",)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(load_settings(home=tmp_path / "home"))
    found.ensure(CONTRACT)
    return found


def table_of(lake: Lake) -> DeltaTable:
    found = lake.open(CONTRACT)
    assert found is not None
    return found


def add(lake: Lake, *rows: tuple[int, int]) -> None:
    """Rows of (customer, transactions)."""
    data = [{"user_id": user, "transaction_count": count} for user, count in rows]
    schema = CONTRACT.lake_schema
    write_deltalake(table_of(lake), pa.Table.from_pylist(data, schema=schema), mode="append")


def changed(lake: Lake, since: int) -> dict[int, int] | None:
    return changed_keys(lake, CONTRACT, "user_id", COLUMNS, since, table_of(lake).version())


def test_who_comes_goes_or_changes_is_told_with_the_version(lake):
    begin = table_of(lake).version()
    assert changed(lake, begin) == {}
    add(lake, (1, 1), (2, 1), (3, 1))
    add(lake, (4, 1))
    assert changed(lake, begin) == {1: begin + 1, 2: begin + 1, 3: begin + 1, 4: begin + 2}
    table_of(lake).update(updates={"transaction_count": "5"}, predicate="user_id = 2")
    assert changed(lake, begin + 2) == {2: begin + 3}, "its neighbours were only written again"
    table_of(lake).delete("user_id = 3")
    assert changed(lake, begin + 3) == {3: begin + 4}


def test_moved_rows_and_other_columns_change_nobody(lake):
    add(lake, (1, 1), (2, 1))
    add(lake, (3, 1))
    since = table_of(lake).version()
    table_of(lake).optimize.compact()
    assert table_of(lake).version() > since
    table_of(lake).update(updates={"fraud_count": "7"})
    assert changed(lake, since) == {}


def test_what_cannot_be_told_is_everybody(lake, monkeypatch):
    since = table_of(lake).version()
    add(lake, (1, 1))
    assert changed(lake, -1) is None
    assert changed_keys(lake, CONTRACT, "user_id", COLUMNS, since + 1, since) is None
    monkeypatch.setattr(changes, "_MOST_BYTES", 10)
    assert changed(lake, since) is None
    monkeypatch.undo()
    monkeypatch.setattr(changes, "_MOST_COMMITS", 0)
    assert changed(lake, since) is None
    monkeypatch.undo()
    assert changed(lake, since) == {1: since + 1}
    root = Path(lake.uri(CONTRACT))
    for path in root.glob("*.parquet"):
        path.unlink()
    assert changed(lake, since) is None


Step = st.one_of(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=4),
    st.tuples(st.just("delete"), st.integers(1, 4)),
    st.tuples(st.just("update"), st.integers(1, 4), st.integers(1, 3)),
    st.just("compact"),
)


def rows_of(table: DeltaTable) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row in table.to_pyarrow_table().to_pylist():
        found.setdefault(row["user_id"], []).append(row["transaction_count"])
    return {user: sorted(counts) for user, counts in found.items()}


@given(steps=st.lists(Step, max_size=6))
@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
def test_whoever_is_not_told_has_the_rows_they_had(tmp_path_factory, steps):
    lake = Lake(load_settings(home=tmp_path_factory.mktemp("changes") / "home"))
    lake.ensure(CONTRACT)
    add(lake, (1, 1), (2, 2))
    since = table_of(lake).version()
    before = rows_of(table_of(lake))
    for step in steps:
        if step == "compact":
            table_of(lake).optimize.compact()
        elif isinstance(step, list):
            add(lake, *step)
        elif step[0] == "delete":
            table_of(lake).delete(f"user_id = {step[1]}")
        else:
            count = {"transaction_count": str(step[2])}
            table_of(lake).update(updates=count, predicate=f"user_id = {step[1]}")
    after, found = rows_of(table_of(lake)), changed(lake, since)
    assert found is not None
    differ = {user for user in before | after if before.get(user) != after.get(user)}
    assert differ <= set(found)
