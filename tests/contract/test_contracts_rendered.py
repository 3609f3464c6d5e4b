"""What is rendered from the contracts does in its engine what the contract says."""

import importlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pydantic
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_schemas import Column, ContractError, Expectation, contracts, wide
from lakehouse_schemas.generate import PROJECT, differences, files, main, write
from lakehouse_schemas.model import ROLES
from lakehouse_schemas.render import (
    debezium,
    delta,
    dictionary,
    mysql,
    quality,
    spark,
    sql,
    strategies,
    superset,
    views,
)
from lakehouse_schemas.wide import VIEWS

ALL = contracts.all()
LAKE = contracts.lake_tables()
GOLD = contracts.layer("gold")
FEW = settings(max_examples=15, suppress_health_check=[*HealthCheck])


def names(found):
    return pytest.mark.parametrize("contract", found, ids=lambda c: c.full_name)


def nullable(schema):
    return pa.schema([field.with_nullable(True) for field in schema])


# ── Files ──


def test_the_rendered_files_are_those_of_the_contracts():
    assert differences() == []


def test_rendering_gives_the_same_bytes_in_every_process():
    code = (
        "import hashlib; from lakehouse_schemas import contracts, generate;"
        "print(hashlib.sha256(repr(sorted(generate.files(contracts.all()).items())).encode())"
        ".hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone},
        ).stdout
        for seed, locale, zone in [("1", "C", "UTC"), ("2", "C.UTF-8", "Asia/Tokyo")]
    }
    assert len(found) == 1


def test_check_names_what_differs_what_is_missing_and_what_is_too_much(tmp_path):
    written = write(tmp_path)
    assert set(written) == {*files(ALL)}
    assert write(tmp_path) == []
    assert differences(tmp_path) == []
    (tmp_path / "docs/data-dictionary.md").write_bytes(b"# Data dictionary\r\n")
    (tmp_path / "lakehouse_schemas/generated/mysql.sql").unlink()
    (tmp_path / "lakehouse_schemas/generated/old.sql").touch()
    assert differences(tmp_path) == [
        "docs/data-dictionary.md: differs from the contracts",
        "lakehouse_schemas/generated/mysql.sql: is missing",
        "lakehouse_schemas/generated/old.sql: comes from no contract",
    ]
    assert write(tmp_path) == [
        "docs/data-dictionary.md",
        "lakehouse_schemas/generated/mysql.sql",
        "lakehouse_schemas/generated/old.sql",
    ]
    assert differences(tmp_path) == []


def test_the_module_checks_and_refuses_other_words(capsys, monkeypatch):
    assert main(["--check"]) == 0
    assert main(["--chekc"]) == 2
    assert capsys.readouterr().err == "usage: python -m lakehouse_schemas.generate [--check]\n"
    monkeypatch.setattr("lakehouse_schemas.generate.write", lambda: ["a.sql"])
    assert main([]) == 0
    assert capsys.readouterr() == ("a.sql\n", "")
    monkeypatch.setattr("lakehouse_schemas.generate.differences", lambda: ["a.sql: is missing"])
    assert main(["--check"]) == 1
    assert capsys.readouterr().err == "a.sql: is missing\nrun `make generate`\n"


def test_nothing_rendered_names_a_secret_but_the_source_and_the_connector():
    for name, text in files(ALL).items():
        if "cvv" in text.replace("its CVV", "").lower().replace("and cvv", ""):
            assert name.endswith(("mysql.sql", "debezium.json", "spark.json", "dictionary.md"))


# ── MySQL, Spark, Delta ──


def test_mysql_ddl():
    assert mysql.create_table_sql(contracts.get("source.mcc_codes")) == (
        "CREATE TABLE IF NOT EXISTS `mcc_codes` (\n"
        "  `mcc` INT NOT NULL COMMENT 'Merchant category code.',\n"
        "  `description` VARCHAR(255) NOT NULL COMMENT 'Name of the category.',\n"
        "  PRIMARY KEY (`mcc`)\n"
        ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Merchant category codes and their names.'"
    )
    users = mysql.create_table_sql(contracts.get("source.users"))
    assert "`yearly_income` DECIMAL(12,2) NOT NULL COMMENT 'The customer''s own income" in users
    transactions = mysql.create_table_sql(contracts.get("source.transactions"))
    assert "`date` DATETIME(6) NOT NULL" in transactions
    assert "`zip` VARCHAR(10) NULL" in transactions


def test_spark_ddl():
    assert spark.schema_ddl(contracts.get("gold.dim_mcc")) == (
        "`mcc` INT COMMENT 'Merchant category code.',"
        " `description` STRING COMMENT 'Name of the category.'"
    )
    assert r"'The customer\'s own income" in spark.schema_ddl(contracts.get("gold.dim_user"))


@names(ALL)
def test_spark_json_is_the_struct_type_that_spark_reads(contract):
    from pyspark.sql.types import StructType

    read = StructType.fromJson(json.loads(spark.schema_json(contract)))
    assert read.names == list(contract.column_names)
    assert json.loads(read.json()) == json.loads(spark.schema_json(contract))
    types = [field.dataType.simpleString().upper() for field in read.fields]
    assert types == [spark.sql_type(c) for c in contract.columns]


def test_delta_ddl():
    text = delta.create_table_sql(contracts.get("gold.dim_mcc"), "s3a://warehouse/gold/dim_mcc")
    assert text.startswith("CREATE TABLE IF NOT EXISTS gold.dim_mcc (\n  `mcc` INT COMMENT '")
    assert ")\nUSING DELTA\nLOCATION 's3a://warehouse/gold/dim_mcc'\nCOMMENT 'Merchant c" in text
    assert "'delta.enableDeletionVectors' = 'false'" in text
    assert "'delta.columnMapping.mode' = 'none'" in text
    for contract in LAKE:
        assert "NTZ" not in delta.create_table_sql(contract)
        assert "LOCATION" not in delta.create_table_sql(contract)


@pytest.mark.parametrize(
    ("engine", "text"),
    [("duckdb", r"'it''s a \ '"), ("spark", r"'it\'s a \\ '"), ("mysql", r"'it''s a \\ '")],
)
def test_texts_are_quoted_as_the_engine_wants_them(engine, text):
    assert sql.literal("it's a \\ ", engine) == text


def test_a_wrong_contract_ends_the_module_with_its_line(capsys, monkeypatch):
    def wrong():
        raise ContractError("gold/a.yaml: is wrong")

    monkeypatch.setattr("lakehouse_schemas.generate.write", wrong)
    assert main([]) == 1
    assert capsys.readouterr() == ("", "gold/a.yaml: is wrong\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2024, 2, 29), "DATE '2024-02-29'"),
        (datetime(1, 1, 1, tzinfo=UTC), "TIMESTAMPTZ '0001-01-01 00:00:00.000000+00'"),
        (Decimal("-0.50"), "-0.50"),
        (7, "7"),
    ],
)
def test_duckdb_reads_a_literal_as_its_value(value, text):
    assert sql.literal(value, "duckdb") == text
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    assert connection.execute(f"SELECT {text}").fetchall() == [(value,)]


@given(st.text())
def test_duckdb_reads_a_quoted_text_as_it_was(text):
    text = text.replace("\0", "").encode("utf-8", "ignore").decode()
    found = duckdb.connect().execute(f"SELECT {sql.literal(text, 'duckdb')}").fetchall()
    assert found == [(text,)]


# ── Debezium ──


def test_the_connector_reads_every_source_table_and_no_secret():
    source = contracts.layer("source")
    tables = [f"finance.{c.name}" for c in source]
    columns = [f"finance.{c.name}.{column}" for c in source for column in c.column_names]
    assert matched(debezium.table_include_list("finance", source), tables) == tables
    assert matched(debezium.column_exclude_list("finance", source), columns) == [
        "finance.cards.card_number",
        "finance.cards.cvv",
    ]
    assert debezium.column_exclude_list("finance", contracts.layer("gold")) == ""
    assert not matched(debezium.table_include_list("finance", source), ["financeXcards"])


def matched(expressions, found):
    return [name for name in found if any(re.fullmatch(e, name) for e in expressions.split(","))]


# ── Quality ──


@pytest.fixture(scope="module")
def engine():
    """DuckDB with a database ``lake``; Trino's functions that it lacks are lent to it."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("ATTACH ':memory:' AS lake")
    connection.execute("USE lake")
    connection.execute("SET TimeZone = 'UTC'")
    for layer in ("bronze", "silver", "gold"):
        connection.execute(f"CREATE SCHEMA {layer}")
    connection.execute("CREATE MACRO to_utf8(x) AS x")
    connection.execute("CREATE MACRO hmac_sha256(value, key) AS unhex(sha256(key || value))")
    connection.execute("CREATE MACRO to_hex(x) AS hex(x)")
    return connection


def put(engine, contract, rows):
    engine.register("arrived", rows)
    engine.execute(f"CREATE OR REPLACE TABLE {contract.full_name} AS SELECT * FROM arrived")


def counts(engine, contract, rows):
    put(engine, contract, rows)
    found = engine.sql(quality.count_sql(contract, "duckdb")).to_arrow_table()
    return found.to_pylist()[0]


@names(LAKE)
def test_valid_rows_break_no_rule(contract, engine):
    @FEW
    @given(strategies.tables(contract, min_rows=1))
    def none_broken(rows):
        found = counts(engine, contract, rows)
        assert found.pop("rows") == rows.num_rows
        assert set(found.values()) <= {0}

    none_broken()


def wrong_values(column: Column, rule: Expectation):
    if rule.rule == "one_of":
        return [f"{rule.values[0]}x" if column.type == "string" else 10**9]
    if rule.rule == "pattern":
        good = "12/2024" if "/" in rule.pattern else "1" * int(rule.pattern[-3:-1].strip("{"))
        assert re.fullmatch(rule.pattern, good)
        return [f"{good}\n", f" {good}", good[:-1], ""]
    step: Any = timedelta(microseconds=1) if column.type == "timestamp" else 1
    if column.decimal:
        step = Decimal(1).scaleb(-column.decimal[1])
    bounds: list[tuple[Any, Any]] = [(rule.low, -step), (rule.high, step)]
    return [bound + away for bound, away in bounds if bound is not None]


RULES = [(c, column, rule) for c in LAKE for column in c.columns for rule in column.expectations]


@pytest.mark.parametrize(
    ("contract", "column", "rule"),
    RULES,
    ids=[f"{c.full_name}.{column.name}-{rule.rule}" for c, column, rule in RULES],
)
def test_each_rule_counts_the_rows_that_break_it(contract, column, rule, engine):
    @settings(max_examples=1, suppress_health_check=[*HealthCheck], database=None)
    @given(strategies.rows(contract))
    def broken(row):
        wrong = wrong_values(column, rule)
        empty = [] if column.required else [None]
        rows = [{**row, column.name: value} for value in [*wrong, *empty]]
        found = counts(engine, contract, pa.Table.from_pylist(rows, contract.arrow_schema()))
        assert found[f"{column.name} {rule.rule}"] == len(wrong)

    broken()


def test_empty_required_values_and_repeated_keys_are_counted(engine):
    contract = contracts.get("silver.mcc_codes")
    schema = nullable(contract.arrow_schema())
    row = {"mcc": 1, "description": "a", "_order_token": "t", "_is_deleted": False, "_batch_id": 1}
    rows = [row, row, {**row, "mcc": 2, "description": None}]
    found = counts(engine, contract, pa.Table.from_pylist(rows, schema))
    assert {name: n for name, n in found.items() if n} == {
        "rows": 3,
        "repeated_keys": 1,
        "description required": 1,
    }
    two = contracts.get("gold.pipeline_batches")
    assert 'count(DISTINCT ROW("batch_id", "table_name"))' in quality.count_sql(two, "trino")
    assert "count(DISTINCT `batch_id`, `table_name`)" in quality.count_sql(two, "spark")
    assert "repeated_keys" not in quality.count_sql(contracts.get("gold.agg_minute"), "duckdb")


def test_checks_say_what_a_break_means():
    found = quality.checks(contracts.get("silver.fraud_labels"), "duckdb")
    assert [c[:3] for c in found if c.column == "label"] == [
        ("label", "required", "quarantine"),
        ("label", "one_of", "quarantine"),
    ]
    (date,) = (
        c
        for c in quality.checks(contracts.get("silver.transactions"), "trino")
        if (c.column, c.rule) == ("date", "between")
    )
    assert date.broken == (
        "NOT (\"date\" >= TIMESTAMP '1990-01-01 00:00:00.000000 UTC'"
        " AND \"date\" <= TIMESTAMP '2049-12-31 23:59:59.999999 UTC')"
    )


# ── Masked views ──

SEEN = {"drop": 0, "hash": 1, "last4": 1, "partial": 1, "clear": 2}


def test_a_role_sees_what_the_one_before_it_sees_and_only_the_admin_all():
    for mask in views.SHOWN["viewer"]:
        levels = [SEEN[views.SHOWN[role][mask]] for role in ROLES]
        assert levels == sorted(levels)
        assert levels[-1] == 2
    assert set(views.SHOWN) == {*ROLES}


def select(engine, contract, role, dialect):
    """The rows that the view gives."""
    _, _, query = views.create_view_sql(contract, role, dialect).partition(" AS\n")
    return engine.sql(query).to_arrow_table().to_pylist()


@pytest.mark.parametrize("dialect", ["trino", "dremio"])
@names(LAKE)
def test_a_view_shows_each_column_as_its_mask_says(contract, dialect, engine):
    @settings(max_examples=5, suppress_health_check=[*HealthCheck])
    @given(strategies.tables(contract, min_rows=1))
    def masked(rows):
        put(engine, contract, rows)
        for role in contract.roles:
            visible = [c for c in contract.columns if views.shown(c, role) != "drop"]
            seen = select(engine, contract, role, dialect)
            for row, view in zip(rows.to_pylist(), seen, strict=True):
                assert list(view) == [c.name for c in visible]
                for column in visible:
                    assert_masked(column, views.shown(column, role), row[column.name], view)

    masked()


def assert_masked(column, way, value, view):
    found = view[column.name]
    if value is None or way == "clear":
        assert found == value
    elif way == "hash":
        assert re.fullmatch("[0-9a-f]{64}", found)
    elif way == "last4":
        assert found == value[-4:]
    else:
        assert way == "partial"
        assert found % column.mask_step == 0
        assert found <= value < found + column.mask_step


def test_the_mask_last4_leaves_four_digits_of_a_whole_card_number(engine):
    card = contracts.get("gold.dim_card")
    schema = card.arrow_schema()
    row = {f.name: None for f in schema} | {"card_last4": "4344676511950444"}
    put(engine, card, pa.Table.from_pylist([row], nullable(schema)))
    for role in ("viewer", "analyst", "operator"):
        assert select(engine, card, role, "trino")[0]["card_last4"] == "0444"


def test_a_hash_is_keyed_and_the_key_is_not_in_the_file():
    user = contracts.get("gold.dim_user")
    for dialect in ("trino", "dremio"):
        assert "${mask_key}" in views.create_view_sql(user, "viewer", dialect)
        assert "${mask_key}" not in views.create_view_sql(user, "operator", dialect)


def test_a_role_that_may_not_read_gets_no_view():
    with pytest.raises(ValueError, match=r"bronze\.changes: the contract has no role viewer"):
        views.create_view_sql(contracts.get("bronze.changes"), "viewer", "trino")
    for engine in ("trino", "dremio"):
        text = files(ALL)[f"lakehouse_schemas/generated/views/{engine}/operator.sql"]
        assert "bronze" not in text


def test_trino_views_run_as_their_owner():
    text = views.create_view_sql(contracts.get("gold.dim_mcc"), "viewer", "trino")
    assert text.startswith(
        "CREATE OR REPLACE VIEW lake.gold_viewer.dim_mcc\n"
        "COMMENT 'Merchant categories.'\nSECURITY DEFINER AS\nSELECT\n"
    )


# ── API models, Superset, dictionary ──


@names(GOLD)
def test_api_models_take_every_valid_row_and_nothing_else(contract):
    module = importlib.import_module("lakehouse_schemas.generated.models")
    model = getattr(module, "".join(word.capitalize() for word in contract.name.split("_")))
    assert model.__doc__ == contract.description
    assert list(model.model_fields) == list(contract.column_names)

    @FEW
    @given(strategies.rows(contract))
    def back_and_forth(row):
        made = model.model_validate(row)
        assert made.model_dump() == row
        assert model.model_validate_json(made.model_dump_json()) == made
        with pytest.raises(pydantic.ValidationError, match="extra_forbidden"):
            model.model_validate({**row, "other": 1})
        required = next(c.name for c in contract.columns if c.required)
        with pytest.raises(pydantic.ValidationError):
            model.model_validate({**row, required: None})

    back_and_forth()


@names(GOLD)
def test_superset_knows_every_column_and_sums_only_measures(contract):
    dataset = yaml.safe_load(superset.dataset_yaml(contract))
    role = superset.role_of(contract)
    seen = [c for c in contract.columns if views.shown(c, role) not in ("drop", "hash")]
    assert dataset["database_uuid"] == superset.database_uuid(role)
    assert [c["column_name"] for c in dataset["columns"]] == [c.name for c in seen]
    assert [c["description"] for c in dataset["columns"]] == [c.description for c in seen]
    summed = [m["metric_name"] for m in dataset["metrics"] if m["expression"].startswith("SUM(")]
    not_grouped = [c["column_name"] for c in dataset["columns"] if not c["groupby"]]
    measures = [c.name for c in contract.columns if not c.key_position]
    assert summed == not_grouped == (measures if contract.kind == "additive" else [])
    times = [c["column_name"] for c in dataset["columns"] if c["is_dttm"]]
    assert dataset["main_dttm_col"] == (times[0] if times else None)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_wide_dataset_has_the_columns_that_its_role_sees(view):
    dataset = yaml.safe_load(superset.wide_dataset_yaml(view))
    role = superset.role_of(view)
    seen = [
        one.name for one in view.columns() if views.shown(one.column, role) not in ("drop", "hash")
    ]
    assert [column["column_name"] for column in dataset["columns"]] == seen
    selected = dataset["sql"].partition("\nFROM ")[0]
    assert re.findall(r' AS "(\w+)"', selected) == seen
    for join in view.joins:  # nobody can join by what they may not see
        assert views.shown(view.contract.column(join.on), role) not in ("drop", "hash")


def test_the_dictionary_has_a_row_for_every_column():
    lines = dictionary.dictionary_md(ALL).splitlines()
    for contract in ALL:
        start = lines.index(f"### {contract.full_name}")
        head = lines.index("|---|---|---|---|---|---|---|", start)
        table = lines[head + 1 : head + 1 + len(contract.columns)]
        for line, column in zip(table, contract.columns, strict=True):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            assert len(cells) == 7
            assert cells[0].startswith(f"`{column.name}`")
            assert cells[0].endswith("•") == (not column.required)
            assert cells[-1] == column.description
    masks = lines[lines.index("| mask | viewer | analyst | operator | admin |") + 2 :]
    assert "| hash | hash | hash | clear | clear |" in masks
    assert "| drop | – | – | – | clear |" in masks


def test_the_project_is_where_the_files_go():
    assert (PROJECT / "pyproject.toml").exists()
    assert Path(contracts.TABLES).is_relative_to(PROJECT)


# ── Wide views ──


WIDE = pytest.mark.parametrize("view", VIEWS, ids=lambda v: v.name)


@pytest.fixture(scope="module")
def lake():
    """Every gold table with some rows, in a catalogue of the views' name."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.gold")
        for contract in GOLD:
            columns = ", ".join(f'"{c.name}" {duck_type(c)}' for c in contract.columns)
            connection.execute(f"CREATE TABLE lake.{contract.full_name} ({columns})")
        yield connection


def duck_type(column):
    simple = {"int32": "INTEGER", "int64": "BIGINT", "string": "VARCHAR", "binary": "BLOB"}
    return simple.get(column.type, "TIMESTAMPTZ" if column.type == "timestamp" else column.type)


def asked(view, role):
    return views.create_wide_sql(view, role, "trino").partition(" AS\n")[2]


@WIDE
def test_a_wide_view_has_the_rows_of_its_table_and_finds_what_belongs_to_them(view, lake):
    own = view.contract
    tables = {own.full_name, *(join.contract.full_name for join in view.joins)}
    for name in tables:
        lake.execute(f"DELETE FROM lake.{name}")
    marks = [c.name for c in own.columns if not c.key_position and c.type == "int64"]
    keyed = {name: value(own.column(name), 1) for name in {*own.key, *(j.on for j in view.joins)}}
    for _ in range(2 if own.kind == "additive" else 1):
        insert(lake, own, keyed | {name: 3 for name in marks if name not in keyed})
    for number in (1, 2):
        for join in view.joins:
            insert(lake, join.contract, {
                join.on: value(join.contract.column(join.on), number),
                **{c: value(join.contract.column(c), 40 + number) for c in join.columns
                   if c != join.on},
            })  # fmt: skip
    (row,) = lake.sql(asked(view, "admin")).to_arrow_table().to_pylist()
    assert list(row) == [one.name for one in view.columns()]
    for join in view.joins:
        for column, name in join.columns.items():
            if column != join.on:
                assert row[name] == value(join.contract.column(column), 41), name
    if own.kind == "additive":
        assert {row[name] for name in marks} == {6}


def insert(lake, contract, given):
    names = ", ".join(f'"{name}"' for name in given)
    marks = ", ".join("?" for _ in given)
    lake.execute(f"INSERT INTO lake.{contract.full_name} ({names}) VALUES ({marks})",
                 [*given.values()])  # fmt: skip


def value(column, number):
    if column.type == "date":
        return date(2019, 1, number % 28 + 1)
    if column.type == "timestamp":
        return datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=number)
    if column.type == "boolean":
        return number % 2 == 1
    if column.type == "string":
        return f"text {number}"
    return Decimal(number) if column.decimal else number


@WIDE
@pytest.mark.parametrize("engine", ["trino", "dremio"])
def test_a_wide_view_masks_like_the_views_of_its_tables(view, engine):
    for role in view.roles():
        text = views.create_wide_sql(view, role, engine)
        lines = text.partition("SELECT\n")[2].partition("\nFROM ")[0].split(",\n")
        seen = [one for one in view.columns() if views.shown(one.column, role) != "drop"]
        assert len(lines) == len(seen)
        for one, line in zip(seen, lines, strict=True):
            alone = views.create_view_sql(one.table, role, engine)
            column = f'"{one.column.name}"'
            mine = line.strip().replace(f"{one.table.name}.{column}", column)
            mine = mine.removesuffix(f' AS "{one.name}"')
            assert any(
                part.strip().removesuffix(f" AS {column}") == mine
                for part in alone.partition("SELECT\n")[2].partition("\nFROM ")[0].split(",\n")
            ), line
            assert (line.strip() == f'{one.table.name}.{column} AS "{one.name}"') == (
                views.shown(one.column, role) == "clear"
            )


@WIDE
def test_a_wide_view_joins_whole_keys_and_names_each_column_once(view):
    names = [one.name for one in view.columns()]
    assert len({*names}) == len(names)
    assert view.name not in {c.name for c in GOLD}
    for join in view.joins:
        contract = join.contract
        # A day of the calendar is one row by its date, too.
        assert contract.key == (join.on,) or (join.table, join.on) == ("dim_date", "date")
        assert view.contract.column(join.on).type == contract.column(join.on).type


def test_a_role_that_may_not_read_a_table_gets_no_wide_view():
    view = wide.Wide("nothing", "Nothing.", "report_editions", ())
    hidden = msgspec.structs.replace(contracts.get("gold.report_editions"), roles=("admin",))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(contracts, "get", lambda _: hidden)
        with pytest.raises(ValueError, match=r"nothing: a table of it has no role viewer"):
            views.create_wide_sql(view, "viewer", "trino")


@WIDE
def test_the_dictionary_tells_what_a_view_adds(view):
    text = dictionary.dictionary_md(ALL, [view]).partition("## Wide views")[2]
    assert view.description in text
    for join in view.joins:
        for column in join.columns:
            assert join.contract.column(column).description.replace("|", "\\|") in text
