"""Wrong contract files: one line each, that names the file and the fault."""

import copy
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from finlake.errors import FinlakeError
from lakehouse_schemas import Column, ContractError, contracts
from lakehouse_schemas.contracts import TABLES
from lakehouse_schemas.reading import parse_contract, read_contract

GOLD = yaml.safe_load((TABLES / "gold/agg_category_day.yaml").read_text())
SOURCE = yaml.safe_load((TABLES / "source/users.yaml").read_text())
REMOVE = object()


def fault_of(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        parse_contract(text, "gold/agg_category_day.yaml")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("gold/agg_category_day.yaml: ")
    assert line.endswith("; correct the contract")
    return line.removeprefix("gold/agg_category_day.yaml: ").removesuffix("; correct the contract")


def change(document: dict[str, Any], path: str, value: object) -> str:
    """The document's text after the node at the path (columns and lists by number) is changed."""
    changed = copy.deepcopy(document)
    here: Any = changed
    *steps, last = [int(s) if s.isdigit() else s for s in path.split("/")]
    if steps[:1] == ["columns"]:
        here, steps = changed["schema"][0]["properties"], steps[1:]
    for step in steps:
        here = here[step]
    if value is REMOVE:
        del here[last]
    else:
        here[last] = value
    text: str = yaml.dump(changed, Dumper=yaml.CSafeDumper, sort_keys=False)
    return text


def quality(name: str, implementation: object, severity: str = "warn") -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "type": "custom",
            "engine": "finlake",
            "severity": severity,
            "implementation": implementation,
        }
    ]


def mask(**values: object) -> list[dict[str, object]]:
    return [{"property": k, "value": v} for k, v in values.items()]


# Columns of GOLD: 0 date (key 1), 1 mcc (key 2), 2 transaction_count, 3 amount_sum.
@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("apiVersion", "v3.0.2", "Invalid enum value 'v3.0.2' - at `apiVersion`"),
        ("apiVersion", REMOVE, "Object missing required field `apiVersion`"),
        ("kind", "Contract", "Invalid enum value 'Contract' - at `kind`"),
        ("version", 1.0, "Expected `str`, got `float` - at `version`"),
        ("version", "1.0", "Expected `str` matching regex"),
        ("status", "alive", "Invalid enum value 'alive' - at `status`"),
        ("dataProduct", "x", "Object contains unknown field `dataProduct`"),
        ("id", "finlake.gold.other", "id, name and physicalName must be those of gold.agg_categor"),
        ("name", "other", "id, name and physicalName must be those of gold.agg_category_day"),
        ("team", [{"username": "me"}], "Expected `object`, got `array` - at `team`"),
        ("team", REMOVE, "Object missing required field `team`"),
        ("roles/0/role", "everyone", "Invalid enum value 'everyone' - at `roles[0].role`"),
        ("roles/0/access", "write", "Invalid enum value 'write' - at `roles[0].access`"),
        ("schema", [], "Expected `array` of length >= 1 - at `schema`"),
        ("schema", GOLD["schema"] * 2, "Expected `array` of length <= 1 - at `schema`"),
        ("slaProperties/0/property", "freshness", "Invalid enum value 'freshness'"),
        ("slaProperties/0/unit", "d", "slaProperties must be latency in s and retention in d"),
        ("slaProperties/0/value", -1, "Expected `float` >= 0"),
        ("slaProperties/1", REMOVE, "slaProperties must be latency in s and retention in d"),
        ("slaProperties", GOLD["slaProperties"] * 2, "slaProperties must be latency in s"),
        ("customProperties/0/value", "platinum", "customProperties: Invalid enum value 'platinum'"),
        ("customProperties/1/value", "keys", "customProperties: Invalid enum value 'keys'"),
        ("customProperties/2", REMOVE, "customProperties: Object missing required field `erasure`"),
        ("customProperties/2/value", "all", "customProperties: Invalid enum value 'all'"),
        ("customProperties", mask(layer="gold", x=1), "contains unknown field `x`"),
        ("customProperties", GOLD["customProperties"] * 2, "a custom property is given twice"),
        # columns
        ("columns/1/name", "date", "column date is named twice"),
        ("columns/1/name", "Mcc", "column Mcc: a name is lower case letters"),
        ("columns/1/name", REMOVE, "column 1: Object missing required field `name`"),
        ("columns/1", 7, "column 1: Expected `object`, got `int`"),
        ("columns/1/physicalType", "enum('a')", "column mcc: physicalType enum('a') is unknown"),
        ("columns/1/physicalType", "smallint", "column mcc: physicalType smallint is unknown"),
        ("columns/3/physicalType", "decimal(39,2)", "physicalType decimal(39,2) is unknown"),
        ("columns/3/physicalType", "decimal(2,3)", "physicalType decimal(2,3) is unknown"),
        ("columns/1/logicalType", "int", "column mcc: Invalid enum value 'int' - at `logicalType`"),
        ("columns/1/logicalType", "string", "physicalType int has logicalType integer, not string"),
        ("columns/0/physicalType", "datetime(6)", "column date: physicalType datetime(6) has"),
        ("columns/1/description", REMOVE, "column mcc: Object missing required field `descript"),
        ("columns/1/description", "", "column mcc: Expected `str` of length >= 1"),
        ("columns/1/required", "yes", "column mcc: Expected `bool`, got `str` - at `required`"),
        ("columns/1/required", False, "column mcc: a column of the primary key must be required"),
        ("columns/1/nullable", True, "column mcc: Object contains unknown field `nullable`"),
        ("columns/1/primaryKeyPosition", REMOVE, "column mcc: primaryKey and primaryKeyPosition"),
        ("columns/1/primaryKey", False, "column mcc: primaryKey and primaryKeyPosition belong"),
        ("columns/1/primaryKeyPosition", 3, "primaryKeyPosition must count from 1 without a gap"),
        ("columns/1/primaryKeyPosition", 1, "primaryKeyPosition must count from 1 without a gap"),
        ("columns/3/classification", "pii", "column amount_sum: Invalid enum value 'pii'"),
        ("columns/3/classification", "secret", "column amount_sum: a secret column stays in the"),
        ("columns/3/classification", "personal", "column amount_sum: a personal column needs a m"),
        ("columns/3/customProperties", mask(mask="rot13"), "Invalid enum value 'rot13'"),
        ("columns/3/customProperties", mask(mask="partial"), "needs a maskStep above 0"),
        ("columns/3/customProperties", mask(maskStep=5), "needs a maskStep above 0"),
        ("columns/0/customProperties", mask(mask="partial", maskStep=5), "partial is for numbers"),
        # expectations
        ("columns/1/quality", quality("above", {"min": 1}), "Invalid enum value 'above'"),
        ("columns/1/quality", quality("between", {"low": 1}), "contains unknown field `low`"),
        ("columns/1/quality", quality("between", {}), "between takes min or max"),
        ("columns/1/quality", quality("between", {"values": [1]}), "between takes min or max"),
        ("columns/1/quality", quality("one_of", {"pattern": "a"}), "one_of takes values"),
        ("columns/1/quality", quality("between", {"min": "a"}), "between: 'a' is no int32"),
        ("columns/1/quality", quality("between", {"min": 0.5}), "between: 0.5 is no int32"),
        ("columns/0/quality", quality("between", {"min": "1 May"}), "between: '1 May' is no date"),
        ("columns/1/quality", quality("between", {"min": 2, "max": 1}), "min 2 is above max 1"),
        ("columns/1/quality", quality("one_of", {"values": ["1"]}), "of the column's type int32"),
        ("columns/1/quality", quality("one_of", {"values": [True]}), "column mcc: Expected"),
        ("columns/1/quality", quality("pattern", {"pattern": "a"}), "pattern is for strings"),
        ("columns/1/quality", quality("between", {"min": 0}, "stop"), "Invalid enum value 'stop'"),
        (
            "columns/1/quality",
            quality("between", {"min": 0}, "quarantine"),
            "quarantine is for sou",
        ),
    ],
)
def test_a_wrong_gold_contract_is_one_clear_line(path, value, fault):
    assert fault in fault_of(change(GOLD, path, value))


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("columns/6/physicalType", "string", "physicalType string is not for source tables"),
        ("columns/6/physicalType", "varchar(0)", "column address: physicalType varchar(0) is unkn"),
        ("columns/6/classification", "secret", None),  # it has the mask drop already
        ("columns/5/quality", quality("pattern", {"pattern": "("}), "is no regular expression"),
        ("columns/5/quality", quality("one_of", {"values": [1]}), "of the column's type string"),
        ("columns/0/primaryKey", REMOVE, "column id: primaryKey and primaryKeyPosition belong"),
        ("customProperties/2/value", "none", "it has personal columns, so erasure must be custom"),
    ],
)
def test_a_wrong_source_contract_is_one_clear_line(path, value, fault):
    text = change(SOURCE, path, value)
    if fault is None:
        assert parse_contract(text, "source/users.yaml").dropped == ("address",)
    else:
        assert fault in fault_of(text)


def test_no_table_of_the_lake_has_a_secret_column():
    text = change(GOLD, "columns/3/classification", "secret")
    masked = change(yaml.safe_load(text), "columns/3/customProperties", mask(mask="drop"))
    assert fault_of(masked).startswith("column amount_sum: a secret column stays in the source")


def test_a_secret_column_of_the_source_has_the_mask_that_keeps_it_there():
    text = change(SOURCE, "columns/6/classification", "secret")
    masked = change(yaml.safe_load(text), "columns/6/customProperties", mask(mask="hash"))
    assert fault_of(masked).startswith("column address: a secret column stays in the source")


def test_a_contract_made_in_code_is_checked_too():
    wrong = Column(name="a", physical_type="enum", description="A.")
    good = contracts.get("gold.dim_mcc")
    with pytest.raises(ValueError, match="column a: physicalType enum is unknown"):
        replace(good, columns=(*good.columns, wrong))


def test_bounds_are_values_of_the_columns_type():
    bounds = quality("between", {"min": "1990-01-01", "max": "2049-12-31"})
    found = parse_contract(change(GOLD, "columns/0/quality", bounds), "here").columns[0]
    assert found.expectations[0].low == date(1990, 1, 1)
    bounds = quality("between", {"min": -0.5})
    found = parse_contract(change(GOLD, "columns/3/quality", bounds), "here").columns[3]
    assert found.expectations[0].low == Decimal("-0.5")
    at = contracts.get("silver.transactions").column("date").expectations[0]
    assert at.high == datetime(2049, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def test_a_keyed_table_without_a_key_is_refused():
    changed = copy.deepcopy(SOURCE)
    for name in ("primaryKey", "primaryKeyPosition"):
        del changed["schema"][0]["properties"][0][name]
    assert fault_of(yaml.safe_dump(changed)).startswith("a keyed table needs a primary key")


def test_lake_tables_have_no_mysql_types():
    text = change(GOLD, "columns/1/physicalType", "char(4)").replace("integer", "string", 1)
    assert fault_of(text) == "column mcc: physicalType char(4) is not for gold tables"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Expected `object`, got `null`"),
        ("- 1", "Expected `object`, got `array`"),
        ("a: [", "line 2: "),
        ("a: 1\nb: {c: 1, c: 2}", "line 2: c is given twice"),
        ("a: 1\na: 2", "line 1: a is given twice"),
        ("? [1]\n: 2", "line 1: found unhashable key"),
        ("a: !!python/object:os.system x", "line 1: could not determine a constructor"),
        ("a: \x00", "control characters are not allowed"),
        ("1: 2", "Expected `str` - at `key`"),
    ],
)
def test_what_is_no_yaml_or_no_contract_is_one_clear_line(text, fault):
    assert fault in fault_of(text)


def test_a_file_that_lies_elsewhere_than_its_table_is_refused(tmp_path: Path):
    path = tmp_path / "silver" / "agg_category_day.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(GOLD))
    with pytest.raises(FinlakeError, match=r"silver/agg_category_day.yaml: holds the contract of"):
        read_contract(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    path = tmp_path / "gold" / "agg_minute.yaml"
    with pytest.raises(ContractError, match=r"^gold/agg_minute.yaml: cannot be read \("):
        read_contract(path)
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ContractError, match=r"^gold/agg_minute.yaml: cannot be read \("):
        read_contract(path)


def paths(node: Any, here: str = "") -> list[str]:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for step, child in items:
        found.append(f"{here}{step}")
        if isinstance(child, dict | list):
            found += paths(child, f"{here}{step}/")
    return found


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(paths(SOURCE)), ANYTHING | st.just(REMOVE))
def test_whatever_stands_in_a_file_it_is_a_contract_or_one_line(path, value):
    line = "source/users.yaml: good"
    try:
        parse_contract(change(SOURCE, path, value), "source/users.yaml")
    except ContractError as error:
        line = str(error)
    assert len(line.splitlines()) == 1
    assert line.startswith("source/users.yaml: ")
