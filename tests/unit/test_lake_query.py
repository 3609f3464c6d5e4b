"""Questions in SQL over tables as the stream leaves them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from finlake.errors import ComponentMissing
from infra.lake.query import NO_PUSHDOWN, Query, QueryError
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import Contract, contracts
from lakehouse_schemas.wide import VIEWS, Wide
from tests.support.rows import rows_of

MCC = contracts.get("gold.dim_mcc")
SCHEMA = MCC.lake_schema


def rows(*pairs: tuple[int, str]) -> pa.Table:
    return pa.Table.from_pylist([{"mcc": m, "description": d} for m, d in pairs], schema=SCHEMA)


def test_texts_can_be_compared_in_a_table_that_was_merged(home: Path) -> None:
    settings = load_settings(home=home)
    table = Lake(settings).ensure(MCC)
    write_deltalake(table, rows((1, "Grocery Stores"), (2, "Book Stores")), mode="append")
    merge = table.merge(rows((2, "Books")), "s.mcc = t.mcc", "s", "t")
    merge.when_matched_update_all().execute()
    write_deltalake(table, rows((3, "Hotels")), mode="append")
    query = Query(settings)
    for where, expected in (
        ("description = 'Books'", [2]),
        ("description IN ('Books', 'Hotels', 'Grocery Stores')", [1, 2, 3]),
        ("description > 'Books'", [1, 3]),
        ("description LIKE 'Gro%'", [1]),
    ):
        statement = f"SELECT * FROM gold.dim_mcc WHERE {where} ORDER BY mcc"
        assert query.query(statement)["mcc"].to_pylist() == expected
        assert query.query(f"SELECT count(*) AS n FROM gold.dim_mcc WHERE {where}")[
            "n"
        ].to_pylist() == [len(expected)]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE x",
        "SELECT 1; SELECT 2",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{lake}/../secret')",
        "COPY (SELECT 1) TO '{lake}/gold/x.parquet'",
        "SET enable_external_access = true",
        "ATTACH '{lake}/x.db'",
        "SELEC 1",
    ],
)
def test_what_is_no_question_to_the_lake_is_refused_in_one_line(home: Path, statement: str) -> None:
    (home / "lake").mkdir(parents=True)
    (home / "secret").write_text("x")
    with pytest.raises(QueryError, match=r"^DuckDB: ") as found:
        Query(load_settings(home=home)).query(statement.format(lake=home / "lake"))
    assert "\n" not in str(found.value)


ALERTS = contracts.get("gold.fraud_alerts")
ALERT_SCHEMA = ALERTS.lake_schema
NOON = datetime(2019, 10, 31, 12, 0, 0, 123456, tzinfo=UTC)


def alert(number: int, state: str | None, amount: str) -> pa.Table:
    values = {
        "alert_id": f"{number}:amount_over",
        "transaction_id": number,
        "merchant_state": state,
        "amount": Decimal(amount),
        "transaction_ts": NOON + timedelta(hours=number),
    }
    return pa.Table.from_pylist([values], schema=ALERT_SCHEMA)


def commit(table: Path, version: int, file: str) -> None:
    """Put a file into a table's log as another engine would."""
    size = (table / file).stat().st_size
    add = {
        "path": file.replace(" ", "%20"),
        "partitionValues": {},
        "size": size,
        "modificationTime": 0,
        "dataChange": True,
    }
    (table / "_delta_log" / f"{version:020d}.json").write_text(json.dumps({"add": add}) + "\n")


@pytest.fixture(params=["folder", "dataset"])
def query(request: pytest.FixtureRequest, home: Path) -> Query:
    """A lake with files of every writer, read both ways."""
    settings = load_settings(home=home)
    table = Path(Lake(settings).ensure(ALERTS).table_uri.removeprefix("file://"))
    # As this project's writer leaves it.
    pq.write_table(alert(1, "CA", "0.10"), table / "a.parquet", store_schema=False)
    commit(table, 1, "a.parquet")
    # As Spark does: times of 96 bits, a name that a log escapes, a column that came later missing.
    old = alert(2, None, "-9999999999.99").drop_columns(["merchant_city"])
    pq.write_table(old, table / "b c.parquet", use_deprecated_int96_timestamps=True)
    commit(table, 2, "b c.parquet")
    # As delta-rs does: texts of the view type, also after joining files.
    write_deltalake(table, alert(3, "Zürich", "3.00"), mode="append")
    merged = DeltaTable(table).merge(alert(3, "it's", "3.01"), "s.alert_id = t.alert_id", "s", "t")
    merged.when_matched_update_all().execute()
    made = Query(settings)
    if request.param == "dataset":
        made._lake.storage_options = {}
        made._connection.execute(NO_PUSHDOWN)
    return made


def test_values_are_the_same_whoever_wrote_the_file(query: Query) -> None:
    found = query.query(
        "SELECT transaction_id AS id, merchant_state, merchant_city, amount, transaction_ts"
        " FROM gold.fraud_alerts ORDER BY id"
    )
    assert found.schema.field("transaction_ts").type == pa.timestamp("us", tz="UTC")
    assert found.schema.field("amount").type == pa.decimal128(12, 2)
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (1, "CA", None, Decimal("0.10"), NOON + timedelta(hours=1)),
        (2, None, None, Decimal("-9999999999.99"), NOON + timedelta(hours=2)),
        (3, "it's", None, Decimal("3.01"), NOON + timedelta(hours=3)),
    ]


@pytest.mark.parametrize(
    ("where", "params", "expected"),
    [
        ("merchant_state = ?", ["it's"], [3]),
        ("coalesce(merchant_state, 'ONLINE') IN ('ONLINE', 'CA')", [], [1, 2]),
        ("merchant_state > 'D'", [], [3]),
        ("merchant_state IS NULL", [], [2]),
        ("merchant_city IS NULL", [], [1, 2, 3]),
        ("transaction_ts >= ?", [NOON + timedelta(hours=2)], [2, 3]),
        ("transaction_ts = ?", [NOON + timedelta(hours=2)], [2]),
        ("amount < 0", [], [2]),
        ("amount = 3.01", [], [3]),
        ("transaction_id BETWEEN 2 AND 3 AND rule IS NULL", [], [2, 3]),
    ],
)
def test_filters_are_right_over_the_files_of_every_writer(
    query: Query, where: str, params: list[object], expected: list[int]
) -> None:
    sql = f"SELECT transaction_id AS id FROM gold.fraud_alerts WHERE {where} ORDER BY id"
    assert query.query(sql, params)["id"].to_pylist() == expected


def test_a_table_is_read_at_its_newest_version_each_time(query: Query) -> None:
    def count() -> list[int]:
        found = query.query("SELECT count(*) AS n FROM gold.fraud_alerts")
        return [int(n) for n in found["n"].to_pylist()]

    assert count() == [3]
    table = DeltaTable(query._lake.uri(ALERTS))
    write_deltalake(table, alert(4, "NY", "1.00"), mode="append")
    assert count() == [4]
    table.optimize.compact()
    assert count() == [4]
    table.delete()
    assert count() == [0]


def test_several_threads_may_ask_while_a_table_changes(query: Query) -> None:
    table = DeltaTable(query._lake.uri(ALERTS))

    def ask(_: int) -> int:
        found = query.query("SELECT count(*) AS n FROM gold.fraud_alerts")["n"].to_pylist()
        return int(found[0])

    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(ask, range(40))
        for number in range(10, 15):
            write_deltalake(table, alert(number, None, "1.00"), mode="append")
        assert set(answers) <= set(range(3, 9))
    assert ask(0) == 8


def test_a_lake_that_lost_a_file_is_said_in_one_line(query: Query) -> None:
    for file in Path(query._lake.uri(ALERTS)).glob("*.parquet"):
        file.unlink()
    # DuckDB speaks of what a dataset could not read in words of its own.
    known = r"^gold.fraud_alerts: could not be read|^DuckDB: .*gold__fraud_alerts.*not found"
    with pytest.raises((ComponentMissing, QueryError), match=known) as found:
        query.query("SELECT * FROM gold.fraud_alerts")
    assert "\n" not in str(found.value)


def test_a_question_that_takes_too_long_is_given_up(home: Path) -> None:
    endless = "SELECT sum(a.i * b.i) FROM range(100000000) a(i), range(100000) b(i)"
    with pytest.raises(QueryError, match=r"gave up after 0\.2 s"):
        Query(load_settings(home=home)).query(endless, timeout_s=0.2)


def test_a_table_that_is_not_there_yet_is_empty_until_it_is(home: Path) -> None:
    settings = load_settings(home=home)
    query = Query(settings)
    assert query.version("gold.dim_mcc") == -1
    assert query.query("SELECT * FROM gold.dim_mcc").num_rows == 0
    table = Lake(settings).ensure(MCC)
    assert query.query("SELECT * FROM gold.dim_mcc").num_rows == 0
    write_deltalake(table, rows((1, "Hotels")), mode="append")
    assert query.query("SELECT * FROM gold.dim_mcc").num_rows == 1
    write_deltalake(table, rows((2, "Motels")), mode="append")
    assert query.query("SELECT * FROM gold.dim_mcc WHERE mcc = ?", [2])["mcc"].to_pylist() == [2]


# ── Wide views ───────────────────────────────────────────────────────────────────────────────────

WIDE = pytest.mark.parametrize("view", VIEWS, ids=lambda v: v.name)


@pytest.fixture(params=["folder", "dataset"])
def wide_query(request: pytest.FixtureRequest, home: Path) -> Query:
    """Asks a lake in which tables come as a test makes them, read both ways."""
    made = Query(load_settings(home=home))
    if request.param == "dataset":
        made._lake.storage_options = {}
        made._connection.execute(NO_PUSHDOWN)
    return made


def put(query: Query, table: Contract, numbers: list[int]) -> None:
    lake = Lake(load_settings())  # as a writer has it, whichever way the query reads
    write_deltalake(lake.ensure(table), rows_of(table, numbers), mode="append")


@WIDE
def test_a_wide_view_is_a_table_to_whoever_asks(view: Wide, wide_query: Query) -> None:
    empty = wide_query.query(f"SELECT * FROM {view.full_name}")
    assert empty.column_names == [one.name for one in view.columns()]
    assert empty.num_rows == 0
    for table in view.tables:
        put(wide_query, table, [1, 2, 3])
    found = wide_query.query(f"SELECT * FROM {view.full_name}")
    assert found.num_rows == 3
    for one in view.columns():
        kind = found.schema.field(one.name).type
        if view.contract.kind == "additive" and one.column.decimal and one.table == view.contract:
            kind = pa.decimal128(one.column.decimal[0], kind.scale)  # a sum has more digits
        assert kind == one.column.arrow_type, one.name


def test_a_wide_view_sums_joins_and_is_read_at_its_tables_newest_versions(
    wide_query: Query,
) -> None:
    sums, names = contracts.get("gold.agg_category_day"), contracts.get("gold.dim_mcc")
    day = {"date": date(2019, 10, 31), "mcc": 7}

    def part(count: int, amount: str) -> pa.Table:
        row = {**day, "transaction_count": count, "amount_sum": Decimal(amount)}
        return pa.Table.from_pylist([row], schema=sums.lake_schema)

    def read() -> list[tuple[object, ...]]:
        sql = "SELECT mcc, transaction_count, amount_sum, category FROM gold.wide_category_days"
        return [tuple(row.values()) for row in wide_query.query(sql).to_pylist()]

    lake = Lake(load_settings())
    write_deltalake(lake.ensure(sums), part(3, "10.50"), mode="append")
    write_deltalake(lake.ensure(sums), part(-1, "-0.25"), mode="append")
    assert read() == [(7, 2, Decimal("10.25"), None)]
    write_deltalake(lake.ensure(names), rows((7, "Hotels")), mode="append")
    assert read() == [(7, 2, Decimal("10.25"), "Hotels")]
    write_deltalake(lake.ensure(sums), part(1, "1.00"), mode="append")
    assert read() == [(7, 3, Decimal("11.25"), "Hotels")]


def test_a_wide_view_can_be_asked_beside_its_tables_by_several_threads(wide_query: Query) -> None:
    facts, names = contracts.get("gold.fact_transactions"), contracts.get("gold.dim_mcc")
    put(wide_query, facts, [1])

    def ask(number: int) -> int:
        if number % 5 == 0:
            put(wide_query, names, [number])
        sql = (
            "SELECT count(*) AS n FROM GOLD.Wide_Transactions w"
            " JOIN gold.fact_transactions f USING (transaction_id)"
        )
        return int(wide_query.query(sql)["n"][0].as_py())

    put(wide_query, names, [1])
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(ask, range(1, 21))) == {1}


@WIDE
def test_a_wide_view_of_the_lake_is_not_written(view: Wide, wide_query: Query) -> None:
    with pytest.raises(QueryError, match="read here, not written"):
        wide_query.query(f"DROP VIEW {view.full_name}")
