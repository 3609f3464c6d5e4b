"""What a source must be before it is captured."""

import msgspec
import pytest

from connectors.config import Source
from connectors.preflight import Facts, judge
from lakehouse_schemas import contracts

SOURCE = Source("mariadb", "127.0.0.1", 3306, "finance", "app", "x", "off")
TABLES = contracts.layer("source")
MARIADB = (
    "GRANT RELOAD, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `cdc`@`%` IDENTIFIED BY 'x'",
    "GRANT SELECT, LOCK TABLES ON `finance`.* TO `cdc`@`%`",
    "GRANT INSERT, DELETE ON `finance`.`finlake_signal` TO `cdc`@`%`",
    "GRANT INSERT, UPDATE ON `finance`.`finlake_heartbeat` TO `cdc`@`%`",
)
MYSQL = (MARIADB[0].replace("BINLOG MONITOR", "REPLICATION CLIENT"), *MARIADB[1:])


def facts(**other):
    found = Facts(
        version="11.4.5-MariaDB-log",
        variables={
            "log_bin": "ON",
            "binlog_format": "ROW",
            "binlog_row_image": "FULL",
            "binlog_legacy_event_pos": "ON",
        },
        columns={table.name: table.column_names for table in TABLES},
        keys={table.name: table.key for table in TABLES},
        grants=MARIADB,
    )
    return Facts(**{**found.__dict__, **other})


def problems(**other):
    return judge(facts(**other), SOURCE, TABLES)


def without(table, *names):
    columns = {contract.name: contract.column_names for contract in TABLES}
    return {**columns, table: tuple(name for name in columns[table] if name not in names)}


@pytest.mark.parametrize(
    ("version", "grants"),
    [
        ("11.4.5-MariaDB", MARIADB),
        ("10.4.1-MariaDB", MYSQL),
        ("8.4.0", MYSQL),
        ("8.4.0", ("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION",)),
        ("8.4.0", (*MYSQL[:1], "GRANT SELECT, LOCK TABLES, INSERT, UPDATE, DELETE ON *.* TO `c`")),
    ],
)
def test_a_fit_source_has_no_problems(version, grants):
    assert problems(version=version, grants=grants) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("log_bin", "OFF"), ("binlog_format", "MIXED"), ("binlog_row_image", "MINIMAL")],
)
def test_the_server_must_log_whole_rows(name, value):
    (problem,) = problems(variables={**facts().variables, name: value})
    assert name in problem
    assert value in problem


def test_mariadb_must_give_each_statement_a_position():
    """Else two changes of a row in one transaction cannot be put in order."""
    variables = {**facts().variables, "binlog_legacy_event_pos": "OFF"}
    (problem,) = problems(variables=variables)
    assert "SET GLOBAL binlog_legacy_event_pos = ON" in problem
    del variables["binlog_legacy_event_pos"]  # servers before 11.4 know no other way
    assert problems(variables=variables) == []


@pytest.mark.parametrize("names", [("card_token",), ("card_token_key", "card_last4")])
def test_a_source_without_card_tokens_is_refused(names):
    (problem,) = problems(columns=without("cards", *names))
    assert "finance.cards" in problem
    assert all(name in problem for name in names)
    assert "docs/operations/capture.md" in problem


def test_columns_that_never_leave_the_source_need_not_be_there():
    assert problems(columns=without("cards", "card_number", "cvv")) == []


def test_another_missing_column_is_named_with_its_contract():
    (problem,) = problems(columns=without("transactions", "errors"))
    assert "finance.transactions: lacks column errors" in problem
    assert "transactions.yaml" in problem


def test_more_columns_than_the_contract_has_are_no_problem():
    columns = {**facts().columns, "users": (*facts().columns["users"], "nickname")}
    assert problems(columns=columns) == []


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_each_missing_table_is_named(table):
    columns = {name: found for name, found in facts().columns.items() if name != table}
    (problem,) = problems(columns=columns)
    assert f"finance.{table}: is missing" in problem


def test_another_primary_key_is_refused():
    (problem,) = problems(keys={**facts().keys, "cards": ("client_id",)})
    assert "(client_id) instead of (id)" in problem


@pytest.mark.parametrize(
    ("dropped", "lacking", "on"),
    [
        (0, ["RELOAD", "REPLICATION SLAVE", "BINLOG MONITOR"], "*.*"),
        (1, ["SELECT", "LOCK TABLES"], "finance.*"),
        (2, ["INSERT", "DELETE"], "finance.finlake_signal"),
        (3, ["INSERT", "UPDATE"], "finance.finlake_heartbeat"),
    ],
)
def test_each_missing_right_is_named_with_the_grant_that_gives_it(dropped, lacking, on):
    (problem,) = problems(grants=tuple(g for n, g in enumerate(MARIADB) if n != dropped))
    assert f"GRANT {', '.join(lacking)} ON {on} TO" in problem


def test_rights_on_another_database_do_not_count():
    grants = (MARIADB[0], *(grant.replace("`finance`", "`other`") for grant in MARIADB[1:]))
    assert len(problems(grants=grants)) == 3


def test_a_contract_with_a_new_column_asks_for_it():
    cards = contracts.get("source.cards")
    column = msgspec.structs.replace(cards.columns[-1], name="colour")
    table = msgspec.structs.replace(cards, columns=(*cards.columns, column))
    (problem,) = judge(facts(), SOURCE, [table])
    assert "colour" in problem
