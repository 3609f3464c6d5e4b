"""Hypothesis: rows that keep a contract, with the extremes of its types among them.

Imported by tests alone; Hypothesis is no part of an installation.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from lakehouse_schemas.model import Column, Contract, Expectation

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["rows", "tables", "values"]

_MAX_TEXT = 64


def rows(contract: Contract) -> st.SearchStrategy[dict[str, Any]]:
    """One valid row: column to value, in the contract's order."""
    found = st.fixed_dictionaries({c.name: values(c) for c in contract.columns})
    return found.map(lambda row: {name: row[name] for name in contract.column_names})


def tables(contract: Contract, min_rows: int = 0, max_rows: int = 8) -> st.SearchStrategy[pa.Table]:
    """A table of valid rows, as Arrow; each key has one row unless the table is additive."""
    import pyarrow as pa

    schema = contract.arrow_schema()
    key = contract.key if contract.kind != "additive" else ()
    many = st.lists(
        rows(contract),
        min_size=min_rows,
        max_size=max_rows,
        unique_by=(lambda row: tuple(row[k] for k in key)) if key else None,
    )
    return many.map(lambda found: pa.Table.from_pylist(found, schema))


def values(column: Column) -> st.SearchStrategy[Any]:
    """A valid value of one column, ``None`` among them where it may be empty."""
    found = _required(column)
    return found if column.required else st.none() | found


def _required(column: Column) -> st.SearchStrategy[Any]:
    rules: dict[str, Expectation] = {rule.rule: rule for rule in column.expectations}
    if "one_of" in rules:
        return st.sampled_from(rules["one_of"].values)
    if "pattern" in rules:
        return st.from_regex(rules["pattern"].pattern, fullmatch=True)
    if column.type == "string":
        size = min(column.length or _MAX_TEXT, _MAX_TEXT)
        # no half characters, which UTF-8 cannot hold
        text = st.text(st.characters(exclude_categories=["Cs"]), max_size=size)
        return text | st.sampled_from(["", "'", '"\\', "é" * size, "\U0010ffff" * size])
    if column.type == "binary":
        return st.binary(max_size=_MAX_TEXT)
    if column.type == "boolean":
        return st.booleans()
    low, high = _range(column)
    between = rules.get("between")
    if between:
        low = low if between.low is None else between.low
        high = high if between.high is None else between.high
    return _between(column, low, high) | st.sampled_from([low, high])


def _range(column: Column) -> tuple[Any, Any]:
    """The smallest and the largest value of a column's type."""
    if column.decimal:
        precision, scale = column.decimal
        largest = Decimal(10**precision - 1).scaleb(-scale)
        return -largest, largest
    if column.physical_type == "datetime(6)":  # what MySQL promises to hold
        return datetime(1000, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return {
        "int32": (-(2**31), 2**31 - 1),
        "int64": (-(2**63), 2**63 - 1),
        "double": (-1.7976931348623157e308, 1.7976931348623157e308),
        "date": (date.min, date.max),
        "timestamp": (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
    }[column.type]


def _between(column: Column, low: Any, high: Any) -> st.SearchStrategy[Any]:
    if column.decimal:
        return st.decimals(low, high, places=column.decimal[1])
    if column.type == "timestamp":
        plain = st.datetimes(low.replace(tzinfo=None), high.replace(tzinfo=None))
        return plain.map(lambda moment: moment.replace(tzinfo=UTC))
    if column.type == "date":
        return st.dates(low, high)
    if column.type == "double":
        return st.floats(low, high)
    return st.integers(low, high)
