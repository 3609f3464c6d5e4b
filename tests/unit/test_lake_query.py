"""Questions in SQL over tables as the stream leaves them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from infra.lake.query import Query, QueryError
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from stream_jobs.io.writer import DeltaRsWriter
from stream_jobs.shapes import Patch

MCC = contracts.get("gold.dim_mcc")
SCHEMA = pa.schema([f.with_nullable(True) for f in MCC.arrow_schema()])


def rows(*pairs: tuple[int, str]) -> pa.Table:
    return pa.Table.from_pylist([{"mcc": m, "description": d} for m, d in pairs], schema=SCHEMA)


def test_texts_can_be_compared_in_a_table_that_was_merged(home: Path) -> None:
    settings = load_settings(home=home)
    writer = DeltaRsWriter(Lake(settings), "test")
    writer.append(MCC, rows((1, "Grocery Stores"), (2, "Book Stores")), 0)
    none = rows()
    writer.merge(MCC, Patch(none, rows((2, "Books")), none.select(["mcc"])), 1)
    writer.append(MCC, rows((3, "Hotels")), 2)
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
    ["DROP TABLE x", "SELECT 1; SELECT 2", "SELECT * FROM read_csv('/etc/passwd')", "SELEC 1"],
)
def test_what_is_no_question_to_the_lake_is_refused_in_one_line(home: Path, statement: str) -> None:
    with pytest.raises(QueryError, match=r"^DuckDB: ") as found:
        Query(load_settings(home=home)).query(statement)
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
    writer = DeltaRsWriter(Lake(settings), "test")
    writer.append(MCC, rows((1, "Hotels")), 0)
    assert query.query("SELECT * FROM gold.dim_mcc").num_rows == 1
    writer.append(MCC, rows((2, "Motels")), 1)
    assert query.query("SELECT * FROM gold.dim_mcc WHERE mcc = ?", [2])["mcc"].to_pylist() == [2]
