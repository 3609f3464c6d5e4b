"""What may change in a contract, and what breaks those who rely on it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lakehouse_schemas import Column, Contract, Expectation, contracts
from lakehouse_schemas.compat import changes, compare

OLD = contracts.get("silver.fraud_labels")
NOTE = Column(name="note", physical_type="string", description="A note.", required=False)


def with_columns(*columns: Column, **values: object) -> Contract:
    return replace(OLD, columns=columns, **values)


def edited(name: str, /, **values: object) -> Contract:
    return with_columns(
        *(replace(c, **values) if c.name == name else c for c in OLD.columns),
    )


def texts(old: Contract, new: Contract) -> list[tuple[str, bool]]:
    return [(change.text, change.allowed) for change in changes(old, new)]


def test_the_same_contract_has_no_changes():
    everything = contracts.all()
    assert compare(everything, everything) == []


def test_an_optional_column_may_be_added():
    new = with_columns(*OLD.columns, NOTE)
    assert texts(OLD, new) == [("column note: added, optional", True)]


def test_a_required_column_breaks_those_who_write():
    new = with_columns(*OLD.columns, replace(NOTE, required=True))
    assert texts(OLD, new) == [("column note: added, required", False)]


def test_a_dropped_column_breaks():
    assert texts(OLD, with_columns(*OLD.columns[:-1])) == [("column _extra: dropped", False)]


def test_a_renamed_column_breaks_and_is_called_renamed():
    assert texts(OLD, edited("_extra", name="_more")) == [
        ("column _extra: renamed to _more", False)
    ]


def test_two_columns_alike_are_not_both_the_renamed_one():
    old = with_columns(*OLD.columns, NOTE, replace(NOTE, name="note_2"))
    new = with_columns(*OLD.columns, replace(NOTE, name="note_3"))
    assert texts(old, new) == [
        ("column note: renamed to note_3", False),
        ("column note_2: dropped", False),
    ]


@pytest.mark.parametrize(
    ("before", "after", "verb"),
    [
        ("int", "bigint", "widened"),
        ("bigint", "int", "narrowed"),
        ("decimal(12,2)", "decimal(14,2)", "widened"),
        ("decimal(12,2)", "decimal(14,4)", "widened"),
        ("decimal(12,2)", "decimal(12,4)", "changed"),
        ("decimal(12,2)", "decimal(10,2)", "narrowed"),
        ("decimal(12,2)", "decimal(12,1)", "changed"),
        ("decimal(12,2)", "double", "changed"),
        ("string", "bigint", "changed"),
        ("timestamp", "date", "changed"),
    ],
)
def test_a_type_may_only_widen(before, after, verb):
    old = with_columns(*OLD.columns, replace(NOTE, physical_type=before))
    new = with_columns(*OLD.columns, replace(NOTE, physical_type=after))
    assert texts(old, new) == [(f"column note: {verb} from {before} to {after}", verb == "widened")]


@pytest.mark.parametrize(
    ("after", "verb"), [("varchar(4)", "widened"), ("char(3)", "widened"), ("char(2)", "narrowed")]
)
def test_a_source_text_may_only_grow(after, verb):
    old = contracts.get("source.fraud_labels")
    columns = (old.columns[0], replace(old.columns[1], physical_type=after))
    (change,) = changes(old, replace(old, columns=columns))
    assert change.text == f"column label: {verb} from varchar(3) to {after}"
    assert change.breaking == (verb == "narrowed")


def test_required_may_be_taken_away_but_not_asked_for():
    assert texts(OLD, edited("_extra", required=True)) == [
        ("column _extra: became required", False)
    ]
    assert texts(OLD, edited("label", required=False)) == [("column label: became optional", True)]


def test_another_key_or_kind_breaks():
    new = edited("label", key_position=2)
    assert texts(OLD, new) == [("key (transaction_id) became (transaction_id, label)", False)]
    assert texts(OLD, replace(OLD, kind="log")) == [("kind keyed became log", False)]


def test_a_mask_may_change():
    assert texts(OLD, edited("_extra", mask="hash")) == [
        ("column _extra: personal with mask drop became personal with mask hash", True)
    ]


def test_a_rule_that_sets_records_aside_breaks_unless_it_goes():
    warn = Expectation(rule="one_of", severity="warn", values=("Yes",))
    quarantine = replace(warn, severity="quarantine")
    assert texts(OLD, edited("label", expectations=(quarantine,))) == [
        ("column label: rules changed", False)
    ]
    assert texts(OLD, edited("label", expectations=(warn,))) == [
        ("column label: rules changed", True)
    ]


def test_a_higher_major_version_allows_everything_and_says_so():
    new = replace(with_columns(*OLD.columns[:-1]), version="2.0.0")
    (change,) = changes(OLD, new)
    assert (change.breaking, change.allowed) == (True, True)
    minor = replace(new, version="1.9.0")
    assert not changes(OLD, minor)[0].allowed


def test_a_version_never_falls():
    assert texts(replace(OLD, version="1.10.0"), replace(OLD, version="1.9.0")) == [
        ("version 1.10.0 became the lower 1.9.0", False)
    ]


def test_a_table_may_be_added_but_not_dropped():
    (added,) = compare([], [OLD])
    assert (added.table, added.text, added.allowed) == ("silver.fraud_labels", "table added", True)
    (dropped,) = compare([OLD], [])
    assert (dropped.text, dropped.allowed) == ("table dropped", False)


TYPES = st.sampled_from(["int", "bigint", "double", "string", "date", "timestamp", "boolean"]) | (
    st.builds(
        lambda scale, more: f"decimal({scale + more},{scale})", st.integers(0, 9), st.integers(1, 9)
    )
)
COLUMNS = st.lists(
    st.builds(
        Column,
        name=st.sampled_from("abcdef"),
        physical_type=TYPES,
        description=st.sampled_from("xyz"),
        required=st.booleans(),
    ),
    unique_by=lambda column: column.name,
    max_size=5,
)
VERSIONS = st.sampled_from(["1.0.0", "1.2.0", "2.0.0"])
TABLES = st.builds(
    lambda columns, version: replace(OLD, kind="log", columns=tuple(columns), version=version),
    COLUMNS,
    VERSIONS,
)


@given(TABLES, TABLES)
def test_what_is_allowed_can_be_read_as_before(old, new):
    """The rule itself, without the code under test: each old column is there and holds as much."""
    found = changes(old, new)
    if any(change.breaking for change in found):
        return
    assert {c.name for c in old.columns} <= {c.name for c in new.columns}
    for column in new.columns:
        if column.name not in old.column_names:
            assert not column.required
            continue
        before = old.column(column.name)
        assert before.required or not column.required
        if before.type != column.type:
            bits = {"int32": 1, "int64": 2}
            if before.decimal and column.decimal:
                assert column.decimal[1] >= before.decimal[1]
                assert (
                    column.decimal[0] - column.decimal[1] >= before.decimal[0] - before.decimal[1]
                )
            else:
                assert bits[column.type] > bits[before.type]


@given(TABLES, TABLES)
def test_every_column_that_differs_is_reported(old, new):
    reported = {change.text.split(": ")[0].removeprefix("column ") for change in changes(old, new)}
    renamed = {c.text.rpartition(" renamed to ")[2] for c in changes(old, new)}
    for name in {*old.column_names, *new.column_names}:
        before = old.column(name) if name in old.column_names else None
        after = new.column(name) if name in new.column_names else None
        same = (
            before and after and replace(before, description="") == replace(after, description="")
        )
        assert same or name in reported | renamed
