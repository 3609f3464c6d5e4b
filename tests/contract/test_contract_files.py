"""The contract files themselves: true to the standard, whole, and true to one another."""

import subprocess
import sys

import pytest
import yaml
from msgspec.structs import replace

from lakehouse_schemas import contracts
from lakehouse_schemas.contracts import TABLES
from lakehouse_schemas.reading import parse_contract
from tests.contract.documents import document

ALL = contracts.all()
SILVER = contracts.layer("silver")
GOLD = contracts.layer("gold")
BY_NAME = pytest.mark.parametrize("contract", ALL, ids=lambda c: c.full_name)


@BY_NAME
def test_a_file_says_nothing_that_its_contract_does_not(contract):
    """The document made from the contract is the file: no field is ignored, none is made up."""
    text = (TABLES / contract.layer / f"{contract.name}.yaml").read_text(encoding="utf-8")
    assert document(contract) == yaml.safe_load(text)


@BY_NAME
def test_a_contract_comes_back_from_its_document(contract):
    text = yaml.safe_dump(document(contract), allow_unicode=True)
    assert parse_contract(text, "here") == contract


def test_every_file_is_a_contract():
    files = {f"{p.parent.name}.{p.stem}" for p in TABLES.rglob("*") if p.is_file()}
    assert files == {contract.full_name for contract in ALL}
    assert len(ALL) == 46


@BY_NAME
def test_everything_is_described_in_a_sentence(contract):
    texts = [contract.description, contract.purpose, *(c.description for c in contract.columns)]
    texts += [contract.usage] if contract.usage else []
    for text in texts:
        assert text[0].isupper()
        assert text.endswith(".")
        assert text == " ".join(text.split())
    described = [c.description for c in contract.columns]
    assert len(set(described)) == len(described)


@BY_NAME
def test_someone_may_read_it_and_it_is_kept_for_a_time(contract):
    assert contract.roles[-1] == "admin"
    assert contract.retention_days > 0
    assert (contract.freshness_s > 0) == (contract.layer != "source")


@pytest.mark.parametrize("silver", SILVER, ids=lambda c: c.name)
def test_silver_is_its_source_without_secrets(silver):
    source = contracts.get(f"source.{silver.name}")
    lake_type = {"datetime(6)": "timestamp"}
    expected = [
        replace(
            c,
            physical_type="string" if c.length else lake_type.get(c.physical_type, c.physical_type),
        )
        for c in source.columns
        if c.pii != "secret"
    ]
    assert [c for c in silver.columns if not c.name.startswith("_")] == expected
    assert silver.erasure == source.erasure


def test_silver_tables_end_with_the_same_columns():
    ends = [
        [replace(c, pii="none") for c in contract.columns if c.name.startswith("_")]
        for contract in SILVER
    ]
    assert ends == [ends[0]] * len(SILVER)
    names = [c.name for c in ends[0]]
    assert names == ["_order_token", "_is_deleted", "_source_ts", "_batch_id", "_extra"]


def test_a_source_table_that_people_know_has_a_silver_table():
    assert {c.name for c in contracts.source_tables()} == {c.name for c in SILVER}


def test_only_the_card_number_and_the_cvv_are_secret():
    assert {c.full_name: c.dropped for c in ALL if c.dropped} == {
        "source.cards": ("card_number", "cvv")
    }


@pytest.mark.parametrize(
    ("dimension", "table", "renamed"),
    [
        ("dim_user", "users", {"id": "user_id"}),
        ("dim_card", "cards", {"id": "card_id", "client_id": "user_id"}),
        ("dim_mcc", "mcc_codes", {}),
    ],
)
def test_a_dimension_is_its_silver_table(dimension, table, renamed):
    gold, silver = contracts.get(f"gold.{dimension}"), contracts.get(f"silver.{table}")
    kept = [c for c in silver.columns if not c.name.startswith("_")]
    assert gold.column_names == tuple(renamed.get(c.name, c.name) for c in kept)
    for column in kept:
        same = gold.column(renamed.get(column.name, column.name))
        for field in ("physical_type", "required", "key_position", "pii", "mask", "mask_step"):
            assert getattr(same, field) == getattr(column, field)


def test_a_column_has_one_type_one_class_and_one_mask_in_all_of_gold():
    seen: dict[str, set[tuple[str, str, str, int]]] = {}
    for contract in GOLD:
        for c in contract.columns:
            seen.setdefault(c.name, set()).add((c.physical_type, c.pii, c.mask, c.mask_step))
    assert {name: kinds for name, kinds in seen.items() if len(kinds) > 1} == {}


def test_aggregates_have_the_same_measures():
    found = [[c for c in a.columns if not c.key_position] for a in GOLD if a.kind == "additive"]
    assert len(found) == 7
    assert found == [found[0]] * 7


def test_looking_up():
    assert contracts.get("gold.agg_minute").key == ("minute",)
    assert contracts.get("gold.agg_state_day").key == ("date", "state", "channel")
    assert contracts.get("gold.pipeline_freshness").key == ()
    assert contracts.get("source.cards").column("card_last4").length == 4
    with pytest.raises(KeyError, match=r"no contract gold\.nothing under .*tables"):
        contracts.get("gold.nothing")
    with pytest.raises(KeyError, match=r"gold\.agg_minute has no column nothing"):
        contracts.get("gold.agg_minute").column("nothing")
    with pytest.raises(AttributeError):
        contracts.get("gold.agg_minute").name = "other"  # type: ignore[misc]
    assert len({*ALL}) == len(ALL)


def test_reading_every_contract_imports_nothing_heavy():
    code = (
        "import sys; from lakehouse_schemas import contracts; contracts.all();"
        "print([m for m in ('pyarrow', 'numpy', 'pandas', 'pydantic', 'pyspark', 'hypothesis')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
