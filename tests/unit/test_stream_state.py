"""What the stream remembers, and what keeps its tables small."""

from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from deltalake import write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from finlake.errors import ComponentMissing, UsageProblem
from infra.lake.delta_log import DeltaLog
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from stream_jobs import job
from stream_jobs.io import appended, housekeeping, keyed
from stream_jobs.io.housekeeping import Housekeeping
from stream_jobs.io.metrics import Metrics
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.shapes import Patch
from tests.unit.stream_world import (
    Stream,
    Topics,
    World,
    gold_faults,
    row,
    silver_equals,
)

CATEGORIES = contracts.get("silver.mcc_codes")


@pytest.fixture
def small_files(monkeypatch):
    """Files of two rows where changes fall, of four where they do not."""
    _sizes(monkeypatch, leaf=2, full=4)


def _sizes(monkeypatch: pytest.MonkeyPatch, leaf: int, full: int, hot: int = 0) -> None:
    monkeypatch.setattr(keyed, "LEAF_ROWS", leaf)
    monkeypatch.setattr(keyed, "HOT_ROWS", 4 * leaf)
    monkeypatch.setattr(keyed, "_HOT", hot)
    monkeypatch.setattr(keyed, "FULL_ROWS", full)
    monkeypatch.setattr(keyed, "_JOIN", 2)
    monkeypatch.setattr(keyed, "_COLD_S", -1.0)


@pytest.fixture
def scattering(monkeypatch):
    """New rows are set apart wherever two leaves would have to be written for them."""
    _sizes(monkeypatch, leaf=2, full=16)
    monkeypatch.setattr(keyed, "_SPARSE", 1)
    monkeypatch.setattr(keyed, "_FEW", 1)


@pytest.fixture
def much_at_once(monkeypatch):
    """Neighbours are written as one file, of eight rows, when a third of their rows changes."""
    _sizes(monkeypatch, leaf=2, full=16, hot=3)
    monkeypatch.setattr(keyed, "_SPARSE", 1)
    monkeypatch.setattr(keyed, "_FEW", 1)


@pytest.fixture
def lake(home):
    return Lake(load_settings(home=home))


def categories(numbers: list[int], token: int = 1) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "mcc": n,
            "description": f"{n}",
            "_order_token": str(token),
            "_is_deleted": n % 5 == 0,
            "_batch_id": 0,
        }
        for n in numbers
    ]
    schema = CATEGORIES.lake_schema
    return pa.Table.from_pylist(rows, schema=schema)


NUMBERS = st.sets(st.integers(-20, 40) | st.integers(2**31 - 20, 2**31 - 1), max_size=12)


@pytest.mark.parametrize("sizes", ["small_files", "scattering", "much_at_once"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.tuples(NUMBERS, NUMBERS, st.booleans(), st.booleans()), max_size=12),
    asked=st.lists(NUMBERS, min_size=1, max_size=4),
    cache=st.sampled_from([1, 1 << 20]),
)
def test_a_keyed_table_is_a_dictionary_whatever_is_in_memory_and_however_it_is_cut(
    request, tmp_path_factory, caplog, sizes, batches, asked, cache
):
    """Puts, deletes, joins and restarts, with files of two rows: as a dictionary would have it."""
    request.getfixturevalue(sizes)
    lake = Lake(load_settings(home=tmp_path_factory.mktemp("lake")))
    tables = Tables(lake, cache)
    state: dict[int, dict[str, Any]] = {}
    for number, (put, gone, tidy, restart) in enumerate(batches):
        rows = categories(sorted(put - gone), number)
        there = pa.array([key in state for key in rows["mcc"].to_pylist()], pa.bool_())
        deletes = categories(sorted(gone & state.keys())).select(["mcc"])
        patch = Patch(rows.filter(pc.invert(there)), rows.filter(there), deletes)
        LakeWriter(tables, "app").merge(CATEGORIES, patch, number)
        for key in deletes["mcc"].to_pylist():
            del state[key]
        state.update({one["mcc"]: one for one in rows.to_pylist()})
        if tidy:
            while tables.keyed(CATEGORIES).tidy():
                pass
        if restart:
            tables = Tables(lake, cache)
        for wanted in asked:
            found = tables.keyed(CATEGORIES).of(pa.array(sorted(wanted), pa.int32())).to_pylist()
            assert {one["mcc"]: one for one in found} == {
                key: one for key, one in state.items() if key in wanted
            }
            assert len(found) == len({one["mcc"] for one in found})
    live = tables.keyed(CATEGORIES).live().to_pylist()
    assert sorted(one["mcc"] for one in live) == sorted(n for n in state if n % 5)
    stored = lake.ensure(CATEGORIES).to_pyarrow_table().to_pylist()
    assert sorted(one["mcc"] for one in stored) == sorted(state)
    assert not caplog.records


def test_a_change_rewrites_the_files_whose_keys_it_has_and_no_other(lake, small_files):
    tables = Tables(lake, 1 << 20)
    table = tables.keyed(CATEGORIES)
    for number in range(6):
        rows = categories([10 * number, 10 * number + 1])
        LakeWriter(tables, "app").append(CATEGORIES, rows, number)
    before = set(table.log.files)
    assert len(before) == 6
    patch = Patch(categories([]), categories([31], token=9), categories([]).select(["mcc"]))
    LakeWriter(tables, "app").merge(CATEGORIES, patch, 6)
    assert len(before & set(table.log.files)) == 5
    assert len(table.log.files) == 6


def test_a_batch_is_known_though_the_log_was_cleaned_up_since_it_was_opened(lake):
    writer = LakeWriter(Tables(lake, 1 << 20), "app")
    for number in range(3):
        writer.append(CATEGORIES, categories([number]), number)
    opened = DeltaLog(lake, CATEGORIES)
    writer.append(CATEGORIES, categories([3]), 3)
    lake.ensure(CATEGORIES).create_checkpoint()
    for entry in Path(lake.uri(CATEGORIES)).glob("_delta_log/*.json"):
        if int(entry.stem) <= opened.version:
            entry.unlink()
    assert opened.batch("app") == 3


def test_neighbours_of_which_much_changes_are_written_as_one_file(lake, much_at_once):
    table = Tables(lake, 1 << 20).keyed(CATEGORIES)
    for first in range(0, 60, 10):
        table.apply(_new([first, first + 1]))
    before = set(table.log.files)
    assert len(before) == 6
    none = categories([])
    table.apply(Patch(none, categories([11, 20, 30, 50], token=9), none.select(["mcc"])))
    (joined, alone) = sorted(
        (file for path, file in table.log.files.items() if path not in before),
        key=lambda file: -file.rows,
    )
    assert (joined.low, joined.high, joined.rows) == (10, 31, 6)
    assert (alone.low, alone.rows) == (50, 2)
    assert len(before & set(table.log.files)) == 2


def test_new_rows_between_many_leaves_are_one_file_until_they_are_sorted_in(lake, scattering):
    table = Tables(lake, 1 << 20).keyed(CATEGORIES)
    for first in range(0, 80, 10):
        table.apply(_new([first, first + 1]))
    leaves = set(table.log.files)
    assert len(leaves) == 8
    table.apply(_new([2, 12, 22, 32]))
    (scattered,) = set(table.log.files) - leaves
    update = Patch(categories([]), categories([12], token=5), categories([32]).select(["mcc"]))
    table.apply(update)
    assert leaves < set(table.log.files), "a leaf was written for a row that lay elsewhere"
    assert scattered not in table.log.files
    for third in (3, 4, 5):
        table.apply(_new([third, third + 20, third + 40, third + 60]))
    table = Tables(lake, 1 << 20).keyed(CATEGORIES)
    while table.tidy():
        pass
    apart = [file for file in table.log.files.values() if file.scattered]
    assert sum(file.rows for file in apart) <= keyed.FULL_ROWS // 8
    stored = lake.ensure(CATEGORIES).to_pyarrow_table()
    tens = range(0, 80, 10)
    expected = {*tens, *(n + 1 for n in tens), 2, 12, 22}
    expected |= {third + n for third in (3, 4, 5) for n in (0, 20, 40, 60)}
    assert sorted(stored["mcc"].to_pylist()) == sorted(expected)
    assert (
        dict(zip(*(stored[c].to_pylist() for c in ("mcc", "_order_token")), strict=True))[12] == "5"
    )


def _new(numbers: list[int]) -> Patch:
    return Patch(categories(numbers), categories([]), categories([]).select(["mcc"]))


def test_new_keys_are_not_looked_for_in_the_lake(lake, monkeypatch):
    LakeWriter(Tables(lake, 1 << 20), "app").append(CATEGORIES, categories([1, 2, 3]), 0)
    table = Tables(lake, 1 << 20).keyed(CATEGORIES)
    monkeypatch.setattr(table.log, "read", lambda file: pytest.fail(f"read {file}"))
    assert table.of(pa.array([4, 2**31 - 1], pa.int32())).num_rows == 0


def test_files_of_another_writer_that_overlap_and_say_nothing_of_themselves(lake):
    address = lake.uri(CATEGORIES)
    lake.ensure(CATEGORIES).alter.set_table_properties({"delta.dataSkippingNumIndexedCols": "0"})
    for keys in ([5, 1, 9], [8, 2], [7]):
        write_deltalake(address, categories(keys), mode="append")
    tables = Tables(lake, 1 << 20)
    found = tables.keyed(CATEGORIES).of(pa.array([1, 8, 7, 3], pa.int32()))
    assert sorted(found["mcc"].to_pylist()) == [1, 7, 8]
    patch = Patch(categories([3]), categories([8], token=2), categories([1]).select(["mcc"]))
    LakeWriter(tables, "app").merge(CATEGORIES, patch, 0)
    stored = lake.ensure(CATEGORIES).to_pyarrow_table().to_pylist()
    assert sorted(one["mcc"] for one in stored) == [2, 3, 5, 7, 8, 9]
    assert next(one for one in stored if one["mcc"] == 8)["_order_token"] == "2"


def test_a_commit_whose_answer_was_lost_is_not_made_twice(lake, monkeypatch):
    """The store took the commit, and the answer never came."""
    put = obstore.put

    def lost(store, path, body, **rest):
        put(store, path, body, **rest)
        if path.startswith("_delta_log"):
            raise obstore.exceptions.GenericError("connection reset")

    tables = Tables(lake, 1 << 20)
    LakeWriter(tables, "app").append(CATEGORIES, categories([1]), 0)
    monkeypatch.setattr(obstore, "put", lost)
    LakeWriter(tables, "app").append(CATEGORIES, categories([2]), 1)
    monkeypatch.undo()
    LakeWriter(tables, "app").append(CATEGORIES, categories([3]), 2)
    table = lake.ensure(CATEGORIES)
    assert sorted(table.to_pyarrow_table()["mcc"].to_pylist()) == [1, 2, 3]
    assert table.version() == 3


def test_a_commit_that_the_store_refused_is_an_error_that_says_where(lake, monkeypatch):
    def full(store, path, body, **rest):
        raise obstore.exceptions.GenericError("No space left on device (os error 28)")

    tables = Tables(lake, 1 << 20)
    LakeWriter(tables, "app").append(CATEGORIES, categories([1]), 0)
    monkeypatch.setattr(obstore, "put", full)
    with pytest.raises(ComponentMissing, match=r"silver.mcc_codes: writing .*No space left"):
        LakeWriter(tables, "app").append(CATEGORIES, categories([2]), 1)
    monkeypatch.undo()
    LakeWriter(tables, "app").append(CATEGORIES, categories([2]), 1)
    found = lake.ensure(CATEGORIES).to_pyarrow_table()["mcc"].to_pylist()
    assert sorted(found) == [1, 2]


def test_what_was_written_for_a_commit_that_failed_takes_no_room(lake, small_files, monkeypatch):
    put, calls = obstore.put, []

    def full(store, path, body, **rest):
        calls.append(path)
        if len(calls) == 3:
            raise obstore.exceptions.GenericError("No space left on device (os error 28)")
        return put(store, path, body, **rest)

    tables = Tables(lake, 1 << 20)
    LakeWriter(tables, "app").append(CATEGORIES, categories([1]), 0)
    folder = Path(lake.uri(CATEGORIES))
    before = sorted(folder.glob("*.parquet"))
    monkeypatch.setattr(obstore, "put", full)
    with pytest.raises(ComponentMissing):
        LakeWriter(tables, "app").append(CATEGORIES, categories(list(range(2, 12))), 1)
    assert len(calls) == 3
    assert sorted(folder.glob("*.parquet")) == before


def test_a_checkpoint_that_is_ahead_of_its_lake_is_refused(lake, tmp_path):
    batches = contracts.get("gold.pipeline_batches")
    writer = LakeWriter(Tables(lake, 1 << 20), "query")
    job._check_checkpoint(lake, tmp_path)  # nothing was done yet
    (tmp_path / "commits").mkdir()
    (tmp_path / "metadata").write_text('{"id": "query"}')
    for number in (3, 4):
        (tmp_path / "commits" / str(number)).touch()
    with pytest.raises(UsageProblem, match=r"is at batch 4, the lake .* at none of its batches"):
        job._check_checkpoint(lake, tmp_path)
    writer.note(batches, 3)
    with pytest.raises(UsageProblem, match=r"is at batch 4, the lake .* at batch 3; restore"):
        job._check_checkpoint(lake, tmp_path)
    writer.note(batches, 4)
    writer.note(batches, 4)
    job._check_checkpoint(lake, tmp_path)
    assert lake.ensure(batches).version() == 2
    (tmp_path / "metadata").write_text('{"id": "another"}')
    with pytest.raises(UsageProblem, match="at none of its batches"):
        job._check_checkpoint(lake, tmp_path)


def test_readers_by_delta_rs_find_rows_by_any_column(lake):
    """They pass over files whose statistics leave a column out."""
    rows = categories([1, 2, 3, 5])
    LakeWriter(Tables(lake, 1 << 20), "app").append(CATEGORIES, rows, 0)
    dataset = lake.ensure(CATEGORIES).to_pyarrow_dataset()
    for name in rows.column_names:
        for value in set(rows[name].to_pylist()):
            is_it = ds.field(name) == value if value is not None else ds.field(name).is_null()
            expected = sum(one == value for one in rows[name].to_pylist())
            assert dataset.to_table(filter=is_it).num_rows == expected, (name, value)


# ── Housekeeping ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def busy(home, lake, monkeypatch):
    """A stream with housekeeping after each batch, over every table each time."""
    monkeypatch.setattr(housekeeping, "_REST_S", -1.0)
    monkeypatch.setattr(appended, "_JOIN", 2)
    monkeypatch.setattr(keyed, "_JOIN", 2)
    monkeypatch.setattr(keyed, "_COLD_S", -1.0)
    store = Tables(lake, 1 << 20)
    stream = Stream(lake, lambda: LakeWriter(store, "app"), load_settings(home=home))
    keeper = Housekeeping(lake, store, contracts.lake_tables(), history_minutes=60, marker_days=30)
    tables = contracts.lake_tables()
    world = World()

    def work(batches: int) -> World:
        topics = Topics([])
        for number in range(batches):
            start = len(world.sent)
            for key in (number, number // 2):
                amount = f"{number * 900}.00"
                world.put("transactions", row("transactions", id=key, amount=amount))
            if number % 4 == 3:
                world.delete("transactions", number - 2)
            topics.send(world.sent[start:])
            stream.process(topics.take())
            for contract in tables:
                keeper.tidy(contract)
        return world

    yield work
    stream.stop()


def test_tables_that_are_joined_stay_what_they_were_and_few(busy, lake, home):
    world = busy(12)
    silver_equals(lake, world.state)
    assert gold_faults(lake, home) == []
    for contract in contracts.layer("gold"):
        table = lake.open(contract)
        assert table is None or len(table.file_uris()) <= 5, contract.full_name


def test_a_joined_table_still_knows_its_newest_batch(busy, lake):
    busy(8)
    fact = contracts.get("gold.fact_transactions")
    assert lake.ensure(fact).transaction_version("app") == 7


def test_markers_of_deleted_keys_expire_and_nothing_else(lake):
    old, young = categories([5, 6]), categories([10, 11])
    stamps = lake.ensure(CATEGORIES).schema().to_arrow()
    assert "_source_ts" in pa.schema(stamps).names
    place = old.column_names.index("_source_ts")

    def at(rows: pa.Table, seconds: int) -> pa.Table:
        kind = rows.schema.field("_source_ts")
        return rows.set_column(
            place, kind, pa.array([seconds * 10**6] * 2, pa.int64()).cast(kind.type)
        )

    import time

    tables = Tables(lake, 1 << 20)
    rows = pa.concat_tables([at(old, 0), at(young, int(time.time()) - 60)])
    LakeWriter(tables, "app").append(CATEGORIES, rows, 0)
    Housekeeping(lake, tables, [CATEGORIES], 60, marker_days=1).tidy(CATEGORIES)
    left = lake.ensure(CATEGORIES).to_pyarrow_table()["mcc"].to_pylist()
    assert sorted(left) == [6, 10, 11]


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────


def test_metrics_say_what_a_batch_did():
    metrics = Metrics()
    for _ in range(2):
        metrics.batch({"cards": (9, 5, 3, 1)}, {("cards", "gold"): (9, (1.5, 2.5, 3.5))}, 0.3)
    text = generate_latest(metrics.registry).decode()
    for line in (
        'finlake_changes_total{outcome="applied",table="cards"} 10.0',
        'finlake_changes_total{outcome="quarantined",table="cards"} 2.0',
        'finlake_freshness_ms{hop="gold",quantile="p95",table="cards"} 2.5',
        'finlake_batch_seconds_bucket{le="0.5"} 2.0',
        "finlake_batch_rows 9.0",
        "finlake_stream_up 0.0",
    ):
        assert line in text
