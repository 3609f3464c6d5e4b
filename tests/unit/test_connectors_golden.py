"""What the captured events say, held against what was written into the source."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lakehouse_schemas import contracts
from tests.golden import every_type
from tests.golden.capture import CARD, LAST

GOLDEN = Path(__file__).parents[1] / "golden" / "debezium"
FLAVOURS = ("mariadb", "mysql")
SOURCE_FILES = ("source_tables", "mysql_source_tables")


def records(name):
    lines = (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def exact(text):
    """JSON with decimals and without a silent rounding of large integers."""
    return json.loads(text, parse_float=Decimal) if text else None


def changes(name, topic=""):
    return [
        (record, exact(record["value"]))
        for record in records(name)
        if record["value"] and record["topic"].endswith(topic)
    ]


def types_written(flavour):
    """Column values by row, once from the snapshot and once from the binlog."""
    found: dict[int, dict[str, Any]] = {}
    for record, value in changes(f"{flavour}_types"):
        if value["op"] in ("r", "c") and value["source"]["snapshot"] != "incremental":
            found[json.loads(record["key"])["id"]] = value["after"]
    return found


def plain(value):
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("row", [every_type.LOW, every_type.HIGH, every_type.ODD])
def test_every_type_arrives_as_it_was_written(flavour, row):
    found = types_written(flavour)
    for case in every_type.cases(flavour):
        for key, expected in ((row, case.json), (row + 10, case.streamed or case.json)):
            got = plain(found[key][case.column])
            assert (type(got), got) == (type(expected[row - 1]), expected[row - 1]), case.type


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_null_stays_null_even_where_the_column_has_a_default(flavour):
    found = types_written(flavour)
    for key in (every_type.EXPECTED_NULL, every_type.EXPECTED_NULL + 10):
        row = found[key]
        assert {name for name, value in row.items() if value is not None} == {
            "id",
            "c_date_required",
        }
    assert found[every_type.LOW]["c_varchar_default"] == ""


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_incremental_read_gives_the_values_of_the_snapshot(flavour):
    by_kind: dict[bool, dict[str, Any]] = {}
    for record, value in changes(f"{flavour}_types"):
        if value["op"] == "r":
            kind = value["source"]["snapshot"] == "incremental"
            by_kind.setdefault(kind, {})[record["key"]] = value["after"]
    unchanged = {f'{{"id":{n}}}' for n in (1, 2, 3, 4)}
    assert unchanged <= set(by_kind[True])
    assert all(by_kind[True][key] == by_kind[False][key] for key in unchanged)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_columns_come_change_their_name_and_go_with_the_statement(flavour):
    updates = [v["after"] for _, v in changes(f"{flavour}_types") if v["op"] == "u"][-3:]
    assert [(row.get("added"), row.get("renamed")) for row in updates] == [
        ("x", None),
        (None, "y"),
        (None, None),
    ]
    ddl = [
        value["ddl"]
        for record, value in changes(f"{flavour}_service")
        if record["topic"] == "cdc" and not value["source"]["snapshot"]
    ]
    assert [statement.split()[3] for statement in ddl] == ["ADD", "MODIFY", "RENAME", "DROP"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_truncate_is_an_event_without_key_and_rows(flavour):
    record, value = changes(f"{flavour}_types")[-1]
    assert (value["op"], value["before"], value["after"], record["key"]) == ("t", None, None, None)


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_every_record_carries_the_epoch_tombstones_too(name):
    found = records(name)
    assert any(record["value"] is None for record in found)
    assert all(["epoch", "1"] in record["headers"] for record in found)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_service_records_carry_the_epoch_and_heartbeats_come(flavour):
    found = records(f"{flavour}_service")
    by_connector = [record for record in found if record["topic"] != "finlake.signals"]
    assert all(["epoch", "1"] in record["headers"] for record in by_connector)
    topics = {record["topic"] for record in found}
    assert {"__debezium-heartbeat.cdc", "cdc.finance.finlake_heartbeat"} <= topics


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_secret_columns_never_leave_the_source(name):
    dropped = set(contracts.get("source.cards").dropped)
    assert dropped == {"card_number", "cvv"}
    cards = [v for _, v in changes(name, ".cards")]
    images = [image for v in cards for image in (v["before"], v["after"]) if image]
    assert images
    assert all(dropped.isdisjoint(image) for image in images)
    for path in GOLDEN.glob("*.jsonl"):
        assert str(CARD["card_number"]) not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_columns_are_those_of_the_contracts(name):
    for contract in contracts.source_tables():
        expected = set(contract.column_names) - set(contract.dropped)
        found = [v["after"] for _, v in changes(name, f".{contract.name}") if v.get("after")]
        assert found
        assert all(set(row) == expected for row in found)


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_trap_1_money_is_exact_text_and_time_is_whole_microseconds(name):
    rows = [v["after"] for _, v in changes(name, ".transactions") if v["after"]]
    assert all(isinstance(row["amount"], str) and isinstance(row["date"], int) for row in rows)
    assert {row["amount"] for row in rows} >= {"6820.20", "-500.00", "0.00"}
    assert max(row["date"] for row in rows) == 1572566399999999  # 2019-10-31 23:59:59.999999
    limits = [v["after"]["credit_limit"] for _, v in changes(name, ".cards") if v["after"]]
    assert "9999999999.99" in limits


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_trap_2_the_source_position_orders_the_changes_of_a_row(name):
    """The order by (file, position, row) is the order in which they were committed."""
    by_key: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    for record, value in changes(name):
        source = value["source"]
        place = (source["file"], source["pos"], source["row"])
        by_key.setdefault((record["topic"], record["key"]), []).append(place)
    assert all(places == sorted(places) for places in by_key.values())
    # four changes in one transaction, and two statements of which the later has the lower row
    places = by_key["cdc.finance.transactions", '{"id":7475400}']
    assert len(set(places)) == len(places) == 7
    assert places[4][2] > places[5][2]


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_trap_3_a_changed_primary_key_is_a_delete_and_a_create(name):
    found = {
        record["key"]: value["op"]
        for record, value in changes(name, ".transactions")
        if any(header.startswith("__debezium.") for header, _ in record["headers"])
    }
    assert found == {'{"id":7475332}': "d", '{"id":7475999}': "c"}


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_trap_4_a_re_snapshot_is_placed_after_the_changes_it_has_seen(name):
    seen: dict[str, tuple[str, int]] = {}
    for record, value in changes(name, ".transactions"):
        source = value["source"]
        if source["snapshot"] == "incremental":
            assert value["op"] == "r"
            assert (source["file"], source["pos"]) > seen[record["key"]]
        else:
            seen[record["key"]] = (source["file"], source["pos"])


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_trap_10_each_delete_is_followed_by_its_tombstone(name):
    deletes = tombstones = 0
    last: dict[tuple[str, int], tuple[str, str]] = {}
    for record in records(name):
        place = (record["topic"], record["partition"])
        if record["value"] is None:
            tombstones += 1
            assert last[place] == (record["key"], "d")
        else:
            op = json.loads(record["value"])["op"]
            deletes += op == "d"
            last[place] = (record["key"], op)
    assert deletes == tombstones > 0


def test_trap_12_mariadb_commit_times_have_whole_seconds_and_those_of_mysql_have_not():
    def fractions(name):
        return {
            value["source"]["ts_us"] % 1_000_000
            for _, value in changes(name)
            if not value["source"]["snapshot"]
        }

    assert fractions("source_tables") == {0}
    assert len(fractions("mysql_source_tables")) > 3


def test_the_capture_ran_to_its_end():
    for name in SOURCE_FILES:
        keys = [record["key"] for record in records(name)]
        assert f'{{"transaction_id":{LAST}}}' in keys
