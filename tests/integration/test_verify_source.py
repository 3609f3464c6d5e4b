"""What the source digests by its own SQL, against what DuckDB digests of the lake's rows."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from batch_jobs.load.connection import connect
from batch_jobs.verify.digests import compared
from batch_jobs.verify.engine import Engine, open_engine
from batch_jobs.verify.silver import compare
from batch_jobs.verify.source import MySQLSource
from finlake.errors import ComponentMissing, FinlakeError
from infra.database.schema import apply_schema
from infra.settings import Settings, load_settings
from infra.stack.mariadb import MariaDB
from infra.stack.mysql import MySQL
from lakehouse_schemas import contracts
from tests.support.source import Server

TRANSACTIONS = contracts.get("source.transactions")
TEXTS = [
    None,
    "",
    " ",
    "n",
    "0",
    "|",
    "3:abc",
    "\\N",
    "it's",
    'a"b',
    "Zürich",
    "東京",
    "🙂🙂",
    "a\tb\nc",
    "É",
    "é",
]
AMOUNTS = ["0.00", "-0.01", "0.10", "-9999999999.99", "9999999999.99", "-77.00"]
TIMES = [
    "1969-12-31 23:59:59.999999",
    "1970-01-01",
    "2010-01-01 00:01:00.000001",
    "9999-12-31 23:59:59.9",
]


@pytest.fixture(scope="module", params=[MariaDB, MySQL], ids=["mariadb", "mysql"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("source")
    try:
        made = Server(home, request.param)
    except ComponentMissing as error:
        pytest.skip(f"REAL {request.param.__name__} IS NOT TESTED: {error}")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def settings(server: Server, home: Path) -> Settings:
    return load_settings(home=home, source_url=server.url)


def rows() -> list[tuple[Any, ...]]:
    """A row for each odd value, columns in the table's order."""
    found = []
    for number, text in enumerate([*TEXTS, *TEXTS[:1] * 8]):
        amount, time = AMOUNTS[number % len(AMOUNTS)], TIMES[number % len(TIMES)]
        key = [-(2**63), -1, 0, 2**63 - 1][number] if number < 4 else number * 1000
        when = datetime.fromisoformat(time)
        found.append(
            (
                key,
                when,
                number,
                -number,
                Decimal(amount),
                "Chip",
                1,
                text,
                text,
                text and text[:10],
                2**31 - 1,
                text,
            )
        )
    return found


@pytest.fixture
def engine(settings: Settings, tmp_path: Path) -> Iterator[Engine]:
    """The rows in the source, and in the lake's form beside it."""
    apply_schema(settings)
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM transactions")
        marks = ", ".join(["%s"] * len(TRANSACTIONS.columns))
        cursor.executemany(f"INSERT INTO transactions VALUES ({marks})", rows())
        connection.commit()
    with open_engine(tmp_path, {"silver": silver(rows())}) as engine:
        yield engine


def silver(values: list[tuple[Any, ...]]) -> pa.Table:
    names = [c.name for c in compared(TRANSACTIONS)]
    schema = pa.schema(
        [contracts.get("silver.transactions").arrow_schema().field(n) for n in names]
    )
    table = pa.Table.from_pylist(
        [dict(zip(names, one, strict=True)) for one in values], schema=schema
    )
    return table.append_column("_is_deleted", pa.array([False] * len(values)))


def test_every_odd_value_has_the_same_digest_on_both_sides(
    settings: Settings, engine: Engine
) -> None:
    with closing(MySQLSource(settings)) as source:
        found = compare(TRANSACTIONS, source, engine, "silver")
    assert (found.source_rows, found.different, found.first) == (len(rows()), 0, ())


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("amount", lambda v: v + Decimal("0.01") if v < 0 else v - Decimal("0.01")),
        ("date", lambda v: v - timedelta(microseconds=1)),
        ("merchant_city", lambda v: "" if v is None else None if v == "" else v.swapcase() + " "),
        ("mcc", lambda v: v - 1),
    ],
)
def test_the_smallest_change_of_each_row_is_seen_and_named(
    settings: Settings, engine: Engine, column: str, change: Any
) -> None:
    names = [c.name for c in TRANSACTIONS.columns]
    place = names.index(column)
    changed = [(*one[:place], change(one[place]), *one[place + 1 :]) for one in rows()]
    engine.show("silver", silver(changed))
    with closing(MySQLSource(settings)) as source:
        found = compare(TRANSACTIONS, source, engine, "silver")
    assert found.different == len(rows())
    assert {one.how for one in found.first} == {f"{column} differs"}


def test_a_table_that_is_missing_or_has_other_columns_is_said(
    settings: Settings, server: Server, engine: Engine
) -> None:
    table = contracts.get("source.mcc_codes")
    with server.root() as cursor:
        cursor.execute("ALTER TABLE finance.mcc_codes RENAME COLUMN description TO words")
        source = MySQLSource(settings)
        with pytest.raises(FinlakeError, match=r"^mcc_codes: .*description.*bring the source"):
            source.buckets(table, 0, 1, 1)
        source.close()
        cursor.execute("DROP TABLE finance.mcc_codes")
        source = MySQLSource(settings)
        with pytest.raises(ComponentMissing, match=r"^mcc_codes: the source has no such table"):
            source.span(table)
        source.close()
