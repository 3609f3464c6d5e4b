"""The connector's configuration as it is rendered from contracts and settings."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.config import Flavour, connector_config, connector_name, history_topic, parse_source
from connectors.topics import ALERTS_TOPIC, expected
from finlake.errors import UsageProblem
from infra.settings import Settings
from lakehouse_schemas import contracts

FLAVOURS: tuple[Flavour, ...] = ("mariadb", "mysql", "postgresql")


def settings(flavour="mariadb", url="mysql://app:a%40b@127.0.0.1:3307/finance", **other):
    return Settings(
        home=Path("/nowhere"),
        source_flavour=flavour,
        source_url=url,
        source_cdc_user="cdc",
        source_cdc_password="hidden",
        kafka_bootstrap="kafka:9092",
        **other,
    )


def config(flavour="mariadb", epoch=1, **other):
    return connector_config(settings(flavour, **other), contracts.layer("source"), epoch=epoch)


def matches(listed, name):
    """Debezium's rule: one of the expressions fits the whole name, whatever the case."""
    return any(re.fullmatch(part, name, re.IGNORECASE) for part in listed.split(","))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_all_source_tables_and_the_service_tables_are_captured_and_no_others(flavour):
    listed = config(flavour)["table.include.list"]
    names = [contract.name for contract in contracts.layer("source")]
    assert {"finlake_signal", "finlake_heartbeat", "transactions"} <= set(names)
    assert all(matches(listed, f"finance.{name}") for name in names)
    assert not matches(listed, "finance.finlake_identity")
    assert not matches(listed, "financeXcards")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_exactly_the_secret_columns_are_left_out(flavour):
    listed = config(flavour)["column.exclude.list"]
    for contract in contracts.layer("source"):
        for column in contract.column_names:
            left_out = matches(listed, f"finance.{contract.name}.{column}")
            assert left_out == (column in contract.dropped)
    assert matches(listed, "finance.cards.cvv")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_record_carries_the_epoch_as_text(flavour):
    rendered = config(flavour, epoch=7)
    assert rendered["transforms.epoch.value.literal"] == "7"
    assert rendered["header.converter"].endswith(".StringConverter")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_trap_1_decimals_are_text_and_a_null_is_not_its_default(flavour):
    rendered = config(flavour)
    assert rendered["decimal.handling.mode"] == "string"
    assert rendered["value.converter.replace.null.with.default"] == "false"
    assert rendered["time.precision.mode"] == "microseconds"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_trap_13_a_gap_stops_the_connector_instead_of_being_skipped(flavour):
    rendered = config(flavour)
    assert rendered["snapshot.mode"] == "initial"
    assert {value for key, value in rendered.items() if key.endswith("failure.handling.mode")} == {
        "fail"
    }
    assert rendered["errors.tolerance"] == "none"
    assert rendered["skipped.operations"] == "none"


def test_names_of_the_connectors():
    assert [connector_name(flavour) for flavour in FLAVOURS] == [
        "finance-mysql-connector",
        "finance-mysql-connector",
        "finance-postgres-connector",
    ]


def test_an_epoch_has_a_schema_history_of_its_own():
    topics = {config(epoch=n)["schema.history.internal.kafka.topic"] for n in (1, 2, 3)}
    assert topics == {history_topic(n) for n in (1, 2, 3)}
    assert len(topics) == 3


def test_the_server_id_is_stable_and_differs_between_homes():
    ids = {config()["database.server.id"] for _ in range(2)}
    here = settings().model_copy(update={"home": Path("/elsewhere")})
    other = connector_config(here, contracts.layer("source"), epoch=1)["database.server.id"]
    assert len(ids) == 1
    assert other not in ids
    assert all(1 <= int(number) < 2**32 for number in (*ids, other))


@pytest.mark.parametrize(
    ("flavour", "host", "query", "mode"),
    [
        ("mysql", "127.0.0.1", "", "disabled"),
        ("mysql", "localhost", "", "disabled"),
        ("mysql", "db.example", "", "preferred"),
        ("mysql", "db.example", "?tls=verify", "verify_identity"),
        ("mysql", "127.0.0.1", "?tls=required", "required"),
        ("mariadb", "[::1]", "", "disable"),
        ("mariadb", "db.example", "?tls=off", "disable"),
        ("mariadb", "db.example", "", "trust"),
    ],
)
def test_tls_is_off_on_this_machine_alone(flavour, host, query, mode):
    url = f"mysql://app:x@{host}:3306/finance{query}"
    assert config(flavour, url=url)["database.ssl.mode"] == mode


def test_the_source_is_read_from_its_url():
    source = parse_source(settings())
    assert (source.host, source.port, source.database) == ("127.0.0.1", 3307, "finance")
    assert (source.user, source.password) == ("app", "a@b")
    assert "a@b" not in repr(source)
    assert parse_source(settings(url="mysql://app:x@db/finance")).port == 3306
    assert parse_source(settings("postgresql", url="postgresql://app:x@db/finance")).port == 5432


@pytest.mark.parametrize(
    "url",
    [None, "mysql://127.0.0.1/finance", "mysql://app:x@/finance", "mysql://app:x@db",
     "mysql://app:x@db/finance?tls=maybe"],
)  # fmt: skip
def test_a_wrong_url_is_a_usage_problem_that_names_the_setting(url):
    with pytest.raises(UsageProblem, match="FINLAKE_SOURCE_URL"):
        parse_source(settings(url=url))


def filtered(statement):
    listed = config()["internal.schema.history.internal.ddl.filter"]
    return any(
        re.fullmatch(part, statement, re.IGNORECASE | re.DOTALL) for part in listed.split(",")
    )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE odd (id INT PRIMARY KEY, a INET6)",
        "ALTER TABLE finance.other ADD COLUMN x INT",
        "GRANT SELECT ON finance.cards TO app@'%'",
        "ANALYZE TABLE cards",
        "CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS"
        " SELECT id FROM cards",
        "CREATE DEFINER=`a`@`%` TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET @a = 1",
        "CREATE EVENT finance.finlake_beat ON SCHEDULE EVERY 1 SECOND DO"
        " INSERT INTO finance.finlake_heartbeat VALUES (1, NOW())",
        "DROP TEMPORARY TABLE IF EXISTS cards",
    ],
)
def test_ddl_that_is_not_about_our_tables_cannot_stop_the_capture(statement):
    assert filtered(statement)
    assert filtered(statement.lower())


@pytest.mark.parametrize("table", [contract.name for contract in contracts.layer("source")])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE {} ADD COLUMN user INT",
        "ALTER TABLE `finance`.`{}` DROP COLUMN view",
        "/* a\ncomment */ ALTER TABLE\n{} RENAME COLUMN a TO trigger_event",
        "RENAME TABLE old_one TO {}",
        "CREATE TABLE {} LIKE other",
        "CREATE OR REPLACE TABLE {} (id INT)",
        "DROP TABLE IF EXISTS `{}`",
        "SET STATEMENT max_statement_time=1 FOR ALTER TABLE {} ADD COLUMN b INT",
    ],
)
def test_ddl_about_our_tables_is_always_read(statement, table):
    assert not filtered(statement.format(table))


def test_ddl_about_the_whole_database_is_read():
    assert not filtered("DROP DATABASE finance")
    assert not filtered("ALTER SCHEMA finance CHARACTER SET utf8mb4")


@given(
    st.sampled_from([contract.name for contract in contracts.layer("source")]),
    st.sampled_from(["`{}`", "{}", "finance.{}", "`finance`.`{}`"]),
    st.text(alphabet="abcuser view trigger=@`\n", max_size=40),
)
def test_no_text_around_a_table_name_hides_an_alter(table, form, rest):
    assert not filtered(f"ALTER TABLE {form.format(table)} {rest}")


def test_topics_are_kept_as_long_as_each_needs():
    topics = {topic.name: topic for topic in expected(settings(topic_partitions=4))}
    assert topics["cdc.finance.transactions"].partitions == 4
    assert all(
        topic.partitions == 1 for name, topic in topics.items() if not name.endswith("transactions")
    )
    for name in ("finlake.schema-history", "cdc"):
        assert topics[name].config["retention.ms"] == "-1"
        assert topics[name].config["cleanup.policy"] == "delete"
    assert "compact" in topics[ALERTS_TOPIC].config["cleanup.policy"]
    week = str(7 * 24 * 3600 * 1000)
    assert topics["cdc.finance.cards"].config["retention.ms"] == week
    assert "finlake.schema-history.2" in {topic.name for topic in expected(settings(), epoch=2)}
