"""One interface, four engines: values, parameters, time-outs, streaming, and what errors say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.lake.dremio import Dremio, bind
from infra.lake.engine import Engine, QueryError
from infra.lake.engines import ENGINES, open_engine
from infra.lake.flight_sql import FlightSql
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.lake.trino import Trino
from infra.settings import Settings, load_settings
from infra.stack.certificates import authority, certificate, make_certificates
from lakehouse_schemas import contracts
from tests.bi.conftest import World
from tests.bi.servers import DremioStandIn, free_port, roapi
from tests.support.rows import rows_of
from tests.support.stack import finlake

MCC = contracts.get("gold.dim_mcc")
ALERTS = contracts.get("gold.fraud_alerts")


@pytest.fixture(scope="module")
def dremio() -> Iterator[DremioStandIn]:
    with DremioStandIn() as server:
        yield server


def dremio_settings(server: DremioStandIn, **more: object) -> Settings:
    given = {"dremio_user": server.USER, "dremio_password": server.PASSWORD, **more}
    return load_settings(dremio_url=server.url, **given)


@pytest.fixture(scope="module")
def flight_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two gold tables at a place without blanks, which ROAPI does not take."""
    lake = Lake(load_settings(home=tmp_path_factory.mktemp("flight")))
    for contract in (MCC, ALERTS):
        write_deltalake(lake.ensure(contract), rows_of(contract, [1, 2, 3]), mode="append")
    return lake


@pytest.fixture(scope="module")
def flight_sql(flight_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """ROAPI over these tables, which its SQL knows without the layer."""
    tables = {c.name: Path(flight_lake.uri(c)) for c in (MCC, ALERTS)}
    with roapi(tables, tmp_path_factory.mktemp("roapi") / "roapi.log") as url:
        yield load_settings(flightsql_url=url)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    name = request.param
    if name == "duckdb":
        with Query(request.getfixturevalue("world").settings) as found:
            yield found
    elif name == "trino":
        yield request.getfixturevalue("asked")("admin")
    elif name == "dremio":
        with Dremio(dremio_settings(request.getfixturevalue("dremio"))) as found:
            yield found
    else:
        with FlightSql(request.getfixturevalue("flight_sql")) as found:
            yield found


EACH = pytest.mark.parametrize("engine", ENGINES, indirect=True)
BINDING = pytest.mark.parametrize("engine", ["duckdb", "trino", "dremio"], indirect=True)


# ── the same of all ──────────────────────────────────────────────────────────────────────────────


@EACH
def test_an_answer_is_an_arrow_table(engine: Engine) -> None:
    found = engine.query("SELECT 1 AS a, 'it''s' AS b, CAST(12.30 AS DECIMAL(12,2)) AS c")
    assert found.column_names == ["a", "b", "c"]
    assert found.to_pylist() == [{"a": 1, "b": "it's", "c": Decimal("12.30")}]
    assert found.schema.field("c").type == pa.decimal128(12, 2)


@EACH
def test_no_rows_have_a_schema_all_the_same(engine: Engine) -> None:
    found = engine.query("SELECT 1 AS a WHERE 1 = 0")
    assert found.num_rows == 0
    if isinstance(engine, FlightSql):
        return  # ROAPI tells no columns where there are no rows
    assert found.column_names == ["a"]
    assert pa.types.is_integer(found.schema.field("a").type)


@EACH
def test_a_wrong_statement_is_one_line_that_names_the_engine(engine: Engine) -> None:
    with pytest.raises(QueryError) as found:
        engine.query("SELECT no_such_column FROM (SELECT 1 AS a) t")
    assert str(found.value).startswith(f"{engine.title}: ")
    assert "no_such_column" in str(found.value).lower()
    assert "\n" not in str(found.value)


@EACH
def test_a_stream_can_be_left_in_the_middle(engine: Engine) -> None:
    ten = " UNION ALL ".join(["SELECT 1 AS a"] * 10)
    many = f"SELECT x1.a FROM ({ten}) x1 CROSS JOIN ({ten}) x2 CROSS JOIN ({ten}) x3"
    with engine.stream(many) as answer:
        assert answer.schema.names == ["a"]
        assert next(iter(answer)).num_rows > 0
    assert list(answer) == []
    assert engine.query("SELECT 2 AS a")["a"].to_pylist() == [2]


VALUES = [
    7,
    -(2**40),
    'it\'s ? "quoted" -- not a comment',
    "Zürich 数",
    "",
    Decimal("-9999999999.99"),
    date(2019, 10, 31),
    datetime(2019, 10, 31, 23, 59, 59, 123000, UTC),
    True,
    False,
]


@BINDING
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was_bound(engine: Engine, value: object) -> None:
    (found,) = engine.query("SELECT ? AS v, '?' AS mark -- ?\n", [value]).to_pylist()
    assert found["mark"] == "?"
    back = found["v"]
    if isinstance(back, datetime) and back.tzinfo is None:  # Dremio's times have no zone
        back = back.replace(tzinfo=UTC)
    assert back == value


@BINDING
def test_nothing_can_be_bound_too(engine: Engine) -> None:
    assert engine.query("SELECT 1 AS a WHERE CAST(? AS INTEGER) IS NULL", [None]).num_rows == 1


@pytest.mark.parametrize("engine", ["duckdb", "trino", "dremio"], indirect=True)
def test_too_few_values_are_refused(engine: Engine) -> None:
    with pytest.raises(QueryError, match=engine.title):
        engine.query("SELECT ? AS a, ? AS b", [1])


SLOW = {
    "DuckDB": "SELECT sum(a.i * b.i) AS s FROM range(100000000) a(i), range(100000) b(i)",
    "Trino": "SELECT sum(a.amount) AS s FROM gold.fact_transactions a, gold.fact_transactions b,"
    " gold.fact_transactions c, gold.fact_transactions d WHERE a.amount < d.amount",
    "Dremio": "SELECT 'slowly' AS s",
}


@BINDING
def test_what_takes_too_long_is_given_up(engine: Engine) -> None:
    with pytest.raises(QueryError, match=rf"^{engine.title} gave up after 0\.5 s; ask for less"):
        engine.query(SLOW[engine.title], timeout_s=0.5)
    assert engine.query("SELECT 1 AS a", timeout_s=60)["a"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("trino", {"trino_url": "https://127.0.0.1:{port}"}),
        ("dremio", {"dremio_url": "grpc://127.0.0.1:{port}", "dremio_token": "t"}),
        ("flightsql", {"flightsql_url": "grpc://127.0.0.1:{port}"}),
    ],
)
def test_an_engine_that_is_not_there_is_said_with_the_way_out(
    home: Path, name: str, settings: dict[str, str]
) -> None:
    port = free_port()
    given = {key: text.format(port=port) for key, text in settings.items()}
    engine = open_engine(load_settings(**given), name)
    with engine, pytest.raises(ComponentMissing) as found:
        engine.query("SELECT 1", timeout_s=20)
    assert re.search(rf"127\.0\.0\.1:{port} does not answer \(.*\);", str(found.value))
    assert re.search(r"correct FINLAKE_\w+_URL$", str(found.value))
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("name", ["trino", "dremio", "flightsql"])
def test_an_engine_without_an_address_says_which_setting(home: Path, name: str) -> None:
    with pytest.raises(UsageProblem, match=rf"^setting FINLAKE_{name.upper()}_URL is empty; "):
        open_engine(load_settings(), name)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [("trino", "trino_url", "127.0.0.1:8443"), ("dremio", "dremio_url", "http://x:1")],
)
def test_a_wrong_address_is_refused(home: Path, name: str, setting: str, value: str) -> None:
    settings = load_settings(dremio_token="t", **{setting: value})
    with pytest.raises(UsageProblem, match=rf"^setting FINLAKE_{setting.upper()}"):
        open_engine(settings, name)


# ── Trino ────────────────────────────────────────────────────────────────────────────────────────


def test_types_of_trino_that_arrow_does_not_share_come_as_text(
    asked: Callable[[str], Trino],
) -> None:
    (row,) = (
        asked("admin")
        .query(
            "SELECT ARRAY[1, 2] AS a, TIME '10:00:00' AS b, INTERVAL '2' DAY AS c, X'00ff' AS d,"
            " NULL AS e, REAL '1.5' AS f, TIMESTAMP '2020-01-01 00:00:00.123456' AS g,"
            " TIMESTAMP '2020-01-01 00:00:00.5 +02:00' AS h"
        )
        .to_pylist()
    )
    assert (row["a"], row["b"], row["c"]) == ("[1, 2]", "10:00:00", "2 days, 0:00:00")
    assert (row["d"], row["e"], row["f"]) == (b"\x00\xff", None, 1.5)
    assert row["g"] == datetime(2020, 1, 1, 0, 0, 0, 123456)  # noqa: DTZ001 (it has no zone)
    assert row["h"] == datetime(2019, 12, 31, 22, 0, 0, 500_000, UTC)


def test_a_table_that_trino_does_not_know_says_how_it_gets_to_know_it(
    asked: Callable[[str], Trino],
) -> None:
    with pytest.raises(QueryError, match=r"gold.nothing' does not exist; `finlake catalogue`"):
        asked("admin").query("SELECT * FROM gold.nothing")


# ── Flight SQL, at a real server ─────────────────────────────────────────────────────────────────


def test_gold_reads_the_same_through_flight_sql(flight_lake: Lake, flight_sql: Settings) -> None:
    with FlightSql(flight_sql) as engine:
        for contract in (MCC, ALERTS):
            found = engine.query(f"SELECT * FROM {contract.name}")
            table = DeltaTable(flight_lake.uri(contract)).to_pyarrow_table()
            assert found.column_names == table.column_names
            assert found.num_rows > 0
            texts = [sorted(map(str, rows.to_pylist())) for rows in (found, table)]
            assert texts[0] == texts[1]


def test_what_a_flight_server_cannot_bind_is_said(flight_sql: Settings) -> None:
    with FlightSql(flight_sql) as engine, pytest.raises(FinlakeError, match="Flight SQL") as found:
        engine.query("SELECT CAST(? AS BIGINT) AS a", [1])
    assert "\n" not in str(found.value)


# ── Dremio's handshake ───────────────────────────────────────────────────────────────────────────


def test_a_password_is_given_once_and_a_token_from_then_on(dremio: DremioStandIn) -> None:
    dremio.calls.clear()
    with Dremio(dremio_settings(dremio)) as engine:
        for number in range(3):
            assert engine.query("SELECT ? AS a", [number])["a"].to_pylist() == [number]
    kinds = [call["authorization"][0].partition(" ")[0].lower() for call in dremio.calls]
    assert kinds == ["basic"] + ["bearer"] * 6
    cookies = {call.get("cookie", [""])[0] for call in dremio.calls[1:]}
    assert len(cookies) == 1
    assert cookies.pop().startswith("arrow_flight_session_id=")


def test_a_personal_token_needs_no_password(dremio: DremioStandIn) -> None:
    dremio.calls.clear()
    settings = load_settings(dremio_url=dremio.url, dremio_token=dremio.TOKEN)
    with Dremio(settings) as engine:
        assert engine.query("SELECT 1 AS a").num_rows == 1
    assert {call["authorization"][0] for call in dremio.calls} == {f"Bearer {dremio.TOKEN}"}


def test_routing_goes_with_every_call(dremio: DremioStandIn) -> None:
    dremio.calls.clear()
    routed = dremio_settings(dremio, dremio_routing_tag="bi", dremio_routing_queue="Low Cost")
    with Dremio(routed) as engine:
        engine.query("SELECT 1 AS a")
    for call in dremio.calls:
        assert (call["routing_tag"], call["routing_queue"]) == (["bi"], ["Low Cost"])


def test_a_token_that_has_run_out_is_renewed(dremio: DremioStandIn) -> None:
    with Dremio(dremio_settings(dremio)) as engine:
        engine.query("SELECT 1 AS a")
        dremio.expire()
        assert engine.query("SELECT 2 AS a")["a"].to_pylist() == [2]


@pytest.mark.parametrize("given", [{"dremio_password": "wrong"}, {"dremio_token": "wrong"}])
def test_who_may_not_ask_is_told_which_settings(
    dremio: DremioStandIn, given: dict[str, str]
) -> None:
    refused = pytest.raises(UsageProblem, match=r"refuses the user .* correct FINLAKE_DREMIO_USER")
    with Dremio(dremio_settings(dremio, **given)) as engine, refused:
        engine.query("SELECT 1")


def test_flight_goes_through_tls_whose_authority_is_checked(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    own = certificate(tmp_path, "trino")
    pair = [((own / "public.crt").read_bytes(), (own / "private.key").read_bytes())]
    with DremioStandIn(tls_certificates=pair) as server:
        url = f"grpc+tls://localhost:{server.port}"
        settings = load_settings(dremio_url=url, dremio_token=server.TOKEN)
        trusting = settings.model_copy(update={"dremio_ca": authority(tmp_path)})
        with Dremio(trusting) as engine:
            assert engine.query("SELECT 1 AS a").num_rows == 1
        with Dremio(settings) as engine, pytest.raises(FinlakeError, match="Dremio"):
            engine.query("SELECT 1 AS a", timeout_s=10)
    missing = settings.model_copy(update={"dremio_ca": tmp_path / "none.pem"})
    with pytest.raises(UsageProblem, match=r"FINLAKE_DREMIO_CA: .*none.pem is no readable PEM"):
        Dremio(missing)


@given(st.lists(st.text(st.sampled_from("'\"?-/*\n a;\\é"), max_size=8), max_size=5))
def test_a_bound_text_is_that_text_and_nothing_else(texts: list[str]) -> None:
    """Whatever a text holds, it ends nothing and opens nothing."""
    import duckdb

    sql = "SELECT " + ", ".join(["'?' || ? /* ? */"] * len(texts) + ['1 AS "?" -- ? it\'s'])
    (row,) = duckdb.connect().execute(bind(sql, texts)).fetchall()
    assert row == (*(f"?{text}" for text in texts), 1)


# ── the command ──────────────────────────────────────────────────────────────────────────────────


def test_the_command_asks_the_engine_that_is_named(world: World, tmp_path: Path) -> None:
    sql = "SELECT mcc, description FROM gold.dim_mcc WHERE mcc = ? ORDER BY mcc"
    answers = {}
    for engine in ("duckdb", "trino"):
        for form in ("table", "csv", "json"):
            words = ["query", "--engine", engine, "--format", form, "--param", "5411", sql]
            done = finlake(world.home, *words)
            assert done.returncode == 0, done.stderr
            answers[engine, form] = done.stdout
        file = tmp_path / f"{engine}.parquet"
        words = ["query", "--engine", engine, "--format", "parquet", "--output", str(file)]
        done = finlake(world.home, *words, "--param", "5411", sql)
        assert (done.returncode, done.stdout) == (0, "")
        answers[engine, "parquet"] = str(pq.read_table(file).to_pylist())
    assert "5411" in answers["duckdb", "csv"]
    for form in ("table", "csv", "json", "parquet"):
        assert answers["duckdb", form] == answers["trino", form]


def test_an_error_of_the_command_is_one_line_and_leaves_no_file(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "answer.csv"
    words = ["query", "--engine", "trino", "--format", "csv", "--output", str(file)]
    done = finlake(world.home, *words, "SELECT * FROM gold.nothing")
    assert done.returncode == 1
    assert re.match(r"finlake query: Trino: .*does not exist; .*\n$", done.stderr)
    assert list(tmp_path.iterdir()) == []
    done = finlake(world.home, "query", "--engine", "dremio", "SELECT 1")
    assert done.returncode == 2
    assert "FINLAKE_DREMIO_URL is empty" in done.stderr


def test_duckdb_is_fresh_at_every_new_version(home: Path) -> None:
    settings = load_settings(home=home)
    with Query(settings) as engine:
        for number in range(3):
            rows = pa.Table.from_pylist([{"mcc": number}], schema=MCC.lake_schema)
            write_deltalake(Lake(settings).ensure(MCC), rows, mode="append")
            with engine.stream("SELECT count(*) AS n FROM gold.dim_mcc") as answer:
                (batch,) = answer
            assert batch["n"].to_pylist() == [number + 1]
