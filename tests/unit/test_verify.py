"""Verification: equal tables are equal, and any single planted difference is found and named."""

import copy
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from batch_jobs.verify import job
from batch_jobs.verify.digests import compared, lake_digest, lake_texts
from batch_jobs.verify.gold import ADDITIVE
from batch_jobs.verify.report import Conservation, Difference, GoldCheck, Report, SourceCheck
from batch_jobs.verify.source import Bucket
from finlake.errors import ComponentMissing, UsageProblem
from infra.settings import load_settings
from lakehouse_schemas import Contract, contracts
from tests.unit.stream_world import (
    BASE,
    KEYS,
    T0,
    Lake,
    Stream,
    Topics,
    World,
    drain,
    meant,
    row,
)
from tests.unit.stream_world import settings as defaults

HOUR = 3_600_000_000
GOLD = [name for name in job._GOLD if name != "dim_date"]


class TableSource:
    """A source whose tables are in memory; stands for ``MySQLSource``."""

    def __init__(self, state: dict[str, dict[int, dict[str, Any]]]) -> None:
        self._state = {table: meant(table, rows) for table, rows in state.items()}

    def replaced(self, table: str, rows: dict[int, dict[str, Any]]) -> "TableSource":
        other = copy.copy(self)
        other._state = {**self._state, table: rows}
        return other

    def rows(self, table: str) -> dict[int, dict[str, Any]]:
        return self._state[table]

    def _ask(self, table: Contract, sql: str) -> list[tuple[Any, ...]]:
        silver = contracts.get(f"silver.{table.name}")
        schema = pa.schema([silver.arrow_schema().field(c.name) for c in compared(table)])
        there = pa.Table.from_pylist(list(self._state[table.name].values()), schema=schema)
        with duckdb.connect() as connection:
            connection.register("t", there)
            return connection.execute(sql.format(key=table.key[0])).fetchall()

    def span(self, table: Contract) -> tuple[int, int] | None:
        ((low, high),) = self._ask(table, "SELECT min({key}), max({key}) FROM t")
        return None if low is None else (low, high)

    def buckets(self, table: Contract, low: int, high: int, width: int) -> list[Bucket]:
        digest = lake_digest(compared(table))
        sql = f"""SELECT {low} + ({{key}} - {low}) // {width} * {width}, count(*), sum({digest})
        FROM t WHERE {{key}} >= {low} AND {{key}} < {high} GROUP BY 1"""
        return self._ask(table, sql)

    def digests(self, table: Contract, low: int, high: int) -> list[tuple[int, int]]:
        where = f"WHERE {{key}} >= {low} AND {{key}} < {high}"
        return self._ask(table, f"SELECT {{key}}, {lake_digest(compared(table))} FROM t {where}")

    def digests_of(self, table: Contract, keys: Sequence[int]) -> list[tuple[int, int]]:
        return [(key, digest) for key, digest in self.digests(table, 0, 2**40) if key in keys]

    def now(self) -> float:
        return time.time()

    def texts(self, table: Contract, keys: Sequence[int]) -> dict[int, tuple[str, ...]]:
        texts = ", ".join(lake_texts(compared(table)))
        found = self._ask(table, f"SELECT {{key}}, {texts} FROM t")
        return {key: tuple(row) for key, *row in found if key in keys}


@cache
def made() -> tuple[Lake, TableSource]:
    """A lake that the stream has made of a history with updates, deletes, labels and junk."""
    world = World()
    for number in range(1, 31):
        world.put(
            "transactions",
            row(
                "transactions",
                id=number * 7,
                date=T0 + number * HOUR // 5 + number % 3,
                card_id=number % 4,
                client_id=number % 3,
                amount=f"{(number * 1234567) % 400000 / 100 - 40:.2f}",
                use_chip=["Swipe Transaction", "Online Transaction"][number % 2],
                merchant_id=number % 5,
                merchant_state=["CA", "NY", "Italy", "", None][number % 5],
                merchant_city=["Beulah", "", None][number % 3],
                errors=[None, "Bad PIN", ""][number % 3],
                mcc=5000 + number % 3,
            ),
        )
        if number % 3:
            world.put(
                "fraud_labels",
                row("fraud_labels", transaction_id=number * 7, label=["Yes", "No"][number % 2]),
            )
    for name in ("users", "cards", "mcc_codes"):
        for number in range(1, 6):
            world.put(name, {**BASE[name], KEYS[name]: number})
    world.delete("transactions", 21)
    world.put("transactions", row("transactions", id=28, amount="3999.99"))
    world.delete("cards", 3)
    world.junk("transactions", b"junk")
    stream = Stream(Lake())
    topics = Topics(world.sent)
    while topics.left:
        stream.process(topics.take(lambda *_: 12))
    topics.send(world.sent[:20])
    stream.process(topics.take())
    stream.stop()
    lake = stream.lake
    assert len({len(lake.rows(f"gold.{name}")) for name in GOLD} & {0}) == 0, "a table is empty"
    return lake, TableSource(world.state)


def check(lake: Lake, source: TableSource, *names: str, **other: Any) -> Report:
    """Check the named tables, or all; ``other`` settings than the defaults."""
    every = {c.full_name for c in (*contracts.source_tables(), *contracts.layer("gold"))}
    config = defaults().model_copy(update={"home": Path("/tmp"), **other})
    return job.check(config, lake, source, names or every)  # type: ignore[arg-type]


def against_source(lake: Lake, source: TableSource, table: str) -> SourceCheck:
    (found,) = check(lake, source, f"source.{table}").tables
    return found


def with_rows(lake: Lake, name: str, rows: pa.Table) -> Lake:
    """The lake with other rows in one table."""
    other = Lake()
    other.tables = dict(lake.tables)
    other.tables[name] = copy.copy(lake.ensure(contracts.get(name)))
    other.tables[name].rows = rows
    return other


def test_what_the_stream_made_is_equal():
    lake, source = made()
    report = check(lake, source)
    assert list(report.faults()) == []
    assert report.equal
    transactions = next(t for t in report.tables if t.table == "transactions")
    assert (transactions.source_rows, transactions.silver_rows) == (29, 29)
    events = report.conservation
    assert events.bronze_events == lake.rows("bronze.changes").num_rows
    assert events.quarantined == 1
    assert events.superseded > 0


# ── The source against silver ────────────────────────────────────────────────────────────────────


def other_value(value: Any, kind: str, draw: st.DrawFn) -> Any:
    """The next value: one cent, one microsecond, one letter further; or empty where it was none."""
    if value is None:
        return draw(st.sampled_from(["", "x"])) if kind == "string" else None
    if isinstance(value, bool):
        return not value
    if isinstance(value, Decimal):
        return value + Decimal(1).scaleb(value.as_tuple().exponent)  # type: ignore[arg-type]
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, date):
        return value + timedelta(days=1)
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return draw(
            st.sampled_from([value + " ", value.swapcase() + "x", None if not value else ""])
        )
    raise AssertionError(type(value))


@settings(max_examples=40)
@given(st.data())
def test_a_value_that_differs_from_the_source_is_found_and_named(data):
    lake, source = made()
    table = data.draw(st.sampled_from(contracts.source_tables()))
    rows = source.rows(table.name)
    key = data.draw(st.sampled_from(sorted(rows)))
    column = data.draw(st.sampled_from([c for c in compared(table) if not c.key_position]))
    before = rows[key][column.name]
    after = other_value(before, column.type, data.draw)
    assume(after != before)
    changed = {**rows, key: {**rows[key], column.name: after}}
    found = against_source(lake, source.replaced(table.name, changed), table.name)
    assert found.different == 1
    assert found.first == (Difference(key, f"{column.name} differs"),)


@settings(max_examples=15)
@given(st.data())
def test_a_row_too_many_or_too_few_is_found_and_named(data):
    lake, source = made()
    table = data.draw(st.sampled_from(contracts.source_tables()))
    (key_name,) = table.key
    rows = source.rows(table.name)
    number = data.draw(st.sampled_from(sorted(rows)))
    less = {key: one for key, one in rows.items() if key != number}
    far = data.draw(st.sampled_from([-5, 10**6, 2**31 - 1]))
    more = {**rows, far: {**rows[number], key_name: far}}
    silver = lake.rows(f"silver.{table.name}")
    twice = pa.concat_tables([silver, silver.filter(pa.compute.equal(silver[key_name], number))])
    for other, tables, expected in (
        (less, lake, Difference(number, "not in the source")),
        (more, lake, Difference(far, "not in silver")),
        (
            rows,
            with_rows(lake, f"silver.{table.name}", twice),
            Difference(number, "2 times in silver"),
        ),
    ):
        found = against_source(tables, source.replaced(table.name, other), table.name)
        assert (found.different, found.first) == (1, (expected,))


@pytest.mark.parametrize("rows_at_once", [1, 3, 1000])
@pytest.mark.parametrize("empty", ["source", "silver"])
def test_everything_differs_when_one_side_is_empty(monkeypatch, rows_at_once, empty):
    monkeypatch.setattr("batch_jobs.verify.silver._ROWS", rows_at_once)
    monkeypatch.setattr("batch_jobs.verify.silver._BUCKETS", 4)
    lake, source = made()
    if empty == "source":
        source = source.replaced("transactions", {})
    else:
        silver = lake.rows("silver.transactions")
        lake = with_rows(lake, "silver.transactions", silver.slice(0, 0))
    found = against_source(lake, source, "transactions")
    assert found.different == 29
    assert [d.key for d in found.first] == [7, 14, 28, 35, 42]


@settings(max_examples=15)
@given(
    wrong=st.sets(st.integers(1, 60), min_size=1),
    rows_at_once=st.integers(1, 20),
    buckets=st.integers(2, 9),
)
def test_every_different_key_is_counted_however_the_keys_are_cut(wrong, rows_at_once, buckets):
    from batch_jobs.verify import silver
    from batch_jobs.verify.engine import open_engine

    table = contracts.get("source.mcc_codes")
    rows = {n * n: {"mcc": n * n, "description": "a"} for n in range(1, 61)}
    ours = [
        {**one, "description": "b" if round(key**0.5) in wrong else "a", "_is_deleted": False}
        for key, one in rows.items()
    ]
    state: dict[str, Any] = {"mcc_codes": rows}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silver, "_ROWS", rows_at_once)
        patch.setattr(silver, "_BUCKETS", buckets)
        with open_engine(Path("/tmp"), {"here": pa.Table.from_pylist(ours)}) as engine:
            found = silver.compare(table, TableSource(state), engine, "here")
    assert found.different == len(wrong)
    assert [d.key for d in found.first] == sorted(n * n for n in wrong)[:5]


# ── Silver against gold ──────────────────────────────────────────────────────────────────────────


def alone(lake: Lake, name: str, rows: pa.Table) -> GoldCheck:
    """What is said of one gold table when it has these rows."""
    (found,) = check(with_rows(lake, f"gold.{name}", rows), made()[1], f"gold.{name}").gold
    return found


def set_value(rows: pa.Table, index: int, name: str, value: Any) -> pa.Table:
    values = rows[name].to_pylist()
    values[index] = value
    place = rows.column_names.index(name)
    return rows.set_column(
        place, rows.schema.field(name), pa.array(values, rows.schema.field(name).type)
    )


@settings(max_examples=60)
@given(st.data())
def test_a_value_of_gold_that_silver_does_not_give_is_found(data):
    lake, _ = made()
    contract = contracts.get(f"gold.{data.draw(st.sampled_from(GOLD))}")
    rows = lake.rows(contract.full_name)
    index = data.draw(st.integers(0, rows.num_rows - 1))
    column = data.draw(st.sampled_from([c for c in contract.columns if not c.key_position]))
    before = rows[column.name][index].as_py()
    after = other_value(before, column.type, data.draw)
    assume(after != before)
    found = alone(lake, contract.name, set_value(rows, index, column.name, after))
    if not column.recomputed:
        assert found.different == 0
        return
    assert found.different == 1
    (first,) = found.first
    assert first.how == f"{column.name} differs"
    parts = [rows[name][index].as_py() for name in contract.key]
    assert str(first.key) == "/".join(str(p).replace("+00:00", "") for p in parts)


@settings(max_examples=40)
@given(st.data())
def test_a_row_of_gold_too_many_or_too_few_is_found(data):
    lake, _ = made()
    contract = contracts.get(f"gold.{data.draw(st.sampled_from(GOLD))}")
    rows = lake.rows(contract.full_name)
    index = data.draw(st.integers(0, rows.num_rows - 1))
    one = rows.slice(index, 1)
    less = pa.concat_tables([rows.slice(0, index), rows.slice(index + 1)])
    twice = pa.concat_tables([rows, one])
    assert alone(lake, contract.name, less).different == 1
    assert alone(lake, contract.name, twice).different == 1


def test_what_is_wrong_with_a_keyed_row_is_said():
    lake, _ = made()
    rows = lake.rows("gold.dim_mcc").sort_by("mcc")
    extra = set_value(rows.slice(0, 1), 0, "mcc", 99)
    cases = {
        "is missing": rows.slice(1),
        "is there 2 times": pa.concat_tables([rows, rows.slice(0, 1)]),
        "should not be there": pa.concat_tables([rows, extra]),
    }
    for how, changed in cases.items():
        (first,) = alone(lake, "dim_mcc", changed).first
        assert first.how == how


def test_partials_may_be_split_and_nothing_may_be_written_as_zeros():
    lake, _ = made()
    for name in ADDITIVE:
        contract = contracts.get(f"gold.{name}")
        rows = lake.rows(contract.full_name)
        measures = [c.name for c in contract.columns if not c.key_position]
        minus = rows.slice(0, 1)
        for measure in measures:
            minus = set_value(minus, 0, measure, -minus[measure][0].as_py())
        zeros = minus
        for measure in measures:
            zeros = set_value(zeros, 0, measure, minus[measure][0].as_py() * 0)
        first_key = contract.key[0]
        moved = zeros[first_key][0].as_py() + timedelta(days=400)
        nowhere = set_value(zeros, 0, first_key, moved)
        # Once more plus, once more minus, and a key of nothing at all.
        assert (
            alone(lake, name, pa.concat_tables([rows, rows.slice(0, 1), minus, nowhere])).different
            == 0
        )


def test_alerts_follow_the_thresholds_that_are_set():
    lake, source = made()
    (found,) = check(lake, source, "gold.fraud_alerts", rule_amount_over=5000.0).gold
    over = lake.rows("gold.fraud_alerts")["rule"].to_pylist().count("amount_over")
    assert over > 0
    assert found.different == over


# ── Conservation ─────────────────────────────────────────────────────────────────────────────────


def conservation(lake: Lake) -> Conservation:
    return check(lake, made()[1], "none").conservation


@settings(max_examples=15)
@given(st.data())
def test_an_event_that_is_in_bronze_twice_is_found(data):
    lake, _ = made()
    rows = lake.rows("bronze.changes")
    index = data.draw(st.integers(0, rows.num_rows - 1))
    one = rows.slice(index, 1)
    # In the place of another event of the same table, so that the counts still add up.
    table = one["source_table"][0].as_py()
    same = [i for i, name in enumerate(rows["source_table"].to_pylist()) if name == table]
    gone = data.draw(st.sampled_from([i for i in same if i != index]))
    rest = pa.concat_tables([rows.slice(0, gone), rows.slice(gone + 1), one])
    (problem,) = conservation(with_rows(lake, "bronze.changes", rest)).problems
    place = f"{one['topic'][0]}[{one['partition'][0]}]@{one['offset'][0]}"
    assert problem == f"bronze.changes: {place} is there 2 times"


def test_an_event_that_is_not_accounted_for_is_found():
    lake, _ = made()
    bronze, letters = lake.rows("bronze.changes"), lake.rows("bronze.dead_letters")
    (problem,) = conservation(with_rows(lake, "bronze.changes", bronze.slice(1))).problems
    assert "events, the batches saw" in problem
    (problem,) = conservation(with_rows(lake, "bronze.dead_letters", letters.slice(1))).problems
    assert problem == ("transactions: the batches set 1 events aside, the dead letters hold 0")


@settings(max_examples=20)
@given(st.data())
def test_a_count_that_is_off_by_one_is_found(data):
    lake, _ = made()
    rows = lake.rows("gold.pipeline_batches")
    index = data.draw(st.integers(0, rows.num_rows - 1))
    name = data.draw(st.sampled_from(["events", "applied", "superseded", "quarantined"]))
    wrong = set_value(rows, index, name, rows[name][index].as_py() + 1)
    assert conservation(with_rows(lake, "gold.pipeline_batches", wrong)).problems


# ── Running it ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lake_and_source(monkeypatch):
    """A lake to change while it is verified, and a source that is asked anew each time."""
    lake, source = made()
    lake = with_rows(lake, "gold.dim_mcc", lake.rows("gold.dim_mcc"))
    monkeypatch.setattr(job, "Lake", lambda settings: lake)
    monkeypatch.setattr(job, "MySQLSource", lambda settings: Closing(source))
    monkeypatch.setattr(job, "_POLL_S", 0.001)
    return lake


class Closing:
    def __init__(self, source: TableSource) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def close(self) -> None:
        pass


def test_it_waits_for_a_stream_that_catches_up(home, lake_and_source):
    table = lake_and_source.tables["gold.dim_mcc"]
    whole, said = table.rows, []
    table.rows = whole.slice(1)

    def catch_up(line: str) -> None:
        said.append(line)
        table.rows = whole
        lake_and_source.tables["gold.pipeline_batches"]._version += 1

    report = job.verify(load_settings(home=home), wait=60, said=catch_up)
    assert report.equal
    (line,) = said
    assert line.startswith("gold.dim_mcc: 1 keys differ (first 1: is missing); waiting up to ")


def test_it_gives_up_after_the_time_that_it_was_given(home, lake_and_source):
    table = lake_and_source.tables["gold.dim_mcc"]
    table.rows = table.rows.slice(1)
    report = job.verify(load_settings(home=home), tables=["dim_mcc", "cards"], wait=0.01)
    assert not report.equal
    assert [one.table for one in report.tables] == ["cards"]
    assert [one.table for one in report.gold] == ["gold.dim_mcc"]


def test_an_unknown_table_is_wrong_use(home):
    with pytest.raises(UsageProblem, match="--table nix: there is no such table"):
        job.verify(load_settings(home=home), tables=["nix"])


def test_a_lake_that_nothing_was_written_to_is_not_there(home):
    with pytest.raises(ComponentMissing, match="has no tables yet"):
        job.verify(load_settings(home=home))


def test_a_source_without_an_address_is_a_wrong_setting(home, monkeypatch):
    monkeypatch.setattr(job, "Lake", lambda settings: made()[0])
    with pytest.raises(UsageProblem, match="FINLAKE_SOURCE_URL"):
        job.verify(load_settings(home=home))


def test_nothing_is_left_in_the_home(home, lake_and_source):
    job.verify(load_settings(home=home), wait=0)
    assert list(home.iterdir()) == []


def test_the_stream_of_a_whole_day_is_equal_after_each_batch():
    """The checks hold at every moment between two batches, not only at the end."""
    world = World()
    for number in range(12):
        world.put("transactions", row("transactions", id=number % 5, amount=f"{number}.00"))
    stream = Stream(Lake())
    drain(stream, world.sent)
    stream.stop()
    assert check(stream.lake, TableSource(world.state)).equal
